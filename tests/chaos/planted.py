"""Bugs in ports, planted to see whether chaos finds them."""

from __future__ import annotations

from crossfade.journal.memory import MemoryJournal
from crossfade.journal.model import MigrationRecord


class JournalWithoutFence(MemoryJournal):
    """A journal that takes what an executor says whose fence was overtaken."""

    def _fenced(self, migration: str, fence: int) -> MigrationRecord:  # noqa: ARG002  that is the bug
        return self.read(migration)
