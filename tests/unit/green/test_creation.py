"""A green service is made whole, once, and without touching blue, wherever its making is cut short."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import pytest

from crossfade.connect.memory import MemoryNamespaces, MemoryServices
from crossfade.connect.services import MIGRATION_TAG, JsonObject, ServiceState
from crossfade.errors import BadInput, BlueChanged, EcsBusy, Fenced, GreenFailed, ServiceExists
from crossfade.green.creation import creation_request
from crossfade.plan.document import NamespacePlan
from crossfade.plan.edges import RuleRef
from crossfade.plan.services import ClientAlias, Endpoint, TargetGroupRef
from crossfade.resources import service_resource
from tests.traffic import NOON, an_edge_plan
from tests.unit.green.world import BLUE_NETWORK, FIRST, SECOND, Cut, Killed, World, a_service, a_shop, run_blue

WEB_GREEN = service_resource("shop", "web-green")


def calls_of_a_whole_creation() -> list[str]:
    cut = Cut()
    World(eager=True).create(cut=cut)
    return cut.calls


CALLS = calls_of_a_whole_creation()


# -- whole -----------------------------------------------------------------------


def test_a_green_service_has_all_of_service_connect_and_the_rest_of_blue() -> None:
    world = World()

    world.create()

    [request] = world.created
    assert request["serviceName"] == "web-green"
    assert request["launchType"] == "FARGATE"
    assert request["networkConfiguration"] == BLUE_NETWORK
    assert request["desiredCount"] == 2
    assert request["healthCheckGracePeriodSeconds"] == 60
    assert request["deploymentConfiguration"]["deploymentCircuitBreaker"]["enable"] is True
    assert request["loadBalancers"] == [
        {"targetGroupArn": world.green_arn("web"), "containerName": "app", "containerPort": 8080}
    ]
    assert request["serviceConnectConfiguration"] == {
        "enabled": True,
        "namespace": "arn:aws:servicediscovery:eu-west-1:123456789012:namespace/ns-shop-green",
        "services": [
            {
                "portName": "http",
                "discoveryName": "web",
                "clientAliases": [{"port": 80, "dnsName": "web.shop.local"}],
                "timeout": {"perRequestTimeoutSeconds": 15},
            }
        ],
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": "/crossfade/shop",
                "awslogs-region": "eu-west-1",
                "awslogs-stream-prefix": "proxy",
                "mode": "non-blocking",
            },
        },
        "accessLogConfiguration": {"format": "JSON", "includeQueryParameters": "DISABLED"},
    }


def test_it_carries_blues_own_tags_and_ours_but_none_of_awss() -> None:
    world = World()

    world.create()

    tags = {tag["key"]: tag["value"] for tag in world.created[0]["tags"]}
    assert tags == {"team": "checkout", MIGRATION_TAG: "shop"}


def test_it_runs_blues_live_task_definition_without_the_mesh() -> None:
    world = World()
    newest = {**world.services.task_definition("web"), "containerDefinitions": [{"name": "other", "image": "x"}]}
    world.services.register(newest, {"unused": "by the service"})

    world.create()

    definition = world.services.task_definition(world.created[0]["taskDefinition"])
    assert definition["family"] == "web-green"
    assert [container["image"] for container in definition["containerDefinitions"]] == ["web:1"]
    assert "proxyConfiguration" not in definition


def test_a_service_behind_no_edge_has_no_load_balancer() -> None:
    world = World()

    world.create("orders")

    [request] = world.created
    assert "loadBalancers" not in request
    assert "healthCheckGracePeriodSeconds" not in request
    assert world.journal.edge("shop", "web").resolved.green_arn is None


def test_two_edges_that_lead_to_the_same_end_are_one_load_balancer_of_the_service() -> None:
    private = an_edge_plan("private", rules=(RuleRef(load_balancer="inner", listener_port=80, priority="default"),))
    world = World(a_shop(edges=(an_edge_plan(), private)))

    world.create()

    [request] = world.created
    assert [each["targetGroupArn"] for each in request["loadBalancers"]] == [world.green_arn("web")]


def test_greens_end_is_at_the_edge_without_a_share_before_its_service_is_created() -> None:
    calls = Cut()
    world = World()

    world.create(cut=calls)

    assert calls.calls.index("make_green_end") < calls.calls.index("put_edge") < calls.calls.index("create")
    assert {str(share) for share in world.edges.laid["web"].rules.values()} == {"0 %"}
    assert world.edges.tags[world.green_arn("web")] == {MIGRATION_TAG: "shop"}


def test_green_runs_as_many_tasks_as_blue_does_now_even_when_the_plan_knew_of_fewer() -> None:
    world = World()
    world.services.run("shop", "web", 7)

    world.create()

    assert world.created[0]["desiredCount"] == 7


def test_a_green_that_the_plan_wants_at_zero_stays_at_zero() -> None:
    world = World(a_shop(services=(a_service("web"), a_service("orders", desired_count=0))))

    world.create("orders")

    assert world.created[0]["desiredCount"] == 0


def test_a_namespace_that_the_plan_names_by_arn_is_used_and_none_is_made() -> None:
    world = World(a_shop(namespace=NamespacePlan(name="shop-green", arn="arn:given")))

    world.create()

    assert world.created[0]["serviceConnectConfiguration"]["namespace"] == "arn:given"
    assert world.namespaces.tags == {}


def test_a_client_has_no_services_of_its_own() -> None:
    web = a_service("web").model_copy(update={"endpoints": ()})
    world = World(a_shop(services=(web, a_service("orders"))))

    world.create()

    assert "services" not in world.created[0]["serviceConnectConfiguration"]


BLUE = ServiceState(
    arn="arn:aws:ecs:eu-central-1:123456789012:service/shop/web",
    name="web",
    status="ACTIVE",
    desired=2,
    running=2,
    task_definition="web:1",
)


def request_for(blue: ServiceState = BLUE, **changes: Any) -> JsonObject:
    return creation_request(
        a_shop(),
        a_service("web", **changes),
        blue,
        task_definition="web-green:1",
        namespace="arn:ns",
        target_groups=["arn:tg"],
        client_token=SECOND,
    )


def test_a_capacity_provider_strategy_takes_the_place_of_a_launch_type() -> None:
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    blue = ServiceState(
        **{name: getattr(BLUE, name) for name in ("arn", "name", "status", "desired", "running", "task_definition")},
        settings={"launchType": "FARGATE", "capacityProviderStrategy": strategy},
    )

    request = request_for(blue)

    assert request["capacityProviderStrategy"] == strategy
    assert "launchType" not in request


def test_the_proxies_log_to_the_region_blue_is_in() -> None:
    options = request_for()["serviceConnectConfiguration"]["logConfiguration"]["options"]

    assert options["awslogs-region"] == "eu-central-1"


def test_a_target_group_needs_the_container_behind_it() -> None:
    with pytest.raises(BadInput, match="web"):
        request_for(container_name=None)


def test_an_endpoint_without_timeouts_leaves_awss_own() -> None:
    endpoint = Endpoint(
        port_name="http",
        container_port=1,
        discovery_name="a",
        client_alias=ClientAlias(dns_name="a", port=1),
        app_protocol="http",
    )
    service = a_service("web").model_copy(update={"endpoints": (endpoint,)})

    request = creation_request(
        a_shop(), service, BLUE, task_definition="t", namespace="n", target_groups=[], client_token=SECOND
    )

    assert "timeout" not in request["serviceConnectConfiguration"]["services"][0]


# -- waiting -----------------------------------------------------------------------


def test_the_token_is_kept_before_the_service_is_created_so_that_no_event_is_too_early() -> None:
    cut = Cut()

    World().create(cut=cut)

    assert cut.calls.index("keep_token") < cut.calls.index("create")


def test_a_creation_under_way_leaves_its_token_for_the_event() -> None:
    world = World()

    answer = world.create(resume=FIRST)

    assert answer.complete is False
    kept = world.journal.token(WEB_GREEN)
    assert kept is not None
    assert kept.token == FIRST
    assert world.executions.answers == {}
    assert "shop" in world.journal.migrations_of(WEB_GREEN)


def test_a_service_that_is_complete_at_once_resumes_the_state_itself() -> None:
    world = World(eager=True)

    answer = world.create(resume=FIRST)

    assert answer.complete is True
    assert world.executions.answers == {FIRST: {"service": "web", "service_arn": answer.service_arn}}
    assert world.journal.token(WEB_GREEN) is None


def test_a_deployment_that_failed_meanwhile_fails_green() -> None:
    world = World()
    world.create()
    world.services.fail("shop", "web-green", "tasks failed to start")

    with pytest.raises(GreenFailed, match="tasks failed to start"):
        world.create()


# -- again and again -------------------------------------------------------------------


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(len(CALLS)), ids=[f"{at}-{name}" for at, name in enumerate(CALLS)])
def test_killed_at_any_call_and_asked_again_it_is_made_exactly_once(at: int, after: bool) -> None:  # noqa: FBT001
    world = World(eager=True)
    with pytest.raises(Killed):
        world.create(resume=FIRST, cut=Cut(at, after=after))

    answer = world.create(resume=SECOND)

    assert answer.complete is True
    assert [request["serviceName"] for request in world.created] == ["web-green"]
    assert world.services.task_definition("web-green")["taskDefinitionArn"].endswith(":1")
    assert list(world.edges.tags) == [world.green_arn("web")]
    assert list(world.namespaces.tags) == ["shop-green"]
    assert list(world.log_groups.tags) == ["/crossfade/shop"]
    assert world.executions.answers.keys() >= {SECOND}
    assert world.journal.token(WEB_GREEN) is None
    entries = [entry for entry in world.journal.entries("shop") if entry.what == "create"]
    assert entries[-1].kind == "result"
    assert entries[-1].of is not None


def test_the_calls_that_can_be_cut_are_all_of_them() -> None:
    expected = [
        "read",
        "append",
        "ensure",
        "ensure",
        "make_green_end",
        "put_edge",
        "register",
        "keep_token",
        "create",
        "append",
    ]

    remaining = iter(CALLS)
    assert all(name in remaining for name in expected)
    assert CALLS[-2:] == ["succeed_task", "drop_token"]


def test_a_later_attempt_adopts_what_an_earlier_one_made() -> None:
    world = World()
    world.create()
    world.services.complete("shop", "web-green")
    fence = world.journal.raise_fence("shop", seen=1, reason="an alarm", at=NOON).fence

    answer = world.create(fence=fence, resume=SECOND)

    assert answer.complete is True
    assert len(world.created) == 1


def test_a_green_made_of_another_task_definition_is_not_adopted() -> None:
    world = World()
    world.create()
    world.services._definitions["web"][0][0]["cpu"] = "1024"  # blue's, since the first attempt

    with pytest.raises(ServiceExists, match=r"differs|is not what the plan says: its task definition .*web-green:1"):
        world.create()


def made_by_its_owner(world: World, **changes: Any) -> str:
    """Let a team make green by the plan's own template, in another world, and bring it here untagged."""
    other = World()
    other.create()
    [asked] = other.created
    definition = {**other.services.task_definition("web-green"), "family": "web-by-hand"}
    asked = {**asked, "tags": [], "taskDefinition": world.services.register(definition, {}), **changes}
    asked["serviceConnectConfiguration"] = {
        name: value
        for name, value in asked["serviceConnectConfiguration"].items()
        if name != "accessLogConfiguration"  # CloudFormation's template does not say it
    }
    return str(world.services.create(asked).arn)


def test_a_green_that_its_owner_made_of_the_plans_template_is_taken() -> None:
    world = World()
    arn = made_by_its_owner(world)
    made = len(world.services.created)

    created = world.create()

    assert (created.service_arn, len(world.services.created)) == (arn, made)
    assert world.services.describe("shop", "web-green").migration == "shop"
    assert world.services.describe("shop", "web-green").task_definition.endswith("web-by-hand:1")


def a_port(world: World) -> dict[str, Any]:
    other = World()
    other.create()
    connect = deepcopy(other.created[0]["serviceConnectConfiguration"])
    connect["services"][0]["clientAliases"][0]["port"] = 81
    assert world
    return {"serviceConnectConfiguration": connect}


def another_log(world: World) -> dict[str, Any]:
    other = World()
    other.create()
    connect = deepcopy(other.created[0]["serviceConnectConfiguration"])
    connect["logConfiguration"]["options"]["awslogs-group"] = "/shop"
    assert world
    return {"serviceConnectConfiguration": connect}


@pytest.mark.parametrize(
    ("change", "named"),
    [(a_port, "its endpoints of Service Connect"), (another_log, "the log group of its proxies, /shop and not")],
)
def test_a_green_of_its_owner_that_is_not_what_the_plan_says_is_refused_by_name(
    change: Callable[[World], dict[str, Any]], named: str
) -> None:
    world = World()
    made_by_its_owner(world, **change(world))

    with pytest.raises(ServiceExists, match=f"carries no tag.*{named}"):
        world.create()

    assert world.services.describe("shop", "web-green").migration is None


def test_news_of_all_that_was_made_find_the_migration() -> None:
    world = World()

    world.create()

    for resource in (
        "service:shop/web-green",
        "log-group:/crossfade/shop",
        "alarm:crossfade-shop-ejections",
        "namespace:ns-shop-green",
        f"target-group:{world.green_arn('web')}",
        f"target-group:{world.journal.edge('shop', 'web').resolved.blue_arn}",
    ):
        assert world.journal.migrations_of(resource) == ("shop",), resource


def test_green_scales_as_blue_does_but_never_below_what_blue_runs() -> None:
    world = World()
    world.services.run("shop", "web", 5)

    for service in ("web", "orders"):
        world.create(service)

    assert world.scaling.copied == {"web-green": (5, True, True)}  # orders does not scale
    assert str(world.scaling.labels["web-green"]).endswith("/targetgroup/web-green")


def test_a_green_that_waits_at_zero_is_not_scaled() -> None:
    plan = a_shop(services=(a_service("web", desired_count=0), a_service("orders")))
    world = World(plan)

    world.create()

    assert world.scaling.copied == {}


# -- refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "whose"), [([], "carries no tag"), ([{"key": MIGRATION_TAG, "value": "other"}], "of migration other")]
)
def test_a_service_of_greens_name_that_is_not_ours_is_left_alone(tags: list[dict[str, str]], whose: str) -> None:
    world = World()
    run_blue(world.services, "web-green", tags=tags)
    before = len(world.services.created)

    with pytest.raises(ServiceExists, match=whose):
        world.create()

    assert len(world.services.created) == before
    assert world.journal.edge("shop", "web").resolved.green_arn is None


def test_blue_that_is_not_there_is_said_before_anything_is_made() -> None:
    world = World()
    world.services = MemoryServices("shop")

    with pytest.raises(BlueChanged, match="web"):
        world.create()

    assert world.namespaces.tags == {}
    assert world.edges.tags == {}


def test_a_service_that_the_plan_does_not_have_is_bad_input() -> None:
    with pytest.raises(BadInput, match="billing"):
        World().create("billing")


def test_a_stale_executor_makes_nothing() -> None:
    world = World()
    world.journal.raise_fence("shop", seen=1, reason="an alarm", at=NOON)

    with pytest.raises(Fenced):
        world.create(fence=1)

    assert (world.created, world.namespaces.tags, world.edges.tags) == ([], {}, {})


def test_a_rollback_that_begins_in_the_middle_shuts_it_out_before_the_edge_is_kept() -> None:
    world = World()

    class RaisesTheFence(MemoryNamespaces):
        def ensure(self, name: str, tags: Mapping[str, str]) -> str:
            world.journal.raise_fence("shop", seen=1, reason="an alarm", at=NOON)
            return super().ensure(name, tags)

    world.namespaces = RaisesTheFence(world.services)

    with pytest.raises(Fenced):
        world.create()

    assert world.created == []


def test_a_green_that_is_still_being_deleted_is_waited_for() -> None:
    world = World()
    world.create()
    world.services.drain("shop", "web-green")

    with pytest.raises(EcsBusy, match="DRAINING"):
        world.create()


# -- blue is only ever read ----------------------------------------------------------------


class BlueIsSacred(MemoryServices):
    """Fails any call that could change something and names a blue service or its family."""

    def guard(self, names: set[str]) -> None:
        self.sacred = names

    def register(self, definition: JsonObject, tags: Mapping[str, str]) -> str:
        assert definition["family"] not in getattr(self, "sacred", set())
        return super().register(definition, tags)

    def create(self, request: JsonObject) -> ServiceState:
        assert request["serviceName"] not in getattr(self, "sacred", set())
        return super().create(request)


def test_blue_is_only_ever_read() -> None:
    world = World(a_shop(edges=(an_edge_plan(), an_edge_plan("second", blue=TargetGroupRef(name="second-blue")))))
    world.services = BlueIsSacred("shop", eager=True)
    blue = [service.blue.service_name for service in world.plan.services]
    for name in blue:
        run_blue(world.services, name)
    world.services.guard(set(blue))
    before = {name: world.services.describe("shop", name) for name in blue}

    for service in world.plan.services:
        world.create(service.name)
        world.check(service.name)

    assert {name: world.services.describe("shop", name) for name in blue} == before
    assert not any(edge.blue in world.edges.tags for edge in world.edges.laid.values())


# -- Check Service ------------------------------------------------------------------------------


def test_a_look_says_how_far_green_is() -> None:
    world = World()
    world.create()
    world.services.run("shop", "web-green", 1)

    said = world.check()

    assert (said.complete, said.reason) == (False, "web-green: in progress, 1 of 2 tasks run")


def test_a_look_at_a_complete_green_takes_the_place_of_its_event() -> None:
    world = World()
    world.create()
    world.services.complete("shop", "web-green")

    said = world.check()

    assert said.complete is True
    assert world.journal.token(WEB_GREEN) is None
    assert world.journal.entries("shop")[-1].detail["seen"] == "by looking"


def test_a_look_at_a_failed_green_fails() -> None:
    world = World()
    world.create()
    world.services.fail("shop", "web-green", "tasks failed to start")

    with pytest.raises(GreenFailed, match="tasks failed to start"):
        world.check()


def test_a_look_at_a_green_that_is_gone_fails() -> None:
    with pytest.raises(GreenFailed, match="web-green"):
        World().check()


def test_a_stale_look_is_refused() -> None:
    world = World()
    world.create()
    world.journal.raise_fence("shop", seen=1, reason="an alarm", at=NOON)

    with pytest.raises(Fenced):
        world.check(fence=1)


# -- the client token -----------------------------------------------------------------------------


def token_of(world: World, **changes: Any) -> str:
    world.create(**changes)
    return str(world.created[-1]["clientToken"])


def test_a_service_that_ecs_does_not_show_yet_is_not_made_twice() -> None:
    world = World()

    class ShowsLate(MemoryServices):
        def describe(self, cluster: str, name: str) -> ServiceState | None:
            return None if name == "web-green" else super().describe(cluster, name)

    world.services = ShowsLate("shop")
    run_blue(world.services, "web")

    first, second = world.create(resume=FIRST), world.create(resume=SECOND)

    assert first.service_arn == second.service_arn
    assert [request["serviceName"] for request in world.services.created] == ["web", "web-green"]


def test_the_client_token_is_another_for_every_attempt_and_service_and_short_enough_for_ecs() -> None:
    world, later = World(), World()
    fence = later.journal.raise_fence("shop", seen=1, reason="an alarm", at=NOON).fence

    tokens = [token_of(world), token_of(world, service="orders"), token_of(later, fence=fence)]

    assert len(set(tokens)) == 3
    assert all(len(token) <= 36 and token.isascii() for token in tokens)
