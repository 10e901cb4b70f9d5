"""
Edges as the journal remembers them: what a plan's names resolved to, and the way back from wherever they are.

The state machines read these from the table too: their fields' names are an interface, as those of `journal.model`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Discriminator, Field, Tag, model_validator

from crossfade.frozen import BasisPoints, Frozen, Seconds
from crossfade.plan.edges import EdgeKind, Session


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
