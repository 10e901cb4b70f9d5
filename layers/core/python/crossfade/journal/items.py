"""
What the journal's table holds, as items: keys, conditions, and each kind of item to and from our models.

Pure. `journal/dynamodb.py` shows the table as a whole.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from crossfade.errors import BadInput, Fenced
from crossfade.events.outbound import What
from crossfade.journal.edges import EdgeRecord
from crossfade.journal.hold import Hold
from crossfade.journal.model import Entry, MigrationRecord, bounded_detail, bounded_reason
from crossfade.journal.note import note
from crossfade.journal.untold import OF_PHASE, Untold, told_of
from crossfade.phases import CLOSED, Phase
from crossfade.plan.store import PlanRef

Item = dict[str, Any]
"""A DynamoDB item or attribute value, in the low-level client's form."""

# -- keys --------------------------------------------------------------------


def pk_of(migration: str) -> str:
    """Return the partition key of all that is kept of a migration."""
    return f"migration#{migration}"


def record_key(migration: str) -> Item:
    """Return where a migration's record is."""
    return {"pk": string(pk_of(migration)), "sk": string("record")}


LOOK = "look"
"""How the keys of expected looks begin."""


def look_key(migration: str, edge: str | None) -> Item:
    """Return where the look that is expected at an edge is, or the answer that the migration waits for."""
    return {"pk": string(pk_of(migration)), "sk": string(LOOK if edge is None else f"{LOOK}#{edge}")}


def owner_key(arn: str) -> Item:
    """Return where the owner of a rule is named."""
    return {"pk": string(f"edge#{arn}"), "sk": string("owner")}


def token_key(resource: str) -> Item:
    """Return where the token that waits for a resource is."""
    return {"pk": string(f"resource#{resource}"), "sk": string("token")}


# -- conditions --------------------------------------------------------------


def unchanged(found: MigrationRecord | None) -> tuple[str, Item]:
    """Return the condition that a record is as it was found."""
    if found is None:
        return "attribute_not_exists(pk)", {}
    return "phase = :phase AND fence = :seen", {":phase": string(found.phase), ":seen": number(found.fence)}


def owner_still(owner: str | None) -> tuple[str, Item]:
    """Return the condition that a rule has the owner it had."""
    if owner is None:
        return "attribute_not_exists(pk)", {}
    return "migration = :owner", {":owner": string(owner)}


def is_closed() -> tuple[str, Item]:
    """Return the condition that a migration is closed."""
    names = {f":closed{place}": string(phase) for place, phase in enumerate(sorted(CLOSED))}
    return f"phase IN ({', '.join(names)})", names


def refuse_stale(record: MigrationRecord, fence: int) -> None:
    """Raise Fenced where another fence stands than the one that is carried."""
    if record.fence != fence:
        raise Fenced(f"{record.migration}: fence {fence} is carried, {record.fence} stands")


# -- items -------------------------------------------------------------------


def string(text: str) -> Item:
    """Return a text as an attribute."""
    return {"S": str(text)}


def number(value: int) -> Item:
    """Return a whole number as an attribute."""
    return {"N": str(value)}


def optional(item: Mapping[str, Any], name: str) -> str | None:
    """Return a text attribute; None where it is absent."""
    value = item.get(name)
    return None if value is None or "S" not in value else str(value["S"])


def present(attributes: Mapping[str, str | None]) -> Item:
    """Return the texts that are there, as attributes."""
    return {name: string(value) for name, value in attributes.items() if value is not None}


def iso(at: datetime) -> str:
    """Return a time as it is kept: in UTC, with microseconds, so that times sort."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def record_item(record: MigrationRecord) -> Item:
    """Return a migration's record as an item."""
    plan = record.plan
    return {
        **record_key(record.migration),
        "migration": string(record.migration),
        "phase": string(record.phase),
        "fence": number(record.fence),
        "settle_seconds": number(record.settle_seconds),
        "confirm_seconds": number(record.confirm_seconds),
        "restore_retry_seconds": number(record.restore_retry_seconds),
        "opened_at": string(iso(record.opened_at)),
        "execution": string(record.execution),
        "plan": {
            "M": present({"bucket": plan.bucket, "key": plan.key, "version": plan.version, "sha256": plan.sha256})
        },
        **present({"climb": record.climb, "reason": record.reason}),
    }


def record_from(item: Mapping[str, Any]) -> MigrationRecord:
    """Return a migration's record from its item."""
    plan = item["plan"]["M"]
    return MigrationRecord(
        migration=str(item["pk"]["S"]).removeprefix("migration#"),
        phase=Phase(item["phase"]["S"]),
        fence=int(item["fence"]["N"]),
        plan=PlanRef(
            bucket=plan["bucket"]["S"],
            key=plan["key"]["S"],
            version=optional(plan, "version"),
            sha256=plan["sha256"]["S"],
        ),
        opened_at=datetime.fromisoformat(item["opened_at"]["S"]),
        execution=item["execution"]["S"],
        climb=optional(item, "climb"),
        reason=optional(item, "reason"),
        settle_seconds=int(item["settle_seconds"]["N"]),
        confirm_seconds=int(item["confirm_seconds"]["N"]),
        restore_retry_seconds=int(item["restore_retry_seconds"]["N"]),
    )


def edge_item(edge: EdgeRecord) -> Item:
    """Return an edge as an item."""
    return {
        "pk": string(pk_of(edge.migration)),
        "sk": string(f"edge#{edge.name}"),
        "name": string(edge.name),
        "kind": string(edge.kind),
        "resolved": string(edge.resolved.model_dump_json()),
        "way_back": string(json.dumps([request.model_dump(mode="json") for request in edge.way_back])),
        "ceiling_bp": number(edge.ceiling_bp),
        "settle_seconds": number(edge.settle_seconds),
        "asked_bp": number(edge.asked_bp),
        "held_bp": number(edge.held_bp),
        **({} if edge.change is None else {"change": string(edge.change)}),
        **({} if edge.blue_since is None else {"blue_since": string(iso(edge.blue_since))}),
    }


def edge_from(item: Mapping[str, Any], migration: str) -> EdgeRecord:
    """Return an edge from its item."""
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
            "change": optional(item, "change"),
            "blue_since": optional(item, "blue_since"),
        }
    )


def owner_item(arn: str, migration: str) -> Item:
    """Return the item that names the owner of a rule."""
    return {**owner_key(arn), "migration": string(migration)}


def index_key(resource: str, migration: str) -> Item:
    """Return the key under which a resource leads to a migration."""
    return {"pk": string(f"resource#{resource}"), "sk": string(pk_of(migration))}


def index_item(resource: str, migration: str) -> Item:
    """Return the item by which news of a resource find the migration they concern."""
    return {**index_key(resource, migration), "migration": string(migration)}


def hold_from(item: Mapping[str, Any], migration: str) -> Hold:
    """Return a hold from its item."""
    return Hold(
        migration=migration,
        by=str(item["sk"]["S"]).removeprefix("hold#"),
        why=item["why"]["S"],
        at=datetime.fromisoformat(item["at"]["S"]),
        fence=int(item["fence"]["N"]),
    )


def untold_item(record: MigrationRecord, what: What, reason: str, at: datetime) -> Item:
    """Return a word that is left for people, as an item."""
    return {
        "pk": string(pk_of(record.migration)),
        "sk": string(f"untold#{iso(at)}#{_time_ordered_uuid()}"),
        "what": string(what),
        "phase": string(record.phase),
        "reason": string(bounded_reason(reason)),
        "at": string(iso(at)),
    }


def words(entered: MigrationRecord, why: str, at: datetime) -> list[Item]:
    """Return the word to leave of a phase that was entered; none where somebody else tells of it."""
    what = OF_PHASE.get(entered.phase)
    return [untold_item(entered, what, told_of(entered.phase, why), at)] if what else []


def untold_from(item: Mapping[str, Any], migration: str) -> Untold:
    """Return a word that was left for people from its item."""
    return Untold(
        migration=migration,
        key=str(item["sk"]["S"]).removeprefix("untold#"),
        what=item["what"]["S"],
        phase=Phase(item["phase"]["S"]),
        reason=item["reason"]["S"],
        at=datetime.fromisoformat(item["at"]["S"]),
    )


def entry_item(entry: Entry) -> Item:
    """Return a line of the story as an item, under a key that sorts by time."""
    item = {
        "pk": string(pk_of(entry.migration)),
        "sk": string(f"entry#{iso(entry.at)}#{_time_ordered_uuid()}"),
        "at": string(iso(entry.at)),
        "kind": string(entry.kind),
        "what": string(entry.what),
        "subject": string(entry.subject),
        "detail": string(json.dumps(bounded_detail(entry.detail), sort_keys=True, ensure_ascii=False)),
        **present({"of": entry.of}),
    }
    return item if entry.fence is None else {**item, "fence": number(entry.fence)}


def read_entries(items: Iterable[Mapping[str, Any]], migration: str) -> tuple[Entry, ...]:
    """
    Return a migration's story from items of an exported table, oldest first; other items are passed over.

    Raises:
        BadInput: an item is none of this table's.
    """
    try:
        mine = [item for item in items if item["pk"]["S"] == pk_of(migration) and item["sk"]["S"].startswith("entry#")]
        return tuple(entry_from(item, migration) for item in sorted(mine, key=lambda item: str(item["sk"]["S"])))
    except (KeyError, TypeError, ValueError) as unknown:
        raise BadInput(f"this is no export of a journal: {unknown!r}") from unknown


def entry_from(item: Mapping[str, Any], migration: str) -> Entry:
    """Return a line of the story from its item."""
    return Entry(
        migration=migration,
        at=datetime.fromisoformat(item["at"]["S"]),
        kind=item["kind"]["S"],
        what=item["what"]["S"],
        subject=item["subject"]["S"],
        detail=json.loads(item["detail"]["S"]),
        fence=int(item["fence"]["N"]) if "fence" in item else None,
        of=optional(item, "of"),
    )


def note_item(record: MigrationRecord, at: datetime, what: str, detail: Mapping[str, str | None]) -> Item:
    """Return a note on a migration itself, as an item."""
    return entry_item(note(record.migration, what, detail, fence=record.fence, at=at))


def _time_ordered_uuid() -> UUID:
    """
    Return a UUID of version 7, so that entries of one instant sort as they were written.

    Source: RFC 9562 §5.7, with the fraction of a millisecond in rand_a (§6.2, method 3).
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = rest * 4_096 // 1_000_000
    number = milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | secrets.randbits(62)
    return UUID(int=number)
