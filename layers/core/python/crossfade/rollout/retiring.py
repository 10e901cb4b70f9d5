"""Retire Blue: the point of no return, crossed only when nobody needs blue any more and a person has said so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from pydantic import Field

from crossfade.connect.blue import Blues, FreezeRequest, Scaling, thaw
from crossfade.connect.greenscaling import GreenScaling, Twin
from crossfade.connect.services import Services
from crossfade.errors import BlueStillServes
from crossfade.events.outbound import Notices
from crossfade.executions.executions import Executions, ExecutionStatus
from crossfade.frozen import Frozen
from crossfade.journal.fence import read_fenced
from crossfade.journal.journal import Journal
from crossfade.journal.model import MigrationRecord, entry_of
from crossfade.judge.feeds import EdgeMetrics
from crossfade.phases import Phase
from crossfade.plan.document import MigrationPlan
from crossfade.plan.store import PlanStore, read_plan
from crossfade.request import Request
from crossfade.resources import service_resource
from crossfade.rollout.telling import tell_moves
from crossfade.rollout.unused import still_used
from crossfade.shift.shifter import Edges


class RetireRequest(Request):
    """
    Retire blue. `who` says so.

    `drift` says that the owner's code was compared and would not undo the weights
    (`crossfade drift`): the stack cannot see that code.
    """

    migration: str
    fence: int
    who: str = Field(min_length=1)
    drift: Literal["clean"]


class Retired(Frozen):
    """The blue services that are at zero tasks. They exist still: nothing is deleted."""

    services: tuple[str, ...]


def retire(
    request: RetireRequest,
    *,
    journal: Journal,
    plans: PlanStore,
    edges: Edges,
    metrics: EdgeMetrics,
    services: Services,
    scaling: Scaling,
    green_scaling: GreenScaling,
    blues: Blues,
    executions: Executions,
    notices: Notices,
    now: datetime,
) -> Retired:
    """
    Scale every blue service to zero, after RETIRING has shut out every guard and rollback.

    Safe to repeat from wherever it was cut short: beyond the point of no return only what
    is left is done. Green may scale as blue did from here on. What was frozen is thawed but
    for scaling, which would bring tasks back.

    Raises:
        BlueStillServes: blue is needed still; the message says why. Nothing was touched.
        Fenced: a rollback has begun.
        BlueChanged: a blue service is gone.
        EcsBusy, EdgeBusy, MetricsBusy, JournalBusy, NoticesBusy: AWS throttles.
    """
    record = read_fenced(journal, request.migration, request.fence)
    plan = read_plan(plans, record.plan)
    names = tuple(service.blue.service_name for service in plan.services)
    if record.phase is Phase.DONE:
        return Retired(services=names)
    if record.phase is not Phase.RETIRING:
        parked = _parked_seconds(request.migration, journal, now)
        reasons = (
            *_not_parked(record, plan, executions, parked),
            *still_used(
                plan,
                journal=journal,
                edges=edges,
                metrics=metrics,
                services=services,
                parked_seconds=parked,
                now=now,
            ),
        )
        if reasons:
            raise BlueStillServes("; ".join(reasons))
        journal.append(entry_of(request, "note", "retiring", request.migration, at=now, detail={"who": request.who}))
        journal.enter(request.migration, Phase.RETIRING, fence=request.fence, at=now, why=f"ordered by {request.who}")
    found = {kept.service: kept.scaling for kept in journal.blues(request.migration)}
    for service in plan.services:  # before blue's scaling is forgotten
        kept = found.get(service.blue.service_name, ())
        green_scaling.let_go(
            Twin(plan.cluster, service.blue.service_name, service.green.service_name),
            scaling_in=any(target.scaling_in for target in kept),
            scheduled=any(target.scheduled for target in kept),
        )
    thaw(
        FreezeRequest(migration=request.migration, fence=request.fence),
        journal=journal,
        scaling=scaling,
        blues=blues,
        now=now,
        keep_scaling=True,
    )
    for name in names:
        subject = service_resource(plan.cluster, name)
        intent = journal.append(entry_of(request, "intent", "retire", subject, at=now), fence=request.fence)
        for target in scaling.found(plan.cluster, name):
            scaling.suspend(target.model_copy(update={"scaling_in": True, "scaling_out": True, "scheduled": True}))
        blues.scale(plan.cluster, name, 0)
        journal.append(entry_of(request, "result", "retire", subject, at=now, detail={"desired": 0}, of=intent))
    for edge in journal.edges(request.migration):
        if edge.resolved.detour is not None:  # it led back to a blue that is no more
            journal.put_edge(edges.end_detour(edge), fence=request.fence)
    ordered = f"ordered by {request.who}: {', '.join(names)}"
    journal.enter(request.migration, Phase.DONE, fence=request.fence, at=now, why=ordered)
    tell_moves(request.migration, journal=journal, notices=notices, now=now)
    return Retired(services=names)  # `watch` closes the migration


def _not_parked(
    record: MigrationRecord, plan: MigrationPlan, executions: Executions, parked_seconds: int
) -> Iterator[str]:
    if record.phase is not Phase.WATCHING:
        yield f"the migration is {record.phase}, not watching"
        return
    if executions.status(record.execution) is ExecutionStatus.RUNNING:
        yield "migrate still runs: its watch is not over"
    if parked_seconds < plan.retirement.parked_seconds:
        yield f"blue has been parked for {parked_seconds} s, and the plan asks for {plan.retirement.parked_seconds} s"


def _parked_seconds(migration: str, journal: Journal, now: datetime) -> int:
    since = [
        entry.at
        for entry in journal.entries(migration)
        if entry.what == "entered" and entry.detail.get("to") == Phase.WATCHING
    ]
    return int((now - max(since)).total_seconds()) if since else 0
