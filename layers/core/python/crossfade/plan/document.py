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

from pydantic import BaseModel, ConfigDict, Field, model_validator

BasisPoints = Annotated[int, Field(ge=0, le=10_000)]
Seconds = Annotated[int, Field(ge=0)]


class Frozen(BaseModel):
    """Ours: immutable, and an unknown field is an error rather than a loss."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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


class Endpoint(Frozen):
    """
    One entry of `serviceConnectConfiguration.services`.

    `dns_name` and `port` are what callers dial today, to the letter, so that no
    application changes; `container_port` is where the task listens.
    """

    port_name: str
    container_port: int
    discovery_name: str
    dns_name: str
    port: int
    app_protocol: Literal["http", "http2", "grpc"] | None = Field(description="None is plain TCP")
    timeout: Timeout = Timeout()


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


class TargetGroupRef(Frozen):
    """A target group by name; the ARN where the source knows it."""

    name: str
    arn: str | None = None


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


class ServicePlan(Frozen):
    """One ECS service and its green twin."""

    name: str
    role: Role
    blue: BlueService
    green: GreenService
    endpoints: tuple[Endpoint, ...] = ()
    calls: tuple[Call, ...] = ()


class RuleRef(Frozen):
    """A listener's default action (`priority` "default") or one of its rules."""

    load_balancer: str
    listener_port: int
    priority: str


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


class EdgePlan(Frozen):
    """Every listener or rule that leads users to blue, shifted as one."""

    name: str
    kind: Literal["alb"]
    service: str
    blue: TargetGroupRef
    green: TargetGroupRef
    rules: tuple[RuleRef, ...]
    ladder: tuple[Rung, ...]
    control_share_bp: BasisPoints = 9_500
    ceiling_bp: BasisPoints = 10_000
    settle_seconds: Seconds = 30

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
    """

    minimum_requests: int = Field(default=200, ge=1)
    tolerance: float = Field(default=0.01, gt=0, lt=1)
    alpha: float = Field(default=0.001, gt=0, lt=1)
    slo_error_rate: float = Field(default=0.02, gt=0, lt=1, description="Errors allowed where blue is no live control")
    lost_data_seconds: Seconds = Field(default=900, description="Hold this long without data, then roll back")


class Timings(Frozen):
    """Every duration the state machines use. A rehearsal divides them by one factor."""

    period_seconds: int = Field(default=60, ge=1, description="Metric bucket; below 60 only in a rehearsal")
    metric_lag_seconds: Seconds = Field(default=60, description="A bucket is complete this long after its end")
    look_seconds: int = Field(default=10, ge=1, description="Between looks at first; slows to six and thirty times")
    create_heartbeat_seconds: int = Field(default=120, ge=1, description="No event for this long: read ECS instead")
    create_deadline_seconds: int = Field(default=1_800, ge=1)
    confirm_seconds: Seconds = Field(default=60, description="Between the two confirmations of a rollback")
    restore_retry_seconds: int = Field(default=10, ge=1, description="Between restores; slows to thirty times")


class LogPlan(Frozen):
    """Where green's proxies write their log: the Service Connect `logConfiguration`."""

    group: str
    stream_prefix: str


class NamespacePlan(Frozen):
    """Green's Cloud Map namespace. Made by the migration when `arn` is None."""

    name: str
    arn: str | None = None


class MigrationPlan(Frozen):
    """One application's move, complete. See the module docstring."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(default=1, alias="schema")
    migration: str = Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")
    drawn_at: datetime
    drawn_by: str = Field(description="crossfade and its version")
    sources: tuple[SourceFile, ...]
    region: str | None = None
    cluster: str
    mesh: str | None = None
    namespace: NamespacePlan
    services: tuple[ServicePlan, ...]
    waves: tuple[tuple[str, ...], ...]
    edges: tuple[EdgePlan, ...]
    gaps: tuple[Gap, ...] = ()
    alarms: tuple[str, ...] = Field(default=(), description="The operator's own alarms, by name")
    proxy_logs: LogPlan
    bounds: Bounds = Bounds()
    timings: Timings = Timings()

    def open_blocking_gaps(self) -> tuple[Gap, ...]:
        """Return the blocking gaps that nobody has accepted."""
        return tuple(g for g in self.gaps if g.severity is Severity.BLOCKING and g.accepted is None)

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
