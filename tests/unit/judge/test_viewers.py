"""What CloudFront answers itself no load balancer sees: its own counts speak against green."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crossfade.journal.edges import CloudFrontEdge, Distribution, EdgeRecord
from crossfade.journal.memory import MemoryJournal
from crossfade.judge.action import Judged, JudgeRequest, judge_again, judge_green
from crossfade.judge.memory import MemoryAlarms, MemoryLookMeter, MemoryMetrics, MemoryProxyLogs, MemoryViewers
from crossfade.judge.reading import AlarmState, rated
from crossfade.judge.sight import Sight
from crossfade.judge.verdict import Answer
from crossfade.plan.document import Bounds
from crossfade.plan.edges import CdnRef, Rung, RungKind
from crossfade.plan.memory import MemoryPlanStore
from crossfade.shift.action import RungRef
from tests.traffic import NOON, a_plan, a_record, an_edge_plan, green_services

SETTLED = NOON.replace(microsecond=0)
PERIODS = 5


class World:
    """Green holds 10 % of a distribution by its staging copy E2; blue's load balancer counts, green's does not."""

    def __init__(self, *, held_bp: int = 1_000) -> None:
        cdn = CdnRef(distribution_id="E1", origin_id="app", green_domain="g.example", green_load_balancer="front-green")
        ladder = (Rung(share_bp=1_000, soak_seconds=300), Rung(share_bp=10_000, soak_seconds=300, kind=RungKind.WATCH))
        plan = a_plan(
            bounds=Bounds(lost_data_seconds=120, slow_ratio=None),
            edges=(an_edge_plan(kind="cloudfront", rules=(), cdn=cdn, ladder=ladder),),
        )
        resolved = CloudFrontEdge(
            load_balancer_arn="front",
            green_load_balancer_arn="front-green",
            blue_arn="blue",
            green_arn="green",
            origin_id="app",
            green_domain="g.example",
            staging_id="E2",
            policy_id="P1",
            rules=(Distribution(id="E1", arn="arn:E1", found={}),),
        )
        edge = EdgeRecord(
            migration="shop", name="web", kind="cloudfront", resolved=resolved, way_back=(), held_bp=held_bp
        )
        self.plans, self.journal = MemoryPlanStore(), MemoryJournal()
        self.metrics, self.viewers = MemoryMetrics(), MemoryViewers()
        ref = self.plans.put("plans", "shop.json", plan)
        self.journal.open(a_record(plan=ref, opened_at=NOON - timedelta(hours=1)), [edge])
        for period in range(PERIODS):
            self.metrics.record("blue", SETTLED + timedelta(seconds=60 * period + 5), requests=900, errors=1)

    def answer(self, distribution: str, *, percent: float) -> None:
        for period in range(PERIODS):
            self.viewers.record(distribution, SETTLED + timedelta(minutes=period), requests=100, percent=percent)

    def look(self, *, look: int = 0, **rung: object) -> Judged:
        asked = {"index": 0, "share_bp": 1_000, "kind": RungKind.CLIMB, "soak_seconds": 300, **rung}
        request = JudgeRequest(
            migration="shop", fence=1, edge="web", rung=RungRef.model_validate(asked), since=SETTLED, look=look
        )
        sight = Sight(
            metrics=self.metrics,
            proxy_logs=MemoryProxyLogs("/crossfade/shop"),
            alarms=MemoryAlarms({"shop-errors": AlarmState.OK}),
            services=green_services(),
            viewers=self.viewers,
        )
        now = SETTLED + timedelta(seconds=60 * PERIODS + 60)
        return judge_green(
            request, journal=self.journal, plans=self.plans, sight=sight, meter=MemoryLookMeter(), now=now
        )


def test_a_green_that_cloudfront_cannot_reach_goes_back_though_its_load_balancer_counts_nothing() -> None:
    world = World()
    world.answer("E2", percent=100)

    said = world.look()

    assert said.answer is Answer.ROLL_BACK
    assert said.reason.startswith("viewer_5xx of distribution E2 is above 2 %: 500 of 500")


def test_a_green_that_cloudfront_sends_nothing_is_held_and_not_taken_for_lost() -> None:
    said = World().look()

    assert said.answer is Answer.HOLD
    assert "CloudFront may be sending every request to the primary" in said.reason


def test_a_green_whose_users_are_answered_from_the_cache_is_held() -> None:
    world = World()
    world.answer("E2", percent=0)

    assert world.look().answer is Answer.HOLD


def test_after_a_promotion_the_primary_is_greens() -> None:
    world = World(held_bp=10_000)
    world.answer("E1", percent=100)

    said = world.look(share_bp=10_000, kind=RungKind.WATCH)

    assert said.answer is Answer.ROLL_BACK
    assert "distribution E1" in said.reason


def test_metrics_of_cloudfront_that_cannot_be_read_hold() -> None:
    world = World()
    world.viewers.busy = "throttled"

    said = world.look()

    assert said.answer is Answer.HOLD
    assert "CloudFront's metrics could not be read" in said.reason


def test_a_second_look_counts_them_once_and_both_are_judged_again_to_the_digit() -> None:
    world = World()
    world.answer("E2", percent=0)
    world.look()
    world.look(look=1)

    for entry in (entry for entry in world.journal.entries("shop") if entry.kind == "evidence"):
        kept, again = judge_again(entry)
        assert kept == again
        assert [each["signal"] for each in entry.detail["readings"]["inside"]].count("viewer_5xx") == 1


@pytest.mark.parametrize(
    ("requests", "percent", "row"),
    [(200, 1.5, (200, 3)), (200, None, (200, 0)), (None, 50.0, None), (0, 0.0, (0, 0)), (3, 33.3333, (3, 1))],
)
def test_a_percentage_of_requests_is_a_count(
    requests: float | None, percent: float | None, row: tuple[int, int] | None
) -> None:
    assert rated(requests, percent) == row
