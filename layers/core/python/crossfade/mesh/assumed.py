"""
A mesh of which no source holds the ECS side: one service is taken for granted behind each of its nodes.

Saved answers of `describe-*` often outlive everything else. The names, ports, order and losses of such a mesh can be
told from it alone, so a plan is drawn; what it says of ECS is a guess and is marked as one (`is_assumed`), and nothing
can be migrated by it. Pure.

Source: AWS App Mesh User Guide, "Virtual nodes" (a node stands for an ECS service, or for something outside).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from crossfade.mesh.model import Container, EcsService, Found, TaskDefinition, VirtualNode

_CLUSTER: Final = "default"
_OF_AWS: Final = re.compile(r"\.amazonaws\.com(\.cn)?\.?$", re.IGNORECASE)
"""How databases, caches and load balancers are called, which no ECS service is."""

_PLAYED: Final = re.compile(r"mesh/([^/@]+)(?:@[^/]+)?/virtualNode/(.+)")


def assume_services(found: Found, mesh: str) -> Found:
    """Return the sources with a service behind each node of a mesh; unchanged where they hold any ECS service."""
    if found.services:
        return found
    tasks = dict(_tasks(found, mesh))
    nodes = [each for each in found.nodes if each.mesh == mesh and _may_be_a_service(each)]
    made = {each.name: tasks.get(each.name) or _task(each) for each in nodes}
    return replace(
        found,
        services=tuple(_service(each, made[each.name]) for each in nodes),
        task_definitions=(*found.task_definitions, *(task for task in made.values() if task.is_assumed)),
    )


def _tasks(found: Found, mesh: str) -> Iterator[tuple[str, TaskDefinition]]:
    """Yield each node whose part a task definition of the sources plays, with it."""
    for task in found.task_definitions:
        match = _PLAYED.search(task.mesh_resource or "")
        if match is not None and match[1] == mesh:
            yield match[2], task


def _may_be_a_service(node: VirtualNode) -> bool:
    return bool(node.listeners or node.backends) and not _OF_AWS.search(node.host or "")


def _service(node: VirtualNode, task: TaskDefinition) -> EcsService:
    return EcsService(
        name=node.name,
        cluster=_CLUSTER,
        task_definition=task.family,
        desired_count=1,
        targets=(),
        registries=(),
        grace_seconds=0,
        maximum_percent=200,
        controller="ECS",
        launch_type=None,
        has_service_connect=False,
        place=node.place,
        plays=node.name,
        is_assumed=True,
    )


def _task(node: VirtualNode) -> TaskDefinition:
    application = Container(
        name="app",
        image="",
        essential=True,
        ports=tuple(each.port for each in node.listeners),
        port_names={},
        environment={},
        has_health_check=True,
        memory_mib=None,
    )
    return TaskDefinition(
        family=node.name,
        containers=(application,),
        proxy_container=None,
        app_ports=(),
        network_mode=None,
        memory=None,
        place=node.place,
        is_assumed=True,
    )
