"""Blue is read, and changed by the verbs of `connect.blue` alone: every call that names it is looked at."""

from __future__ import annotations

import json
from typing import Any

import boto3

from crossfade.connect.autoscaling import AutoScaling
from crossfade.connect.blue import FreezeRequest, freeze, thaw
from crossfade.connect.cloudmap import CloudMapNamespaces
from crossfade.connect.ecs import EcsBlues, EcsServices
from crossfade.connect.services import MIGRATION_TAG
from rehearsal.aws import in_process
from tests.traffic import NOON
from tests.unit.green.world import World

LOOKS = ("Describe", "List", "Get")


def a_client(service: str, calls: list[tuple[str, str]]) -> Any:
    client: Any = boto3.client(service, region_name="eu-west-1")  # type: ignore[call-overload]

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        calls.append((model.name, json.dumps(params, default=str)))

    client.meta.events.register("provide-client-params", note)
    return client


def test_no_call_but_a_look_names_a_blue_service() -> None:
    world = World()
    calls: list[tuple[str, str]] = []
    with in_process():
        ecs = boto3.client("ecs", region_name="eu-west-1")
        ecs.create_cluster(clusterName="shop")
        for name in ("web", "orders"):
            definition: Any = dict(world.services.task_definition(name))
            definition.pop("taskDefinitionArn")
            ecs.register_task_definition(**definition)
            ecs.create_service(cluster="shop", serviceName=name, taskDefinition=name, desiredCount=2)
        world.services = EcsServices(a_client("ecs", calls))
        world.namespaces = CloudMapNamespaces(a_client("servicediscovery", calls))  # type: ignore[assignment]

        world.create("orders")
        world.check("orders")

        green: Any = ecs.describe_services(cluster="shop", services=["orders-green"], include=["TAGS"])["services"]
    changes = [(name, params) for name, params in calls if not name.startswith(LOOKS)]
    assert [name for name, _ in changes] == ["CreateHttpNamespace", "RegisterTaskDefinition", "CreateService"]
    assert [json.loads(params).get("serviceName") for _, params in changes[2:]] == ["orders-green"]
    assert [json.loads(params).get("family") for _, params in changes[1:2]] == ["orders-green"]
    assert {tag["key"]: tag["value"] for tag in green[0]["tags"]}[MIGRATION_TAG] == "shop"


def test_deploying_anew_names_the_green_service_and_changes_nothing_of_it() -> None:
    calls: list[tuple[str, str]] = []
    world = World()
    with in_process():
        ecs = boto3.client("ecs", region_name="eu-west-1")
        ecs.create_cluster(clusterName="shop")
        definition: Any = dict(world.services.task_definition("orders"))
        definition.pop("taskDefinitionArn")
        ecs.register_task_definition(**definition)
        tags: Any = [{"key": MIGRATION_TAG, "value": "shop"}]
        for name in ("orders", "orders-green"):
            ecs.create_service(cluster="shop", serviceName=name, taskDefinition="orders", desiredCount=2, tags=tags)
        world.services = EcsServices(a_client("ecs", calls))

        world.redeploy()

    changes = [(name, json.loads(params)) for name, params in calls if not name.startswith(LOOKS)]
    assert changes == [("UpdateService", {"cluster": "shop", "service": "orders-green", "forceNewDeployment": True})]


MAY = {  # operation: the members it may have
    "RegisterScalableTarget": {"ServiceNamespace", "ResourceId", "ScalableDimension", "SuspendedState"},
    "UpdateService": {"cluster", "service", "availabilityZoneRebalancing"},
    "UpdateTaskProtection": {"cluster", "tasks", "protectionEnabled", "expiresInMinutes"},
}


def test_freezing_and_thawing_send_the_allowed_verbs_and_nothing_else() -> None:
    world = World()
    calls: list[tuple[str, str]] = []
    with in_process():
        ecs = boto3.client("ecs", region_name="eu-west-1")
        ecs.create_cluster(clusterName="shop")
        for name in ("web", "orders"):
            definition: Any = dict(world.services.task_definition(name))
            definition.pop("taskDefinitionArn")
            ecs.register_task_definition(**definition)
            ecs.create_service(
                cluster="shop",
                serviceName=name,
                taskDefinition=name,
                desiredCount=1,
                availabilityZoneRebalancing="ENABLED",
            )
        boto3.client("application-autoscaling", region_name="eu-west-1").register_scalable_target(
            ServiceNamespace="ecs",
            ResourceId="service/shop/web",
            ScalableDimension="ecs:service:DesiredCount",
            MinCapacity=1,
            MaxCapacity=2,
        )
        scaling = AutoScaling(a_client("application-autoscaling", calls))
        blues = EcsBlues(a_client("ecs", calls))
        before = _described(ecs)

        request = FreezeRequest(migration="shop", fence=1)
        freeze(request, journal=world.journal, plans=world.plans, scaling=scaling, blues=blues, now=NOON)
        thaw(request, journal=world.journal, scaling=scaling, blues=blues, now=NOON)

        after = _described(ecs)
    changes = [(name, set(json.loads(params))) for name, params in calls if not name.startswith(LOOKS)]
    assert {name for name, _ in changes} == set(MAY)
    assert [(name, members - MAY[name]) for name, members in changes if members - MAY[name]] == []
    assert after == before


def _described(ecs: Any) -> list[Any]:
    described = ecs.describe_services(cluster="shop", services=["web", "orders"])["services"]
    return [
        {
            **{name: each[name] for name in ("desiredCount", "taskDefinition", "availabilityZoneRebalancing")},
            "deployments": [deployment["id"] for deployment in each["deployments"]],
        }
        for each in described
    ]
