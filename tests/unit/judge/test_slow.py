"""Slow requests are judged as errors are: over blue's own bar, with their own part of alpha, and never by silence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.judge import eprocess
from crossfade.judge.judge import judge
from crossfade.judge.judgement import Judgement
from crossfade.judge.reading import Count, Readings, Window, slow_counted, slow_over
from crossfade.judge.verdict import Answer
from crossfade.plan.document import Bounds
from crossfade.plan.edges import Rung, RungKind

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BOUNDS = Bounds(minimum_requests=200)
CLIMB = Rung(share_bp=2_500, soak_seconds=300)
WATCH = Rung(share_bp=10_000, soak_seconds=300, kind=RungKind.WATCH)
GOOD = (900, 1, 300, 0)
QUICK = (9, 3)


def judged(
    slow: Sequence[tuple[int | None, int | None]],
    *,
    rung: Rung = CLIMB,
    bounds: Bounds = BOUNDS,
    row: tuple[int | None, int | None, int, int] = GOOD,
) -> Judgement:
    window = Window(start=NOON, period_seconds=60, rows=(row,) * len(slow), slow_over=0.3, slow=tuple(slow))
    return judge(Readings(window=window), rung, bounds, tests=4)


def test_a_green_as_quick_as_blue_may_have_more() -> None:
    assert judged([QUICK] * 5).answer == Answer.ADVANCE


def test_a_green_slow_for_a_fifth_of_its_requests_goes_back_though_none_failed() -> None:
    said = judged([(9, 60)])

    assert said.answer == Answer.ROLL_BACK
    assert said.reason.startswith("green is slow more often than 3 times blue: slower than 0.3 s, or never answered")


def test_a_green_slightly_slower_than_blue_is_not_worse() -> None:
    assert judged([(9, 6)] * 5).answer == Answer.ADVANCE


def test_a_rung_is_not_left_before_green_is_shown_not_to_be_slow() -> None:
    said = judged([(9, 12)] * 5, bounds=BOUNDS.model_copy(update={"slow_tolerance": 0.02, "slow_ratio": 10.0}))

    assert said.answer == Answer.HOLD
    assert "not yet shown to be slow within 2 % of blue" in said.reason


def test_an_hour_in_which_both_are_slow_speaks_against_neither() -> None:
    assert judged([(450, 150)] * 5).answer != Answer.ROLL_BACK


def test_a_blue_of_which_no_answer_is_known_promotes_nobody() -> None:
    said = judged([QUICK] * 5 + [(900, 300)])

    assert said.answer == Answer.HOLD
    assert "response times are lost, or blue is" in said.reason


def test_at_100_percent_a_green_beyond_its_part_of_slow_requests_goes_back() -> None:
    alone = (None, None, 1200, 1)

    assert judged([(None, 12)] * 5, rung=WATCH, row=alone).answer == Answer.ADVANCE
    assert judged([(None, 240)], rung=WATCH, row=alone).answer == Answer.ROLL_BACK


def test_judging_two_signals_asks_each_for_more_evidence() -> None:
    alone = judged([QUICK] * 5, bounds=BOUNDS.model_copy(update={"slow_ratio": None}))

    assert judged([QUICK] * 5).roll_back_at > alone.roll_back_at
    assert alone.slow_log_e is None


@pytest.mark.parametrize("blue_rate", [0.01, 0.1, 0.3])
@pytest.mark.parametrize("part", [0.5, 1.0])
def test_a_green_three_times_as_often_slow_gains_no_evidence_on_average(blue_rate: float, part: float) -> None:
    blue, green, allowed = 12, 6, 3.0
    rates = blue_rate, min(1.0, part * allowed * blue_rate)

    def chance(hits: int, tries: int, rate: float) -> float:
        ways = 1.0
        for at in range(hits):
            ways *= (tries - at) / (at + 1)
        return ways * rate**hits * (1 - rate) ** (tries - hits)

    mean = sum(
        chance(b, blue, rates[0])
        * chance(g, green, rates[1])
        * exp(eprocess.compare([(Count(blue, b), Count(green, g))], allowed=allowed))
        for b in range(blue + 1)
        for g in range(green + 1)
    )

    assert mean <= 1 + 1e-9


# -- how many errors more ---------------------------------------------------------

pairs = st.lists(
    st.tuples(
        st.integers(1, 3000).flatmap(lambda n: st.builds(Count, st.just(n), st.integers(0, min(n, 20)))),
        st.integers(1, 3000).flatmap(lambda n: st.builds(Count, st.just(n), st.integers(0, min(n, 20)))),
    ),
    min_size=1,
    max_size=5,
)


@given(pairs, st.sampled_from([1.0, 3.0]))
def test_the_errors_said_to_roll_back_do_and_one_fewer_does_not(
    seen: list[tuple[Count, Count]], allowed: float
) -> None:
    needed = 8.0

    more = eprocess.errors_until(seen, needed=needed, allowed=allowed)

    def after(errors: int) -> float:
        blue, green = seen[-1]
        worse = Count(green.requests, green.errors + errors)
        return eprocess.compare([*seen[:-1], (blue, worse)], allowed=allowed)

    assert after(more) >= needed - 1e-9
    assert more == 0 or after(more - 1) < needed + 1e-9


def test_a_healthy_answer_says_how_many_errors_would_have_changed_it() -> None:
    assert judged([QUICK] * 5).would_change.endswith("more failed requests of green would have rolled back")


# -- what is slow -----------------------------------------------------------------


def minutes(*values: float, first: int) -> dict[datetime, float]:
    return {NOON + timedelta(minutes=first + at): value for at, value in enumerate(values)}


def test_the_bar_is_blues_own_and_one_bad_minute_does_not_raise_it() -> None:
    calm = minutes(*[0.4] * 59, 9.0, first=-60)

    assert slow_over(calm, NOON, floor_seconds=0.1) == 0.4


def test_nothing_faster_than_the_floor_is_slow() -> None:
    assert slow_over(minutes(0.002, first=-1), NOON, floor_seconds=0.1) == 0.1


def test_only_the_last_hour_before_the_climb_counts_and_only_without_one_what_came_after() -> None:
    old, recent, later = minutes(5.0, first=-150), minutes(0.3, first=-5), minutes(0.7, first=5)

    assert slow_over(old | recent | later, NOON, floor_seconds=0.1) == 0.3
    assert slow_over(later, NOON, floor_seconds=0.1) == 0.7
    assert slow_over({}, NOON, floor_seconds=0.1) is None


@pytest.mark.parametrize(
    ("served", "answered", "slow"),
    [
        (Count(100, 2), 97.0, Count(100, 3)),
        (Count(100, 2), None, Count(100, 100)),
        (Count(100, 2), 104.0, Count(100, 0)),
        (Count(100, 2), float("nan"), None),
        (Count(100, 2), -1.0, None),
        (None, 5.0, None),
    ],
)
def test_what_is_not_known_to_be_answered_in_time_is_slow(
    served: Count | None, answered: float | None, slow: Count | None
) -> None:
    assert slow_counted(served, answered) == slow


# -- growing when evidence is thin --------------------------------------------------

THIN = (57, 0, 3, 0)
FIVE, QUARTER = Rung(share_bp=500, soak_seconds=300), Rung(share_bp=2_500, soak_seconds=300)


def thin(
    rows: int, row: tuple[int, int, int, int] = THIN, budget: int = 100, above: Rung | None = QUARTER
) -> Judgement:
    window = Window(start=NOON, period_seconds=60, rows=(row,) * rows, slow_over=0.3, slow=((0, 0),) * rows)
    bounds = BOUNDS.model_copy(update={"exposure_requests": budget})
    return judge(Readings(window=window), FIVE, bounds, tests=4, following=above)


def test_thin_evidence_lets_green_grow_within_the_plans_budget() -> None:
    said = thin(3)

    assert said.answer == Answer.ADVANCE
    assert "25 % puts about 45 requests at risk, within the plan's 100" in said.reason


@pytest.mark.parametrize(
    "held",
    [
        thin(3, budget=0),
        thin(3, budget=44),
        thin(2),
        thin(3, (57, 0, 3, 1)),
        thin(3, (57, 0, 0, 0)),
        thin(3, above=None),
        thin(3, above=Rung(share_bp=9_500, soak_seconds=900, kind=RungKind.BAKE)),
        thin(3, (5700, 0, 60, 0)),
    ],
)
def test_without_budget_evidence_or_a_climbing_rung_above_it_does_not_grow(held: Judgement) -> None:
    assert held.answer == Answer.HOLD


def unlucky(periods: int) -> Judgement:
    """One early error of a healthy green at a share of a hundredth, and then so many periods without one."""
    rows = ((110, 0, 2, 1), *(((110, 0, 2, 0),) * periods))
    window = Window(start=NOON, period_seconds=60, rows=rows, slow_over=0.3, slow=((0, 0),) * len(rows))
    bounds = BOUNDS.model_copy(update={"exposure_requests": 20})
    return judge(
        Readings(window=window),
        Rung(share_bp=100, soak_seconds=300),
        bounds,
        tests=8,
        following=Rung(share_bp=500, soak_seconds=300),
    )


def test_one_unlucky_request_keeps_green_from_growing_only_until_it_is_within_ten_times_the_tolerance() -> None:
    soon, late = unlucky(20), unlucky(40)

    assert soon.answer == Answer.HOLD
    assert late.answer == Answer.ADVANCE
    assert late.reason.startswith("evidence is thin: green failed 1 of 82 requests")


def test_green_does_not_grow_on_thin_evidence_while_what_it_served_is_suspect() -> None:
    slow = Window(start=NOON, period_seconds=60, rows=(THIN,) * 4, slow_over=0.3, slow=((0, 0), (0, 3), (0, 1), (0, 0)))
    bounds = BOUNDS.model_copy(update={"exposure_requests": 100})

    said = judge(Readings(window=slow), FIVE, bounds, tests=4, following=QUARTER)

    assert said.slow_log_e is not None
    assert said.roll_back_at / 2 <= said.slow_log_e < said.roll_back_at
    assert said.answer == Answer.HOLD
