from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from crossfade.connect.taskdef import READ_ONLY, draw_change, rewrite
from crossfade.errors import BlueChanged
from crossfade.plan.services import PortName, TaskDefinitionChange
from tests.meshes import a_service, found

ECS: Any = botocore.session.get_session().get_service_model("ecs")
BLUE: dict[str, Any] = {
    "taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/api:7",
    "family": "api",
    "revision": 7,
    "status": "ACTIVE",
    "registeredAt": datetime(2026, 1, 1, tzinfo=UTC),
    "registeredBy": "someone",
    "requiresAttributes": [{"name": "x"}],
    "compatibilities": ["EC2", "FARGATE"],
    "networkMode": "awsvpc",
    "cpu": "512",
    "memory": "1024",
    "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
    "taskRoleArn": "arn:aws:iam::123456789012:role/task",
    "requiresCompatibilities": ["FARGATE"],
    "runtimePlatform": {"cpuArchitecture": "ARM64"},
    "volumes": [{"name": "scratch"}],
    "proxyConfiguration": {"type": "APPMESH", "containerName": "envoy", "properties": []},
    "containerDefinitions": [
        {
            "name": "app",
            "image": "app@sha256:1",
            "essential": True,
            "portMappings": [{"containerPort": 8080, "hostPort": 8080, "protocol": "tcp"}],
            "environment": [{"name": "A", "value": "1"}, {"name": "APPMESH_X", "value": "2"}],
            "secrets": [{"name": "S", "valueFrom": "arn:secret"}],
            "dependsOn": [
                {"containerName": "envoy", "condition": "HEALTHY"},
                {"containerName": "init", "condition": "COMPLETE"},
            ],
            "healthCheck": {"command": ["CMD", "true"]},
            "mountPoints": [],
        },
        {
            "name": "init",
            "image": "init:1",
            "essential": False,
            "dependsOn": [{"containerName": "envoy", "condition": "START"}],
        },
        {"name": "envoy", "image": "aws-appmesh-envoy", "essential": True},
    ],
}
CHANGE = TaskDefinitionChange(
    family="api-sc",
    remove_containers=("envoy",),
    remove_proxy_configuration=True,
    remove_environment=("APPMESH_X",),
    name_ports=(PortName(container="app", container_port=8080, name="http-8080", app_protocol="http"),),
)


def test_envoy_leaves_and_everything_else_stays_to_the_letter() -> None:
    blue = copy.deepcopy(BLUE)

    green = rewrite(blue, CHANGE)

    expected = {key: value for key, value in BLUE.items() if key not in READ_ONLY | {"proxyConfiguration"}}
    app, init, _envoy = copy.deepcopy(BLUE["containerDefinitions"])
    app["dependsOn"].pop(0)
    app["environment"].pop()
    app["portMappings"][0] |= {"name": "http-8080", "appProtocol": "http"}
    del init["dependsOn"]
    assert green == {**expected, "family": "api-sc", "containerDefinitions": [app, init]}
    assert blue == BLUE


def test_what_comes_out_is_what_ecs_takes() -> None:
    green = rewrite(BLUE, CHANGE)

    report = ParamValidator().validate(green, ECS.operation_model("RegisterTaskDefinition").input_shape)

    assert not report.has_errors(), report.generate_report()


def test_what_is_dropped_is_exactly_what_registering_does_not_take() -> None:
    answered = set(ECS.shape_for("TaskDefinition").members)
    taken = set(ECS.operation_model("RegisterTaskDefinition").input_shape.members)

    assert answered - taken == READ_ONLY


def test_a_port_without_a_mapping_gets_one() -> None:
    port = PortName(container="init", container_port=9000, name="tcp-9000", app_protocol=None)

    green = rewrite(BLUE, CHANGE.model_copy(update={"name_ports": (port,)}))

    assert green["containerDefinitions"][1]["portMappings"] == [
        {"containerPort": 9000, "protocol": "tcp", "name": "tcp-9000"}
    ]


def test_a_health_check_of_blues_own_is_kept() -> None:
    check = {"command": ["CMD-SHELL", "curl x"]}

    green = rewrite(BLUE, CHANGE.model_copy(update={"health_checks": {"app": check, "init": check}}))

    assert [each.get("healthCheck") for each in green["containerDefinitions"]] == [{"command": ["CMD", "true"]}, check]


@pytest.mark.parametrize(
    ("blue", "change", "said"),
    [
        ({}, {"remove_containers": ("envoy", "gone")}, "no container named gone"),
        ({}, {"health_checks": {"gone": {}}}, "no container named gone"),
        ({"proxyConfiguration": None}, {}, "no proxyConfiguration"),
        ({"memory": None}, {}, "no task memory"),
        ({}, {"remove_containers": ("envoy", "app"), "name_ports": ()}, "no essential container"),
    ],
)
def test_a_blue_that_is_not_as_the_plan_says_is_refused(
    blue: dict[str, Any], change: dict[str, Any], said: str
) -> None:
    found_now = {key: value for key, value in {**BLUE, **blue}.items() if value is not None}

    with pytest.raises(BlueChanged, match=said):
        rewrite(found_now, CHANGE.model_copy(update=change))


def test_a_port_that_blue_names_otherwise_is_refused() -> None:
    blue = copy.deepcopy(BLUE)
    blue["containerDefinitions"][0]["portMappings"][0]["name"] = "web"

    with pytest.raises(BlueChanged, match="is named web and the plan says http-8080"):
        rewrite(blue, CHANGE)


def test_the_change_names_envoy_the_meshs_variables_and_the_memory_that_lacks() -> None:
    environment = {"APPMESH_X": "1", "A": "2"}
    service = a_service("api", environment=environment, task={"Memory": None}, app={"Memory": 300})
    task = found(service).task_definitions[0]

    change = draw_change(task, [], family="api-sc")

    assert change == TaskDefinitionChange(
        family="api-sc",
        remove_containers=("envoy",),
        remove_proxy_configuration=True,
        remove_environment=("APPMESH_X",),
        memory="428",
    )


def test_a_health_check_is_made_of_the_meshs_only_where_the_container_has_none() -> None:
    port = PortName(container="app", container_port=8080, name="http-8080", app_protocol="http")
    without = found(a_service("api", app={"HealthCheck": None})).task_definitions[0]
    with_one = found(a_service("api")).task_definitions[0]

    made = draw_change(without, [port], family="f", health_path="/ok").health_checks
    kept = draw_change(with_one, [port], family="f", health_path="/ok").health_checks

    assert "http://localhost:8080/ok" in made["app"]["command"][1]
    assert kept == {}
