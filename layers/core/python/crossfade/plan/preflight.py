"""Check Preflight: what would make the move or its way back fail later, found before anything is touched."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from crossfade.connect.services import Services
from crossfade.errors import BlueChanged, EdgeChanged, PreflightRefused, UnknownEdge
from crossfade.journal.fence import read_fenced
from crossfade.journal.journal import Journal
from crossfade.journal.model import Entry
from crossfade.judge.alarms import Alarms
from crossfade.judge.reading import AlarmState
from crossfade.plan.document import Frozen, MigrationPlan
from crossfade.plan.store import PlanStore, read_plan
from crossfade.rollout.request import Request
from crossfade.shift.share import NONE
from crossfade.shift.shifter import Edges


class PreflightRequest(Request):
    """Check that a migration may begin."""

    migration: str
    fence: int


class Finding(Frozen):
    """One check of one thing. `refused` is empty when it passed; `mend` says what to do about it."""

    check: str
    subject: str
    refused: str = ""
    mend: str = ""

    def __str__(self) -> str:
        return f"{self.subject}: {self.refused}; {self.mend}" if self.refused else f"{self.subject}: {self.check}"


class PreflightPassed(Frozen):
    """What was checked, in words."""

    checks: tuple[str, ...]


def check_preflight(
    request: PreflightRequest,
    *,
    journal: Journal,
    plans: PlanStore,
    services: Services,
    edges: Edges,
    alarms: Alarms,
    now: datetime,
) -> PreflightPassed:
    """
    Look at everything the plan leans on; touch nothing.

    All refusals are gathered and named at once. Safe to repeat: it only looks, and notes
    in the journal what it saw.

    Raises:
        PreflightRefused: with every refusal and its mend.
        Fenced: a rollback has begun.
        EcsBusy, EdgeBusy, MetricsBusy: AWS throttles.
    """
    record = read_fenced(journal, request.migration, request.fence)
    plan = read_plan(plans, record.plan)
    findings = (*_answers(plan), *_alarms(plan, alarms), *_blue_services(plan, services), *_edges(plan, journal, edges))
    refusals = [finding for finding in findings if finding.refused]
    journal.append(
        Entry(
            migration=request.migration,
            at=now,
            kind="note",
            what="preflight",
            subject=request.migration,
            detail={"checked": len(findings), "refused": [str(finding) for finding in refusals]},
            fence=request.fence,
        ),
        fence=request.fence,
    )
    if refusals:
        raise PreflightRefused(" | ".join(str(finding) for finding in refusals))
    return PreflightPassed(checks=tuple(str(finding) for finding in findings))


def _answers(plan: MigrationPlan) -> Iterator[Finding]:
    for service in plan.services:
        if service.background is not None and service.background.answer is None:
            finding = Finding(check="its background work is answered", subject=f"service {service.name}")
            yield _refuse(
                finding,
                f"works without requests ({service.background.why}), and green would too, as soon as it runs",
                "say in the plan what green does: share the work, or wait at zero tasks",
            )


def _alarms(plan: MigrationPlan, alarms: Alarms) -> Iterator[Finding]:
    for name, state in alarms.states(plan.alarms).items():
        finding = Finding(check="exists and is not in ALARM", subject=f"alarm {name}")
        if state is AlarmState.MISSING:
            yield _refuse(finding, "does not exist", "create it, or draw the plan without it")
        elif state is AlarmState.ALARM:
            yield _refuse(finding, "is in ALARM already", "mend what it watches first: it would roll back at once")
        else:
            yield finding


def _blue_services(plan: MigrationPlan, services: Services) -> Iterator[Finding]:
    for service in plan.services:
        name = service.blue.service_name
        finding = Finding(check="runs all the tasks it wants", subject=f"blue service {name}")
        try:
            blue = services.describe(plan.cluster, name)
        except BlueChanged as gone:
            yield _refuse(finding, str(gone), "name the cluster as AWS does")
            continue
        if blue is None:
            yield _refuse(finding, f"is not in cluster {plan.cluster}", "draw the plan again")
        elif blue.status != "ACTIVE":
            yield _refuse(finding, f"is {blue.status}", "draw the plan again")
        elif blue.shifted_by is not None:
            yield _refuse(
                finding,
                f"{blue.shifted_by} moves its traffic and would set the weights itself",
                "give it a rolling deployment without that first",
            )
        elif blue.running < blue.desired:
            yield _refuse(
                finding,
                f"runs {blue.running} of {blue.desired} tasks",
                "bring it to full strength first: traffic goes back there",
            )
        else:
            yield finding


def _edges(plan: MigrationPlan, journal: Journal, edges: Edges) -> Iterator[Finding]:
    for planned in plan.edges:
        edge = journal.edge(plan.migration, planned.name)
        healthy = Finding(check="blue has healthy targets", subject=f"edge {edge.name}")
        as_found = Finding(check="holds the weights the migration opened with", subject=f"edge {edge.name}")
        again = "set it as it should be, then start again"
        try:
            if edges.healthy_targets(edge.resolved.blue_arn) < 1:
                yield _refuse(healthy, "blue has no healthy target", "mend it first: traffic goes back there")
            else:
                yield healthy
            shifter = edges.shifter(edge)
            if any(share != NONE for share in shifter.shares()):
                yield _refuse(as_found, "green holds a share already", again)
            elif shifter.way_back() != edge.way_back:
                yield _refuse(as_found, "it was changed since the migration opened", again)
            else:
                yield as_found
        except (EdgeChanged, UnknownEdge) as changed:
            yield _refuse(as_found, str(changed), again)


def _refuse(finding: Finding, why: str, mend: str) -> Finding:
    return finding.model_copy(update={"refused": why, "mend": mend})
