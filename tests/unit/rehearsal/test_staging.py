from __future__ import annotations

from typing import Any

import pytest

from crossfade.connect.gaps import gap
from crossfade.connect.sizing import serves_alone_unasked
from crossfade.draw.options import DrawOptions
from crossfade.errors import BadInput
from crossfade.plan.document import Acceptance, Gap, MigrationPlan, NamespacePlan, Severity
from crossfade.plan.edges import CdnRef, DnsRef, EdgeKind, EdgePlan, Probe, RecordRef, RuleRef, Rung, RungKind
from crossfade.plan.services import (
    BackgroundAnswer,
    BackgroundWork,
    BlueService,
    Call,
    ClientAlias,
    Endpoint,
    GreenService,
    PortName,
    Role,
    ServicePlan,
    TargetGroupRef,
    TaskDefinitionChange,
)
from rehearsal.staging import STAND_IN, Staged, stage
from tests.meshes import NOON
from tests.traffic import a_plan

ROOM = 100


def a_service(name: str, *callees: str, tasks: int = 1, outside: str | None = None, **more: Any) -> ServicePlan:
    calls = [Call(dns_name=f"{each}.m.local", port=8080, service=each) for each in callees]
    if outside is not None:
        calls.append(Call(dns_name=outside, port=443, service=None))
    change = TaskDefinitionChange(
        family=f"{name}-sc",
        remove_containers=("envoy",),
        remove_proxy_configuration=True,
        name_ports=(PortName(container="app", container_port=8080, name="http", app_protocol="http"),),
    )
    fields: dict[str, Any] = {
        "role": Role.CLIENT_SERVER,
        "blue": BlueService(service_name=name, task_definition=name, desired_count=tasks),
        "green": GreenService(service_name=f"{name}-sc", task_definition=change, desired_count=tasks),
        "endpoints": (
            Endpoint(
                port_name="http",
                container="app",
                container_port=8080,
                discovery_name=name,
                client_alias=ClientAlias(dns_name=f"{name}.m.local", port=8080),
                app_protocol="http",
            ),
        ),
        "calls": tuple(calls),
        **more,
    }
    return ServicePlan(name=name, **fields)


def an_edge(service: str) -> EdgePlan:
    return EdgePlan(
        name=f"edge-{service}",
        kind="alb",
        service=service,
        blue=TargetGroupRef(name=f"{service}-blue"),
        green=TargetGroupRef(name=f"{service}-green"),
        rules=(RuleRef(load_balancer="lb", listener_port=80, priority="default"),),
        ladder=DrawOptions().ladder(),
    )


def a_system(*services: ServicePlan, edges: tuple[EdgePlan, ...] = (), **more: Any) -> MigrationPlan:
    waves = tuple((each.name,) for each in services)
    return a_plan(services=services, waves=waves, edges=edges, mesh="m", gaps=(), **more)


def said(staged: Staged) -> str:
    return "; ".join(staged.staging.differences)


def test_a_plan_that_fits_is_rehearsed_whole_and_nothing_is_said() -> None:
    plan = a_system(a_service("web", "api", tasks=2), a_service("api", tasks=2), edges=(an_edge("web"),), alarms=())

    staged = stage(plan, most_tasks=ROOM)

    assert staged.staging.services == ("web", "api")
    assert (staged.staging.left_out, staged.staging.differences) == ((), ())
    assert staged.plan.waves == (("api",), ("web",))
    assert staged.plan.service("web").green.target_group == TargetGroupRef(name="web-green")


def test_a_large_plan_is_cut_to_the_call_graph_of_its_widest_edge_and_says_so() -> None:
    services = (a_service("web", "api"), a_service("api"), a_service("admin"), a_service("lone"))
    plan = a_system(*services, edges=(an_edge("admin"), an_edge("web")))

    staged = stage(plan, most_tasks=3)

    assert staged.staging.edge == "edge-web"
    assert (staged.staging.services, staged.staging.left_out) == (("web", "api"), ("admin", "lone"))
    assert "cut to the call graph of web: 2 of 4 services" in said(staged)
    assert "choose another with --edge-of: edge-admin" in said(staged)


@pytest.mark.parametrize("name", ["admin", "edge-admin"])
def test_the_edge_can_be_chosen_by_its_name_or_its_services(name: str) -> None:
    plan = a_system(a_service("web"), a_service("admin"), edges=(an_edge("web"), an_edge("admin")))

    staged = stage(plan, edge_of=name, most_tasks=1)

    assert staged.staging.services == ("admin",)
    assert [each.service for each in staged.plan.edges] == ["admin"]


def test_an_edge_the_plan_does_not_have_is_refused_with_those_it_has() -> None:
    plan = a_system(a_service("web"), edges=(an_edge("web"),))

    with pytest.raises(BadInput, match="no such edge; it has edge-web, web"):
        stage(plan, edge_of="shop", most_tasks=ROOM)


def test_a_call_graph_too_large_keeps_the_services_nearest_to_the_edge_with_one_task_each() -> None:
    chain = [a_service(f"s{n}", f"s{n + 1}", tasks=3) for n in range(4)]
    plan = a_system(*chain, a_service("s4", tasks=3), edges=(an_edge("s0"),))

    staged = stage(plan, most_tasks=3)

    assert staged.staging.services == ("s0", "s1", "s2")
    assert {each.blue.desired_count for each in staged.plan.services} == {1}
    assert staged.plan.service("s2").calls == ()
    assert "cut to the 3 services nearest to s0 of the 5" in said(staged)


def test_a_call_to_a_service_left_out_is_not_made_though_one_that_stays_has_its_name() -> None:
    web, api = a_service("web", "api"), a_service("api")
    both = web.model_copy(update={"endpoints": (*web.endpoints, *api.endpoints)})
    plan = a_system(both, api, edges=(an_edge("web"),))

    staged = stage(plan, most_tasks=1)

    assert (staged.staging.services, staged.plan.service("web").calls) == (("web",), ())


def test_fewer_tasks_come_before_fewer_services() -> None:
    plan = a_system(a_service("web", "api", tasks=9), a_service("api", tasks=9), edges=(an_edge("web"),))

    staged = stage(plan, most_tasks=4)

    assert (staged.staging.left_out, staged.staging.tasks) == ((), 4)
    assert [each.green.desired_count for each in staged.plan.services] == [2, 2]


def test_one_task_is_consented_to_on_the_rehearsals_behalf_and_said() -> None:
    plan = a_system(a_service("web", "api", tasks=2), a_service("api"), edges=(an_edge("web"),), alarms=())

    staged = stage(plan, most_tasks=ROOM)

    [consent] = staged.plan.gaps
    assert (consent.id, consent.resource) == ("SINGLE_TASK", "ecsService/api")
    assert consent.accepted
    assert consent.accepted.who == "rehearsal"
    assert "one task is planned of api" in said(staged)
    assert "the stack only where the plan accepts the gap SINGLE_TASK" in said(staged)
    assert not any(serves_alone_unasked(staged.plan, each, 1) for each in staged.plan.services if each.name == "api")


def test_one_task_that_a_person_has_accepted_stays_theirs_and_nothing_is_said() -> None:
    theirs = Acceptance(who="ada", why="known", at=NOON)
    lone = gap("SINGLE_TASK", "ecsService/web").model_copy(update={"accepted": theirs})
    plan = a_system(a_service("web"), edges=(an_edge("web"),), alarms=()).model_copy(update={"gaps": (lone,)})

    staged = stage(plan, most_tasks=ROOM)

    assert (staged.plan.gaps, staged.staging.differences) == ((lone,), ())


def test_one_task_that_only_the_machine_asks_for_is_not_held_against_the_plan() -> None:
    plan = a_system(a_service("web", "api", tasks=2), a_service("api", tasks=2), edges=(an_edge("web"),), alarms=())

    staged = stage(plan, most_tasks=2)

    assert {each.resource for each in staged.plan.gaps if each.accepted} == {"ecsService/api", "ecsService/web"}
    assert "cannot eject the one task that runs here of api, web" in said(staged)
    assert "one task is planned" not in said(staged)


def test_a_plan_without_an_edge_gets_a_stand_in_before_the_service_that_reaches_most() -> None:
    plan = a_system(a_service("api"), a_service("web", "api"), a_service("lone"))

    staged = stage(plan, most_tasks=ROOM)

    assert staged.staging.stand_in_edge
    assert (staged.plan.edges[0].name, staged.plan.edges[0].service) == (STAND_IN, "web")
    assert staged.plan.service("web").green.container_port == 8080
    assert "the plan has no edge: a stand-in load balancer before web" in said(staged)


def test_a_plan_of_nothing_is_refused() -> None:
    with pytest.raises(BadInput, match="there is nothing to rehearse"):
        stage(a_system(), most_tasks=ROOM)


def test_a_service_that_was_taken_for_granted_is_played_by_a_stand_in_and_said() -> None:
    web = a_service("web")
    guessed = web.model_copy(update={"blue": web.blue.model_copy(update={"is_assumed": True})})

    staged = stage(a_system(guessed), most_tasks=ROOM)

    assert staged.plan.unready() is None
    assert "no source holds the ECS service behind web" in said(staged)


def test_an_open_blocking_gap_is_refused_with_the_answers_that_would_accept_it() -> None:
    lost = Gap(id="EGRESS_FILTER", resource="mesh/m", severity=Severity.BLOCKING, detail="d", source="s")
    plan = a_system(a_service("web"), edges=(an_edge("web"),)).model_copy(update={"gaps": (lost,)})

    with pytest.raises(BadInput, match=r"--accept FILE(.|\n)*\{id: EGRESS_FILTER, resource: mesh/m, who: NAME"):
        stage(plan, most_tasks=ROOM)

    accepted = lost.model_copy(update={"accepted": Acceptance(who="me", why="known", at=NOON)})
    assert stage(plan.model_copy(update={"gaps": (accepted,)}), most_tasks=ROOM).staging.edge == "edge-web"


def test_work_that_nobody_has_answered_is_refused_and_work_at_zero_stays_there() -> None:
    work = BackgroundWork(why="a queue")
    asked = a_system(a_service("web", background=work), edges=(an_edge("web"),))
    waiting = work.model_copy(update={"answer": BackgroundAnswer.CREATE_AT_ZERO})
    told = a_system(a_service("web"), a_service("worker", background=waiting), edges=(an_edge("web"),))

    with pytest.raises(BadInput, match="--background web=share"):
        stage(asked, most_tasks=ROOM)
    assert stage(told, most_tasks=ROOM).plan.service("worker").green.desired_count == 0


def test_what_the_stand_ins_do_not_do_is_said() -> None:
    plan = a_system(
        a_service("web", outside="pay.example.com"),
        a_service("idle", tasks=0),
        edges=(an_edge("web"),),
        alarms=("pager",),
        namespace=NamespacePlan(name="ns", arn="arn:aws:servicediscovery:eu-west-1:123456789012:namespace/ns-1"),
    )

    staged = stage(plan, most_tasks=ROOM)

    for word in ("pay.example.com:443", "no task of idle", "pager", "shared namespace"):
        assert word in said(staged)
    assert staged.plan.service("web").calls == ()
    assert (staged.plan.alarms, staged.plan.namespace.arn) == ((), None)


def with_ends(edge: EdgePlan, kind: EdgeKind, **ends: Any) -> EdgePlan:
    rules = edge.rules if kind in {"alb", "nlb"} else ()
    ladder = (Rung(share_bp=1_500, soak_seconds=60), Rung(share_bp=10_000, soak_seconds=60, kind=RungKind.WATCH))
    changed = {"kind": kind, "rules": rules, "ladder": ladder, **ends}
    return EdgePlan.model_validate({**edge.model_dump(exclude_computed_fields=True), **changed})


A_NAME = DnsRef(
    zone_id="Z1",
    records=(
        RecordRef(name="shop.example", type="A", green_values=("192.0.2.1",)),
        RecordRef(name="shop.example", type="AAAA", set_identifier="theirs"),
    ),
    green_load_balancer="green-lb",
)
A_DISTRIBUTION = CdnRef(
    distribution_id="E1", origin_id="app", green_domain="green.shop.example", green_load_balancer="green-lb"
)


@pytest.mark.parametrize(
    ("kind", "ends"), [("alb", {}), ("nlb", {}), ("route53", {"dns": A_NAME}), ("cloudfront", {"cdn": A_DISTRIBUTION})]
)
def test_an_edge_stays_of_the_plans_kind_without_what_only_the_plans_account_has(
    kind: EdgeKind, ends: dict[str, Any]
) -> None:
    planned = with_ends(an_edge("web"), kind, **ends, blue=TargetGroupRef(name="web", arn="arn:theirs"))

    staged = stage(a_system(a_service("web"), edges=(planned,)), most_tasks=ROOM)

    [edge] = staged.plan.edges
    assert (edge.kind, edge.blue, edge.rules) == (kind, TargetGroupRef(name="web"), planned.rules)
    assert edge.cdn == planned.cdn
    assert ("made anew" in said(staged)) == bool(ends)
    if edge.dns is not None:
        assert [(each.name, each.set_identifier, each.green_values) for each in edge.dns.records] == [
            ("shop.example", None, ()),
            ("shop.example", None, ()),
        ]
        assert "an alias to a load balancer" in said(staged)


def test_a_name_that_has_no_address_the_users_ask_for_is_refused_by_name() -> None:
    only = A_NAME.model_copy(update={"records": A_NAME.records[1:]})
    plan = a_system(a_service("web"), edges=(with_ends(an_edge("web"), "route53", dns=only),))

    with pytest.raises(BadInput, match=r"the edge edge-web divides shop\.example AAAA alone"):
        stage(plan, most_tasks=ROOM)


@pytest.mark.parametrize(("kind", "goes"), [("alb", "are not sent"), ("route53", "go to this machine")])
def test_nothing_is_asked_at_an_address_outside(kind: EdgeKind, goes: str) -> None:
    probe = Probe(url="https://green.shop.example/")
    edge = with_ends(an_edge("web"), kind, dns=A_NAME if kind == "route53" else None, probe=probe)

    staged = stage(a_system(a_service("web"), edges=(edge,)), most_tasks=ROOM)

    assert f"requests of our own to https://green.shop.example/ {goes}" in said(staged)
