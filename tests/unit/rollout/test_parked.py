"""A share that nobody climbs from is guarded, for minutes or for days: at 100 %, and where a person is asked."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crossfade.executions.executions import ExecutionStatus
from crossfade.journal.hold import Hold
from crossfade.journal.model import Entry
from crossfade.judge.action import alpha_is_split_by
from crossfade.judge.judge import judge
from crossfade.judge.look import EVIDENCE, Look
from crossfade.judge.reading import Readings, Window
from crossfade.judge.replay import replay
from crossfade.phases import Phase
from crossfade.plan.document import Bounds
from crossfade.plan.edges import Rung, RungKind
from crossfade.shift.share import ALL, Share
from tests.traffic import CLIMB, MIGRATE, NOON

from .test_watching import Tower

LEFT = NOON.replace(microsecond=0)
DAYS = 60 * 24 * 3
WATCH = Rung(share_bp=10_000, soak_seconds=300, kind=RungKind.WATCH)
CLIMBED = Rung(share_bp=500, soak_seconds=60)


class Parked(Tower):
    """A migration whose rung was found healthy at noon, and nobody climbs on."""

    def __init__(self, rung: Rung = WATCH, *, minutes: int = 10, **plan: object) -> None:
        super().__init__(Phase.WATCHING)
        self.rung = rung
        self.plan = self.plan.model_copy(update={"bounds": Bounds(slow_ratio=None, lost_data_seconds=180), **plan})
        ref = self.parts.plans.put("plans", "parked.json", self.plan)  # type: ignore[attr-defined]
        self.journal._records["shop"] = self.journal.read("shop").model_copy(update={"plan": ref})
        self.executions.others |= {MIGRATE: ExecutionStatus.SUCCEEDED, CLIMB: ExecutionStatus.SUCCEEDED}
        self.hold(Share(rung.share_bp))
        self.serve(0, minutes)
        window = Window(start=LEFT - timedelta(minutes=5), period_seconds=60, rows=self._rows() * 5)
        judgement = judge(Readings(window=window), rung, self.plan.bounds, tests=1)
        look = Look(
            look=7,
            rung=rung,
            bounds=self.plan.bounds,
            tests=1,
            readings=Readings(window=window),
            judgement=judgement,
            answered=judgement.answer,
        )
        assert judgement.answer == "advance"
        self._keep(look)
        self.tell_all()

    def _rows(self) -> tuple[tuple[int | None, int | None, int | None, int | None], ...]:
        return ((900, 1, 300, 0),) if self.rung.share_bp < ALL.bp else ((None, None, 1_200, 1),)

    def _keep(self, look: Look) -> None:
        detail = look.model_dump(mode="json")
        self.journal.append(
            Entry(migration="shop", at=LEFT, kind="evidence", what=EVIDENCE, subject="web", detail=detail)
        )

    def serve(self, first: int, last: int, *, failed: int = 1) -> None:
        """Let green serve from one minute to another after noon, and blue where it has a share."""
        for minute in range(first, last):
            at = LEFT + timedelta(minutes=minute)
            self.metrics.record(str(self.edge.resolved.green_arn), at, requests=1_200, errors=failed)
            if self.rung.share_bp < ALL.bp:
                self.metrics.record(self.edge.resolved.blue_arn, at, requests=3_600, errors=3)

    def tick(self, *minutes: int) -> None:
        for minute in minutes:
            self.watch(LEFT + timedelta(minutes=minute, seconds=1))

    @property
    def looks(self) -> list[Look]:
        return [Look.model_validate(entry.detail) for entry in self.journal.entries("shop") if entry.what == EVIDENCE]


def test_a_green_that_is_well_stays_and_is_written_down_once_an_hour() -> None:
    tower = Parked(minutes=200)

    tower.tick(*range(200))

    assert (tower.rolled_back, tower.held_by) == (None, [])
    assert [look.look for look in tower.looks] == [7, 2, 65, 120, 125, 185]  # at 120 the evidence begins anew
    assert {look.parked_since for look in tower.looks[1:]} == {LEFT}


@pytest.mark.parametrize("minutes", [10, 115, 121, DAYS])
def test_a_fault_that_comes_later_gives_everything_back(minutes: int) -> None:
    tower = Parked(minutes=min(minutes, 130))
    tower.serve(max(0, minutes - 130), minutes)
    tower.tick(2)
    tower.serve(minutes, minutes + 15, failed=120)

    tower.tick(*range(minutes + 2, minutes + 12))

    assert "edge web, which waits: green is worse than the SLO of 2 %" in str(tower.rolled_back)
    assert [name for name, _ in tower.executions.started] == ["shop-2"]


def test_a_share_that_waits_for_a_person_is_compared_with_blue() -> None:
    tower = Parked(CLIMBED)
    tower.tick(5)
    tower.serve(10, 14, failed=60)

    tower.tick(12, 13, 14)

    assert "edge web, which waits: green is worse than blue" in str(tower.rolled_back)


def test_an_outage_that_blue_shares_gives_nothing_back() -> None:
    tower = Parked(CLIMBED, minutes=0)
    for minute in range(30):
        at = LEFT + timedelta(minutes=minute)
        tower.metrics.record(tower.edge.resolved.blue_arn, at, requests=3_600, errors=720)
        tower.metrics.record(str(tower.edge.resolved.green_arn), at, requests=1_200, errors=240)

    tower.tick(*range(30))

    assert tower.rolled_back is None


@pytest.mark.parametrize("share", [500, 5_000])
def test_a_rung_that_is_climbed_from_is_the_climbs(share: int) -> None:
    tower = Parked(CLIMBED)
    tower.hold(Share(share))
    kept = tower.journal.edge("shop", "web")
    tower.journal.put_edge(kept.model_copy(update={"asked_bp": 5_000}), fence=1)
    tower.serve(10, 30, failed=600)

    tower.tick(*range(10, 30))

    assert (tower.rolled_back, len(tower.looks)) == (None, 1)


def test_what_cannot_be_read_holds_tells_once_and_is_released() -> None:
    tower = Parked(minutes=40)
    tower.metrics.busy = "Throttling"

    tower.tick(*range(2, 12))
    held = tower.held_by
    tower.metrics.busy = ""
    tower.tick(12)

    assert (tower.rolled_back, held, tower.held_by) == (None, ["judge:web"], [])
    [told] = [notice.reason for notice in tower.notices.told if notice.what == "held"]
    assert told.startswith("judge:web: the metrics could not be read: Throttling")


def test_absent_traffic_neither_holds_nor_gives_back() -> None:
    tower = Parked(minutes=0)

    tower.tick(*range(60))

    assert (tower.rolled_back, tower.held_by) == (None, [])


def test_an_alarm_that_a_person_silenced_is_not_heard() -> None:
    tower = Parked()
    tower.alarms.found["shop-errors"] = "ALARM"
    tower.journal.keep_hold(Hold(migration="shop", by="alarm:shop-errors", why="muted", at=NOON, fence=1))

    tower.tick(5)

    assert tower.rolled_back is None


def test_in_shadow_it_is_written_down_and_no_more() -> None:
    tower = Parked(judging="shadow")
    tower.serve(10, 20, failed=600)

    tower.tick(*range(2, 20))

    assert (tower.rolled_back, tower.looks[-1].judgement.answer) == (None, "roll_back")


def test_a_task_that_does_not_come_back_is_counted_from_when_it_was_first_missed() -> None:
    tower = Parked(minutes=60)
    tower.tick(5)
    tower.services.run("shop", "web-green", 1)

    tower.tick(*range(6, 16))
    before = tower.rolled_back
    tower.tick(16, 17)

    assert before is None
    assert "web-green runs 1 of the 2 tasks that ECS wants, for 660 s" in str(tower.rolled_back)


def test_every_look_kept_can_be_judged_again_and_the_chain_holds() -> None:
    tower = Parked(minutes=200)
    tower.tick(*range(200))
    tower.serve(200, 210, failed=600)
    tower.tick(*range(200, 208))

    told = replay(tower.journal.entries("shop"))

    assert [each.broken for each in told] == [None] * len(tower.looks)
    assert told[-1].answer == "roll_back"


def test_all_beginnings_together_have_one_part_of_alpha() -> None:
    tower = Parked(minutes=0)
    tower.tick(*range(0, 60 * 24 * 14, 5))
    of_each = {look.tests for look in tower.looks[1:]}

    assert sum(1 / tests for tests in of_each) < 1 / alpha_is_split_by(tower.plan)
    assert len(of_each) > 100


def test_the_age_of_the_last_look_and_what_was_seen_are_measured() -> None:
    tower = Parked()

    tower.tick(5)

    age, seen = (measured for *_, measured in tower.meter.published)
    assert (age["LookAge"].value, age["LookAge"].unit) == (301, "Seconds")
    assert (seen["Share"].value, seen["Verdict"].value) == (100, 2)


def test_an_edge_without_a_share_has_no_age() -> None:
    tower = Parked()
    tower.hold(Share(0))

    tower.tick(5)

    assert tower.meter.published == []
