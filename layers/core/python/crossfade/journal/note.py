"""A note in the journal: what was asked, said or seen of a migration as a whole, with no effect of its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from crossfade.journal.model import Entry


def note(migration: str, what: str, detail: Mapping[str, object], *, fence: int | None, at: datetime) -> Entry:
    """Return the entry; `fence` is the one under which it was made, None where that does not matter."""
    return Entry(
        migration=migration, at=at, kind="note", what=what, subject=migration, detail=dict(detail), fence=fence
    )
