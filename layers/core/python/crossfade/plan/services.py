"""A service in the plan: blue as it runs, its green twin, what it offers and whom it calls."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field, computed_field, model_validator

from crossfade.frozen import Frozen, Seconds


def said_once(data: Any, **said: object) -> Any:
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
        return said_once(data, ecs_service=name, virtual_node=said.get("virtual_node"))

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
