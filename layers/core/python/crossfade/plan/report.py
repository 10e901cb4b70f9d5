"""
The plan as a report for people, in Markdown: what moves, in which order, and what is lost.

Pure. Gaps come first, the severe ones at the top, each with its consequence and its source.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from crossfade.plan.document import Gap, Ledger, MetadataLedger, MigrationPlan, Severity
from crossfade.plan.edges import EdgePlan
from crossfade.plan.services import Endpoint, ServicePlan, Timeout

_MEANING = {
    Severity.BLOCKING: "needs an answer before the stack takes the plan",
    Severity.DEGRADING: "requests succeed, with weaker or different behaviour",
    Severity.INFORMATIONAL: "no change that a caller sees",
}


def meaning(severity: Severity) -> str:
    """Return what a severity means, in a few words."""
    return _MEANING[severity]


def report(plan: MigrationPlan) -> str:
    """Return the report; the same plan gives the same text."""
    return "\n".join(_lines(plan)) + "\n"


def _lines(plan: MigrationPlan) -> Iterator[str]:
    yield f"# {plan.migration}: to Service Connect"
    yield ""
    yield summary(plan)
    yield ""
    yield from _gaps(plan.gaps)
    services = {service.name: service for service in plan.services}
    yield "## Services"
    yield ""
    yield "| wave | service | role | green | endpoints | calls |"
    yield "|---|---|---|---|---|---|"
    for number, wave in enumerate(plan.waves, start=1):
        for name in wave:
            yield _service(number, services[name])
    yield ""
    if plan.redeploy:
        yield f"Deployed a second time, since they call each other: {', '.join(plan.redeploy)}."
        yield ""
    yield "## Edges"
    yield ""
    if not plan.edges:
        yield "None: there is nothing to shift."
        yield ""
    for edge in plan.edges:
        yield from _edge(edge)
    yield from _left_behind(plan)
    yield "## Sources"
    yield ""
    for source in plan.sources:
        yield f"- `{source.path}` ({source.sha256[:12]})"
    yield ""
    yield drawn_in_words(plan)


def drawn_in_words(plan: MigrationPlan) -> str:
    """Return by what, and where it is said when, a plan was drawn."""
    when = f" {plan.drawn_at:%Y-%m-%d %H:%M} UTC" if plan.drawn_at is not None else ""
    return f"Drawn{when} by {plan.drawn_by}."


def _left_behind(plan: MigrationPlan) -> Iterator[str]:
    if plan.not_migrated:
        yield "## What stays behind"
        yield ""
        yield from (f"- `{each.what}`: {each.why}" for each in plan.not_migrated)
        yield ""
    if plan.outside_names:
        yield "## Names that others may dial"
        yield ""
        yield "They keep leading to blue, and to nobody once it is retired."
        yield ""
        yield from (f"- `{each.name}` ({each.service})" for each in plan.outside_names)
        yield ""
    yield "## Fields of the mesh"
    yield ""
    yield ledger_in_words(plan.ledger)
    yield ""
    for each in plan.ledger.reasons:
        yield f"- `{each.field}` ({each.count}): {each.reason}. [source]({each.source})"
    if plan.ledger.reasons:
        yield ""


def ledger_in_words(ledger: Ledger) -> str:
    """Return the ledger in a sentence: how many fields were used, named in a gap, and without effect."""
    beside = ledger.metadata
    names = f" Beside the specifications, {_counts(beside)}." if beside != MetadataLedger() else ""
    return f"{_counts(ledger)}.{names}"


def _counts(ledger: Ledger | MetadataLedger) -> str:
    whole = ledger.used + ledger.named_in_a_gap + ledger.without_effect
    return (
        f"{whole} field{_s(whole)} set: {ledger.used} used, {ledger.named_in_a_gap} named in a gap, "
        f"{ledger.without_effect} without effect"
    )


def summary(plan: MigrationPlan) -> str:
    """Return the plan in one sentence, and what is in the way of migrating by it at all."""
    if not plan.services:
        return "Nothing to migrate."
    open_gaps = len(plan.open_blocking_gaps())
    answer = f"{open_gaps} blocking gap{_s(open_gaps)} open" if open_gaps else "no blocking gap is open"
    return (
        f"{len(plan.services)} service{_s(len(plan.services))} of the cluster {plan.cluster} in "
        f"{len(plan.waves)} wave{_s(len(plan.waves))}, {len(plan.edges)} edge{_s(len(plan.edges))}; {answer}."
        f"{f' A draft: {unready}.' if (unready := plan.unready()) is not None else ''}"
    )


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _gaps(gaps: Iterable[Gap]) -> Iterator[str]:
    yield "## Gaps"
    yield ""
    by_severity: dict[Severity, list[Gap]] = {severity: [] for severity in Severity}
    for gap in gaps:
        by_severity[gap.severity].append(gap)
    for severity, found in by_severity.items():
        if not found:
            continue
        yield f"### {severity.value.capitalize()} ({len(found)}): {_MEANING[severity]}"
        yield ""
        for gap in found:
            accepted = f" Accepted by {gap.accepted.who}: {gap.accepted.why}." if gap.accepted else ""
            yield f"- **{gap.id}** `{gap.resource}`: {gap.detail}{accepted} [source]({gap.source})"
        yield ""
    if not any(by_severity.values()):
        yield "None."
        yield ""


def _service(wave: int, service: ServicePlan) -> str:
    endpoints = "<br>".join(endpoint_in_words(endpoint) for endpoint in service.endpoints)
    calls = "<br>".join(f"{call.dns_name}:{call.port}" for call in service.calls)
    return f"| {wave} | {service.name} | {service.role} | {service.green.service_name} | {endpoints} | {calls} |"


def endpoint_in_words(endpoint: Endpoint) -> str:
    """Return an endpoint in a few words: `orders.shop.local:8080 (http, 8 s per request)`."""
    said: list[str] = [endpoint.app_protocol or "tcp"]
    timeout = endpoint.timeout or Timeout()
    if timeout.per_request_seconds is not None:
        said.append(f"{_limit(timeout.per_request_seconds)} per request")
    if timeout.idle_seconds is not None:
        said.append(f"{_limit(timeout.idle_seconds)} idle")
    if endpoint.tls is not None:
        said.append("TLS")
    return f"{endpoint.dns_name}:{endpoint.port} ({', '.join(said)})"


def _limit(seconds: int) -> str:
    return f"{seconds} s" if seconds else "no limit"


def _edge(edge: EdgePlan) -> Iterator[str]:
    yield f"### {edge.name}"
    yield ""
    for rule in edge.rules:
        yield f"- {rule.load_balancer} port {rule.listener_port}, {rule_in_words(rule.priority)}"
    dns, cdn = edge.dns, edge.cdn
    if dns is not None:
        for record in dns.records:
            yield f"- {record.name} {record.type} in zone {dns.zone_id}, to {dns.green_load_balancer} for green"
    if cdn is not None:
        yield f"- origin {cdn.origin_id} of distribution {cdn.distribution_id}, {cdn.green_domain} for green"
    if edge.reached_by:
        yield f"- users also come by {', '.join(edge.reached_by)}, which go on leading here"
    yield f"- {edge.blue.name} ⟶ {edge.green.name}: {ladder_in_words(edge)}"
    yield ""


def rule_in_words(priority: str) -> str:
    """Return which of a listener's rules is meant."""
    return "default action" if priority == "default" else f"rule of priority {priority}"


def ladder_in_words(edge: EdgePlan) -> str:
    """Return an edge's ladder: `5 % for 300 s, …`."""
    return ", ".join(f"{rung.share_bp / 100:g} % for {rung.soak_seconds} s ({rung.kind})" for rung in edge.ladder)
