"""
The journal as a DynamoDB table of one kind of key.

==================  ===================  ==========================================
pk                  sk                   attributes
==================  ===================  ==========================================
migration#<id>      record               phase S, fence N, reason S, execution S, climb S,
                                         settle_seconds N, confirm_seconds N,
                                         restore_retry_seconds N, opened_at S, plan M
migration#<id>      edge#<name>          name S, kind S, resolved S (JSON), way_back S (JSON),
                                         ceiling_bp N, settle_seconds N, asked_bp N, held_bp N
migration#<id>      entry#<time>#<uuid>  at S, kind S, what S, subject S, detail S (JSON), fence N, of S
migration#<id>      look                 due S, fence N
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
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from crossfade.errors import BadInput, BlueIsGone, EdgeOwned, Fenced, JournalBusy, UnknownEdge, UnknownMigration
from crossfade.events.outbound import What
from crossfade.journal.blue import BlueFound
from crossfade.journal.hold import Hold
from crossfade.journal.model import (
    EdgeRecord,
    Entry,
    MigrationRecord,
    PlanRef,
    Token,
    bounded_detail,
    bounded_reason,
)
from crossfade.journal.opening import opening
from crossfade.journal.untold import OF_PHASE, Told, Untold, told_of
from crossfade.rollout.phases import BEYOND_RETURN, CLOSED, Phase, move

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

_MOST_WRITES = 100  # TransactWriteItems takes no more
_NEWEST_AT_ONCE = 10  # who reads backwards seldom wants more
_ATTEMPTS = 4  # of a write whose ground moved between its reading and its writing

_BUSY = frozenset(
    {
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingError",
        "ThrottlingException",
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)

_Item = dict[str, Any]
"""A DynamoDB item or attribute value, in the low-level client's form."""


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
            self._put_if(_record_item(written), *_unchanged(found)),
            *(self._put(_edge_item(edge)) for edge in edges),
            *(self._put_if(_owner_item(arn, migration), *_owner_still(owners[arn])) for arn in owned),
            *(self._check(_record_key(other), *_closed()) for other in others),
            *(self._delete({"pk": _s(_pk(migration)), "sk": _s(f"edge#{name}")}) for name in sorted(dropped)),
            *(self._delete(_owner_key(arn)) for arn in sorted(given_up) if self._owner(arn) == migration),
            self._put(_note(written, written.opened_at, "opened", {"execution": written.execution})),
            self._put(_untold_item(written, "opened", f"by {written.execution}", written.opened_at)),
        ]

    def _owner(self, arn: str) -> str | None:
        item = self._get(_owner_key(arn))
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
        item = self._get(_record_key(migration))
        return None if item is None else _record(item)

    def enter(self, migration: str, phase: Phase, *, fence: int, at: datetime, why: str = "") -> MigrationRecord:
        for _ in range(_ATTEMPTS):
            record = self.read(migration)
            _same_fence(record, fence)
            if record.phase == phase:
                return record
            entered = record.model_copy(update={"phase": move(record.phase, phase)})
            change = {"from": record.phase.value, "to": phase.value}
            try:
                self._transact(
                    [
                        self._update(
                            _record_key(migration),
                            "SET phase = :to",
                            "fence = :fence AND phase = :from",
                            {":to": _s(phase), ":from": _s(record.phase), ":fence": _n(fence)},
                        ),
                        self._put(_note(entered, at, "entered", change)),
                        *(self._put(item) for item in _words(entered, why, at)),
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
                            _record_key(migration),
                            "SET phase = :back, fence = :next, reason = :reason",
                            "fence = :seen AND NOT phase IN (:retiring, :done)",
                            {
                                ":back": _s(Phase.ROLLING_BACK),
                                ":next": _n(seen + 1),
                                ":seen": _n(seen),
                                ":reason": _s(raised.reason or "unsaid"),
                                ":retiring": _s(Phase.RETIRING),
                                ":done": _s(Phase.DONE),
                            },
                        ),
                        self._put(_note(raised, at, "fence raised", why)),
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
                        _record_key(migration),
                        "SET climb = :climb",
                        "fence = :fence",
                        {":climb": _s(climb), ":fence": _n(fence)},
                    )
                ]
            )

    # -- its edges -----------------------------------------------------------

    def edges(self, migration: str) -> tuple[EdgeRecord, ...]:
        return tuple(_edge(item, migration) for item in self._query(_pk(migration), "edge#"))

    def edge(self, migration: str, name: str) -> EdgeRecord:
        item = self._get({"pk": _s(_pk(migration)), "sk": _s(f"edge#{name}")})
        if item is None:
            raise UnknownEdge(f"migration {migration} owns no edge {name}")
        return _edge(item, migration)

    def put_edge(self, edge: EdgeRecord, *, fence: int) -> None:
        try:
            self._transact(
                [
                    self._fence_check(edge.migration, fence),
                    self._put_if(_edge_item(edge), "attribute_exists(pk)", {}),
                ]
            )
        except _ConditionFailed as refused:
            _same_fence(self.read(edge.migration), fence)
            raise UnknownEdge(f"migration {edge.migration} owns no edge {edge.name}") from refused

    # -- its story -----------------------------------------------------------

    def append(self, entry: Entry, *, fence: int | None = None) -> str:
        item = _entry_item(entry)
        writes = [self._put(item)]
        if fence is not None:
            writes.insert(0, self._fence_check(entry.migration, fence))
        with self._fence_kept(entry.migration, fence):
            self._transact(writes)
        return str(item["sk"]["S"]).removeprefix("entry#")

    def entries(self, migration: str) -> tuple[Entry, ...]:
        return tuple(_entry(item, migration) for item in self._query(_pk(migration), "entry#"))

    def newest_first(self, migration: str) -> Iterator[Entry]:
        return (_entry(item, migration) for item in self._query(_pk(migration), "entry#", forward=False))

    # -- what is promised, found and held --------------------------------------

    def expect_look(self, migration: str, due: datetime, *, fence: int) -> None:
        item = {"pk": _s(_pk(migration)), "sk": _s("look"), "due": _s(_iso(due)), "fence": _n(fence)}
        with self._fence_kept(migration, fence):
            self._transact([self._fence_check(migration, fence), self._put(item)])

    def look_due(self, migration: str) -> datetime | None:
        item = self._get({"pk": _s(_pk(migration)), "sk": _s("look")})
        if item is None or int(item["fence"]["N"]) != self.read(migration).fence:
            return None
        return datetime.fromisoformat(item["due"]["S"])

    def once(self, migration: str, what: str, *, until: datetime) -> bool:
        item = {"pk": _s(_pk(migration)), "sk": _s(f"once#{what}"), "expires": _n(int(until.timestamp()))}
        try:
            with _busy():
                self._client.put_item(TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(pk)")
        except _ConditionFailed:
            return False
        return True

    def keep_blue(self, blue: BlueFound, *, fence: int) -> BlueFound:
        key = {"pk": _s(_pk(blue.migration)), "sk": _s(f"blue#{blue.service}")}
        for _ in range(_ATTEMPTS):
            _same_fence(self.read(blue.migration), fence)
            kept = self._get(key)
            if kept is not None:
                return BlueFound.model_validate_json(kept["found"]["S"])
            item = {**key, "found": _s(blue.model_dump_json())}
            try:
                self._transact(
                    [self._fence_check(blue.migration, fence), self._put_if(item, "attribute_not_exists(pk)", {})]
                )
            except _ConditionFailed:
                continue  # the fence has risen, or somebody kept it in between: look again
            return blue
        raise JournalBusy(f"{blue.migration}: what was found on {blue.service} is written by others at the same time")

    def blues(self, migration: str) -> tuple[BlueFound, ...]:
        return tuple(BlueFound.model_validate_json(item["found"]["S"]) for item in self._query(_pk(migration), "blue#"))

    def drop_blue(self, migration: str, service: str) -> None:
        with _busy():
            self._client.delete_item(TableName=self._table, Key={"pk": _s(_pk(migration)), "sk": _s(f"blue#{service}")})

    def keep_hold(self, hold: Hold) -> None:
        item = {
            "pk": _s(_pk(hold.migration)),
            "sk": _s(f"hold#{hold.by}"),
            "why": _s(hold.why),
            "at": _s(_iso(hold.at)),
            "fence": _n(hold.fence),
        }
        word = _untold_item(self.read(hold.migration), "held", f"{hold.by}: {hold.why}", hold.at)
        self._transact([self._put(item), self._put(word)])

    def untold(self, migration: str) -> tuple[Untold, ...]:
        return tuple(_untold(item, migration) for item in self._query(_pk(migration), "untold#"))

    def drop_untold(self, untold: Untold) -> None:
        with _busy():
            self._client.delete_item(
                TableName=self._table, Key={"pk": _s(_pk(untold.migration)), "sk": _s(f"untold#{untold.key}")}
            )

    def told(self, migration: str) -> Told:
        item = self._get({"pk": _s(_pk(migration)), "sk": _s("told")})
        if item is None:
            return Told(migration=migration)
        phase = _optional(item, "phase")
        return Told(
            migration=migration,
            fence=int(item["fence"]["N"]),
            phase=Phase(phase) if phase else None,
            edges=json.loads(item["edges"]["S"]),
        )

    def keep_told(self, told: Told) -> None:
        item = {
            "pk": _s(_pk(told.migration)),
            "sk": _s("told"),
            "fence": _n(told.fence),
            "edges": _s(json.dumps(told.edges)),
            **_present({"phase": told.phase}),
        }
        with _busy():
            self._client.put_item(TableName=self._table, Item=item)

    def holds(self, migration: str) -> tuple[Hold, ...]:
        fence = self.read(migration).fence
        found = tuple(_hold(item, migration) for item in self._query(_pk(migration), "hold#"))
        return tuple(hold for hold in found if hold.fence == fence)

    def drop_hold(self, migration: str, by: str) -> None:
        with _busy():
            self._client.delete_item(TableName=self._table, Key={"pk": _s(_pk(migration)), "sk": _s(f"hold#{by}")})

    # -- whom news concern, and who waits ------------------------------------

    def index(self, resource: str, migration: str) -> None:
        with _busy():
            self._client.put_item(
                TableName=self._table,
                Item={"pk": _s(f"resource#{resource}"), "sk": _s(_pk(migration)), "migration": _s(migration)},
            )

    def unindex(self, resource: str, migration: str) -> None:
        with _busy():
            self._client.delete_item(
                TableName=self._table, Key={"pk": _s(f"resource#{resource}"), "sk": _s(_pk(migration))}
            )

    def migrations_of(self, resource: str) -> tuple[str, ...]:
        return tuple(str(item["migration"]["S"]) for item in self._query(f"resource#{resource}", "migration#"))

    def keep_token(self, token: Token) -> None:
        item = {
            **_token_key(token.resource),
            "migration": _s(token.migration),
            "token": _s(token.token),
            "at": _s(_iso(token.at)),
        }
        if token.deployment is not None:
            item["deployment"] = _s(token.deployment)
        if token.replaces is not None:
            item["replaces"] = _s(token.replaces)
        with _busy():
            self._client.put_item(TableName=self._table, Item=item)

    def token(self, resource: str) -> Token | None:
        item = self._get(_token_key(resource))
        if item is None:
            return None
        return Token(
            migration=item["migration"]["S"],
            resource=resource,
            token=item["token"]["S"],
            at=datetime.fromisoformat(item["at"]["S"]),
            deployment=_optional(item, "deployment"),
            replaces=_optional(item, "replaces"),
        )

    def drop_token(self, resource: str, token: str) -> None:
        try:
            with _busy():
                self._client.delete_item(
                    TableName=self._table,
                    Key=_token_key(resource),
                    ConditionExpression="#token = :token",
                    ExpressionAttributeNames={"#token": "token"},
                    ExpressionAttributeValues={":token": _s(token)},
                )
        except _ConditionFailed:
            return  # gone already, or a newer one waits

    # -- calls ---------------------------------------------------------------

    def _get(self, key: _Item) -> _Item | None:
        with _busy():
            return self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")

    def _query(self, pk: str, prefix: str, *, forward: bool = True) -> Iterator[_Item]:
        with _busy():
            for page in self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
                ExpressionAttributeValues={":pk": _s(pk), ":prefix": _s(prefix)},
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

    def _put(self, item: _Item) -> TransactWriteItemTypeDef:
        return {"Put": {"TableName": self._table, "Item": item}}

    def _put_if(self, item: _Item, condition: str, values: _Item) -> TransactWriteItemTypeDef:
        given = {"ExpressionAttributeValues": values} if values else {}
        return {"Put": {"TableName": self._table, "Item": item, "ConditionExpression": condition, **given}}  # type: ignore[typeddict-item]

    def _update(self, key: _Item, update: str, condition: str, values: _Item) -> TransactWriteItemTypeDef:
        return {
            "Update": {
                "TableName": self._table,
                "Key": key,
                "UpdateExpression": update,
                "ConditionExpression": condition,
                "ExpressionAttributeValues": values,
            }
        }

    def _check(self, key: _Item, condition: str, values: _Item) -> TransactWriteItemTypeDef:
        given = {"ExpressionAttributeValues": values} if values else {}
        return {
            "ConditionCheck": {"TableName": self._table, "Key": key, "ConditionExpression": condition, **given}  # type: ignore[typeddict-item]
        }

    def _fence_check(self, migration: str, fence: int) -> TransactWriteItemTypeDef:
        return self._check(_record_key(migration), "fence = :fence", {":fence": _n(fence)})

    def _delete(self, key: _Item) -> TransactWriteItemTypeDef:
        return {"Delete": {"TableName": self._table, "Key": key}}


@contextmanager
def _busy() -> Iterator[None]:
    """Say JournalBusy for what a later attempt may mend, and _ConditionFailed for what it may not."""
    try:
        yield
    except (HTTPClientError, NoConnection) as cut:
        raise JournalBusy(f"the table did not answer: {cut}") from cut
    except ClientError as refused:
        code = refused.response["Error"]["Code"]
        if code == "ConditionalCheckFailedException":
            raise _ConditionFailed from refused
        if code == "TransactionCanceledException":
            reasons = {reason.get("Code") for reason in refused.response.get("CancellationReasons", [])}
            if "ConditionalCheckFailed" in reasons:
                raise _ConditionFailed from refused
            if reasons & _BUSY:
                raise JournalBusy(f"the table is contended: {sorted(filter(None, reasons))}") from refused
        if code in _BUSY:
            raise JournalBusy(f"the table is throttled: {code}") from refused
        raise


# -- keys --------------------------------------------------------------------


def _pk(migration: str) -> str:
    return f"migration#{migration}"


def _record_key(migration: str) -> _Item:
    return {"pk": _s(_pk(migration)), "sk": _s("record")}


def _owner_key(arn: str) -> _Item:
    return {"pk": _s(f"edge#{arn}"), "sk": _s("owner")}


def _token_key(resource: str) -> _Item:
    return {"pk": _s(f"resource#{resource}"), "sk": _s("token")}


# -- conditions --------------------------------------------------------------


def _unchanged(found: MigrationRecord | None) -> tuple[str, _Item]:
    if found is None:
        return "attribute_not_exists(pk)", {}
    return "phase = :phase AND fence = :seen", {":phase": _s(found.phase), ":seen": _n(found.fence)}


def _owner_still(owner: str | None) -> tuple[str, _Item]:
    if owner is None:
        return "attribute_not_exists(pk)", {}
    return "migration = :owner", {":owner": _s(owner)}


def _closed() -> tuple[str, _Item]:
    names = {f":closed{place}": _s(phase) for place, phase in enumerate(sorted(CLOSED))}
    return f"phase IN ({', '.join(names)})", names


def _same_fence(record: MigrationRecord, fence: int) -> None:
    if record.fence != fence:
        raise Fenced(f"{record.migration}: fence {fence} is carried, {record.fence} stands")


# -- items -------------------------------------------------------------------


def _s(text: str) -> _Item:
    return {"S": str(text)}


def _n(number: int) -> _Item:
    return {"N": str(number)}


def _optional(item: Mapping[str, Any], name: str) -> str | None:
    value = item.get(name)
    return None if value is None or "S" not in value else str(value["S"])


def _present(attributes: Mapping[str, str | None]) -> _Item:
    return {name: _s(value) for name, value in attributes.items() if value is not None}


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _record_item(record: MigrationRecord) -> _Item:
    plan = record.plan
    return {
        **_record_key(record.migration),
        "migration": _s(record.migration),
        "phase": _s(record.phase),
        "fence": _n(record.fence),
        "settle_seconds": _n(record.settle_seconds),
        "confirm_seconds": _n(record.confirm_seconds),
        "restore_retry_seconds": _n(record.restore_retry_seconds),
        "opened_at": _s(_iso(record.opened_at)),
        "execution": _s(record.execution),
        "plan": {
            "M": _present({"bucket": plan.bucket, "key": plan.key, "version": plan.version, "sha256": plan.sha256})
        },
        **_present({"climb": record.climb, "reason": record.reason}),
    }


def _record(item: Mapping[str, Any]) -> MigrationRecord:
    plan = item["plan"]["M"]
    return MigrationRecord(
        migration=str(item["pk"]["S"]).removeprefix("migration#"),
        phase=Phase(item["phase"]["S"]),
        fence=int(item["fence"]["N"]),
        plan=PlanRef(
            bucket=plan["bucket"]["S"],
            key=plan["key"]["S"],
            version=_optional(plan, "version"),
            sha256=plan["sha256"]["S"],
        ),
        opened_at=datetime.fromisoformat(item["opened_at"]["S"]),
        execution=item["execution"]["S"],
        climb=_optional(item, "climb"),
        reason=_optional(item, "reason"),
        settle_seconds=int(item["settle_seconds"]["N"]),
        confirm_seconds=int(item["confirm_seconds"]["N"]),
        restore_retry_seconds=int(item["restore_retry_seconds"]["N"]),
    )


def _edge_item(edge: EdgeRecord) -> _Item:
    return {
        "pk": _s(_pk(edge.migration)),
        "sk": _s(f"edge#{edge.name}"),
        "name": _s(edge.name),
        "kind": _s(edge.kind),
        "resolved": _s(edge.resolved.model_dump_json()),
        "way_back": _s(json.dumps([request.model_dump(mode="json") for request in edge.way_back])),
        "ceiling_bp": _n(edge.ceiling_bp),
        "settle_seconds": _n(edge.settle_seconds),
        "asked_bp": _n(edge.asked_bp),
        "held_bp": _n(edge.held_bp),
        **({} if edge.change is None else {"change": _s(edge.change)}),
    }


def _edge(item: Mapping[str, Any], migration: str) -> EdgeRecord:
    return EdgeRecord.model_validate(
        {
            "migration": migration,
            "name": item["name"]["S"],
            "kind": item["kind"]["S"],
            "resolved": json.loads(item["resolved"]["S"]),
            "way_back": json.loads(item["way_back"]["S"]),
            "ceiling_bp": int(item["ceiling_bp"]["N"]),
            "settle_seconds": int(item["settle_seconds"]["N"]),
            "asked_bp": int(item["asked_bp"]["N"]),
            "held_bp": int(item["held_bp"]["N"]),
            "change": _optional(item, "change"),
        }
    )


def _owner_item(arn: str, migration: str) -> _Item:
    return {**_owner_key(arn), "migration": _s(migration)}


def _hold(item: Mapping[str, Any], migration: str) -> Hold:
    return Hold(
        migration=migration,
        by=str(item["sk"]["S"]).removeprefix("hold#"),
        why=item["why"]["S"],
        at=datetime.fromisoformat(item["at"]["S"]),
        fence=int(item["fence"]["N"]),
    )


def _untold_item(record: MigrationRecord, what: What, reason: str, at: datetime) -> _Item:
    return {
        "pk": _s(_pk(record.migration)),
        "sk": _s(f"untold#{_iso(at)}#{_time_ordered_uuid()}"),
        "what": _s(what),
        "phase": _s(record.phase),
        "reason": _s(bounded_reason(reason)),
        "at": _s(_iso(at)),
    }


def _words(entered: MigrationRecord, why: str, at: datetime) -> list[_Item]:
    """Return the word to leave of a phase that was entered; none where somebody else tells of it."""
    what = OF_PHASE.get(entered.phase)
    return [_untold_item(entered, what, told_of(entered.phase, why), at)] if what else []


def _untold(item: Mapping[str, Any], migration: str) -> Untold:
    return Untold(
        migration=migration,
        key=str(item["sk"]["S"]).removeprefix("untold#"),
        what=item["what"]["S"],
        phase=Phase(item["phase"]["S"]),
        reason=item["reason"]["S"],
        at=datetime.fromisoformat(item["at"]["S"]),
    )


def _entry_item(entry: Entry) -> _Item:
    item = {
        "pk": _s(_pk(entry.migration)),
        "sk": _s(f"entry#{_iso(entry.at)}#{_time_ordered_uuid()}"),
        "at": _s(_iso(entry.at)),
        "kind": _s(entry.kind),
        "what": _s(entry.what),
        "subject": _s(entry.subject),
        "detail": _s(json.dumps(bounded_detail(entry.detail), sort_keys=True, ensure_ascii=False)),
        **_present({"of": entry.of}),
    }
    return item if entry.fence is None else {**item, "fence": _n(entry.fence)}


def read_entries(items: Iterable[Mapping[str, Any]], migration: str) -> tuple[Entry, ...]:
    """
    Return a migration's story from items of an exported table, oldest first; other items are passed over.

    Raises:
        BadInput: an item is none of this table's.
    """
    try:
        mine = [item for item in items if item["pk"]["S"] == _pk(migration) and item["sk"]["S"].startswith("entry#")]
        return tuple(_entry(item, migration) for item in sorted(mine, key=lambda item: str(item["sk"]["S"])))
    except (KeyError, TypeError, ValueError) as unknown:
        raise BadInput(f"this is no export of a journal: {unknown!r}") from unknown


def _entry(item: Mapping[str, Any], migration: str) -> Entry:
    return Entry(
        migration=migration,
        at=datetime.fromisoformat(item["at"]["S"]),
        kind=item["kind"]["S"],
        what=item["what"]["S"],
        subject=item["subject"]["S"],
        detail=json.loads(item["detail"]["S"]),
        fence=int(item["fence"]["N"]) if "fence" in item else None,
        of=_optional(item, "of"),
    )


def _note(record: MigrationRecord, at: datetime, what: str, detail: Mapping[str, str | None]) -> _Item:
    return _entry_item(
        Entry(
            migration=record.migration,
            at=at,
            kind="note",
            what=what,
            subject=record.migration,
            detail=dict(detail),
            fence=record.fence,
        )
    )


def _time_ordered_uuid() -> UUID:
    """
    Return a UUID of version 7, so that entries of one instant sort as they were written.

    Source: RFC 9562 §5.7, with the fraction of a millisecond in rand_a (§6.2, method 3).
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = rest * 4_096 // 1_000_000
    number = milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | secrets.randbits(62)
    return UUID(int=number)
