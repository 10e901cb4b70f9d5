"""What an operator says in chaos: by the same actions as the command's, and every word may come too late."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress

from crossfade.errors import CrossfadeError, UnknownMigration
from crossfade.executions.stepfunctions import StepFunctionsExecutions
from crossfade.journal.dynamodb import DynamoDbJournal
from crossfade.journal.hold import OPERATOR, Hold
from crossfade.rollout.approving import answer_approval
from crossfade.rollout.rollback import begin_rollback
from rehearsal.aws import EmbeddedAws
from rehearsal.aws.clock import clock

_WHO = "ann"


class Operator:
    """Somebody with the console open."""

    def __init__(self, aws: EmbeddedAws, outputs: Mapping[str, str], journal: DynamoDbJournal) -> None:
        self._states = aws.client("stepfunctions")
        self._outputs = outputs
        self._journal = journal
        self._executions = StepFunctionsExecutions(self._states, outputs["RollBackArn"])

    def roll_back(self, migration: str) -> None:
        """Start `roll_back` in the console."""
        self._states.start_execution(
            stateMachineArn=self._outputs["RollBackArn"], input=json.dumps({"migration": migration})
        )

    def stop(self, execution: str) -> None:
        """Stop an execution in the console."""
        self._states.stop_execution(executionArn=execution)

    def abort(self, migration: str) -> None:
        """Give everything back, if there is anything yet."""
        with suppress(CrossfadeError):
            begin_rollback(
                migration, "ann aborted it", journal=self._journal, executions=self._executions, now=clock.now()
            )

    def hold(self, migration: str) -> bool:
        """Hold the climb; False while there is nothing to hold."""
        try:
            record = self._journal.read(migration)
        except UnknownMigration:
            return False
        hold = Hold(migration=migration, by=OPERATOR, why="a release", at=clock.now(), fence=record.fence)
        self._journal.keep_hold(hold)
        return True

    def resume(self, migration: str) -> None:
        """End every hold."""
        with suppress(UnknownMigration):
            for hold in self._journal.holds(migration):
                self._journal.drop_hold(migration, hold.by)

    def looks(self, migration: str) -> int:
        """Count how often green was looked at."""
        return sum(entry.what == "judge" for entry in self._journal.entries(migration))

    def answer(self, migration: str, *, approved: bool) -> bool:
        """Answer what waits for a person; False when nothing does."""
        try:
            return answer_approval(
                migration,
                approved=approved,
                who=_WHO,
                why="so be it",
                journal=self._journal,
                executions=self._executions,
                now=clock.now(),
            )
        except CrossfadeError:
            return False

    def retire(self, migration: str) -> None:
        """Take blue away."""
        record = self._journal.read(migration)
        given = {"schema": 1, "migration": migration, "fence": record.fence, "who": _WHO}
        self._states.start_execution(stateMachineArn=self._outputs["RetireArn"], input=json.dumps(given))
