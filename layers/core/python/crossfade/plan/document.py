"""
The plan document, schema 1: everything one migration will do, as data.

`crossfade plan` draws it from files; the stack reads it from a versioned bucket and
refuses one whose digest is not the digest it was started with. Durations are whole
seconds; shares are basis points. Names refer to AWS resources by the name their owner
gave them; ARNs that only a live account knows are resolved when the migration opens.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from crossfade.frozen import BasisPoints, Frozen, Seconds
from crossfade.plan.edges import EdgePlan
from crossfade.plan.services import ServicePlan


class Severity(StrEnum):
    """What a gap costs: BLOCKING needs an answer before the stack takes the plan."""

    BLOCKING = "blocking"
    DEGRADING = "degrading"
    INFORMATIONAL = "informational"


class Acceptance(Frozen):
    """Who accepted a gap, why, and when."""

    who: str
    why: str
    at: datetime


class Gap(Frozen):
    """
    A feature of the source that Service Connect does not have, or has differently.

    `id` is a row of `connect/gaps.py`; `resource` names the place in the source.
    """

    id: str
    resource: str
    severity: Severity
    detail: str
    source: str = Field(description="URL of the page that says so")
    accepted: Acceptance | None = None


class SourceFile(Frozen):
    """A file the plan was drawn from, with the digest of its bytes."""

    path: str
    sha256: str


class Bounds(Frozen):
    """
    What the judge may conclude from.

    `minimum_requests` is per colour and rung; below it the verdict is unknown.
    `tolerance` is the difference of error rates (green minus blue) still called equal.
    `alpha` bounds the chance that a green no worse than blue is ever rolled back.
    A request is slow when green or blue needs longer for it than blue's own 99th
    percentile of the hour before the climb, or never answers.
    """

    minimum_requests: int = Field(default=200, ge=1)
    tolerance: float = Field(default=0.01, gt=0, lt=1)
    alpha: float = Field(default=0.001, gt=0, lt=1)
    slo_error_rate: float = Field(default=0.02, gt=0, lt=1, description="Errors allowed where blue is no live control")
    attempt_error_rate: float = Field(
        default=0.05, gt=0, lt=1, description="As `slo_error_rate`, for what green's tasks answer before any retry"
    )
    below_desired_seconds: Seconds = Field(
        default=600, description="A green service may lack tasks for so long, without one more coming up"
    )
    lost_data_seconds: Seconds = Field(default=900, description="Hold this long without data, then roll back")
    slow_ratio: float | None = Field(
        default=3.0,
        ge=1,
        description="Slow requests of green for each of blue's still called equal; None judges no speed",
    )
    slow_tolerance: float = Field(default=0.05, gt=0, lt=1, description="As `tolerance`, for slow requests")
    slow_floor_seconds: float = Field(default=0.1, ge=0, description="An answer faster than this is never slow")
    exposure_requests: int = Field(
        default=0,
        ge=0,
        description="Requests a rung may put at risk to gather evidence faster when it is thin; 0 climbs as planned",
    )


_MINUTE = 60
LEAST_CONFIRM_SECONDS = 45
"""Above the 30 s after which Lambda ends a function (`Timeout` in template.yaml); a rehearsal's clock is its own."""


class Timings(Frozen):
    """Every duration the state machines use. A rehearsal divides them by one factor."""

    period_seconds: int = Field(default=60, ge=1, description="Metric bucket; below 60 only in a rehearsal")
    metric_lag_seconds: Seconds = Field(default=60, description="A bucket is complete this long after its end")
    look_seconds: int = Field(default=10, ge=1, description="Between looks at first; slows to six and thirty times")
    looks_at_once: int = Field(default=60, ge=1, description="Looks of one execution of climb; then another goes on")
    create_heartbeat_seconds: int = Field(default=120, ge=1, description="No event for this long: read ECS instead")
    create_deadline_seconds: int = Field(default=1_800, ge=1)
    confirm_seconds: Seconds = Field(default=60, description="Between the two confirmations of a rollback")
    restore_retry_seconds: int = Field(default=10, ge=1, description="Between restores; slows to thirty times")
    overdue_seconds: Seconds = Field(default=300, description="A look this late is taken for one that never comes")
    spread_seconds: Seconds = Field(
        default=1_800, description="A change of an edge that takes longer to reach every user ends the climb"
    )

    @model_validator(mode="after")
    def _outlasts_a_write(self) -> Timings:
        if self.period_seconds >= _MINUTE and self.confirm_seconds < LEAST_CONFIRM_SECONDS:
            raise ValueError(
                f"confirm_seconds is {self.confirm_seconds}; it must be at least {LEAST_CONFIRM_SECONDS}, so that a "
                "shift which was being written when the rollback began is seen and undone"
            )
        return self


class Approvals(Frozen):
    """
    Where a person must say yes before it goes on.

    When nobody answers in time, the default is the safe one of its place: before the
    climb the migration is closed, in mid-climb it goes back, at retirement blue stays.
    """

    before_climb: bool = False
    before_shares_bp: tuple[BasisPoints, ...] = Field(
        default=(), description="Shares of rungs that a person must allow, of every edge that has them"
    )
    before_retirement: bool = False
    expiry_seconds: int = Field(default=86_400, ge=60)


class Retirement(Frozen):
    """How long blue is kept whole beside a green that holds everything, and for how long it must have been unused."""

    parked_seconds: Seconds = Field(default=86_400, description="Since green has held 100 %")
    quiet_seconds: Seconds = Field(default=3_600, description="Without one request to blue")


class LogPlan(Frozen):
    """Where green's proxies write their log: the Service Connect `logConfiguration`."""

    group: str
    stream_prefix: str


class NamespacePlan(Frozen):
    """Green's Cloud Map namespace. Made by the migration when `arn` is None."""

    name: str
    arn: str | None = None


class NotMigrated(Frozen):
    """Something of the sources that stays behind, and why."""

    what: str
    why: str


class OutsideName(Frozen):
    """A name that others outside the plan may dial; it keeps leading to blue, and to nobody once blue is retired."""

    name: str
    service: str


class WithoutEffect(Frozen):
    """A field of the sources that changes nothing in Service Connect, why, and how often it is set."""

    field: str
    reason: str
    source: str = Field(description="URL of the page that says so")
    count: int = Field(ge=1)


class MetadataLedger(Frozen):
    """As the ledger, of what stands beside the specifications: names, owners, tags, ARNs, times."""

    used: int = Field(default=0, ge=0)
    named_in_a_gap: int = Field(default=0, ge=0)
    without_effect: int = Field(default=0, ge=0)


class Ledger(Frozen):
    """
    Every field the mesh's specifications set, counted once: used, named in a gap, or without effect.

    `metadata` depends on the form of the sources, of which some say more than others.
    """

    used: int = Field(default=0, ge=0)
    named_in_a_gap: int = Field(default=0, ge=0)
    without_effect: int = Field(default=0, ge=0)
    reasons: tuple[WithoutEffect, ...] = ()
    metadata: MetadataLedger = Field(default=MetadataLedger(), exclude_if=lambda metadata: metadata == MetadataLedger())


class MigrationPlan(Frozen):
    """One application's move, complete. See the module docstring."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(default=1, alias="schema")
    migration: str = Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")
    drawn_at: datetime | None = Field(
        default=None, description="Said only where a time is fixed, since the same sources give the same bytes"
    )
    drawn_by: str = Field(description="crossfade and its version")
    sources: tuple[SourceFile, ...]
    region: str | None = None
    cluster: str
    mesh: str | None = None
    namespace: NamespacePlan
    services: tuple[ServicePlan, ...]
    waves: tuple[tuple[str, ...], ...]
    redeploy: tuple[str, ...] = Field(
        default=(), description="Services that call each other in a circle: their first tasks knew too few names"
    )
    edges: tuple[EdgePlan, ...]
    edges_climb: Literal["one_by_one", "together"] = Field(
        default="one_by_one", description="In the order above, or all at the same time; they go back together anyway"
    )
    gaps: tuple[Gap, ...] = ()
    not_migrated: tuple[NotMigrated, ...] = ()
    outside_names: tuple[OutsideName, ...] = ()
    ledger: Ledger = Ledger()
    alarms: tuple[str, ...] = Field(default=(), description="The operator's own alarms, by name")
    proxy_logs: LogPlan
    bounds: Bounds = Bounds()
    judging: Literal["acts", "shadow"] = Field(
        default="acts", description="In shadow the judge only records; rungs are left when their soak is over"
    )
    timings: Timings = Timings()
    approvals: Approvals = Approvals()
    retirement: Retirement = Retirement()

    @model_validator(mode="after")
    def _redeploys_its_own(self) -> MigrationPlan:
        unknown = set(self.redeploy) - {service.name for service in self.services}
        if unknown:
            raise ValueError(f"redeploy names {', '.join(sorted(unknown))}, which is no service of the plan")
        return self

    def open_blocking_gaps(self) -> tuple[Gap, ...]:
        """Return the blocking gaps that nobody has accepted."""
        return tuple(g for g in self.gaps if g.severity is Severity.BLOCKING and g.accepted is None)

    def unready(self) -> str | None:
        """Return why nothing can be migrated by this plan whatever is accepted; None where something can."""
        if not self.services:
            return "it holds nothing to migrate"
        guessed = [each.name for each in self.services if each.blue.is_assumed]
        if guessed:
            return f"no source held the ECS services of {', '.join(guessed)}; draw it again with the one that does"
        return None

    def service(self, name: str) -> ServicePlan:
        """Return the service of this name; KeyError if the plan has none."""
        return {service.name: service for service in self.services}[name]

    def edge(self, name: str) -> EdgePlan:
        """Return the edge of this name; KeyError if the plan has none."""
        return {edge.name: edge for edge in self.edges}[name]

    def to_json(self) -> str:
        """Return the document as stored: keys in the model's order, two spaces, one newline at the end."""
        return json.dumps(self.model_dump(mode="json", by_alias=True), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> MigrationPlan:
        """Parse a stored document; pydantic's ValidationError names the field that is wrong."""
        return cls.model_validate_json(text)


def digest(document: str | bytes) -> str:
    """Return the SHA-256 of a plan as stored, in hex; the name by which an execution asks for it."""
    raw = document.encode() if isinstance(document, str) else document
    return hashlib.sha256(raw).hexdigest()


def schema() -> str:
    """Return the JSON schema of a plan as stored, for `docs/plan.schema.json`."""
    made = MigrationPlan.model_json_schema(mode="serialization")
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A plan of Crossfade, schema 1"}
    return (
        json.dumps({**head, **{key: made[key] for key in made if key != "title"}}, indent=2, ensure_ascii=False) + "\n"
    )
