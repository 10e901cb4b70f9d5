"""Counts that come later than the plan says: they hold nothing up for ever, and what is not whole promotes nobody."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.errors import MetricsBusy
from crossfade.journal.edges import ResolvedEdge
from crossfade.judge.action import Judged, next_look_seconds
from crossfade.judge.feeds import EdgeRead
from crossfade.judge.judge import judge
from crossfade.judge.judgement import Judgement, is_suspicious
from crossfade.judge.memory import MemoryMetrics
from crossfade.judge.reading import Inside, Readings, Window
from crossfade.judge.verdict import Answer, Verdict
from crossfade.judge.watermark import learned, unsettled
from crossfade.plan.document import Bounds, Timings
from crossfade.plan.edges import Rung
from tests.traffic import NOON
from tests.unit.judge.test_judge_green import DAILY, SETTLED, World

MINUTE = timedelta(minutes=1)
BOUNDS = Bounds(slow_ratio=None)
RUNG = Rung(share_bp=2_500, soak_seconds=300)
Row = tuple[int | None, int | None, int | None, int | None]
WELL: Row = (900, 1, 300, 0)
NOTHING: Row = (None, None, None, None)


class LateMetrics(MemoryMetrics):
    """CloudWatch by a clock: a period's counts are published so long after its end, and its errors later still."""

    def __init__(self, late_seconds: int, *, errors_late_seconds: int = 0, green_errors: int = 0) -> None:
        super().__init__()
        self.late_seconds = late_seconds
        self.errors_late_seconds = max(late_seconds, errors_late_seconds)
        self.green_errors = green_errors
        self.now = SETTLED
        self.record("blue", SETTLED - timedelta(minutes=10), answers=DAILY)

    def read(
        self,
        edge: ResolvedEdge,  # noqa: ARG002  (there is one)
        *,
        start: datetime,
        periods: int,
        period_seconds: int,
        slow_over: float | None = None,
    ) -> EdgeRead:
        """Return what is published by now."""
        ages = [(self.now - start).total_seconds() - period_seconds * (at + 1) for at in range(periods)]
        slow = tuple((9, 3) if age >= self.late_seconds else (None, None) for age in ages)
        window = Window(
            start=start,
            period_seconds=period_seconds,
            rows=tuple(map(self._published, ages)),
            slow_over=slow_over,
            slow=slow if slow_over is not None else (),
        )
        return EdgeRead(window)

    def _published(self, age: float) -> Row:
        if age < self.late_seconds:
            return NOTHING
        return (900, 1, 300, self.green_errors) if age >= self.errors_late_seconds else (900, 0, 300, 0)


def looks(metrics: LateMetrics, first: timedelta, *, look: int = 0, most: int) -> tuple[World, list[Judged]]:
    """Look so often, the first time that late, by a virtual clock at the product's own pace, until it does not hold."""
    world, said, now = World(lost_data_seconds=900), list[Judged](), SETTLED + first
    world.metrics = metrics
    for number in range(look, look + most):
        metrics.now = now
        said.append(world.look(at=now, look=number))
        if said[-1].answer is not Answer.HOLD:
            break
        now += timedelta(seconds=said[-1].next_look_seconds)
    return world, said


@pytest.mark.parametrize("look", [12, 60])
def test_a_slowed_look_that_always_comes_just_before_the_counts_does_not_hold_for_ever(look: int) -> None:
    _, said = looks(LateMetrics(70), 6 * MINUTE + timedelta(seconds=65), look=look, most=5)

    assert "no requests counted" in said[0].reason
    assert said[-1].answer is Answer.ADVANCE


@pytest.mark.parametrize("late", [60, 70, 119, 120, 121, 200, 290])
@pytest.mark.parametrize("phase", [0, 31])
def test_however_late_counts_come_the_climb_goes_on(late: int, phase: int) -> None:
    _, said = looks(LateMetrics(late), timedelta(seconds=phase), most=40)

    assert said[-1].answer is Answer.ADVANCE


def test_errors_that_are_published_after_the_requests_do_not_look_like_health() -> None:
    late = LateMetrics(60, errors_late_seconds=110, green_errors=6)

    _, said = looks(late, timedelta(seconds=61), most=40)

    assert Answer.ADVANCE not in {each.answer for each in said}


def test_a_source_that_fails_now_and_then_teaches_nothing_of_how_late_counts_come() -> None:
    class Failing(LateMetrics):
        def read(
            self,
            edge: ResolvedEdge,
            *,
            start: datetime,
            periods: int,
            period_seconds: int,
            slow_over: float | None = None,
        ) -> EdgeRead:
            if self.now.second == SETTLED.second:
                raise MetricsBusy("Throttling")
            return super().read(edge, start=start, periods=periods, period_seconds=period_seconds, slow_over=slow_over)

    world, _ = looks(Failing(0), 4 * MINUTE, most=12)

    assert any(look.readings.faults for look in world.looks)
    assert {look.readings.unsettled for look in world.looks} == {0}


def test_a_rung_learns_anew_how_late_counts_come() -> None:
    world = World()
    world.look(at=SETTLED - MINUTE)

    world.look()

    assert world.looks[-1].readings.late == {}


# -- the rule --------------------------------------------------------------------------


def the_readings(*rows: Row, start: datetime = NOON, late: Mapping[str, int] | None = None, **more: object) -> Readings:
    window = Window(start=start, period_seconds=60, rows=rows)
    return Readings.model_validate({"window": window, "late": dict(late or {}), **more})


def learn(before: Readings, age: int, now: Readings) -> dict[str, int]:
    looked = before.window.start + MINUTE * len(before.window.rows) + timedelta(seconds=age)
    return learned(before, looked, now, grain_seconds=10, most_seconds=900)


def test_a_period_that_was_filled_later_was_not_whole_when_it_was_read() -> None:
    assert learn(the_readings(WELL, NOTHING), 65, the_readings(WELL, WELL, NOTHING)) == {"AWS/ApplicationELB": 70}


def test_a_period_that_grew_was_not_whole_when_it_was_read() -> None:
    half = the_readings(WELL, (450, 0, 150, 0))

    assert learn(half, 60, the_readings(WELL, WELL)) == {"AWS/ApplicationELB": 70}


def test_periods_that_stay_as_they_were_teach_nothing() -> None:
    assert learn(the_readings(WELL, NOTHING), 65, the_readings(WELL, NOTHING, WELL)) == {}


def test_what_was_known_is_kept_where_nothing_is_learned() -> None:
    known = the_readings(WELL, late={"AWS/ECS": 90}, faults=("throttled",))

    assert learn(known, 60, the_readings(NOTHING)) == {"AWS/ECS": 90}


def test_windows_that_begin_at_different_times_are_compared_by_time() -> None:
    later = the_readings(WELL, NOTHING, start=NOON + MINUTE)

    assert learn(the_readings(NOTHING, WELL, WELL), 60, later) == {"AWS/ApplicationELB": 70}


def test_what_comes_later_than_lost_data_moves_no_watermark_further() -> None:
    assert learn(the_readings(NOTHING), 5_000, the_readings(WELL)) == {"AWS/ApplicationELB": 900}


def test_each_namespace_has_its_own_watermark() -> None:
    def attempts(*rows: tuple[int, int] | None) -> tuple[Inside, ...]:
        return (Inside(signal="attempt_5xx", subject="green", among=1, allowed=0.05, rows=rows),)

    before = the_readings(WELL, WELL, inside=attempts((300, 0), (300, 0)))
    errors_came = the_readings(WELL, WELL, inside=attempts((300, 4), (300, 0)))
    requests_came = the_readings(WELL, WELL, inside=attempts((300, 0), (310, 0)))
    both_missed = the_readings(WELL, WELL, inside=attempts((300, 0), None))

    assert learn(before, 60, errors_came) == {"Crossfade": 130}
    assert learn(before, 60, requests_came) == {"AWS/ECS": 70}
    assert learn(both_missed, 60, before) == {"AWS/ECS": 70}


@given(late=st.integers(0, 900), rows=st.integers(0, 12), age=st.integers(0, 300))
def test_periods_younger_than_counts_come_are_unsettled_and_no_others(late: int, rows: int, age: int) -> None:
    window = Window(start=NOON, period_seconds=60, rows=(WELL,) * rows)
    now = NOON + MINUTE * rows + timedelta(seconds=age)

    young = unsettled(window, {"AWS/ECS": late, "AWS/ApplicationELB": 0}, now)

    ages = [age + 60 * at for at in range(rows)]
    assert young == sum(each < late for each in ages)


# -- what unsettled periods may do -----------------------------------------------------


def judged(*rows: Row, unsettled: int, tests: int = 1) -> Judgement:
    readings = the_readings(*rows, late={"AWS/ApplicationELB": 70}).model_copy(update={"unsettled": unsettled})
    return judge(readings, RUNG, BOUNDS, tests=tests)


def test_an_unsettled_period_that_is_empty_is_no_gap() -> None:
    assert judged(*(WELL,) * 6, NOTHING, unsettled=0).answer is Answer.HOLD
    assert judged(*(WELL,) * 6, NOTHING, unsettled=1).answer is Answer.ADVANCE


def test_a_gap_before_the_unsettled_periods_is_one() -> None:
    said = judged(*(WELL,) * 6, NOTHING, NOTHING, unsettled=1)

    assert (said.answer, said.verdict) == (Answer.HOLD, Verdict.UNKNOWN)


def test_unsettled_periods_are_not_counted_for_green() -> None:
    assert judged(*(WELL,) * 5, unsettled=0).answer is Answer.ADVANCE
    assert judged(*(WELL,) * 5, unsettled=1).answer is Answer.HOLD


def test_unsettled_periods_are_counted_against_green() -> None:
    said = judged(*(WELL,) * 5, (900, 1, 300, 200), unsettled=1)

    assert said.answer is Answer.ROLL_BACK


def test_an_outage_that_blue_shares_in_an_unsettled_period_holds() -> None:
    said = judged(*(WELL,) * 5, (900, 200, 300, 60), unsettled=1)

    assert (said.answer, "blue itself failed" in said.reason) == (Answer.HOLD, True)


@pytest.mark.parametrize("periods", [0, 2])
def test_where_no_period_is_settled_yet_the_reason_says_how_late_counts_come(periods: int) -> None:
    said = judged(*(WELL,) * periods, unsettled=2)

    assert said.answer is Answer.HOLD
    assert "as counts come up to 70 s late" in said.reason


# -- the pace ----------------------------------------------------------------------------


def test_while_evidence_against_green_grows_the_first_pace_goes_on_but_not_for_ever() -> None:
    timings = Timings(look_seconds=10)

    paces = [next_look_seconds(timings, look, suspicious=True) for look in (0, 12, 59, 60)]

    assert paces == [10, 10, 10, 300]


def test_a_green_with_some_errors_is_suspicious_before_it_goes_back_and_one_without_is_not() -> None:
    well = judged(*(WELL,) * 3, unsettled=0, tests=12)
    doubtful = judged(*(WELL,) * 3, (900, 1, 300, 9), unsettled=0, tests=12)

    assert not is_suspicious(well)
    assert doubtful.answer is not Answer.ROLL_BACK
    assert is_suspicious(doubtful)
