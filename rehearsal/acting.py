"""Watching a scenario to its end: what strikes in mid-climb, when it is over, and how the migration ended."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from crossfade.journal.model import MigrationRecord
from crossfade.phases import Phase
from rehearsal.breaking import Breaking
from rehearsal.disturbing import DISTURBANCES, Disturbance
from rehearsal.scene import Scene, Teller, green_percent, last_said, phase_of, record_of, rollback_started, shares_of
from rehearsal.summary import Scenario

_LOOK_SECONDS = 0.25
_BREAK_AFTER_SECONDS = 2.0
_ENDED = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"})


def play(scene: Scene, scenario: Scenario, *, breaking: Breaking, until: float, say: Teller) -> None:
    """Watch until the migration has ended one way or the other, and break green where the scenario says so."""
    states = scene.aws.client("stepfunctions")
    told = 0.0
    last = ""
    while time.monotonic() < until:
        status = states.describe_execution(executionArn=scene.execution)
        record = record_of(scene)
        green = green_percent(scene)
        if scenario is Scenario.SICK and scene.broken_at is None and _may_break(scene):
            _break(scene, breaking)
            say(_told(breaking), phase=phase_of(record), green=green)
        disturbance = DISTURBANCES.get(scenario)
        if disturbance is not None and scene.broken_at is None and _may_break(scene):
            _disturb(scene, disturbance)
            say(disturbance.said, phase=phase_of(record), green=green)
        if scene.mend_at is not None and time.time() >= scene.mend_at:
            if disturbance is None:
                _mend(scene, breaking)
                say(f"{breaking.name or breaking.service} is over", phase=phase_of(record), green=green)
            else:
                scene.mend_at = None
                disturbance.mend(scene)
                say("that is over", phase=phase_of(record), green=green)
        line = f"{phase_of(record)} {green}"
        if line != last or time.monotonic() - told >= 1:
            totals = scene.load.snapshot().totals
            say(last_said(scene) if record else "", phase=phase_of(record), green=green, totals=totals)
            told, last = time.monotonic(), line
        if _has_ended(scene, status, record, rolls_back=disturbance is not None and disturbance.ends == "rolled_back"):
            return
        time.sleep(_LOOK_SECONDS)
    scene.outcome, scene.reason = "held", f"the scenario did not end within its limit; last: {last_said(scene)}"


def _told(breaking: Breaking) -> str:
    if breaking.busy_cdn:
        return "CloudFront is busy and sends everything to the primary"
    return f"breaking {breaking.which} of {breaking.service}"


def _break(scene: Scene, breaking: Breaking) -> None:
    scene.broken_at = time.time()
    if breaking.dies:
        _end_a_task(scene, breaking.service)
        return
    if breaking.busy_cdn:
        scene.plane.busy_cdn(is_busy=True)
        scene.mend_at = scene.broken_at + (breaking.mended_after_seconds or 0) / scene.time_scale
        return
    for service in filter(None, (breaking.service, breaking.twin)):
        scene.plane.break_tasks(
            service,
            which=breaking.which,
            mode=breaking.mode,
            code=breaking.code,
            probability=breaking.probability,
            milliseconds=breaking.milliseconds,
        )
    if breaking.mended_after_seconds is not None:
        scene.mend_at = scene.broken_at + breaking.mended_after_seconds / scene.time_scale


def _disturb(scene: Scene, disturbance: Disturbance) -> None:
    scene.broken_at = time.time()
    if disturbance.lasts_seconds is not None:
        scene.mend_at = scene.broken_at + disturbance.lasts_seconds / scene.time_scale
    disturbance.strike(scene)


def _mend(scene: Scene, breaking: Breaking) -> None:
    scene.mend_at = None
    if breaking.busy_cdn:
        scene.plane.busy_cdn(is_busy=False)
        return
    for service in filter(None, (breaking.service, breaking.twin)):
        scene.plane.mend_tasks(service)


def _end_a_task(scene: Scene, service: str) -> None:
    containers = scene.aws.client("ecs")
    tasks = containers.list_tasks(cluster=scene.plan.cluster, serviceName=service)["taskArns"]
    containers.stop_task(cluster=scene.plan.cluster, task=min(tasks), reason="ended by the rehearsal")


def _may_break(scene: Scene) -> bool:
    """Say whether green has held its first share long enough to have answered some users."""
    held = [share for share in shares_of(scene) if share.green_percent > 0]
    since = time.time() - scene.started - held[0].at if held else 0.0
    return since > _BREAK_AFTER_SECONDS


def _has_ended(scene: Scene, status: Mapping[str, Any], record: MigrationRecord | None, *, rolls_back: bool) -> bool:
    """Say whether nothing more is to come; where the product must roll back, only that it has, however late."""
    if record is not None and record.phase is Phase.ROLLED_BACK:
        scene.outcome, scene.reason = "rolled_back", record.reason or ""
        return True
    if status["status"] == "SUCCEEDED":
        output = json.loads(status["output"])
        scene.outcome, scene.reason = "completed", output["reason"]
        return True
    if status["status"] in _ENDED and (record is None or record.phase is not Phase.ROLLING_BACK):
        said = f"{status.get('error', status['status'])}: {status.get('cause', '')}"
        started_back = record is not None and rollback_started(scene) is not None
        scene.outcome, scene.reason = "failed", said
        return not started_back and not rolls_back
    return False
