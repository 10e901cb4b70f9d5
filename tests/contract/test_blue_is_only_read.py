"""Blue is only ever read: every call that making green sends to the embedded AWS is looked at."""

from __future__ import annotations

import json
from typing import Any

import boto3

from crossfade.connect.cloudmap import CloudMapNamespaces
from crossfade.connect.ecs import EcsServices
from crossfade.connect.services import MIGRATION_TAG
from rehearsal.aws import in_process
from tests.unit.connect.green import World

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
