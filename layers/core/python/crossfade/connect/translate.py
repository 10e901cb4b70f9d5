"""
From a mesh and its ECS services to Service Connect: roles, endpoints, calls, and what is lost.

Pure. A name that callers dial today becomes the alias of the one ECS service behind it, to
the letter and on the port they dial, so that no application changes. A listener alone makes
no server: only a name that leads to it does.

Sources: Amazon ECS API reference, ServiceConnectService and ServiceConnectClientAlias (name
rules); AWS App Mesh User Guide, "Virtual services".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from crossfade.connect.choices import Choices
from crossfade.connect.endpoints import Draft, serve, serve_hosts
from crossfade.connect.fields import LEADS_TO_NOBODY, NOBODY_PLAYS_IT, Reason, Resource, account
from crossfade.connect.gaps import gap, listed
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
from crossfade.connect.outside import originations, outsiders
from crossfade.connect.providers import Provider, providers
from crossfade.connect.seats import Seat, cross_account, seats_of
from crossfade.mesh.dialled import Dialled, dialled
from crossfade.mesh.model import (
    EcsService,
    Found,
    GatewayRoute,
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
from crossfade.plan.document import Gap, Ledger
from crossfade.plan.services import Call, Endpoint, PortName, Role, Tls

_MeshThing: TypeAlias = Mesh | VirtualNode | VirtualRouter | Route | VirtualService | VirtualGateway | GatewayRoute


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
    seats, gaps = seats_of(found_here, mesh, choices)
    by_node: dict[str, Seat] = {}
    for seat in seats:
        if seat.node is not None:
            by_node.setdefault(seat.node.name, seat)
    provided = providers(found_here, by_node)
    evidence = _evidence(seats, found_here)
    spellings = _spellings(evidence)
    draft = Draft(
        choices=choices,
        taken_names={each.name.lower() for each in found.cloud_map_services},
        tls=_encryption(found_here, choices),
    )
    for provider in provided.values():
        serve(provider, by_node, spellings, draft)
    serve_hosts(seats, evidence, spellings, draft)
    calls = {seat.service.name: _calls(seat, provided, by_node, draft, evidence) for seat in seats}
    targets = _targets(provided.values())
    members = tuple(_member(seat, draft, calls[seat.service.name], targets) for seat in seats)
    callers = {call.dns_name for each in calls.values() for call in each}
    gaps += draft.gaps
    gaps += mesh_losses(found_here, namespace=choices.namespace, log_group=choices.log_group)
    gaps += router_losses(found_here, provided, by_node)
    gaps += outsiders(found_here, provided, by_node, seats, callers)
    gaps += originations(found_here, provided, by_node)
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
            names = listed([f"{each.dns_name}:{each.port}" for each in member.endpoints])
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


def _resources(found: Found, provided: Mapping[str, Provider], by_node: Mapping[str, Seat]) -> Iterator[Resource]:
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
        yield cross_account(f"mesh/{mesh}", owner, choices.namespace)


def _once(gaps: Iterable[Gap]) -> tuple[Gap, ...]:
    """Return each gap once, the severe ones first and then in the order found."""
    weights = {"blocking": 0, "degrading": 1, "informational": 2}
    return tuple(sorted(dict.fromkeys(gaps), key=lambda each: weights[each.severity]))


def _evidence(seats: Sequence[Seat], found: Found) -> Mapping[str, tuple[Dialled, ...]]:
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


def _calls(
    seat: Seat,
    provided: Mapping[str, Provider],
    by_node: Mapping[str, Seat],
    draft: Draft,
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


def _targets(provided: Iterable[Provider]) -> set[str]:
    """Return every node to which a virtual service may lead."""
    routes = {target.node for each in provided for route in each.reached for target in route.targets}
    return routes | {each.owner for each in provided if each.owner is not None}


def _member(seat: Seat, draft: Draft, calls: tuple[Call, ...], targets: set[str]) -> Member:
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
