"""Where evidence is thin, green may climb early: within the plan's budget of requests at risk, and never beyond it."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from crossfade.judge.judge import judge
from crossfade.judge.judgement import Judgement
from crossfade.judge.reading import Readings, Window
from crossfade.judge.verdict import Answer
from crossfade.plan.document import Bounds
from crossfade.plan.edges import Rung

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
RUNG = Rung(share_bp=100, soak_seconds=300)
PERIODS_TO_SEE = 3

Rows = list[tuple[int, int, int, int]]

thin = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 2), st.integers(0, 6), st.just(0)), min_size=3, max_size=12
)


def judged(rows: Rows, budget: int, above: int) -> Judgement:
    readings = Readings(window=Window(start=NOON, period_seconds=60, rows=tuple(rows)))
    bounds = Bounds(slow_ratio=None, exposure_requests=budget)
    return judge(readings, RUNG, bounds, tests=10, following=Rung(share_bp=above, soak_seconds=300))


def is_early(judgement: Judgement) -> bool:
    return judgement.answer is Answer.ADVANCE and judgement.reason.startswith("evidence is thin")


@given(thin, st.integers(0, 200), st.integers(200, 5_000))
def test_no_early_climb_puts_more_requests_at_risk_than_the_plan_allows(rows: Rows, budget: int, above: int) -> None:
    if not is_early(judged(rows, budget, above)):
        return
    served = [(blue, errors, green) for blue, errors, green, _ in rows if not (errors >= 3 and errors > 0.02 * blue)]
    a_period = sum(blue + green for blue, _, green in served) / len(served)

    assert a_period * above / 10_000 * PERIODS_TO_SEE <= budget + 0.5


@given(thin, st.integers(0, 200), st.integers(0, 200), st.integers(200, 5_000))
def test_a_larger_budget_never_keeps_green_back(rows: Rows, budget: int, more: int, above: int) -> None:
    small, large = judged(rows, budget, above), judged(rows, budget + more, above)

    assert is_early(large) or not is_early(small)


@given(thin, st.integers(200, 5_000))
def test_with_an_error_of_green_that_chance_does_not_explain_nobody_climbs_early(rows: Rows, above: int) -> None:
    failing: Rows = [(blue, 0, max(1, green), max(1, green)) for blue, _, green, _ in rows]

    assert not is_early(judged(failing, 10_000, above))


@given(thin, st.integers(0, 200), st.integers(200, 5_000))
def test_a_larger_share_never_climbs_early_where_a_smaller_one_would_not(rows: Rows, budget: int, above: int) -> None:
    small, large = judged(rows, budget, above), judged(rows, budget, above + 500)

    assert is_early(small) or not is_early(large)


def test_a_thin_and_flawless_green_is_given_more_early() -> None:
    rows: Rows = [(100, 0, 1, 0)] * 5

    assert is_early(judged(rows, 20, 200))
    assert not is_early(judged(rows, 5, 200))
