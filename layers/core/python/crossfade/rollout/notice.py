"""Notify: tell people what became of a migration, and note that they were told."""

from __future__ import annotations

from datetime import datetime

from crossfade.events.outbound import Notice, Notices, What
from crossfade.frozen import Frozen
from crossfade.journal.journal import Journal
from crossfade.journal.model import bounded_reason
from crossfade.journal.note import note
from crossfade.request import Request
from crossfade.rollout.telling import note_told, tell_moves


class NotifyRequest(Request):
    """Tell people that this happened, and why."""

    migration: str
    what: What
    reason: str


class Notified(Frozen):
    """Who was told what is in the journal; this says that it was."""

    migration: str
    what: What


def notify(request: NotifyRequest, *, journal: Journal, notices: Notices, now: datetime) -> Notified:
    """
    Tell people, then note it.

    Moves that nobody was told of yet come first. Repeated, it tells them twice, which is
    better than not at all: a notice is noted only after it was handed on.

    Raises:
        UnknownMigration: no such migration.
        NoticesBusy, JournalBusy: as the ports.
    """
    record = journal.read(request.migration)
    reason = bounded_reason(request.reason)
    # A phase that is told here, with more of a reason than the record has, is left to what follows.
    leave = record.phase if request.what == record.phase else None
    tell_moves(request.migration, journal=journal, notices=notices, now=now, leave=leave)
    notices.tell(Notice(migration=request.migration, what=request.what, phase=record.phase, reason=reason, at=now))
    if leave is not None:
        note_told(record, journal=journal)
    said = {"what": request.what, "reason": reason}
    journal.append(note(request.migration, "notified", said, fence=record.fence, at=now))
    return Notified(migration=request.migration, what=request.what)
