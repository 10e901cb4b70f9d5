"""
Tell people of every move: each at least once, also after whoever made it has died.

Most moves leave word in the journal, in the transaction that makes them; a rollback's two
phases and the shares of the edges are read there as they stand. `watch` comes by every
minute, so nothing stays untold for longer while a migration is open.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from crossfade.events.outbound import Notice, Notices, What
from crossfade.journal.edges import EdgeRecord
from crossfade.journal.journal import Journal
from crossfade.journal.model import MigrationRecord
from crossfade.journal.untold import Told
from crossfade.phases import Phase
from crossfade.shift.share import ALL, NONE, Share

_GOING_BACK: dict[Phase, What] = {Phase.ROLLING_BACK: "rolling_back", Phase.ROLLED_BACK: "rolled_back"}


def tell_moves(migration: str, *, journal: Journal, notices: Notices, now: datetime, leave: Phase | None = None) -> int:
    """
    Hand on every notice that nobody was told yet, and return how many those were.

    A notice is forgotten after it was handed on, so one cut short here is told twice. The
    phase of a rollback that is named in `leave` is left to the caller.

    Raises:
        UnknownMigration: no such migration.
        NoticesBusy, JournalBusy: as the ports; what was handed on is not told again.
    """
    count = 0
    for kept in journal.untold(migration):
        notices.tell(
            Notice(migration=migration, what=kept.what, phase=kept.phase, reason=kept.reason, at=kept.at),
        )
        journal.drop_untold(kept)
        count += 1
    record = journal.read(migration)
    for notice, told in _standing(record, journal.edges(migration), journal.told(migration), now, leave):
        notices.tell(notice)
        journal.keep_told(told)
        count += 1
    return count


def note_told(record: MigrationRecord, *, journal: Journal) -> None:
    """Remember that people were told of the phase in which a rollback is."""
    if record.phase in _GOING_BACK:
        journal.keep_told(_now(record, journal.told(record.migration)).model_copy(update={"phase": record.phase}))


def _standing(
    record: MigrationRecord, edges: tuple[EdgeRecord, ...], told: Told, now: datetime, leave: Phase | None
) -> Iterator[tuple[Notice, Told]]:
    """Yield what stands and was not told, each with what has been told once it is."""
    told = _now(record, told)
    if record.phase in _GOING_BACK:
        for phase in _phases_back(record.phase, told.phase):
            if phase is leave:
                continue
            reason = record.reason or "no reason was recorded"
            told = told.model_copy(update={"phase": phase})
            yield _notice(record, _GOING_BACK[phase], phase, reason, now), told
        return
    for edge in edges:
        said, held = told.edges.get(edge.name, 0), edge.held_bp
        if (said == 0) == (held == 0) and (said == ALL.bp) == (held == ALL.bp):
            continue
        told = told.model_copy(update={"edges": {**told.edges, edge.name: held}})
        if held > NONE.bp:
            what: What = "watching" if held == ALL.bp else "climbing"
            yield _notice(record, what, record.phase, f"edge {edge.name}: green holds {Share(held)}", now), told


def _now(record: MigrationRecord, told: Told) -> Told:
    return told if told.fence == record.fence else Told(migration=record.migration, fence=record.fence)


def _phases_back(stands: Phase, told: Phase | None) -> tuple[Phase, ...]:
    if told is None:
        return (Phase.ROLLING_BACK, Phase.ROLLED_BACK) if stands is Phase.ROLLED_BACK else (stands,)
    return () if stands is told or told is Phase.ROLLED_BACK else (stands,)


def _notice(record: MigrationRecord, what: What, phase: Phase, reason: str, now: datetime) -> Notice:
    return Notice(migration=record.migration, what=what, phase=phase, reason=reason, at=now)
