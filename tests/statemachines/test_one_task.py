"""A service that others call and that runs one task moves only when a person has accepted that: the real machines."""

from __future__ import annotations

import pytest

from crossfade.connect.gaps import gap
from crossfade.plan.document import Acceptance, MigrationPlan

from .world import World

LONE = "orders"


@pytest.fixture
def one_task(world: World) -> MigrationPlan:
    """Let blue's orders run one task, and return the plan of a green like it."""
    containers = world.aws.client("ecs")
    containers.update_service(cluster=world.plan.cluster, service=LONE, desiredCount=1)
    world.until(lambda: _tasks(world, LONE) == 1, "blue runs one task of orders")
    services = tuple(
        service.model_copy(
            update={
                "blue": service.blue.model_copy(update={"desired_count": 1}),
                "green": service.green.model_copy(update={"desired_count": 1}),
            }
        )
        if service.name == LONE
        else service
        for service in world.plan.services
    )
    others = tuple(each for each in world.plan.gaps if each.id != "SINGLE_TASK")
    return world.plan.model_copy(update={"services": services, "gaps": others})


def test_a_lone_task_that_nobody_has_accepted_is_refused_before_anything_is_made(
    world: World, one_task: MigrationPlan
) -> None:
    asked = gap("SINGLE_TASK", f"ecsService/{LONE}")

    world.ended(world.migrate(one_task.model_copy(update={"gaps": (*one_task.gaps, asked)})))
    world.until_phase("rolled_back")

    said = world.journal.read("shop").reason or ""
    assert said.startswith("PreflightRefused")
    assert f"green service {_green(one_task)}: would serve with one task" in said
    assert _tasks(world, _green(one_task)) is None
    assert world.meter.green_percent() == 0


def test_a_lone_task_that_a_person_has_accepted_gets_its_share_and_is_remarked_on(
    world: World, one_task: MigrationPlan
) -> None:
    acceptance = Acceptance(who="ada", why="a batch service; a minute of errors is fine", at=world.plan.drawn_at)
    accepted = gap("SINGLE_TASK", f"ecsService/{LONE}").model_copy(update={"accepted": acceptance})

    world.migrate(one_task.model_copy(update={"gaps": (*one_task.gaps, accepted)}))
    world.until_green_has(10)

    assert _tasks(world, _green(one_task)) == 1
    [verified] = [entry for entry in world.journal.entries("shop") if entry.what == "verify"]
    remarks = {service["name"]: service["remark"] for service in verified.detail["services"]}
    assert "can never eject" in remarks.pop(LONE)
    assert set(remarks.values()) == {""}


def _green(plan: MigrationPlan) -> str:
    return plan.service(LONE).green.service_name


def _tasks(world: World, service: str) -> int | None:
    """Return how many tasks of a service run; None where there is no such service."""
    found = world.aws.client("ecs").describe_services(cluster=world.plan.cluster, services=[service])["services"]
    active = [each for each in found if each["status"] == "ACTIVE"]
    return int(active[0]["runningCount"]) if active else None
