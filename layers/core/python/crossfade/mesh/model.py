"""
What the sources say: the mesh and the ECS side around it, as found.

Every reader (CloudFormation, dumps, Terraform, a live account) produces this one model, so
the drawing of a plan knows no format. App Mesh resources keep their whole `spec` in the
API's own shape (lowerCamel keys) beside the few fields the translation reads, so that a
field nobody reads can still be reported by `connect.fields`; nothing is dropped in silence.

A text may hold `${…}` where files alone cannot know it, such as a generated name; `Found.unknown`
says why, and a plan that would need it is refused with that sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Final, TypeVar

from crossfade.errors import BadInput

Spec = Mapping[str, object]
"""A resource's specification in the API's shape, intrinsics resolved."""

_HOLE: Final = re.compile(r"\$\{[^}]*\}|\{\{resolve:[^}]*\}\}")
_ENVOY_IMAGE: Final = "aws-appmesh-envoy"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the sources something was read: a file and a path inside it."""

    file: str
    path: str

    def __str__(self) -> str:
        return f"{self.file}: {self.path}"


@dataclass(frozen=True, slots=True)
class Beside:
    """
    What a source says of an App Mesh resource beside its specification: names, owner, tags, ARN, times.

    `owner` is the account whose mesh it is, where that is another one than the resource's own.
    """

    said: Spec = field(default_factory=dict)
    owner: str | None = None


class Protocol(StrEnum):
    """What a mesh listener speaks."""

    HTTP = "http"
    HTTP2 = "http2"
    GRPC = "grpc"
    TCP = "tcp"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """A listener's or route's timeouts in seconds; None where nothing is said, 0 for none at all."""

    per_request_seconds: float | None = None
    idle_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """A virtual node's own health check, done by its Envoy."""

    protocol: Protocol
    path: str | None
    interval_millis: int | None
    timeout_millis: int | None
    healthy_threshold: int | None
    unhealthy_threshold: int | None


@dataclass(frozen=True, slots=True)
class OutlierDetection:
    """When callers leave a host alone; durations in seconds."""

    max_server_errors: int
    interval_seconds: float
    base_ejection_seconds: float
    max_ejection_percent: int


@dataclass(frozen=True, slots=True)
class Listener:
    """A port on which a virtual node is reached."""

    port: int
    protocol: Protocol
    timeouts: Timeouts = Timeouts()
    health_check: HealthCheck | None = None
    outlier_detection: OutlierDetection | None = None
    pool: Spec | None = None
    tls: Spec | None = None


@dataclass(frozen=True, slots=True)
class VirtualNode:
    """
    A group of tasks, or something outside ECS, that calls and is called.

    `host` is the DNS name its tasks are registered under: a Cloud Map service and its
    namespace, or the DNS hostname of the node.
    """

    name: str
    mesh: str
    listeners: tuple[Listener, ...]
    backends: tuple[str, ...]
    host: str | None
    cloud_map_service: str | None
    cloud_map_namespace: str | None
    spec: Spec
    place: Place
    beside: Beside = Beside()


@dataclass(frozen=True, slots=True)
class VirtualRouter:
    """A name behind which routes divide requests; its ports are the ones callers dial."""

    name: str
    mesh: str
    ports: tuple[tuple[int, Protocol], ...]
    spec: Spec
    place: Place
    beside: Beside = Beside()


@dataclass(frozen=True, slots=True)
class WeightedTarget:
    """A virtual node to which a route sends part of its requests; `port` where the route names one."""

    node: str
    weight: int
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """One rule of a router. `match` is the API's; a lower `priority` wins, None comes last."""

    name: str
    router: str
    mesh: str
    protocol: Protocol
    priority: int | None
    match: Spec
    targets: tuple[WeightedTarget, ...]
    timeouts: Timeouts
    retry: Spec | None
    spec: Spec
    place: Place
    beside: Beside = Beside()

    @property
    def catches_all(self) -> bool:
        """Whether every request the router receives matches."""
        said = {key: value for key, value in self.match.items() if value not in (None, [], {})}
        prefix = said.pop("prefix", "/")
        return prefix == "/" and not said


@dataclass(frozen=True, slots=True)
class VirtualService:
    """A name that callers dial, and the node or router behind it (neither when it leads nowhere)."""

    name: str
    mesh: str
    node: str | None
    router: str | None
    spec: Spec
    place: Place
    beside: Beside = Beside()


@dataclass(frozen=True, slots=True)
class VirtualGateway:
    """An Envoy at the mesh's border that lets requests in."""

    name: str
    mesh: str
    spec: Spec
    place: Place
    beside: Beside = Beside()


@dataclass(frozen=True, slots=True)
class GatewayRoute:
    """One rule of a virtual gateway."""

    name: str
    gateway: str
    mesh: str
    virtual_service: str | None
    spec: Spec
    place: Place
    beside: Beside = Beside()


class Origin(StrEnum):
    """
    Where the knowledge of a mesh comes from.

    DEFINED is App Mesh's own definition. REBUILT is what ECS task definitions and Cloud Map say of one that can no
    longer be described. NONE is no App Mesh mesh at all, but plain ECS services that call each other.
    """

    DEFINED = "defined"
    REBUILT = "rebuilt"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Mesh:
    """One App Mesh mesh. `egress` is ALLOW_ALL or DROP_ALL, the latter when nothing is said."""

    name: str
    egress: str
    spec: Spec
    place: Place
    origin: Origin = Origin.DEFINED
    beside: Beside = Beside()


@dataclass(frozen=True, slots=True)
class Container:
    """
    One container of a task definition, as far as a plan needs it.

    `memory_mib` is its limit or what it reserves, `memory_limit_mib` the limit alone; `tied_to` are the containers it
    depends on or links to.
    """

    name: str
    image: str
    essential: bool
    ports: tuple[int, ...]
    port_names: Mapping[int, str]
    environment: Mapping[str, str]
    has_health_check: bool
    memory_mib: int | None
    cpu: int = 0
    memory_limit_mib: int | None = None
    tied_to: tuple[str, ...] = ()

    @property
    def mesh_resource(self) -> str | None:
        """The App Mesh resource this container is the Envoy of: `mesh/NAME/virtualNode/NAME`, or an older form."""
        for name in ("APPMESH_RESOURCE_ARN", "APPMESH_RESOURCE_NAME", "APPMESH_VIRTUAL_NODE_NAME"):
            if self.environment.get(name):
                return self.environment[name]
        return None


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    """
    A task definition.

    `app_ports` are the ones App Mesh's proxyConfiguration says the application serves, `proxy_properties` all it says;
    `launch_types` are what it requires compatibility with. One that `is_assumed` is in no source (see `mesh.assumed`).
    """

    family: str
    containers: tuple[Container, ...]
    proxy_container: str | None
    app_ports: tuple[int, ...]
    network_mode: str | None
    memory: str | None
    place: Place
    cpu: str | None = None
    os_family: str | None = None
    launch_types: tuple[str, ...] = ()
    proxy_properties: Mapping[str, str] = field(default_factory=dict)
    is_assumed: bool = False

    def container(self, name: str) -> Container | None:
        """Return the container of this name."""
        return next((each for each in self.containers if each.name == name), None)

    def proxies(self) -> frozenset[str]:
        """Return the names of the containers that are App Mesh's Envoy."""
        return frozenset(
            each.name
            for each in self.containers
            if each.name == self.proxy_container or each.mesh_resource or _ENVOY_IMAGE in each.image
        )

    @property
    def mesh_resource(self) -> str | None:
        """The App Mesh resource whose part these tasks play."""
        return next((each.mesh_resource for each in self.containers if each.mesh_resource), None)


@dataclass(frozen=True, slots=True)
class TargetAttachment:
    """A target group an ECS service registers its tasks in."""

    target_group: str
    container: str | None
    port: int | None


@dataclass(frozen=True, slots=True)
class EcsService:
    """
    An ECS service. `task_definition` is a family; `registries` are Cloud Map service ARNs.

    `plays` is the virtual node its tasks stand for where no Envoy of theirs says so. One that `is_assumed` is in no
    source (see `mesh.assumed`).
    """

    name: str
    cluster: str
    task_definition: str
    desired_count: int
    targets: tuple[TargetAttachment, ...]
    registries: tuple[str, ...]
    grace_seconds: int
    maximum_percent: int
    controller: str
    launch_type: str | None
    has_service_connect: bool
    place: Place
    plays: str | None = None
    is_assumed: bool = False


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """
    A load balancer's target group. `health_port` is a number or `traffic-port`; `speaks` is HTTP1, HTTP2 or GRPC.

    `leads_to` are the load balancers that are its targets, as an Application Load Balancer is behind a network one.
    """

    name: str
    arn: str | None
    port: int | None
    health_path: str | None
    health_port: str | None
    sticky: bool
    place: Place
    protocol: str | None = None
    speaks: str | None = None
    leads_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    """A load balancer; `kind` is application, network or gateway. `full_name` is CloudWatch's dimension."""

    name: str
    kind: str
    full_name: str
    place: Place
    dns_name: str | None = None
    is_internal: bool = False


@dataclass(frozen=True, slots=True)
class ListenerRule:
    """
    A listener's default action (`priority` "default") or one of its rules, and where it forwards to.

    `hosts` and `paths` are the patterns it asks for, `asks` whatever else it looks at and `others` that in full
    (`http-header X-Beta yes`); `weights` are by target group.
    """

    load_balancer: str
    listener_port: int
    priority: str
    target_groups: tuple[str, ...]
    place: Place
    weights: tuple[tuple[str, int], ...] = ()
    hosts: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alarm:
    """A CloudWatch alarm of the operator's own, with every dimension its metrics name."""

    name: str
    dimensions: frozenset[tuple[str, str]]
    place: Place


@dataclass(frozen=True, slots=True)
class CloudMapService:
    """A Cloud Map service of blue's: names that green must not take. `namespace` is an id, `reference` an id or ARN."""

    name: str
    namespace: str | None
    place: Place
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Namespace:
    """A Cloud Map namespace and the id its services name it by."""

    name: str
    reference: str
    place: Place


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """
    A DNS name that stands for another: an alias or CNAME record; names in lower case, without a dot at the end.

    `kind` is A, AAAA or CNAME, `zone` the id of its hosted zone and `identifier` what tells it from others of its name,
    where the source says so.
    """

    name: str
    target: str
    place: Place
    kind: str = ""
    zone: str | None = None
    identifier: str | None = None


@dataclass(frozen=True, slots=True)
class HostedZone:
    """A hosted zone of Route 53: its id, and the domain it answers for."""

    id: str
    name: str
    is_private: bool
    place: Place


@dataclass(frozen=True, slots=True)
class Distribution:
    """A CloudFront distribution: its id, the names users dial, and where each of its origins leads."""

    id: str
    names: tuple[str, ...]
    origins: tuple[tuple[str, str], ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Dependency:
    """A call an operator writes down because no environment shows it: with a port where one is known."""

    caller: str
    name: str
    port: int | None
    place: Place


@dataclass(frozen=True, slots=True)
class Found:
    """
    Everything the sources hold, in the order it was read.

    `unknown` maps each `${…}` that stands for something files cannot know to the sentence
    that says what it is and how to supply it. `notes` are remarks about the reading itself.
    """

    meshes: tuple[Mesh, ...] = ()
    nodes: tuple[VirtualNode, ...] = ()
    routers: tuple[VirtualRouter, ...] = ()
    routes: tuple[Route, ...] = ()
    virtual_services: tuple[VirtualService, ...] = ()
    gateways: tuple[VirtualGateway, ...] = ()
    gateway_routes: tuple[GatewayRoute, ...] = ()
    services: tuple[EcsService, ...] = ()
    task_definitions: tuple[TaskDefinition, ...] = ()
    target_groups: tuple[TargetGroup, ...] = ()
    load_balancers: tuple[LoadBalancer, ...] = ()
    rules: tuple[ListenerRule, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    cloud_map_services: tuple[CloudMapService, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    records: tuple[DnsRecord, ...] = ()
    zones: tuple[HostedZone, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    unknown: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def in_order(self) -> Found:
        """Return this sorted by what each thing is called, so that no plan depends on where it was written."""
        return replace(
            self,
            meshes=_sorted(self.meshes, lambda each: (each.name,)),
            nodes=_sorted(self.nodes, lambda each: (each.mesh, each.name)),
            routers=_sorted(self.routers, lambda each: (each.mesh, each.name)),
            routes=_sorted(self.routes, lambda each: (each.mesh, each.router, each.name)),
            virtual_services=_sorted(self.virtual_services, lambda each: (each.mesh, each.name)),
            gateways=_sorted(self.gateways, lambda each: (each.mesh, each.name)),
            gateway_routes=_sorted(self.gateway_routes, lambda each: (each.mesh, each.gateway, each.name)),
            services=_sorted(self.services, lambda each: (each.cluster, each.name)),
            task_definitions=_sorted(self.task_definitions, lambda each: (each.family,)),
            target_groups=_sorted(self.target_groups, lambda each: (each.name,)),
            load_balancers=_sorted(self.load_balancers, lambda each: (each.name,)),
            rules=_sorted(self.rules, lambda each: (each.load_balancer, f"{each.listener_port:>5}", each.priority)),
            alarms=_sorted(self.alarms, lambda each: (each.name,)),
            cloud_map_services=_sorted(self.cloud_map_services, lambda each: (each.namespace or "", each.name)),
            namespaces=_sorted(self.namespaces, lambda each: (each.name, each.reference)),
            records=_sorted(self.records, lambda each: (each.name, each.target, each.kind, each.zone or "")),
            zones=_sorted(self.zones, lambda each: (each.name, each.id)),
            distributions=_sorted(self.distributions, lambda each: (each.id,)),
        )

    def in_mesh(self, mesh: str) -> Found:
        """Return this with the App Mesh resources of one mesh only."""
        return replace(
            self,
            meshes=tuple(each for each in self.meshes if each.name == mesh),
            nodes=tuple(each for each in self.nodes if each.mesh == mesh),
            routers=tuple(each for each in self.routers if each.mesh == mesh),
            routes=tuple(each for each in self.routes if each.mesh == mesh),
            virtual_services=tuple(each for each in self.virtual_services if each.mesh == mesh),
            gateways=tuple(each for each in self.gateways if each.mesh == mesh),
            gateway_routes=tuple(each for each in self.gateway_routes if each.mesh == mesh),
        )

    def known(self, text: str) -> str:
        """
        Return `text` when files alone know it whole.

        Raises:
            BadInput: a part of it is unknown; the message says how to supply it.
        """
        for hole in _HOLE.findall(text):
            reasons = {each.lower(): why for each, why in self.unknown.items()}  # aliases are in lower case
            raise BadInput(reasons.get(hole.lower(), f"{hole} is not known from files"))
        return text

    def refuse_duplicates(self) -> None:
        """
        Refuse sources that define one thing twice, such as two variants of a template.

        Raises:
            BadInput: names the thing and both places.
        """
        seen: dict[tuple[str, ...], Place] = {}
        for key, place in self._identities():
            if key in seen:
                raise BadInput(f"{' '.join(key)} is defined twice, at {seen[key]} and {place}; give only one of them")
            seen[key] = place

    def _identities(self) -> Iterator[tuple[tuple[str, ...], Place]]:
        yield from ((("mesh", each.name), each.place) for each in self.meshes)
        yield from ((("virtual node", each.mesh, each.name), each.place) for each in self.nodes)
        yield from ((("virtual router", each.mesh, each.name), each.place) for each in self.routers)
        yield from ((("route", each.mesh, each.router, each.name), each.place) for each in self.routes)
        yield from ((("virtual service", each.mesh, each.name), each.place) for each in self.virtual_services)
        yield from ((("ECS service", each.cluster, each.name), each.place) for each in self.services)
        yield from ((("task definition", each.family), each.place) for each in self.task_definitions)
        yield from ((("target group", each.name), each.place) for each in self.target_groups)
        yield from ((("load balancer", each.name), each.place) for each in self.load_balancers)

    def mesh_names(self) -> tuple[str, ...]:
        """Return the names of all meshes the sources define or place resources in, sorted."""
        named = {each.name for each in self.meshes}
        for group in (self.nodes, self.routers, self.routes, self.virtual_services, self.gateways):
            named.update(_meshes_of(group))
        return tuple(sorted(named))


def _meshes_of(
    group: Iterable[VirtualNode | VirtualRouter | Route | VirtualService | VirtualGateway],
) -> Iterator[str]:
    return (each.mesh for each in group)


_Thing = TypeVar("_Thing")


def _sorted(group: tuple[_Thing, ...], key: Callable[[_Thing], tuple[str, ...]]) -> tuple[_Thing, ...]:
    return tuple(sorted(group, key=key))


def merge(parts: Iterable[Found]) -> Found:
    """Return one Found of several, in their order."""
    parts = tuple(parts)
    unknown: dict[str, str] = {}
    for part in parts:
        unknown.update(part.unknown)
    gathered = {
        each.name: tuple(item for part in parts for item in getattr(part, each.name))
        for each in fields(Found)
        if each.name != "unknown"
    }
    return Found(unknown=unknown, **gathered)
