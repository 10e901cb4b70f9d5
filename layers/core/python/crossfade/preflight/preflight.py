"""Check Preflight: what would make the move or its way back fail later, found before anything is touched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from crossfade.connect.services import Services, ServiceState
from crossfade.connect.sizing import SINGLE_TASK, serves_alone_unasked, single_task_place
from crossfade.errors import BlueChanged, EdgeChanged, PreflightRefused, UnknownEdge
from crossfade.frozen import Frozen
from crossfade.journal.edges import EdgeRecord
from crossfade.journal.fence import read_fenced
from crossfade.journal.journal import Journal
from crossfade.journal.note import note
from crossfade.judge.alarms import Alarms
from crossfade.judge.proxylog_feed import ejection_alarm
from crossfade.judge.reading import AlarmState
from crossfade.plan.document import MigrationPlan
from crossfade.plan.finding import Finding
from crossfade.plan.store import PlanStore, read_plan
from crossfade.preflight.edges import divided
from crossfade.preflight.owners import owners
from crossfade.preflight.permits import May, permits
from crossfade.preflight.room import Beside, room
from crossfade.preflight.surroundings import Surroundings
from crossfade.preflight.tls import tls
from crossfade.request import Request
from crossfade.shift.share import NONE
from crossfade.shift.shifter import Edges


class PreflightRequest(Request):
    """Check that a migration may begin. `may` is what the stack was deployed to touch; older stacks do not say it."""

    migration: str
    fence: int
    may: May | None = None


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
    surroundings: Surroundings,
    now: datetime,
) -> PreflightPassed:
    """
    Look at everything the plan leans on; touch nothing.

    All refusals are gathered and named at once. Safe to repeat: it only looks, and notes
    in the journal what it saw. That the plan is the one asked for, that no blocking gap is open and
    that nobody owns its edges was seen when the migration opened.

    Raises:
        PreflightRefused: with every refusal and its mend.
        PlanChanged: the stored plan is not the one the migration opened with.
        Fenced: a rollback has begun.
        EcsBusy, EdgeBusy, MetricsBusy: AWS throttles.
    """
    record = read_fenced(journal, request.migration, request.fence)
    plan = read_plan(plans, record.plan)
    held = journal.edges(request.migration)
    blues = {service.name: _blue(plan, service.blue.service_name, services) for service in plan.services}
    beside = tuple(_beside(plan, blues, services))
    findings = (
        *_period(plan, request.may),
        *_answers(plan),
        *_alarms(plan, alarms),
        *_blue_services(plan, blues),
        *_lone_tasks(plan, beside),
        *_task_definitions(plan, blues, beside),
        *_edges(held, edges),
        *divided(plan, held, edges),
        *_permitted(plan, request.may, held, beside),
        *owners(plan, held, surroundings),
        *room(plan, beside, surroundings, now=now),
        *tls(plan, surroundings),
    )
    refusals = [finding for finding in findings if finding.refused]
    seen = {"checked": len(findings), "refused": [str(finding) for finding in refusals]}
    journal.append(note(request.migration, "preflight", seen, fence=request.fence, at=now), fence=request.fence)
    if refusals:
        raise PreflightRefused(" | ".join(str(finding) for finding in refusals))
    return PreflightPassed(checks=tuple(str(finding) for finding in findings))


def _period(plan: MigrationPlan, may: May | None) -> Iterator[Finding]:
    least = 60 if may is None else may.least_period_seconds
    finding = Finding(check="is one that AWS publishes", subject="period_seconds of the plan's timings")
    if plan.timings.period_seconds < least:
        yield finding.refuse(
            f"is {plan.timings.period_seconds} s; AWS counts requests by {least} s, and shorter is for rehearsals only",
            "draw the plan again: this one was made for a rehearsal",
        )
    else:
        yield finding


def _answers(plan: MigrationPlan) -> Iterator[Finding]:
    for service in plan.services:
        if service.background is not None and service.background.answer is None:
            finding = Finding(check="its background work is answered", subject=f"service {service.name}")
            yield finding.refuse(
                f"works without requests ({service.background.why}), and green would too, as soon as it runs",
                "say in the plan what green does: share the work, or wait at zero tasks",
            )


def _alarms(plan: MigrationPlan, alarms: Alarms) -> Iterator[Finding]:
    for name, state in alarms.states(plan.alarms).items():
        finding = Finding(check="exists and is not in ALARM", subject=f"alarm {name}")
        if state is AlarmState.MISSING:
            yield finding.refuse("does not exist", "create it, or draw the plan without it")
        elif state is AlarmState.ALARM:
            yield finding.refuse("is in ALARM already", "mend what it watches first: it would roll back at once")
        else:
            yield finding
    ours = ejection_alarm(plan.migration)
    if alarms.in_alarm([ours]):
        yield Finding(check="is quiet", subject=f"alarm {ours}").refuse(
            "still rings from the last try, and would roll this one back at once",
            "wait until CloudWatch says OK of it, a few minutes after the last ejection, then start again",
        )


def _blue(plan: MigrationPlan, name: str, services: Services) -> ServiceState | BlueChanged | None:
    try:
        return services.describe(plan.cluster, name)
    except BlueChanged as gone:
        return gone


def _beside(
    plan: MigrationPlan, blues: dict[str, ServiceState | BlueChanged | None], services: Services
) -> Iterator[Beside]:
    for service in plan.services:
        blue = blues[service.name]
        if isinstance(blue, ServiceState):
            try:
                yield Beside(service, blue, services.task_definition(blue.task_definition))
            except BlueChanged:
                continue  # named by `_task_definitions`


def _blue_services(plan: MigrationPlan, blues: dict[str, ServiceState | BlueChanged | None]) -> Iterator[Finding]:
    for service in plan.services:
        name, blue = service.blue.service_name, blues[service.name]
        finding = Finding(check="runs all the tasks it wants", subject=f"blue service {name}")
        if isinstance(blue, BlueChanged):
            yield finding.refuse(str(blue), "name the cluster as AWS does")
        elif blue is None:
            yield finding.refuse(f"is not in cluster {plan.cluster}", "draw the plan again")
        elif blue.status != "ACTIVE":
            yield finding.refuse(f"is {blue.status}", "draw the plan again")
        elif blue.shifted_by is not None:
            yield finding.refuse(
                f"{blue.shifted_by} moves its traffic and would set the weights itself",
                "give it a rolling deployment without that first",
            )
        elif blue.running < blue.desired:
            yield finding.refuse(
                f"runs {blue.running} of {blue.desired} tasks",
                "bring it to full strength first: traffic goes back there",
            )
        else:
            yield finding


def _lone_tasks(plan: MigrationPlan, beside: Sequence[Beside]) -> Iterator[Finding]:
    for each in beside:
        if serves_alone_unasked(plan, each.service, each.tasks):
            finding = Finding(
                check="may be ejected by its callers", subject=f"green service {each.service.green.service_name}"
            )
            yield finding.refuse(
                "would serve with one task, which its callers' proxies can never eject, so its errors reach them",
                f"give it two tasks in the plan (green.desired_count), or accept the gap {SINGLE_TASK} of "
                f"{single_task_place(each.service)} with --accept",
            )


def _task_definitions(
    plan: MigrationPlan, blues: dict[str, ServiceState | BlueChanged | None], beside: Sequence[Beside]
) -> Iterator[Finding]:
    read = {each.service.name: each for each in beside}
    for service in plan.services:
        blue = blues[service.name]
        if not isinstance(blue, ServiceState):
            continue  # named by `_blue_services`
        finding = Finding(check="lets green's proxy write its log", subject=f"task definition {blue.task_definition}")
        if service.name not in read:
            yield finding.refuse("does not exist any more", "let blue run one that does")
        elif read[service.name].on_fargate and not read[service.name].definition.get("executionRoleArn"):
            yield finding.refuse(
                "names no execution role, and without one Fargate delivers no log: ejections could not be seen",
                "give it an execution role that may write to CloudWatch Logs",
            )
        else:
            yield finding


def _edges(held: Sequence[EdgeRecord], edges: Edges) -> Iterator[Finding]:
    for edge in held:
        healthy = Finding(check="blue has healthy targets", subject=f"edge {edge.name}")
        as_found = Finding(check="holds the weights the migration opened with", subject=f"edge {edge.name}")
        again = "set it as it should be, then start again"
        try:
            if edges.healthy_targets(edge.resolved.blue_arn) < 1:
                yield healthy.refuse("blue has no healthy target", "mend it first: traffic goes back there")
            else:
                yield healthy
            shifter = edges.shifter(edge)
            if any(share != NONE for share in shifter.shares()):
                yield as_found.refuse("green holds a share already", again)
            elif shifter.way_back() != edge.way_back:
                yield as_found.refuse("it was changed since the migration opened", again)
            else:
                yield as_found
        except (EdgeChanged, UnknownEdge) as changed:
            yield as_found.refuse(str(changed), again)


def _permitted(
    plan: MigrationPlan, may: May | None, held: Sequence[EdgeRecord], beside: Sequence[Beside]
) -> Iterator[Finding]:
    if may is not None:
        yield from permits(
            may, plan, edges=held, blues=[(each.service, each.blue.arn, each.definition) for each in beside]
        )
