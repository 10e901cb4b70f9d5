"""
What is counted inside green, behind its edge, and what it says against green. Pure.

Blue has no Service Connect and so no twin of these counts. They are held against the
plan's bound, and while blue is live against blue's errors at the edge too: both must be
exceeded, so that an outage which both sides share is no evidence (the lesser of two
e-values is one against "either holds").
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from crossfade.journal.edges import ResolvedEdge, is_network
from crossfade.judge import eprocess
from crossfade.judge.reading import Count, Inside, Row
from crossfade.judge.signal import ENTRY_CALLED, ENTRY_SERVED, ENTRY_TARGETS, SIGNALS, Metric, Place, Signal
from crossfade.plan.document import Bounds, MigrationPlan
from crossfade.plan.services import Endpoint, ServicePlan

ALL_OF_GREEN = "green"
"""The subject of a signal that is counted over all of green."""


def log_e(inside: Inside, blues: Sequence[Count | None] | None) -> float:
    """
    Return log E against "no worse than allowed, or than blue at the edge".

    `blues` are blue's counts at the edge of the same periods; None without a live control.
    """
    counts = inside.counts()
    alone = eprocess.breach_since([count for count in counts if count], slo_error_rate=inside.allowed)
    if blues is None:
        return alone
    pairs = [(blue, count) for blue, count in zip(blues, counts, strict=False) if blue and count]
    return min(alone, eprocess.compare(pairs))


class Series(NamedTuple):
    """A metric with the values of its dimensions, in the metric's order."""

    metric: Metric
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """Where one signal is counted at one place: sums of series; `requests` are empty where one error is too many."""

    signal: Signal
    subject: str
    errors: Series
    requests: tuple[Series, ...] = ()


def sources(plan: MigrationPlan, signals: Iterable[Signal] = SIGNALS) -> tuple[Source, ...]:
    """Return where the signals inside this plan's green are counted, by AWS's own dimensions."""
    found: list[Source] = []
    for signal in signals:
        if signal.errors is None:
            continue
        if signal.place is Place.CALL:
            found += _by_call(plan, signal, signal.errors)
        elif signal.place is Place.GREEN:
            found += _over_green(plan, signal, signal.errors)
        elif signal.place is Place.COUNT:
            found.append(Source(signal, ALL_OF_GREEN, Series(signal.errors, (plan.migration,))))
    return tuple(found)


def entry_sources(plan: MigrationPlan, service: str) -> tuple[Source, ...]:
    """
    Return where green is counted behind an edge that counts no requests: what its first service is answered.

    A service that calls nobody by HTTP is counted by its own connections. None where it has neither.
    """
    entry, name = plan.service(service), plan.service(service).green.service_name
    assert ENTRY_CALLED.errors is not None
    assert ENTRY_SERVED.errors is not None
    assert ENTRY_SERVED.requests is not None
    called = _by_call(plan, ENTRY_CALLED, ENTRY_CALLED.errors, callers=(entry,))
    served = []
    for endpoint in entry.endpoints:
        values = (endpoint.discovery_name, name, _cluster(plan))
        errors, requests = Series(ENTRY_SERVED.errors, values), Series(ENTRY_SERVED.requests, values)
        served.append(Source(ENTRY_SERVED, f"{endpoint.discovery_name} of {name}", errors, (requests,)))
    return tuple(called or served)


def target_source(edge: ResolvedEdge) -> Source | None:
    """Return where the health of green's targets is counted behind a load balancer of flows; None elsewhere."""
    if edge.green_arn is None or not is_network(edge.green_balancer_arn):
        return None
    assert ENTRY_TARGETS.errors is not None
    assert ENTRY_TARGETS.requests is not None
    values = (edge.green_arn.rpartition(":")[2], edge.green_balancer_arn.rpartition(":loadbalancer/")[2])
    of = [Series(metric, values) for metric in (ENTRY_TARGETS.requests, *ENTRY_TARGETS.further)]
    name = edge.green_arn.rpartition(":targetgroup/")[2].partition("/")[0]
    return Source(ENTRY_TARGETS, name, Series(ENTRY_TARGETS.errors, values), tuple(of))


def insides(asked: Sequence[Source], rows: Sequence[Sequence[Row]], bounds: Bounds) -> tuple[Inside, ...]:
    """
    Return each ratio at the place where it is worst; all of them, also those that nobody counted.

    How many there are follows from the plan alone, and so does each one's part of alpha.
    """
    by_signal: dict[str, list[Inside]] = defaultdict(list)
    for source, counted in zip(asked, rows, strict=True):
        if source.requests:
            by_signal[source.signal.name].append(
                Inside(
                    signal=source.signal.name,
                    subject=source.subject,
                    among=1,
                    allowed=getattr(bounds, source.signal.allowed),
                    rows=tuple(counted),
                )
            )
    return tuple(
        max(found, key=lambda inside: log_e(inside, None)).model_copy(update={"among": len(found)})
        for found in by_signal.values()
    )


def occurrences(asked: Sequence[Source], rows: Sequence[Sequence[Row]]) -> dict[str, tuple[tuple[int, int], ...]]:
    """Return what is counted one by one: (period, how many) by signal, where there were any."""
    return {
        source.signal.name: tuple((at, row[1]) for at, row in enumerate(counted) if row and row[1])
        for source, counted in zip(asked, rows, strict=True)
        if not source.requests and any(row and row[1] for row in counted)
    }


def _by_call(
    plan: MigrationPlan, signal: Signal, errors: Metric, *, callers: Sequence[ServicePlan] | None = None
) -> list[Source]:
    served = {
        (endpoint.dns_name, endpoint.port): endpoint for service in plan.services for endpoint in service.endpoints
    }
    found: dict[str, Source] = {}
    for service in plan.services if callers is None else callers:
        for call in service.calls:
            endpoint = served.get((call.dns_name, call.port))
            if endpoint is None or not _counts(signal, endpoint):
                continue
            values = (endpoint.discovery_name, service.green.service_name, _cluster(plan))
            subject = f"{service.green.service_name} to {endpoint.discovery_name}"
            requests = tuple(Series(metric, values) for metric in (signal.requests, *signal.further) if metric)
            found[subject] = Source(signal, subject, Series(errors, values), requests)
    return list(found.values())


def _over_green(plan: MigrationPlan, signal: Signal, errors: Metric) -> list[Source]:
    requests = tuple(
        Series(signal.requests, (endpoint.discovery_name, service.green.service_name, _cluster(plan)))
        for service, endpoint in _endpoints(plan.services)
        if signal.requests is not None and _counts(signal, endpoint)
    )
    return [Source(signal, ALL_OF_GREEN, Series(errors, (plan.migration,)), requests)] if requests else []


def _endpoints(services: Iterable[ServicePlan]) -> list[tuple[ServicePlan, Endpoint]]:
    return [(service, endpoint) for service in services for endpoint in service.endpoints]


def _counts(signal: Signal, endpoint: Endpoint) -> bool:
    if signal.needs_tls and endpoint.tls is None:
        return False
    return endpoint.app_protocol in signal.protocols


def _cluster(plan: MigrationPlan) -> str:
    return plan.cluster.rsplit("/", 1)[-1]


def dimensions(series: Series) -> Mapping[str, str]:
    """Return the series' dimensions, by name."""
    return dict(zip(series.metric.dimensions, series.values, strict=True))
