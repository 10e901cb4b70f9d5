"""
One rehearsal: the real stack and an application in an embedded AWS, real proxies, real requests, one scenario.

The harness deploys, starts the execution, drives load and breaks tasks. Everything else is
done by the product: a test asserts that weights change only by calls of its handlers.
"""

from __future__ import annotations

import itertools
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from crossfade.errors import UnknownMigration
from crossfade.journal.dynamodb import DynamoDbJournal
from crossfade.journal.model import MigrationRecord
from crossfade.judge.action import EVIDENCE
from crossfade.plan.document import EdgePlan, MigrationPlan, digest
from crossfade.rollout.phases import Phase
from rehearsal.application import Application
from rehearsal.aws import EmbeddedAws
from rehearsal.breaking import Breaking
from rehearsal.dataplane import DataPlane, EnvoyMissing, EnvoyRefused, Load, Totals, version
from rehearsal.deploy import Deployer
from rehearsal.deploy.errors import DeployError
from rehearsal.disturbing import DISTURBANCES, Disturbance
from rehearsal.doors import Slowness, asked_alone, led_in, open_door
from rehearsal.elsewhere import forward_alarms
from rehearsal.encrypting import encrypted
from rehearsal.pace import Pace, quickened
from rehearsal.permits import stack_parameters
from rehearsal.shares import shares_held
from rehearsal.summary import AskedAlone, EdgeSummary, Requests, Scenario, Seconds, ShareHeld, Summary

STACK = "crossfade"
TEMPLATE = Path(__file__).resolve().parents[1] / "template.yaml"
_REGION = "eu-west-1"
_LOOK_SECONDS = 0.25
_WARM_UP_REQUESTS = 50
_AFTERMATH_SECONDS = 2.0
_BREAK_AFTER_SECONDS = 2.0
_FAILED = 500
_ENDED = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"})


class RehearsalFailed(Exception):
    """The rehearsal could not be carried out; the message says at which step and why."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What an onlooker sees: once a second, and whenever something changes."""

    seconds: float
    step: str
    phase: str
    green_percent: float
    requests: int
    failed: int
    said: str


@dataclass
class _Stage:
    """What is running while a scenario plays."""

    aws: EmbeddedAws
    plane: DataPlane
    load: Load
    slowness: Slowness
    journal: DynamoDbJournal
    plan: MigrationPlan
    arns: Mapping[str, str]
    physical: Mapping[str, str]
    execution: str
    started: float
    time_scale: int
    broken_at: float | None = None
    mend_at: float | None = None
    outcome: Literal["completed", "rolled_back", "held", "failed"] = "failed"
    reason: str = ""
    seen: list[str] = field(default_factory=list)


def rehearse(
    application: Application,
    scenario: Scenario,
    *,
    pace: Pace,
    breaking: Breaking,
    seed: int = 0,
    limit_seconds: float = 300,
    tell: Callable[[Progress], None] = lambda _: None,
    tamper: Callable[[EmbeddedAws, Deployer], None] = lambda _aws, _deployer: None,
) -> Summary:
    """
    Play one scenario to its end and return what it came to.

    Args:
        application: Its stacks are deployed as blue; its plan is quickened to `pace`.
        scenario: See `Scenario`.
        pace: Load, ladder, bake, and the factor by which time is divided.
        breaking: What fails in `sick`, two seconds after green got its first share.
        seed: Of the load's order and of which task is broken.
        limit_seconds: A scenario that has not ended by then is `held` or `failed`.
        tell: Called with progress about once a second.
        tamper: Called between deployment and start, for tests that take a part of the product away.

    Raises:
        RehearsalFailed: a step before the migration's start failed.
    """
    began = time.monotonic()
    unalarmed = scenario is Scenario.SICK and breaking.unalarmed
    plan = _at_pace(application.plan, pace, unalarmed=unalarmed)
    with ExitStack() as stack, _in_one_sentence():
        say = _Teller(tell, began)
        say("starting the embedded AWS and the data plane")
        plane = stack.enter_context(DataPlane(time_scale=pace.time_scale, seed=seed))
        region = plan.region or _REGION
        aws = stack.enter_context(EmbeddedAws(runtime=plane, time_scale=pace.time_scale, region=region))
        stack.callback(plane.close)  # before the AWS it reports to
        plane.attach(aws, _calls(plan))
        deployer = Deployer(aws, period_scale=pace.time_scale)
        for name, template in application.stacks:
            say(f"deploying {_named(template)} as stack {name}: blue")
            deployer.deploy(template, name)
        if application.redrawn is not None:
            drawn = application.redrawn(deployer)
            plan = _at_pace(drawn, pace, unalarmed=unalarmed)
        plan = led_in(plan, application.door, aws, pace)
        if scenario is Scenario.TLS:
            plan = encrypted(plan, aws)
        say("deploying template.yaml as stack crossfade: the product")
        outputs = deployer.deploy_sam(TEMPLATE, STACK, stack_parameters(plan))
        if forward_alarms(aws, plan, STACK):
            say("deployed template-us-east-1.yaml in us-east-1: what leads CloudFront's alarms home")
        tamper(aws, deployer)
        users, slowness = open_door(application.door, plan, plane, pace, seed)
        plan = asked_alone(plan, plane, users)
        load = plane.drive(users, pace.requests_per_second)
        stack.callback(load.stop)
        say("warming up on blue")
        _warm_up(load)
        execution = _start(aws, outputs, plan)
        stage = _Stage(
            aws=aws,
            plane=plane,
            load=load,
            slowness=slowness,
            journal=DynamoDbJournal(aws.client("dynamodb"), outputs["JournalTable"]),
            plan=plan,
            arns=outputs,
            physical=deployer.describe(STACK),
            execution=execution,
            started=time.time(),
            time_scale=pace.time_scale,
        )
        _play(stage, scenario, breaking=breaking, until=began + limit_seconds, say=say)
        time.sleep(_AFTERMATH_SECONDS + slowness.tail)  # what the last clients of the old split still get, counts
        totals = load.stop()
        return _summary(
            stage,
            scenario,
            pace=pace,
            breaking=breaking,
            seed=seed,
            totals=totals,
            total_seconds=time.monotonic() - began,
        ).model_copy(update={"staging": application.staging})


def _at_pace(plan: MigrationPlan, pace: Pace, *, unalarmed: bool) -> MigrationPlan:
    quick = quickened(plan, pace)
    return quick.model_copy(update={"alarms": ()}) if unalarmed else quick


def _named(template: Path | Mapping[str, Any]) -> str:
    """Return what is deployed, in words; a template made here says itself what it is, or it is stand-ins."""
    return template.name if isinstance(template, Path) else str(template.get("Description", "stand-ins for the plan"))


@contextmanager
def _in_one_sentence() -> Iterator[None]:
    """Say of what stands in the way of a rehearsal what it is, and no more."""
    try:
        yield
    except (DeployError, EnvoyMissing, EnvoyRefused) as error:
        raise RehearsalFailed(str(error)) from error


class _Teller:
    def __init__(self, tell: Callable[[Progress], None], began: float) -> None:
        self._tell = tell
        self._began = began

    def __call__(self, step: str, *, phase: str = "", green: float = 0, totals: Totals | None = None) -> None:
        self._tell(
            Progress(
                seconds=time.monotonic() - self._began,
                step=step,
                phase=phase,
                green_percent=green,
                requests=totals.total if totals else 0,
                failed=totals.failed if totals else 0,
                said=step,
            )
        )


def _calls(plan: MigrationPlan) -> dict[str, Any]:
    """Return what every task calls, by the name of its ECS service, blue and green alike."""
    return {
        name: service.calls
        for service in plan.services
        for name in (service.blue.service_name, service.green.service_name)
    }


def _warm_up(load: Load) -> None:
    totals = load.wait_for_requests(_WARM_UP_REQUESTS)
    if totals.blue == 0:
        raise RehearsalFailed(f"blue does not answer at its edge: {totals}")


def _start(aws: EmbeddedAws, outputs: Mapping[str, str], plan: MigrationPlan) -> str:
    document = plan.to_json()
    key = f"{plan.migration}/plan.json"
    stored = aws.client("s3").put_object(Bucket=outputs["PlanBucket"], Key=key, Body=document.encode())
    given = {
        "migration": plan.migration,
        "plan": {
            "bucket": outputs["PlanBucket"],
            "key": key,
            "version": stored.get("VersionId"),
            "sha256": digest(document),
        },
    }
    started = aws.client("stepfunctions").start_execution(
        stateMachineArn=outputs["MigrateArn"], name=f"{plan.migration}-1", input=json.dumps(given)
    )
    execution: str = started["executionArn"]
    return execution


def _play(stage: _Stage, scenario: Scenario, *, breaking: Breaking, until: float, say: _Teller) -> None:
    """Watch until the migration has ended one way or the other, and break green where the scenario says so."""
    states = stage.aws.client("stepfunctions")
    told = 0.0
    last = ""
    while time.monotonic() < until:
        status = states.describe_execution(executionArn=stage.execution)
        record = _record(stage)
        green = _green_percent(stage)
        if scenario is Scenario.SICK and stage.broken_at is None and _may_break(stage):
            _break(stage, breaking)
            say(_told(breaking), phase=_phase(record), green=green)
        disturbance = DISTURBANCES.get(scenario)
        if disturbance is not None and stage.broken_at is None and _may_break(stage):
            _disturb(stage, disturbance)
            say(disturbance.said, phase=_phase(record), green=green)
        if stage.mend_at is not None and time.time() >= stage.mend_at:
            if disturbance is None:
                _mend(stage, breaking)
                say(f"{breaking.name or breaking.service} is over", phase=_phase(record), green=green)
            else:
                stage.mend_at = None
                disturbance.mend(stage)
                say("that is over", phase=_phase(record), green=green)
        line = f"{_phase(record)} {green}"
        if line != last or time.monotonic() - told >= 1:
            totals = stage.load.snapshot().totals
            said = _said(stage) if record else ""
            say(said, phase=_phase(record), green=green, totals=totals)
            told, last = time.monotonic(), line
        if _has_ended(stage, status, record, rolls_back=disturbance is not None and disturbance.ends == "rolled_back"):
            return
        time.sleep(_LOOK_SECONDS)
    stage.outcome, stage.reason = "held", f"the scenario did not end within its limit; last: {_said(stage)}"


def _told(breaking: Breaking) -> str:
    if breaking.busy_cdn:
        return "CloudFront is busy and sends everything to the primary"
    return f"breaking {breaking.which} of {breaking.service}"


def _break(stage: _Stage, breaking: Breaking) -> None:
    stage.broken_at = time.time()
    if breaking.dies:
        _end_a_task(stage, breaking.service)
        return
    if breaking.busy_cdn:
        stage.plane.busy_cdn(is_busy=True)
        stage.mend_at = stage.broken_at + (breaking.mended_after_seconds or 0) / stage.time_scale
        return
    for service in filter(None, (breaking.service, breaking.twin)):
        stage.plane.break_tasks(
            service,
            which=breaking.which,
            mode=breaking.mode,
            code=breaking.code,
            probability=breaking.probability,
            milliseconds=breaking.milliseconds,
        )
    if breaking.mended_after_seconds is not None:
        stage.mend_at = stage.broken_at + breaking.mended_after_seconds / stage.time_scale


def _disturb(stage: _Stage, disturbance: Disturbance) -> None:
    stage.broken_at = time.time()
    if disturbance.lasts_seconds is not None:
        stage.mend_at = stage.broken_at + disturbance.lasts_seconds / stage.time_scale
    disturbance.strike(stage)


def _mend(stage: _Stage, breaking: Breaking) -> None:
    stage.mend_at = None
    if breaking.busy_cdn:
        stage.plane.busy_cdn(is_busy=False)
        return
    for service in filter(None, (breaking.service, breaking.twin)):
        stage.plane.mend_tasks(service)


def _end_a_task(stage: _Stage, service: str) -> None:
    containers = stage.aws.client("ecs")
    tasks = containers.list_tasks(cluster=stage.plan.cluster, serviceName=service)["taskArns"]
    containers.stop_task(cluster=stage.plan.cluster, task=min(tasks), reason="ended by the rehearsal")


def _record(stage: _Stage) -> MigrationRecord | None:
    try:
        return stage.journal.read(stage.plan.migration)
    except UnknownMigration:
        return None


def _phase(record: MigrationRecord | None) -> str:
    return str(record.phase) if record else str(Phase.PLANNED)


def _said(stage: _Stage) -> str:
    """Return the judge's last reason, or what was last done."""
    entries = stage.journal.entries(stage.plan.migration)
    for entry in reversed(entries):
        if entry.what == EVIDENCE and "judgement" in entry.detail:
            reason: str = entry.detail["judgement"]["reason"]
            return reason
    return entries[-1].what if entries else ""


def _may_break(stage: _Stage) -> bool:
    """Say whether green has held its first share long enough to have answered some users."""
    held = [share for share in _shares(stage) if share.green_percent > 0]
    since = time.time() - stage.started - held[0].at if held else 0.0
    return since > _BREAK_AFTER_SECONDS


def _has_ended(stage: _Stage, status: Mapping[str, Any], record: MigrationRecord | None, *, rolls_back: bool) -> bool:
    """Say whether nothing more is to come; where the product must roll back, only that it has, however late."""
    if record is not None and record.phase is Phase.ROLLED_BACK:
        stage.outcome, stage.reason = "rolled_back", record.reason or ""
        return True
    if status["status"] == "SUCCEEDED":
        output = json.loads(status["output"])
        stage.outcome, stage.reason = "completed", output["reason"]
        return True
    if status["status"] in _ENDED and (record is None or record.phase is not Phase.ROLLING_BACK):
        said = f"{status.get('error', status['status'])}: {status.get('cause', '')}"
        started_back = record is not None and _rollback_started(stage) is not None
        stage.outcome, stage.reason = "failed", said
        return not started_back and not rolls_back
    return False


def _rollback_started(stage: _Stage) -> datetime | None:
    """Return when the first `roll_back` was started: that is when it was decided."""
    listed = stage.aws.client("stepfunctions").list_executions(stateMachineArn=stage.arns["RollBackArn"])
    return min((execution["startDate"] for execution in listed["executions"]), default=None)


def _shares(stage: _Stage) -> tuple[ShareHeld, ...]:
    return shares_held(stage.plan.edges[0], stage.slowness, stage.started)


def _green_percent(stage: _Stage) -> float:
    shares = _shares(stage)
    return shares[-1].green_percent if shares else 0.0


def _summary(
    stage: _Stage,
    scenario: Scenario,
    *,
    pace: Pace,
    breaking: Breaking,
    seed: int,
    totals: Totals,
    total_seconds: float,
) -> Summary:
    edge = stage.plan.edges[0]
    shares = _shares(stage)
    final = shares[-1].green_percent if shares else 0.0
    decided = _rollback_started(stage)
    zero_at, everywhere_at = _back_to_zero(shares)
    decision = decided.timestamp() - stage.started if decided else None
    transitions, longest = _histories(stage)
    disturbance = DISTURBANCES.get(scenario)
    ends = breaking.ends if disturbance is None else disturbance.ends
    completes = scenario is Scenario.HEALTHY or ends == "completed"
    wanted = ("completed", 100.0) if completes else ("rolled_back", 0.0)
    clean = scenario is Scenario.HEALTHY or stage.broken_at is not None
    clean = clean and (totals.failed == 0 or scenario not in {Scenario.HEALTHY, Scenario.TLS})
    missed = disturbance.missed(stage) if disturbance is not None and stage.broken_at is not None else ""
    whole = disturbance is None or (not missed and stage.plane.requests_to_nobody == 0)
    alone = _asked_alone(stage, shares)
    refused = tuple(str(refusal) for refusal in stage.aws.iam.take_refused())
    return Summary(
        scenario=scenario,
        fault=breaking.name or None if scenario is Scenario.SICK else None,
        passed=(stage.outcome, final) == wanted and clean and whole and not refused and _enough(alone, edge),
        outcome=stage.outcome,
        reason=f"{stage.reason}; {missed}" if missed else stage.reason,
        edges=(
            EdgeSummary(
                name=edge.name,
                kind=edge.kind,
                shares=shares,
                final_green_percent=final,
                propagation_seconds=_rounded(stage.slowness.propagation),
                ttl_seconds=_rounded(stage.slowness.ttl),
                connection_seconds=_rounded(stage.slowness.longest_connection),
                asked_alone=alone,
            ),
        ),
        requests=Requests(
            total=totals.total,
            failed=totals.failed,
            blue=totals.blue,
            green=totals.green,
            failed_blue=totals.failed_blue,
            failed_green=totals.failed_green,
            to_nobody=stage.plane.requests_to_nobody,
        ),
        seconds=Seconds(
            total=round(total_seconds, 1),
            fault_to_decision=_between(stage.broken_at and stage.broken_at - stage.started, decision),
            decision_to_zero=_between(decision, zero_at) if stage.broken_at else None,
            decision_to_everywhere=_between(decision, everywhere_at) if stage.broken_at else None,
            decision_to_last_green=_last_green(stage, decision, totals),
        ),
        state_transitions=transitions,
        history_events_max=longest,
        time_scale=pace.time_scale,
        requests_per_second=pace.requests_per_second,
        seed=seed,
        envoy_version=version(),
        services_created=_services_created(stage),
        refused=refused,
        migration=stage.plan.migration,
    )


def _asked_alone(stage: _Stage, shares: tuple[ShareHeld, ...]) -> AskedAlone | None:
    """Return what staging answered before green had a share; None where no distribution divides users."""
    edge = stage.plan.edges[0]
    if edge.cdn is None:
        return None
    first = next((share.at for share in shares if share.green_percent > 0), math.inf)
    found = [each.code for each in stage.plane.staged(edge.cdn.distribution_id) if each.at < stage.started + first]
    return AskedAlone(requests=len(found), failed=sum(code >= _FAILED for code in found))


def _enough(alone: AskedAlone | None, edge: EdgePlan) -> bool:
    """Say whether green was asked alone as often as the plan says, where it says so, and answered well."""
    return alone is None or edge.probe is None or alone.requests - alone.failed >= edge.probe.per_look


def _last_green(stage: _Stage, decision: float | None, totals: Totals) -> float | None:
    if stage.broken_at is None or decision is None or totals.last_green_at is None:
        return None
    return max(0.0, round(totals.last_green_at - stage.started - decision, 2))


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)


def _back_to_zero(shares: tuple[ShareHeld, ...]) -> tuple[float, float] | tuple[None, None]:
    """Return when green was first given nothing after something, and when that was so everywhere."""
    for before, after in itertools.pairwise(shares):
        if after.green_percent == 0 < before.green_percent:
            return after.at, after.everywhere_at
    return None, None


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else round(end - start, 2)


def _histories(stage: _Stage) -> tuple[int, int]:
    """Return the state transitions of all executions, and the events of the longest history."""
    states = stage.aws.client("stepfunctions")
    transitions, longest = 0, 0
    for machine in ("MigrateArn", "ClimbArn", "RollBackArn"):
        for page in states.get_paginator("list_executions").paginate(stateMachineArn=stage.arns[machine]):
            for execution in page["executions"]:
                events = [
                    event["type"]
                    for events in states.get_paginator("get_execution_history").paginate(
                        executionArn=execution["executionArn"]
                    )
                    for event in events["events"]
                ]
                transitions += sum(1 for kind in events if kind.endswith("StateEntered"))
                longest = max(longest, len(events))
    return transitions, longest


def _services_created(stage: _Stage) -> int:
    names = [service.green.service_name for service in stage.plan.services]
    found = stage.aws.client("ecs").describe_services(cluster=stage.plan.cluster, services=names)
    return len(found["services"])
