"""
From a mesh and its ECS services to Service Connect: roles, endpoints, calls, and what is lost.

Pure. A name that callers dial today becomes the alias of the one ECS service behind it, to
the letter and on the port they dial, so that no application changes. A listener alone makes
no server: only a name that leads to it does.

Sources: Amazon ECS API reference, ServiceConnectService and ServiceConnectClientAlias (name
rules); AWS App Mesh User Guide, "Virtual services".
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from crossfade.connect.fields import LEADS_TO_NOBODY, NOBODY_PLAYS_IT, Reason, Resource, account
from crossfade.connect.gaps import gap
from crossfade.connect.losses import (
    client_policies,
    listener_losses,
    mesh_losses,
    node_losses,
    router_losses,
    serves_tls,
    service_losses,
    standalone_losses,
    task_losses,
)
from crossfade.connect.providers import Provider, providers
from crossfade.connect.timeouts import effective
from crossfade.errors import BadInput
from crossfade.mesh.dialled import Dialled, dialled
from crossfade.mesh.model import (
    Container,
    EcsService,
    Found,
    GatewayRoute,
    Listener,
    Mesh,
    Origin,
    Protocol,
    Route,
    TaskDefinition,
    VirtualGateway,
    VirtualNode,
    VirtualRouter,
    VirtualService,
)
from crossfade.mesh.tree import Tree
from crossfade.plan.document import Gap, Ledger, Severity
from crossfade.plan.services import Call, ClientAlias, Endpoint, PortName, Role, Timeout, Tls

_MeshThing: TypeAlias = Mesh | VirtualNode | VirtualRouter | Route | VirtualService | VirtualGateway | GatewayRoute

_RESOURCE: Final = re.compile(r"mesh/([^/@]+)(?:@([^/]+))?/(virtualNode|virtualGateway)/(.+)")
_DNS_NAME: Final = re.compile(r"[a-z0-9_.-]{1,127}")
_NOT_IN_DISCOVERY_NAME: Final = re.compile(r"[^a-z0-9_-]+")
_LONGEST_DISCOVERY_NAME: Final = 64
_LONGEST_PORT_NAME: Final = 64
NO_ENVOY: Final = "runs no Envoy of this mesh"
_SIDECAR: Final = re.compile(r"xray|x-ray|cloudwatch-agent|fluent|firelens|datadog|otel|opentelemetry|adot|statsd")


@dataclass(frozen=True, slots=True)
class Member:
    """An ECS service of the mesh, as Service Connect shall have it; `is_target` when a name or route leads to it."""

    service: EcsService
    task: TaskDefinition
    node: VirtualNode | None
    role: Role
    endpoints: tuple[Endpoint, ...]
    ports: tuple[PortName, ...]
    calls: tuple[Call, ...]
    health_path: str | None
    is_target: bool


@dataclass(frozen=True, slots=True)
class Translation:
    """The members of the mesh, in the order the sources have them, what is lost, and how each field was answered."""

    members: tuple[Member, ...]
    gaps: tuple[Gap, ...]
    ledger: Ledger


@dataclass(frozen=True, slots=True)
class Choices:
    """
    What an operator chose for Service Connect.

    Attributes:
        suffix: Ends the names of green's Cloud Map services, so that they never collide with blue's.
        namespace: Green's namespace, by name or, where it is shared by another account, by ARN.
        log_group: Where green's proxies log.
        authority: ARN of the AWS Private CA that issues certificates; None takes the one the mesh's callers trust.
        tls_role: ARN of the infrastructure role with which ECS has certificates issued.
        tls_key: ARN of the KMS key for their private keys.
    """

    suffix: str
    namespace: str
    log_group: str
    authority: str | None = None
    tls_role: str | None = None
    tls_key: str | None = None


@dataclass(frozen=True, slots=True)
class _Seat:
    """An ECS service and the part it plays in the mesh."""

    service: EcsService
    task: TaskDefinition
    node: VirtualNode | None


@dataclass(frozen=True, slots=True)
class _Alias:
    """A name and port that callers dial, and the listener they reach."""

    name: str
    port: int
    listener: Listener
    timeout: Timeout


@dataclass(slots=True)
class _Draft:
    """Endpoints under way: names are given once, so all services are drawn together."""

    choices: Choices
    taken_names: set[str]
    tls: Mapping[str, Tls] = field(default_factory=dict)
    aliases: dict[tuple[str, int], str] = field(default_factory=dict)
    ports_of: dict[str, list[int]] = field(default_factory=dict)
    endpoints: dict[str, list[Endpoint]] = field(default_factory=dict)
    ports: dict[str, dict[int, PortName]] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)


def translate(found: Found, mesh: str, choices: Choices) -> Translation:
    """
    Return what Service Connect shall say for one mesh.

    Args:
        found: What the sources hold.
        mesh: The mesh's name.
        choices: What the operator chose.

    Raises:
        BadInput: an ECS service's task definition is in no source, or its part in the
            mesh cannot be told.
    """
    found_here = found.in_mesh(mesh)
    for named in found_here.virtual_services:
        found.known(named.name)
    seats, gaps = _seats(found_here, mesh, choices)
    by_node: dict[str, _Seat] = {}
    for seat in seats:
        if seat.node is not None:
            by_node.setdefault(seat.node.name, seat)
    provided = providers(found_here, by_node)
    evidence = _evidence(seats, found_here)
    spellings = _spellings(evidence)
    draft = _Draft(
        choices=choices,
        taken_names={each.name.lower() for each in found.cloud_map_services},
        tls=_encryption(found_here, choices),
    )
    for provider in provided.values():
        _serve(provider, by_node, spellings, draft)
    _serve_hosts(seats, evidence, spellings, draft)
    calls = {seat.service.name: _calls(seat, provided, by_node, draft, evidence) for seat in seats}
    targets = _targets(provided.values())
    members = tuple(_member(seat, draft, calls[seat.service.name], targets) for seat in seats)
    callers = {call.dns_name for each in calls.values() for call in each}
    gaps += draft.gaps
    gaps += mesh_losses(found_here, namespace=choices.namespace, log_group=choices.log_group)
    gaps += router_losses(found_here, provided, by_node)
    gaps += _outsiders(found_here, provided, by_node, seats, callers)
    gaps += _originations(found_here, provided, by_node)
    gaps += standalone_losses(found_here, mesh, {each.task_definition for each in found_here.services})
    encrypted = {(each.dns_name, each.port) for member in members for each in member.endpoints if each.tls}
    groups = {group.name: group for group in found_here.target_groups}
    is_defined = all(each.origin is Origin.DEFINED for each in found_here.meshes)
    for member in members:
        if member.node is not None:
            is_encrypted = all((each.dns_name, each.port) in encrypted for each in member.calls if each.service)
            gaps += node_losses(member.node, log_group=choices.log_group, is_encrypted=is_encrypted)
            gaps += listener_losses(member.node, draft.tls.get(member.node.name))
            if is_defined:
                gaps += _idle_losses(member)
        if member.service.is_assumed:
            gaps += _assumed(member)
            continue
        attached = [groups[each.target_group] for each in member.service.targets if each.target_group in groups]
        gaps += service_losses(member.service, member.task, attached, member.health_path)
        if member.endpoints and not member.task.proxies():
            names = _and([f"{each.dns_name}:{each.port}" for each in member.endpoints])
            gaps.append(gap("PROXY_IN_BETWEEN", f"ecsService/{member.service.name}", names=names))
    gaps += _owners(found_here, mesh, choices)
    answered = account(_resources(found_here, provided, by_node), gaps)
    unread = (*answered.open, *answered.open_beside)
    gaps += [gap("FIELD_NOT_READ", each.place, field=name, value=value) for each, name, value in unread]
    return Translation(members=members, gaps=_once(gaps), ledger=answered.ledger())


def _assumed(member: Member) -> Iterator[Gap]:
    """Yield that a service was taken for granted, and what is lost of its task definition where there is one."""
    said = "; the plan takes one of its name for granted, so it is a draft that cannot be migrated by."
    yield gap("NODE_WITHOUT_ECS_SERVICE", f"virtualNode/{member.service.plays}", consequence=said)
    if not member.task.is_assumed:
        yield from task_losses(member.task, f"taskDefinition/{member.task.family}")


def _idle_losses(member: Member) -> Iterator[Gap]:
    place = f"virtualNode/{member.node.name}" if member.node else ""
    for port in {
        each.container_port: None for each in member.endpoints if each.app_protocol is None and not each.timeout
    }:
        yield gap("IDLE_TIMEOUT", place, port=port)


def _encryption(found: Found, choices: Choices) -> Mapping[str, Tls]:
    """Return, for each node that serves TLS, the encryption green has: by the authority chosen, or the one trusted."""
    trusted = sorted(
        {
            arn
            for node in found.nodes
            for policy in client_policies(node)
            for each in policy / "validation" / "trust" / "acm" / "certificateAuthorityArns"
            if (arn := each.text()).startswith("arn:") and ":acm-pca:" in arn and "${" not in arn
        }
    )
    authority = choices.authority or next(iter(trusted), None)
    if authority is None:
        return {}
    tls = Tls(authority_arn=authority, role_arn=choices.tls_role, kms_key=choices.tls_key)
    return {node.name: tls for node in found.nodes if any(serves_tls(each) for each in node.listeners)}


def _resources(found: Found, provided: Mapping[str, Provider], by_node: Mapping[str, _Seat]) -> Iterator[Resource]:
    """Yield every resource of the mesh with what is said about it as a whole."""

    def resource(
        kind: str,
        place: str,
        thing: _MeshThing,
        cover: tuple[tuple[str, str], ...] = (),
        idle: Reason | None = None,
    ) -> Resource:
        mesh = thing.name if isinstance(thing, Mesh) else thing.mesh
        return Resource(kind, place, thing.spec, cover, idle, thing.beside.said, f"mesh/{mesh}")

    for mesh in found.meshes:
        if mesh.origin is not Origin.NONE:
            yield resource("mesh", f"mesh/{mesh.name}", mesh)
    for node in found.nodes:
        place = f"virtualNode/{node.name}"
        if node.name in by_node:
            yield resource("virtualNode", place, node)
        else:
            lacking = (("EXTERNAL_NODE", place), ("NODE_WITHOUT_ECS_SERVICE", place))
            yield resource("virtualNode", place, node, lacking, NOBODY_PLAYS_IT)
    for router in found.routers:
        place = f"virtualRouter/{router.name}"
        yield resource("virtualRouter", place, router, (("ROUTE_ORPHAN", place),))
    in_force = {
        (route.router, route.name)
        for provider in provided.values()
        if any(target.node in by_node for each in provider.reached for target in each.targets)
        for route in provider.reached
    }
    for route in found.routes:
        place = f"route/{route.router}/{route.name}"
        outside = (("EXTERNAL_NODE", f"virtualNode/{target.node}") for target in route.targets)
        cover = (("ROUTE_ORPHAN", place), ("ROUTE_UNREACHABLE", place), *outside)
        idle = None if (route.router, route.name) in in_force else LEADS_TO_NOBODY
        yield resource("route", place, route, cover if idle else cover[:2], idle)
    for service in found.virtual_services:
        yield resource("virtualService", f"virtualService/{service.name}", service)
    for gateway in found.gateways:
        yield resource("virtualGateway", f"virtualGateway/{gateway.name}", gateway)
    for entry in found.gateway_routes:
        yield resource("gatewayRoute", f"gatewayRoute/{entry.gateway}/{entry.name}", entry)


def _mesh_things(found: Found) -> Iterator[_MeshThing]:
    yield from found.meshes
    yield from found.nodes
    yield from found.routers
    yield from found.routes
    yield from found.virtual_services
    yield from found.gateways
    yield from found.gateway_routes


def _owners(found: Found, mesh: str, choices: Choices) -> Iterator[Gap]:
    """Yield the accounts that share the mesh with the one its resources are in."""
    for owner in sorted({each.beside.owner for each in _mesh_things(found) if each.beside.owner is not None}):
        yield _cross_account(f"mesh/{mesh}", owner, choices.namespace)


def _once(gaps: Iterable[Gap]) -> tuple[Gap, ...]:
    """Return each gap once, the severe ones first and then in the order found."""
    weights = {"blocking": 0, "degrading": 1, "informational": 2}
    return tuple(sorted(dict.fromkeys(gaps), key=lambda each: weights[each.severity]))


# ---------------------------------------------------------------- who plays which part


def _seats(found: Found, mesh: str, choices: Choices) -> tuple[list[_Seat], list[Gap]]:
    tasks = {task.family: task for task in found.task_definitions}
    nodes = {node.name: node for node in found.nodes}
    seats: list[_Seat] = []
    gaps: list[Gap] = []
    for service in found.services:
        task = tasks.get(found.known(service.task_definition))
        if task is None:
            raise BadInput(
                f"{service.place}: it runs the task definition {service.task_definition or '(none named)'}, which no "
                "source given holds; add the source that does"
            )
        resource = task.mesh_resource
        if resource is None and service.plays in nodes:
            seats.append(_Seat(service=service, task=task, node=nodes[service.plays]))
            continue
        if resource is None:
            gaps.append(gap("OUTSIDE_THE_MESH", f"ecsService/{service.name}", why=NO_ENVOY))
            continue
        match = _RESOURCE.search(resource)
        if match is None:
            found.known(resource)
            raise BadInput(f"{task.place}: its Envoy is told to be {resource}, which names no App Mesh resource")
        if found.known(match[1]) != mesh:
            continue
        if match[2]:
            gaps.append(_cross_account(f"ecsService/{service.name}", match[2], choices.namespace))
        if match[3] == "virtualGateway":
            gaps.append(gap("OUTSIDE_THE_MESH", f"ecsService/{service.name}", why=f"is the gateway {match[4]}"))
            continue
        node = nodes.get(found.known(match[4]))
        if node is None:
            gaps.append(gap("ECS_SERVICE_WITHOUT_NODE", f"ecsService/{service.name}", node=match[4]))
        seats.append(_Seat(service=service, task=task, node=node))
    gaps += _shared_nodes(seats)
    return seats, gaps


def _cross_account(place: str, owner: str, namespace: str) -> Gap:
    if not namespace.startswith("arn:"):
        answer = "green needs a Cloud Map namespace shared with AWS RAM: give its ARN (--namespace)."
        return gap("CROSS_ACCOUNT", place, owner=owner, answer=answer)
    answer = f"green meets in {namespace}; the proxies' metrics of a callee stay in its own account."
    return gap("CROSS_ACCOUNT", place, severity=Severity.DEGRADING, owner=owner, answer=answer)


def _shared_nodes(seats: Sequence[_Seat]) -> Iterator[Gap]:
    sharing: dict[str, list[str]] = {}
    for seat in seats:
        if seat.node is not None:
            sharing.setdefault(seat.node.name, []).append(seat.service.name)
    for node, services in sharing.items():
        if len(services) > 1:
            yield gap("NODE_SHARED", f"virtualNode/{node}", services=_and(services), owner=services[0])


# ------------------------------------------------------------------------- names dialled


def _evidence(seats: Sequence[_Seat], found: Found) -> Mapping[str, tuple[Dialled, ...]]:
    """Return, for each ECS service, the names of this mesh that its environment holds."""
    names = {service.name.lower() for service in found.virtual_services}
    names |= {node.host.lower() for node in found.nodes if node.host}
    written: dict[str, list[Dialled]] = {}
    for each in found.dependencies:
        written.setdefault(each.caller, []).append(Dialled(each.name, each.port))
    return {seat.service.name: (*dialled(seat.task, names), *written.get(seat.service.name, ())) for seat in seats}


def _spellings(evidence: Mapping[str, tuple[Dialled, ...]]) -> Mapping[str, tuple[str, ...]]:
    """Return the ways in which each name, in lower case, is spelled by those who dial it."""
    found: dict[str, dict[str, None]] = {}
    for every in evidence.values():
        for each in every:
            found.setdefault(each.name.lower(), {})[each.name] = None
    return {name: tuple(spelled) for name, spelled in found.items()}


def _names_of(provider: Provider, host: str | None, spellings: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return the names by which callers reach a virtual service: its own, and its node's host where it is dialled."""
    name = provider.service.name
    seen = [*spellings.get(name.lower(), ()), *spellings.get((host or "").lower(), ())]
    return list(dict.fromkeys([name, *seen]))


# ---------------------------------------------------------------------------- endpoints


def _serve(
    provider: Provider,
    by_node: Mapping[str, _Seat],
    spellings: Mapping[str, tuple[str, ...]],
    draft: _Draft,
) -> None:
    """Give a virtual service's names to the ECS service behind it."""
    seat = by_node.get(provider.owner or "")
    if seat is None or seat.node is None:
        return
    for port, listener in _doors(provider, seat.node):
        ways = [route.timeouts for route in provider.reached if any(t.node == provider.owner for t in route.targets)]
        found = effective(listener.protocol, listener.timeouts, ways)
        if found.differs:
            request, idle = found.timeout.per_request_seconds, found.timeout.idle_seconds
            said = f"{15 if request is None else request} s per request, {300 if idle is None else idle} s idle"
            draft.gaps.append(gap("LISTENER_TIMEOUT", f"virtualNode/{seat.node.name}", why=found.differs, timeout=said))
        for name in _names_of(provider, seat.node.host, spellings):
            _endpoint(_Alias(name, port, listener, found.timeout), seat, draft)


def _doors(provider: Provider, node: VirtualNode) -> Iterator[tuple[int, Listener]]:
    """Yield each port that callers dial and the node's listener behind it."""
    by_port = {listener.port: listener for listener in node.listeners}
    if provider.ports is None:
        yield from by_port.items()
        return
    for port, _protocol in provider.ports:
        listener = by_port.get(provider.target_port or port) or next(iter(node.listeners), None)
        if listener is not None:
            yield port, listener


def _serve_hosts(
    seats: Sequence[_Seat],
    evidence: Mapping[str, tuple[Dialled, ...]],
    spellings: Mapping[str, tuple[str, ...]],
    draft: _Draft,
) -> None:
    """Give an endpoint to what is dialled by its Cloud Map name alone, past every virtual service, on ports dialled."""
    ports: dict[str, set[int | None]] = {}
    for every in evidence.values():
        for each in every:
            ports.setdefault(each.name.lower(), set()).add(each.port)
    for seat in seats:
        host = (seat.node.host or "").lower() if seat.node else ""
        if seat.node is None or host not in spellings:
            continue
        for listener in seat.node.listeners:
            if (host, listener.port) not in draft.aliases and {None, listener.port} & ports[host]:
                found = effective(listener.protocol, listener.timeouts, [])
                _endpoint(_Alias(spellings[host][0], listener.port, listener, found.timeout), seat, draft)


def _endpoint(alias: _Alias, seat: _Seat, draft: _Draft) -> None:
    service, resource = seat.service.name, f"virtualService/{alias.name}"
    dns_name = alias.name.lower()
    if alias.name != dns_name:
        draft.gaps.append(gap("NAME_CASE", resource, name=alias.name))
    if not _DNS_NAME.fullmatch(dns_name):
        draft.gaps.append(gap("NAME_ILLEGAL", resource, name=alias.name))
        return
    owner = draft.aliases.get((dns_name, alias.port))
    if owner is not None:
        if owner != service:
            draft.gaps.append(gap("NAME_TAKEN", resource, name=dns_name, port=alias.port, other=owner))
        return
    draft.aliases[dns_name, alias.port] = service
    draft.ports_of.setdefault(dns_name, []).append(alias.port)
    named = _named_port(alias.listener, seat, draft)
    draft.endpoints.setdefault(service, []).append(
        Endpoint(
            port_name=named.name,
            container=None if seat.task.is_assumed else named.container,
            container_port=named.container_port,
            discovery_name=_discovery_name(service, alias, draft),
            client_alias=ClientAlias(dns_name=dns_name, port=alias.port),
            app_protocol=named.app_protocol,
            timeout=None if alias.timeout == Timeout() else alias.timeout,
            tls=draft.tls.get(seat.node.name) if seat.node and serves_tls(alias.listener) else None,
        )
    )


def _discovery_name(service: str, alias: _Alias, draft: _Draft) -> str:
    """Return a legal name nobody has: of the service first, then of the alias, with its port or a number."""
    room = _LONGEST_DISCOVERY_NAME - len(draft.choices.suffix) - 8
    first = service not in draft.endpoints
    base = _legal(service if first else alias.name.partition(".")[0])[:room]
    numbered = (f"{base}-{number}" for number in itertools.count(2))
    for stem in itertools.chain([base, f"{base}-{alias.port}"], numbered):
        name = f"{stem}{draft.choices.suffix}"
        if name not in draft.taken_names:
            draft.taken_names.add(name)
            return name
    raise AssertionError("numbers do not end")


def _legal(name: str) -> str:
    return _NOT_IN_DISCOVERY_NAME.sub("-", name.lower()).strip("-") or "service"


def _named_port(listener: Listener, seat: _Seat, draft: _Draft) -> PortName:
    """Return the container port behind a listener, named once for all endpoints that share it."""
    ports = draft.ports.setdefault(seat.service.name, {})
    if listener.port not in ports:
        container = serving_container(listener.port, seat.task)
        protocol = None if listener.protocol is Protocol.TCP else listener.protocol.value
        name = container.port_names.get(listener.port) or f"{listener.protocol.value}-{listener.port}"
        ports[listener.port] = PortName(
            container=container.name,
            container_port=listener.port,
            name=name[:_LONGEST_PORT_NAME],
            app_protocol=protocol,
        )
    return ports[listener.port]


def serving_container(port: int, task: TaskDefinition) -> Container:
    """Return the container that serves a port: the one that maps it, otherwise the application's own."""
    proxies = task.proxies()
    stay = [each for each in task.containers if each.name not in proxies]
    mapped = [each for each in stay if port in each.ports]
    if mapped:
        return mapped[0]
    likely = [each for each in stay if not _SIDECAR.search(f"{each.name} {each.image}".lower())]
    chosen = next((each for each in likely if each.essential), None) or next(iter(likely or stay), None)
    if chosen is None:
        raise BadInput(f"{task.place}: it has no container but Envoy, so nothing serves port {port}")
    return chosen


# -------------------------------------------------------------------------------- calls


def _calls(
    seat: _Seat,
    provided: Mapping[str, Provider],
    by_node: Mapping[str, _Seat],
    draft: _Draft,
    evidence: Mapping[str, tuple[Dialled, ...]],
) -> tuple[Call, ...]:
    """
    Return what an ECS service dials: what its environment says, then backends it does not mention.

    A backend whose callee the environment names otherwise is dialled by that other name. Calls are in the order of
    their names, since an environment has none that means anything.
    """
    me = seat.service.name
    calls: dict[tuple[str, int], Call] = {}
    for each in evidence[me]:
        name = each.name.lower()
        for port in draft.ports_of.get(name, ()):
            service = draft.aliases[name, port]
            if each.port in (None, port) and service != me:
                calls.setdefault((name, port), Call(dns_name=name, port=port, service=service))
    reached = {call.service for call in calls.values()}
    for backend in seat.node.backends if seat.node else ():
        provider = provided.get(backend)
        if provider is None:
            draft.gaps.append(gap("BACKEND_NOT_FOUND", f"ecsService/{me}", name=backend))
            continue
        callee = by_node.get(provider.owner or "")
        if callee is None:
            for port, _protocol in provider.ports or ():
                calls.setdefault((backend, port), Call(dns_name=backend, port=port, service=None))
        elif callee.service.name not in reached:
            name = backend.lower()
            for port in draft.ports_of.get(name, ()):
                service = draft.aliases[name, port]
                if service == callee.service.name != me:
                    calls.setdefault((name, port), Call(dns_name=name, port=port, service=service))
    return tuple(calls[key] for key in sorted(calls))


def _originations(found: Found, provided: Mapping[str, Provider], by_node: Mapping[str, _Seat]) -> Iterator[Gap]:
    """Yield each node whose Envoy speaks TLS to something outside ECS."""
    hosts = {node.name: node.host or node.name for node in found.nodes}
    for seat in by_node.values():
        if seat.node is None:
            continue
        spec = Tree(seat.node.spec, seat.node.place)
        default = spec / "backendDefaults" / "clientPolicy" / "tls"
        outside: set[str] = set()
        for backend in spec / "backends":
            service = backend / "virtualService"
            policy = service / "clientPolicy" / "tls" or default
            provider = provided.get((service / "virtualServiceName").text_or_none() or "")
            owner = provider.owner if provider else None
            if policy and owner in hosts and owner not in by_node and (policy / "enforce").truth(default=True):
                outside.add(hosts[owner])
        if outside:
            yield gap("TLS_ORIGINATION", f"virtualNode/{seat.node.name}", hosts=_and(sorted(outside)))


def _owner(provided: Mapping[str, Provider], name: str) -> str:
    """Return the node that owns a virtual service's name, "" for none."""
    return (provided[name].owner or "") if name in provided else ""


def _outsiders(
    found: Found,
    provided: Mapping[str, Provider],
    by_node: Mapping[str, _Seat],
    seats: Sequence[_Seat],
    callers: set[str],
) -> Iterator[Gap]:
    """Yield what stands behind names but is no ECS service of the sources."""
    nodes = {node.name: node for node in found.nodes}
    for node in found.nodes:
        if node.name in by_node:
            continue
        names = [name for name, provider in provided.items() if provider.owner == node.name]
        calling = [
            seat.service.name
            for seat in seats
            if (seat.node and set(seat.node.backends) & set(names)) or (node.host or "").lower() in callers
        ]
        owners = (_owner(provided, each) for each in node.backends)
        called = [by_node[each].service.name for each in owners if each in by_node]
        if called:
            host = node.host or "nothing named"
            yield gap("EXTERNAL_CALLER", f"virtualNode/{node.name}", host=host, services=_and(called))
        if not calling:
            continue
        if node.cloud_map_service:
            said = f", and {_and(calling)} call it; green's calls would go to whatever its name resolves to."
            yield gap("NODE_WITHOUT_ECS_SERVICE", f"virtualNode/{node.name}", consequence=said)
        else:
            yield gap("EXTERNAL_NODE", f"virtualNode/{node.name}", host=node.host or "nothing named")
    for name, provider in provided.items():
        owner = nodes.get(provider.owner or "")
        if owner is None or owner.name in by_node or not owner.listeners:
            continue
        real = provider.target_port or owner.listeners[0].port
        for port, _protocol in provider.ports or ():
            if port != real:
                yield gap(
                    "EXTERNAL_PORT_REMAP",
                    f"virtualService/{name}",
                    dialled=port,
                    port=real,
                    host=owner.host or owner.name,
                )


# ------------------------------------------------------------------------------ together


def _targets(provided: Iterable[Provider]) -> set[str]:
    """Return every node to which a virtual service may lead."""
    routes = {target.node for each in provided for route in each.reached for target in route.targets}
    return routes | {each.owner for each in provided if each.owner is not None}


def _member(seat: _Seat, draft: _Draft, calls: tuple[Call, ...], targets: set[str]) -> Member:
    endpoints = tuple(draft.endpoints.get(seat.service.name, ()))
    role = Role.CLIENT
    if endpoints:
        role = Role.CLIENT_SERVER if calls else Role.SERVER
    return Member(
        service=seat.service,
        task=seat.task,
        node=seat.node,
        role=role,
        endpoints=endpoints,
        ports=tuple(draft.ports.get(seat.service.name, {}).values()),
        calls=calls,
        health_path=_health_path(seat.node),
        is_target=seat.node is not None and seat.node.name in targets,
    )


def _health_path(node: VirtualNode | None) -> str | None:
    for listener in node.listeners if node else ():
        check = listener.health_check
        if check is not None and check.protocol in (Protocol.HTTP, Protocol.HTTP2):
            return check.path or "/"
    return None


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
