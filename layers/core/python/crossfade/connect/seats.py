"""Who plays which part in the mesh: the ECS services, each with its task definition and its node."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from crossfade.connect.choices import Choices
from crossfade.connect.gaps import gap, listed
from crossfade.errors import BadInput
from crossfade.mesh.model import EcsService, Found, TaskDefinition, VirtualNode
from crossfade.plan.document import Gap, Severity

_RESOURCE: Final = re.compile(r"mesh/([^/@]+)(?:@([^/]+))?/(virtualNode|virtualGateway)/(.+)")
NO_ENVOY: Final = "runs no Envoy of this mesh"


@dataclass(frozen=True, slots=True)
class Seat:
    """An ECS service and the part it plays in the mesh."""

    service: EcsService
    task: TaskDefinition
    node: VirtualNode | None


def seats_of(found: Found, mesh: str, choices: Choices) -> tuple[list[Seat], list[Gap]]:
    """
    Return the ECS services that play a node of the mesh, and what is to be said of those that do not.

    Raises:
        BadInput: as `translate`.
    """
    tasks = {task.family: task for task in found.task_definitions}
    nodes = {node.name: node for node in found.nodes}
    seats: list[Seat] = []
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
            seats.append(Seat(service=service, task=task, node=nodes[service.plays]))
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
            gaps.append(cross_account(f"ecsService/{service.name}", match[2], choices.namespace))
        if match[3] == "virtualGateway":
            gaps.append(gap("OUTSIDE_THE_MESH", f"ecsService/{service.name}", why=f"is the gateway {match[4]}"))
            continue
        node = nodes.get(found.known(match[4]))
        if node is None:
            gaps.append(gap("ECS_SERVICE_WITHOUT_NODE", f"ecsService/{service.name}", node=match[4]))
        seats.append(Seat(service=service, task=task, node=node))
    gaps += _shared_nodes(seats)
    return seats, gaps


def cross_account(place: str, owner: str, namespace: str) -> Gap:
    """Return the gap of what another account owns, by whether green's namespace is a shared one."""
    if not namespace.startswith("arn:"):
        answer = "green needs a Cloud Map namespace shared with AWS RAM: give its ARN (--namespace)."
        return gap("CROSS_ACCOUNT", place, owner=owner, answer=answer)
    answer = f"green meets in {namespace}; the proxies' metrics of a callee stay in its own account."
    return gap("CROSS_ACCOUNT", place, severity=Severity.DEGRADING, owner=owner, answer=answer)


def _shared_nodes(seats: Sequence[Seat]) -> Iterator[Gap]:
    sharing: dict[str, list[str]] = {}
    for seat in seats:
        if seat.node is not None:
            sharing.setdefault(seat.node.name, []).append(seat.service.name)
    for node, services in sharing.items():
        if len(services) > 1:
            yield gap("NODE_SHARED", f"virtualNode/{node}", services=listed(services), owner=services[0])
