"""
What may happen to a migration in mid-climb that is no fault of green's: people, lost events, throttles, blue's losses.

Each strikes once green has answered users for two seconds, and says afterwards whether the way it was meant to be
met was really taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from crossfade.executions.stepfunctions import StepFunctionsExecutions
from crossfade.journal.journal import Journal
from crossfade.plan.document import MigrationPlan
from crossfade.rollout.rollback import begin_rollback
from rehearsal.aws import EmbeddedAws
from rehearsal.aws.elbv2 import weight_changes
from rehearsal.breaking import Ending
from rehearsal.dataplane import DataPlane
from rehearsal.summary import Scenario

LOST_FOR_SECONDS = 120
"""In plan time: for so long blue's lost task cannot be replaced, as where the mesh is gone."""

_ALWAYS = 1_000_000


class Stage(Protocol):
    """What is running when a disturbance strikes."""

    @property
    def aws(self) -> EmbeddedAws:
        """The embedded AWS, with the product deployed in it."""

    @property
    def plane(self) -> DataPlane:
        """The tasks and the edge."""

    @property
    def journal(self) -> Journal:
        """The product's journal."""

    @property
    def plan(self) -> MigrationPlan:
        """The plan that is carried out."""

    @property
    def arns(self) -> Mapping[str, str]:
        """The stack's outputs."""

    @property
    def physical(self) -> Mapping[str, str]:
        """The stack's resources, by logical id."""

    @property
    def execution(self) -> str:
        """The ARN of `migrate`'s execution."""


def _nothing(_: Stage) -> None:
    """Do nothing: it does not end by itself."""


@dataclass(frozen=True, slots=True)
class Disturbance:
    """
    One thing that happens in mid-climb.

    Attributes:
        said: What it is, in words.
        ends: How the migration should end.
        strike: Lets it happen.
        missed: Returns what of the way it should have been met was not seen; empty when all was.
        lasts_seconds: In plan time, until `mend` is called; None for never.
        mend: Lets it be over.
    """

    said: str
    ends: Ending
    strike: Callable[[Stage], None]
    missed: Callable[[Stage], str]
    lasts_seconds: float | None = None
    mend: Callable[[Stage], None] = _nothing


def _give_back(stage: Stage, why: str) -> None:
    """Give everything back, as an operator does by `crossfade abort`."""
    executions = StepFunctionsExecutions(stage.aws.client("stepfunctions"), stage.arns["RollBackArn"])
    begin_rollback(stage.plan.migration, why, journal=stage.journal, executions=executions, now=datetime.now(UTC))


def _unless_reason_has(text: str) -> Callable[[Stage], str]:
    def missed(stage: Stage) -> str:
        reason = stage.journal.read(stage.plan.migration).reason or ""
        return "" if text in reason else f"it went back for another reason: {reason}"

    return missed


def _stop_and_tell_nobody(stage: Stage) -> None:
    stage.aws.events.lose("Step Functions Execution Status Change", times=_ALWAYS)
    stage.aws.client("stepfunctions").stop_execution(executionArn=stage.execution, cause="stopped by the rehearsal")


def _give_back_without_lambda(stage: Stage) -> None:
    stage.aws.faults.throttle(stage.physical["RestoreEdge"], times=_ALWAYS)
    _give_back(stage, "the operator aborted it while Lambda throttled")


def _unless_step_functions_did_it(_: Stage) -> str:
    by = weight_changes()[-1].caller
    return f"a function restored the edge: {by}" if "AWS_Lambda" in by else ""


def _blue_at_the_edge(stage: Stage) -> str:
    return stage.plan.service(stage.plan.edges[0].service).blue.service_name


def _end_a_task_of_blue(stage: Stage) -> None:
    service = _blue_at_the_edge(stage)
    stage.plane.refuse_starts(service)
    containers = stage.aws.client("ecs")
    tasks = containers.list_tasks(cluster=stage.plan.cluster, serviceName=service)["taskArns"]
    containers.stop_task(cluster=stage.plan.cluster, task=min(tasks), reason="ended by the rehearsal")


def _unless_held_and_released(stage: Stage) -> str:
    notes = [entry.what for entry in stage.journal.entries(stage.plan.migration) if entry.kind == "note"]
    absent = [what for what in ("held", "released") if what not in notes]
    return f"the journal does not say that it was {' and '.join(absent)}" if absent else ""


def _rotate(stage: Stage) -> None:
    stage.plane.rotate_certificates()


def _unless_all_serve_the_newest(stage: Stage) -> str:
    if not stage.plane.encrypted_tasks:
        return "no call was encrypted"
    old = stage.plane.serving_old_certificates()
    return f"old certificates are served by {', '.join(old)}" if old else ""


DISTURBANCES: Mapping[Scenario, Disturbance] = {
    Scenario.ABORT: Disturbance(
        said="an operator aborts",
        ends="rolled_back",
        strike=lambda stage: _give_back(stage, "the operator aborted it in a rehearsal"),
        missed=_unless_reason_has("the operator aborted it"),
    ),
    Scenario.UNWATCHED: Disturbance(
        said="migrate is stopped, and nobody is told",
        ends="rolled_back",
        strike=_stop_and_tell_nobody,
        missed=_unless_reason_has("nobody was told"),
    ),
    Scenario.THROTTLED: Disturbance(
        said="an operator aborts while Lambda throttles the way back",
        ends="rolled_back",
        strike=_give_back_without_lambda,
        missed=_unless_step_functions_did_it,
    ),
    Scenario.BLUE_LOSS: Disturbance(
        said="blue loses a task and cannot replace it for a while",
        ends="completed",
        strike=_end_a_task_of_blue,
        missed=_unless_held_and_released,
        lasts_seconds=LOST_FOR_SECONDS,
        mend=lambda stage: stage.plane.allow_starts(_blue_at_the_edge(stage)),
    ),
    Scenario.TLS: Disturbance(
        said="every certificate is rotated",
        ends="completed",
        strike=_rotate,
        missed=_unless_all_serve_the_newest,
    ),
}
