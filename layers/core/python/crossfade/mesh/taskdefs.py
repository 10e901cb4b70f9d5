"""
Rebuilds a mesh from ECS task definitions and Cloud Map, where App Mesh itself can no longer be asked.

Every task of a mesh says which virtual node it stands for (`APPMESH_RESOURCE_ARN`, or the older names) and on which
ports its application is reached (`AppPorts` of its proxyConfiguration); Cloud Map says under which name it is
registered, and the environments of the other containers say who dials that name. Routes, timeouts, TLS and the egress
filter lived in App Mesh alone: a rebuilt mesh says nothing of them, and its origin tells so. Pure.

Source: AWS App Mesh User Guide, "Envoy configuration variables"; Amazon ECS API reference, ProxyConfiguration.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from crossfade.mesh.evidence import Dial, dials, group_speaks, protocol, registered_names, served_ports, tasks_of
from crossfade.mesh.model import (
    EcsService,
    Found,
    Listener,
    Mesh,
    Origin,
    TaskDefinition,
    VirtualNode,
    VirtualService,
)

_NODE: Final = re.compile(r"mesh/([^/@]+)(?:@[^/]+)?/virtualNode/([^/]+)")


def rebuild(found: Found) -> Found:
    """Return the sources with every mesh rebuilt that ECS tasks name and that no source describes."""
    described = set(found.mesh_names())
    tasks = tasks_of(found)
    parts: dict[str, dict[str, list[EcsService]]] = {}
    for service in found.services:
        task = tasks.get(service.task_definition)
        match = _NODE.search((task.mesh_resource if task else None) or "")
        if match is not None and match[1] not in described:
            parts.setdefault(match[1], {}).setdefault(match[2], []).append(service)
    for mesh, nodes in parts.items():
        found = _with(found, mesh, nodes, tasks)
    return found


def _with(
    found: Found, mesh: str, nodes: Mapping[str, Sequence[EcsService]], tasks: Mapping[str, TaskDefinition]
) -> Found:
    services = [service for every in nodes.values() for service in every]
    names = {node: _host(every, found) for node, every in nodes.items()}
    calls = dials(services, found, [name for name in names.values() if name])
    made = tuple(
        _node(node, mesh, every[0], tasks[every[0].task_definition], host=names[node], calls=calls, found=found)
        for node, every in nodes.items()
    )
    called = {each.name for each in calls}
    place = made[0].place
    return replace(
        found,
        meshes=(*found.meshes, Mesh(mesh, "ALLOW_ALL", {}, place, Origin.REBUILT)),
        nodes=(*found.nodes, *made),
        virtual_services=(
            *found.virtual_services,
            *(
                VirtualService(node.host, mesh, node.name, None, {}, node.place)
                for node in made
                if node.host and node.host.lower() in called
            ),
        ),
        notes=(
            *found.notes,
            f"the mesh {mesh} is described by no source; {len(made)} virtual nodes were rebuilt from task definitions",
        ),
    )


def _host(services: Sequence[EcsService], found: Found) -> str | None:
    return next((name for service in services for name in registered_names(service, found)), None)


def _node(
    name: str,
    mesh: str,
    service: EcsService,
    task: TaskDefinition,
    *,
    host: str | None,
    calls: Sequence[Dial],
    found: Found,
) -> VirtualNode:
    schemes = [each.scheme for each in calls if host and each.name == host.lower()]
    ports = task.app_ports or served_ports(task)
    service_name, _, namespace = (host or "").partition(".")
    return VirtualNode(
        name=name,
        mesh=mesh,
        listeners=tuple(Listener(port, protocol(port, schemes, group_speaks(service, port, found))) for port in ports),
        backends=tuple(dict.fromkeys(each.name for each in calls if each.caller == service.name)),
        host=host,
        cloud_map_service=service_name or None,
        cloud_map_namespace=namespace or None,
        spec={},
        place=task.place,
    )
