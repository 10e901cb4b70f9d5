"""Behind an edge of flows nobody counts requests: green is judged alone, by what its first service is answered."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crossfade.journal.edges import EdgeRecord, NlbEdge, Route53Edge, Route53Record
from crossfade.journal.memory import MemoryJournal
from crossfade.judge.action import Judged, JudgeRequest, judge_again, judge_green
from crossfade.judge.inside import Series, Source, entry_sources, target_source
from crossfade.judge.memory import MemoryAlarms, MemoryLookMeter, MemoryMetrics, MemoryProxyLogs
from crossfade.judge.reading import AlarmState, added_up
from crossfade.judge.sight import Sight
from crossfade.judge.verdict import Answer
from crossfade.plan.document import Bounds, MigrationPlan
from crossfade.plan.edges import RungKind
from crossfade.plan.memory import MemoryPlanStore
from crossfade.plan.services import Call, ClientAlias, Endpoint
from crossfade.shift.action import RungRef
from tests.traffic import NOON, a_plan, a_record, an_edge, an_edge_plan, green_services

SETTLED = NOON.replace(microsecond=0)
PERIODS = 5
BALANCER = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/net/flows/50dc6c495c0c9188"


def an_endpoint(name: str, protocol: str | None = "http") -> Endpoint:
    return Endpoint.model_validate(
        {
            "port_name": name,
            "container_port": 8080,
            "discovery_name": f"{name}-sc",
            "client_alias": ClientAlias(dns_name=name, port=80),
            "app_protocol": protocol,
        }
    )


def flows(*, calls: tuple[str, ...] = ("orders",), serves: tuple[str, ...] = ()) -> MigrationPlan:
    """Return a plan whose edge `web` divides flows; web calls services by HTTP, and serves names by TCP."""
    [web] = a_plan().services
    orders = web.model_copy(
        update={
            "name": "orders",
            "green": web.green.model_copy(update={"service_name": "orders-green"}),
            "endpoints": (an_endpoint("orders"),),
        }
    )
    caller = web.model_copy(
        update={
            "calls": tuple(Call(dns_name=name, port=80, service=name) for name in calls),
            "endpoints": tuple(an_endpoint(name, None) for name in serves),
        }
    )
    plan = a_plan(bounds=Bounds(minimum_requests=200, lost_data_seconds=120), edges=(an_edge_plan(kind="nlb"),))
    return plan.model_copy(update={"services": (caller, orders)})


class World:
    """A migration in mid-climb whose edge counts flows, of both its target groups together."""

    def __init__(self, plan: MigrationPlan) -> None:
        self.plan = plan
        self.plans = MemoryPlanStore()
        self.journal = MemoryJournal()
        self.metrics = MemoryMetrics()
        self.logs = MemoryProxyLogs("/crossfade/shop")
        self.services = green_services("web-green", "orders-green")
        found = an_edge().resolved
        resolved = NlbEdge(load_balancer_arn=BALANCER, blue_arn="blue", green_arn="green", rules=found.rules)
        edge = EdgeRecord(migration="shop", name="web", kind="nlb", resolved=resolved, way_back=())
        ref = self.plans.put("plans", "shop.json", plan)
        self.journal.open(a_record(plan=ref, opened_at=NOON - timedelta(hours=1)), [edge])

    def count(self, source: Source, *, answered: int, failed: int = 0) -> None:
        """Count so much in every period of the rung."""
        for period in range(PERIODS):
            at = SETTLED + timedelta(seconds=60 * period + 5)
            self.metrics.count(source.requests[0], at, answered)
            if failed:
                self.metrics.count(source.errors, at, failed)

    def look(self, share_bp: int = 2_500, *, after: int = 0) -> Judged:
        request = JudgeRequest(
            migration="shop",
            fence=1,
            edge="web",
            rung=RungRef(index=0, share_bp=share_bp, kind=RungKind.CLIMB, soak_seconds=300),
            since=SETTLED,
            look=0,
        )
        sight = Sight(
            metrics=self.metrics,
            proxy_logs=self.logs,
            alarms=MemoryAlarms({"shop-errors": AlarmState.OK}),
            services=self.services,
        )
        now = SETTLED + timedelta(seconds=60 * PERIODS + 60 + after)
        return judge_green(
            request, journal=self.journal, plans=self.plans, sight=sight, meter=MemoryLookMeter(), now=now
        )


def test_green_is_counted_by_the_answers_to_the_calls_of_the_service_behind_the_edge() -> None:
    [source] = entry_sources(flows(), "web")

    assert source.subject == "web-green to orders-sc"
    assert dict(zip(source.errors.metric.dimensions, source.errors.values, strict=True)) == {
        "TargetDiscoveryName": "orders-sc",
        "ServiceName": "web-green",
        "ClusterName": "shop",
    }
    assert [series.metric.name[-9:-6] for series in source.requests] == ["2XX", "3XX", "4XX", "5XX"]


def test_a_service_that_calls_nobody_is_counted_by_its_connections() -> None:
    sources = entry_sources(flows(calls=(), serves=("web", "admin")), "web")

    assert [source.requests[0].metric.name for source in sources] == ["NewConnectionCount"] * 2
    assert {source.errors.values for source in sources} == {
        ("web-sc", "web-green", "shop"),
        ("admin-sc", "web-green", "shop"),
    }


def test_a_green_that_answers_well_climbs_without_a_blue_to_compare_with() -> None:
    world = World(flows())
    world.count(entry_sources(world.plan, "web")[0], answered=300)

    said = world.look()

    assert said.answer is Answer.ADVANCE
    assert "green failed 0 of 1500 requests" in said.reason


def test_a_green_that_fails_more_than_the_slo_goes_back() -> None:
    world = World(flows())
    world.count(entry_sources(world.plan, "web")[0], answered=270, failed=30)

    said = world.look()

    assert said.answer is Answer.ROLL_BACK
    assert "worse than the SLO of 2 %" in said.reason or "final_5xx" in said.reason


def test_connections_are_evidence_of_traffic() -> None:
    world = World(flows(calls=(), serves=("web", "admin")))
    for source in entry_sources(world.plan, "web"):
        world.count(source, answered=150)

    said = world.look()

    assert said.answer is Answer.ADVANCE
    assert "0 of 1500" in said.reason


def test_without_any_traffic_it_holds_however_long_that_lasts() -> None:
    said = World(flows()).look()

    assert said.answer is Answer.HOLD
    assert "nothing to judge while traffic is absent" in said.reason


@pytest.mark.parametrize("answered", [1, 39])
def test_little_traffic_is_no_proof(answered: int) -> None:
    world = World(flows())
    world.count(entry_sources(world.plan, "web")[0], answered=answered)

    assert world.look().answer is Answer.HOLD


def test_where_nothing_behind_the_edge_is_counted_it_holds_and_says_so() -> None:
    said = World(flows(calls=())).look()

    assert said.answer is Answer.HOLD
    assert "nothing behind edge web counts requests or connections" in said.reason


@pytest.mark.parametrize("trouble", ["busy", "faults"])
def test_metrics_that_cannot_be_read_hold(trouble: str) -> None:
    world = World(flows())
    world.count(entry_sources(world.plan, "web")[0], answered=300)
    setattr(world.metrics, trouble, "throttled" if trouble == "busy" else ("CloudWatch says PartialData",))

    assert world.look().answer is Answer.HOLD


def test_every_look_is_judged_again_to_the_digit() -> None:
    world = World(flows())
    world.count(entry_sources(world.plan, "web")[0], answered=270, failed=30)
    world.look()

    [entry] = [entry for entry in world.journal.entries("shop") if entry.kind == "evidence"]
    kept, again = judge_again(entry)

    assert kept == again


def test_counts_of_several_sources_are_added_up_and_none_is_none() -> None:
    assert added_up([(3, 1), None, (4, 0)]) == (7, 1)
    assert added_up([None, None]) is None
    assert added_up([]) is None


def test_a_series_names_the_service_that_is_green_and_never_blue() -> None:
    values = {value for source in entry_sources(flows(serves=("web",)), "web") for value in _values(source.errors)}

    assert "web" not in values


def _values(series: Series) -> tuple[str, ...]:
    return series.values


def checked(world: World, *, healthy: int, unhealthy: int) -> None:
    """Count green's targets in every period of the rung, as the load balancer's health checks see them."""
    edge = world.journal.edge("shop", "web").resolved
    assert isinstance(edge, NlbEdge)
    source = target_source(edge)
    assert source is not None
    for period in range(PERIODS):
        at = SETTLED + timedelta(seconds=60 * period + 5)
        world.metrics.count(source.requests[0], at, healthy)
        world.metrics.count(source.errors, at, unhealthy)


def test_targets_are_counted_by_target_group_as_the_load_balancer_publishes_them() -> None:
    green = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web-sc/73e2d6bc24d8a067"
    source = target_source(NlbEdge(load_balancer_arn=BALANCER, blue_arn="blue", green_arn=green, rules=()))

    assert source is not None
    assert (source.subject, source.errors.metric.name) == ("web-sc", "UnHealthyHostCount")
    assert [each.metric.name for each in source.requests] == ["HealthyHostCount", "UnHealthyHostCount"]
    assert dict(zip(source.errors.metric.dimensions, source.errors.values, strict=True)) == {
        "TargetGroup": "targetgroup/web-sc/73e2d6bc24d8a067",
        "LoadBalancer": "net/flows/50dc6c495c0c9188",
    }
    assert target_source(NlbEdge(load_balancer_arn=BALANCER, blue_arn="blue", rules=())) is None


def test_a_target_that_fails_its_checks_holds_and_goes_back_when_it_lasts() -> None:
    world = World(flows())
    [source] = entry_sources(world.plan, "web")
    world.count(source, answered=400)
    checked(world, healthy=1, unhealthy=1)

    first = world.look()
    later = world.look(after=world.plan.bounds.below_desired_seconds + 1)

    assert (first.answer, later.answer) == (Answer.HOLD, Answer.ROLL_BACK)
    assert "1 of the 2 targets in green pass the load balancer's health checks" in later.reason


def test_targets_that_pass_their_checks_are_in_nobodys_way() -> None:
    world = World(flows())
    [source] = entry_sources(world.plan, "web")
    world.count(source, answered=400)
    checked(world, healthy=2, unhealthy=0)

    assert world.look().answer == Answer.ADVANCE


def test_healthy_targets_are_no_evidence_of_traffic() -> None:
    world = World(flows())
    checked(world, healthy=2, unhealthy=0)

    assert world.look().answer == Answer.HOLD


def test_records_before_two_load_balancers_of_flows_are_judged_as_flows_are() -> None:
    front = BALANCER.replace("/net/", "/app/")
    record = Route53Record(zone_id="Z1", name="shop.example.", type="A", found={}, blue_identifier="blue", green={})

    def before(blue: str, green: str) -> Route53Edge:
        return Route53Edge(
            zone_id="Z1",
            load_balancer_arn=blue,
            green_load_balancer_arn=green,
            blue_arn="blue",
            green_arn="green",
            rules=(record,),
        )

    assert before(front, front).counts_requests
    assert target_source(before(front, front)) is None
    flowing = before(BALANCER, BALANCER.replace("flows", "flows-sc"))
    assert not flowing.counts_requests
    source = target_source(flowing)
    assert source is not None
    assert source.errors.values[1] == "net/flows-sc/50dc6c495c0c9188"
    assert not before(front, BALANCER).counts_requests
