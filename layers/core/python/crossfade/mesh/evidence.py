"""
What ECS and its surroundings tell of names: under which an ECS service is registered, who dials it, and what is spoken.

Pure. Used where no mesh says it: for meshes that can no longer be described, and for plain ECS services.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from crossfade.mesh.dialled import dialled
from crossfade.mesh.model import Container, EcsService, Found, Protocol, TaskDefinition

_URL: Final = re.compile(r"([a-z][a-z0-9+.-]*)://(?:[^/@\s]*@)?([A-Za-z0-9_.-]+)(?::(\d{1,5}))?", re.IGNORECASE)
_HTTP: Final = frozenset({"http", "https", "ws", "wss"})
_GRPC: Final = frozenset({"grpc", "grpcs"})
_SCHEME_PORTS: Final = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_USUALLY_HTTP: Final = frozenset({80, 3000, 5000, 8000, 8080})


@dataclass(frozen=True, slots=True)
class Dial:
    """A name somebody dials: the ECS service that does, the port and the scheme where they are seen."""

    caller: str
    name: str
    port: int | None
    scheme: str | None


def tasks_of(found: Found) -> Mapping[str, TaskDefinition]:
    """Return the task definitions by family."""
    return {each.family: each for each in found.task_definitions}


def registered_names(service: EcsService, found: Found) -> tuple[str, ...]:
    """Return the names under which Cloud Map knows an ECS service: `service.namespace`."""
    namespaces = {each.reference: each.name for each in found.namespaces}
    names = []
    for each in found.cloud_map_services:
        reference = each.reference or ""
        if any(
            reference in (arn, arn.rpartition("/")[2]) or arn.endswith(f"/{reference}") for arn in service.registries
        ):
            namespace = namespaces.get((each.namespace or "").rpartition("/")[2])
            if namespace is not None:
                names.append(f"{each.name}.{namespace}")
    return tuple(dict.fromkeys(names))


def dials(services: Iterable[EcsService], found: Found, names: Iterable[str]) -> tuple[Dial, ...]:
    """Return who dials which of `names`, from containers' environments and from what the operator wrote down."""
    wanted = {name.lower() for name in names}
    tasks = tasks_of(found)
    seen: dict[Dial, None] = {}
    for service in services:
        task = tasks.get(service.task_definition)
        if task is None:
            continue
        schemes = dict(_schemes(task, wanted))
        for each in dialled(task, wanted):
            scheme = schemes.get(each.name.lower())
            port = each.port or _SCHEME_PORTS.get(scheme or "")
            seen[Dial(service.name, each.name.lower(), port, scheme)] = None
        for wrote in found.dependencies:
            if wrote.caller == service.name and wrote.name.lower() in wanted:
                seen[Dial(service.name, wrote.name.lower(), wrote.port, None)] = None
    return tuple(seen)


def _schemes(task: TaskDefinition, wanted: set[str]) -> Iterator[tuple[str, str]]:
    for container in task.containers:
        for value in container.environment.values():
            for scheme, host, _port in _URL.findall(value):
                if host.lower() in wanted:
                    yield host.lower(), scheme.lower()


def protocol(port: int, schemes: Iterable[str | None], group_speaks: str | None) -> Protocol:
    """
    Return what is spoken on a port: as its callers' URLs say, as its target group says, else TCP.

    TCP carries everything; taking HTTP for something else would break it.
    """
    if group_speaks in ("GRPC", "HTTP2"):
        return Protocol.GRPC if group_speaks == "GRPC" else Protocol.HTTP2
    seen = {scheme for scheme in schemes if scheme is not None}
    if seen & _GRPC:
        return Protocol.GRPC
    if (seen & _HTTP and not seen - _HTTP) or group_speaks == "HTTP1":
        return Protocol.HTTP
    return Protocol.HTTP if not seen and port in _USUALLY_HTTP else Protocol.TCP


def group_speaks(service: EcsService, port: int, found: Found) -> str | None:
    """Return what the target group before a container's port speaks: HTTP1, HTTP2 or GRPC; None when it is not HTTP."""
    names = {each.target_group for each in service.targets if each.port == port}
    for group in found.target_groups:
        if group.name in names and group.protocol in ("HTTP", "HTTPS", None):
            return group.speaks or "HTTP1"
    return None


def served_ports(task: TaskDefinition) -> tuple[int, ...]:
    """Return the ports that a task's own containers map, Envoy's apart."""
    proxies = task.proxies()
    own: Iterable[Container] = (each for each in task.containers if each.name not in proxies)
    return tuple(dict.fromkeys(port for each in own for port in each.ports))
