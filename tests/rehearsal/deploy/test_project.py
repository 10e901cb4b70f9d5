"""The project's own stack and example application, deployed as they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rehearsal.aws import EmbeddedAws
from rehearsal.aws.runtime import StillRuntime
from rehearsal.deploy import Deployer, DeployFailed

ROOT = Path(__file__).parents[3]
SHOP = ROOT / "examples" / "shop"


def test_the_stack_is_made_of_the_real_template(aws: EmbeddedAws) -> None:
    deployer = Deployer(aws)

    outputs = deployer.deploy_sam(ROOT / "template.yaml", "crossfade")

    machines = aws.client("stepfunctions").list_state_machines()["stateMachines"]
    functions = aws.client("lambda").list_functions()["Functions"]
    folders = [path for path in (ROOT / "functions").iterdir() if (path / "app.py").is_file()]
    assert sorted(machine["name"] for machine in machines) == [
        "crossfade-climb",
        "crossfade-migrate",
        "crossfade-retire",
        "crossfade-roll-back",
    ]
    assert outputs["MigrateArn"] == deployer.describe("crossfade")["Migrate"]
    assert len(functions) == len(folders)


def test_every_function_the_machines_call_was_made(aws: EmbeddedAws) -> None:
    deployer = Deployer(aws)

    deployer.deploy_sam(ROOT / "template.yaml", "crossfade")

    made = set(deployer.describe("crossfade").values())
    client = aws.client("stepfunctions")
    called: set[str] = set()
    for machine in client.list_state_machines()["stateMachines"]:
        definition = client.describe_state_machine(stateMachineArn=machine["stateMachineArn"])["definition"]
        called |= {part for part in json.dumps(json.loads(definition)).split('"') if ":function:" in part}
    assert called
    assert called <= made


@pytest.fixture
def shop(aws: EmbeddedAws) -> Deployer:
    deployer = Deployer(aws)
    deployer.deploy(SHOP / "mesh.yaml", "shop")
    return deployer


def test_shop_is_steady_once_it_is_deployed(aws: EmbeddedAws, shop: Deployer) -> None:
    shop.deploy(SHOP / "services.yaml", "shop-services")

    client = aws.client("ecs")
    [cluster] = client.list_clusters()["clusterArns"]
    services = client.describe_services(cluster=cluster, services=client.list_services(cluster=cluster)["serviceArns"])[
        "services"
    ]
    assert {service["serviceName"] for service in services} == {"web", "orders", "payments"}
    assert all(service["runningCount"] == service["desiredCount"] == 2 for service in services)


def test_shop_without_its_mesh_names_the_export_it_misses(aws: EmbeddedAws) -> None:
    with pytest.raises(DeployFailed, match="no stack deployed here exports shop:"):
        Deployer(aws).deploy(SHOP / "services.yaml", "shop-services")


def test_a_service_whose_tasks_do_not_start_fails_its_stack_and_says_why(shop: Deployer, tasks: StillRuntime) -> None:
    tasks.fail("orders", "Essential container in task exited")

    with pytest.raises(DeployFailed, match=r"(?i)orders") as failed:
        shop.deploy(SHOP / "services.yaml", "shop-services")

    assert failed.value.type == "AWS::ECS::Service"
