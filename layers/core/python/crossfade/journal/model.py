"""
What the journal remembers of a migration.

These are also what the state machines read straight from the table, so the names of
the fields are an interface: see `journal/dynamodb.py` for keys and attributes.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from crossfade.plan.document import BasisPoints, Frozen, Seconds
from crossfade.rollout.phases import Phase


class PlanRef(Frozen):
    """A stored plan: one version of one object, and the digest its bytes must have."""

    bucket: str
    key: str
    version: str | None = None
    sha256: str


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


class StoredRequest(Frozen):
    """
    A call that puts one rule back, exactly as `aws-sdk:elasticloadbalancingv2` takes it.

    Kept so that a state machine can send it when Lambda is throttled.
    """

    action: Literal["modifyRule", "modifyListener"]
    arguments: dict[str, Any] = Field(description="PascalCase, whole action list included")


class AlbRule(Frozen):
    """A rule that led to blue when the migration opened; a listener's ARN when `is_default`."""

    arn: str
    is_default: bool
    found_actions: tuple[dict[str, Any], ...] = Field(description="The whole list, as AWS answered it")


class AlbEdge(Frozen):
    """An edge's names resolved to ARNs; green's is unknown until its target group is made."""

    load_balancer_arn: str
    blue_arn: str
    green_arn: str | None = None
    rules: tuple[AlbRule, ...]


class FoundEdge(Frozen):
    """
    An edge as found in AWS, with the way back from wherever it is taken.

    `asked_bp` is the share last asked for, `held_bp` the share last read back after
    asking: what the edge holds now is read from AWS, these say what we expect there.
    """

    name: str
    kind: Literal["alb"] = "alb"
    resolved: AlbEdge
    way_back: tuple[StoredRequest, ...]
    ceiling_bp: BasisPoints = 10_000
    settle_seconds: Seconds = 30
    asked_bp: BasisPoints = 0
    held_bp: BasisPoints = 0

    def owned_by(self, migration: str) -> EdgeRecord:
        """Return the edge as this migration's journal keeps it."""
        return EdgeRecord(migration=migration, **{name: getattr(self, name) for name in FoundEdge.model_fields})


class EdgeRecord(FoundEdge):
    """An edge that a migration owns."""

    migration: str


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


class Token(Frozen):
    """A task token that waits for a resource, and the deployment it waits for where one is known."""

    migration: str
    resource: str
    token: str
    at: AwareDatetime
    deployment: str | None = None


MOST_DETAIL_BYTES = 300_000
"""An item of DynamoDB holds 400 KB, and the evidence of a long hold is the largest there is."""

MOST_REASON_CHARACTERS = 1_000


def bounded_detail(detail: dict[str, Any]) -> dict[str, Any]:
    """Return the detail, or only its beginning and its size where it is larger than an entry may be."""
    text = json.dumps(detail, sort_keys=True, ensure_ascii=False)
    size = len(text.encode())
    return detail if size <= MOST_DETAIL_BYTES else {"too_large_bytes": size, "begins": text[:2_000]}


def bounded_reason(reason: str) -> str:
    """Return the reason, cut where it is longer than a record may hold."""
    if len(reason) <= MOST_REASON_CHARACTERS:
        return reason
    return reason[: MOST_REASON_CHARACTERS - 1] + "…"


def service_resource(cluster: str, name: str) -> str:
    """Return the index key of an ECS service; `cluster` may be a name or an ARN."""
    return f"service:{cluster.rsplit('/', 1)[-1]}/{name}"


def alarm_resource(name: str) -> str:
    """Return the index key of a CloudWatch alarm."""
    return f"alarm:{name}"
