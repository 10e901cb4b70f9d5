"""The real stack, operated and watched: what nobody told is found, and what an operator says is done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .world import World

EVENTS = Path(__file__).parents[2] / "events"


def watch(world: World) -> dict[str, Any]:
    """Let a minute pass: invoke `watch` as its rule does."""
    answer = world.aws.client("lambda").invoke(
        FunctionName=world.outputs["WatchArn"], Payload=(EVENTS / "tick.json").read_bytes()
    )
    found: dict[str, Any] = json.loads(answer["Payload"].read())
    assert "errorType" not in found, found
    return found


def rule_runs(world: World) -> bool:
    return bool(world.aws.client("events").describe_rule(Name="crossfade-watch")["State"] == "ENABLED")


def test_a_migrate_that_is_stopped_and_nobody_told_is_found_by_watch(world: World) -> None:
    world.aws.events.lose("Step Functions Execution Status Change", times=1_000)
    execution = world.migrate()
    world.until_green_has(50)
    runs = rule_runs(world)
    world.states.stop_execution(executionArn=execution)

    watch(world)
    world.until_phase("rolled_back")

    assert runs
    assert world.meter.green_percent() == 0
    assert "nobody was told" in (world.journal.read("shop").reason or "")
    watch(world)
    assert not rule_runs(world)


def test_watch_leaves_a_migration_alone_that_is_well(world: World) -> None:
    execution = world.migrate()
    world.until_green_has(50)

    seen = watch(world)

    assert seen == {"open": 1, "seen": []}
    assert world.ended(execution)["outcome"] == "completed"
    assert watch(world)["seen"] == []
