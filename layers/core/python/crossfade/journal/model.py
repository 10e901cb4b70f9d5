"""
What the journal remembers of a migration.

These are also what the state machines read straight from the table, so the names of
the fields are an interface: see `journal/dynamodb.py` for keys and attributes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Protocol, Self

from pydantic import AwareDatetime, Discriminator, Field, Tag, field_validator, model_validator

from crossfade.frozen import BasisPoints, Frozen, Seconds
from crossfade.journal.plainly import plainly
from crossfade.phases import Phase
from crossfade.plan.edges import EdgeKind, Session
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


class StoredRequest(Frozen):
    """
    A call by `aws-sdk:<service>:<action>` that puts one rule, one zone's records or one distribution back.

    Kept so that a state machine can send it when Lambda is throttled. What only the moment
    knows, the machine reads before: the configuration and the ETag of `updateDistribution`
    (`OriginId` shall lead to `DomainName` again) and of `updateContinuousDeploymentPolicy`
    (which is switched off), and the targets of `deregisterTargets`, which is sent once
    nothing leads to them any more.
    """

    service: Literal["elasticloadbalancingv2", "route53", "cloudfront"] = "elasticloadbalancingv2"
    action: Literal[
        "modifyRule",
        "modifyListener",
        "deregisterTargets",
        "changeResourceRecordSets",
        "updateDistribution",
        "updateContinuousDeploymentPolicy",
    ]
    arguments: dict[str, Any] = Field(description="Members in Step Functions' case: PascalCase, acronyms as words")
    behind: str | None = Field(
        default=None,
        description="A target group that must have a healthy target, or the call is not sent",
        exclude_if=lambda behind: behind is None,
    )


class AlbRule(Frozen):
    """A rule that led to blue when the migration opened; a listener's ARN when `is_default`."""

    arn: str
    is_default: bool
    found_actions: tuple[dict[str, Any], ...] = Field(description="The whole list, as AWS answered it")


def is_network(load_balancer_arn: str) -> bool:
    """Return whether a load balancer divides flows, by its ARN."""
    return ":loadbalancer/net/" in load_balancer_arn


class Detour(Frozen):
    """
    The fast way back where green has a load balancer of its own: in its rules, a target group with blue's targets.

    `copied` where it is a copy that Crossfade makes, since a target group belongs to one load
    balancer; blue's own where blue is on the same. `arn` is unknown until it is made. `rules`
    are those that lead to green, as they were found. `hindered` says why there can be none.
    """

    name: str
    copied: bool
    arn: str | None = None
    rules: tuple[AlbRule, ...] = ()
    hindered: str = ""


class _Ends(Frozen):
    """An edge's two ends: target groups, and the load balancers before them; green's is unknown until it is made."""

    load_balancer_arn: str
    blue_arn: str
    green_arn: str | None = None
    detour: Detour | None = Field(default=None, exclude_if=lambda detour: detour is None)

    @property
    def green_balancer_arn(self) -> str:
        """Return the load balancer before green: blue's own, unless the kind of edge says otherwise."""
        return self.load_balancer_arn

    @property
    def leaves_behind(self) -> bool:
        """Return whether something made for green alone stands before this edge, to be cleared away in the end."""
        return False

    @property
    def counts_requests(self) -> bool:
        """
        Return whether AWS counts requests by target group here, so that green can be compared with live blue.

        A Network Load Balancer does not, whatever lies before it: it sees flows.
        """
        return not any(is_network(arn) for arn in (self.load_balancer_arn, self.green_balancer_arn))

    @property
    def may_idle(self) -> str:
        """Return why green may be sent nothing although it holds a share; empty where that is not so."""
        return ""

    @property
    def distributions(self) -> tuple[str, str] | None:
        """Return the distributions that lead users to green: while it holds a part, and when it holds all."""
        return None


class AlbEdge(_Ends):
    """Listeners and rules of one Application Load Balancer, by ARN."""

    kind: Literal["alb"] = "alb"
    rules: tuple[AlbRule, ...]
    green_health_path: str | None = Field(default=None, description="Where green's check must not be blue's")


class NlbEdge(_Ends):
    """Listeners of one Network Load Balancer, by ARN."""

    kind: Literal["nlb"] = "nlb"
    rules: tuple[AlbRule, ...]
    green_health_path: str | None = Field(default=None, description="Where green's check must not be blue's")

    @property
    def counts_requests(self) -> bool:
        """Return that it does not: it sees flows, and counts them by load balancer."""
        return False


class Route53Record(Frozen):
    """
    A record set of one name and type that led to blue when the migration opened.

    `found` is blue's record as Route 53 answered it, simple or weighted; `green` is what
    green's will be, but for its weight. Both in the API's own spelling.
    """

    zone_id: str
    name: str
    type: str
    found: dict[str, Any]
    blue_identifier: str
    green: dict[str, Any]

    @property
    def arn(self) -> str:
        """Return what stands for the record where ownership is kept; AWS gives records no ARN."""
        return f"arn:aws:route53:::hostedzone/{self.zone_id}/{self.type}/{self.name}"


class Route53Edge(_Ends):
    """Records of one hosted zone, that lead to blue's load balancer or to green's."""

    kind: Literal["route53"] = "route53"
    zone_id: str
    green_load_balancer_arn: str
    rules: tuple[Route53Record, ...]

    @property
    def green_balancer_arn(self) -> str:
        """Return green's own load balancer."""
        return self.green_load_balancer_arn


class Distribution(Frozen):
    """A distribution that led to blue when the migration opened, with its whole configuration then."""

    id: str
    arn: str
    found: dict[str, Any] = Field(description="DistributionConfig as CloudFront answered it, without a policy")


class CloudFrontEdge(_Ends):
    """An origin of one distribution; staging and policy are unknown until they are made."""

    kind: Literal["cloudfront"] = "cloudfront"
    green_load_balancer_arn: str
    origin_id: str
    green_domain: str
    session: Session | None = None
    staging_id: str | None = None
    policy_id: str | None = None
    rules: tuple[Distribution, ...] = Field(min_length=1, max_length=1, description="An edge is one distribution")

    @property
    def green_balancer_arn(self) -> str:
        """Return green's own load balancer."""
        return self.green_load_balancer_arn

    @property
    def distributions(self) -> tuple[str, str] | None:
        """Return the staging distribution, and the primary, which a promotion makes green's."""
        return None if self.staging_id is None else (self.staging_id, self.rules[0].id)

    @property
    def may_idle(self) -> str:
        """Return why green may be sent nothing although it holds a share."""
        return "CloudFront may be sending every request to the primary, as it does when it is busy"

    @property
    def leaves_behind(self) -> bool:
        """Return that a staging distribution and its policy may be there, known by their ids or not yet."""
        return True


def _kind(resolved: Any) -> str:
    found = resolved.get("kind", "alb") if isinstance(resolved, dict) else resolved.kind  # once there was one kind
    return str(found)


ResolvedEdge = Annotated[
    Annotated[AlbEdge, Tag("alb")]
    | Annotated[NlbEdge, Tag("nlb")]
    | Annotated[Route53Edge, Tag("route53")]
    | Annotated[CloudFrontEdge, Tag("cloudfront")],
    Discriminator(_kind),
]
"""An edge's names resolved to what a live account knows."""


class FoundEdge(Frozen):
    """
    An edge as found in AWS, with the way back from wherever it is taken.

    `asked_bp` is the share last asked for, `held_bp` the share last read back after
    asking: what the edge holds now is read from AWS, these say what we expect there.
    `change` names the last change sent, where AWS says by such a name whether it has spread.
    `blue_since` is when a rollback was confirmed for every user that asks anew.
    """

    name: str
    kind: EdgeKind = "alb"
    resolved: ResolvedEdge
    way_back: tuple[StoredRequest, ...]
    ceiling_bp: BasisPoints = 10_000
    settle_seconds: Seconds = 30
    asked_bp: BasisPoints = 0
    held_bp: BasisPoints = 0
    change: str | None = None
    blue_since: AwareDatetime | None = None

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Self:
        if self.kind != self.resolved.kind:
            raise ValueError(f"edge {self.name}: {self.kind} is said and {self.resolved.kind} was found")
        return self

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
