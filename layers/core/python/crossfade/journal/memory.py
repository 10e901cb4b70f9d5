"""The journal in memory: the same promises as the table's, for tests and for trying things out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from threading import RLock

from crossfade.errors import BlueIsGone, EdgeOwned, Fenced, UnknownEdge, UnknownMigration
from crossfade.events.outbound import What
from crossfade.journal.blue import BlueFound
from crossfade.journal.edges import EdgeRecord
from crossfade.journal.hold import Hold
from crossfade.journal.model import Entry, MigrationRecord, Token, bounded_detail, bounded_reason
from crossfade.journal.note import note
from crossfade.journal.opening import opening
from crossfade.journal.untold import OF_PHASE, Told, Untold, told_of
from crossfade.phases import BEYOND_RETURN, CLOSED, Phase, move
from crossfade.resources import OPEN


class MemoryJournal:
    """A `Journal` that is gone when the process is. One lock makes every method a transaction."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._records: dict[str, MigrationRecord] = {}
        self._edges: dict[str, dict[str, EdgeRecord]] = {}
        self._owners: dict[str, str] = {}
        self._entries: list[tuple[str, Entry]] = []
        self.expires: dict[str, datetime] = {}
        self._index: dict[str, dict[str, None]] = {}
        self._tokens: dict[str, Token] = {}
        self._done_once: dict[tuple[str, str], datetime] = {}
        self._looks: dict[tuple[str, str | None], tuple[int, datetime]] = {}
        self._blues: dict[tuple[str, str], BlueFound] = {}
        self._words = 0
        self._holds: dict[tuple[str, str], Hold] = {}
        self._untold: dict[str, Untold] = {}
        self._told: dict[str, Told] = {}

    def open(self, record: MigrationRecord, edges: Sequence[EdgeRecord]) -> MigrationRecord:
        with self._lock:
            found = self._records.get(record.migration)
            written = opening(record, found)
            if written is None:
                return self.read(record.migration)
            for edge in edges:
                for rule in edge.resolved.rules:
                    self._refuse_foreign(edge.name, self._owners.get(rule.arn), record.migration)
            self._owners = {arn: owner for arn, owner in self._owners.items() if owner != record.migration}
            self._owners |= {rule.arn: record.migration for edge in edges for rule in edge.resolved.rules}
            self._records[record.migration] = written
            for resource in (OPEN, written.execution):
                self.index(resource, record.migration)
            self._edges[record.migration] = {edge.name: edge for edge in edges}
            self._note(written, record.opened_at, "opened", {"execution": record.execution})
            self._leave_word(written, "opened", f"by {record.execution}", record.opened_at)
            return written

    def _refuse_foreign(self, edge: str, owner: str | None, migration: str) -> None:
        if owner in {None, migration}:
            return
        other = self._records[str(owner)]
        if other.phase not in CLOSED:
            raise EdgeOwned(f"edge {edge} is owned by migration {owner}, which is {other.phase}")

    def read(self, migration: str) -> MigrationRecord:
        with self._lock:
            if migration not in self._records:
                raise UnknownMigration(migration)
            return self._records[migration]

    def edges(self, migration: str) -> tuple[EdgeRecord, ...]:
        with self._lock:
            kept = self._edges.get(migration, {})
            return tuple(kept[name] for name in sorted(kept))

    def edge(self, migration: str, name: str) -> EdgeRecord:
        with self._lock:
            kept = self._edges.get(migration, {})
            if name not in kept:
                raise UnknownEdge(f"migration {migration} owns no edge {name}")
            return kept[name]

    def put_edge(self, edge: EdgeRecord, *, fence: int) -> None:
        with self._lock:
            self._fenced(edge.migration, fence)
            self.edge(edge.migration, edge.name)
            self._edges[edge.migration][edge.name] = edge

    def enter(self, migration: str, phase: Phase, *, fence: int, at: datetime, why: str = "") -> MigrationRecord:
        with self._lock:
            record = self._fenced(migration, fence)
            if record.phase == phase:
                return record
            entered = record.model_copy(update={"phase": move(record.phase, phase)})
            self._records[migration] = entered
            self._note(entered, at, "entered", {"from": record.phase.value, "to": phase.value})
            if phase in OF_PHASE:
                self._leave_word(entered, OF_PHASE[phase], told_of(phase, why), at)
            return entered

    def append(self, entry: Entry, *, fence: int | None = None) -> str:
        with self._lock:
            if fence is not None:
                self._fenced(entry.migration, fence)
            written = f"{entry.at.isoformat()}#{len(self._entries):012d}"
            self._entries.append((written, entry.model_copy(update={"detail": bounded_detail(entry.detail)})))
            return written

    def entries(self, migration: str) -> tuple[Entry, ...]:
        with self._lock:
            mine = [(key, entry) for key, entry in self._entries if entry.migration == migration]
            return tuple(entry for _, entry in sorted(mine, key=lambda pair: pair[0]))

    def newest_first(self, migration: str) -> Iterator[Entry]:
        return reversed(self.entries(migration))

    def raise_fence(self, migration: str, *, seen: int, reason: str, at: datetime) -> MigrationRecord:
        with self._lock:
            record = self.read(migration)
            if record.phase in BEYOND_RETURN:
                raise BlueIsGone(f"{migration} is {record.phase}: there is no blue to go back to")
            if record.fence != seen:
                return record
            raised = record.model_copy(
                update={"phase": Phase.ROLLING_BACK, "fence": seen + 1, "reason": bounded_reason(reason)}
            )
            self._records[migration] = raised
            self._note(raised, at, "fence raised", {"from": record.phase.value, "reason": raised.reason})
            return raised

    def set_climb(self, migration: str, climb: str, *, fence: int) -> None:
        with self._lock:
            record = self._fenced(migration, fence)
            self._records[migration] = record.model_copy(update={"climb": climb})

    def expect_look(self, migration: str, due: datetime, *, fence: int, edge: str | None = None) -> None:
        with self._lock:
            self._fenced(migration, fence)
            self._looks.pop((migration, None), None)
            self._looks[migration, edge] = (fence, due)

    def forget_look(self, migration: str, edge: str, *, fence: int) -> None:
        with self._lock:
            self._fenced(migration, fence)
            for each in (edge, None):
                self._looks.pop((migration, each), None)

    def look_due(self, migration: str) -> datetime | None:
        with self._lock:
            expected = [look for (whose, _), look in self._looks.items() if whose == migration]
            return min((due for fence, due in expected if fence == self.read(migration).fence), default=None)

    def once(self, migration: str, what: str, *, until: datetime) -> bool:
        with self._lock:
            first = (migration, what) not in self._done_once
            self._done_once.setdefault((migration, what), until)
            return first

    def expire_entries(self, migration: str, *, at: datetime) -> None:
        with self._lock:
            for key, entry in self._entries:
                if entry.migration == migration:
                    self.expires.setdefault(key, at)

    def keep_blue(self, blue: BlueFound, *, fence: int) -> BlueFound:
        with self._lock:
            self._fenced(blue.migration, fence)
            return self._blues.setdefault((blue.migration, blue.service), blue)

    def blues(self, migration: str) -> tuple[BlueFound, ...]:
        with self._lock:
            return tuple(kept for (owner, _), kept in sorted(self._blues.items()) if owner == migration)

    def drop_blue(self, migration: str, service: str) -> None:
        with self._lock:
            self._blues.pop((migration, service), None)

    def keep_hold(self, hold: Hold) -> None:
        with self._lock:
            record = self.read(hold.migration)
            self._holds[hold.migration, hold.by] = hold
            self._leave_word(record, "held", f"{hold.by}: {hold.why}", hold.at)

    def holds(self, migration: str) -> tuple[Hold, ...]:
        with self._lock:
            mine = [kept for (owner, _), kept in sorted(self._holds.items()) if owner == migration]
            return tuple(kept for kept in mine if kept.fence == self.read(migration).fence)

    def drop_hold(self, migration: str, by: str) -> None:
        with self._lock:
            self._holds.pop((migration, by), None)

    def untold(self, migration: str) -> tuple[Untold, ...]:
        with self._lock:
            return tuple(kept for _, kept in sorted(self._untold.items()) if kept.migration == migration)

    def drop_untold(self, untold: Untold) -> None:
        with self._lock:
            self._untold.pop(untold.key, None)

    def told(self, migration: str) -> Told:
        with self._lock:
            return self._told.get(migration, Told(migration=migration))

    def keep_told(self, told: Told) -> None:
        with self._lock:
            self._told[told.migration] = told

    def _leave_word(self, record: MigrationRecord, what: What, reason: str, at: datetime) -> None:
        self._words += 1
        key = f"{at.isoformat()}#{self._words:012d}"
        self._untold[key] = Untold(
            migration=record.migration, key=key, what=what, phase=record.phase, reason=bounded_reason(reason), at=at
        )

    def unindex(self, resource: str, migration: str) -> None:
        with self._lock:
            self._index.get(resource, {}).pop(migration, None)

    def index(self, resource: str, migration: str) -> None:
        with self._lock:
            self._index.setdefault(resource, {})[migration] = None

    def migrations_of(self, resource: str) -> tuple[str, ...]:
        with self._lock:
            return tuple(sorted(self._index.get(resource, {})))

    def keep_token(self, token: Token) -> None:
        with self._lock:
            self._tokens[token.resource] = token

    def token(self, resource: str) -> Token | None:
        with self._lock:
            return self._tokens.get(resource)

    def drop_token(self, resource: str, token: str) -> None:
        with self._lock:
            kept = self._tokens.get(resource)
            if kept is not None and kept.token == token:
                del self._tokens[resource]

    def _fenced(self, migration: str, fence: int) -> MigrationRecord:
        record = self.read(migration)
        if record.fence != fence:
            raise Fenced(f"{migration}: fence {fence} is carried, {record.fence} stands")
        return record

    def _note(self, record: MigrationRecord, at: datetime, what: str, detail: dict[str, str | None]) -> None:
        self.append(note(record.migration, what, detail, fence=record.fence, at=at))
