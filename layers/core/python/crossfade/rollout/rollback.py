"""Begin a rollback: shut out every older executor, then make sure that exactly one `roll_back` runs."""

from __future__ import annotations

from datetime import datetime

from crossfade.errors import BlueIsGone, ExecutionsBusy
from crossfade.executions.executions import Executions, ExecutionStatus, RollbackInput
from crossfade.frozen import Frozen
from crossfade.journal.journal import Journal
from crossfade.journal.model import MigrationRecord
from crossfade.phases import BEYOND_RETURN, Phase

_ATTEMPTS = 5
"""Each attempt but the last was overtaken by somebody else's; five in a row are a storm."""


class RollbackStarted(Frozen):
    """
    What beginning a rollback came to.

    `fence` names the execution, with the migration. `joined` says that it ran already;
    `needed` is false when the migration was rolled back before, and nothing was started.
    """

    migration: str
    fence: int
    joined: bool
    needed: bool = True


def begin_rollback(
    migration: str, reason: str, *, journal: Journal, executions: Executions, now: datetime
) -> RollbackStarted:
    """
    See to it that a `roll_back` of this migration runs; do not wait for it.

    The fence is raised first, so that nobody older can shift any more even if the
    start then fails; whoever tries again finds ROLLING_BACK and starts under the fence
    that stands. An execution of that name which is over without the migration being
    rolled back has failed: the fence rises once more. Idempotent: many callers at once
    start one execution, or one after another that each restore the same edges.

    Raises:
        BlueIsGone: blue has begun to be retired.
        UnknownMigration: no such migration.
        ExecutionsBusy, JournalBusy: throttled, or overtaken too often; the fence is raised all the same.
    """
    for _ in range(_ATTEMPTS):
        record = journal.read(migration)
        if record.phase in BEYOND_RETURN:
            raise BlueIsGone(f"{migration} is {record.phase}: there is no blue to go back to")
        if record.phase is Phase.ROLLED_BACK:
            return RollbackStarted(migration=migration, fence=record.fence, joined=True, needed=False)
        if record.phase is not Phase.ROLLING_BACK:
            record = journal.raise_fence(migration, seen=record.fence, reason=reason, at=now)
        if record.phase is Phase.ROLLING_BACK:
            joined = _start_or_join(record, executions)
            if joined is not None:
                return RollbackStarted(migration=migration, fence=record.fence, joined=joined)
            if journal.read(migration) == record:
                journal.raise_fence(migration, seen=record.fence, reason=record.reason or reason, at=now)
    raise ExecutionsBusy(f"{migration}: {_ATTEMPTS} rollbacks in a row ended before they could be joined")


def _start_or_join(record: MigrationRecord, executions: Executions) -> bool | None:
    """Return whether the rollback under this fence ran before us; None when it ran and is over."""
    name = rollback_name(record.migration, record.fence)
    started = executions.start_rollback(name, RollbackInput(migration=record.migration, fence=record.fence))
    if started is not None:
        return False
    return True if executions.rollback_status(name) is ExecutionStatus.RUNNING else None


def rollback_name(migration: str, fence: int) -> str:
    """Return the name of the execution that rolls a migration back under a fence: it can always be found again."""
    return f"{migration}-{fence}"
