"""Reads CloudWatch: an edge's requests by target group, and the operator's own alarms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from crossfade.errors import MetricsBusy
from crossfade.journal.edges import ResolvedEdge
from crossfade.judge.feeds import EdgeRead, InsideRead
from crossfade.judge.inside import Series, Source, dimensions
from crossfade.judge.reading import (
    AlarmState,
    Bucket,
    Colour,
    Count,
    Row,
    Window,
    counted,
    inside_counted,
    no_counts,
    rated,
    slow_counted,
    states_of,
)
from crossfade.judge.signal import EDGE_5XX, EDGE_ERRORS, SLOW_REQUEST, VIEWER_5XX, Metric
from crossfade.throttles import asking

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef

_NAMES_AT_ONCE = 100  # DescribeAlarms takes no more
_QUERIES_AT_ONCE = 500  # GetMetricData takes no more

_BLUE_P99 = "blue_p99"

_Series = dict[datetime, float]


class CloudWatchMetrics:
    """`EdgeMetrics` from GetMetricData: all series in one call, and its further pages."""

    def __init__(self, client: CloudWatchClient) -> None:
        self._client = client

    def read(
        self, edge: ResolvedEdge, *, start: datetime, periods: int, period_seconds: int, slow_over: float | None = None
    ) -> EdgeRead:
        """See `EdgeMetrics`."""
        starts = [start + timedelta(seconds=period_seconds * at) for at in range(periods)]
        if not starts:
            return EdgeRead(Window(start=start, period_seconds=period_seconds, slow_over=slow_over))
        end = start + timedelta(seconds=period_seconds * periods)
        series, faults = _series(self._client, _queries(edge, period_seconds, slow_over), start, end)
        if faults:
            series = {}
        asked = slow_over is not None
        buckets = [
            Bucket(
                start=at,
                blue=_count(series, Colour.BLUE, at),
                green=_count(series, Colour.GREEN, at),
                blue_slow=_slow(series, Colour.BLUE, at) if asked else None,
                green_slow=_slow(series, Colour.GREEN, at) if asked else None,
            )
            for at in starts
        ]
        window = Window.of(buckets, start=start, period_seconds=period_seconds, slow_over=slow_over)
        return EdgeRead(window, faults)

    def blue_p99(
        self, edge: ResolvedEdge, *, start: datetime, end: datetime, period_seconds: int
    ) -> Mapping[datetime, float]:
        """See `EdgeMetrics`."""
        assert SLOW_REQUEST.in_time is not None
        query = _query(
            _BLUE_P99, SLOW_REQUEST.in_time, edge.load_balancer_arn, edge.blue_arn, period_seconds, statistic="p99"
        )
        series, faults = _series(self._client, [query], start, end)
        if faults:
            raise MetricsBusy("; ".join(faults))
        return series[_BLUE_P99]

    def inside(self, asked: Sequence[Source], *, start: datetime, periods: int, period_seconds: int) -> InsideRead:
        """See `EdgeMetrics`."""
        nothing = InsideRead(tuple((None,) * periods for _ in asked))
        if not periods or not asked:
            return nothing
        wanted = dict.fromkeys(series for source in asked for series in (source.errors, *source.requests))
        names = {series: f"inside_{number}" for number, series in enumerate(wanted)}
        queries = [_stat(name, series, period_seconds) for series, name in names.items()]
        end = start + timedelta(seconds=period_seconds * periods)
        found: dict[str, _Series] = {}
        for first in range(0, len(queries), _QUERIES_AT_ONCE):
            part, faults = _series(self._client, queries[first : first + _QUERIES_AT_ONCE], start, end)
            if faults:
                said = {name: series.metric.name for series, name in names.items()}
                return InsideRead(nothing.rows, tuple(_named(fault, said) for fault in faults))
            found |= part
        bad = no_counts((series.metric.name, value) for series, name in names.items() for value in found[name].values())
        if bad:
            return InsideRead(nothing.rows, bad)
        starts = [start + timedelta(seconds=period_seconds * at) for at in range(periods)]
        return InsideRead(tuple(_rows(source, names, found, starts) for source in asked))


class CloudWatchViewers:
    """`ViewerMetrics` from GetMetricData, by a client of the Region in which CloudFront publishes."""

    def __init__(self, client: Callable[[], CloudWatchClient]) -> None:
        self._client = client

    def viewers(self, distribution: str, *, start: datetime, periods: int, period_seconds: int) -> InsideRead:
        """See `ViewerMetrics`."""
        assert VIEWER_5XX.requests is not None
        assert VIEWER_5XX.errors is not None
        if not periods:
            return InsideRead(((),))
        values = (distribution, "Global")
        queries = [
            _stat("requests", Series(VIEWER_5XX.requests, values), period_seconds),
            _stat("percent", Series(VIEWER_5XX.errors, values), period_seconds, statistic="Average"),
        ]
        end = start + timedelta(seconds=period_seconds * periods)
        found, faults = _series(self._client(), queries, start, end)
        if faults:
            return InsideRead(((None,) * periods,), faults)
        starts = [start + timedelta(seconds=period_seconds * at) for at in range(periods)]
        return InsideRead((tuple(rated(found["requests"].get(at), found["percent"].get(at)) for at in starts),))


class CloudWatchAlarms:
    """
    `Alarms` from DescribeAlarms.

    What is not in the client's Region is looked for in that of `further`, which is made
    when it is first needed: alarms on CloudFront live in us-east-1. A name that both
    Regions have is the alarm of the first.
    """

    def __init__(
        self, client: CloudWatchClient, *, further: Callable[[], CloudWatchClient | None] = lambda: None
    ) -> None:
        self._client = client
        self._further = further

    def states(self, names: Sequence[str]) -> dict[str, AlarmState]:
        """See `Alarms`."""
        found = self._found(self._client, names)
        missing = [name for name in names if name not in found]
        further = self._further() if missing else None
        if further is not None:
            found |= self._found(further, missing)
        return states_of(names, found)

    def in_alarm(self, names: Iterable[str]) -> frozenset[str]:
        """See `Alarms`."""
        states = self.states(sorted(set(names)))
        return frozenset(name for name, state in states.items() if state is AlarmState.ALARM)

    @staticmethod
    def _found(client: CloudWatchClient, names: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        with asking("DescribeAlarms", MetricsBusy):
            for first in range(0, len(names), _NAMES_AT_ONCE):
                for page in client.get_paginator("describe_alarms").paginate(
                    AlarmNames=names[first : first + _NAMES_AT_ONCE],
                    AlarmTypes=["MetricAlarm", "CompositeAlarm"],  # without this, no composite ones
                ):
                    found |= {alarm["AlarmName"]: alarm["StateValue"] for alarm in page.get("MetricAlarms", [])}
                    found |= {alarm["AlarmName"]: alarm["StateValue"] for alarm in page.get("CompositeAlarms", [])}
        return found


def _series(
    client: CloudWatchClient, queries: Sequence[MetricDataQueryTypeDef], start: datetime, end: datetime
) -> tuple[dict[str, _Series], tuple[str, ...]]:
    series: dict[str, _Series] = {query["Id"]: {} for query in queries}
    status: dict[str, str] = {query["Id"]: "nothing" for query in queries}
    with asking("GetMetricData", MetricsBusy):
        for page in client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries, StartTime=start, EndTime=end, ScanBy="TimestampAscending"
        ):
            for result in page["MetricDataResults"]:
                name = result["Id"]
                series[name].update(zip(result.get("Timestamps", []), result.get("Values", []), strict=True))
                status[name] = result.get("StatusCode", "Complete")  # of a page with a next one: PartialData
    return series, _faults(status)


def _queries(edge: ResolvedEdge, period_seconds: int, slow_over: float | None) -> list[MetricDataQueryTypeDef]:
    ends = {
        Colour.BLUE: (edge.load_balancer_arn, edge.blue_arn),
        Colour.GREEN: (edge.green_balancer_arn, edge.green_arn),
    }
    asked = [("requests", EDGE_5XX.requests, "Sum"), *((each.name, each.errors, "Sum") for each in EDGE_ERRORS)]
    if slow_over is not None:
        asked.append(("in_time", SLOW_REQUEST.in_time, f"TC(:{slow_over:g})"))
    return [
        _query(f"{colour}_{what}", metric, balancer, group, period_seconds, statistic=statistic)
        for colour, (balancer, group) in ends.items()
        if group is not None
        for what, metric, statistic in asked
        if metric is not None
    ]


def _query(
    name: str, metric: Metric, load_balancer: str, group: str, period_seconds: int, *, statistic: str
) -> MetricDataQueryTypeDef:
    known = {"TargetGroup": group.rpartition(":")[2], "LoadBalancer": load_balancer.partition(":loadbalancer/")[2]}
    series = Series(metric, tuple(known[dimension] for dimension in metric.dimensions))
    return _stat(name, series, period_seconds, statistic=statistic)


def _stat(name: str, series: Series, period_seconds: int, *, statistic: str = "Sum") -> MetricDataQueryTypeDef:
    return {
        "Id": name,
        "MetricStat": {
            "Metric": {
                "Namespace": series.metric.namespace,
                "MetricName": series.metric.name,
                "Dimensions": [{"Name": each, "Value": value} for each, value in dimensions(series).items()],
            },
            "Period": period_seconds,
            "Stat": statistic,
        },
        "ReturnData": True,
    }


def _rows(
    source: Source, names: Mapping[Series, str], found: Mapping[str, _Series], starts: Sequence[datetime]
) -> tuple[Row, ...]:
    def at(series: Series, when: datetime) -> float | None:
        return found[names[series]].get(when)

    return tuple(
        inside_counted([at(series, when) for series in source.requests], at(source.errors, when)) for when in starts
    )


def _named(fault: str, said: Mapping[str, str]) -> str:
    """Return a fault with the metric's own name in the place of its number."""
    words = fault.split(" of ", 1)
    return f"{words[0]} of {said.get(words[1].replace(' ', '_'), words[1])} inside green"


def _count(series: dict[str, _Series], colour: Colour, at: datetime) -> Count | None:
    found = [value for each in EDGE_ERRORS if (value := series.get(f"{colour}_{each.name}", {}).get(at)) is not None]
    # Two that cannot be counts could sum to one that can, so each is asked alone.
    bad = next((value for value in found if counted(1, value) is None), None)
    errors = bad if bad is not None else sum(found) if found else None
    return counted(series.get(f"{colour}_requests", {}).get(at), errors)


def _slow(series: dict[str, _Series], colour: Colour, at: datetime) -> Count | None:
    return slow_counted(_count(series, colour, at), series.get(f"{colour}_in_time", {}).get(at))


def _faults(status: dict[str, str]) -> tuple[str, ...]:
    return tuple(
        f"CloudWatch says {code} of {name.replace('_', ' ')}" for name, code in status.items() if code != "Complete"
    )
