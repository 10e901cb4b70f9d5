"""
How late counts really come, learned from what one look saw and the next saw more of. Pure.

CloudWatch promises no time after which a period is whole, and namespaces differ. The plan's
`metric_lag_seconds` is where a look begins. A period that held less at the look before, or
nothing, was not whole then: so counts of that namespace come at least as late as it was old.

Each namespace has its own watermark, the newest period that is whole in it; for green a
period counts once all of them have passed it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from crossfade.judge.reading import Readings, Window
from crossfade.judge.signal import EDGE_5XX, ENTRY_CALLED, SIGNALS

_BY_NAME = {signal.name: signal for signal in SIGNALS}


class _Seen(NamedTuple):
    """One kind of number of one namespace, period by period."""

    namespace: str
    what: tuple[str, ...]
    values: tuple[object, ...]
    may_lack: bool = False
    """Whether no value says nothing about this namespace: it may be another's that is late."""


def learned(
    before: Readings, looked: datetime, now: Readings, *, grain_seconds: int, most_seconds: int
) -> dict[str, int]:
    """
    Return how late counts come, in seconds by namespace, after one more look.

    Args:
        before: What the look before read. One that may not have seen everything teaches nothing.
        looked: When that was.
        now: What this look has read; its own `late` is not looked at.
        grain_seconds: Lateness is told in whole multiples of this.
        most_seconds: What comes later than this is lost, and moves no watermark.
    """
    late = dict(before.late)
    period = timedelta(seconds=now.window.period_seconds)
    if before.faults or now.faults or before.window.period_seconds != now.window.period_seconds:
        return late
    shifted = (now.window.start - before.window.start) // period
    known = {(seen.namespace, seen.what): seen.values for seen in _seen(now)}
    for namespace, what, values, may_lack in _seen(before):
        since = known.get((namespace, what), ())
        for at, value in enumerate(values):
            if not 0 <= at - shifted < len(since) or since[at - shifted] == value or (may_lack and value is None):
                continue
            age = (looked - before.window.start - period * (at + 1)).total_seconds()
            seconds = (int(age) // grain_seconds + 1) * grain_seconds
            late[namespace] = max(late.get(namespace, 0), min(seconds, most_seconds))
    return late


def unsettled(window: Window, late: Mapping[str, int], now: datetime) -> int:
    """Return how many of the newest periods are younger than counts have been seen to come."""
    latest = max(late.values(), default=0)
    end = window.start + timedelta(seconds=window.period_seconds * len(window.rows))
    missing = latest - (now - end).total_seconds()
    return min(len(window.rows), max(0, -int(-missing // window.period_seconds)))


def _seen(readings: Readings) -> Iterator[_Seen]:
    window = readings.window
    asked = EDGE_5XX if readings.control else ENTRY_CALLED
    assert asked.errors is not None
    yield _Seen(asked.errors.namespace, ("edge",), window.rows)
    if window.slow:
        yield _Seen(asked.errors.namespace, ("slow",), window.slow)
    for each in readings.inside:
        signal = _BY_NAME.get(each.signal)
        if signal is None or signal.errors is None or signal.requests is None:
            continue
        requests = tuple(None if row is None else row[0] for row in each.rows)
        errors = tuple(None if row is None else row[1] for row in each.rows)
        yield _Seen(signal.requests.namespace, (each.signal, each.subject, "requests"), requests)
        yield _Seen(signal.errors.namespace, (each.signal, each.subject, "errors"), errors, may_lack=True)
