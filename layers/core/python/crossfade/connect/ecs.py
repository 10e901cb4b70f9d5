"""Amazon ECS: services described and created, task definitions read and registered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from crossfade.connect.services import Deployment, JsonObject, Rollout, ServiceState
from crossfade.errors import BlueChanged, EcsBusy, GreenFailed, ServiceExists
from crossfade.throttles import is_busy

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


class EcsServices:
    """`Services` on Amazon ECS."""

    def __init__(self, client: ECSClient) -> None:
        self._client = client

    def describe(self, cluster: str, name: str) -> ServiceState | None:
        """See `Services`."""
        try:
            with _asking("DescribeServices"):
                answer = self._client.describe_services(cluster=cluster, services=[name], include=["TAGS"])
        except self._client.exceptions.ClusterNotFoundException as gone:
            raise BlueChanged(f"there is no cluster {cluster}; draw the plan again") from gone
        found = [service for service in answer["services"] if service.get("status") != "INACTIVE"]
        return _state(cast("JsonObject", found[0])) if found else None

    def task_definition(self, name: str) -> JsonObject:
        """See `Services`."""
        try:
            with _asking("DescribeTaskDefinition"):
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
            with _asking("RegisterTaskDefinition"):
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
            with _asking("CreateService"):
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

    def _newest(self, family: str, tags: Mapping[str, str]) -> str | None:
        try:
            with _asking("DescribeTaskDefinition"):
                answer = self._client.describe_task_definition(taskDefinition=family, include=["TAGS"])
        except self._client.exceptions.ClientException:  # ECS's answer when the family has no revision
            return None
        found = _pairs(answer.get("tags", []))
        return answer["taskDefinition"]["taskDefinitionArn"] if dict(tags).items() <= found.items() else None


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
        settings={key: service[key] for key in _SETTINGS if service.get(key) not in (None, [], {})},
    )


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


@contextmanager
def _asking(what: str) -> Iterator[None]:
    try:
        yield
    except (HTTPClientError, NoConnection) as cut:
        raise EcsBusy(f"{what}: no answer: {cut}") from cut
    except ClientError as refused:
        if is_busy(refused.response):
            raise EcsBusy(f"{what}: {refused.response['Error']['Code']}") from refused
        raise
