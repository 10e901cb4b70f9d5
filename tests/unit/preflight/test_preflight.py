"""What would fail later is refused before anything is touched, all of it at once and each with its mend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.connect.gaps import gap
from crossfade.errors import Fenced, PlanChanged, PreflightRefused
from crossfade.judge.memory import MemoryAlarms
from crossfade.plan.document import Gap, MigrationPlan, Timings
from crossfade.plan.parameters import parameters
from crossfade.plan.services import BackgroundWork, ServicePlan, Tls
from crossfade.preflight.memory import MemorySurroundings
from crossfade.preflight.permits import May, matches
from crossfade.preflight.preflight import PreflightPassed, PreflightRequest, check_preflight
from crossfade.preflight.surroundings import Authority, DeploymentGroup, Key, ShiftedService, Vcpus
from crossfade.shift.share import Share
from tests.traffic import NOON
from tests.unit.green.world import World, a_service, a_shop, accepted

_FIELDS = {
    "edges": "EdgeArns",
    "zones": "HostedZoneArns",
    "records": "RecordNames",
    "distributions": "DistributionArns",
    "target_groups": "TargetGroupArns",
    "services": "ServiceArns",
    "blue_services": "BlueServiceArns",
    "blue_tasks": "BlueTaskArns",
    "task_definitions": "TaskDefinitionArns",
    "roles": "PassRoleArns",
}


def a_permit(world: World, **changes: Any) -> May:
    """What a stack may touch that was deployed with this plan's parameters; edges in memory have ARNs of their own."""
    said = {**parameters(world.plan, pass_roles=["arn:aws:iam::*:role/shop-*"]), "EdgeArns": "front/*"}
    said["TargetGroupArns"] = "*"
    return May(**{**{field: said.get(name, "none") for field, name in _FIELDS.items()}, **changes})


class Preflight:
    """A migration that is opened and may begin."""

    def __init__(self, plan: MigrationPlan | None = None, **may: Any) -> None:
        self.world = World(plan)
        self.alarms: Any = MemoryAlarms({"shop-errors": "OK"})
        self.around = MemorySurroundings(free={"subnet-1": 200, "subnet-2": 200})
        self.may: May | None = a_permit(self.world, **may)

    def check(self, *, fence: int = 1) -> PreflightPassed:
        return check_preflight(
            PreflightRequest(migration="shop", fence=fence, may=self.may),
            journal=self.world.journal,
            plans=self.world.plans,
            services=self.world.services,
            edges=self.world.edges,
            alarms=self.alarms,
            surroundings=self.around.around(),
            now=NOON,
        )


def test_a_sound_start_passes_and_says_what_was_looked_at() -> None:
    passed = Preflight().check()

    assert passed.checks == (
        "period_seconds of the plan's timings: is one that AWS publishes",
        "alarm shop-errors: exists and is not in ALARM",
        "blue service web: runs all the tasks it wants",
        "blue service orders: runs all the tasks it wants",
        "task definition arn:aws:ecs:eu-west-1:123456789012:task-definition/web:1: lets green's proxy write its log",
        "task definition arn:aws:ecs:eu-west-1:123456789012:task-definition/orders:1: lets green's proxy write its log",
        "edge web: blue has healthy targets",
        "edge web: holds the weights the migration opened with",
        *(check for check in passed.checks if check.endswith(("the stack may touch it", "may make and read it"))),
        "edge web: no controller of Kubernetes reconciles it",
        "edge web: no deployment group of CodeDeploy moves it",
        "edge web: no deployment of ECS moves it",
        "subnets subnet-1, subnet-2: hold 4 tasks more",
        "Fargate's On-Demand quota: holds 1 vCPUs more",
        "Lambda's concurrency: leaves 7 executions at once",
        "log group /crossfade/shop: takes one more subscription filter",
    )


def test_everything_that_will_be_touched_is_held_against_the_stacks_parameters() -> None:
    passed = Preflight().check()

    ecs = "arn:aws:ecs:eu-west-1:123456789012"
    touched = [check.removesuffix(": the stack may touch it") for check in passed.checks if "may touch" in check]
    assert touched == [
        "target group targetgroup/web-blue:targetgroup/web-green/0123456789abcdef",
        "rule front/80/default",
        *(
            each
            for name in ("web", "orders")
            for each in (
                f"blue service {ecs}:service/shop/{name}",
                f"a task of blue {ecs}:task/shop/0123456789abcdef",
                f"green service {ecs}:service/shop/{name}-green",
                f"task definition {ecs}:task-definition/{name}-green:1",
                "role arn:aws:iam::123456789012:role/shop-execution",
            )
        ),
    ]
    assert "log group /crossfade/shop: the stack may make and read it" in passed.checks


def test_a_stack_that_does_not_say_what_it_may_touch_is_not_asked() -> None:
    preflight = Preflight()
    preflight.may = None

    assert not [check for check in preflight.check().checks if "may touch" in check]


def give_green_a_share(preflight: Preflight) -> None:
    laid = preflight.world.edges.laid["web"]
    laid.rules = dict.fromkeys(laid.rules, Share(100))


def drain_blue(preflight: Preflight) -> None:
    preflight.world.services.drain("shop", "orders")


def change_the_way_back(preflight: Preflight) -> None:
    edge = preflight.world.journal.edge("shop", "web")
    other = edge.way_back[0].model_copy(update={"arguments": {"RuleArn": "front/80/default", "Actions": []}})
    preflight.world.journal.put_edge(edge.model_copy(update={"way_back": (other,)}), fence=1)


def a_plan_for_a_rehearsal() -> Preflight:
    return Preflight(a_shop(timings=Timings(period_seconds=10, confirm_seconds=5)))


def an_encrypted_plan(**tls: Any) -> MigrationPlan:
    service = a_service("web")
    said = {"authority_arn": "arn:ca", "role_arn": "arn:aws:iam::1:role/shop-tls", "kms_key": "key-1", **tls}
    endpoint = service.endpoints[0].model_copy(update={"tls": Tls(**said)})
    return a_shop(services=(service.model_copy(update={"endpoints": (endpoint,)}), a_service("orders")))


def an_encrypted(**tls: Any) -> Preflight:
    """A preflight of a plan with an encrypted endpoint, and all that it leans on."""
    preflight = Preflight(an_encrypted_plan(**tls))
    preflight.around.known_authorities["arn:ca"] = Authority("ACTIVE", {"AmazonECSManaged": "true"})
    preflight.around.known_keys["key-1"] = Key("Enabled", "SYMMETRIC_DEFAULT")
    preflight.around.trusts["arn:aws:iam::1:role/shop-tls"] = frozenset({"ecs.amazonaws.com"})
    return preflight


def let_codedeploy_shift(preflight: Preflight) -> None:
    services = preflight.world.services._services
    services["shop", "web"] = replace(services["shop", "web"], shifted_by="CodeDeploy")


TROUBLES: dict[str, tuple[Callable[[Preflight], object], str, str]] = {
    "an alarm that rings": (
        lambda p: p.alarms.found.update({"shop-errors": "ALARM"}),
        "alarm shop-errors: is in ALARM already",
        "mend what it watches first",
    ),
    "an alarm that is gone": (
        lambda p: p.alarms.found.clear(),
        "alarm shop-errors: does not exist",
        "create it, or draw the plan without it",
    ),
    "a blue that is short": (
        lambda p: p.world.services.run("shop", "web", 1),
        "blue service web: runs 1 of 2 tasks",
        "bring it to full strength first",
    ),
    "a blue that somebody else shifts": (
        let_codedeploy_shift,
        "blue service web: CodeDeploy moves its traffic",
        "give it a rolling deployment",
    ),
    "a blue that is gone": (
        lambda p: p.world.services._services.pop(("shop", "orders")),
        "blue service orders: is not in cluster shop",
        "draw the plan again",
    ),
    "a blue that is being deleted": (drain_blue, "blue service orders: is DRAINING", "draw the plan again"),
    "a cluster that is gone": (
        lambda p: p.world.services._clusters.clear(),
        "blue service web: there is no cluster shop",
        "name the cluster as AWS does",
    ),
    "a blue without a healthy target": (
        lambda p: p.world.edges.healthy.clear(),
        "edge web: blue has no healthy target",
        "mend it first",
    ),
    "a green that holds a share already": (
        give_green_a_share,
        "edge web: green holds a share already",
        "set it as it should be",
    ),
    "weights that were changed": (
        change_the_way_back,
        "edge web: it was changed since the migration opened",
        "set it as it should be",
    ),
    "a rule that is gone": (
        lambda p: p.world.edges.laid["web"].rules.clear(),
        "edge web: edge web: rules are gone",
        "set it as it should be",
    ),
}


SURROUNDED: dict[str, tuple[Callable[[Preflight], object], str, str]] = {
    "an ejection of the last try": (
        lambda p: p.alarms.found.update({"crossfade-shop-ejections": "ALARM"}),
        "alarm crossfade-shop-ejections: still rings from the last try",
        "wait until CloudWatch says OK of it",
    ),
    "a load balancer of Kubernetes": (
        lambda p: p.around.tagged.update({"load-balancer": {"elbv2.k8s.aws/cluster": "east"}}),
        "edge web: load-balancer carries the tag elbv2.k8s.aws/cluster = 'east'",
        "take the load balancer out of the controller's hands",
    ),
    "a rule of Kubernetes": (
        lambda p: p.around.tagged.update({"front/80/default": {"ingress.k8s.aws/stack": "shop"}}),
        "edge web: front/80/default carries the tag ingress.k8s.aws/stack = 'shop'",
        "take the load balancer out of the controller's hands",
    ),
    "CodeDeploy with blue's target group": (
        lambda p: setattr(p.around, "groups", (DeploymentGroup("shop", "web", frozenset({"web-blue"})),)),
        "edge web: deployment group web of CodeDeploy's application shop moves its traffic",
        "delete the deployment group first",
    ),
    "another service that ECS shifts": (
        lambda p: p.around.shifted.update({"shop": (ShiftedService("web-2", frozenset({"front/80/default"})),)}),
        "edge web: ECS service web-2 names it in its advancedConfiguration",
        "give that service a rolling deployment",
    ),
    "subnets that are full": (
        lambda p: p.around.free.update({"subnet-1": 1, "subnet-2": 2}),
        "subnets subnet-1, subnet-2: have 3 free addresses, and green needs 4",
        "free some, or add a subnet",
    ),
    "a quota of vCPUs that is used up": (
        lambda p: setattr(p.around, "quota", Vcpus(quota=6, used=5.5)),
        "Fargate's On-Demand quota: is 6 vCPUs, 5.5 run, and green needs 1 more",
        "have it raised to 7 in Service Quotas",
    ),
    "too few executions": (
        lambda p: setattr(p.around, "executions", 6),
        "Lambda's concurrency: leaves 6 executions at once to functions without a reservation, and a move needs 7",
        "have the account's quota of concurrent executions raised",
    ),
    "subscription filters used up": (
        lambda p: p.around.filters.update({"/crossfade/shop": ("to-splunk", "to-datadog")}),
        "log group /crossfade/shop: has the subscription filters to-datadog, to-splunk and takes no more",
        "delete one of them",
    ),
    "a blue that cannot write logs": (
        lambda p: p.world.services._definitions["web"][0][0].pop("executionRoleArn"),
        "task-definition/web:1: names no execution role",
        "give it an execution role",
    ),
    "a green that grew with blue": (
        lambda p: (p.world.services.run("shop", "web", 400), p.around.free.update({"subnet-1": 201})),
        "subnets subnet-1, subnet-2: have 401 free addresses, and green needs 402",
        "free some",
    ),
}
TROUBLES |= SURROUNDED


@pytest.mark.parametrize("name", TROUBLES)
def test_trouble_is_refused_with_its_name_and_its_mend(name: str) -> None:
    cause, refusal, mend = TROUBLES[name]
    preflight = Preflight()
    cause(preflight)

    with pytest.raises(PreflightRefused) as refused:
        preflight.check()

    assert refusal in str(refused.value)
    assert mend in str(refused.value)
    note = preflight.world.journal.entries("shop")[-1]
    assert (note.what, bool(note.detail["refused"])) == ("preflight", True)


def with_one_task_of_orders(*gaps: Gap, running: int = 1) -> Preflight:
    preflight = Preflight(a_shop(services=(a_service("web"), a_service("orders", desired=1)), gaps=gaps))
    services = preflight.world.services._services
    services["shop", "orders"] = replace(services["shop", "orders"], desired=running, running=running)
    return preflight


@pytest.mark.parametrize("gaps", [(), (gap("SINGLE_TASK", "ecsService/orders"),)], ids=["unnamed", "open"])
def test_one_task_that_others_call_is_refused_by_name_before_anything_is_made(gaps: tuple[Gap, ...]) -> None:
    preflight = with_one_task_of_orders(*gaps)
    before = len(preflight.world.services.created)

    with pytest.raises(PreflightRefused) as refused:
        preflight.check()

    assert "green service orders-green: would serve with one task" in str(refused.value)
    assert "accept the gap SINGLE_TASK of ecsService/orders with --accept" in str(refused.value)
    assert " | " not in str(refused.value)
    assert len(preflight.world.services.created) == before


def test_one_task_that_a_person_has_accepted_may_begin() -> None:
    with_one_task_of_orders(accepted(gap("SINGLE_TASK", "ecsService/orders"))).check()


def test_one_planned_task_needs_no_consent_where_blue_runs_more_since_green_does_too() -> None:
    with_one_task_of_orders(running=2).check()


def test_all_refusals_are_named_at_once() -> None:
    preflight = Preflight()
    preflight.alarms.found.clear()
    preflight.world.services.run("shop", "web", 1)
    preflight.world.edges.healthy.clear()

    with pytest.raises(PreflightRefused) as refused:
        preflight.check()

    assert str(refused.value).count(" | ") == 2


def test_it_touches_nothing() -> None:
    preflight = Preflight()
    before = len(preflight.world.services.created)

    preflight.check()

    assert len(preflight.world.services.created) == before
    assert preflight.world.edges.tags == {}
    assert preflight.world.namespaces.tags == {}


def test_a_stale_executor_is_refused() -> None:
    preflight = Preflight()
    preflight.world.journal.raise_fence("shop", seen=1, reason="an alarm", at=NOON)

    with pytest.raises(Fenced):
        preflight.check(fence=1)


MAY_NOT: dict[str, tuple[dict[str, Any], str, str]] = {
    "rules": ({"edges": "back/*"}, "rule front/80/default: the stack was deployed without it", "EdgeArns holds front/"),
    "target groups": (
        {"target_groups": "x:targetgroup/other/*"},
        "target group targetgroup/web-blue:",
        "TargetGroupArns holds",
    ),
    "clusters": (
        {"services": "arn:aws:ecs:*:*:service/other/*"},
        "green service arn:aws:ecs:eu-west-1:123456789012:service/shop/web-green: the stack was deployed without it",
        "ServiceArns holds arn:aws:ecs:eu-west-1:123456789012:service/shop/web-green",
    ),
    "blue": ({"blue_services": "none"}, "blue service arn:aws:ecs:eu-west-1:123456789012:service/shop/web:", "Blue"),
    "blue's tasks": ({"blue_tasks": "none"}, "a task of blue arn:aws:ecs:", "BlueTaskArns holds"),
    "task definitions": ({"task_definitions": "none"}, "task definition arn:aws:ecs:", "TaskDefinitionArns holds"),
    "roles": (
        {"roles": "arn:aws:iam::*:role/other"},
        "role arn:aws:iam::123456789012:role/shop-execution: the stack was deployed without it",
        "PassRoleArns holds arn:aws:iam::123456789012:role/shop-execution",
    ),
}


@pytest.mark.parametrize("name", MAY_NOT)
def test_what_the_stack_may_not_touch_is_refused_by_name(name: str) -> None:
    changes, refusal, mend = MAY_NOT[name]

    with pytest.raises(PreflightRefused) as refused:
        Preflight(**changes).check()

    assert refusal in str(refused.value)
    assert mend in str(refused.value)


def test_a_log_group_that_the_stack_may_not_make_is_refused() -> None:
    plan = a_shop()
    elsewhere = plan.model_copy(update={"proxy_logs": plan.proxy_logs.model_copy(update={"group": "/shop/proxies"})})

    with pytest.raises(PreflightRefused, match="log group /shop/proxies: the stack may not make it"):
        Preflight(elsewhere).check()


def test_a_plan_made_for_a_rehearsal_is_refused_elsewhere_and_taken_there() -> None:
    preflight = a_plan_for_a_rehearsal()

    with pytest.raises(PreflightRefused, match=r"is 10 s; AWS counts requests by 60 s"):
        preflight.check()
    assert preflight.may is not None
    preflight.may = preflight.may.model_copy(update={"least_period_seconds": 1})

    assert preflight.check().checks


def test_background_work_that_nobody_answered_is_refused() -> None:
    worker: ServicePlan = a_service("orders").model_copy(update={"background": BackgroundWork(why="reads a queue")})

    with pytest.raises(PreflightRefused, match=r"service orders: works without requests \(reads a queue\)"):
        Preflight(a_shop(services=(a_service("web"), worker))).check()


def test_a_plan_that_changed_since_the_opening_is_refused() -> None:
    preflight = Preflight()
    record = preflight.world.journal.read("shop")
    preflight.world.plans._kept[record.plan.bucket, record.plan.key][-1] += b" "

    with pytest.raises(PlanChanged):
        preflight.check()


TLS: dict[str, tuple[Callable[[], Preflight], str]] = {
    "no role": (lambda: an_encrypted(role_arn=None), "names no role with which ECS would issue certificates"),
    "a role that is gone": (
        lambda: without(an_encrypted(), "trusts", "arn:aws:iam::1:role/shop-tls"),
        "role arn:aws:iam::1:role/shop-tls: does not exist",
    ),
    "a role that ECS may not assume": (
        lambda: laid(an_encrypted(), "trusts", {"arn:aws:iam::1:role/shop-tls": frozenset({"ec2.amazonaws.com"})}),
        "role arn:aws:iam::1:role/shop-tls: does not trust ecs.amazonaws.com",
    ),
    "an authority that is gone": (
        lambda: without(an_encrypted(), "known_authorities", "arn:ca"),
        "certificate authority arn:ca: does not exist",
    ),
    "an authority that is not active": (
        lambda: laid(an_encrypted(), "known_authorities", {"arn:ca": Authority("PENDING_CERTIFICATE")}),
        "certificate authority arn:ca: is PENDING_CERTIFICATE",
    ),
    "an authority that ECS does not manage": (
        lambda: laid(an_encrypted(), "known_authorities", {"arn:ca": Authority("ACTIVE", {"team": "shop"})}),
        "certificate authority arn:ca: does not carry the tag AmazonECSManaged = true",
    ),
    "a key that is gone": (lambda: without(an_encrypted(), "known_keys", "key-1"), "key key-1: does not exist"),
    "a key that is disabled": (
        lambda: laid(an_encrypted(), "known_keys", {"key-1": Key("Disabled", "SYMMETRIC_DEFAULT")}),
        "key key-1: is Disabled",
    ),
    "a key of two halves": (
        lambda: laid(an_encrypted(), "known_keys", {"key-1": Key("Enabled", "RSA_2048")}),
        "key key-1: is of RSA_2048",
    ),
}


def without(preflight: Preflight, what: str, name: str) -> Preflight:
    getattr(preflight.around, what).pop(name)
    return preflight


def laid(preflight: Preflight, what: str, found: dict[str, Any]) -> Preflight:
    getattr(preflight.around, what).update(found)
    return preflight


@pytest.mark.parametrize("name", TLS)
def test_what_encryption_lacks_is_refused_by_name(name: str) -> None:
    lay, refusal = TLS[name]

    with pytest.raises(PreflightRefused) as refused:
        lay().check()

    assert refusal in str(refused.value)


def test_an_encrypted_endpoint_with_all_it_leans_on_passes() -> None:
    checks = an_encrypted().check().checks

    assert "certificate authority arn:ca: is active and ECS may use it" in checks
    assert "role arn:aws:iam::1:role/shop-tls: the stack may touch it" in checks


@given(st.text(alphabet="ab:/*?", max_size=8), st.text(alphabet="ab:/", max_size=8))
def test_a_pattern_takes_what_iam_takes(pattern: str, arn: str) -> None:
    def taken(wanted: str, found: str) -> bool:
        if not wanted:
            return not found
        if wanted[0] == "*":
            return taken(wanted[1:], found) or (bool(found) and taken(wanted, found[1:]))
        return bool(found) and wanted[0] in {"?", found[0]} and taken(wanted[1:], found[1:])

    assert matches(pattern, arn) == taken(pattern, arn)
