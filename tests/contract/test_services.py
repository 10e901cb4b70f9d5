"""What ECS and Cloud Map promise us, asked of the adapters on the embedded AWS and of the fakes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import cache
from time import sleep
from typing import Any, Protocol

import boto3
import pytest
from botocore.stub import Stubber

from crossfade.connect.cloudmap import CloudMapNamespaces
from crossfade.connect.ecs import EcsServices
from crossfade.connect.logs import CloudWatchLogGroups
from crossfade.connect.memory import MemoryLogGroups, MemoryNamespaces, MemoryServices
from crossfade.connect.services import MIGRATION_TAG, LogGroups, Namespaces, Rollout, Services, ServiceState
from crossfade.errors import BlueChanged, EcsBusy, GreenFailed, ServiceExists
from rehearsal.aws import in_process

TAGS = {MIGRATION_TAG: "shop", "crossfade:digest": "d1"}
DEFINITION: dict[str, Any] = {
    "family": "web",
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
    "containerDefinitions": [
        {
            "name": "app",
            "image": "web:1",
            "essential": True,
            "portMappings": [{"containerPort": 8080, "protocol": "tcp", "name": "http", "appProtocol": "http"}],
        }
    ],
}


@cache  # reading a service's model takes boto3 longer than the test takes
def a_client(service: str) -> Any:
    return boto3.client(service, region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="a")  # type: ignore[call-overload]  # noqa: S106


class World(Protocol):
    @property
    def subnet(self) -> str: ...

    @property
    def services(self) -> Services: ...

    @property
    def namespaces(self) -> Namespaces: ...

    @property
    def log_groups(self) -> LogGroups: ...

    def log_group_tags(self, name: str) -> dict[str, str]: ...

    def complete(self, name: str) -> None: ...


class InMemory:
    subnet = "subnet-1"

    def __init__(self) -> None:
        self.services = MemoryServices("shop")
        self.namespaces = MemoryNamespaces(self.services)
        self.log_groups = MemoryLogGroups()

    def log_group_tags(self, name: str) -> dict[str, str]:
        return self.log_groups.tags[name]

    def complete(self, name: str) -> None:
        self.services.complete("shop", name)


class OnEcs:
    def __init__(self) -> None:
        a_client("ecs").create_cluster(clusterName="shop")
        self.subnet = str(a_client("ec2").describe_subnets()["Subnets"][0]["SubnetId"])
        self.services = EcsServices(a_client("ecs"))
        self.namespaces = CloudMapNamespaces(a_client("servicediscovery"))
        self.log_groups = CloudWatchLogGroups(a_client("logs"))

    def log_group_tags(self, name: str) -> dict[str, str]:
        return dict(a_client("logs").list_tags_log_group(logGroupName=name)["tags"])

    def complete(self, name: str) -> None:
        for _ in range(500):
            found = self.services.describe("shop", name)
            if found is not None and found.is_complete:
                return
            sleep(0.02)
        raise AssertionError(f"{name} did not complete")


WORLDS: dict[str, Callable[[], World]] = {"memory": InMemory, "aws": OnEcs}


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with nullcontext() if request.param == "memory" else in_process():
        yield WORLDS[request.param]()


def a_request(world: World, **changes: Any) -> dict[str, Any]:
    definition = world.services.register(DEFINITION, TAGS)
    return {
        "cluster": "shop",
        "serviceName": "web-green",
        "taskDefinition": definition,
        "desiredCount": 2,
        "clientToken": "token-1",
        "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": [world.subnet]}},
        "serviceConnectConfiguration": {
            "enabled": True,
            "namespace": world.namespaces.ensure("shop-green", TAGS),
            "services": [
                {
                    "portName": "http",
                    "discoveryName": "web",
                    "clientAliases": [{"port": 80, "dnsName": "web.shop.local"}],
                }
            ],
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/crossfade/shop"}},
        },
        "tags": [{"key": key, "value": value} for key, value in TAGS.items()],
        **changes,
    }


def described(world: World, name: str = "web-green") -> ServiceState:
    found = world.services.describe("shop", name)
    assert found is not None
    return found


# -- services --------------------------------------------------------------------


def test_a_service_that_is_not_there_is_none(world: World) -> None:
    assert world.services.describe("shop", "web") is None


def test_a_cluster_that_is_not_there_says_that_blue_changed(world: World) -> None:
    with pytest.raises(BlueChanged, match="nowhere"):
        world.services.describe("nowhere", "web")


def test_a_service_is_described_as_it_was_created(world: World) -> None:
    request = a_request(world)

    created = world.services.create(request)

    found = described(world)
    assert found.arn == created.arn
    assert found.arn.endswith(":service/shop/web-green")
    assert found.region == "eu-west-1"
    assert (found.status, found.desired, found.task_definition) == ("ACTIVE", 2, request["taskDefinition"])
    assert found.migration == "shop"


def test_what_green_copies_from_blue_is_as_create_service_takes_it(world: World) -> None:
    first = world.services.create(a_request(world))
    settings = described(world).settings

    second = world.services.create(
        {
            **settings,
            "cluster": "shop",
            "serviceName": "web-copy",
            "taskDefinition": first.task_definition,
            "desiredCount": 1,
        }
    )

    copied = described(world, "web-copy")
    assert copied.arn == second.arn
    assert copied.settings["launchType"] == "FARGATE"
    assert copied.settings["networkConfiguration"] == settings["networkConfiguration"]


def test_the_service_connect_configuration_is_read_back_from_its_deployment(world: World) -> None:
    request = a_request(world)

    world.services.create(request)

    primary = described(world).primary
    assert primary is not None
    assert primary.service_connect is not None
    assert primary.service_connect["services"][0]["clientAliases"] == [{"port": 80, "dnsName": "web.shop.local"}]
    assert primary.service_connect["logConfiguration"]["logDriver"] == "awslogs"


def test_a_service_is_complete_when_its_deployment_is_and_all_its_tasks_run(world: World) -> None:
    world.services.create(a_request(world))

    world.complete("web-green")

    found = described(world)
    assert (found.is_complete, found.failure, found.running) == (True, None, 2)
    assert found.primary is not None
    assert found.primary.rollout is Rollout.COMPLETED


def test_creating_again_with_the_same_token_gives_the_first_service(world: World) -> None:
    request = a_request(world)

    first, second = world.services.create(request), world.services.create(request)

    assert first.arn == second.arn


def test_creating_what_another_call_has_created_is_refused(world: World) -> None:
    request = a_request(world)
    world.services.create(request)

    with pytest.raises(ServiceExists, match="web-green"):
        world.services.create({**request, "clientToken": "token-2"})


def test_creating_in_a_cluster_that_is_not_there_says_that_blue_changed(world: World) -> None:
    with pytest.raises(BlueChanged):
        world.services.create(a_request(world, cluster="nowhere"))


def test_a_service_deployed_anew_has_another_newest_deployment_of_the_same_kind(world: World) -> None:
    world.services.create(a_request(world))
    world.complete("web-green")
    before = described(world).primary
    assert before is not None

    answered = world.services.redeploy("shop", "web-green")

    assert answered.primary is not None
    assert answered.primary.id != before.id
    assert answered.primary.task_definition == before.task_definition
    assert answered.primary.service_connect == before.service_connect
    assert not answered.is_complete
    world.complete("web-green")
    completed = described(world)
    assert completed.primary is not None
    assert (completed.primary.id, completed.desired) == (answered.primary.id, 2)


def test_a_service_that_is_not_there_is_not_deployed_anew(world: World) -> None:
    with pytest.raises(GreenFailed, match="web-green"):
        world.services.redeploy("shop", "web-green")


def test_deploying_anew_in_a_cluster_that_is_not_there_says_that_blue_changed(world: World) -> None:
    with pytest.raises(BlueChanged, match="nowhere"):
        world.services.redeploy("nowhere", "web-green")


def test_a_service_of_somebody_elses_is_taken_by_tagging_it_and_keeps_its_own_tags(world: World) -> None:
    arn = world.services.create(a_request(world, tags=[{"key": "team", "value": "shop"}])).arn

    for _ in range(2):
        world.services.adopt(arn, {MIGRATION_TAG: "shop"})

    assert described(world).tags == {"team": "shop", MIGRATION_TAG: "shop"}


def test_a_service_whose_tasks_are_well_has_no_unhealthy_task(world: World) -> None:
    world.services.create(a_request(world))
    world.complete("web-green")

    assert world.services.unhealthy("shop", "web-green") == ()


def test_tasks_that_ecs_calls_unhealthy_are_named_and_others_are_not() -> None:
    ecs = a_client("ecs")
    with Stubber(ecs) as stub:
        stub.add_response("list_tasks", {"taskArns": ["arn:a", "arn:b", "arn:c"]})
        states = {"arn:a": "HEALTHY", "arn:b": "UNHEALTHY", "arn:c": "UNKNOWN"}
        tasks: Any = [{"taskArn": arn, "healthStatus": state} for arn, state in states.items()]
        stub.add_response("describe_tasks", {"tasks": tasks})

        assert EcsServices(ecs).unhealthy("shop", "web-green") == ("arn:b",)


def test_a_service_that_is_removed_is_no_service_any_more_and_may_be_removed_again(world: World) -> None:
    world.services.create(a_request(world))

    for _ in range(2):
        world.services.remove("shop", "web-green")

    found = world.services.describe("shop", "web-green")
    assert found is None or found.status == "DRAINING"


# -- task definitions ----------------------------------------------------------------


def test_a_registered_task_definition_is_read_back_by_arn_and_by_family(world: World) -> None:
    arn = world.services.register(DEFINITION, TAGS)

    for name in (arn, "web"):
        found = world.services.task_definition(name)
        assert found["taskDefinitionArn"] == arn
        assert found["containerDefinitions"][0]["image"] == "web:1"


def test_registering_the_same_again_registers_nothing(world: World) -> None:
    first, second = (world.services.register(DEFINITION, TAGS) for _ in range(2))

    assert first == second


def test_another_digest_is_another_revision(world: World) -> None:
    first = world.services.register(DEFINITION, TAGS)

    second = world.services.register(DEFINITION, {**TAGS, "crossfade:digest": "d2"})

    assert first != second
    assert world.services.task_definition("web")["taskDefinitionArn"] == second


def test_a_task_definition_that_is_not_there_says_that_blue_changed(world: World) -> None:
    with pytest.raises(BlueChanged, match="gone"):
        world.services.task_definition("gone")


# -- namespaces ------------------------------------------------------------------------


def test_a_namespace_is_made_once_and_then_found(world: World) -> None:
    first, second = (world.namespaces.ensure("shop-green", TAGS) for _ in range(2))

    assert first == second
    assert first.startswith("arn:aws:servicediscovery:eu-west-1:")


def test_a_name_is_answered_for_by_every_task_that_runs_behind_it(world: World) -> None:
    world.services.create(a_request(world))
    world.complete("web-green")
    arn = world.namespaces.ensure("shop-green", TAGS)

    by_name, by_arn = (world.namespaces.healthy(each, ["web", "orders"]) for each in ("shop-green", arn))

    assert by_name == by_arn == {"web": 2, "orders": 0}


def test_nobody_answers_in_a_namespace_that_there_is_not(world: World) -> None:
    there = world.namespaces.ensure("shop-green", TAGS)

    for namespace in ("nowhere", f"{there}-not"):
        assert world.namespaces.healthy(namespace, ["web"]) == {"web": 0}


def test_two_names_are_two_namespaces(world: World) -> None:
    assert world.namespaces.ensure("a", TAGS) != world.namespaces.ensure("b", TAGS)


# -- log groups --------------------------------------------------------------------------


def test_a_log_group_is_made_once_and_keeps_the_tags_it_was_made_with(world: World) -> None:
    world.log_groups.ensure("/crossfade/shop", TAGS)
    world.log_groups.ensure("/crossfade/shop", {MIGRATION_TAG: "another"})

    assert world.log_group_tags("/crossfade/shop") == TAGS


@pytest.mark.parametrize(("code", "error"), [("ThrottlingException", EcsBusy), ("LimitExceededException", GreenFailed)])
def test_log_errors_become_ours(code: str, error: type[Exception]) -> None:
    client = a_client("logs")
    with Stubber(client) as stub:
        stub.add_client_error("create_log_group", code)

        with pytest.raises(error):
            CloudWatchLogGroups(client).ensure("/crossfade/shop", TAGS)


# -- what AWS says, translated -----------------------------------------------------------


CREATE: dict[str, Any] = {"cluster": "shop", "serviceName": "web-green", "taskDefinition": "web:1"}


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ThrottlingException", EcsBusy),
        ("ServerException", EcsBusy),
        ("NamespaceNotFoundException", EcsBusy),
        ("ClusterNotFoundException", BlueChanged),
    ],
)
def test_ecs_errors_become_ours(code: str, error: type[Exception]) -> None:
    client = a_client("ecs")
    with Stubber(client) as stub:
        stub.add_client_error("create_service", code)

        with pytest.raises(error):
            EcsServices(client).create(CREATE)


@pytest.mark.parametrize("code", ["InvalidParameterException", "ClientException", "UnsupportedFeatureException"])
def test_a_service_that_ecs_does_not_take_fails_green_with_ecs_words(code: str) -> None:
    client = a_client("ecs")
    with Stubber(client) as stub:
        stub.add_client_error("create_service", code, "no such subnet")
        stub.add_response("describe_services", {"services": [], "failures": [{"reason": "MISSING"}]})

        with pytest.raises(GreenFailed, match="no such subnet"):
            EcsServices(client).create(CREATE)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ThrottlingException", EcsBusy),
        ("ServiceNotActiveException", GreenFailed),
        ("ClientException", GreenFailed),
        ("InvalidParameterException", GreenFailed),
    ],
)
def test_what_ecs_says_of_deploying_anew_becomes_ours(code: str, error: type[Exception]) -> None:
    client = a_client("ecs")
    with Stubber(client) as stub:
        stub.add_client_error("update_service", code)

        with pytest.raises(error):
            EcsServices(client).redeploy("shop", "web-green")


@pytest.mark.parametrize("code", ["ClientException", "InvalidParameterException", "LimitExceededException"])
def test_a_task_definition_that_ecs_does_not_take_fails_green_with_ecs_words(code: str) -> None:
    client = a_client("ecs")
    with Stubber(client) as stub:
        stub.add_client_error("describe_task_definition", "ClientException")
        stub.add_client_error("register_task_definition", code, "Container list cannot be empty.")

        with pytest.raises(GreenFailed, match="Container list cannot be empty"):
            EcsServices(client).register(DEFINITION, TAGS)


def test_an_inactive_service_is_none_any_more() -> None:
    client = a_client("ecs")
    with Stubber(client) as stub:
        stub.add_response("describe_services", {"services": [{"serviceName": "web", "status": "INACTIVE"}]})

        assert EcsServices(client).describe("shop", "web") is None


def test_a_failed_deployment_says_why() -> None:
    deployment = {
        "id": "ecs-svc/1",
        "status": "PRIMARY",
        "taskDefinition": "web:1",
        "rolloutState": "FAILED",
        "rolloutStateReason": "tasks failed to start.",
    }
    service = {
        "serviceName": "web",
        "serviceArn": "arn:aws:ecs:eu-west-1:123456789012:service/shop/web",
        "status": "ACTIVE",
        "desiredCount": 2,
        "runningCount": 0,
        "taskDefinition": "web:1",
        "deployments": [deployment],
    }
    client = a_client("ecs")
    with Stubber(client) as stub:
        stub.add_response("describe_services", {"services": [service]})

        found = EcsServices(client).describe("shop", "web")

    assert found is not None
    assert (found.failure, found.is_complete) == ("tasks failed to start.", False)


def a_namespace(kind: str = "HTTP") -> dict[str, Any]:
    return {"Name": "shop-green", "Type": kind, "Arn": f"arn:{kind}"}


def test_a_dns_namespace_of_the_name_is_not_the_one() -> None:
    client = a_client("servicediscovery")
    with Stubber(client) as stub:
        stub.add_response("list_namespaces", {"Namespaces": [a_namespace("DNS_PRIVATE")], "NextToken": "more"})
        stub.add_response("list_namespaces", {"Namespaces": [a_namespace()]})

        assert CloudMapNamespaces(client).ensure("shop-green", TAGS) == "arn:HTTP"


@pytest.mark.parametrize(
    ("status", "error"), [("PENDING", EcsBusy), ("SUBMITTED", EcsBusy), ("SUCCESS", EcsBusy), ("FAIL", GreenFailed)]
)
def test_a_namespace_that_cannot_be_seen_yet_is_asked_for_again(status: str, error: type[Exception]) -> None:
    client = a_client("servicediscovery")
    with Stubber(client) as stub:
        stub.add_response("list_namespaces", {"Namespaces": []})
        stub.add_response("create_http_namespace", {"OperationId": "o-1"})
        stub.add_response("get_operation", {"Operation": {"Id": "o-1", "Status": status}})
        stub.add_response("list_namespaces", {"Namespaces": []})

        with pytest.raises(error, match="shop-green"):
            CloudMapNamespaces(client).ensure("shop-green", TAGS)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("NamespaceAlreadyExists", EcsBusy),
        ("DuplicateRequest", EcsBusy),
        ("RequestLimitExceeded", EcsBusy),
        ("ResourceLimitExceeded", GreenFailed),
    ],
)
def test_cloud_maps_errors_become_ours(code: str, error: type[Exception]) -> None:
    client = a_client("servicediscovery")
    with Stubber(client) as stub:
        stub.add_response("list_namespaces", {"Namespaces": []})
        stub.add_client_error("create_http_namespace", code)

        with pytest.raises(error):
            CloudMapNamespaces(client).ensure("shop-green", TAGS)
