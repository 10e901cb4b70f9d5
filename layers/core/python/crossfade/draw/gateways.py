"""
Load balancers whose users reach the mesh through an Envoy gateway.

Pure. Service Connect has no gateway, so the load balancer at the door takes its place where all that comes by one of
its target groups goes on to one service: green's targets are that service's own. A gateway that divides requests has as
many doors as target groups, as long as the rules before them divide as it does; otherwise what to make is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from crossfade.connect.entrances import entrance
from crossfade.connect.gaps import gap
from crossfade.connect.losses import checks_envoy
from crossfade.connect.translate import Member
from crossfade.draw.gateway_rules import before, met_routes
from crossfade.mesh.model import EcsService, Found, GatewayRoute, ListenerRule, TargetGroup, TaskDefinition
from crossfade.mesh.tree import Tree
from crossfade.plan.document import Gap, Severity
from crossfade.plan.report import rule_in_words
from crossfade.plan.services import Endpoint

_GATEWAY: Final = re.compile(r"mesh/[^/]+/virtualGateway/(.+)")
_MOST_TARGET_GROUPS: Final = 5
_MOST: Final = " An ECS service is in five target groups at most, so it takes a second service of the gateway's tasks."
_ENCRYPTED: Final = frozenset({"HTTPS", "TLS"})


@dataclass(frozen=True, slots=True)
class Door:
    """
    A target group of a gateway's tasks, and the one service that all its requests go on to.

    `endpoint` is how the gateway reaches it; `checks_envoy` when the target group asks Envoy for its health.
    """

    target_group: str
    member: Member
    endpoint: Endpoint
    checks_envoy: bool


def doors(found: Found, members: Sequence[Member]) -> tuple[tuple[Door, ...], tuple[Gap, ...]]:
    """Return the doors that lead to one service each, and why others cannot be edges."""
    tasks = {task.family: task for task in found.task_definitions}
    groups = {group.name: group for group in found.target_groups}
    made: list[Door] = []
    gaps: list[Gap] = []
    for service, task, gateway in _gateways(found, tasks):
        routes = [each for each in found.gateway_routes if each.gateway == gateway]
        all_ends = _ends(routes, members)
        for attachment in service.targets:
            group = groups.get(attachment.target_group)
            rules = [rule for rule in found.rules if attachment.target_group in rule.target_groups]
            met = {each.name: each for rule in rules for each in met_routes(rule, routes, before(rule, found.rules))}
            ends = _ends(list(met.values()), members) if rules else all_ends
            place = f"targetgroup/{attachment.target_group}"
            answers = {str(endpoint.container_port) for _, endpoint in ends or ()}
            if not answers and group is not None:
                answers = {str(group.port)}  # who will answer is not known; on the port of traffic somebody does
            asks_envoy = group is not None and checks_envoy(group, task) and answers != {group.health_port}
            if asks_envoy and group is not None:
                gaps.append(_health(group, ends))
            if not rules:
                continue
            if routes and not met:
                said = ", ".join(
                    f"{each.load_balancer}:{each.listener_port} {rule_in_words(each.priority)}" for each in rules
                )
                gaps.append(gap("GATEWAY_ROUTE_NONE", place, rules=said, gateway=gateway))
                continue
            why = _why_not(group, _Gateway(gateway, service, tuple(met.values())), ends, rules, found)
            if why is not None:
                gaps.append(gap("EDGE_MISSING", place, why=why))
                continue
            made.extend(Door(attachment.target_group, member, endpoint, asks_envoy) for member, endpoint in ends or ())
    return tuple(made), tuple(gaps)


def _gateways(found: Found, tasks: dict[str, TaskDefinition]) -> Iterator[tuple[EcsService, TaskDefinition, str]]:
    names = {gateway.name for gateway in found.gateways}
    for service in found.services:
        task = tasks.get(service.task_definition)
        match = _GATEWAY.search(task.mesh_resource or "") if task is not None else None
        if task is not None and match is not None and match[1] in names:
            yield service, task, match[1]


def _ends(routes: Sequence[GatewayRoute], members: Sequence[Member]) -> list[tuple[Member, Endpoint]] | None:
    """Return each service and endpoint that some routes of a gateway lead to; None where one leads out of the plan."""
    endpoints = [(member, endpoint) for member in members for endpoint in member.endpoints]
    ends: dict[tuple[str, int], tuple[Member, Endpoint]] = {}
    for route in routes:
        name, port = (route.virtual_service or "").lower(), _target_port(route)
        end = next((each for each in endpoints if each[1].dns_name == name and port in (None, each[1].port)), None)
        if end is None:
            return None
        ends[end[0].service.name, end[1].container_port] = end
    return list(ends.values())


def _target_port(route: GatewayRoute) -> int | None:
    """Return the virtual service's port that a route names; None where there is only one to mean."""
    spec = Tree(route.spec, route.place)
    found = (spec / kind / "action" / "target" / "port" for kind in ("httpRoute", "http2Route", "grpcRoute"))
    return next((each.number() for each in found if each), None)


@dataclass(frozen=True, slots=True)
class _Gateway:
    """A gateway, the ECS service that runs it, and those of its routes that one target group's requests meet."""

    name: str
    service: EcsService
    met: tuple[GatewayRoute, ...]


def _why_not(
    group: TargetGroup | None,
    gateway: _Gateway,
    ends: list[tuple[Member, Endpoint]] | None,
    rules: Sequence[ListenerRule],
    found: Found,
) -> str | None:
    if ends is None:
        return f"One leads to the gateway {gateway.name}, whose routes lead to more than what moves."
    if not ends:
        return f"One leads to the gateway {gateway.name}, of which no source given has routes."
    names = sorted({member.service.name for member, _ in ends})
    if len(ends) > 1:
        return _what_to_make(gateway, ends, rules, found)
    if group is not None and group.protocol in _ENCRYPTED:
        return (
            f"One speaks {group.protocol} to the gateway {gateway.name}; {names[0]} behind it speaks no TLS. "
            f"Give {names[0]} a target group of its own first."
        )
    return None


def _what_to_make(
    gateway: _Gateway, ends: list[tuple[Member, Endpoint]], rules: Sequence[ListenerRule], found: Found
) -> str:
    """Return which target groups and rules divide requests as the gateway does, so that each is an edge."""
    names = sorted({member.service.name for member, _ in ends})
    said = f"One leads to the gateway {gateway.name}, which divides requests over {', '.join(names)}. "
    owners = sorted({each.load_balancer for each in rules})
    kinds = {each.name: each.kind for each in found.load_balancers}
    network = [each for each in owners if kinds.get(each) == "network"]
    if network:
        said += (
            f"{', '.join(network)} is a network load balancer, which tells no requests apart: put an Application Load "
            "Balancer between it and the gateway first, and on that "
        )
        where = "the listener"
    else:
        where = " and ".join(sorted({f"{each.load_balancer}:{each.listener_port}" for each in rules}))
    ways: dict[str, list[str]] = {}
    for route in gateway.met:
        end = _ends([route], [member for member, _ in ends])
        for member, endpoint in end or ():
            ways.setdefault(f"{member.service.name} port {endpoint.container_port}", []).append(
                entrance(route).conditions_in_words()
            )
    made = "; ".join(f"{' or '.join(dict.fromkeys(asked))} for {name}" for name, asked in ways.items())
    begin = "make" if network else "Make"
    return (
        f"{said}{begin} one target group for each, all with {gateway.service.name} registered in them, and on {where} "
        f"a rule that forwards to it, in this order: {made}. Users still reach the gateway by every one; drawn again, "
        f"each is an edge.{_MOST if len(ways) > _MOST_TARGET_GROUPS else ''}"
    )


def _health(group: TargetGroup, ends: list[tuple[Member, Endpoint]] | None) -> Gap:
    paths = {member.health_path for member, _ in ends or ()}
    path = next(iter(paths)) if len(paths) == 1 else None
    mended = f"Green's own asks the application for {path} instead, as the mesh did."
    return gap(
        "LB_HEALTHCHECK_ON_ENVOY_ADMIN",
        f"targetgroup/{group.name}",
        severity=Severity.DEGRADING if path else None,
        port=group.health_port,
        answer=mended if path else "Let it check the application.",
    )
