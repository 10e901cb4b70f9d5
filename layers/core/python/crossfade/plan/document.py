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
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, computed_field, model_validator

from crossfade.frozen import Frozen

BasisPoints = Annotated[int, Field(ge=0, le=10_000)]
Seconds = Annotated[int, Field(ge=0)]


_ALL_BP = 10_000
_ADDRESS = r"^https?://[^\s/?#@]+(/[^\s#]*)?$"
_MOST_STAGED_BP = 1_500  # CloudFront sends no more to a staging distribution


def _once(data: Any, **said: object) -> Any:
    """Drop from `data` what a plan says a second time for its readers; one that differs from `said` is refused."""
    if not isinstance(data, dict):
        return data
    for name, value in said.items():
        if name in data and value is not None and data[name] != value:
            raise ValueError(f"{name} is {data[name]!r} and elsewhere in the same object {value!r}")
    return {key: value for key, value in data.items() if key not in said}


class Role(StrEnum):
    """A service's part in Service Connect. The API knows no "server"; its proxy is a client too."""

    CLIENT = "client"
    SERVER = "server"
    CLIENT_SERVER = "client-server"


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


class Timeout(Frozen):
    """Service Connect's two timeouts, in seconds; None leaves AWS's default, 0 switches it off."""

    idle_seconds: Seconds | None = None
    per_request_seconds: Seconds | None = None


class ClientAlias(Frozen):
    """A name and port that callers dial."""

    dns_name: str
    port: int


class Tls(Frozen):
    """
    Encryption between Service Connect's proxies, with certificates of an AWS Private CA.

    `role_arn` is the infrastructure role ECS issues them with, `kms_key` a symmetric key
    for their private keys; None leaves AWS's own.
    """

    authority_arn: str
    role_arn: str | None = None
    kms_key: str | None = None


class Endpoint(Frozen):
    """
    One entry of `serviceConnectConfiguration.services`.

    `client_alias` is what callers dial today, to the letter, so that no application
    changes; `container_port` is where the task listens.
    """

    port_name: str
    container: str | None = Field(default=None, description="Container behind the port")
    container_port: int
    discovery_name: str
    client_alias: ClientAlias
    app_protocol: Literal["http", "http2", "grpc"] | None = Field(description="None is plain TCP")
    timeout: Timeout | None = Field(default=None, description="None leaves both of AWS's defaults")
    tls: Tls | None = Field(default=None, description="None is plain text between the proxies")

    @model_validator(mode="before")
    @classmethod
    def _as_drawn_before(cls, data: Any) -> Any:
        """Take a plan whose endpoints say `dns_name` and `port` themselves."""
        if not isinstance(data, dict) or "client_alias" in data or "dns_name" not in data:
            return data
        rest = {key: value for key, value in data.items() if key not in ("dns_name", "port")}
        return {**rest, "client_alias": {"dns_name": data["dns_name"], "port": data.get("port")}}

    @property
    def dns_name(self) -> str:
        """The name callers dial."""
        return self.client_alias.dns_name

    @property
    def port(self) -> int:
        """The port callers dial."""
        return self.client_alias.port


class Call(Frozen):
    """A backend that a service dials: the name and port it uses, and the service behind it."""

    dns_name: str
    port: int
    service: str | None = Field(description="The plan's name of the callee; None when it lies outside ECS")


class PortName(Frozen):
    """A container port that gets a name, as Service Connect needs."""

    container: str
    container_port: int
    name: str
    app_protocol: Literal["http", "http2", "grpc"] | None


class TaskDefinitionChange(Frozen):
    """
    What turns blue's task definition into green's; everything else stays to the letter.

    Applied by `connect.taskdef.rewrite` to the task definition that blue runs when the
    migration creates green, so that images, roles and secrets are blue's own.
    """

    family: str
    remove_containers: tuple[str, ...] = ()
    remove_proxy_configuration: bool = False
    remove_environment: tuple[str, ...] = Field(default=(), description="Names, in every container left")
    name_ports: tuple[PortName, ...] = ()
    health_checks: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="Container -> ECS healthCheck, where blue has none"
    )
    cpu: str | None = Field(default=None, description="Task CPU units; None keeps blue's")
    memory: str | None = Field(default=None, description="Task memory in MiB; None keeps blue's")


class TargetHealthCheck(Frozen):
    """What green's target group asks instead of blue's question: a path, on the port that takes traffic."""

    path: str


class TargetGroupRef(Frozen):
    """
    A target group by name; the ARN where the source knows it. `health_check` only where green's must differ.

    A container and its port only for green's of a service that answers several of them on several ports.
    """

    name: str
    arn: str | None = None
    health_check: TargetHealthCheck | None = None
    container_name: str | None = Field(default=None, exclude_if=lambda name: name is None)
    container_port: int | None = Field(default=None, exclude_if=lambda port: port is None)


class GreenService(Frozen):
    """The ECS service to create beside blue. What is not said here is copied from blue."""

    service_name: str
    task_definition: TaskDefinitionChange
    desired_count: int = Field(ge=0)
    health_check_grace_seconds: Seconds = 0
    target_group: TargetGroupRef | None = Field(default=None, description="Green's own, at the edge")
    container_name: str | None = Field(default=None, description="Container behind the target group")
    container_port: int | None = None


class BlueService(Frozen):
    """The ECS service as it runs today."""

    service_name: str
    task_definition: str = Field(description="Family, as the source names it")
    desired_count: int = Field(ge=0)
    target_group: TargetGroupRef | None = None
    virtual_node: str | None = None
    is_assumed: bool = Field(
        default=False,
        description="No source holds it: its name is its virtual node's, its count a guess, and nobody migrates by it",
        exclude_if=lambda is_assumed: not is_assumed,
    )


class BackgroundAnswer(StrEnum):
    """What green does with work that no request brings: share it with blue, or wait at zero tasks."""

    SHARE = "share"
    CREATE_AT_ZERO = "create_at_zero"


class BackgroundWork(Frozen):
    """
    Work that no request brings, why it is believed to be there, and what green does about it.

    Green works as soon as it runs, beside blue. `answer` is None until a person has given one.
    """

    why: str
    answer: BackgroundAnswer | None = None


class ServicePlan(Frozen):
    """One ECS service and its green twin."""

    name: str
    role: Role
    blue: BlueService
    green: GreenService
    endpoints: tuple[Endpoint, ...] = ()
    calls: tuple[Call, ...] = ()
    background: BackgroundWork | None = Field(default=None, description="None where requests bring all the work")

    @model_validator(mode="before")
    @classmethod
    def _said_twice(cls, data: Any) -> Any:
        blue = data.get("blue") if isinstance(data, dict) else None
        said = blue if isinstance(blue, dict) else {}
        name = None if said.get("is_assumed") else said.get("service_name")
        return _once(data, ecs_service=name, virtual_node=said.get("virtual_node"))

    @computed_field(description="Blue's, as `blue.service_name` has it; None where no source holds it")  # type: ignore[prop-decorator]
    @property
    def ecs_service(self) -> str | None:
        """Blue's name in ECS, None where it was taken for granted."""
        return None if self.blue.is_assumed else self.blue.service_name

    @computed_field(description="As `blue.virtual_node` has it")  # type: ignore[prop-decorator]
    @property
    def virtual_node(self) -> str | None:
        """The part blue plays in the mesh."""
        return self.blue.virtual_node


EdgeKind = Literal["alb", "nlb", "route53", "cloudfront"]

_DIVIDED_BY: dict[EdgeKind, str] = {"alb": "rules", "nlb": "rules", "route53": "dns", "cloudfront": "cdn"}


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
        return _once(data, entry=data.get("service") if isinstance(data, dict) else None, load_balancer=None)

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
