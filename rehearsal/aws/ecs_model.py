"""What the emulated ECS holds: services, their deployments and their tasks."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from rehearsal.aws import elbv2
from rehearsal.aws.clock import clock
from rehearsal.aws.runtime import TaskPlacement

HEALTH_INTERVAL_SECONDS: Final = 30  # of a container without one of its own
HEALTH_RETRIES: Final = 3
BREAKER_BOUNDS: Final = (3, 200)

RolloutState: TypeAlias = Literal["IN_PROGRESS", "COMPLETED", "FAILED"]
ContainerHealth: TypeAlias = Literal["UNKNOWN", "HEALTHY", "UNHEALTHY"]


@dataclass(frozen=True, slots=True)
class Namespace:
    """A Cloud Map namespace, as far as Service Connect needs it."""

    arn: str
    name: str


@dataclass(slots=True, eq=False)
class Deployment:
    """One revision of a service on its way in or out. `settings` holds its members in AWS's names."""

    id: str
    arn: str  # of the service deployment
    revision_arn: str
    task_definition: Mapping[str, Any]  # as DescribeTaskDefinition answers it
    settings: dict[str, Any]
    service_connect: Mapping[str, Any] | None  # as given; None where it is off
    namespace: Namespace | None  # of service_connect
    created_at: datetime
    updated_at: datetime
    primary: bool = True
    state: RolloutState = "IN_PROGRESS"
    reason: str = ""
    failed_tasks: int = 0  # since the beginning
    failures: int = 0  # as the circuit breaker counts them: since the last healthy task
    halted: bool = False  # starts no more tasks
    not_before: float = 0.0  # monotonic seconds: the next start waits until then
    rollback_of: Deployment | None = None
    finished_at: datetime | None = None


@dataclass(slots=True, eq=False)
class Task:
    """One task of a service."""

    arn: str
    id: str
    service: Service
    deployment: Deployment
    zone: str
    created_at: datetime
    order: int
    proxy: str | None  # the name of its Service Connect container
    status: str = "PROVISIONING"
    desired: Literal["RUNNING", "STOPPED"] = "RUNNING"
    health: ContainerHealth = "UNKNOWN"
    sick_since: float | None = None  # monotonic seconds
    placement: TaskPlacement | None = None
    targets: list[tuple[str, str, int]] = field(default_factory=list)  # target group, address, port
    version: int = 1
    started_at: datetime | None = None
    stopping_at: datetime | None = None
    stopped_at: datetime | None = None
    stop_code: str | None = None
    stopped_reason: str | None = None
    protected_until: datetime | None = None

    @property
    def unwanted(self) -> bool:
        """Whether it shall stop, or has stopped."""
        return self.desired == "STOPPED"

    @property
    def protected(self) -> bool:
        """Whether scale-in and deployments leave it alone now."""
        return self.protected_until is not None and self.protected_until > clock.now()

    @property
    def checked(self) -> bool:
        """Whether anything watches its health: a container health check, a load balancer, a Service Connect proxy."""
        containers = self.deployment.task_definition["containerDefinitions"]
        return bool(self.proxy or self.targets or any("healthCheck" in container for container in containers))

    @property
    def ready(self) -> bool:
        """Whether it runs and all that watches it finds it healthy."""
        if self.status != "RUNNING" or self.desired != "RUNNING":
            return False
        if self.reports_health and self.health != "HEALTHY":
            return False
        return all(elbv2.health_of(*target) == "healthy" for target in self.targets)

    @property
    def reports_health(self) -> bool:
        """Whether DescribeTasks says more than UNKNOWN about its health."""
        containers = self.deployment.task_definition["containerDefinitions"]
        return bool(self.proxy or any("healthCheck" in container for container in containers))


@dataclass(slots=True, eq=False)
class Service:
    """One ECS service. `settings` holds the members of the request that DescribeServices gives back."""

    arn: str
    name: str
    cluster: str
    cluster_arn: str
    region: str
    settings: dict[str, Any]
    desired: int
    created_at: datetime
    request: Mapping[str, Any]  # as it was created, for idempotency
    tags: dict[str, str] = field(default_factory=dict)
    status: Literal["ACTIVE", "DRAINING", "INACTIVE"] = "ACTIVE"
    deployments: list[Deployment] = field(default_factory=list)
    past: list[Deployment] = field(default_factory=list)  # every deployment there was, newest first
    tasks: list[Task] = field(default_factory=list)  # stopped ones too
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def primary(self) -> Deployment:
        """The deployment it is going to."""
        return self.deployments[0]

    def live(self, deployment: Deployment | None = None) -> list[Task]:
        """Answer the tasks that shall run and are not stopped, oldest first."""
        return [
            task
            for task in self.tasks
            if task.desired == "RUNNING" and task.status != "STOPPED" and deployment in (None, task.deployment)
        ]

    def running(self, deployment: Deployment | None = None) -> int:
        """Count the tasks that run."""
        return sum(task.status == "RUNNING" for task in self.live(deployment))

    def pending(self, deployment: Deployment | None = None) -> int:
        """Count the tasks on their way up."""
        return sum(task.status != "RUNNING" for task in self.live(deployment))

    def say(self, message: str) -> None:
        """Add a line to the service's event list, newest first."""
        self.events.insert(
            0, {"id": str(uuid.uuid4()), "createdAt": clock.now(), "message": f"(service {self.name}) {message}"}
        )
        del self.events[100:]


def breaker_threshold(service: Service) -> int:
    """Answer how many failed tasks trip the circuit breaker: half the desired count, at least 3, at most 200."""
    breaker = service.settings["deploymentConfiguration"].get("deploymentCircuitBreaker", {})
    custom = breaker.get("thresholdConfiguration", {})
    kind, value = custom.get("type", "BOUNDED_PERCENT"), custom.get("value", 50)
    if kind == "COUNT":
        return int(value)
    share: int = math.ceil(service.desired * int(value) / 100)
    least, most = BREAKER_BOUNDS
    return min(max(share, least), most) if kind == "BOUNDED_PERCENT" else max(share, 1)


def patience_seconds(task: Task) -> float:
    """Answer how long a task may fail its container health check before it is replaced."""
    checks = [
        container["healthCheck"]
        for container in task.deployment.task_definition["containerDefinitions"]
        if "healthCheck" in container
    ] or [{}]
    own = min(
        check.get("interval", HEALTH_INTERVAL_SECONDS) * check.get("retries", HEALTH_RETRIES)
        + check.get("startPeriod", 0)
        for check in checks
    )
    return float(own) / clock.time_scale
