"""ECS of the embedded AWS, in both modes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as some

from rehearsal.aws.ecs_model import Service, breaker_threshold
from tests.rehearsal.aws.ground import Ground, connect, grounds
from tests.rehearsal.aws.lab import MODES, until

BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}
ROLLBACK = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
DEPLOYMENTS = {"source": ["aws.ecs"], "detail-type": ["ECS Deployment State Change"]}


@pytest.fixture(scope="module", params=MODES)
def ground(request: pytest.FixtureRequest) -> Iterator[Ground]:
    yield from grounds(request.param)


def refusal(act: Any, **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        act(**request)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def events_of(ground: Ground, queue: str, service: str, count: int) -> list[dict[str, Any]]:
    heard: list[dict[str, Any]] = []

    def look() -> bool:
        heard.extend(
            event
            for event in map(json.loads, ground.messages(queue, 1))
            if event["resources"] and event["resources"][0].endswith(f"/{service}")
        )
        return len(heard) >= count

    until(look)
    return heard


# -- what a service is --------------------------------------------------------


def test_a_service_gives_back_all_it_was_given(ground: Ground) -> None:
    group = ground.group()
    ground.listener(group)
    log = {"logDriver": "awslogs", "options": {"awslogs-group": "/proxy", "awslogs-region": "eu-west-1"}}
    asked = ground.request(
        loadBalancers=[{"targetGroupArn": group, "containerName": "app", "containerPort": 8080}],
        healthCheckGracePeriodSeconds=30,
        availabilityZoneRebalancing="DISABLED",
        platformVersion="1.4.0",
        deploymentConfiguration={"maximumPercent": 150, "minimumHealthyPercent": 50, **ROLLBACK},
        serviceConnectConfiguration={
            **connect(ground.namespace(), "web", timeout={"perRequestTimeoutSeconds": 5}),
            "logConfiguration": log,
            "accessLogConfiguration": {"format": "JSON", "includeQueryParameters": "DISABLED"},
        },
        enableExecuteCommand=True,
        enableECSManagedTags=True,
        propagateTags="SERVICE",
        tags=[{"key": "crossfade:migration", "value": "m-1"}],
        clientToken="m-1",
    )

    ground.ecs.create_service(**asked)

    [found] = ground.ecs.describe_services(cluster="shop", services=[asked["serviceName"]], include=["TAGS"])[
        "services"
    ]
    elsewhere = {"cluster", "clientToken", "serviceConnectConfiguration", "deploymentConfiguration", "taskDefinition"}
    assert {member: found[member] for member in asked if member not in elsewhere} == {
        member: value for member, value in asked.items() if member not in elsewhere
    }
    assert asked["deploymentConfiguration"].items() <= found["deploymentConfiguration"].items()
    assert found["taskDefinition"] == asked["taskDefinition"]
    assert found["deployments"][0]["serviceConnectConfiguration"] == asked["serviceConnectConfiguration"]
    assert found["deployments"][0]["serviceConnectResources"][0]["discoveryName"] == "web"
    assert "serviceConnectConfiguration" not in found


def test_tags_are_answered_only_when_asked_for(ground: Ground) -> None:
    name = ground.service(tags=[{"key": "a", "value": "b"}])

    found = ground.described(name)

    assert "tags" not in found
    assert ground.ecs.list_tags_for_resource(resourceArn=found["serviceArn"])["tags"] == [{"key": "a", "value": "b"}]


def test_the_same_client_token_creates_one_service(ground: Ground) -> None:
    asked = ground.request(clientToken="again")
    first = ground.ecs.create_service(**asked)["service"]

    second = ground.ecs.create_service(**asked)["service"]

    assert second["deployments"][0]["id"] == first["deployments"][0]["id"]
    assert refusal(ground.ecs.create_service, **{**asked, "desiredCount": 3})[0] == "InvalidParameterException"
    assert refusal(ground.ecs.create_service, **{**asked, "clientToken": "other"})[0] == "InvalidParameterException"


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"cluster": "nowhere"}, "ClusterNotFoundException", "Cluster not found"),
        ({"taskDefinition": "nothing:1"}, "ClientException", "task definition"),
        ({"serviceName": "no spaces"}, "InvalidParameterException", "name"),
        ({"desiredCount": None}, "InvalidParameterException", "desired tasks"),
        ({"networkConfiguration": None}, "InvalidParameterException", "awsvpc"),
        ({"clientToken": "x" * 37}, "InvalidParameterException", "clientToken"),
        ({"healthCheckGracePeriodSeconds": 5}, "InvalidParameterException", "load balancers"),
        (
            {"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]},
            "InvalidParameterException",
            "launch type and capacity provider",
        ),
        (
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-12345678"]}}},
            "InvalidParameterException",
            "subnet",
        ),
        (
            {"serviceConnectConfiguration": {"enabled": True, "namespace": "nowhere"}},
            "NamespaceNotFoundException",
            "nowhere",
        ),
        ({"serviceConnectConfiguration": {"enabled": True}}, "InvalidParameterException", "namespace"),
    ],
)
def test_what_aws_refuses_at_the_door_is_refused(ground: Ground, changes: dict[str, Any], code: str, said: str) -> None:
    refused = refusal(ground.ecs.create_service, **ground.request(**changes))

    assert refused[0] == code
    assert said in refused[1]


def test_a_port_name_the_task_definition_lacks_is_refused(ground: Ground) -> None:
    asked = ground.request(serviceConnectConfiguration=connect(ground.namespace(), "web", portName="grpc"))

    code, said = refusal(ground.ecs.create_service, **asked)

    assert (code, "grpc" in said) == ("InvalidParameterException", True)


def test_a_target_group_no_load_balancer_uses_is_refused(ground: Ground) -> None:
    balancers = [{"targetGroupArn": ground.group(), "containerName": "app", "containerPort": 8080}]

    code, said = refusal(ground.ecs.create_service, **ground.request(loadBalancers=balancers))

    assert (code, "does not have an associated load balancer" in said) == ("InvalidParameterException", True)


def test_access_logs_without_a_log_configuration_are_refused(ground: Ground) -> None:
    asked = {**connect(ground.namespace(), "web"), "accessLogConfiguration": {"format": "JSON"}}

    code, _ = refusal(ground.ecs.create_service, **ground.request(serviceConnectConfiguration=asked))

    assert code == "InvalidParameterException"


# -- rolling out --------------------------------------------------------------


def test_a_new_service_comes_to_run_what_it_should_and_says_so(ground: Ground) -> None:
    queue = ground.hear(DEPLOYMENTS)
    name = ground.service()

    found = ground.rolled(name)

    ground.ecs.get_waiter("services_stable").wait(
        cluster="shop", services=[name], WaiterConfig={"Delay": 0, "MaxAttempts": 5}
    )
    assert (found["runningCount"], found["pendingCount"], len(found["deployments"])) == (2, 0, 1)
    heard = {event["detail"]["eventName"]: event for event in events_of(ground, queue, name, 2)}
    assert heard.keys() == {"SERVICE_DEPLOYMENT_IN_PROGRESS", "SERVICE_DEPLOYMENT_COMPLETED"}
    completed = heard["SERVICE_DEPLOYMENT_COMPLETED"]
    assert completed["resources"] == [found["serviceArn"]]
    assert completed["detail"].keys() == {"eventType", "eventName", "deploymentId", "updatedAt", "reason"}
    assert completed["detail"]["deploymentId"] == found["deployments"][0]["id"]
    assert completed["detail"]["reason"] == found["deployments"][0]["rolloutStateReason"]


def test_a_running_task_says_where_it_listens(ground: Ground) -> None:
    namespace = ground.namespace()
    name = ground.service(desiredCount=1, serviceConnectConfiguration=connect(namespace, ground.name("web")))
    ground.rolled(name)

    [task] = ground.tasks(name)

    [binding] = task["containers"][0]["networkBindings"]
    [spec] = ground.runtime.running(name)
    assert (binding["containerPort"], binding["bindIP"]) == (8080, "127.0.0.1")
    assert task["taskArn"] == spec.task_arn
    assert (task["group"], task["lastStatus"], task["healthStatus"]) == (f"service:{name}", "RUNNING", "HEALTHY")
    assert task["startedBy"] == ground.described(name)["deployments"][0]["id"]
    assert task["containers"][1]["name"].startswith("ecs-service-connect-")


def test_a_task_tells_of_each_step_with_a_rising_version(ground: Ground) -> None:
    queue = ground.hear({"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"]})
    name = ground.service(desiredCount=1)
    ground.rolled(name)

    heard = ground.messages(queue, 3, of=f'"service:{name}"')  # tasks of tests before may still be stopping
    told = [json.loads(body)["detail"] for body in heard]

    steps = [detail["lastStatus"] for detail in sorted(told, key=lambda detail: detail["version"])]
    assert steps == ["PROVISIONING", "PENDING", "RUNNING"]


def test_tasks_are_targets_while_they_run_and_no_longer(ground: Ground) -> None:
    group = ground.group()
    ground.listener(group)
    balancers = [{"targetGroupArn": group, "containerName": "app", "containerPort": 8080}]
    name = ground.service(loadBalancers=balancers)
    ground.rolled(name)
    [binding, _] = [task["containers"][0]["networkBindings"][0] for task in ground.tasks(name)]
    described = ground.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    serving = [(each["Target"]["Id"], each["Target"]["Port"]) for each in described]

    ground.ecs.update_service(cluster="shop", service=name, desiredCount=0)

    assert (binding["bindIP"], binding["hostPort"]) in serving
    assert len(serving) == 2
    until(lambda: ground.health(group) == [])


def test_a_deployment_whose_tasks_fail_trips_the_circuit_breaker(ground: Ground) -> None:
    queue = ground.hear(DEPLOYMENTS)
    asked = ground.request(deploymentConfiguration=BREAKER)
    ground.runtime.fail(asked["serviceName"], "CannotPullContainerError: no such image")
    ground.ecs.create_service(**asked)

    found = ground.rolled(asked["serviceName"], "FAILED")

    [failed] = [
        event
        for event in events_of(ground, queue, asked["serviceName"], 2)
        if event["detail"]["eventName"] == "SERVICE_DEPLOYMENT_FAILED"
    ]
    assert failed["detail"]["eventType"] == "ERROR"
    assert found["deployments"][0]["failedTasks"] >= 3
    assert found["runningCount"] == 0
    stopped = ground.tasks(asked["serviceName"], desiredStatus="STOPPED")
    assert {task["stoppedReason"] for task in stopped} == {"CannotPullContainerError: no such image"}
    assert {task["stopCode"] for task in stopped} == {"TaskFailedToStart"}


def test_a_failed_deployment_rolls_back_to_the_last_good_one(ground: Ground) -> None:
    name = ground.service(deploymentConfiguration=ROLLBACK)
    good = ground.rolled(name)["taskDefinition"]
    bad = ground.definition(image="app:bad")
    ground.runtime.fail(name)
    ground.ecs.update_service(cluster="shop", service=name, taskDefinition=bad)
    until(lambda: any("rolling back" in each["rolloutStateReason"] for each in ground.described(name)["deployments"]))

    ground.runtime.heal(name)

    found = ground.rolled(name)
    assert found["taskDefinition"] == good
    deployments = ground.ecs.list_service_deployments(cluster="shop", service=name)["serviceDeployments"]
    assert [each["status"] for each in deployments] == ["SUCCESSFUL", "ROLLBACK_SUCCESSFUL", "SUCCESSFUL"]


def test_without_a_circuit_breaker_a_service_tries_until_it_works(ground: Ground) -> None:
    asked = ground.request()
    ground.runtime.fail(asked["serviceName"])
    ground.ecs.create_service(**asked)
    until(lambda: ground.described(asked["serviceName"])["deployments"][0]["failedTasks"] >= 4)
    still_trying = ground.described(asked["serviceName"])["deployments"][0]["rolloutState"]

    ground.runtime.heal(asked["serviceName"])

    assert still_trying == "IN_PROGRESS"
    assert ground.rolled(asked["serviceName"])["runningCount"] == 2


def test_the_old_tasks_serve_until_the_new_ones_do(ground: Ground) -> None:
    name = ground.service()
    ground.rolled(name)
    old = {task["taskArn"] for task in ground.tasks(name)}
    ground.runtime.fail(name)
    ground.ecs.update_service(cluster="shop", service=name, forceNewDeployment=True)
    until(lambda: ground.described(name)["deployments"][0]["failedTasks"] >= 2)
    between = ground.described(name)

    ground.runtime.heal(name)

    assert [(each["status"], each["runningCount"]) for each in between["deployments"]] == [
        ("PRIMARY", 0),
        ("ACTIVE", 2),
    ]
    assert len(ground.rolled(name)["deployments"]) == 1
    assert old.isdisjoint(task["taskArn"] for task in ground.tasks(name))


def test_a_change_that_touches_no_task_starts_no_deployment(ground: Ground) -> None:
    name = ground.service()
    before = ground.rolled(name)["deployments"][0]["id"]

    ground.ecs.update_service(cluster="shop", service=name, desiredCount=3, availabilityZoneRebalancing="DISABLED")

    until(lambda: ground.described(name)["runningCount"] == 3)
    assert [each["id"] for each in ground.described(name)["deployments"]] == [before]


# -- keeping it running -------------------------------------------------------


def test_a_stopped_task_is_replaced(ground: Ground) -> None:
    name = ground.service()
    ground.rolled(name)
    [gone, _] = ground.tasks(name)

    ground.ecs.stop_task(cluster="shop", task=gone["taskArn"], reason="by hand")

    until(lambda: ground.described(name)["runningCount"] == 2 and gone["taskArn"] in ground.runtime.stopped)
    [described] = ground.ecs.describe_tasks(cluster="shop", tasks=[gone["taskArn"]])["tasks"]
    assert (described["lastStatus"], described["stoppedReason"]) == ("STOPPED", "by hand")
    assert ground.described(name)["deployments"][0]["rolloutState"] == "COMPLETED"


def test_a_task_that_stays_unhealthy_is_replaced(ground: Ground) -> None:
    check = {"command": ["CMD", "true"], "interval": 5, "retries": 2}
    name = ground.service(taskDefinition=ground.definition(healthCheck=check))
    ground.rolled(name)
    before = {task["taskArn"] for task in ground.tasks(name)}

    ground.runtime.sicken(name)

    until(lambda: before <= set(ground.runtime.stopped))
    ground.runtime.heal(name)
    until(lambda: [task["healthStatus"] for task in ground.tasks(name)] == ["HEALTHY", "HEALTHY"])


def test_a_protected_task_outlives_scaling_in(ground: Ground) -> None:
    name = ground.service()
    ground.rolled(name)
    newest = ground.tasks(name)[-1]["taskArn"]
    ground.ecs.update_task_protection(cluster="shop", tasks=[newest], protectionEnabled=True, expiresInMinutes=60)

    ground.ecs.update_service(cluster="shop", service=name, desiredCount=1)

    until(lambda: ground.described(name)["runningCount"] == 1)
    assert [task["taskArn"] for task in ground.tasks(name)] == [newest]
    [protected] = ground.ecs.get_task_protection(cluster="shop", tasks=[newest])["protectedTasks"]
    assert protected["protectionEnabled"]


def test_protection_for_longer_than_two_days_is_refused(ground: Ground) -> None:
    name = ground.service()
    ground.rolled(name)
    tasks = [task["taskArn"] for task in ground.tasks(name)]

    code, _ = refusal(
        ground.ecs.update_task_protection, cluster="shop", tasks=tasks, protectionEnabled=True, expiresInMinutes=2881
    )

    assert code == "InvalidParameterException"


def test_a_deleted_service_leaves_nothing_and_frees_its_name(ground: Ground) -> None:
    asked = ground.request()
    name = asked["serviceName"]
    ground.ecs.create_service(**asked)
    ground.rolled(name)
    too_soon = refusal(ground.ecs.delete_service, cluster="shop", service=name)

    ground.ecs.delete_service(cluster="shop", service=name, force=True)

    until(lambda: ground.described(name)["status"] == "INACTIVE")
    assert too_soon == ("InvalidParameterException", "The service cannot be stopped while it is scaled above 0.")
    assert (ground.runtime.running(name), ground.tasks(name)) == ([], [])
    assert ground.ecs.create_service(**asked)["service"]["status"] == "ACTIVE"
    assert refusal(ground.ecs.update_service, cluster="shop", service="nobody")[0] == "ServiceNotFoundException"


# -- Service Connect ----------------------------------------------------------


def test_a_task_knows_the_endpoints_there_were_when_it_started(ground: Ground) -> None:
    namespace, served = ground.namespace(), ground.name("orders")
    client = ground.service(desiredCount=1, serviceConnectConfiguration={"enabled": True, "namespace": namespace})
    ground.rolled(client)
    server = ground.service(serviceConnectConfiguration=connect(namespace, served, timeout={"idleTimeoutSeconds": 9}))
    ground.rolled(server)
    [early] = ground.runtime.running(client)

    ground.ecs.update_service(cluster="shop", service=client, forceNewDeployment=True)

    ground.rolled(client)
    [late] = ground.runtime.running(client)
    [endpoint] = late.endpoints
    assert early.endpoints == ()
    assert (endpoint.dns_name, endpoint.port, endpoint.service) == (f"{served}.local", 80, server)
    assert (endpoint.app_protocol, endpoint.timeout, endpoint.container_port) == (
        "http",
        {"idleTimeoutSeconds": 9},
        8080,
    )
    assert late.namespace == namespace


@pytest.mark.parametrize("other", [{"discoveryName": "another"}, {"clientAliases": [{"port": 80, "dnsName": "other"}]}])
def test_a_name_another_service_has_in_the_namespace_is_refused(ground: Ground, other: dict[str, Any]) -> None:
    namespace = ground.namespace()
    ground.service(serviceConnectConfiguration=connect(namespace, "orders"))

    asked = ground.request(serviceConnectConfiguration=connect(namespace, "orders", **other))

    assert refusal(ground.ecs.create_service, **asked)[0] == "InvalidParameterException"


def test_a_discovery_name_becomes_a_cloud_map_service(ground: Ground) -> None:
    namespace, name = ground.namespace(), ground.name("orders")
    service = ground.service(serviceConnectConfiguration=connect(namespace, name))

    services = [each["Name"] for each in ground.cloudmap.list_services()["Services"]]

    assert name in services
    found = ground.ecs.list_services_by_namespace(namespace=namespace)["serviceArns"]
    assert [arn.rpartition("/")[2] for arn in found] == [service]


def test_a_cloud_map_service_of_somebody_else_is_not_taken_over(ground: Ground) -> None:
    namespace = ground.namespace()
    [mine] = ground.cloudmap.list_namespaces(Filters=[{"Name": "NAME", "Values": [namespace]}])["Namespaces"]
    ground.cloudmap.create_service(Name="orders", NamespaceId=mine["Id"])

    asked = ground.request(serviceConnectConfiguration=connect(namespace, "orders"))

    assert refusal(ground.ecs.create_service, **asked)[0] == "InvalidParameterException"


def test_a_revision_keeps_the_configuration_it_was_made_with(ground: Ground) -> None:
    asked = connect(ground.namespace(), ground.name("orders"))
    name = ground.service(serviceConnectConfiguration=asked)
    found = ground.rolled(name)

    [brief] = ground.ecs.list_service_deployments(cluster="shop", service=name)["serviceDeployments"]

    arn = brief["targetServiceRevisionArn"]
    [revision] = ground.ecs.describe_service_revisions(serviceRevisionArns=[arn])["serviceRevisions"]
    [whole] = ground.ecs.describe_service_deployments(serviceDeploymentArns=[brief["serviceDeploymentArn"]])[
        "serviceDeployments"
    ]
    assert revision["serviceConnectConfiguration"] == asked
    assert found["currentServiceRevisions"][0]["arn"] == arn
    assert (whole["status"], whole["targetServiceRevision"]["runningTaskCount"]) == ("SUCCESSFUL", 2)


def test_the_protocol_of_a_served_port_cannot_change(ground: Ground) -> None:
    name = ground.service(serviceConnectConfiguration=connect(ground.namespace(), ground.name("orders")))
    other = ground.definition(portMappings=[{"containerPort": 8080, "name": "http", "appProtocol": "grpc"}])

    code, _ = refusal(ground.ecs.update_service, cluster="shop", service=name, taskDefinition=other)

    assert code == "InvalidParameterException"


# -- listing ------------------------------------------------------------------


def test_services_are_listed_page_by_page_and_unknown_ones_named(ground: Ground) -> None:
    ground.ecs.create_cluster(clusterName="many")
    asked = ground.request(cluster="many", desiredCount=0)
    names = {ground.name("paged") for _ in range(12)}
    for name in names:
        ground.ecs.create_service(**{**asked, "serviceName": name})

    pages = list(ground.ecs.get_paginator("list_services").paginate(cluster="many"))

    assert [len(page["serviceArns"]) for page in pages] == [10, 2]
    assert {arn.rpartition("/")[2] for page in pages for arn in page["serviceArns"]} == names
    [failure] = ground.ecs.describe_services(cluster="many", services=["nobody"])["failures"]
    assert failure["reason"] == "MISSING"
    [cluster] = ground.ecs.describe_clusters(clusters=["many"])["clusters"]
    assert cluster["activeServicesCount"] == 12


@given(desired=some.integers(0, 2000))
def test_the_circuit_breaker_allows_half_the_tasks_to_fail_within_bounds(desired: int) -> None:
    service = Service.__new__(Service)
    service.desired = desired
    service.settings = {"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}}

    threshold = breaker_threshold(service)

    assert 3 <= threshold <= 200
    assert threshold == min(max(3, -(-desired // 2)), 200)
