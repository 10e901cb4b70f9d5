"""Amazon ECS: services described and created, task definitions read and registered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from crossfade.connect.services import Deployment, JsonObject, Rollout, ServiceState, StoppedTask
from crossfade.errors import BlueChanged, EcsBusy, GreenFailed, ServiceExists
from crossfade.throttles import asking

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

_SETTINGS = (
    "launchType",
    "capacityProviderStrategy",
    "platformVersion",
    "networkConfiguration",
    "placementConstraints",
    "placementStrategy",
    "schedulingStrategy",
    "enableECSManagedTags",
    "enableExecuteCommand",
    "propagateTags",
    "availabilityZoneRebalancing",
)


_TASKS_AT_ONCE = 100  # that one DescribeTasks takes


class EcsServices:
    """`Services` on Amazon ECS."""

    def __init__(self, client: ECSClient) -> None:
        self._client = client

    def describe(self, cluster: str, name: str) -> ServiceState | None:
        """See `Services`."""
        try:
            with asking("DescribeServices", EcsBusy):
                answer = self._client.describe_services(cluster=cluster, services=[name], include=["TAGS"])
        except self._client.exceptions.ClusterNotFoundException as gone:
            raise BlueChanged(f"there is no cluster {cluster}; draw the plan again") from gone
        found = [service for service in answer["services"] if service.get("status") != "INACTIVE"]
        return _state(cast("JsonObject", found[0])) if found else None

    def describe_all(self, cluster: str, names: Sequence[str]) -> dict[str, ServiceState]:
        """See `Services`."""
        found: dict[str, ServiceState] = {}
        for some in _tens(names):
            try:
                with asking("DescribeServices", EcsBusy):
                    answer = self._client.describe_services(cluster=cluster, services=some, include=["TAGS"])
            except self._client.exceptions.ClusterNotFoundException as gone:
                raise BlueChanged(f"there is no cluster {cluster}; draw the plan again") from gone
            states = (_state(cast("JsonObject", each)) for each in answer["services"])
            found |= {state.name: state for state in states if state.status != "INACTIVE"}
        return found

    def stopped(self, cluster: str, name: str) -> tuple[StoppedTask, ...]:
        """See `Services`."""
        gone = (self._client.exceptions.ServiceNotFoundException, self._client.exceptions.ClusterNotFoundException)
        try:
            with asking("ListTasks", EcsBusy):
                arns = self._client.list_tasks(cluster=cluster, serviceName=name, desiredStatus="STOPPED")["taskArns"]
            if not arns:
                return ()
            with asking("DescribeTasks", EcsBusy):
                tasks = self._client.describe_tasks(cluster=cluster, tasks=arns)["tasks"]
        except gone:
            return ()
        return tuple(
            StoppedTask(
                arn=task["taskArn"],
                at=task.get("stoppedAt") or task["stoppingAt"],
                code=task.get("stopCode", ""),
                reason=task.get("stoppedReason", ""),
            )
            for task in tasks
            if "stoppedAt" in task or "stoppingAt" in task
        )

    def unhealthy(self, cluster: str, name: str) -> tuple[str, ...]:
        """See `Services`."""
        arns: list[str] = []
        with asking("ListTasks", EcsBusy):
            for page in self._client.get_paginator("list_tasks").paginate(cluster=cluster, serviceName=name):
                arns += page["taskArns"]
        found: list[str] = []
        for start in range(0, len(arns), _TASKS_AT_ONCE):
            with asking("DescribeTasks", EcsBusy):
                tasks = self._client.describe_tasks(cluster=cluster, tasks=arns[start : start + _TASKS_AT_ONCE])[
                    "tasks"
                ]
            found += [task["taskArn"] for task in tasks if task.get("healthStatus") == "UNHEALTHY"]
        return tuple(sorted(found))

    def task_definition(self, name: str) -> JsonObject:
        """See `Services`."""
        try:
            with asking("DescribeTaskDefinition", EcsBusy):
                answer = self._client.describe_task_definition(taskDefinition=name)
        except self._client.exceptions.ClientException as gone:
            raise BlueChanged(f"there is no task definition {name}: {_message(gone)}") from gone
        return cast("JsonObject", answer["taskDefinition"])

    def register(self, definition: JsonObject, tags: Mapping[str, str]) -> str:
        """See `Services`."""
        family = str(definition["family"])
        arn = self._newest(family, tags)
        if arn is not None:
            return arn
        request: Any = {**definition, "tags": _tags(tags)}
        refusals = (
            self._client.exceptions.ClientException,
            self._client.exceptions.InvalidParameterException,
            self._client.exceptions.LimitExceededException,
        )
        try:
            with asking("RegisterTaskDefinition", EcsBusy):
                answer = self._client.register_task_definition(**request)
        except refusals as refused:
            raise GreenFailed(f"ECS does not take task definition {family}: {_message(refused)}") from refused
        return answer["taskDefinition"]["taskDefinitionArn"]

    def create(self, request: JsonObject) -> ServiceState:
        """See `Services`."""
        wanted: Any = request
        name, cluster = str(wanted["serviceName"]), str(wanted["cluster"])
        refusals = (
            self._client.exceptions.ClientException,
            self._client.exceptions.InvalidParameterException,
            self._client.exceptions.PlatformTaskDefinitionIncompatibilityException,
            self._client.exceptions.PlatformUnknownException,
            self._client.exceptions.UnsupportedFeatureException,
        )
        try:
            with asking("CreateService", EcsBusy):
                answer = self._client.create_service(**wanted)
        except self._client.exceptions.ClusterNotFoundException as gone:
            raise BlueChanged(f"there is no cluster {cluster}; draw the plan again") from gone
        except self._client.exceptions.NamespaceNotFoundException as unseen:
            raise EcsBusy(f"ECS does not see the namespace of {name} yet: {_message(unseen)}") from unseen
        except refusals as refused:
            if self.describe(cluster, name) is not None:
                raise ServiceExists(f"{name} exists in {cluster} already: {_message(refused)}") from refused
            raise GreenFailed(f"ECS does not take service {name}: {_message(refused)}") from refused
        return _state(cast("JsonObject", answer["service"]))

    def redeploy(self, cluster: str, name: str) -> ServiceState:
        """See `Services`."""
        refusals = (
            self._client.exceptions.ServiceNotFoundException,
            self._client.exceptions.ServiceNotActiveException,
            self._client.exceptions.ClientException,
            self._client.exceptions.InvalidParameterException,
        )
        try:
            with asking("UpdateService", EcsBusy):
                answer = self._client.update_service(cluster=cluster, service=name, forceNewDeployment=True)
        except self._client.exceptions.ClusterNotFoundException as gone:
            raise BlueChanged(f"there is no cluster {cluster}; draw the plan again") from gone
        except refusals as refused:
            raise GreenFailed(f"ECS does not deploy {name} anew: {_message(refused)}") from refused
        return _state(cast("JsonObject", answer["service"]))

    def adopt(self, arn: str, tags: Mapping[str, str]) -> None:
        """See `Services`."""
        listed: Any = _tags(tags)
        with asking("TagResource", EcsBusy):
            self._client.tag_resource(resourceArn=arn, tags=listed)

    def remove(self, cluster: str, name: str) -> None:
        """See `Services`."""
        gone = (
            self._client.exceptions.ServiceNotFoundException,
            self._client.exceptions.ServiceNotActiveException,
            self._client.exceptions.ClusterNotFoundException,
        )
        try:
            with asking("DeleteService", EcsBusy):
                self._client.delete_service(cluster=cluster, service=name, force=True)
        except gone:
            return

    def _newest(self, family: str, tags: Mapping[str, str]) -> str | None:
        try:
            with asking("DescribeTaskDefinition", EcsBusy):
                answer = self._client.describe_task_definition(taskDefinition=family, include=["TAGS"])
        except self._client.exceptions.ClientException:  # ECS's answer when the family has no revision
            return None
        found = _pairs(answer.get("tags", []))
        return answer["taskDefinition"]["taskDefinitionArn"] if dict(tags).items() <= found.items() else None


class EcsBlues:
    """`Blues` on Amazon ECS."""

    def __init__(self, client: ECSClient) -> None:
        self._client = client

    def rebalancing(self, cluster: str, service: str) -> str | None:
        """See `Blues`."""
        with _asking_of_blue("DescribeServices", self._client, service):
            found = self._client.describe_services(cluster=cluster, services=[service])["services"]
        active = [each for each in found if each.get("status") == "ACTIVE"]
        if not active:
            raise BlueChanged(f"blue service {service} is not in {cluster} any more")
        return active[0].get("availabilityZoneRebalancing")

    def rebalance(self, cluster: str, service: str, wanted: str) -> None:
        """See `Blues`."""
        request: Any = {"cluster": cluster, "service": service, "availabilityZoneRebalancing": wanted}
        with _asking_of_blue("UpdateService", self._client, service):
            self._client.update_service(**request)

    def scale(self, cluster: str, service: str, desired: int) -> None:
        """See `Blues`."""
        with _asking_of_blue("UpdateService", self._client, service):
            self._client.update_service(cluster=cluster, service=service, desiredCount=desired)

    def tasks(self, cluster: str, service: str) -> dict[str, bool]:
        """See `Blues`."""
        arns: list[str] = []
        with _asking_of_blue("ListTasks", self._client, service):
            for page in self._client.get_paginator("list_tasks").paginate(cluster=cluster, serviceName=service):
                arns += page["taskArns"]
        held: set[str] = set()
        for some in _tens(arns):
            with _asking_of_blue("GetTaskProtection", self._client, service):
                answer = self._client.get_task_protection(cluster=cluster, tasks=some)
            held |= {each["taskArn"] for each in answer["protectedTasks"] if each.get("protectionEnabled")}
        return {arn: arn in held for arn in sorted(arns)}

    def protect(self, cluster: str, tasks: Sequence[str], minutes: int) -> tuple[str, ...]:
        """See `Blues`."""
        failed: list[str] = []
        for some in _tens(tasks):
            request: Any = {"cluster": cluster, "tasks": some, "protectionEnabled": minutes > 0}
            if minutes:
                request["expiresInMinutes"] = minutes
            with _asking_of_blue("UpdateTaskProtection", self._client, cluster):
                answer = self._client.update_task_protection(**request)
            failed += [failure.get("arn", "a task") for failure in answer.get("failures", [])]
        return tuple(failed)


_MOST_AT_ONCE = 10  # that one call takes: services to describe, tasks to protect


def _tens(names: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), _MOST_AT_ONCE):
        yield list(names[start : start + _MOST_AT_ONCE])


@contextmanager
def _asking_of_blue(what: str, client: ECSClient, service: str) -> Iterator[None]:
    gone = (
        client.exceptions.ServiceNotFoundException,
        client.exceptions.ServiceNotActiveException,
        client.exceptions.ClusterNotFoundException,
    )
    try:
        with asking(what, EcsBusy):
            yield
    except gone as missing:
        raise BlueChanged(f"blue service {service} is gone: {_message(missing)}") from missing


def _state(service: JsonObject) -> ServiceState:
    return ServiceState(
        arn=service["serviceArn"],
        name=service["serviceName"],
        status=service["status"],
        desired=service["desiredCount"],
        running=service["runningCount"],
        task_definition=service["taskDefinition"],
        deployments=tuple(_deployment(each) for each in service.get("deployments", [])),
        tags=_pairs(service.get("tags", [])),
        shifted_by=_shifted_by(service),
        settings={key: service[key] for key in _SETTINGS if service.get(key) not in (None, [], {})},
    )


def _shifted_by(service: JsonObject) -> str | None:
    if service.get("deploymentController", {}).get("type") == "CODE_DEPLOY":
        return "CodeDeploy"
    if any(balancer.get("advancedConfiguration") for balancer in service.get("loadBalancers", [])):
        return "ECS's own deployments (advancedConfiguration)"
    return None


def _deployment(deployment: JsonObject) -> Deployment:
    return Deployment(
        id=deployment["id"],
        status=deployment["status"],
        rollout=Rollout(deployment.get("rolloutState", Rollout.IN_PROGRESS)),
        reason=deployment.get("rolloutStateReason", ""),
        desired=deployment.get("desiredCount", 0),
        running=deployment.get("runningCount", 0),
        task_definition=deployment["taskDefinition"],
        service_connect=deployment.get("serviceConnectConfiguration"),
    )


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def _pairs(tags: Any) -> dict[str, str]:
    return {tag["key"]: tag.get("value", "") for tag in tags}


def _message(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", error))
