"""The fence, asked before any work is done for it."""

from __future__ import annotations

from crossfade.errors import Fenced
from crossfade.journal.journal import Journal
from crossfade.journal.model import MigrationRecord


def read_fenced(journal: Journal, migration: str, fence: int) -> MigrationRecord:
    """
    Return where the migration is, to an executor that may still act on it.

    This spares work; what keeps a stale executor from acting is the fence that every
    write to the journal carries.

    Raises:
        Fenced: the fence has risen since the executor was started.
        UnknownMigration: no such migration was ever opened.
    """
    record = journal.read(migration)
    if record.fence != fence:
        raise Fenced(f"{migration}: fence {fence} is stale, it is {record.fence} now ({record.phase})")
    return record
