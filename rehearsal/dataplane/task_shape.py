"""What the data plane needs to know of a task definition, read at the door."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.aws.runtime import TaskFailed, TaskSpec

_MESH_NODE = re.compile(r"mesh/(?P<mesh>[^/@]+)(@\d+)?/virtualNode/(?P<node>[^/]+)$")


@dataclass(frozen=True, slots=True)
class LogDestination:
    """A log group of `awslogs`, the stream prefix, and whether the group may be made."""

    group: str
    prefix: str | None
    creates_group: bool = False

    def stream(self, container: str, task_id: str) -> str:
        """Return the stream `awslogs` writes a container's output to."""
        return f"{self.prefix}/{container}/{task_id}" if self.prefix else f"{container}/{task_id}"


@dataclass(frozen=True, slots=True)
class MeshProxy:
    """The App Mesh sidecar of a task: its virtual node, its container's name and where its output goes."""

    mesh: str
    node: str
    container: str
    logs: LogDestination | None


@dataclass(frozen=True, slots=True)
class TaskShape:
    """The application's container ports, their names, and the App Mesh sidecar where there is one."""

    ports: tuple[int, ...]
    port_names: Mapping[str, int]
    mesh_proxy: MeshProxy | None


def log_destination(configuration: Mapping[str, Any] | None) -> LogDestination | None:
    """Read an ECS `logConfiguration`; None where there is none or its driver is not `awslogs`."""
    if not configuration or configuration.get("logDriver") != "awslogs":
        return None
    options = configuration.get("options") or {}
    return LogDestination(
        group=options["awslogs-group"],
        prefix=options.get("awslogs-stream-prefix"),
        creates_group=str(options.get("awslogs-create-group", "")).lower() == "true",
    )


def task_shape(spec: TaskSpec) -> TaskShape:
    """
    Read a task definition.

    Raises:
        TaskFailed: it asks for an App Mesh proxy whose container does not say which virtual node it is.
    """
    definition = spec.task_definition
    proxy = definition.get("proxyConfiguration") or {}
    sidecar = proxy.get("containerName") if proxy.get("type", "APPMESH") == "APPMESH" else None
    mesh_proxy: MeshProxy | None = None
    ports: list[int] = []
    names: dict[str, int] = {}
    for container in definition.get("containerDefinitions", ()):
        if sidecar is not None and container.get("name") == sidecar:
            mesh_proxy = _mesh_proxy(spec, container)
            continue
        for mapping in container.get("portMappings") or ():
            if mapping.get("protocol", "tcp") != "tcp":
                continue
            port = int(mapping["containerPort"])
            ports.append(port)
            if name := mapping.get("name"):
                names[name] = port
    if sidecar is not None and mesh_proxy is None:
        raise TaskFailed(f"proxyConfiguration names container {sidecar}, which the task definition does not have")
    return TaskShape(ports=tuple(dict.fromkeys(ports)), port_names=names, mesh_proxy=mesh_proxy)


def _mesh_proxy(spec: TaskSpec, container: Mapping[str, Any]) -> MeshProxy:
    environment = {one["name"]: one.get("value", "") for one in container.get("environment") or ()}
    for variable in ("APPMESH_RESOURCE_ARN", "APPMESH_RESOURCE_NAME", "APPMESH_VIRTUAL_NODE_NAME"):
        if found := _MESH_NODE.search(environment.get(variable, "")):
            return MeshProxy(
                mesh=found["mesh"],
                node=found["node"],
                container=container["name"],
                logs=log_destination(container.get("logConfiguration")),
            )
    raise TaskFailed(
        f"container {container['name']} of {spec.service} is an App Mesh proxy, "
        "but its environment has no APPMESH_RESOURCE_ARN of a virtual node"
    )
