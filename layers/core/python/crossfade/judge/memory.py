"""Feeds and alarms in memory, under the same contract as CloudWatch's, for tests and simulations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from math import ceil

from crossfade.errors import LogsBusy, MetricsBusy
from crossfade.journal.edges import ResolvedEdge
from crossfade.judge.feeds import EdgeRead, InsideRead, LogRead
from crossfade.judge.inside import Series, Source
from crossfade.judge.meter import Measures
from crossfade.judge.proxylog import LogLine
from crossfade.judge.reading import (
    AlarmState,
    Bucket,
    Row,
    Window,
    counted,
    inside_counted,
    no_counts,
    rated,
    slow_counted,
    states_of,
)


class MemoryMetrics:
    """`EdgeMetrics` of what was recorded, by target group, to the second. `busy` is why it throttles, if it does."""

    def __init__(self, *, busy: str = "") -> None:
        self.busy = busy
        self.faults: tuple[str, ...] = ()
        self._sums: dict[tuple[str | None, str], dict[datetime, float]] = {}
        self._answers: dict[str | None, list[tuple[datetime, float]]] = {}
        self._inside: dict[Series, dict[datetime, float]] = {}

    def record(
        self,
        group: str,
        at: datetime,
        *,
        requests: float | None = None,
        errors: float | None = None,
        answers: Mapping[float, int] | None = None,
    ) -> None:
        """Add to a target group's sums at a time; None publishes nothing. `answers` are response times and how many."""
        for seconds, count in (answers or {}).items():
            self._answers.setdefault(group, []).extend([(at, seconds)] * count)
        for name, value in (("requests", requests), ("errors", errors)):
            if value is not None:
                series = self._sums.setdefault((group, name), {})
                series[at] = series.get(at, 0.0) + value

    def count(self, series: Series, at: datetime, value: float) -> None:
        """Add to what was counted inside green at a time."""
        sums = self._inside.setdefault(series, {})
        sums[at] = sums.get(at, 0.0) + value

    def inside(self, asked: Sequence[Source], *, start: datetime, periods: int, period_seconds: int) -> InsideRead:
        """See `EdgeMetrics`."""
        if self.busy:
            raise MetricsBusy(self.busy)
        period = timedelta(seconds=period_seconds)

        def of(series: Series, number: int) -> float | None:
            first = start + period * number
            found = [v for at, v in self._inside.get(series, {}).items() if first <= at < first + period]
            return sum(found) if found else None

        def row(source: Source, number: int) -> Row:
            return inside_counted([of(series, number) for series in source.requests], of(source.errors, number))

        end = start + period * periods
        bad = no_counts(
            (series.metric.name, value)
            for source in asked
            for series in (source.errors, *source.requests)
            for at, value in self._inside.get(series, {}).items()
            if start <= at < end
        )
        if self.faults or bad:
            return InsideRead(tuple((None,) * periods for _ in asked), self.faults or bad)
        rows = tuple(tuple(row(source, number) for number in range(periods)) for source in asked)
        return InsideRead(rows)

    def read(
        self, edge: ResolvedEdge, *, start: datetime, periods: int, period_seconds: int, slow_over: float | None = None
    ) -> EdgeRead:
        """See `EdgeMetrics`."""
        if self.busy:
            raise MetricsBusy(self.busy)
        period = timedelta(seconds=period_seconds)

        def in_time(group: str | None) -> list[float | None]:
            found = [0.0] * periods
            for at, seconds in self._answers.get(group, ()):
                if start <= at < start + period * periods and seconds <= (slow_over or 0):
                    found[(at - start) // period] += 1
            return [None if self.faults else count for count in found]

        def sums(group: str | None, name: str) -> list[float | None]:
            found: list[float | None] = [None] * periods
            for at, value in self._sums.get((group, name), {}).items():
                if start <= at < start + period * periods and not self.faults:
                    index = (at - start) // period
                    found[index] = (found[index] or 0.0) + value
            return found

        blue = [
            counted(*both) for both in zip(sums(edge.blue_arn, "requests"), sums(edge.blue_arn, "errors"), strict=True)
        ]
        green = [
            counted(*both)
            for both in zip(sums(edge.green_arn, "requests"), sums(edge.green_arn, "errors"), strict=True)
        ]
        blue_in_time, green_in_time = in_time(edge.blue_arn), in_time(edge.green_arn)
        buckets = [
            Bucket(
                start + period * at,
                blue[at],
                green[at],
                blue_slow=None if slow_over is None else slow_counted(blue[at], blue_in_time[at]),
                green_slow=None if slow_over is None else slow_counted(green[at], green_in_time[at]),
            )
            for at in range(periods)
        ]
        window = Window.of(buckets, start=start, period_seconds=period_seconds, slow_over=slow_over)
        return EdgeRead(window, self.faults)

    def blue_p99(
        self, edge: ResolvedEdge, *, start: datetime, end: datetime, period_seconds: int
    ) -> Mapping[datetime, float]:
        """See `EdgeMetrics`."""
        if self.busy:
            raise MetricsBusy(self.busy)
        periods: dict[datetime, list[float]] = {}
        for at, seconds in self._answers.get(edge.blue_arn, ()):
            if start <= at < end:
                period = start + (at - start) // timedelta(seconds=period_seconds) * timedelta(seconds=period_seconds)
                periods.setdefault(period, []).append(seconds)
        return {at: sorted(found)[ceil(0.99 * len(found)) - 1] for at, found in periods.items()}


class MemoryViewers:
    """`ViewerMetrics` of what was recorded, by distribution. `busy` is why it throttles, if it does."""

    def __init__(self, *, busy: str = "") -> None:
        self.busy = busy
        self._counts: dict[str, list[tuple[datetime, int, float]]] = {}

    def record(self, distribution: str, at: datetime, *, requests: int, percent: float = 0.0) -> None:
        """Count requests of a period, and the percentage of them that failed."""
        self._counts.setdefault(distribution, []).append((at, requests, percent))

    def viewers(self, distribution: str, *, start: datetime, periods: int, period_seconds: int) -> InsideRead:
        """See `ViewerMetrics`."""
        if self.busy:
            raise MetricsBusy(self.busy)
        rows: list[Row] = [None] * periods
        for at, requests, percent in self._counts.get(distribution, []):
            number = (at - start) // timedelta(seconds=period_seconds)
            if 0 <= number < periods:
                rows[number] = rated(requests, percent)
        return InsideRead((tuple(rows),))


class MemoryAlarms:
    """`Alarms` that are in the state they were put in. `busy` is why it throttles, if it does."""

    def __init__(self, states: Mapping[str, str] | None = None, *, busy: str = "") -> None:
        self.busy = busy
        self.found: dict[str, str] = dict(states or {})

    def states(self, names: Sequence[str]) -> dict[str, AlarmState]:
        """See `Alarms`."""
        if self.busy:
            raise MetricsBusy(self.busy)
        return states_of(names, self.found)

    def in_alarm(self, names: Iterable[str]) -> frozenset[str]:
        """See `Alarms`."""
        states = self.states(sorted(set(names)))
        return frozenset(name for name, state in states.items() if state is AlarmState.ALARM)


class MemoryProxyLogs:
    """`ProxyLogs` of the lines written here, by log group. `busy` is why it throttles, if it does."""

    def __init__(self, *groups: str, busy: str = "") -> None:
        self.busy = busy
        self._lines: dict[str, list[LogLine]] = {group: [] for group in groups}

    def write(self, group: str, at: datetime, text: str) -> None:
        """Write a line."""
        self._lines.setdefault(group, []).append(LogLine(at, text))

    def read(self, group: str, *, since: datetime, until: datetime) -> LogRead:
        """See `ProxyLogs`."""
        if self.busy:
            raise LogsBusy(self.busy)
        if group not in self._lines:
            return LogRead((), (f"there is no log group {group}, so ejections cannot be seen",))
        return LogRead(
            tuple(line for line in self._lines[group] if since <= line.at < until and "upstream_url" in line.text)
        )


class MemoryLookMeter:
    """`LookMeter` that keeps what is published."""

    def __init__(self) -> None:
        self.published: list[tuple[str, str, datetime, Measures]] = []

    def publish(self, migration: str, edge: str, at: datetime, measures: Measures) -> None:
        """See `LookMeter`."""
        self.published.append((migration, edge, at, measures))
