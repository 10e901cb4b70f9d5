"""ECS services and namespaces in memory, under the same contract as the real ones, for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

from crossfade.connect.greenscaling import Twin
from crossfade.connect.services import Deployment, JsonObject, Rollout, ServiceState, StoppedTask
from crossfade.errors import BlueChanged, GreenFailed, ServiceExists
from crossfade.journal.blue import ScalingFound

_ARN = "arn:aws:ecs:eu-west-1:123456789012"
_SETTINGS = frozenset({"launchType", "networkConfiguration", "platformVersion", "capacityProviderStrategy"})


class MemoryServices:
    """`Services` that are complete once `complete` is called, or at once when made `eager`."""

    def __init__(self, *clusters: str, eager: bool = False) -> None:
        self.created: list[JsonObject] = []
        self.redeployed: list[str] = []
        self.eager = eager
        self._clusters = set(clusters)
        self._services: dict[tuple[str, str], ServiceState] = {}
        self._made_by: dict[tuple[str, str], str | None] = {}
        self.dead: dict[str, tuple[StoppedTask, ...]] = {}
        self.sick: dict[str, tuple[str, ...]] = {}
        self._definitions: dict[str, list[tuple[JsonObject, dict[str, str]]]] = {}

    def describe(self, cluster: str, name: str) -> ServiceState | None:
        """See `Services`."""
        self._refuse_unknown(cluster)
        return self._services.get((cluster, name))

    def describe_all(self, cluster: str, names: Sequence[str]) -> dict[str, ServiceState]:
        """See `Services`."""
        return {name: state for name in names if (state := self.describe(cluster, name)) is not None}

    def stopped(self, cluster: str, name: str) -> tuple[StoppedTask, ...]:
        """See `Services`."""
        self._refuse_unknown(cluster)
        return self.dead.get(name, ())

    def unhealthy(self, cluster: str, name: str) -> tuple[str, ...]:
        """See `Services`."""
        self._refuse_unknown(cluster)
        return self.sick.get(name, ())

    def task_definition(self, name: str) -> JsonObject:
        """See `Services`."""
        family, _, revision = name.rpartition("/")[2].partition(":")
        revisions = self._definitions.get(family, [])
        at = int(revision) if revision else len(revisions)
        if not 1 <= at <= len(revisions):
            raise BlueChanged(f"there is no task definition {name}")
        return deepcopy(revisions[at - 1][0])

    def register(self, definition: JsonObject, tags: Mapping[str, str]) -> str:
        """See `Services`."""
        family = str(definition["family"])
        if not definition.get("containerDefinitions"):
            raise GreenFailed(f"ECS does not take task definition {family}: it has no container")
        revisions = self._definitions.setdefault(family, [])
        if not (revisions and dict(tags).items() <= revisions[-1][1].items()):
            arn = f"{_ARN}:task-definition/{family}:{len(revisions) + 1}"
            revisions.append((deepcopy({**definition, "taskDefinitionArn": arn}), dict(tags)))
        return f"{_ARN}:task-definition/{family}:{len(revisions)}"

    def create(self, request: JsonObject) -> ServiceState:
        """See `Services`."""
        wanted: Any = request
        cluster, name = str(wanted["cluster"]), str(wanted["serviceName"])
        self._refuse_unknown(cluster)
        key, token = (cluster, name), wanted.get("clientToken")
        if key in self._services:
            if token is None or self._made_by[key] != token:
                raise ServiceExists(f"{name} exists in {cluster} already")
            return self._services[key]
        self.task_definition(wanted["taskDefinition"])
        self.created.append(deepcopy(request))
        self._made_by[key] = token
        self._services[key] = ServiceState(
            arn=f"{_ARN}:service/{cluster}/{name}",
            name=name,
            status="ACTIVE",
            desired=wanted["desiredCount"],
            running=0,
            task_definition=wanted["taskDefinition"],
            deployments=(
                Deployment(
                    id=f"ecs-svc/{len(self._services) + 1}",
                    status="PRIMARY",
                    rollout=Rollout.IN_PROGRESS,
                    reason="",
                    desired=wanted["desiredCount"],
                    running=0,
                    task_definition=wanted["taskDefinition"],
                    service_connect=wanted.get("serviceConnectConfiguration"),
                ),
            ),
            tags={tag["key"]: tag["value"] for tag in wanted.get("tags", [])},
            settings={member: deepcopy(wanted[member]) for member in _SETTINGS & wanted.keys()},
        )
        if self.eager:
            self.complete(cluster, name)
        return self._services[key]

    def redeploy(self, cluster: str, name: str) -> ServiceState:
        """See `Services`."""
        found = self.describe(cluster, name)
        if found is None:
            raise GreenFailed(f"ECS does not deploy {name} anew: there is no such service")
        self.redeployed.append(name)
        newest = found.deployments[0]
        anew = replace(newest, id=f"{newest.id}.{len(self.redeployed)}", rollout=Rollout.IN_PROGRESS, running=0)
        older = tuple(replace(each, status="ACTIVE") for each in found.deployments)
        self._services[(cluster, name)] = replace(found, deployments=(anew, *older))
        if self.eager:
            self.complete(cluster, name)
        return self._services[(cluster, name)]

    def go_back(self, cluster: str, name: str) -> None:
        """Let ECS's circuit breaker go back to the deployment before the newest."""
        found = self._services[(cluster, name)]
        older = replace(found.deployments[1], status="PRIMARY")
        self._services[(cluster, name)] = replace(found, deployments=(older,))

    def adopt(self, arn: str, tags: Mapping[str, str]) -> None:
        """See `Services`."""
        for key, found in self._services.items():
            if found.arn == arn:
                self._services[key] = replace(found, tags={**found.tags, **tags})

    def remove(self, cluster: str, name: str) -> None:
        """See `Services`."""
        self._services.pop((cluster, name), None)

    def discovered(self, namespace: str) -> dict[str, int]:
        """Return how many tasks run behind each discovery name of a namespace, by its ARN."""
        connected = [
            (each, (each.primary.service_connect if each.primary else None)) for each in self._services.values()
        ]
        return {
            str(entry["discoveryName"]): state.running
            for state, connect in connected
            if connect is not None and connect.get("namespace") == namespace
            for entry in connect.get("services", [])
        }

    def complete(self, cluster: str, name: str) -> None:
        """Let the service's deployment complete, with all its tasks running."""
        self._end(cluster, name, Rollout.COMPLETED, "")

    def fail(self, cluster: str, name: str, reason: str) -> None:
        """Let the service's deployment fail."""
        self._end(cluster, name, Rollout.FAILED, reason)

    def drain(self, cluster: str, name: str) -> None:
        """Begin to delete the service."""
        self._services[(cluster, name)] = replace(self._services[(cluster, name)], status="DRAINING")

    def run(self, cluster: str, name: str, tasks: int) -> None:
        """Let so many of the service's tasks run."""
        found = self._services[(cluster, name)]
        deployments = tuple(replace(each, running=tasks) for each in found.deployments)
        self._services[(cluster, name)] = replace(found, running=tasks, deployments=deployments)

    def _end(self, cluster: str, name: str, rollout: Rollout, reason: str) -> None:
        found = self._services[(cluster, name)]
        deployments = tuple(replace(each, rollout=rollout, reason=reason) for each in found.deployments)
        self._services[(cluster, name)] = replace(found, deployments=deployments)
        self.run(cluster, name, found.desired if rollout is Rollout.COMPLETED else 0)

    def _refuse_unknown(self, cluster: str) -> None:
        if cluster not in self._clusters:
            raise BlueChanged(f"there is no cluster {cluster}; draw the plan again")


class MemoryNamespaces:
    """`Namespaces` that exist as soon as they are asked for. `lost` are discovery names to which nobody answers."""

    def __init__(self, services: MemoryServices) -> None:
        self.tags: dict[str, dict[str, str]] = {}
        self.lost: set[str] = set()
        self._services = services

    def ensure(self, name: str, tags: Mapping[str, str]) -> str:
        """See `Namespaces`."""
        self.tags.setdefault(name, dict(tags))
        return _namespace(name)

    def healthy(self, namespace: str, names: Sequence[str]) -> dict[str, int]:
        """See `Namespaces`."""
        arn = namespace if namespace.startswith("arn:") else _namespace(namespace)
        answer = self._services.discovered(arn)
        return {name: 0 if name in self.lost else answer.get(name, 0) for name in names}


def _namespace(name: str) -> str:
    return f"arn:aws:servicediscovery:eu-west-1:123456789012:namespace/ns-{name}"


class MemoryLogGroups:
    """`LogGroups` that exist as soon as they are asked for."""

    def __init__(self) -> None:
        self.tags: dict[str, dict[str, str]] = {}

    def ensure(self, name: str, tags: Mapping[str, str]) -> None:
        """See `LogGroups`."""
        self.tags.setdefault(name, dict(tags))


class MemoryScaling:
    """`Scaling` of the targets it is given."""

    def __init__(self, *targets: ScalingFound) -> None:
        self.targets = {(target.resource_id, target.dimension): target for target in targets}

    def found(self, cluster: str, service: str) -> tuple[ScalingFound, ...]:
        """See `Scaling`."""
        return tuple(t for t in self.targets.values() if t.resource_id == f"service/{cluster}/{service}")

    def suspend(self, wanted: ScalingFound) -> None:
        """See `Scaling`."""
        if (wanted.resource_id, wanted.dimension) in self.targets:
            self.targets[wanted.resource_id, wanted.dimension] = wanted


class MemoryGreenScaling:
    """`GreenScaling` that remembers, by green's name, its least count and what of it is suspended."""

    def __init__(self, *scaling_blues: str) -> None:
        self.blues = set(scaling_blues)
        self.copied: dict[str, tuple[int, bool, bool]] = {}
        self.labels: dict[str, str | None] = {}

    def copy(self, twin: Twin, *, least: int, tags: dict[str, str]) -> tuple[str, ...]:
        """See `GreenScaling`."""
        assert tags
        if twin.blue in self.blues:
            self.copied[twin.green] = (least, True, True)
            self.labels[twin.green] = twin.label
        return ()

    def let_go(self, twin: Twin, *, scaling_in: bool, scheduled: bool) -> None:
        """See `GreenScaling`."""
        if twin.green in self.copied:
            self.copied[twin.green] = (1, scaling_in, scheduled)

    def remove(self, cluster: str, green: str) -> None:
        """See `GreenScaling`."""
        assert cluster
        self.copied.pop(green, None)


class MemoryBlues:
    """`Blues` of one cluster: by service, its rebalancing, its count and the minutes each task is protected for."""

    def __init__(self, *services: str, tasks: int = 2, rebalancing: str | None = "ENABLED") -> None:
        self.rebalances: dict[str, str | None] = dict.fromkeys(services, rebalancing)
        self.protected: dict[str, dict[str, int]] = {
            service: {f"{_ARN}:task/{service}-{number}": 0 for number in range(tasks)} for service in services
        }
        self.desired: dict[str, int] = dict.fromkeys(services, tasks)

    def rebalancing(self, cluster: str, service: str) -> str | None:
        """See `Blues`."""
        self._refuse_gone(cluster, service)
        return self.rebalances[service]

    def rebalance(self, cluster: str, service: str, wanted: str) -> None:
        """See `Blues`."""
        self._refuse_gone(cluster, service)
        self.rebalances[service] = wanted

    def scale(self, cluster: str, service: str, desired: int) -> None:
        """See `Blues`."""
        self._refuse_gone(cluster, service)
        self.desired[service] = desired

    def tasks(self, cluster: str, service: str) -> dict[str, bool]:
        """See `Blues`."""
        self._refuse_gone(cluster, service)
        return {task: minutes > 0 for task, minutes in sorted(self.protected[service].items())}

    def protect(self, cluster: str, tasks: Sequence[str], minutes: int) -> tuple[str, ...]:
        """See `Blues`."""
        failed = []
        for task in tasks:
            assert cluster
            owner = [held for held in self.protected.values() if task in held]
            if owner:
                owner[0][task] = minutes
            else:
                failed.append(task)
        return tuple(failed)

    def _refuse_gone(self, cluster: str, service: str) -> None:
        if service not in self.rebalances:
            raise BlueChanged(f"blue service {service} is not in {cluster} any more")
