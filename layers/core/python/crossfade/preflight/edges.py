"""What each kind of edge needs around it, and whether the judge has anything to go by there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crossfade.errors import EdgeChanged, UnknownEdge
from crossfade.journal.edges import EdgeRecord
from crossfade.judge.inside import entry_sources
from crossfade.plan.document import MigrationPlan
from crossfade.plan.finding import Finding
from crossfade.shift.shifter import Edges

_AWS_PERIOD_SECONDS = 60


def divided(plan: MigrationPlan, held: Sequence[EdgeRecord], edges: Edges) -> Iterator[Finding]:
    """
    Yield what was looked at of each edge's surroundings.

    A rehearsal divides the plan's durations and not AWS's own, so there they are not held against each other.

    Raises:
        EdgeBusy: AWS throttles.
    """
    for edge in held:
        try:
            yield from edges.check(edge, scaled=plan.timings.period_seconds < _AWS_PERIOD_SECONDS)
        except (EdgeChanged, UnknownEdge) as changed:
            finding = Finding(check="is as the migration opened with", subject=f"edge {edge.name}")
            yield finding.refuse(str(changed), "set it as it should be, then start again")
        if not edge.resolved.counts_requests:
            yield _judged(plan, edge)


def _judged(plan: MigrationPlan, edge: EdgeRecord) -> Finding:
    finding = Finding(check="has traffic behind it that is counted", subject=f"edge {edge.name}")
    service = plan.edge(edge.name).service
    if plan.judging == "shadow" or entry_sources(plan, service):
        return finding
    return finding.refuse(
        f"divides flows, and nothing that service {service} calls or serves is counted by Service Connect: the judge "
        "would hold for ever",
        "give a port of the service a name and an endpoint, or let the judge only record: judging: shadow",
    )
