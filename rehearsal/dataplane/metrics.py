"""
From measured requests to CloudWatch's data, under AWS's names and with AWS's meaning. Pure.

A request is counted when it ends. Counts of a period become one datum each, stamped with the period's beginning; a
count of zero is a datum where AWS publishes zeros (RequestCount) and none where it does not (error codes).

Sources:
    Elastic Load Balancing user guide, "CloudWatch metrics for your Application Load Balancer".
    ECS developer guide, "Amazon ECS CloudWatch metrics": Service Connect. There the ServiceName and ClusterName beside
    a TargetDiscoveryName are the *client's*, and HTTPCode_Target_* counts answers of the application alone: what a
    proxy answers itself (no healthy host, timeout, connection failure) is not among them.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rehearsal.dataplane.proxy import EGRESS, GRPC_INGRESS, INGRESS, MEASURE

ECS = "AWS/ECS"
ALB = "AWS/ApplicationELB"
VALUES_PER_DATUM = 150  # PutMetricData, Values: at most 150 unique values
FIELDS = 13

Dimensions = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Served:
    """
    One request as a proxy saw it end. `role` and `subject` are those of `proxy.measured_log`.

    `by_upstream` is whether the answer came from the other side and not from the proxy itself; `host` is the one tried
    last, None where there was none. `answer_seconds` is the time to the first byte of the answer.
    """

    role: str
    subject: str
    ended_at: float
    code: int
    by_upstream: bool
    flags: frozenset[str]
    cluster: str
    host: str | None
    answer_seconds: float | None
    bytes: int


def read_measure(line: str) -> Served | None:
    """Read a line written for metrics; None for any other line."""
    words = line.split()
    if len(words) != FIELDS or words[0] != MEASURE:
        return None
    _, role, subject, start, duration, code, details, flags, cluster, host, answered, received, sent = words
    return Served(
        role=role,
        subject=subject,
        ended_at=float(start) + int(duration) / 1000,
        code=int(code),
        by_upstream=details == "via_upstream",
        flags=frozenset(() if flags == "-" else flags.split(",")),
        cluster=cluster,
        host=None if host == "-" else host,
        answer_seconds=None if answered == "-" else int(answered) / 1000,
        bytes=int(received) + int(sent),
    )


@dataclass(frozen=True, slots=True)
class Series:
    """One metric of CloudWatch: namespace, name, unit, and dimensions in AWS's order."""

    namespace: str
    name: str
    unit: str
    dimensions: Dimensions


class Meter:
    """
    Counts and values of each period, kept until the period is closed. Safe to use from many threads.

    What arrives for a period already closed leaves with the next close, as a further datum of its own period: late,
    never lost.
    """

    def __init__(self, period_seconds: int) -> None:
        assert period_seconds >= 1
        self.period_seconds = period_seconds
        self._lock = threading.Lock()
        self._sums: dict[int, dict[Series, float]] = defaultdict(lambda: defaultdict(float))
        self._values: dict[int, dict[Series, Counter[float]]] = defaultdict(lambda: defaultdict(Counter))

    def count(self, series: Series, at: float, amount: float = 1) -> None:
        """Add to a period's sum. An amount of 0 makes the period's datum exist."""
        with self._lock:
            self._sums[self._start(at)][series] += amount

    def observe(self, series: Series, at: float, value: float) -> None:
        """Add one value to a period's distribution, kept to three significant digits."""
        with self._lock:
            self._values[self._start(at)][series][float(f"{value:.3g}")] += 1

    def close(self, until: float) -> dict[str, list[dict[str, Any]]]:
        """Take out the data of every period that ended by `until`, as PutMetricData wants them, by namespace."""
        data: dict[str, list[dict[str, Any]]] = defaultdict(list)
        with self._lock:
            for start in sorted(self._ended(self._sums, until)):
                for series, total in self._sums.pop(start).items():
                    data[series.namespace].append({**_datum(series, start), "Value": total})
            for start in sorted(self._ended(self._values, until)):
                for series, counted in self._values.pop(start).items():
                    ordered = sorted(counted.items())
                    for first in range(0, len(ordered), VALUES_PER_DATUM):
                        part = ordered[first : first + VALUES_PER_DATUM]
                        values, counts = [value for value, _ in part], [float(n) for _, n in part]
                        data[series.namespace].append({**_datum(series, start), "Values": values, "Counts": counts})
        return dict(data)

    def _start(self, at: float) -> int:
        return int(at // self.period_seconds) * self.period_seconds

    def _ended(self, periods: Iterable[int], until: float) -> list[int]:
        return [start for start in periods if start + self.period_seconds <= until]


def _datum(series: Series, start: int) -> dict[str, Any]:
    return {
        "MetricName": series.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in series.dimensions],
        "Timestamp": datetime.fromtimestamp(start, UTC),
        "Unit": series.unit,
        "StorageResolution": 1,
    }


# -- the edge --------------------------------------------------------------------------------------------------------


def alb_series(name: str, unit: str, load_balancer: str, target_group: str | None) -> tuple[Series, ...]:
    """Return a load balancer metric in each of its dimension sets: per target group, if any, and over all."""
    whole: Dimensions = (("LoadBalancer", load_balancer),)
    if target_group is None:
        return (Series(ALB, name, unit, whole),)
    return (Series(ALB, name, unit, (("TargetGroup", target_group), *whole)), Series(ALB, name, unit, whole))


def count_at_edge(meter: Meter, served: Served, target_groups: Mapping[str, str]) -> None:
    """
    Count one request that ended at the edge.

    `served.subject` is the load balancer (`app/name/id`); `target_groups` maps clusters to `targetgroup/name/id`.
    RequestCount holds the requests for which a target could be chosen, as AWS's does.
    """
    load_balancer, target_group = served.subject, target_groups.get(served.cluster)

    def add(name: str, group: str | None) -> None:
        for series in alb_series(name, "Count", load_balancer, group):
            meter.count(series, served.ended_at)

    if target_group is not None and served.host is not None:
        add("RequestCount", target_group)
        if served.flags & {"UF"}:
            add("TargetConnectionErrorCount", target_group)
    if served.by_upstream and target_group is not None:
        add(f"HTTPCode_Target_{served.code // 100}XX_Count", target_group)
        if served.answer_seconds is not None:
            for series in alb_series("TargetResponseTime", "Seconds", load_balancer, target_group):
                meter.observe(series, served.ended_at, served.answer_seconds)
    elif served.code // 100 in {4, 5}:
        add(f"HTTPCode_ELB_{served.code // 100}XX_Count", None)


# -- Service Connect -------------------------------------------------------------------------------------------------


def connect_series(name: str, unit: str, dimension: str, discovery: str, owner: tuple[str, str]) -> tuple[Series, ...]:
    """Return a Service Connect metric in both its dimension sets; `owner` is (service, cluster)."""
    service, cluster = owner
    alone: Dimensions = ((dimension, discovery),)
    return (
        Series(ECS, name, unit, alone),
        Series(ECS, name, unit, (*alone, ("ServiceName", service), ("ClusterName", cluster))),
    )


def count_at_proxy(meter: Meter, served: Served, owner: tuple[str, str], discovery_names: Mapping[str, str]) -> None:
    """
    Count one request that ended at the proxy of a task of `owner` (service, cluster).

    Its ingress counts RequestCount of the endpoint it serves; its egress counts final answers, after retries, of the
    endpoint it called. `discovery_names` maps the egress clusters to discovery names. gRPC has a request count of its
    own, and no codes: its errors come inside a 200.
    """
    if served.role in {INGRESS, GRPC_INGRESS}:
        amounts = [("RequestCount", "Count", 1), ("ProcessedBytes", "Bytes", served.bytes)]
        if served.role == GRPC_INGRESS:
            amounts.append(("GrpcRequestCount", "Count", 1))
        for name, unit, amount in amounts:
            for series in connect_series(name, unit, "DiscoveryName", served.subject, owner):
                meter.count(series, served.ended_at, amount)
        return
    discovery = discovery_names.get(served.cluster)
    if discovery is None or not served.by_upstream:
        return
    amounts = [("TargetProcessedBytes", "Bytes", served.bytes)]
    if served.role == EGRESS:
        amounts.append((f"HTTPCode_Target_{served.code // 100}XX_Count", "Count", 1))
    for name, unit, amount in amounts:
        for series in connect_series(name, unit, "TargetDiscoveryName", discovery, owner):
            meter.count(series, served.ended_at, amount)
    if served.answer_seconds is not None:
        for series in connect_series("TargetResponseTime", "Milliseconds", "TargetDiscoveryName", discovery, owner):
            meter.observe(series, served.ended_at, served.answer_seconds * 1000)
