"""
Sees plain ECS services as a mesh would: a node each, and the names by which they call each other.

Without App Mesh, ECS services find each other in Cloud Map or through an internal load balancer. Both become names with
a service behind them, so the drawing of a plan treats them like any mesh: a Cloud Map name leads to its ECS service, a
load balancer's name through its rules. Who calls whom is read from containers' environments, or written down by the
operator (`mesh.dependencies`). Pure.

Sources: Amazon ECS Developer Guide, "Service discovery"; Elastic Load Balancing, "Listener rules".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Final

from crossfade.errors import BadInput
from crossfade.mesh.evidence import Dial, dials, group_speaks, protocol, registered_names, served_ports, tasks_of
from crossfade.mesh.model import (
    Dependency,
    EcsService,
    Found,
    Listener,
    ListenerRule,
    LoadBalancer,
    Mesh,
    Origin,
    Protocol,
    Route,
    Spec,
    TaskDefinition,
    Timeouts,
    VirtualNode,
    VirtualRouter,
    VirtualService,
    WeightedTarget,
)

_ANY_PATH: Final = frozenset({"*", "/*"})


@dataclass(slots=True)
class _Town:
    """The services of one cluster and the names by which they are found."""

    cluster: str
    services: tuple[EcsService, ...]
    tasks: Mapping[str, TaskDefinition]
    found: Found
    registered: dict[str, str] = field(default_factory=dict)  # name -> ECS service
    balanced: dict[str, LoadBalancer] = field(default_factory=dict)  # name -> internal load balancer
    calls: tuple[Dial, ...] = ()


def see_plain_services(found: Found) -> Found:
    """
    Return the sources with a made-up mesh for each cluster of plain ECS services; unchanged where a real mesh is.

    Services that are on Service Connect already stay as they are.

    Raises:
        BadInput: a name that is dialled is known only to AWS, or the operator wrote down a call to a service that has
            no name.
    """
    if found.mesh_names() or any(each.mesh_resource for each in found.task_definitions):
        return found
    clusters = dict.fromkeys(each.cluster for each in found.services if not each.has_service_connect)
    for cluster in clusters:
        found = _with_town(found, cluster)
    return found


def _with_town(found: Found, cluster: str) -> Found:
    members = tuple(each for each in found.services if each.cluster == cluster and not each.has_service_connect)
    town = _Town(cluster, members, tasks_of(found), found)
    for service in members:
        for name in registered_names(service, found):
            town.registered.setdefault(name.lower(), service.name)
    town.balanced = dict(_balanced(town))
    town.found = replace(found, dependencies=tuple(_named(town)))
    town.calls = dials(members, town.found, [*town.registered, *town.balanced])
    routed = [_Routed(name, balancer, town) for name, balancer in town.balanced.items() if _is_dialled(name, town)]
    nodes = tuple(_node(service, town, routed) for service in members)
    place = members[0].place
    inside = {group for each in routed for rule in each.rules for group in rule.target_groups}
    return replace(
        found,
        meshes=(*found.meshes, Mesh(cluster, "ALLOW_ALL", {}, place, Origin.NONE)),
        nodes=(*found.nodes, *nodes),
        virtual_services=(*found.virtual_services, *_names(town, routed)),
        routers=(*found.routers, *(each.router() for each in routed)),
        routes=(*found.routes, *(route for each in routed for route in each.routes())),
        services=tuple(_playing(each, inside) if each in members else each for each in found.services),
        notes=(*found.notes, *_notes(town, routed)),
    )


def _is_dialled(name: str, town: _Town) -> bool:
    return any(each.name == name for each in town.calls)


def _playing(service: EcsService, inside: set[str]) -> EcsService:
    """Return a service as its own node; a target group that only its callers use is no edge."""
    targets = tuple(each for each in service.targets if each.target_group not in inside)
    return replace(service, plays=service.name, targets=targets)


def _balanced(town: _Town) -> Iterator[tuple[str, LoadBalancer]]:
    """Yield the names of internal load balancers that lead to the town: their own, and records that stand for it."""
    groups = {each.target_group for service in town.services for each in service.targets}
    for balancer in town.found.load_balancers:
        rules = [each for each in town.found.rules if each.load_balancer == balancer.name]
        if not balancer.is_internal or not any(groups & set(rule.target_groups) for rule in rules):
            continue
        own = balancer.dns_name or ""
        if "${" in own:
            _refuse_unknown(own, town)
        else:
            yield own.lower(), balancer
        for record in town.found.records:
            if own and record.target.lower() == own.lower():
                yield record.name.lower(), balancer


def _refuse_unknown(name: str, town: _Town) -> None:
    """Refuse a load balancer's name that AWS makes up, when somebody dials it."""
    for service in town.services:
        task = town.tasks.get(service.task_definition)
        for container in task.containers if task else ():
            if any(name in value for value in container.environment.values()):
                town.found.known(name)


def _named(town: _Town) -> Iterator[Dependency]:
    """Yield what the operator wrote down, ECS services by the names they are dialled by."""
    members = {each.name: each for each in town.services}
    for each in town.found.dependencies:
        if each.caller not in members:
            raise BadInput(f"{each.place}: there is no ECS service {each.caller} among the sources")
        if each.name not in members:
            if each.name.lower() not in {*town.registered, *town.balanced}:
                raise BadInput(f"{each.place}: {each.name} is neither an ECS service of the sources nor a name of one")
            yield each
            continue
        name = next((known for known, owner in town.registered.items() if owner == each.name), None)
        name = name or next((known for known in town.balanced if _leads_to(known, members[each.name], town)), None)
        if name is None:
            raise BadInput(
                f"{each.place}: {each.name} has neither a Cloud Map name nor an internal load balancer, so nobody can "
                "dial it today"
            )
        yield replace(each, name=name)


def _leads_to(name: str, service: EcsService, town: _Town) -> bool:
    groups = {each.target_group for each in service.targets}
    rules = [each for each in town.found.rules if each.load_balancer == town.balanced[name].name]
    return any(groups & set(rule.target_groups) for rule in rules)


def _node(service: EcsService, town: _Town, routed: Sequence[_Routed]) -> VirtualNode:
    task = town.tasks.get(service.task_definition)
    names = [name for name, owner in town.registered.items() if owner == service.name and _is_dialled(name, town)]
    seen = [each for each in town.calls if each.name in names]
    ports = _ports(service, task, seen, routed)
    schemes = [each.scheme for each in seen]
    secured = any(each.is_secured and each.reaches(service) for each in routed)
    host = next(iter(names), None) or next(
        (name for name, owner in town.registered.items() if owner == service.name), None
    )
    return VirtualNode(
        name=service.name,
        mesh=town.cluster,
        listeners=tuple(
            Listener(
                port,
                protocol(port, schemes, group_speaks(service, port, town.found)),
                tls={"mode": "STRICT", "certificate": {"acm": {}}} if secured else None,
            )
            for port in ports
        ),
        backends=tuple(dict.fromkeys(each.name for each in town.calls if each.caller == service.name)),
        host=host,
        cloud_map_service=None,
        cloud_map_namespace=None,
        spec={},
        place=service.place,
    )


def _ports(
    service: EcsService, task: TaskDefinition | None, seen: Sequence[Dial], routed: Sequence[_Routed]
) -> tuple[int, ...]:
    """Return the ports on which callers reach a service; every port it maps where they do not say."""
    mapped = served_ports(task) if task else ()
    behind = tuple(
        each.port for each in service.targets if each.port and any(each.target_group in one.groups for one in routed)
    )
    if seen and all(each.port for each in seen):
        dialled = tuple(each.port for each in seen if each.port and (each.port in mapped or not mapped))
        if dialled:
            return tuple(dict.fromkeys((*dialled, *behind)))
    return behind if behind and not seen else mapped


def _names(town: _Town, routed: Sequence[_Routed]) -> Iterator[VirtualService]:
    places = {each.name: each.place for each in town.services}
    for name, owner in town.registered.items():
        if _is_dialled(name, town):
            yield VirtualService(name, town.cluster, owner, None, {}, places[owner])
    for each in routed:
        yield VirtualService(each.name, town.cluster, None, each.router_name, {}, each.balancer.place)


def _notes(town: _Town, routed: Sequence[_Routed]) -> Iterator[str]:
    for each in routed:
        yield (
            f"{each.name} leads through the internal load balancer {each.balancer.name} today; green is dialled past "
            "it, and callers that are in no source keep reaching blue"
        )
    for name in town.registered:
        if not _is_dialled(name, town):
            yield f"{name} is dialled by nobody among the sources; callers elsewhere keep reaching blue by it"


class _Routed:
    """A name of an internal load balancer, and where its rules lead."""

    def __init__(self, name: str, balancer: LoadBalancer, town: _Town) -> None:
        self.name = name
        self.balancer = balancer
        self._town = town
        own = [each for each in town.found.rules if each.load_balancer == balancer.name and each.target_groups]
        self.rules = [each for each in own if not each.hosts or any(fnmatchcase(name, host) for host in each.hosts)]
        self.groups = {group for rule in self.rules for group in rule.target_groups}
        self.router_name = balancer.name if name == (balancer.dns_name or "").lower() else f"{balancer.name}/{name}"

    @property
    def is_secured(self) -> bool:
        """Whether callers speak TLS to the load balancer."""
        schemes = {each.scheme for each in self._town.calls if each.name == self.name}
        return bool(schemes & {"https", "wss", "grpcs"})

    def reaches(self, service: EcsService) -> bool:
        return any(each.target_group in self.groups for each in service.targets)

    def router(self) -> VirtualRouter:
        ports = tuple(dict.fromkeys(rule.listener_port for rule in self.rules))
        dialled = tuple(each.port for each in self._town.calls if each.name == self.name and each.port)
        kept = tuple(port for port in ports if port in dialled) or ports
        return VirtualRouter(
            name=self.router_name,
            mesh=self._town.cluster,
            ports=tuple((port, self._protocol()) for port in kept),
            spec={},
            place=self.balancer.place,
        )

    def _protocol(self) -> Protocol:
        groups = [each for each in self._town.found.target_groups if each.name in self.groups]
        speaks = {each.speaks for each in groups}
        if "GRPC" in speaks:
            return Protocol.GRPC
        return Protocol.HTTP2 if "HTTP2" in speaks else Protocol.HTTP

    def routes(self) -> Iterator[Route]:
        several = (
            len({rule.listener_port for rule in self.rules}) > 1 and len({rule.weights for rule in self.rules}) > 1
        )
        for rule in self.rules:
            for number, match in enumerate(_matches(rule, with_port=several)):
                end = f"-{number}" if number else ""
                yield Route(
                    name=f"{rule.listener_port}-{rule.priority}{end}",
                    router=self.router_name,
                    mesh=self._town.cluster,
                    protocol=self._protocol(),
                    priority=int(rule.priority) if rule.priority.isdigit() else None,
                    match=match,
                    targets=tuple(self._targets(rule)),
                    timeouts=Timeouts(),
                    retry=None,
                    spec={},
                    place=rule.place,
                )

    def _targets(self, rule: ListenerRule) -> Iterator[WeightedTarget]:
        for group, weight in rule.weights:
            for service in self._town.services:
                port = next((each.port for each in service.targets if each.target_group == group), None)
                if any(each.target_group == group for each in service.targets):
                    yield WeightedTarget(service.name, weight, port)


def _matches(rule: ListenerRule, *, with_port: bool) -> Iterator[Spec]:
    """Yield what a rule asks of a request, one alternative after the other, in App Mesh's words."""
    common: dict[str, object] = {"headers": [{"name": each} for each in rule.asks]} if rule.asks else {}
    if with_port:
        common["port"] = rule.listener_port
    for path in rule.paths or ("*",):
        if path in _ANY_PATH:
            yield {**common, "prefix": "/"}
        elif path.endswith("*") and "*" not in path[:-1] and "?" not in path:
            yield {**common, "prefix": path[:-1]}
        else:
            yield {**common, "path": {"exact": path}}
