"""
Load balancers whose users reach the mesh through an Envoy gateway.

Pure. Service Connect has no gateway, so the load balancer at the door takes its place where the gateway leads to one
service only: green's targets are that service's own. Where it divides requests, a person has to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from crossfade.connect.gaps import gap
from crossfade.connect.losses import checks_envoy
from crossfade.connect.translate import Member
from crossfade.mesh.model import EcsService, Found, TargetGroup, TaskDefinition
from crossfade.plan.document import Endpoint, Gap, Severity

_GATEWAY: Final = re.compile(r"mesh/[^/]+/virtualGateway/(.+)")
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
    reached = {name for rule in found.rules for name in rule.target_groups}
    made: list[Door] = []
    gaps: list[Gap] = []
    for service, task, gateway in _gateways(found, tasks):
        ends = _ends(found, gateway, members)
        for attachment in service.targets:
            group = groups.get(attachment.target_group)
            place = f"targetgroup/{attachment.target_group}"
            answers = {str(endpoint.container_port) for _, endpoint in ends or ()}
            if not answers and group is not None:
                answers = {str(group.port)}  # who will answer is not known; on the port of traffic somebody does
            asks_envoy = group is not None and checks_envoy(group, task) and answers != {group.health_port}
            if asks_envoy and group is not None:
                gaps.append(_health(group, ends))
            if attachment.target_group not in reached:
                continue
            why = _why_not(group, gateway, ends)
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


def _ends(found: Found, gateway: str, members: Sequence[Member]) -> list[tuple[Member, Endpoint]] | None:
    """Return each service and endpoint that the gateway's routes lead to; None where one leads out of the plan."""
    by_name: dict[str, tuple[Member, Endpoint]] = {}
    for member in members:
        for endpoint in member.endpoints:
            by_name.setdefault(endpoint.dns_name, (member, endpoint))
    ends: dict[tuple[str, int], tuple[Member, Endpoint]] = {}
    for route in found.gateway_routes:
        if route.gateway != gateway:
            continue
        end = by_name.get((route.virtual_service or "").lower())
        if end is None:
            return None
        ends[end[0].service.name, end[1].container_port] = end
    return list(ends.values())


def _why_not(group: TargetGroup | None, gateway: str, ends: list[tuple[Member, Endpoint]] | None) -> str | None:
    if ends is None:
        return f"One leads to the gateway {gateway}, whose routes lead to more than what moves."
    if not ends:
        return f"One leads to the gateway {gateway}, of which no source given has routes."
    names = sorted({member.service.name for member, _ in ends})
    if len(ends) > 1:
        return (
            f"One leads to the gateway {gateway}, which divides requests over {', '.join(names)}. Give "
            "each a rule and a target group of its own first."
        )
    if group is not None and group.protocol in _ENCRYPTED:
        return (
            f"One speaks {group.protocol} to the gateway {gateway}; {names[0]} behind it speaks no TLS. "
            f"Give {names[0]} a target group of its own first."
        )
    return None


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
