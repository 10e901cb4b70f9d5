"""
What was read, before anyone has an opinion on it.

Readings hold closed buckets only, numbers as whole counts and times in whole seconds,
so that a judgement can be made again, to the digit, from what the journal keeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import isfinite
from typing import NamedTuple

from pydantic import AwareDatetime, Field

from crossfade.frozen import Frozen

_HOUR = timedelta(hours=1)


class Colour(StrEnum):
    """Blue is the side of today, green the one on Service Connect."""

    BLUE = "blue"
    GREEN = "green"


class Count(NamedTuple):
    """
    What one colour served in one bucket: requests, and errors among them.

    Errors may exceed requests by a few, since a request is counted when it comes and an
    error when it goes.
    """

    requests: int
    errors: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """
    One closed metric period. None is no data, which is not the same as nothing served.

    `blue_slow` and `green_slow` count slow requests in the place of errors; None where
    nobody asked, or where there is no count.
    """

    start: datetime
    blue: Count | None
    green: Count | None
    blue_slow: Count | None = None
    green_slow: Count | None = None

    def of(self, colour: Colour) -> Count | None:
        """Return this colour's count."""
        return self.blue if colour is Colour.BLUE else self.green

    def slow_of(self, colour: Colour) -> Count | None:
        """Return this colour's count of slow requests."""
        return self.blue_slow if colour is Colour.BLUE else self.green_slow


class Window(Frozen):
    """
    Consecutive closed metric periods, the first beginning at `start`.

    `rows` are (blue requests, blue errors, green requests, green errors), None where
    CloudWatch has no datapoint: short, because every look stores them. `slow` holds, row
    by row, how many requests of blue and of green took longer than `slow_over` seconds or
    were never answered; it is empty where nobody asked.
    """

    start: AwareDatetime
    period_seconds: int = Field(ge=1)
    rows: tuple[tuple[int | None, int | None, int | None, int | None], ...] = ()
    slow_over: float | None = None
    slow: tuple[tuple[int | None, int | None], ...] = ()

    def buckets(self) -> tuple[Bucket, ...]:
        """Return the periods, oldest first."""
        nothing = (None, None)
        return tuple(
            Bucket(
                start=self.start + timedelta(seconds=self.period_seconds * at),
                blue=_count(blue_requests, blue_errors),
                green=_count(green_requests, green_errors),
                blue_slow=_count(blue_requests, blue_slow),
                green_slow=_count(green_requests, green_slow),
            )
            for at, ((blue_requests, blue_errors, green_requests, green_errors), (blue_slow, green_slow)) in enumerate(
                zip(self.rows, self.slow or (nothing,) * len(self.rows), strict=True)
            )
        )

    @classmethod
    def of(
        cls, buckets: Sequence[Bucket], *, start: datetime, period_seconds: int, slow_over: float | None = None
    ) -> Window:
        """Return a window of these buckets, which must follow each other from `start` on."""
        assert all(bucket.start == start + timedelta(seconds=period_seconds * at) for at, bucket in enumerate(buckets))
        nothing = (None, None)
        asked = slow_over is not None
        return cls(
            start=start,
            period_seconds=period_seconds,
            rows=tuple((*(bucket.blue or nothing), *(bucket.green or nothing)) for bucket in buckets),
            slow_over=slow_over,
            slow=tuple((_errors(bucket.blue_slow), _errors(bucket.green_slow)) for bucket in buckets) if asked else (),
        )


Row = tuple[int, int] | None
"""Requests and errors of one metric period inside green; None where nothing was counted."""


class Inside(Frozen):
    """
    A signal inside green, at the place where it is worst.

    `rows` follow the window's periods. The worst was chosen `among` so many, which its bound
    pays for. `allowed` is the ratio of errors that the plan allows.
    """

    signal: str
    subject: str
    among: int = Field(ge=1)
    allowed: float
    rows: tuple[Row, ...] = ()

    def counts(self) -> tuple[Count | None, ...]:
        """Return the counts of the periods."""
        return tuple(None if row is None else Count(*row) for row in self.rows)


class Wanting(Frozen):
    """
    A green service that ECS does not have as it wants it, or a target group (`checked`) whose targets fail its checks.

    `below_seconds` is for how long looks have found fewer tasks than wanted, without a task
    more between two of them; `failure` is why its newest deployment failed, None if it did not.
    """

    service: str
    desired: int
    running: int
    below_since: AwareDatetime | None = None
    below_seconds: int = Field(default=0, ge=0)
    failure: str | None = None
    checked: bool = Field(default=False, exclude_if=lambda checked: not checked)


class Probed(Frozen):
    """What our own requests to green's entry were answered at one look."""

    at: AwareDatetime
    requests: int = Field(ge=0)
    errors: int = Field(ge=0)


class Ejection(Frozen):
    """A green proxy put a task out of use, and meant it (`enforced`)."""

    at: AwareDatetime
    cluster: str = Field(description="Envoy's name of the upstream: the endpoint that was called")
    host: str = Field(description="IP and port of the task")
    kind: str = Field(description="Envoy's outlier type, CONSECUTIVE_5XX for one")


class AlarmState(StrEnum):
    """A CloudWatch alarm's state, in CloudWatch's words; MISSING is ours, for one that is not there."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"
    MISSING = "MISSING"


class Readings(Frozen):
    """
    All that one look saw. `faults` are reasons, in words, why it may not have seen everything.

    `occurred` are the signals of which one is one too many, as (period, how many). `probes`
    are those since the window began, None where the plan has none.
    `unread_seconds` is how long looks have had a fault without a break before this one.
    Without `control` the window counts green alone, by what it was called for inside, and
    no speed. `may_idle` says why green may be sent nothing whatever its share.
    `late` is how late counts have been seen to come, in seconds by namespace, where that is
    later than the plan says; the newest `unsettled` periods are younger, and not whole yet.
    """

    window: Window
    control: bool = True
    may_idle: str = ""
    ejections: tuple[Ejection, ...] = ()
    inside: tuple[Inside, ...] = ()
    occurred: dict[str, tuple[tuple[int, int], ...]] = Field(default_factory=dict)
    wanting: tuple[Wanting, ...] = ()
    probes: tuple[Probed, ...] | None = None
    alarms: dict[str, AlarmState] = Field(default_factory=dict)
    faults: tuple[str, ...] = ()
    unread_seconds: int = Field(default=0, ge=0)
    late: dict[str, int] = Field(default_factory=dict)
    unsettled: int = Field(default=0, ge=0)


def closed_periods(since: datetime, now: datetime, *, period_seconds: int, lag_seconds: int) -> tuple[datetime, int]:
    """
    Return where the first whole period after `since` starts, and how many periods are closed by `now`.

    A period is closed when it ended `lag_seconds` ago. Periods start at multiples of
    their length since 1970, as CloudWatch's do.
    """
    first = -(-int(since.timestamp() * 1_000_000) // (period_seconds * 1_000_000)) * period_seconds
    closed = int((now.timestamp() - lag_seconds - first) // period_seconds)
    return datetime.fromtimestamp(first, UTC), max(0, closed)


def counted(requests: float | None, errors: float | None) -> Count | None:
    """
    Return a bucket's count from two CloudWatch sums.

    Without requests there is no count: CloudWatch publishes the errors' datapoint only
    when there are some, so missing errors are 0 beside requests and unknown without.
    A number that cannot be a count (negative, not finite, not whole) is no data either.
    """
    if requests is None or not _is_count(requests):
        return None
    if errors is not None and not _is_count(errors):
        return None
    return Count(int(requests), int(errors or 0))


def inside_counted(requests: Sequence[float | None], errors: float | None) -> Row:
    """
    Return a period's count inside green from CloudWatch's sums; `requests` are to be added up.

    As `counted`; of a signal that has no requests, because one is one too many, the errors alone.
    """
    known = [value for value in requests if value is not None]
    if not known and (requests or errors is None):
        return None
    count = counted(sum(known), errors)
    return None if count is None else (count.requests, count.errors)


def rated(requests: float | None, percent: float | None) -> Row:
    """Return a period's count from requests and the percentage of them that failed; None without requests."""
    count = counted(requests, None if requests is None or percent is None else round(requests * percent / 100))
    return None if count is None else (count.requests, count.errors)


def added_up(rows: Iterable[Row]) -> Count | None:
    """Return one period's counts of several sources together; None where none of them counted anything."""
    known = [row for row in rows if row is not None]
    return Count(sum(row[0] for row in known), sum(row[1] for row in known)) if known else None


def no_counts(found: Iterable[tuple[str, float]]) -> tuple[str, ...]:
    """Return what is wrong with values inside green, by metric: a count is finite, whole and not below 0."""
    bad = dict.fromkeys(name for name, value in found if not _is_count(value))
    return tuple(f"{name} inside green is no count" for name in bad)


def slow_counted(served: Count | None, answered: float | None) -> Count | None:
    """
    Return a bucket's count of slow requests: those served, less those answered in time.

    Without an answer in time there is no datapoint, so all of them were slow or never
    answered. A few more answers than requests are answers to requests of the bucket before.
    """
    if served is None or (answered is not None and not _is_count(answered)):
        return None
    return Count(served.requests, max(0, served.requests - int(answered or 0)))


def slow_over(answers: Mapping[datetime, float], since: datetime, *, floor_seconds: float) -> float | None:
    """
    Return the seconds over which an answer is slow, from blue's 99th percentile period by period; None of none.

    It is the ninth decile of the last hour's periods before `since`, or of the first hour's
    after it where blue answered nothing before: a period of few requests has its largest
    for its percentile, and one period's hiccup shall not speak for an hour. Rounded to
    milliseconds, as it is asked of CloudWatch and kept.
    """
    known = sorted((at, value) for at, value in answers.items() if isfinite(value) and value >= 0)
    before = [(at, value) for at, value in known if at < since]
    if before:
        chosen = [value for at, value in before if at > before[-1][0] - _HOUR]
    else:
        chosen = [value for at, value in known if at < known[0][0] + _HOUR]
    if not chosen:
        return None
    decile = sorted(chosen)[(9 * len(chosen) - 1) // 10]
    return round(max(decile, floor_seconds), 3)


def wanting(
    service: str, *, desired: int, running: int, failure: str | None, before: Wanting | None, now: datetime
) -> Wanting | None:
    """
    Return what a green service lacks now; None when it lacks nothing.

    The time below counts anew whenever a task more runs than at the look before: a
    service that is being replaced or scaled out is on its way.
    """
    if running >= desired and failure is None:
        return None
    since = None
    if running < desired:
        stands = before is not None and before.below_since is not None and running <= before.running
        since = before.below_since if before is not None and stands else now
    return Wanting(
        service=service,
        desired=desired,
        running=running,
        below_since=since,
        below_seconds=max(0, int((now - since).total_seconds())) if since else 0,
        failure=failure,
    )


def states_of(names: Sequence[str], found: Mapping[str, str]) -> dict[str, AlarmState]:
    """Return each named alarm's state, in the order of the names."""
    return {name: AlarmState(found.get(name, AlarmState.MISSING)) for name in names}


def _is_count(number: float) -> bool:
    return isfinite(number) and number >= 0 and number == int(number)


def _errors(count: Count | None) -> int | None:
    return None if count is None else count.errors


def _count(requests: int | None, errors: int | None) -> Count | None:
    return None if requests is None or errors is None else Count(requests, errors)
