"""The journal: a migration's memory, and the only place where two executors meet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from crossfade.journal.blue import BlueFound
from crossfade.journal.edges import EdgeRecord
from crossfade.journal.hold import Hold
from crossfade.journal.model import Entry, MigrationRecord, Token
from crossfade.journal.untold import Told, Untold
from crossfade.phases import Phase


class Journal(Protocol):
    """
    What a migration remembers.

    Every write is conditional and may be repeated. A write that carries a fence is
    refused once the fence has risen, in the same transaction that would have made it.
    Reads see every write that was answered before them.

    Every implementation must pass `tests/contract/test_journal.py`. All methods raise
    JournalBusy when the store is throttled or contended.
    """

    def open(self, record: MigrationRecord, edges: Sequence[EdgeRecord]) -> MigrationRecord:
        """
        Begin a migration and take its edges, all or nothing; return the record as kept.

        From then on it is indexed as `OPEN` and under its execution, so that whatever dies
        next, a guard finds the migration that it leaves behind.
        Opening again by the same execution changes nothing: the first way back stays.
        A migration that was rolled back may be opened again; its fence rises by one.

        Raises:
            EdgeOwned: another migration owns one of the edges and is not closed, or
                another execution has this migration open.
            Fenced: this execution opened it, and a rollback has begun since.
            InvalidTransition: the migration is beyond its point of no return.
        """
        ...

    def read(self, migration: str) -> MigrationRecord:
        """
        Return where the migration is.

        Raises:
            UnknownMigration: no such migration was ever opened.
        """
        ...

    def edges(self, migration: str) -> tuple[EdgeRecord, ...]:
        """Return the migration's edges, by name; none for an unknown migration."""
        ...

    def edge(self, migration: str, name: str) -> EdgeRecord:
        """
        Return one edge.

        Raises:
            UnknownEdge: the migration owns no edge of this name.
        """
        ...

    def put_edge(self, edge: EdgeRecord, *, fence: int) -> None:
        """
        Replace what is kept of an edge the migration owns.

        Raises:
            Fenced: the fence has risen above `fence`.
            UnknownEdge: the migration owns no edge of this name.
        """
        ...

    def enter(self, migration: str, phase: Phase, *, fence: int, at: datetime, why: str = "") -> MigrationRecord:
        """
        Move to a phase, note it, and leave word of it for people; entering the phase one is in changes nothing.

        `why` is added to what people are told.

        Raises:
            Fenced: the fence has risen above `fence`.
            InvalidTransition: the phase table has no such move.
            UnknownMigration: no such migration.
        """
        ...

    def append(self, entry: Entry, *, fence: int | None = None) -> str:
        """
        Add an entry and return its id, by which a result names its intent.

        Raises:
            Fenced: `fence` is given and is not the migration's; nothing was written.
        """
        ...

    def entries(self, migration: str) -> tuple[Entry, ...]:
        """Return the story, oldest first."""
        ...

    def newest_first(self, migration: str) -> Iterator[Entry]:
        """Yield the story backwards, reading no more of it than is asked for."""
        ...

    def raise_fence(self, migration: str, *, seen: int, reason: str, at: datetime) -> MigrationRecord:
        """
        Shut out every executor that carries `seen`, and enter ROLLING_BACK.

        When the fence is no longer `seen`, someone else was faster: nothing changes,
        and the record as it is now is returned.

        Raises:
            BlueIsGone: the migration has begun to retire blue.
            UnknownMigration: no such migration.
        """
        ...

    def set_climb(self, migration: str, climb: str, *, fence: int) -> None:
        """
        Remember the execution that climbs now, so that a rollback can stop it.

        Raises:
            Fenced: the fence has risen above `fence`.
        """
        ...

    def expect_look(self, migration: str, due: datetime, *, fence: int, edge: str | None = None) -> None:
        """
        Remember when the executor of this fence will have looked at green again, at the latest.

        Each edge has its own look, since several may climb together. Without an edge it is
        the migration that waits, for a person; the next look at any edge ends that.

        Raises:
            Fenced: the fence has risen above `fence`.
        """
        ...

    def forget_look(self, migration: str, edge: str, *, fence: int) -> None:
        """
        Expect no look at this edge any more, nor any answer that the migration waited for.

        Raises:
            Fenced: the fence has risen above `fence`.
        """
        ...

    def look_due(self, migration: str) -> datetime | None:
        """Return when the first of the looks expected is due, under the fence that stands; None where none is."""
        ...

    def once(self, migration: str, what: str, *, until: datetime) -> bool:
        """Return True to the first who asks this, and False to all others; it may be forgotten after `until`."""
        ...

    def expire_entries(self, migration: str, *, at: datetime) -> None:
        """
        Let every entry of a migration be forgotten at some time, and not before; one that has a time keeps it.

        The record and its edges stay: they say whose an edge is. Repeat it when it was cut short.
        """
        ...

    def keep_blue(self, blue: BlueFound, *, fence: int) -> BlueFound:
        """
        Write down what was found on a blue service, and return what is kept.

        What was found first stays until it is dropped, since later findings are our own doing.

        Raises:
            Fenced: the fence has risen above `fence`; nothing was written.
        """
        ...

    def blues(self, migration: str) -> tuple[BlueFound, ...]:
        """Return what was found on each blue service that is not thawed, by its name."""
        ...

    def drop_blue(self, migration: str, service: str) -> None:
        """Forget what was found on a blue service: it is thawed. Forgetting twice changes nothing."""
        ...

    def keep_hold(self, hold: Hold) -> None:
        """
        Let a hold stand, in place of an earlier one by the same, and leave word of it for people.

        Raises:
            UnknownMigration: no such migration.
        """
        ...

    def untold(self, migration: str) -> tuple[Untold, ...]:
        """
        Return the notices that nobody was told yet, oldest first.

        `open`, `enter` and `keep_hold` leave one each, in the very transaction of what it tells of.
        """
        ...

    def drop_untold(self, untold: Untold) -> None:
        """Forget a notice: it was handed on. Forgetting twice changes nothing."""
        ...

    def told(self, migration: str) -> Told:
        """Return what people were told last of where the migration is; nothing yet under fence 0."""
        ...

    def keep_told(self, told: Told) -> None:
        """Remember what people were told, in place of what was remembered."""
        ...

    def holds(self, migration: str) -> tuple[Hold, ...]:
        """Return the holds that stand under the migration's fence, by who holds."""
        ...

    def drop_hold(self, migration: str, by: str) -> None:
        """End a hold; ending one that does not stand changes nothing."""
        ...

    def index(self, resource: str, migration: str) -> None:
        """Remember that news of a resource (see `crossfade.resources`) concern a migration."""
        ...

    def unindex(self, resource: str, migration: str) -> None:
        """Forget that news of a resource concern a migration."""
        ...

    def migrations_of(self, resource: str) -> tuple[str, ...]:
        """Return the migrations that a resource concerns, open or closed."""
        ...

    def keep_token(self, token: Token) -> None:
        """Keep the token that waits for a resource; the newest replaces the one before."""
        ...

    def token(self, resource: str) -> Token | None:
        """Return the token that waits for a resource."""
        ...

    def drop_token(self, resource: str, token: str) -> None:
        """Forget a token that was answered; another one kept meanwhile stays."""
        ...
