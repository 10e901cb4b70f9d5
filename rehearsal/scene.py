"""What is running while a scenario plays, and what can be read of it; what onlookers are told."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from crossfade.errors import UnknownMigration
from crossfade.journal.dynamodb import DynamoDbJournal
from crossfade.journal.model import MigrationRecord
from crossfade.judge.action import EVIDENCE
from crossfade.phases import Phase
from crossfade.plan.document import MigrationPlan
from rehearsal.aws import EmbeddedAws
from rehearsal.dataplane import DataPlane, Load, Totals
from rehearsal.doors import Slowness
from rehearsal.shares import shares_held
from rehearsal.summary import ShareHeld


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


class Teller:
    """Tells an onlooker of each step, with the seconds since `began` on the monotonic clock."""

    def __init__(self, tell: Callable[[Progress], None], began: float) -> None:
        self._tell = tell
        self._began = began

    def __call__(self, step: str, *, phase: str = "", green: float = 0, totals: Totals | None = None) -> None:
        """Tell of a step, with as much as is known by then."""
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


@dataclass
class Scene:
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


def record_of(scene: Scene) -> MigrationRecord | None:
    """Return what the journal holds of the migration; None before it was opened."""
    try:
        return scene.journal.read(scene.plan.migration)
    except UnknownMigration:
        return None


def phase_of(record: MigrationRecord | None) -> str:
    """Return a migration's phase; that of a plan before it was opened."""
    return str(record.phase) if record else str(Phase.PLANNED)


def last_said(scene: Scene) -> str:
    """Return the judge's last reason, or what was last done."""
    entries = scene.journal.entries(scene.plan.migration)
    for entry in reversed(entries):
        if entry.what == EVIDENCE and "judgement" in entry.detail:
            reason: str = entry.detail["judgement"]["reason"]
            return reason
    return entries[-1].what if entries else ""


def rollback_started(scene: Scene) -> datetime | None:
    """Return when the first `roll_back` was started: that is when it was decided."""
    listed = scene.aws.client("stepfunctions").list_executions(stateMachineArn=scene.arns["RollBackArn"])
    return min((execution["startDate"] for execution in listed["executions"]), default=None)


def shares_of(scene: Scene) -> tuple[ShareHeld, ...]:
    """Return every share that green was given since the migration was started, in order."""
    return shares_held(scene.plan.edges[0], scene.slowness, scene.started)


def green_percent(scene: Scene) -> float:
    """Return the share that green was given last, in percent."""
    shares = shares_of(scene)
    return shares[-1].green_percent if shares else 0.0
