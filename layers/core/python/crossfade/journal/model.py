"""
What the journal remembers of a migration.

These are also what the state machines read straight from the table, so the names of
the fields are an interface: see `journal/dynamodb.py` for keys and attributes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Protocol

from pydantic import AwareDatetime, Field, field_validator

from crossfade.frozen import Frozen, Seconds
from crossfade.journal.plainly import plainly
from crossfade.phases import Phase
from crossfade.plan.store import PlanRef


class MigrationRecord(Frozen):
    """
    Where a migration is.

    `fence` rises with every rollback and every opening; who carries a lower one may no
    longer change anything. `execution` is the ARN of the `migrate` that opened it,
    `climb` of the rung in flight. `settle_seconds` is the longest of its edges.
    """

    migration: str
    phase: Phase
    fence: Annotated[int, Field(ge=1)]
    plan: PlanRef
    opened_at: AwareDatetime
    execution: str
    climb: str | None = None
    reason: str | None = None
    settle_seconds: Seconds = 0
    confirm_seconds: Seconds = Field(default=60, description="From the plan's timings; `roll_back` reads it here")
    restore_retry_seconds: int = Field(default=10, ge=1, description="As above")

    @field_validator("reason", mode="before")
    @classmethod
    def _as_people_read_it(cls, reason: Any) -> Any:
        return plainly(reason) if isinstance(reason, str) else reason


class Entry(Frozen):
    """
    One line of the story.

    An intent is written before the effect and says what was found; a result is
    written after it and names its intent in `of`. Evidence is what a decision was
    made from. `subject` is the edge, service or resource it speaks of.
    """

    migration: str
    at: AwareDatetime
    kind: Literal["intent", "result", "evidence", "note"]
    what: str
    subject: str
    detail: dict[str, Any] = Field(default_factory=dict)
    fence: int | None = None
    of: str | None = None


class Carrier(Protocol):
    """What carries a migration's fence: the request of an executor."""

    @property
    def migration(self) -> str: ...

    @property
    def fence(self) -> int: ...


def entry_of(
    carrier: Carrier,
    kind: Literal["intent", "result", "evidence", "note"],
    what: str,
    subject: str,
    *,
    at: datetime,
    detail: Mapping[str, Any] | None = None,
    of: str | None = None,
) -> Entry:
    """Return an executor's line of the story, under the fence that it carries."""
    return Entry(
        migration=carrier.migration,
        at=at,
        kind=kind,
        what=what,
        subject=subject,
        detail=dict(detail or {}),
        fence=carrier.fence,
        of=of,
    )


class Token(Frozen):
    """
    A task token that waits for a resource, and the deployment it waits for where one is known.

    `replaces` is the deployment that was the newest before: while it still is, the one
    that is waited for has not begun.
    """

    migration: str
    resource: str
    token: str
    at: AwareDatetime
    deployment: str | None = None
    replaces: str | None = None


MOST_DETAIL_BYTES = 300_000
"""An item of DynamoDB holds 400 KB, and the evidence of a long hold is the largest there is."""

MOST_REASON_CHARACTERS = 1_000


def bounded_detail(detail: dict[str, Any]) -> dict[str, Any]:
    """Return the detail, or only its beginning and its size where it is larger than an entry may be."""
    text = json.dumps(detail, sort_keys=True, ensure_ascii=False)
    size = len(text.encode())
    return detail if size <= MOST_DETAIL_BYTES else {"too_large_bytes": size, "begins": text[:2_000]}


def bounded_reason(reason: str) -> str:
    """Return the reason as people read it, cut where it is longer than a record may hold."""
    reason = plainly(reason)
    if len(reason) <= MOST_REASON_CHARACTERS:
        return reason
    return reason[: MOST_REASON_CHARACTERS - 1] + "…"
