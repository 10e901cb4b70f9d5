"""An edge in the plan: what divides users between blue and green there, and the rungs green climbs."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field, computed_field, model_validator

from crossfade.frozen import BasisPoints, Frozen, Seconds
from crossfade.plan.services import TargetGroupRef, said_once

EdgeKind = Literal["alb", "nlb", "route53", "cloudfront"]

_DIVIDED_BY: dict[EdgeKind, str] = {"alb": "rules", "nlb": "rules", "route53": "dns", "cloudfront": "cdn"}
_ALL_BP = 10_000
_MOST_STAGED_BP = 1_500  # CloudFront sends no more to a staging distribution
_ADDRESS = r"^https?://[^\s/?#@]+(/[^\s#]*)?$"


class RuleRef(Frozen):
    """A listener's default action (`priority` "default") or one of its rules."""

    load_balancer: str
    listener_port: int
    priority: str


class RecordRef(Frozen):
    """
    A record set that leads users to blue.

    `green_values` is what green's record answers where blue's holds addresses; an alias
    and a CNAME lead to green's load balancer. `set_identifier` names blue's record where
    it is one of several weighted ones that do not name a load balancer.
    """

    name: str
    type: Literal["A", "AAAA", "CNAME"]
    set_identifier: str | None = None
    green_values: tuple[str, ...] = ()


class DnsRef(Frozen):
    """
    The records of one hosted zone that lead to blue, and the load balancer before green.

    A public and a private zone are two edges.
    """

    zone_id: str = Field(pattern=r"^[A-Z0-9]{1,32}$")
    records: tuple[RecordRef, ...] = Field(min_length=1)
    green_load_balancer: str


class Session(Frozen):
    """How long CloudFront keeps a viewer on the side it first met; only while a weight holds."""

    idle_seconds: int = Field(ge=300, le=3_600)
    longest_seconds: int = Field(ge=300, le=3_600)

    @model_validator(mode="after")
    def _idles_no_longer_than_it_lasts(self) -> Session:
        if self.idle_seconds > self.longest_seconds:
            raise ValueError(f"a session idles for {self.idle_seconds} s and lasts {self.longest_seconds} s")
        return self


class CdnRef(Frozen):
    """
    The distribution whose origin leads to blue, and where green's leads.

    `green_domain` is the name CloudFront shall dial, which green's load balancer must
    answer to with a certificate for it.
    """

    distribution_id: str = Field(pattern=r"^[A-Z0-9]{1,32}$")
    origin_id: str
    green_domain: str
    green_load_balancer: str
    session: Session | None = None


class DetourRef(Frozen):
    """
    A target group beside green's, on green's own load balancer, by which a rollback leads users to blue in seconds.

    Crossfade makes it, with blue's targets in it, and removes it when it is of no use any more.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?$")


class RungKind(StrEnum):
    """CLIMB and BAKE are judged against live blue; WATCH holds 100 % on the SLO alone."""

    CLIMB = "climb"
    BAKE = "bake"
    WATCH = "watch"


class Rung(Frozen):
    """A share of green and how long it must at least be held and found healthy."""

    share_bp: BasisPoints
    soak_seconds: Seconds
    kind: RungKind = RungKind.CLIMB


class Probe(Frozen):
    """
    Requests of our own to green's entry, sent at a look while users have sent fewer than `minimum_requests`.

    `url` must lead to green and to nobody else, and be safe to GET: green's own load balancer
    where the edge has one, else a listener or rule that the operator makes for it.

    `staging_url` is an address of a cloudfront edge's distribution itself, as users know it. It is
    asked with the policy's header before green has any share, and at no look: later it leads
    to blue as well.
    """

    url: str = Field(pattern=_ADDRESS)
    headers: dict[str, str] = Field(default_factory=dict, description="Host among them, where the entry needs one")
    per_look: int = Field(default=5, ge=1, le=20)
    timeout_seconds: float = Field(default=2.0, gt=0, le=5)
    staging_url: str | None = Field(
        default=None,
        pattern=_ADDRESS,
        description="Asked before the first share, so that staging answers",
        exclude_if=lambda url: url is None,
    )


class EdgePlan(Frozen):
    """
    Every listener, rule or record that leads users to blue, shifted as one.

    Blue and green are target groups in every kind, since it is they whose health and
    answers count; `rules` (alb, nlb), `dns` (route53) or `cdn` (cloudfront) say where
    users are divided.
    """

    name: str
    kind: EdgeKind
    service: str
    blue: TargetGroupRef
    green: TargetGroupRef
    rules: tuple[RuleRef, ...] = ()
    ladder: tuple[Rung, ...]
    control_share_bp: BasisPoints = 9_500
    ceiling_bp: BasisPoints = 10_000
    settle_seconds: Seconds = 30
    dns: DnsRef | None = Field(default=None, exclude_if=lambda dns: dns is None)
    cdn: CdnRef | None = Field(default=None, exclude_if=lambda cdn: cdn is None)
    probe: Probe | None = Field(default=None, exclude_if=lambda probe: probe is None)
    detour: DetourRef | None = Field(
        default=None,
        description="The fast way back, where green has a load balancer of its own",
        exclude_if=lambda detour: detour is None,
    )
    reached_by: tuple[str, ...] = Field(
        default=(),
        description="Names and distributions that lead users to it, and go on doing so",
        exclude_if=lambda reached_by: not reached_by,
    )

    @model_validator(mode="after")
    def _names_where_users_are_divided(self) -> EdgePlan:
        named = {"rules": bool(self.rules), "dns": self.dns is not None, "cdn": self.cdn is not None}
        needed = _DIVIDED_BY[self.kind]
        if named != {each: each == needed for each in named}:
            raise ValueError(f"edge {self.name}: a {self.kind} edge is described by {needed}, and by nothing else")
        return self

    @model_validator(mode="after")
    def _has_a_balancer_for_its_detour(self) -> EdgePlan:
        if self.detour is not None and self.rules:
            raise ValueError(
                f"edge {self.name}: its own rules are the fastest way back, a detour is for route53 and cloudfront"
            )
        if self.detour is not None and self.detour.name in {self.blue.name, self.green.name}:
            raise ValueError(f"edge {self.name}: the detour needs a target group of its own")
        return self

    @model_validator(mode="after")
    def _has_staging_to_ask(self) -> EdgePlan:
        if self.cdn is None and self.probe is not None and self.probe.staging_url is not None:
            raise ValueError(f"edge {self.name}: `staging_url` is for cloudfront, a {self.kind} edge has no staging")
        return self

    @model_validator(mode="before")
    @classmethod
    def _said_twice(cls, data: Any) -> Any:
        return said_once(data, entry=data.get("service") if isinstance(data, dict) else None, load_balancer=None)

    @computed_field(description="The plan's name of the service users reach first, as `service` has it")  # type: ignore[prop-decorator]
    @property
    def entry(self) -> str:
        """The service users reach first."""
        return self.service

    @computed_field(description="The load balancer at the door, where there is one")  # type: ignore[prop-decorator]
    @property
    def load_balancer(self) -> str | None:
        """The load balancer of the edge's rules."""
        return next((rule.load_balancer for rule in self.rules), None)

    @model_validator(mode="after")
    def _climbs_as_cloudfront_can(self) -> EdgePlan:
        shares = [rung.share_bp for rung in self.ladder]
        off = [share for share in shares if share % 100 or _MOST_STAGED_BP < share < _ALL_BP]
        if self.kind == "cloudfront" and off:
            raise ValueError(f"edge {self.name}: CloudFront holds whole percents up to 15, then all; not {off}")
        return self

    @model_validator(mode="after")
    def _climbs(self) -> EdgePlan:
        shares = [rung.share_bp for rung in self.ladder]
        if shares != sorted(set(shares)) or not shares or shares[0] == 0:
            raise ValueError(f"edge {self.name}: the ladder's shares must rise from above 0; they are {shares}")
        return self
