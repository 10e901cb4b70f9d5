"""The ports to ECS services and Cloud Map namespaces, and what is known of a service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

MIGRATION_TAG = "crossfade:migration"
"""Everything Crossfade makes carries it, with the migration's name as value."""

JsonObject = Mapping[str, Any]
"""A structure of the ECS API, in its own spelling, taken from one call and handed to another unread."""


class Rollout(StrEnum):
    """A deployment's `rolloutState`, in ECS's own words."""

    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Deployment:
    """
    One deployment of a service. `status` PRIMARY is the newest.

    `service_connect` is its whole Service Connect configuration, which ECS keeps here
    and nowhere on the service itself.
    """

    id: str
    status: str
    rollout: Rollout
    reason: str
    desired: int
    running: int
    task_definition: str
    service_connect: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class ServiceState:
    """
    An ECS service as it is now.

    `shifted_by` names who else moves its traffic: CodeDeploy, or ECS's own deployments
    by `advancedConfiguration`; None where nobody does.
    `settings` are the members of DescribeServices' answer that CreateService takes, as
    they are: what green copies from blue.
    """

    arn: str
    name: str
    status: str
    desired: int
    running: int
    task_definition: str
    deployments: tuple[Deployment, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    shifted_by: str | None = None
    settings: JsonObject = field(default_factory=dict)

    @property
    def primary(self) -> Deployment | None:
        """The newest deployment."""
        return next((each for each in self.deployments if each.status == "PRIMARY"), None)

    @property
    def migration(self) -> str | None:
        """The migration that made it; None when none did."""
        return self.tags.get(MIGRATION_TAG)

    @property
    def region(self) -> str:
        """The region its ARN names."""
        return self.arn.split(":")[3]

    @property
    def is_complete(self) -> bool:
        """Whether the newest deployment has completed and all its tasks run."""
        newest = self.primary
        return (
            newest is not None
            and newest.rollout is Rollout.COMPLETED
            and newest.running >= newest.desired
            and self.running >= self.desired
        )

    @property
    def failure(self) -> str | None:
        """Why the newest deployment failed; None when it did not."""
        newest = self.primary
        if newest is None or newest.rollout is not Rollout.FAILED:
            return None
        return newest.reason or "ECS gives no reason"

    @property
    def progress(self) -> str:
        """How far the newest deployment is, in words."""
        newest = self.primary
        rollout = "without a deployment" if newest is None else newest.rollout.value.lower().replace("_", " ")
        return f"{rollout}, {self.running} of {self.desired} tasks run"


@dataclass(frozen=True, slots=True)
class StoppedTask:
    """A task that stopped, when, and why; ECS remembers it for about an hour."""

    arn: str
    at: datetime
    code: str
    reason: str

    @property
    def died(self) -> bool:
        """
        Whether the task ended of its own: it exited, did not start, or failed its health checks.

        ECS says the last only in words ("Task failed ELB health checks in …"), since its
        code, ServiceSchedulerInitiated, stands for scaling in and deployments too.
        """
        if self.code == "ServiceSchedulerInitiated":
            return "health check" in self.reason
        return self.code in {"TaskFailedToStart", "EssentialContainerExited"}


class Services(Protocol):
    """
    ECS services of the account.

    Every implementation must pass `tests/contract/test_services.py`. Every method
    raises EcsBusy when ECS throttles it.
    """

    def describe(self, cluster: str, name: str) -> ServiceState | None:
        """
        Return a service; None when there is none, or none any more (INACTIVE).

        Raises:
            BlueChanged: there is no such cluster.
        """
        ...

    def describe_all(self, cluster: str, names: Sequence[str]) -> dict[str, ServiceState]:
        """
        Return those of the services that are there, by name, in as few calls as ECS allows.

        Raises:
            BlueChanged: there is no such cluster.
        """
        ...

    def stopped(self, cluster: str, name: str) -> tuple[StoppedTask, ...]:
        """Return the service's tasks that stopped lately, as far as ECS remembers them; none for no service."""
        ...

    def unhealthy(self, cluster: str, name: str) -> tuple[str, ...]:
        """Return the service's running tasks that ECS calls UNHEALTHY, by ARN; one without a health check is not."""
        ...

    def task_definition(self, name: str) -> JsonObject:
        """
        Return a task definition, by ARN or by family.

        Raises:
            BlueChanged: there is no such task definition.
        """
        ...

    def register(self, definition: JsonObject, tags: Mapping[str, str]) -> str:
        """
        Register a task definition and return its ARN.

        When its family's newest revision carries these very tags, that one is returned
        and nothing is registered, so a digest among the tags makes it safe to repeat.

        Raises:
            GreenFailed: ECS does not take it.
        """
        ...

    def create(self, request: JsonObject) -> ServiceState:
        """
        Create a service from CreateService's input and return it.

        With the `clientToken` of an earlier call, that call's service is returned.

        Raises:
            ServiceExists: a service of this name exists, made by another call.
            GreenFailed: ECS does not take it.
            BlueChanged: there is no such cluster.
        """
        ...

    def redeploy(self, cluster: str, name: str) -> ServiceState:
        """
        Start a deployment of a service as it is, and return the service with it.

        Every task is replaced by a new one of the same task definition; each call starts
        a deployment of its own.

        Raises:
            GreenFailed: there is no such service, or ECS does not deploy it.
            BlueChanged: there is no such cluster.
        """
        ...

    def adopt(self, arn: str, tags: Mapping[str, str]) -> None:
        """Take a service that somebody else made for a migration, by tagging it. May be repeated."""
        ...

    def remove(self, cluster: str, name: str) -> None:
        """Delete a service with its tasks; one that is gone already changes nothing."""
        ...


class Namespaces(Protocol):
    """
    Cloud Map namespaces of the account.

    Every implementation must pass `tests/contract/test_services.py`.
    """

    def ensure(self, name: str, tags: Mapping[str, str]) -> str:
        """
        Return the ARN of the HTTP namespace of this name, made with these tags if there is none.

        Raises:
            EcsBusy: Cloud Map throttles, or is still making it; ask again.
            GreenFailed: Cloud Map could not make it.
        """
        ...

    def healthy(self, namespace: str, names: Sequence[str]) -> dict[str, int]:
        """
        Return how many healthy instances answer to each discovery name of a namespace, as its callers' proxies see it.

        A name that nobody has made yet has none, and so has each where there is no such namespace.

        Args:
            namespace: Its name, or its ARN, by which one that another account shares is found too.
            names: The discovery names.

        Raises:
            EcsBusy: Cloud Map throttles.
        """
        ...


class LogGroups(Protocol):
    """
    CloudWatch log groups of the account.

    Every implementation must pass `tests/contract/test_services.py`.
    """

    def ensure(self, name: str, tags: Mapping[str, str]) -> None:
        """
        Make the log group with these tags if there is none; one that exists stays as it is.

        A task whose log group is missing does not start, so this comes before the service.

        Raises:
            EcsBusy: CloudWatch Logs throttles; ask again.
            GreenFailed: CloudWatch Logs does not make it.
        """
        ...
