"""The verbs allowed on blue, asked of ECS and Application Auto Scaling and of the ones in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from time import sleep
from typing import Any, Protocol

import pytest

from crossfade.connect.autoscaling import AutoScaling
from crossfade.connect.blue import Blues, Scaling
from crossfade.connect.ecs import EcsBlues
from crossfade.connect.memory import MemoryBlues, MemoryScaling
from crossfade.errors import BlueChanged
from crossfade.journal.blue import ScalingFound
from rehearsal.aws import in_process
from tests.aws import a_client

TARGET = ScalingFound(resource_id="service/shop/web", dimension="ecs:service:DesiredCount")
DEFINITION: dict[str, Any] = {
    "family": "web",
    "containerDefinitions": [{"name": "app", "image": "web:1", "essential": True, "memory": 64}],
}


class World(Protocol):
    @property
    def blues(self) -> Blues: ...

    @property
    def scaling(self) -> Scaling: ...

    def deployments(self) -> int: ...


class InMemory:
    def __init__(self) -> None:
        self.blues = MemoryBlues("web")
        self.scaling = MemoryScaling(TARGET)

    def deployments(self) -> int:
        return 1


class OnAws:
    def __init__(self) -> None:
        self.ecs = a_client("ecs")
        self.ecs.create_cluster(clusterName="shop")
        self.ecs.register_task_definition(**DEFINITION)
        self.ecs.create_service(
            cluster="shop",
            serviceName="web",
            taskDefinition="web",
            desiredCount=2,
            availabilityZoneRebalancing="ENABLED",
        )
        for _ in range(200):
            if self.ecs.describe_services(cluster="shop", services=["web"])["services"][0]["runningCount"] == 2:
                break
            sleep(0.02)
        scaling = a_client("application-autoscaling")
        scaling.register_scalable_target(
            ServiceNamespace="ecs",
            ResourceId=TARGET.resource_id,
            ScalableDimension=TARGET.dimension,
            MinCapacity=2,
            MaxCapacity=4,
        )
        self.blues = EcsBlues(self.ecs)
        self.scaling = AutoScaling(scaling)

    def deployments(self) -> int:
        return len(self.ecs.describe_services(cluster="shop", services=["web"])["services"][0]["deployments"])


WORLDS: dict[str, Callable[[], World]] = {"memory": InMemory, "aws": OnAws}


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with nullcontext() if request.param == "memory" else in_process():
        yield WORLDS[request.param]()


def test_scaling_is_suspended_as_asked_and_resumed_as_it_was(world: World) -> None:
    [found] = world.scaling.found("shop", "web")

    world.scaling.suspend(found.model_copy(update={"scaling_in": True, "scheduled": True}))

    [suspended] = world.scaling.found("shop", "web")
    assert found == TARGET
    assert (suspended.scaling_in, suspended.scaling_out, suspended.scheduled) == (True, False, True)
    world.scaling.suspend(found)
    assert world.scaling.found("shop", "web") == (found,)


def test_a_service_that_does_not_scale_has_nothing_to_suspend(world: World) -> None:
    assert world.scaling.found("shop", "other") == ()


def test_scaling_that_is_gone_is_not_made_again(world: World) -> None:
    world.scaling.suspend(TARGET.model_copy(update={"resource_id": "service/shop/other", "scaling_in": True}))

    assert world.scaling.found("shop", "other") == ()


def test_rebalancing_is_switched_off_and_on_without_a_deployment(world: World) -> None:
    assert world.blues.rebalancing("shop", "web") == "ENABLED"

    world.blues.rebalance("shop", "web", "DISABLED")

    assert world.blues.rebalancing("shop", "web") == "DISABLED"
    assert world.deployments() == 1


def test_tasks_are_protected_until_their_protection_is_lifted(world: World) -> None:
    tasks = world.blues.tasks("shop", "web")
    assert list(tasks.values()) == [False, False]

    failed = world.blues.protect("shop", list(tasks), 10)

    assert failed == ()
    assert list(world.blues.tasks("shop", "web").values()) == [True, True]
    world.blues.protect("shop", list(tasks), 0)
    assert list(world.blues.tasks("shop", "web").values()) == [False, False]


def test_more_tasks_than_one_call_takes_are_protected_and_a_task_that_is_gone_is_named(world: World) -> None:
    mine = list(world.blues.tasks("shop", "web"))
    gone = [mine[0].rsplit("/", 1)[0] + f"/{number:032x}" for number in range(11)]

    failed = world.blues.protect("shop", [*gone, *mine], 10)

    assert len(failed) == 11
    assert list(world.blues.tasks("shop", "web").values()) == [True, True]


@pytest.mark.parametrize("verb", ["rebalancing", "rebalance", "tasks", "scale"])
def test_a_service_that_is_gone_is_said_to_be(world: World, verb: str) -> None:
    given: dict[str, tuple[object, ...]] = {"rebalance": ("DISABLED",), "scale": (0,)}

    with pytest.raises(BlueChanged, match="other"):
        getattr(world.blues, verb)("shop", "other", *given.get(verb, ()))
