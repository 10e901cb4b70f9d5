"""The ports to what is measured: an edge's requests, and the log of green's proxies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from crossfade.journal.edges import ResolvedEdge
from crossfade.judge.inside import Source
from crossfade.judge.proxylog import LogLine
from crossfade.judge.reading import Row, Window


class EdgeRead(NamedTuple):
    """Both colours' counts, and the reasons why they may not be whole. With a reason there are no counts."""

    window: Window
    faults: tuple[str, ...] = ()


class InsideRead(NamedTuple):
    """The counts of every source asked for, and the reasons why they may not be whole. With a reason all are empty."""

    rows: tuple[tuple[Row, ...], ...]
    faults: tuple[str, ...] = ()


class LogRead(NamedTuple):
    """A log's lines, and the reasons why some may be missing."""

    lines: tuple[LogLine, ...]
    faults: tuple[str, ...] = ()


class EdgeMetrics(Protocol):
    """
    What an edge's target groups served.

    Every implementation must pass `tests/contract/test_readings.py`.
    """

    def read(
        self, edge: ResolvedEdge, *, start: datetime, periods: int, period_seconds: int, slow_over: float | None = None
    ) -> EdgeRead:
        """
        Return the counts of `periods` metric periods from `start`, which is a multiple of their length.

        A period without a datapoint stays empty; see `judge.reading.counted`. With
        `slow_over` (seconds), slow requests are counted too; see `judge.reading.slow_counted`.

        Raises:
            MetricsBusy: CloudWatch throttles.
        """
        ...

    def blue_p99(
        self, edge: ResolvedEdge, *, start: datetime, end: datetime, period_seconds: int
    ) -> Mapping[datetime, float]:
        """
        Return blue's 99th percentile of response times, in seconds, for each metric period that has one.

        Raises:
            MetricsBusy: CloudWatch throttles, or answers in part.
        """
        ...

    def inside(self, asked: Sequence[Source], *, start: datetime, periods: int, period_seconds: int) -> InsideRead:
        """
        Return what was counted inside green, for each source the counts of `periods` periods from `start`.

        A period without requests has no count, whatever errors it has; where one error is
        too many (a source without requests), it has one with errors alone.

        Raises:
            MetricsBusy: CloudWatch throttles.
        """
        ...


class ViewerMetrics(Protocol):
    """
    What CloudFront answered to users.

    Every implementation must pass `tests/contract/test_readings.py`.
    """

    def viewers(self, distribution: str, *, start: datetime, periods: int, period_seconds: int) -> InsideRead:
        """
        Return the one source's counts of `periods` periods from `start`: requests, and 5xx among them.

        A period without requests has no count.

        Raises:
            MetricsBusy: CloudWatch throttles.
        """
        ...


class ProxyLogs(Protocol):
    """
    What green's proxies wrote.

    Every implementation must pass `tests/contract/test_readings.py`.
    """

    def read(self, group: str, *, since: datetime, until: datetime) -> LogRead:
        """
        Return the lines on outlier events from `since` up to `until`; other lines may be among them.

        A log group that does not exist is a fault, not an empty log.

        Raises:
            LogsBusy: CloudWatch Logs throttles.
        """
        ...
