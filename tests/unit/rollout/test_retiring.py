"""Blue is retired only when nobody needs it, and beyond the point of no return only forward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest

from crossfade.connect.blue import FreezeRequest, freeze
from crossfade.connect.greenscaling import Twin
from crossfade.connect.memory import MemoryBlues, MemoryGreenScaling, MemoryScaling, MemoryServices
from crossfade.errors import BlueIsGone, BlueStillServes, EcsBusy, Fenced
from crossfade.events.memory import MemoryNotices
from crossfade.executions.executions import ExecutionStatus
from crossfade.executions.memory import MemoryExecutions
from crossfade.journal.blue import ScalingFound
from crossfade.journal.edges import Detour, EdgeRecord, NlbEdge
from crossfade.journal.memory import MemoryJournal
from crossfade.judge.feeds import InsideRead
from crossfade.judge.inside import Series, Source, entry_sources
from crossfade.judge.memory import MemoryMetrics
from crossfade.judge.signal import Metric
from crossfade.phases import Phase
from crossfade.plan.document import MigrationPlan
from crossfade.plan.memory import MemoryPlanStore
from crossfade.plan.services import Call, ClientAlias, Endpoint
from crossfade.resources import OPEN
from crossfade.rollout.retiring import Retired, RetireRequest, retire
from crossfade.rollout.telling import tell_moves
from crossfade.shift.memory import MemoryEdges
from crossfade.shift.share import ALL, Share
from tests.traffic import MIGRATE, NOON, a_plan, a_record, an_edge_plan

SCALES = ScalingFound(resource_id="service/shop/web", dimension="ecs:service:DesiredCount")
LATER = NOON + timedelta(days=2)
LATELY = LATER - timedelta(minutes=10)
NETWORK = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/net/front/1"
SETTLES = 90_000


class Yard:
    """Green has held everything for two days, and blue has had nothing to do."""

    def __init__(self, plan: MigrationPlan | None = None) -> None:
        self.plan = plan = plan or a_plan()
        self.services = MemoryServices(plan.cluster, eager=True)
        self.plans, self.journal, self.edges = MemoryPlanStore(), MemoryJournal(), MemoryEdges.of(*plan.edges)
        self.metrics, self.notices = MemoryMetrics(), MemoryNotices()
        self.scaling, self.blues = (
            MemoryScaling(SCALES),
            MemoryBlues(*(service.blue.service_name for service in plan.services)),
        )
        self.green_scaling = MemoryGreenScaling("web")
        self.green_scaling.copy(Twin("shop", "web", "web-green"), least=2, tags={"crossfade:migration": "shop"})
        self.executions = MemoryExecutions(others={MIGRATE: ExecutionStatus.SUCCEEDED})
        found = self.edges.find(plan.edges[0]).owned_by("shop")
        if plan.edges[0].kind == "nlb":  # what a balancer of flows has in common with one of requests
            ends = found.resolved.model_dump(include={"load_balancer_arn", "blue_arn", "green_arn", "rules"})
            resolved = NlbEdge(**{**ends, "load_balancer_arn": NETWORK})
            found = found.model_copy(update={"kind": "nlb", "resolved": resolved, "settle_seconds": SETTLES})
        ref = self.plans.put("plans", "shop.json", plan)
        self.journal.open(a_record(phase=Phase.BAKING, plan=ref), [found])
        self.edge = self.edges.make_green_end(found, "web-green", {})
        self.blue, self.green = self.edge.resolved.blue_arn, str(self.edge.resolved.green_arn)
        self.edges.healthy |= {self.blue: 2, self.green: 2}
        self.edges.shifter(self.edge).set_green(ALL)
        self.journal.put_edge(self.edge, fence=1)
        self.journal.index(OPEN, "shop")
        freeze(
            FreezeRequest(migration="shop", fence=1),
            journal=self.journal,
            plans=self.plans,
            scaling=self.scaling,
            blues=self.blues,
            now=NOON,
        )
        self.journal.enter("shop", Phase.WATCHING, fence=1, at=NOON)
        self.metrics.record(self.green, LATER - timedelta(minutes=10), requests=100)
        tell_moves("shop", journal=self.journal, notices=MemoryNotices(), now=NOON)

    def retire(self, *, fence: int = 1, after: timedelta = LATER - NOON) -> Retired:
        return retire(
            RetireRequest(migration="shop", fence=fence, who="ann", drift="clean"),
            journal=self.journal,
            plans=self.plans,
            edges=self.edges,
            metrics=self.metrics,
            services=self.services,
            scaling=self.scaling,
            green_scaling=self.green_scaling,
            blues=self.blues,
            executions=self.executions,
            notices=self.notices,
            now=NOON + after,
        )


def test_a_blue_that_nobody_needs_is_taken_to_zero_and_nothing_brings_it_back() -> None:
    yard = Yard()

    answer = yard.retire()

    assert answer == Retired(services=("web",))
    assert yard.blues.desired == {"web": 0}
    assert yard.green_scaling.copied == {"web-green": (1, False, False)}
    assert set(yard.blues.protected["web"].values()) == {0}
    [target] = yard.scaling.found("shop", "web")
    assert (target.scaling_in, target.scaling_out, target.scheduled) == (True, True, True)
    assert yard.journal.read("shop").phase is Phase.DONE
    assert yard.journal.migrations_of(OPEN) == ("shop",)  # until `watch` has closed it
    assert [(notice.what, notice.reason.partition("; ")[2]) for notice in yard.notices.told] == [
        ("retiring", "there is no way back any more; ordered by ann"),
        ("retired", "its services exist still; ordered by ann: web"),
    ]


def _served(yard: Yard) -> None:
    yard.metrics.record(yard.blue, LATER - timedelta(minutes=30), requests=1)


def _silent(yard: Yard) -> None:
    yard.metrics = MemoryMetrics()


def _runs(yard: Yard) -> None:
    yard.executions.others[MIGRATE] = ExecutionStatus.RUNNING


def _shared(yard: Yard) -> None:
    yard.edges.shifter(yard.edge).set_green(Share(9_500))


NEEDED: dict[str, tuple[Callable[[Yard], None], str]] = {
    "it served a request": (_served, "blue served 1 requests"),
    "no metric says that it did not": (_silent, "nothing says that blue has none"),
    "migrate still watches": (_runs, "its watch is not over"),
    "it has a share": (_shared, "green does not hold everything"),
}


@pytest.mark.parametrize("case", NEEDED)
def test_a_blue_that_is_needed_is_left_untouched(case: str) -> None:
    yard = Yard()
    make, said = NEEDED[case]
    make(yard)

    with pytest.raises(BlueStillServes, match=said):
        yard.retire()

    assert yard.blues.desired == {"web": 2}
    assert yard.journal.read("shop").phase is Phase.WATCHING


def behind_flows(*calls: str) -> MigrationPlan:
    """Return a plan whose edge divides flows; web calls these services by HTTP."""
    [web] = a_plan().services
    endpoint = Endpoint(
        port_name="http",
        container_port=8080,
        discovery_name="orders",
        client_alias=ClientAlias(dns_name="orders", port=80),
        app_protocol="http",
    )
    orders = web.model_copy(
        update={
            "name": "orders",
            "blue": web.blue.model_copy(update={"service_name": "orders"}),
            "green": web.green.model_copy(update={"service_name": "orders-green"}),
            "endpoints": (endpoint,),
        }
    )
    caller = web.model_copy(update={"calls": tuple(Call(dns_name=name, port=80, service=name) for name in calls)})
    plan = a_plan(edges=(an_edge_plan(kind="nlb"),), waves=(("orders",), ("web",)))
    return plan.model_copy(update={"services": (caller, orders)})


def greens_proxies(yard: Yard, at: datetime = LATELY) -> None:
    [source] = entry_sources(yard.plan, "web")
    yard.metrics.count(source.requests[0], at, 100)


def test_behind_an_edge_of_flows_greens_proxies_say_that_users_are_there() -> None:
    yard = Yard(behind_flows("orders"))
    greens_proxies(yard)

    assert yard.retire() == Retired(services=("web", "orders"))


@pytest.mark.parametrize("before", [None, timedelta(hours=3)], ids=["never", "three hours ago"])
def test_behind_an_edge_of_flows_a_green_whose_proxies_count_nothing_proves_nothing(before: timedelta | None) -> None:
    yard = Yard(behind_flows("orders"))
    if before is not None:
        greens_proxies(yard, LATER - before)

    with pytest.raises(BlueStillServes, match="green's proxies counted nothing behind edge web in the last 3600 s"):
        yard.retire()

    assert yard.blues.desired == {"web": 2, "orders": 2}


def test_where_no_proxy_counts_the_bytes_through_a_network_load_balancer_say_that_users_are_there() -> None:
    yard = Yard(behind_flows())
    with pytest.raises(BlueStillServes, match="counted nothing behind edge web"):
        yard.retire()
    through = Series(Metric("AWS/NetworkELB", "ProcessedBytes", ("LoadBalancer",)), ("net/front/1",))
    yard.metrics.count(through, LATELY, 1_048_576)

    assert yard.retire() == Retired(services=("web", "orders"))


def test_flows_that_blue_was_given_are_over_before_it_is_retired() -> None:
    yard = Yard(behind_flows("orders"))
    greens_proxies(yard, NOON + timedelta(seconds=SETTLES))

    with pytest.raises(BlueStillServes, match="may last 90000 s: blue is quiet 93600 s after green has everything"):
        yard.retire(after=timedelta(seconds=SETTLES + 600))


def with_service_connect(yard: Yard, name: str) -> None:
    definition = yard.services.register({"family": "web", "containerDefinitions": [{"name": "web"}]}, {})
    connect = {"enabled": True, "namespace": "old", "services": [{"portName": "http", "discoveryName": name}]}
    yard.services.create(
        {
            "cluster": "shop",
            "serviceName": "web",
            "taskDefinition": definition,
            "desiredCount": 2,
            "serviceConnectConfiguration": connect,
        }
    )


@pytest.mark.parametrize("metric", ["RequestCount", "NewConnectionCount"])
def test_a_blue_whose_own_proxies_are_called_still_serves(metric: str) -> None:
    yard = Yard()
    with_service_connect(yard, "carts")
    of_blue = Metric("AWS/ECS", metric, ("DiscoveryName", "ServiceName", "ClusterName"))
    yard.metrics.count(Series(of_blue, ("carts", "web", "shop")), LATELY, 3)

    with pytest.raises(BlueStillServes, match=r"blue service web \(carts\) was called 3 times in the last 3600 s"):
        yard.retire()


def test_a_blue_whose_own_proxies_nobody_calls_is_retired() -> None:
    yard = Yard()
    with_service_connect(yard, "carts")
    of_green = Metric("AWS/ECS", "RequestCount", ("DiscoveryName", "ServiceName", "ClusterName"))
    yard.metrics.count(Series(of_green, ("carts", "web-green", "shop")), LATELY, 3)

    assert yard.retire() == Retired(services=("web",))


def test_metrics_that_may_not_be_whole_say_nothing_of_blues_proxies() -> None:
    yard = Yard()
    with_service_connect(yard, "carts")
    whole = yard.metrics.inside

    def in_part(asked: Sequence[Source], *, start: datetime, periods: int, period_seconds: int) -> InsideRead:
        read = whole(asked, start=start, periods=periods, period_seconds=period_seconds)
        return InsideRead(read.rows, ("CloudWatch says PartialData of RequestCount",))

    yard.metrics.inside = in_part  # type: ignore[method-assign]

    with pytest.raises(BlueStillServes, match="blue's proxies: CloudWatch says PartialData"):
        yard.retire()


def test_a_blue_is_parked_for_as_long_as_the_plan_says() -> None:
    yard = Yard()

    with pytest.raises(BlueStillServes, match="has been parked for 3600 s"):
        yard.retire(after=timedelta(hours=1))


def test_guards_are_shut_out_before_the_first_task_is_taken() -> None:
    yard = Yard()
    seen: list[Phase] = []
    scale = yard.blues.scale

    def note(cluster: str, service: str, desired: int) -> None:
        seen.append(yard.journal.read("shop").phase)
        with pytest.raises(BlueIsGone):
            yard.journal.raise_fence("shop", seen=1, reason="an alarm", at=LATER)
        scale(cluster, service, desired)

    yard.blues.scale = note  # type: ignore[method-assign]

    yard.retire()

    assert seen == [Phase.RETIRING]


def test_a_retirement_that_was_cut_short_goes_on_without_asking_again() -> None:
    yard = Yard()
    scale = yard.blues.scale

    def busy(_cluster: str, _service: str, _desired: int) -> None:
        raise EcsBusy("throttled")

    yard.blues.scale = busy  # type: ignore[method-assign, assignment]
    with pytest.raises(EcsBusy):
        yard.retire()
    _served(yard)
    yard.blues.scale = scale  # type: ignore[method-assign]

    yard.retire()
    yard.retire()

    assert yard.blues.desired == {"web": 0}
    assert yard.journal.read("shop").phase is Phase.DONE


def test_who_was_overtaken_by_a_rollback_retires_nothing() -> None:
    yard = Yard()
    yard.journal.raise_fence("shop", seen=1, reason="an alarm", at=LATER)

    with pytest.raises(Fenced):
        yard.retire()

    assert yard.blues.desired == {"web": 2}


def test_a_detour_ends_with_the_blue_that_it_led_to_and_not_before() -> None:
    yard = Yard()
    detour = Detour(name="web-detour", copied=True, arn="targetgroup/web-detour")
    resolved = yard.edge.resolved.model_copy(update={"detour": detour})
    yard.journal.put_edge(yard.edge.model_copy(update={"resolved": resolved}), fence=1)
    ended: list[str] = []

    class Ending(MemoryEdges):
        def end_detour(self, edge: EdgeRecord) -> EdgeRecord:
            ended.append(edge.name)
            return edge.model_copy(update={"resolved": edge.resolved.model_copy(update={"detour": None})})

    yard.edges.__class__ = Ending
    with pytest.raises(BlueStillServes):
        yard.retire(after=timedelta(minutes=1))
    assert ended == []
    yard.retire()

    assert ended == ["web"]
    assert yard.journal.edge("shop", "web").resolved.detour is None
