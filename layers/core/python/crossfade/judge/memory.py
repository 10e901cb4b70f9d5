"""Feeds and alarms in memory, under the same contract as CloudWatch's, for tests and simulations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from crossfade.journal.model import AlbEdge
from crossfade.judge.feeds import EdgeRead, LogRead
from crossfade.judge.proxylog import LogLine
from crossfade.judge.reading import AlarmState, Bucket, Window, counted, states_of


class MemoryMetrics:
    """`EdgeMetrics` of what was recorded, by target group, to the second."""

    def __init__(self) -> None:
        self.faults: tuple[str, ...] = ()
        self._sums: dict[tuple[str, str], dict[datetime, float]] = {}

    def record(self, group: str, at: datetime, *, requests: float | None = None, errors: float | None = None) -> None:
        """Add to a target group's sums at a time; None publishes nothing."""
        for name, value in (("requests", requests), ("errors", errors)):
            if value is not None:
                series = self._sums.setdefault((group, name), {})
                series[at] = series.get(at, 0.0) + value

    def read(self, edge: AlbEdge, *, start: datetime, periods: int, period_seconds: int) -> EdgeRead:
        """See `EdgeMetrics`."""
        period = timedelta(seconds=period_seconds)
        starts = [start + period * at for at in range(periods)]
        buckets = [
            Bucket(
                start=at,
                blue=counted(*self._of(edge.blue_arn, at, at + period)),
                green=counted(*self._of(edge.green_arn, at, at + period)),
            )
            for at in starts
        ]
        return EdgeRead(Window.of(buckets, start=start, period_seconds=period_seconds), self.faults)

    def _of(self, group: str | None, start: datetime, end: datetime) -> tuple[float | None, float | None]:
        if self.faults or group is None:
            return None, None
        found = [
            [value for at, value in self._sums.get((group, name), {}).items() if start <= at < end]
            for name in ("requests", "errors")
        ]
        requests, errors = (sum(values) if values else None for values in found)
        return requests, errors


class MemoryAlarms:
    """`Alarms` that are in the state they were put in."""

    def __init__(self, states: Mapping[str, str] | None = None) -> None:
        self.found: dict[str, str] = dict(states or {})

    def states(self, names: Sequence[str]) -> dict[str, AlarmState]:
        """See `Alarms`."""
        return states_of(names, self.found)

    def in_alarm(self, names: Iterable[str]) -> frozenset[str]:
        """See `Alarms`."""
        return frozenset(name for name in names if self.found.get(name) == AlarmState.ALARM)


class MemoryProxyLogs:
    """`ProxyLogs` of the lines written here, by log group."""

    def __init__(self, *groups: str) -> None:
        self._lines: dict[str, list[LogLine]] = {group: [] for group in groups}

    def write(self, group: str, at: datetime, text: str) -> None:
        """Write a line."""
        self._lines.setdefault(group, []).append(LogLine(at, text))

    def read(self, group: str, *, since: datetime, until: datetime) -> LogRead:
        """See `ProxyLogs`."""
        if group not in self._lines:
            return LogRead((), (f"there is no log group {group}, so ejections cannot be seen",))
        return LogRead(
            tuple(line for line in self._lines[group] if since <= line.at < until and "upstream_url" in line.text)
        )
