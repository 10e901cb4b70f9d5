"""A task that runs in the data plane, and how it may fail. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rehearsal.aws.runtime import TaskSpec
from rehearsal.dataplane import service_connect
from rehearsal.dataplane.envoy import Admin
from rehearsal.dataplane.task_shape import TaskShape

Fault = Literal["ok", "error", "delay", "hang", "reset", "refuse"]


@dataclass(frozen=True, slots=True)
class Broken:
    """How a task fails its users; see `DataPlane.break_tasks`."""

    mode: Fault = "ok"
    code: int = 500
    probability: float = 1.0
    milliseconds: float = 0.0

    def command(self, task: str) -> dict[str, Any]:
        """Return the command that makes the stand-in application fail so."""
        return {
            "do": "fault",
            "task": task,
            "mode": self.mode,
            "code": self.code,
            "probability": self.probability,
            "milliseconds": self.milliseconds,
        }


@dataclass(slots=True)
class Task:
    """A running task and what was made for it."""

    spec: TaskSpec
    shape: TaskShape
    number: int
    colour: str
    application_ports: Mapping[int, int]
    ports: dict[int, int] = field(default_factory=dict)
    egress_ports: dict[str, int] = field(default_factory=dict)
    encrypted_ports: dict[str, int] = field(default_factory=dict)  # by discovery name
    hosts: tuple[tuple[str, int], ...] = ()
    discovery_names: Mapping[str, str] = field(default_factory=dict)
    served: Mapping[str, int] = field(default_factory=dict)
    grpc_served: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()  # Cloud Map's, of a task without a proxy
    is_puzzled: bool = False  # a name that it dials is not answered yet
    admin: Admin | None = None
    connections: int = 0
    healthy: bool = True

    @property
    def proxy(self) -> str:
        """What its proxy is called."""
        return f"task-{self.number}"

    @property
    def is_plain(self) -> bool:
        """Whether the task has no proxy: it dials names itself."""
        return self.shape.mesh_proxy is None and not service_connect.is_enabled(self.spec.service_connect)

    @property
    def owner(self) -> tuple[str, str]:
        """Return its service and its cluster, by name."""
        return (self.spec.service, self.spec.cluster.rsplit("/", 1)[-1])
