"""
The journal as a DynamoDB table of one kind of key.

==================  ===================  ==========================================
pk                  sk                   attributes
==================  ===================  ==========================================
migration#<id>      record               phase S, fence N, reason S, execution S, climb S,
                                         settle_seconds N, confirm_seconds N,
                                         restore_retry_seconds N, opened_at S, plan M
migration#<id>      edge#<name>          name S, kind S, resolved S (JSON), way_back S (JSON),
                                         ceiling_bp N, settle_seconds N, asked_bp N, held_bp N,
                                         change S, blue_since S
migration#<id>      entry#<time>#<uuid>  at S, kind S, what S, subject S, detail S (JSON), fence N, of S,
                                         expires N (once blue is retired)
migration#<id>      look                 due S, fence N
migration#<id>      look#<edge>          due S, fence N
migration#<id>      once#<what>          expires N (seconds since 1970, the table's time to live)
migration#<id>      blue#<service>       found S (JSON)
migration#<id>      hold#<by>            why S, at S, fence N
migration#<id>      untold#<time>#<uuid> what S, phase S, reason S, at S
migration#<id>      told                 fence N, phase S, edges S (JSON)
edge#<rule ARN>     owner                migration S
resource#<key>      migration#<id>       migration S
resource#<key>      token                migration S, token S, at S, deployment S, replaces S
==================  ===================  ==========================================

Times are ISO 8601 in UTC with microseconds, so that they sort. The state machines read
`record` and `edge#` items, and update `phase`, `fence` and `reason`, by aws-sdk
integrations: names and types are an interface. Absent values are absent attributes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from crossfade.errors import BadInput, BlueIsGone, EdgeOwned, Fenced, JournalBusy, UnknownEdge, UnknownMigration
from crossfade.journal.blue import BlueFound
from crossfade.journal.edges import EdgeRecord
from crossfade.journal.hold import Hold
from crossfade.journal.items import (
    LOOK,
    Item,
    edge_from,
    edge_item,
    entry_from,
    entry_item,
    hold_from,
    index_item,
    index_key,
    is_closed,
    iso,
    look_key,
    note_item,
    number,
    optional,
    owner_item,
    owner_key,
    owner_still,
    pk_of,
    present,
    record_from,
    record_item,
    record_key,
    refuse_stale,
    string,
    token_key,
    unchanged,
    untold_from,
    untold_item,
    words,
)
from crossfade.journal.model import Entry, MigrationRecord, Token, bounded_reason
from crossfade.journal.opening import opening
from crossfade.journal.untold import Told, Untold
from crossfade.phases import BEYOND_RETURN, CLOSED, Phase, move
from crossfade.resources import OPEN
from crossfade.throttles import asking

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

_MOST_WRITES = 100  # TransactWriteItems takes no more
_NEWEST_AT_ONCE = 10  # who reads backwards seldom wants more
_ATTEMPTS = 4  # of a write whose ground moved between its reading and its writing

_BUSY = frozenset(  # as the table itself says it, of a call or of a cancelled transaction's reasons
    {
        "LimitExceededException",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "ThrottlingError",
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)


class _ConditionFailed(Exception):
    """A condition did not hold, and nothing was written."""


class DynamoDbJournal:
    """
    A `Journal` in one table.

    Every write is one conditional call or one transaction, so an executor that dies
    leaves either all of it or nothing; all reads are consistent.
    """

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    # -- the migration -------------------------------------------------------

    def open(self, record: MigrationRecord, edges: Sequence[EdgeRecord]) -> MigrationRecord:
        for _ in range(_ATTEMPTS):
            found = self._find(record.migration)
            written = opening(record, found)
            if written is None:
                assert found is not None
                return found
            writes = self._opening_writes(written, found, edges)
            if len(writes) > _MOST_WRITES:
                raise BadInput(
                    f"{record.migration}: opening it takes {len(writes)} writes, and one transaction holds "
                    f"{_MOST_WRITES}; divide the plan so that its edges have fewer rules"
                )
            try:
                self._transact(writes)
            except _ConditionFailed:
                continue  # someone opened, closed or took over in between: look again
            return written
        raise JournalBusy(f"{record.migration} is being opened by others at the same time")

    def _opening_writes(
        self, written: MigrationRecord, found: MigrationRecord | None, edges: Sequence[EdgeRecord]
    ) -> list[TransactWriteItemTypeDef]:
        migration = written.migration
        owned = {rule.arn: edge.name for edge in edges for rule in edge.resolved.rules}
        owners = {arn: self._owner(arn) for arn in owned}
        others: dict[str, None] = {}
        for arn, owner in owners.items():
            if owner not in {None, migration}:
                self._refuse_open(owned[arn], str(owner))
                others[str(owner)] = None
        before = () if found is None else self.edges(migration)
        dropped = {edge.name for edge in before} - {edge.name for edge in edges}
        given_up = {rule.arn for edge in before for rule in edge.resolved.rules} - set(owned)
        return [
            self._put_if(record_item(written), *unchanged(found)),
            *(self._put(edge_item(edge)) for edge in edges),
            *(self._put_if(owner_item(arn, migration), *owner_still(owners[arn])) for arn in owned),
            *(self._check(record_key(other), *is_closed()) for other in others),
            *(self._delete({"pk": string(pk_of(migration)), "sk": string(f"edge#{name}")}) for name in sorted(dropped)),
            *(self._delete(owner_key(arn)) for arn in sorted(given_up) if self._owner(arn) == migration),
            *(self._put(index_item(resource, migration)) for resource in (OPEN, written.execution)),
            self._put(note_item(written, written.opened_at, "opened", {"execution": written.execution})),
            self._put(untold_item(written, "opened", f"by {written.execution}", written.opened_at)),
        ]

    def _owner(self, arn: str) -> str | None:
        item = self._get(owner_key(arn))
        return None if item is None else str(item["migration"]["S"])

    def _refuse_open(self, edge: str, owner: str) -> None:
        other = self.read(owner)
        if other.phase not in CLOSED:
            raise EdgeOwned(f"edge {edge} is owned by migration {owner}, which is {other.phase}")

    def read(self, migration: str) -> MigrationRecord:
        found = self._find(migration)
        if found is None:
            raise UnknownMigration(migration)
        return found

    def _find(self, migration: str) -> MigrationRecord | None:
        item = self._get(record_key(migration))
        return None if item is None else record_from(item)

    def enter(self, migration: str, phase: Phase, *, fence: int, at: datetime, why: str = "") -> MigrationRecord:
        for _ in range(_ATTEMPTS):
            record = self.read(migration)
            refuse_stale(record, fence)
            if record.phase == phase:
                return record
            entered = record.model_copy(update={"phase": move(record.phase, phase)})
            change = {"from": record.phase.value, "to": phase.value}
            try:
                self._transact(
                    [
                        self._update(
                            record_key(migration),
                            "SET phase = :to",
                            "fence = :fence AND phase = :from",
                            {":to": string(phase), ":from": string(record.phase), ":fence": number(fence)},
                        ),
                        self._put(note_item(entered, at, "entered", change)),
                        *(self._put(item) for item in words(entered, why, at)),
                    ]
                )
            except _ConditionFailed:
                continue
            return entered
        raise JournalBusy(f"{migration} changes its phase faster than it can be read")

    def raise_fence(self, migration: str, *, seen: int, reason: str, at: datetime) -> MigrationRecord:
        record = self.read(migration)
        if record.phase not in BEYOND_RETURN and record.fence == seen:
            raised = record.model_copy(
                update={"phase": Phase.ROLLING_BACK, "fence": seen + 1, "reason": bounded_reason(reason)}
            )
            why = {"from": record.phase.value, "reason": raised.reason}
            try:
                self._transact(
                    [
                        self._update(
                            record_key(migration),
                            "SET phase = :back, fence = :next, reason = :reason",
                            "fence = :seen AND NOT phase IN (:retiring, :done)",
                            {
                                ":back": string(Phase.ROLLING_BACK),
                                ":next": number(seen + 1),
                                ":seen": number(seen),
                                ":reason": string(raised.reason or "unsaid"),
                                ":retiring": string(Phase.RETIRING),
                                ":done": string(Phase.DONE),
                            },
                        ),
                        self._put(note_item(raised, at, "fence raised", why)),
                    ]
                )
            except _ConditionFailed:
                record = self.read(migration)
            else:
                return raised
        if record.phase in BEYOND_RETURN:
            raise BlueIsGone(f"{migration} is {record.phase}: there is no blue to go back to")
        return record

    def set_climb(self, migration: str, climb: str, *, fence: int) -> None:
        with self._fence_kept(migration, fence):
            self._transact(
                [
                    self._update(
                        record_key(migration),
                        "SET climb = :climb",
                        "fence = :fence",
                        {":climb": string(climb), ":fence": number(fence)},
                    )
                ]
            )

    # -- its edges -----------------------------------------------------------

    def edges(self, migration: str) -> tuple[EdgeRecord, ...]:
        return tuple(edge_from(item, migration) for item in self._query(pk_of(migration), "edge#"))

    def edge(self, migration: str, name: str) -> EdgeRecord:
        item = self._get({"pk": string(pk_of(migration)), "sk": string(f"edge#{name}")})
        if item is None:
            raise UnknownEdge(f"migration {migration} owns no edge {name}")
        return edge_from(item, migration)

    def put_edge(self, edge: EdgeRecord, *, fence: int) -> None:
        try:
            self._transact(
                [
                    self._fence_check(edge.migration, fence),
                    self._put_if(edge_item(edge), "attribute_exists(pk)", {}),
                ]
            )
        except _ConditionFailed as refused:
            refuse_stale(self.read(edge.migration), fence)
            raise UnknownEdge(f"migration {edge.migration} owns no edge {edge.name}") from refused

    # -- its story -----------------------------------------------------------

    def append(self, entry: Entry, *, fence: int | None = None) -> str:
        item = entry_item(entry)
        writes = [self._put(item)]
        if fence is not None:
            writes.insert(0, self._fence_check(entry.migration, fence))
        with self._fence_kept(entry.migration, fence):
            self._transact(writes)
        return str(item["sk"]["S"]).removeprefix("entry#")

    def entries(self, migration: str) -> tuple[Entry, ...]:
        return tuple(entry_from(item, migration) for item in self._query(pk_of(migration), "entry#"))

    def newest_first(self, migration: str) -> Iterator[Entry]:
        return (entry_from(item, migration) for item in self._query(pk_of(migration), "entry#", forward=False))

    # -- what is promised, found and held --------------------------------------

    def expect_look(self, migration: str, due: datetime, *, fence: int, edge: str | None = None) -> None:
        item = {**look_key(migration, edge), "due": string(iso(due)), "fence": number(fence)}
        ended = [] if edge is None else [self._delete(look_key(migration, None))]
        with self._fence_kept(migration, fence):
            self._transact([self._fence_check(migration, fence), self._put(item), *ended])

    def forget_look(self, migration: str, edge: str, *, fence: int) -> None:
        ended = [self._delete(look_key(migration, each)) for each in (edge, None)]
        with self._fence_kept(migration, fence):
            self._transact([self._fence_check(migration, fence), *ended])

    def look_due(self, migration: str) -> datetime | None:
        items = list(self._query(pk_of(migration), LOOK))
        if not items:
            return None
        fence = self.read(migration).fence
        due = [datetime.fromisoformat(item["due"]["S"]) for item in items if int(item["fence"]["N"]) == fence]
        return min(due, default=None)

    def once(self, migration: str, what: str, *, until: datetime) -> bool:
        item = {
            "pk": string(pk_of(migration)),
            "sk": string(f"once#{what}"),
            "expires": number(int(until.timestamp())),
        }
        try:
            with _busy():
                self._client.put_item(TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(pk)")
        except _ConditionFailed:
            return False
        return True

    def expire_entries(self, migration: str, *, at: datetime) -> None:
        lasting = (item for item in self._query(pk_of(migration), "entry#") if "expires" not in item)
        while some := list(islice(lasting, _MOST_WRITES)):
            keys = [{"pk": item["pk"], "sk": item["sk"]} for item in some]
            until = {":until": number(int(at.timestamp()))}
            self._transact([self._update(key, "SET expires = :until", "attribute_exists(pk)", until) for key in keys])

    def keep_blue(self, blue: BlueFound, *, fence: int) -> BlueFound:
        key = {"pk": string(pk_of(blue.migration)), "sk": string(f"blue#{blue.service}")}
        for _ in range(_ATTEMPTS):
            refuse_stale(self.read(blue.migration), fence)
            kept = self._get(key)
            if kept is not None:
                return BlueFound.model_validate_json(kept["found"]["S"])
            item = {**key, "found": string(blue.model_dump_json())}
            try:
                self._transact(
                    [self._fence_check(blue.migration, fence), self._put_if(item, "attribute_not_exists(pk)", {})]
                )
            except _ConditionFailed:
                continue  # the fence has risen, or somebody kept it in between: look again
            return blue
        raise JournalBusy(f"{blue.migration}: what was found on {blue.service} is written by others at the same time")

    def blues(self, migration: str) -> tuple[BlueFound, ...]:
        return tuple(
            BlueFound.model_validate_json(item["found"]["S"]) for item in self._query(pk_of(migration), "blue#")
        )

    def drop_blue(self, migration: str, service: str) -> None:
        with _busy():
            self._client.delete_item(
                TableName=self._table, Key={"pk": string(pk_of(migration)), "sk": string(f"blue#{service}")}
            )

    def keep_hold(self, hold: Hold) -> None:
        item = {
            "pk": string(pk_of(hold.migration)),
            "sk": string(f"hold#{hold.by}"),
            "why": string(hold.why),
            "at": string(iso(hold.at)),
            "fence": number(hold.fence),
        }
        word = untold_item(self.read(hold.migration), "held", f"{hold.by}: {hold.why}", hold.at)
        self._transact([self._put(item), self._put(word)])

    def untold(self, migration: str) -> tuple[Untold, ...]:
        return tuple(untold_from(item, migration) for item in self._query(pk_of(migration), "untold#"))

    def drop_untold(self, untold: Untold) -> None:
        with _busy():
            self._client.delete_item(
                TableName=self._table,
                Key={"pk": string(pk_of(untold.migration)), "sk": string(f"untold#{untold.key}")},
            )

    def told(self, migration: str) -> Told:
        item = self._get({"pk": string(pk_of(migration)), "sk": string("told")})
        if item is None:
            return Told(migration=migration)
        phase = optional(item, "phase")
        return Told(
            migration=migration,
            fence=int(item["fence"]["N"]),
            phase=Phase(phase) if phase else None,
            edges=json.loads(item["edges"]["S"]),
        )

    def keep_told(self, told: Told) -> None:
        item = {
            "pk": string(pk_of(told.migration)),
            "sk": string("told"),
            "fence": number(told.fence),
            "edges": string(json.dumps(told.edges)),
            **present({"phase": told.phase}),
        }
        with _busy():
            self._client.put_item(TableName=self._table, Item=item)

    def holds(self, migration: str) -> tuple[Hold, ...]:
        fence = self.read(migration).fence
        found = tuple(hold_from(item, migration) for item in self._query(pk_of(migration), "hold#"))
        return tuple(hold for hold in found if hold.fence == fence)

    def drop_hold(self, migration: str, by: str) -> None:
        with _busy():
            self._client.delete_item(
                TableName=self._table, Key={"pk": string(pk_of(migration)), "sk": string(f"hold#{by}")}
            )

    # -- whom news concern, and who waits ------------------------------------

    def index(self, resource: str, migration: str) -> None:
        with _busy():
            self._client.put_item(TableName=self._table, Item=index_item(resource, migration))

    def unindex(self, resource: str, migration: str) -> None:
        with _busy():
            self._client.delete_item(
                TableName=self._table,
                Key=index_key(resource, migration),
            )

    def migrations_of(self, resource: str) -> tuple[str, ...]:
        return tuple(str(item["migration"]["S"]) for item in self._query(f"resource#{resource}", "migration#"))

    def keep_token(self, token: Token) -> None:
        item = {
            **token_key(token.resource),
            "migration": string(token.migration),
            "token": string(token.token),
            "at": string(iso(token.at)),
        }
        if token.deployment is not None:
            item["deployment"] = string(token.deployment)
        if token.replaces is not None:
            item["replaces"] = string(token.replaces)
        with _busy():
            self._client.put_item(TableName=self._table, Item=item)

    def token(self, resource: str) -> Token | None:
        item = self._get(token_key(resource))
        if item is None:
            return None
        return Token(
            migration=item["migration"]["S"],
            resource=resource,
            token=item["token"]["S"],
            at=datetime.fromisoformat(item["at"]["S"]),
            deployment=optional(item, "deployment"),
            replaces=optional(item, "replaces"),
        )

    def drop_token(self, resource: str, token: str) -> None:
        try:
            with _busy():
                self._client.delete_item(
                    TableName=self._table,
                    Key=token_key(resource),
                    ConditionExpression="#token = :token",
                    ExpressionAttributeNames={"#token": "token"},
                    ExpressionAttributeValues={":token": string(token)},
                )
        except _ConditionFailed:
            return  # gone already, or a newer one waits

    # -- calls ---------------------------------------------------------------

    def _get(self, key: Item) -> Item | None:
        with _busy():
            return self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")

    def _query(self, pk: str, prefix: str, *, forward: bool = True) -> Iterator[Item]:
        with _busy():
            for page in self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
                ExpressionAttributeValues={":pk": string(pk), ":prefix": string(prefix)},
                ConsistentRead=True,
                ScanIndexForward=forward,
                PaginationConfig={} if forward else {"PageSize": _NEWEST_AT_ONCE},
            ):
                yield from page["Items"]

    def _transact(self, writes: Sequence[TransactWriteItemTypeDef]) -> None:
        with _busy():
            self._client.transact_write_items(TransactItems=writes)

    @contextmanager
    def _fence_kept(self, migration: str, fence: int | None) -> Iterator[None]:
        """Say Fenced or UnknownMigration where the condition on the fence did not hold."""
        try:
            yield
        except _ConditionFailed as refused:
            stands = self.read(migration).fence
            raise Fenced(f"{migration}: fence {fence} is carried, {stands} stands") from refused

    def _put(self, item: Item) -> TransactWriteItemTypeDef:
        return {"Put": {"TableName": self._table, "Item": item}}

    def _put_if(self, item: Item, condition: str, values: Item) -> TransactWriteItemTypeDef:
        given = {"ExpressionAttributeValues": values} if values else {}
        return {"Put": {"TableName": self._table, "Item": item, "ConditionExpression": condition, **given}}  # type: ignore[typeddict-item]

    def _update(self, key: Item, update: str, condition: str, values: Item) -> TransactWriteItemTypeDef:
        return {
            "Update": {
                "TableName": self._table,
                "Key": key,
                "UpdateExpression": update,
                "ConditionExpression": condition,
                "ExpressionAttributeValues": values,
            }
        }

    def _check(self, key: Item, condition: str, values: Item) -> TransactWriteItemTypeDef:
        given = {"ExpressionAttributeValues": values} if values else {}
        return {
            "ConditionCheck": {"TableName": self._table, "Key": key, "ConditionExpression": condition, **given}  # type: ignore[typeddict-item]
        }

    def _fence_check(self, migration: str, fence: int) -> TransactWriteItemTypeDef:
        return self._check(record_key(migration), "fence = :fence", {":fence": number(fence)})

    def _delete(self, key: Item) -> TransactWriteItemTypeDef:
        return {"Delete": {"TableName": self._table, "Key": key}}


@contextmanager
def _busy() -> Iterator[None]:
    """Say JournalBusy for what a later attempt may mend, and _ConditionFailed for what it may not."""
    try:
        with asking("the journal's table", JournalBusy, also=_BUSY):
            yield
    except ClientError as refused:
        code = refused.response["Error"]["Code"]
        if code == "ConditionalCheckFailedException":
            raise _ConditionFailed from refused
        if code == "TransactionCanceledException":
            reasons = {reason.get("Code") for reason in refused.response.get("CancellationReasons", [])}
            if "ConditionalCheckFailed" in reasons:
                raise _ConditionFailed from refused
            if reasons & _BUSY:
                raise JournalBusy(f"the journal's table is contended: {sorted(filter(None, reasons))}") from refused
        raise
