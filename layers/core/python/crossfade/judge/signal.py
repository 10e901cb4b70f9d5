"""
What the judge looks at, as a table.

There are three different 5xx, never to be confused: *edge 5xx* is what users got, *final
5xx* is what a client's proxy gave after its retries, *attempt 5xx* is what a task
answered before any retry. Each signal says in its row what it cannot see; a row is
mirrored in `docs/signals.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Worse(StrEnum):
    """The direction in which a signal gets worse."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, slots=True)
class Metric:
    """A CloudWatch metric, summed over a period: its name, and the dimensions AWS publishes it under."""

    namespace: str
    name: str
    dimensions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Signal:
    """
    One thing that can speak against green.

    `errors` out of `requests` is the ratio looked at, where the source is CloudWatch, or
    `requests` less those answered `in_time`; all are None where it is not. `lag` and
    `blind_to` are for people.
    """

    name: str
    unit: str
    worse: Worse
    source: str
    lag: str
    blind_to: str
    errors: Metric | None = None
    requests: Metric | None = None
    in_time: Metric | None = None


_TARGET_GROUP = ("TargetGroup", "LoadBalancer")

EDGE_5XX = Signal(
    name="edge_5xx",
    unit="5xx answers of the targets per request, by target group",
    worse=Worse.HIGHER,
    source="AWS/ApplicationELB",
    lag="the metric period, plus the plan's metric_lag_seconds",
    blind_to=(
        "502, 503 and 504 that the load balancer makes itself when a target resets or is silent (see "
        "slow_request) or refuses (see edge_refused); faults that the proxies' retries hide; errors inside a 200 "
        "(gRPC); slow answers"
    ),
    errors=Metric("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", _TARGET_GROUP),
    requests=Metric("AWS/ApplicationELB", "RequestCount", _TARGET_GROUP),
)
"""A period without a 5xx has no datapoint of it, so it reads 0 where requests were counted, and nothing elsewhere."""

EDGE_REFUSED = Signal(
    name="edge_refused",
    unit="connections that a target refused, per request, by target group",
    worse=Worse.HIGHER,
    source="AWS/ApplicationELB",
    lag="the metric period, plus the plan's metric_lag_seconds",
    blind_to="connections that are accepted and then reset or left silent; everything between proxies behind the edge",
    errors=Metric("AWS/ApplicationELB", "TargetConnectionErrorCount", _TARGET_GROUP),
    requests=Metric("AWS/ApplicationELB", "RequestCount", _TARGET_GROUP),
)

EDGE_TLS = Signal(
    name="edge_tls",
    unit="TLS negotiations that failed with a target, per request, by target group",
    worse=Worse.HIGHER,
    source="AWS/ApplicationELB",
    lag="the metric period, plus the plan's metric_lag_seconds",
    blind_to="TLS between users and the load balancer, and between proxies behind the edge; plain HTTP target groups",
    errors=Metric("AWS/ApplicationELB", "TargetTLSNegotiationErrorCount", _TARGET_GROUP),
    requests=Metric("AWS/ApplicationELB", "RequestCount", _TARGET_GROUP),
)

SLOW_REQUEST = Signal(
    name="slow_request",
    unit="requests slower than blue's own 99th percentile, or never answered, per request, by target group",
    worse=Worse.HIGHER,
    source="AWS/ApplicationELB",
    lag="the metric period, plus the plan's metric_lag_seconds",
    blind_to=(
        "slowness between blue's usual answer and its 99th percentile; anything faster than the plan's "
        "slow_floor_seconds; what users wait before the load balancer has sent the request to a target"
    ),
    requests=Metric("AWS/ApplicationELB", "RequestCount", _TARGET_GROUP),
    in_time=Metric("AWS/ApplicationELB", "TargetResponseTime", _TARGET_GROUP),
)
"""Counted with the statistic TC(:seconds), the number of values up to a bound, so that no percentile is compared."""

ENFORCED_EJECTION = Signal(
    name="enforced_ejection",
    unit="tasks put out of use by a green proxy",
    worse=Worse.HIGHER,
    source="the proxies' log (Envoy OutlierDetectionEvent lines)",
    lag="the log's way to CloudWatch: seconds to a minute",
    blind_to=(
        "a service with one task, which is never ejected; ejections that Envoy suppresses because too many "
        "tasks are bad; lines that a non-blocking log driver drops"
    ),
)

OPERATOR_ALARM = Signal(
    name="operator_alarm",
    unit="alarms of the plan that are in ALARM",
    worse=Worse.HIGHER,
    source="CloudWatch alarms",
    lag="the alarm's own",
    blind_to="whatever the operator's alarms do not watch",
)

EDGE_ERRORS: tuple[Signal, ...] = (EDGE_5XX, EDGE_REFUSED, EDGE_TLS)
"""What the judge adds up to an edge's errors: a request fails in one of these ways only."""

SIGNALS: tuple[Signal, ...] = (*EDGE_ERRORS, SLOW_REQUEST, ENFORCED_EJECTION, OPERATOR_ALARM)
