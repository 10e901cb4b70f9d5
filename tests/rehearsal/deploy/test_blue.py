"""Stand-ins made of a plan deploy as blue, and what the plan does to blue fits them."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossfade.connect.taskdef import rewrite
from crossfade.errors import BadInput
from crossfade.plan.document import ClientAlias, MigrationPlan
from rehearsal.application import stand_ins
from rehearsal.aws import EmbeddedAws
from rehearsal.blue import blue_template
from rehearsal.deploy import Deployer
from rehearsal.examples import application

GOLDEN = Path(__file__).resolve().parents[2] / "golden"


@pytest.mark.parametrize("example", ["shop", "bookings"])
def test_stand_ins_for_any_plan_run_as_the_plan_says_blue_does(aws: EmbeddedAws, example: str) -> None:
    plan = application(example).plan
    played = stand_ins(plan, edge_of=None, most_tasks=100)

    Deployer(aws).deploy(blue_template(played.plan), "blue")

    ecs, balancers = aws.client("ecs"), aws.client("elbv2")
    names = [each.blue.service_name for each in plan.services]
    found = {
        each["serviceName"]: each for each in ecs.describe_services(cluster=plan.cluster, services=names)["services"]
    }
    groups = {each["TargetGroupName"] for each in balancers.describe_target_groups()["TargetGroups"]}
    assert {name: each["runningCount"] for name, each in found.items()} == {
        each.blue.service_name: each.blue.desired_count for each in plan.services
    }
    assert plan.edges[0].blue.name in groups
    for service in plan.services:
        blue = found[service.blue.service_name]["taskDefinition"]
        definition = ecs.describe_task_definition(taskDefinition=blue)["taskDefinition"]
        assert definition["executionRoleArn"], "the preflight refuses a task without one: it could not log"
        green = rewrite(definition, service.green.task_definition)
        named = {each.get("name") for one in green["containerDefinitions"] for each in one.get("portMappings", ())}
        assert named >= {each.port_name for each in service.endpoints}


def test_the_same_plan_makes_the_same_template() -> None:
    plan = MigrationPlan.from_json((GOLDEN / "shop.plan.json").read_text())

    first = stand_ins(plan, edge_of=None, most_tasks=100)
    second = stand_ins(plan, edge_of=None, most_tasks=100)

    assert first == second


def test_a_bare_name_that_no_mesh_answers_is_refused() -> None:
    plan = application("bookings").plan
    rooms = plan.service("rooms")
    bare = rooms.endpoints[0].model_copy(update={"client_alias": ClientAlias(dns_name="rooms", port=8080)})
    dialled = plan.model_copy(
        update={
            "services": tuple(
                each.model_copy(update={"endpoints": (bare,)}) if each.name == "rooms" else each
                for each in plan.services
            )
        }
    )

    with pytest.raises(BadInput, match="callers dial rooms, which has no domain"):
        stand_ins(dialled, edge_of=None, most_tasks=100)
