"""Green gets no share before all of it is whole, and what is missing is said by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from crossfade.connect.gaps import gap
from crossfade.connect.greenscaling import Twin
from crossfade.connect.memory import MemoryGreenScaling
from crossfade.connect.services import MIGRATION_TAG
from crossfade.errors import Fenced, GreenFailed, GreenNotReady
from crossfade.phases import Phase
from crossfade.plan.document import Gap
from crossfade.plan.services import ServicePlan
from tests.traffic import NOON
from tests.unit.green.world import World, a_service, a_shop, accepted


def a_world() -> World:
    world = World()
    world.make_green()
    return world


def test_a_whole_green_is_ready() -> None:
    world = a_world()

    verified = world.verify()

    assert [(service.name, service.running, service.healthy_targets) for service in verified.services] == [
        ("web", 2, 2),
        ("orders", 2, None),
    ]
    assert world.journal.read("shop").phase == Phase.READY
    said = world.journal.entries("shop")[-2]
    assert said.what == "verify"
    assert [service["discovered"] for service in said.detail["services"]] == [{"web": 2}, {"orders": 2}]


def test_verifying_again_finds_the_same() -> None:
    world = a_world()

    assert world.verify() == world.verify()


def alter(world: World, name: str, **changes: Any) -> None:
    found = world.services.describe("shop", name)
    world.services._services[("shop", name)] = replace(found, **changes)


def alter_connect(world: World, **changes: Any) -> None:
    found = world.services.describe("shop", "web-green")
    [primary] = found.deployments
    connect = {**primary.service_connect, **changes}
    alter(world, "web-green", deployments=(replace(primary, service_connect=connect),))


LACKS: dict[str, tuple[Callable[[World], object], type[Exception], str]] = {
    "a task": (lambda w: w.services.run("shop", "orders-green", 1), GreenNotReady, "orders-green: completed, 1 of 2"),
    "a healthy target": (
        lambda w: w.edges.healthy.update({w.green_arn("web"): 1}),
        GreenNotReady,
        "1 of 2 targets of web-green are healthy at web",
    ),
    "a healthy task": (
        lambda w: w.services.sick.update({"orders-green": ("arn:task-1",)}),
        GreenNotReady,
        "orders-green: ECS calls 1 of its 2 tasks unhealthy, arn:task-1 among them",
    ),
    "any healthy target": (
        lambda w: w.edges.healthy.update({w.green_arn("web"): 0}),
        GreenNotReady,
        "0 of 2 targets of web-green",
    ),
    "a way that leads everywhere": (
        lambda w: setattr(w.edges, "slow", "edge web: distribution E2 is InProgress"),
        GreenNotReady,
        "distribution E2 is InProgress",
    ),
    "a name by which it is found": (
        lambda w: w.namespaces.lost.add("orders"),
        GreenNotReady,
        "orders-green: 0 of its 2 tasks answer to orders in the namespace shop-green",
    ),
    "a deployment that did not fail": (
        lambda w: w.services.fail("shop", "orders-green", "no image"),
        GreenFailed,
        "orders-green failed: no image",
    ),
    "its proxies' log": (
        lambda w: alter_connect(w, logConfiguration=None),
        GreenFailed,
        "web-green has no log configuration",
    ),
    "service connect": (
        lambda w: alter_connect(w, enabled=False),
        GreenFailed,
        "web-green runs without Service Connect",
    ),
    "our tag": (lambda w: alter(w, "orders-green", tags={MIGRATION_TAG: "other"}), GreenFailed, "orders-green"),
    "a service": (lambda w: w.services._services.pop(("shop", "orders-green")), GreenFailed, "orders-green is not in"),
}


@pytest.mark.parametrize("name", LACKS)
def test_a_green_that_lacks_something_is_not_ready(name: str) -> None:
    break_it, error, reason = LACKS[name]
    world = a_world()
    break_it(world)

    with pytest.raises(error, match=reason):
        world.verify()

    assert world.journal.read("shop").phase == Phase.CREATING


def test_an_edge_without_a_green_end_is_no_green() -> None:
    world = World()
    for name in ("web", "orders"):
        world.create(name)
        world.services.complete("shop", f"{name}-green")
    edge = world.journal.edge("shop", "web")
    bare = edge.model_copy(update={"resolved": edge.resolved.model_copy(update={"green_arn": None})})
    world.journal.put_edge(bare, fence=1)

    with pytest.raises(GreenFailed, match="edge web has no green end"):
        world.verify()


def a_world_with_one_task_of_orders(*gaps: Gap, orders: ServicePlan | None = None) -> World:
    world = World(a_shop(services=(a_service("web"), orders or a_service("orders", desired=1)), gaps=gaps))
    world.services.run("shop", "orders", 1)
    world.make_green()
    return world


def test_one_task_that_a_person_has_accepted_is_whole_but_remarked_on() -> None:
    world = a_world_with_one_task_of_orders(accepted(gap("SINGLE_TASK", "ecsService/orders")))

    verified = world.verify()

    assert [bool(service.remark) for service in verified.services] == [False, True]
    assert verified.remarks == ("orders-green: one task only, which its callers' proxies can never eject",)


def test_people_are_told_before_the_first_share_what_of_blues_scaling_was_not_copied() -> None:
    class Remarks(MemoryGreenScaling):
        def copy(self, twin: Twin, *, least: int, tags: dict[str, str]) -> tuple[str, ...]:
            super().copy(twin, least=least, tags=tags)
            return ("alarm admin watches targetgroup/admin/1",)

    world = World()
    world.scaling = Remarks("web")
    world.make_green()

    verified = world.verify()

    assert verified.remarks == ("alarm admin watches targetgroup/admin/1",)
    [told] = [notice.reason for notice in world.journal.untold("shop") if notice.what == "ready"]
    assert told.endswith("and has no share yet; alarm admin watches targetgroup/admin/1")


UNASKED = {
    "nobody has accepted": (gap("SINGLE_TASK", "ecsService/orders"),),
    "the plan does not even name": (),
    "was accepted of another service": (
        accepted(gap("SINGLE_TASK", "ecsService/web")),
        gap("SINGLE_TASK", "ecsService/orders"),
    ),
    "is another gap of it": (accepted(gap("LAUNCH_TYPE", "ecsService/orders", launch="EXTERNAL")),),
}


@pytest.mark.parametrize("name", UNASKED)
def test_one_task_that_others_call_has_failed_where_its_consent(name: str) -> None:
    world = a_world_with_one_task_of_orders(*UNASKED[name])

    with pytest.raises(GreenFailed, match=r"orders-green serves with one task.* gap SINGLE_TASK of ecsService/orders"):
        world.verify()

    assert world.journal.read("shop").phase == Phase.CREATING


def test_one_task_that_nobody_calls_needs_no_consent() -> None:
    caller = a_service("orders", desired=1).model_copy(update={"endpoints": ()})

    a_world_with_one_task_of_orders(orders=caller).verify()


def test_a_stale_executor_does_not_make_green_ready() -> None:
    world = a_world()
    world.journal.raise_fence("shop", seen=1, reason="an alarm", at=NOON)

    with pytest.raises(Fenced):
        world.verify(fence=1)
