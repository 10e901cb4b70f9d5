"""
Whether blue is used still, by everything that counts its requests and green's.

Where a load balancer counts requests by target group, those say it. A Network Load Balancer
counts flows, and all its target groups' together: there green's own proxies say that users
come, and flows that blue may hold are over when the longest connection is, which is how long
the plan lets the edge settle. Behind the edge only Service Connect's proxies are counted by
AWS: a blue that has them says by itself whether it is called. App Mesh's proxies publish
nothing, so of such a blue only its edges are known.

Source: CloudWatch metrics for your Network Load Balancer (`ActiveFlowCount`, `NewFlowCount`,
`ProcessedBytes`: by load balancer and zone, by target group none); Amazon ECS CloudWatch metrics.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from crossfade.connect.services import Services
from crossfade.journal.edges import EdgeRecord
from crossfade.journal.journal import Journal
from crossfade.judge.feeds import EdgeMetrics
from crossfade.judge.inside import Series, Source, entry_sources
from crossfade.judge.reading import closed_periods
from crossfade.judge.signal import ENTRY_SERVED, Metric
from crossfade.plan.document import MigrationPlan
from crossfade.shift.share import ALL
from crossfade.shift.shifter import Edges

_BY_NAME: Final = ("DiscoveryName", "ServiceName", "ClusterName")
_ASKED: Final = (Metric("AWS/ECS", "RequestCount", _BY_NAME), Metric("AWS/ECS", "NewConnectionCount", _BY_NAME))
_FAILED: Final = Metric("AWS/ECS", "ClientTLSNegotiationErrorCount", _BY_NAME)
_BY_BALANCER: Final = ("LoadBalancer",)
_BYTES: Final = Metric("AWS/NetworkELB", "ProcessedBytes", _BY_BALANCER)
_RESETS: Final = Metric("AWS/NetworkELB", "TCP_ELB_Reset_Count", _BY_BALANCER)


@dataclass(frozen=True, slots=True)
class _Quiet:
    """The periods in which blue must have had nothing to do, and how to read them."""

    metrics: EdgeMetrics
    start: datetime
    periods: int
    period_seconds: int
    seconds: int

    def counted(self, sources: Sequence[Source]) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """Return how much each source counted, and why that may not be all."""
        read = self.metrics.inside(sources, start=self.start, periods=self.periods, period_seconds=self.period_seconds)
        return tuple(sum(row[0] for row in rows if row is not None) for rows in read.rows), read.faults


def still_used(
    plan: MigrationPlan,
    *,
    journal: Journal,
    edges: Edges,
    metrics: EdgeMetrics,
    services: Services,
    parked_seconds: int,
    now: datetime,
) -> Iterator[str]:
    """
    Yield why blue may still be needed, in words: a share, a request, or that nobody can tell.

    Args:
        plan: The plan.
        journal: Holds the edges.
        edges: Says what they hold.
        metrics: What was counted at the edges and inside.
        services: Says which of blue's services have proxies that AWS counts.
        parked_seconds: For how long green has held everything.
        now: The time.

    Raises:
        EcsBusy, EdgeBusy, MetricsBusy, JournalBusy: AWS throttles.
    """
    period = plan.timings.period_seconds
    start, periods = closed_periods(
        now - timedelta(seconds=plan.retirement.quiet_seconds + plan.timings.metric_lag_seconds),
        now,
        period_seconds=period,
        lag_seconds=plan.timings.metric_lag_seconds,
    )
    quiet = _Quiet(metrics, start, periods, period, plan.retirement.quiet_seconds)
    for edge in journal.edges(plan.migration):
        if any(share != ALL for share in edges.shifter(edge).shares()):
            yield f"green does not hold everything at edge {edge.name}"
        if edge.resolved.counts_requests:
            yield from _by_target_group(edge, quiet)
        else:
            yield from _by_flows(edge, plan, quiet, parked_seconds)
    yield from _by_blues_proxies(plan, quiet, services)


def _by_target_group(edge: EdgeRecord, quiet: _Quiet) -> Iterator[str]:
    read = quiet.metrics.read(
        edge.resolved, start=quiet.start, periods=quiet.periods, period_seconds=quiet.period_seconds
    )
    if read.faults:
        yield f"edge {edge.name}: {read.faults[0]}"
        return
    served = sum(row[0] or 0 for row in read.window.rows)
    if served:
        yield f"blue served {served} requests at edge {edge.name} in the last {quiet.seconds} s"
    elif not any(row[2] for row in read.window.rows):
        yield f"no request was counted at edge {edge.name} at all, so nothing says that blue has none"


def _by_flows(edge: EdgeRecord, plan: MigrationPlan, quiet: _Quiet, parked_seconds: int) -> Iterator[str]:
    over = edge.settle_seconds + quiet.seconds
    if parked_seconds < over:
        yield (
            f"edge {edge.name} divides flows, and those that blue was given may last {edge.settle_seconds} s: blue is "
            f"quiet {over} s after green has everything, and {parked_seconds} s are over"
        )
    sources = entry_sources(plan, plan.edge(edge.name).service) or (_bytes_through(edge),)
    counted, faults = quiet.counted(sources)
    if faults:
        yield f"edge {edge.name}: {faults[0]}"
    elif not any(counted):
        yield (
            f"green's proxies counted nothing behind edge {edge.name} in the last {quiet.seconds} s, so nothing says "
            "that users reach it"
        )


def _bytes_through(edge: EdgeRecord) -> Source:
    """Return where green's balancer counts what flows through it, for a green that no proxy counts."""
    balancer = (edge.resolved.green_balancer_arn.partition(":loadbalancer/")[2],)
    return Source(ENTRY_SERVED, edge.name, Series(_RESETS, balancer), (Series(_BYTES, balancer),))


def _by_blues_proxies(plan: MigrationPlan, quiet: _Quiet, services: Services) -> Iterator[str]:
    sources = [source for service in plan.services for source in _proxies(plan, service.blue.service_name, services)]
    counted, faults = quiet.counted(sources)
    if faults:
        yield f"blue's proxies: {faults[0]}"
        return
    for source, count in zip(sources, counted, strict=True):
        if count:
            yield f"{source.subject} was called {count} times in the last {quiet.seconds} s, by its proxies' count"


def _proxies(plan: MigrationPlan, blue: str, services: Services) -> Iterator[Source]:
    """Yield where AWS counts the calls to a blue service: by each of its names in Service Connect, if it has any."""
    found = services.describe(plan.cluster, blue)
    connect: Any = (found.primary.service_connect if found and found.primary else None) or {}
    if not connect.get("enabled"):
        return
    for entry in connect.get("services") or ():
        name = entry.get("discoveryName") or entry["portName"]
        values = (name, blue, plan.cluster.rpartition("/")[2])
        requests = tuple(Series(metric, values) for metric in _ASKED)
        yield Source(ENTRY_SERVED, f"blue service {blue} ({name})", Series(_FAILED, values), requests)
