"""What runs the tasks of an emulated ECS service.

The emulated ECS decides *which* tasks run; a `TaskRuntime` makes them run. The data plane starts real proxies;
`StillRuntime` starts nothing and answers at once, for tests of everything that is not traffic.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


class TaskFailed(Exception):
    """A task did not come up. The reason becomes the task's `stoppedReason`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class NamespaceEndpoint:
    """One name a Service Connect client can dial: an alias of a service known to the namespace.

    `timeout` is the `timeout` member of the Service Connect service as the server declared it (idle and per-request
    seconds), or empty. `app_protocol` is None for plain TCP. `service` is the name of the ECS service behind it.
    `authority` is the ARN of the authority that encrypts it, None for plain text.
    """

    discovery_name: str
    dns_name: str
    port: int
    app_protocol: str | None
    timeout: Mapping[str, int]
    service: str
    port_name: str
    container_port: int
    authority: str | None = None


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """All that is needed to run one task of one service.

    `task_definition` is the registered definition as DescribeTaskDefinition answers it; `service_connect` is the
    configuration of the deployment the task belongs to, None where Service Connect is off. `endpoints` is what the
    namespace held when the task was started: as on AWS, a task never learns of endpoints that come later.
    """

    task_arn: str
    task_id: str
    cluster: str
    service: str
    task_definition: Mapping[str, Any]
    service_connect: Mapping[str, Any] | None = None
    endpoints: tuple[NamespaceEndpoint, ...] = ()
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class TaskPlacement:
    """Where a started task listens: its address, and the host port behind every container port."""

    ip: str
    ports: Mapping[int, int] = field(default_factory=dict)


class TaskRuntime(Protocol):
    """Starts, stops and watches tasks. Called from worker threads, several tasks at a time."""

    def start(self, spec: TaskSpec) -> TaskPlacement:
        """Start a task and return once it listens. Raises TaskFailed with the reason when it does not come up."""
        ...

    def stop(self, task_arn: str) -> None:
        """Stop a task. A task that is unknown or already stopped is left alone."""
        ...

    def healthy(self, task_arn: str) -> bool:
        """Whether the task answers its health check now. False for a task that is unknown."""
        ...


class StillRuntime:
    """Runs nothing: every task listens at once on a made-up port and is healthy, unless told otherwise.

    `fail(service, reason)` lets later starts of a service fail; `sicken(service)` makes its tasks, running and later
    ones, unhealthy. `heal(service)` takes both back. `started` and `stopped` keep what was asked, in order.
    """

    def __init__(self) -> None:
        self.started: list[TaskSpec] = []
        self.stopped: list[str] = []
        self._failing: dict[str, str] = {}
        self._sick: set[str] = set()
        self._running: dict[str, TaskSpec] = {}
        self._ports = itertools.count(20_000)
        self._lock = threading.Lock()

    def start(self, spec: TaskSpec) -> TaskPlacement:
        """Give every container port a number of its own and answer at once, or fail as told."""
        with self._lock:
            self.started.append(spec)
            if (reason := self._failing.get(spec.service)) is not None:
                raise TaskFailed(reason)
            self._running[spec.task_arn] = spec
            ports = {
                int(mapping["containerPort"]): next(self._ports)
                for container in spec.task_definition.get("containerDefinitions", ())
                for mapping in container.get("portMappings", ())
            }
        return TaskPlacement(ip="127.0.0.1", ports=ports)

    def stop(self, task_arn: str) -> None:
        """Forget the task, and remember that it was asked to stop."""
        with self._lock:
            self.stopped.append(task_arn)
            self._running.pop(task_arn, None)

    def healthy(self, task_arn: str) -> bool:
        """Whether the task runs and its service was not sickened."""
        with self._lock:
            spec = self._running.get(task_arn)
            return spec is not None and spec.service not in self._sick

    def fail(self, service: str, reason: str = "Essential container in task exited") -> None:
        """Let every later start of `service` fail with `reason`."""
        with self._lock:
            self._failing[service] = reason

    def sicken(self, service: str) -> None:
        """Make the tasks of `service` unhealthy, those running and those to come."""
        with self._lock:
            self._sick.add(service)

    def heal(self, service: str) -> None:
        """Let `service` start and be healthy again."""
        with self._lock:
            self._failing.pop(service, None)
            self._sick.discard(service)

    def running(self, service: str) -> list[TaskSpec]:
        """Answer the tasks of `service` that were started and not stopped, oldest first."""
        with self._lock:
            return [spec for spec in self._running.values() if spec.service == service]
