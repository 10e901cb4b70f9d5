"""
Which names and ports an application dials, read from its containers' environment.

Pure. Applications find their callees by environment; what stands there is the best evidence
of the name a caller really uses, be it the virtual service's or Cloud Map's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from crossfade.mesh.model import TaskDefinition

_HOST: Final = re.compile(r"(//)?(?<![\w.-])([A-Za-z0-9_](?:[\w.-]*[A-Za-z0-9_])?)(?::(\d{1,5})\b)?")
_SAYS_HOST: Final = re.compile(
    r"(HOST|HOSTNAME|URL|URI|ENDPOINT|ADDR|ADDRESS|SERVER|UPSTREAM|BACKEND|TARGET|DOMAIN|DNS)S?$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Dialled:
    """A name as it stands in an environment variable, and the port beside it if there is one."""

    name: str
    port: int | None


def dialled(task: TaskDefinition, names: Collection[str]) -> tuple[Dialled, ...]:
    """
    Return what the application's containers dial, of `names`, in the order found.

    A name without a dot counts only where it can be nothing but a host: after `//`, before
    `:port`, or alone in a variable that says so (`ORDERS_HOST`).

    Args:
        task: The task definition; its Envoy does not count.
        names: Names worth finding, in lower case.
    """
    found = dict.fromkeys(_hosts(task, names))
    return tuple(found)


def _hosts(task: TaskDefinition, names: Collection[str]) -> Iterator[Dialled]:
    proxies = task.proxies()
    for container in task.containers:
        if container.name in proxies:
            continue
        for variable, value in container.environment.items():
            for match in _HOST.finditer(value):
                name, port = match[2], int(match[3]) if match[3] else None
                alone = match[0] == value.strip() and _SAYS_HOST.search(variable)
                if name.lower() in names and ("." in name or match[1] or port or alone):
                    yield Dialled(name, port)
