"""Open a migration: read the plan, find its edges, write the way back down, take them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from pydantic import Field

from crossfade.errors import BadInput, BlockedByGap, PreflightRefused, UnknownMigration
from crossfade.frozen import Frozen
from crossfade.journal.edges import EdgeRecord
from crossfade.journal.journal import Journal
from crossfade.journal.model import MigrationRecord
from crossfade.journal.opening import opening
from crossfade.phases import Phase
from crossfade.plan.document import Approvals, MigrationPlan, Timings
from crossfade.plan.edges import EdgeKind, EdgePlan
from crossfade.plan.store import PlanRef, PlanStore, read_plan
from crossfade.request import Request
from crossfade.resources import alarm_resource, service_resource
from crossfade.rollout.gathered import GatheredAlarms, composite_alarm
from crossfade.rollout.watching import Schedule
from crossfade.shift.action import RungRef
from crossfade.shift.shifter import Edges


class OpenRequest(Request):
    """Open the migration of a stored plan. `execution` is the ARN of the `migrate` that asks."""

    migration: str
    plan: PlanRef
    execution: str


class OpenedEdge(Frozen):
    """An edge, of which kind it is, and the rungs by which green climbs it."""

    edge: str
    kind: EdgeKind
    rungs: tuple[RungRef, ...]


class Opened(Frozen):
    """All that the state machines need of the plan; small, however large the plan is."""

    migration: str
    fence: int
    waves: tuple[tuple[str, ...], ...]
    redeploy: tuple[str, ...] = ()
    edges: tuple[OpenedEdge, ...]
    edges_at_once: int = Field(description="How many edges climb at the same time; 0 is all of them")
    timings: Timings
    approvals: Approvals
    gaps: int


def open_migration(
    request: OpenRequest,
    *,
    journal: Journal,
    plans: PlanStore,
    edges: Edges,
    gathered: GatheredAlarms,
    schedule: Schedule,
    now: datetime,
) -> Opened:
    """
    Take a plan's edges for its migration and return what the state machines need of it.

    The way back of every edge is kept before anything is changed. The plan's alarms are
    gathered in one; one that does not exist is for the preflight to refuse. Idempotent for one
    execution: the edges are looked at once, and the way back first kept stays.

    Raises:
        PlanChanged, BadInput: the stored plan is not the one asked for, or is another migration's.
        BlockedByGap: a blocking gap is open.
        UnknownEdge, EdgeChanged, PreflightRefused: an edge is not as the plan describes it.
        EdgeOwned: another migration, or another execution of this one, holds an edge.
        Fenced: a rollback has ended this very opening.
        EdgeBusy, JournalBusy, MetricsBusy, NoticesBusy: as the ports.
    """
    plan = read_plan(plans, request.plan)
    if plan.migration != request.migration:
        raise BadInput(f"the plan is of migration {plan.migration}, and {request.migration} was asked for")
    blocking = plan.open_blocking_gaps()
    if blocking:
        raise BlockedByGap("; ".join(f"{gap.id} at {gap.resource}: {gap.detail}" for gap in blocking))
    if (unready := plan.unready()) is not None:
        raise BadInput(f"the plan of {plan.migration} is no more than a draft: {unready}")
    record = MigrationRecord(
        migration=plan.migration,
        phase=Phase.CREATING,
        fence=1,
        plan=request.plan,
        opened_at=now,
        execution=request.execution,
        settle_seconds=max((edge.settle_seconds for edge in plan.edges), default=0),
        confirm_seconds=plan.timings.confirm_seconds,
        restore_retry_seconds=plan.timings.restore_retry_seconds,
    )
    found = _find(plan, record, journal=journal, edges=edges)
    schedule.enable()  # before: whoever dies from here on is found by `watch`
    opened = journal.open(record, found)
    for resource in _resources(plan):
        journal.index(resource, plan.migration)
    schedule.enable()  # and after: between the two `watch` may have found nothing open, and gone to rest
    loose = gathered.gather(plan.migration, plan.alarms)
    if loose:
        over = composite_alarm(plan.migration)
        raise PreflightRefused(f"alarm {over} over the plan's alarms cannot be made: {loose}")
    return Opened(
        migration=plan.migration,
        fence=opened.fence,
        waves=plan.waves,
        redeploy=plan.redeploy,
        edges=tuple(
            OpenedEdge(edge=edge.name, kind=edge.kind, rungs=_rungs(edge, plan.approvals)) for edge in plan.edges
        ),
        edges_at_once=1 if plan.edges_climb == "one_by_one" else 0,
        timings=plan.timings,
        approvals=plan.approvals,
        gaps=len(plan.gaps),
    )


def _find(plan: MigrationPlan, wanted: MigrationRecord, *, journal: Journal, edges: Edges) -> tuple[EdgeRecord, ...]:
    """Return the plan's edges as they are now, or as this execution found them the first time."""
    try:
        before = journal.read(plan.migration)
    except UnknownMigration:
        before = None
    opening(wanted, before)  # who may not open it is told so, and not that the edge has moved since
    if before is not None and before.execution == wanted.execution:
        return journal.edges(plan.migration)
    return tuple(edges.find(edge).owned_by(plan.migration) for edge in plan.edges)


def _resources(plan: MigrationPlan) -> Iterator[str]:
    for alarm in (*plan.alarms, composite_alarm(plan.migration)):
        yield alarm_resource(alarm)
    for service in plan.services:
        yield service_resource(plan.cluster, service.blue.service_name)
        yield service_resource(plan.cluster, service.green.service_name)


def _rungs(edge: EdgePlan, approvals: Approvals) -> tuple[RungRef, ...]:
    return tuple(
        RungRef(
            index=index,
            share_bp=rung.share_bp,
            kind=rung.kind,
            soak_seconds=rung.soak_seconds,
            asks=rung.share_bp in approvals.before_shares_bp,
        )
        for index, rung in enumerate(edge.ladder)
    )
