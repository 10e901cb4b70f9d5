"""When a period is closed, and what a number from CloudWatch may mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.judge.reading import AlarmState, Count, closed_periods, counted, states_of

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001


def test_the_first_period_is_the_first_that_begins_after_the_edge_settled() -> None:
    start, periods = closed_periods(
        NOON + timedelta(milliseconds=1), NOON + timedelta(seconds=240), period_seconds=60, lag_seconds=60
    )

    assert (start, periods) == (NOON + timedelta(seconds=60), 2)


def test_a_period_counts_only_once_its_lag_is_over() -> None:
    due = NOON + timedelta(seconds=120)

    early, on_time = (
        closed_periods(NOON, now, period_seconds=60, lag_seconds=60)[1]
        for now in (due - timedelta(microseconds=1), due)
    )

    assert (early, on_time) == (0, 1)


@given(moments, st.integers(0, 100_000), st.sampled_from([1, 5, 10, 60]), st.integers(0, 300))
def test_every_period_given_is_whole_after_the_start_and_closed(
    since: datetime, later: int, period: int, lag: int
) -> None:
    now = since + timedelta(seconds=later)

    start, periods = closed_periods(since, now, period_seconds=period, lag_seconds=lag)

    assert since <= start < since + timedelta(seconds=period)
    assert start.timestamp() % period == 0
    if periods:
        end = start + timedelta(seconds=period * periods)
        assert end + timedelta(seconds=lag) <= now < end + timedelta(seconds=lag + period)


@pytest.mark.parametrize(
    ("requests", "errors", "count"),
    [
        (20.0, None, Count(20, 0)),
        (20.0, 3.0, Count(20, 3)),
        (0.0, None, Count(0, 0)),
        (None, None, None),
        (None, 3.0, None),
        (float("nan"), None, None),
        (float("inf"), None, None),
        (-1.0, None, None),
        (2.5, None, None),
        (20.0, float("nan"), None),
        (20.0, -3.0, None),
    ],
)
def test_only_whole_counts_are_data(requests: float | None, errors: float | None, count: Count | None) -> None:
    assert counted(requests, errors) == count


def test_an_alarm_that_is_not_there_is_missing_rather_than_calm() -> None:
    assert states_of(["b", "a"], {"a": "OK"}) == {"b": AlarmState.MISSING, "a": AlarmState.OK}
