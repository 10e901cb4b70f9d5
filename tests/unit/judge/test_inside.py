"""What is counted inside green speaks against it alone, and one row of the table is all that a signal needs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from math import exp, fsum, isclose
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.judge import eprocess
from crossfade.judge.inside import Source, insides, log_e, occurrences, sources
from crossfade.judge.judge import judge
from crossfade.judge.judgement import Judgement
from crossfade.judge.reading import Count, Ejection, Inside, Readings, Row, Wanting, Window, wanting
from crossfade.judge.signal import SIGNALS, Metric, Place, Signal, Worse
from crossfade.judge.verdict import Answer, Verdict
from crossfade.plan.document import Bounds, MigrationPlan
from crossfade.plan.edges import Rung, RungKind
from crossfade.plan.services import Call, ClientAlias, Endpoint
from tests.traffic import a_plan

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BOUNDS = Bounds(slow_ratio=None)
CLIMB = Rung(share_bp=2_500, soak_seconds=300)
WATCH = Rung(share_bp=10_000, soak_seconds=300, kind=RungKind.WATCH)
WELL = ((900, 1, 300, 0),) * 10
ALONE = ((None, None, 1_200, 1),) * 10
OUTAGE = ((900, 180, 300, 60),) * 10


def an_endpoint(name: str, protocol: str | None = "http") -> Endpoint:
    return Endpoint.model_validate(
        {
            "port_name": "http",
            "container_port": 8080,
            "discovery_name": f"{name}-sc",
            "client_alias": ClientAlias(dns_name=name, port=80),
            "app_protocol": protocol,
        }
    )


def shop(*endpoints: Endpoint, cluster: str = "shop") -> MigrationPlan:
    """Return a plan in which web calls everything that orders serves."""
    [web] = a_plan().services
    green = web.green.model_copy(update={"service_name": "orders-green"})
    orders = web.model_copy(update={"name": "orders", "green": green, "endpoints": endpoints})
    calls = tuple(Call(dns_name=each.dns_name, port=80, service="orders") for each in endpoints)
    services = (web.model_copy(update={"calls": calls}), orders)
    return a_plan(cluster=cluster).model_copy(update={"services": services})


def an_inside(*rows: Row, allowed: float = 0.02, among: int = 1) -> Inside:
    return Inside(signal="final_5xx", subject="web-green to orders-sc", among=among, allowed=allowed, rows=rows)


def judged(window: Sequence[Any], *, rung: Rung = CLIMB, **changes: Any) -> Judgement:
    readings = Readings(window=Window(start=NOON, period_seconds=60, rows=tuple(window)), **changes)
    return judge(readings, rung, BOUNDS, tests=4)


# -- where it is counted -----------------------------------------------------------


def by_name(plan: MigrationPlan) -> dict[str, list[Source]]:
    found: dict[str, list[Source]] = {}
    for source in sources(plan):
        found.setdefault(source.signal.name, []).append(source)
    return found


def test_final_answers_are_those_of_the_caller_by_its_own_name() -> None:
    [source] = by_name(shop(an_endpoint("orders"), cluster="arn:aws:ecs:eu-west-1:1:cluster/shop"))["final_5xx"]

    assert source.errors.values == ("orders-sc", "web-green", "shop")
    assert [series.metric.name[-9:-6] for series in source.requests] == ["2XX", "3XX", "4XX", "5XX"]


def test_attempts_are_held_against_what_every_endpoint_of_green_was_asked() -> None:
    [source] = by_name(shop(an_endpoint("orders"), an_endpoint("stock"), an_endpoint("wire", None)))["attempt_5xx"]

    assert source.errors.values == ("shop",)
    assert [series.values for series in source.requests] == [
        ("orders-sc", "orders-green", "shop"),
        ("stock-sc", "orders-green", "shop"),
    ]


def test_what_no_endpoint_speaks_is_not_asked_for() -> None:
    assert set(by_name(shop(an_endpoint("wire", None)))) == {"enforced_ejection", "suppressed_ejection"}
    assert {"grpc_status"} <= set(by_name(shop(an_endpoint("orders", "grpc"))))
    assert "connect_tls" not in by_name(shop(an_endpoint("orders")))


def test_of_many_places_the_worst_is_judged_and_pays_for_having_been_chosen() -> None:
    asked = by_name(shop(an_endpoint("orders"), an_endpoint("stock")))["final_5xx"]

    [found] = insides(asked, [[(300, 1)], [(300, 40)]], BOUNDS)

    assert (found.subject, found.among) == ("web-green to stock-sc", 2)


def test_how_many_signals_share_alpha_follows_from_the_plan_alone() -> None:
    asked = sources(shop(an_endpoint("orders")))

    counted = [len(insides(asked, [[row] for _ in asked], BOUNDS)) for row in (None, (300, 3))]

    assert counted == [2, 2]


def test_a_new_signal_is_one_row_of_the_table() -> None:
    dimensions = ("TargetDiscoveryName", "ServiceName", "ClusterName")
    new = Signal(
        name="torn_answers",
        unit="answers torn per answer",
        worse=Worse.HIGHER,
        source="AWS/ECS",
        lag="none",
        blind_to="much",
        errors=Metric("AWS/ECS", "Torn", dimensions),
        requests=Metric("AWS/ECS", "HTTPCode_Target_2XX_Count", dimensions),
        place=Place.CALL,
        protocols=frozenset({"http"}),
    )
    asked = sources(shop(an_endpoint("orders")), (*SIGNALS, new))
    torn = [[(300, 90)] * 10 if source.signal is new else [None] * 10 for source in asked]

    answer = judged(WELL, inside=insides(asked, torn, BOUNDS))

    assert answer.answer is Answer.ROLL_BACK
    assert "torn_answers of web-green to orders-sc" in answer.reason


# -- what it says ----------------------------------------------------------------------


def test_inside_green_a_ratio_above_the_bound_rolls_back_though_the_edge_shows_nothing() -> None:
    answer = judged(WELL, inside=(an_inside(*[(300, 30)] * 10),))

    assert (answer.answer, answer.verdict) == (Answer.ROLL_BACK, Verdict.UNHEALTHY)
    assert answer.reason.startswith("final_5xx of web-green to orders-sc is above 2 %: 300 of 3000 (log E")


def test_at_100_percent_too() -> None:
    assert judged(ALONE, rung=WATCH, inside=(an_inside(*[(300, 30)] * 10),)).answer is Answer.ROLL_BACK


def test_noise_inside_green_is_no_reason_to_wait() -> None:
    assert judged(WELL, inside=(an_inside(*[(300, 4)] * 10),)).answer is Answer.ADVANCE


def test_that_nobody_counted_inside_green_is_no_reason_to_wait() -> None:
    assert judged(WELL, inside=(an_inside(*[None] * 10),)).answer is Answer.ADVANCE


def test_an_outage_that_blue_shares_says_nothing_inside_green_either() -> None:
    occurred = {"suppressed_ejection": ((2, 4),), "enforced_ejection": ((9, 1),)}

    answer = judged(OUTAGE, inside=(an_inside(*[(300, 60)] * 10),), occurred=occurred)

    assert answer.answer is Answer.HOLD


@given(st.lists(st.tuples(st.integers(1, 5_000), st.integers(1, 5_000), st.floats(0, 1)), min_size=1, max_size=8))
def test_inside_green_no_worse_than_blue_is_never_evidence(periods: list[tuple[int, int, float]]) -> None:
    blues = [Count(blue, round(rate * blue)) for blue, _, rate in periods]
    rows = [
        (green, green * count.errors // count.requests) for (_, green, _), count in zip(periods, blues, strict=True)
    ]

    assert log_e(an_inside(*rows, allowed=0.0001), blues) <= 1e-9


@pytest.mark.parametrize("signal", ["suppressed_ejection", "enforced_ejection"])
def test_one_of_what_is_one_too_many_rolls_back(signal: str) -> None:
    answer = judged(WELL, occurred={signal: ((3, 1),)})

    assert answer.answer is Answer.ROLL_BACK
    assert f"{signal.replace('_', ' ')} 1 times in green, first in the period at 12:03:00" in answer.reason


def test_only_what_occurred_is_kept() -> None:
    asked = by_name(shop(an_endpoint("orders")))
    counts = [*asked["enforced_ejection"], *asked["suppressed_ejection"]]

    assert occurrences(counts, [[None, (0, 0)], [(0, 2), None]]) == {"suppressed_ejection": ((0, 2),)}


def test_an_ejection_in_a_period_in_which_blue_failed_too_is_held() -> None:
    ejection = Ejection(at=NOON + timedelta(seconds=200), cluster="orders", host="10.0.0.1:80", kind="CONSECUTIVE_5XX")

    assert judged(OUTAGE, ejections=(ejection,)).answer is Answer.HOLD
    assert judged(WELL, ejections=(ejection,)).answer is Answer.ROLL_BACK


# -- green's tasks ---------------------------------------------------------------------------


def seen(*running: int, desired: int = 4, every: int = 60) -> list[Wanting | None]:
    """Look at a service again and again, a minute apart."""
    found: list[Wanting | None] = [None]
    for number, tasks in enumerate(running):
        at = NOON + timedelta(seconds=every * number)
        found.append(wanting("web", desired=desired, running=tasks, failure=None, before=found[-1], now=at))
    return found[1:]


def test_a_service_with_all_its_tasks_lacks_nothing() -> None:
    assert seen(4, 5) == [None, None]


def test_the_time_below_counts_while_no_task_more_comes_up() -> None:
    lacking = seen(3, 3, 2, 2)

    assert [each.below_seconds for each in lacking if each] == [0, 60, 120, 180]


def test_a_task_more_is_progress_and_a_whole_service_ends_it() -> None:
    lacking = seen(1, 1, 2, 3, 3, 4, 3)

    assert [each and each.below_seconds for each in lacking] == [0, 60, 0, 0, 60, None, 0]


def test_a_task_that_is_being_replaced_holds_and_no_more() -> None:
    answer = judged(WELL, wanting=(Wanting(service="web", desired=2, running=1, below_since=NOON, below_seconds=600),))

    assert (answer.answer, answer.verdict) == (Answer.HOLD, Verdict.UNKNOWN)
    assert answer.reason == "web runs 1 of the 2 tasks that ECS wants, for 600 s"


def test_a_task_that_does_not_come_back_gives_everything_back() -> None:
    answer = judged(WELL, wanting=(Wanting(service="web", desired=2, running=1, below_since=NOON, below_seconds=601),))

    assert (answer.answer, answer.verdict) == (Answer.ROLL_BACK, Verdict.UNHEALTHY)


def test_a_failed_deployment_gives_everything_back_though_its_old_tasks_run() -> None:
    failed = wanting("web", desired=2, running=2, failure="task failed to start", before=None, now=NOON)
    assert failed is not None

    answer = judged(WELL, wanting=(failed,))

    assert (answer.answer, answer.reason) == (
        Answer.ROLL_BACK,
        "the deployment of web failed: task failed to start",
    )


# -- evidence that may begin at any time ---------------------------------------------------------


@pytest.mark.parametrize("slo", [0.02, 0.3])
def test_at_the_slo_itself_the_evidence_is_one_on_average(slo: float) -> None:
    paths = list(product((0, 1), repeat=8))

    mean = fsum(
        slo ** sum(path)
        * (1 - slo) ** (8 - sum(path))
        * exp(eprocess.breach_since([Count(1, e) for e in path], slo_error_rate=slo))
        for path in paths
    )

    assert isclose(mean, 1, rel_tol=1e-9)


def test_days_of_health_do_not_outweigh_a_fault_of_now() -> None:
    week = [Count(1_200, 1)] * 10_000

    now = eprocess.breach_since([*week, Count(1_200, 240)], slo_error_rate=0.02)

    assert now > 300
    assert eprocess.breach([*week, Count(1_200, 240)], slo_error_rate=0.02) < 0


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 60)), min_size=1, max_size=12), st.floats(1, 12))
def test_so_many_errors_more_and_not_one_fewer_reach_the_bound(found: list[tuple[int, int]], needed: float) -> None:
    counts = [Count(*each) for each in found]
    more = eprocess.breaches_until(counts, slo_error_rate=0.02, needed=needed)

    def after(errors: int) -> float:
        last = Count(counts[-1].requests, counts[-1].errors + errors)
        return eprocess.breach_since([*counts[:-1], last], slo_error_rate=0.02)

    assert after(more) >= needed
    assert more == 0 or after(more - 1) < needed
