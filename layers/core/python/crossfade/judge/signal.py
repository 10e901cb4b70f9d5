"""
What the judge looks at, as a table.

There are three different 5xx, never to be confused: *edge 5xx* is what users got, *final
5xx* is what a client's proxy gave after its retries, *attempt 5xx* is what a task
answered before any retry. Each signal says in its row what it cannot see; a row is
mirrored in `docs/signals.md`.

A row is all that a signal from CloudWatch needs: where it is counted (`Place`) says how
it is read and how it is judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Worse(StrEnum):
    """The direction in which a signal gets worse."""

    HIGHER = "higher"
    LOWER = "lower"


class Place(StrEnum):
    """
    Where a signal from CloudWatch is counted, and so what it is held against.

    EDGE: by target group, added up with its like and compared with blue. CALL: by calling
    service and endpoint, against the SLO. GREEN: over all of green, against the SLO.
    COUNT: over all of green, where one is one too many. ENTRY: where an edge divides flows
    and nobody counts requests before green, by what the service behind it is asked and
    asks, in the edge's stead and against the SLO. VIEWER: by the distribution that leads
    users to green, where `errors` is the percentage of `requests`, against the SLO. OTHER:
    not from metrics, or with a rule of its own.
    """

    EDGE = "edge"
    CALL = "call"
    GREEN = "green"
    COUNT = "count"
    ENTRY = "entry"
    VIEWER = "viewer"
    OTHER = "other"


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
    `requests` less those answered `in_time`; all are None where it is not. `further` are
    metrics to be added to `requests`. `allowed` names the plan's bound on the ratio, where
    there is no blue to compare with. `protocols` are those of the endpoints inside green
    that it counts, with TLS only where it `needs_tls`. `lag` and `blind_to` are for people.
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
    further: tuple[Metric, ...] = ()
    place: Place = Place.OTHER
    allowed: str = "slo_error_rate"
    protocols: frozenset[str] = frozenset()
    needs_tls: bool = False


_TARGET_GROUP = ("TargetGroup", "LoadBalancer")
_SERVED = ("DiscoveryName", "ServiceName", "ClusterName")
_CALLED = ("TargetDiscoveryName", "ServiceName", "ClusterName")
"""The service beside a target's name is the *client's*, as Amazon ECS publishes it."""

MIGRATION = ("Migration",)
"""The one dimension of what Crossfade counts in the proxies' log."""

_PROXIES_LOG = "the proxies' log, counted by on_proxy_log in the namespace Crossfade"
_LOG_LAG = "the log's way to CloudWatch: seconds to a minute"


def _ours(name: str) -> Metric:
    return Metric("Crossfade", name, MIGRATION)


def _answers(code: str) -> Metric:
    return Metric("AWS/ECS", f"HTTPCode_Target_{code}_Count", _CALLED)


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
    place=Place.EDGE,
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
    place=Place.EDGE,
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
    place=Place.EDGE,
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

ENTRY_CALLED = Signal(
    name="entry_called",
    unit="5xx answers to the calls of the service behind an edge of flows, per answer",
    worse=Worse.HIGHER,
    source="AWS/ECS, Service Connect",
    lag="the metric period, plus the plan's metric_lag_seconds",
    blind_to=(
        "everything between users and the service (the load balancer knows flows, and counts them for all its target "
        "groups together), the speed of answers, and what the service answers without calling anybody"
    ),
    errors=_answers("5XX"),
    requests=_answers("2XX"),
    further=(_answers("3XX"), _answers("4XX"), _answers("5XX")),
    place=Place.ENTRY,
    protocols=frozenset({"http", "http2"}),
)

ENTRY_SERVED = Signal(
    name="entry_served",
    unit="TLS negotiations that failed at the service behind an edge of flows, per connection; it calls nobody",
    worse=Worse.HIGHER,
    source="AWS/ECS, Service Connect",
    lag="the metric period, plus the plan's metric_lag_seconds",
    blind_to="whatever the service answers: connections are evidence of traffic, and of little else",
    errors=Metric("AWS/ECS", "ClientTLSNegotiationErrorCount", _SERVED),
    requests=Metric("AWS/ECS", "NewConnectionCount", _SERVED),
    place=Place.ENTRY,
)

ENTRY_TARGETS = Signal(
    name="entry_targets",
    unit="targets of green that fail the load balancer's health checks, of those it checks, behind an edge of flows",
    worse=Worse.HIGHER,
    source="AWS/NetworkELB",
    lag="the load balancer's checks until a target is unhealthy, the metric period, and metric_lag_seconds",
    blind_to=(
        "all that the health check does not ask; a target group that no target is in; and flows, resets and bytes, "
        "which AWS counts for blue and green together (TCP_Target_Reset_Count, NewFlowCount, ProcessedBytes)"
    ),
    errors=Metric("AWS/NetworkELB", "UnHealthyHostCount", _TARGET_GROUP),
    requests=Metric("AWS/NetworkELB", "HealthyHostCount", _TARGET_GROUP),
    further=(Metric("AWS/NetworkELB", "UnHealthyHostCount", _TARGET_GROUP),),
)
"""Judged as tasks are that ECS wants and that do not run: a target that fails its checks gets no connection."""

_DISTRIBUTION = ("DistributionId", "Region")

VIEWER_5XX = Signal(
    name="viewer_5xx",
    unit="5xx answers that CloudFront gave to users on the way to green, per request, by distribution",
    worse=Worse.HIGHER,
    source="AWS/CloudFront, in us-east-1",
    lag="the metric period, plus the plan's metric_lag_seconds; minutes more at times",
    blind_to="the speed of answers; what was answered before the period in which CloudFront first reports",
    errors=Metric("AWS/CloudFront", "5xxErrorRate", _DISTRIBUTION),
    requests=Metric("AWS/CloudFront", "Requests", _DISTRIBUTION),
    place=Place.VIEWER,
)
"""Seen by no load balancer: what CloudFront answers itself when it cannot reach green's."""

FINAL_5XX = Signal(
    name="final_5xx",
    unit="5xx answers of an endpoint after the caller's retries, per answer, by caller and endpoint",
    worse=Worse.HIGHER,
    source="AWS/ECS, Service Connect",
    lag="the metric period, plus the plan's metric_lag_seconds",
    blind_to=(
        "what retries hide (see attempt_5xx); 503 and 504 that a proxy makes itself, without an answer of the "
        "application; errors inside a 200 (see grpc_status); a fault of a dependency that blue's users do not see "
        "either, because blue hides it"
    ),
    errors=_answers("5XX"),
    requests=_answers("2XX"),
    further=(_answers("3XX"), _answers("4XX"), _answers("5XX")),
    place=Place.CALL,
    protocols=frozenset({"http", "http2"}),
)

CONNECT_TLS = Signal(
    name="connect_tls",
    unit="TLS negotiations that failed with an endpoint, per answer, by caller and endpoint",
    worse=Worse.HIGHER,
    source="AWS/ECS, Service Connect",
    lag="the metric period, plus the plan's metric_lag_seconds",
    blind_to="TLS at the edge (see edge_tls); endpoints without TLS; TCP endpoints, whose answers are not counted",
    errors=Metric("AWS/ECS", "TargetTLSNegotiationErrorCount", _CALLED),
    requests=_answers("2XX"),
    further=(_answers("3XX"), _answers("4XX"), _answers("5XX")),
    place=Place.CALL,
    needs_tls=True,
    protocols=frozenset({"http", "http2"}),
)

ATTEMPT_5XX = Signal(
    name="attempt_5xx",
    unit="5xx answers of green's tasks before any retry, per request that reached one, over all of green",
    worse=Worse.HIGHER,
    source=_PROXIES_LOG,
    lag=_LOG_LAG,
    blind_to=(
        "attempts that never reached a task (refused, reset); lines that a non-blocking log driver drops; a bad task "
        "that serves less of green than the plan's attempt_error_rate"
    ),
    errors=_ours("AttemptErrors"),
    requests=Metric("AWS/ECS", "RequestCount", _SERVED),
    place=Place.GREEN,
    allowed="attempt_error_rate",
    protocols=frozenset({"http", "http2"}),
)

GRPC_STATUS = Signal(
    name="grpc_status",
    unit="gRPC answers that blame the server, before any retry, per gRPC request, over all of green",
    worse=Worse.HIGHER,
    source=_PROXIES_LOG,
    lag=_LOG_LAG,
    blind_to=(
        "statuses that may be the caller's fault, NOT_FOUND and RESOURCE_EXHAUSTED among them; gRPC at the edge, "
        "behind a load balancer; calls that never reached a task"
    ),
    errors=_ours("GrpcErrors"),
    requests=Metric("AWS/ECS", "GrpcRequestCount", _SERVED),
    place=Place.GREEN,
    allowed="attempt_error_rate",
    protocols=frozenset({"grpc"}),
)

ENFORCED_EJECTION = Signal(
    name="enforced_ejection",
    unit="tasks put out of use by a green proxy",
    worse=Worse.HIGHER,
    source="the proxies' log: Envoy's OutlierDetectionEvent lines, and what on_proxy_log rebuilds without them",
    lag=_LOG_LAG,
    blind_to=(
        "a service with one task, which is never ejected; ejections that Envoy suppresses because too many "
        "tasks are bad (see suppressed_ejection); lines that a non-blocking log driver drops"
    ),
    errors=_ours("EnforcedEjections"),
    place=Place.COUNT,
)

SUPPRESSED_EJECTION = Signal(
    name="suppressed_ejection",
    unit="tasks that failed often enough to be put out of use, and were not, because too many were",
    worse=Worse.HIGHER,
    source=f"{_PROXIES_LOG}, which replays Envoy's detection",
    lag=_LOG_LAG,
    blind_to="tasks that fail now and then, never five times in a row; TCP endpoints, whose log names no task",
    errors=_ours("SuppressedEjections"),
    place=Place.COUNT,
)

PROBE_5XX = Signal(
    name="probe_5xx",
    unit="5xx answers to our own requests to green's entry, per answer",
    worse=Worse.HIGHER,
    source="our own requests, sent at a look while users send few, where the plan has a `probe`",
    lag="until the metric period in which they were sent has closed",
    blind_to=(
        "all that the one path of the probe does not touch; an entry that cannot be reached from outside the VPC, or "
        "does not answer in time"
    ),
)

BELOW_DESIRED = Signal(
    name="below_desired",
    unit="tasks of a green service that ECS wants and that do not run",
    worse=Worse.HIGHER,
    source="Amazon ECS, DescribeServices",
    lag="none: read at every look",
    blind_to="tasks that run and do not serve; a service that dies and comes back between two looks",
)

DEPLOYMENT_FAILURE = Signal(
    name="deployment_failure",
    unit="green services whose newest deployment has failed",
    worse=Worse.HIGHER,
    source="Amazon ECS, DescribeServices; and the event, to on_deployment",
    lag="none: read at every look",
    blind_to="a deployment that never ends, where the service has no circuit breaker",
)

OPERATOR_ALARM = Signal(
    name="operator_alarm",
    unit="alarms of the plan that are in ALARM",
    worse=Worse.HIGHER,
    source="CloudWatch alarms",
    lag="the alarm's own",
    blind_to="whatever the operator's alarms do not watch",
)

SIGNALS: tuple[Signal, ...] = (
    EDGE_5XX,
    EDGE_REFUSED,
    EDGE_TLS,
    SLOW_REQUEST,
    ENTRY_CALLED,
    ENTRY_SERVED,
    ENTRY_TARGETS,
    VIEWER_5XX,
    FINAL_5XX,
    CONNECT_TLS,
    ATTEMPT_5XX,
    GRPC_STATUS,
    ENFORCED_EJECTION,
    SUPPRESSED_EJECTION,
    PROBE_5XX,
    BELOW_DESIRED,
    DEPLOYMENT_FAILURE,
    OPERATOR_ALARM,
)

EDGE_ERRORS: tuple[Signal, ...] = tuple(signal for signal in SIGNALS if signal.place is Place.EDGE)
"""What the judge adds up to an edge's errors: a request fails in one of these ways only."""
