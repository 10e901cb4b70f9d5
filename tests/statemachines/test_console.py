"""What an operator pastes in the console, as `events/` has it, is done by the real stack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from crossfade.plan.document import Approvals, digest

from .world import World

EVENTS = Path(__file__).parents[2] / "events"


def given(name: str, **changes: Any) -> str:
    """Return a sample, with what its reader is told to fill in."""
    return json.dumps({**json.loads((EVENTS / f"{name}.json").read_text()), **changes})


def started(world: World, machine: str, name: str, **changes: Any) -> str:
    answer = world.states.start_execution(stateMachineArn=world.outputs[machine], input=given(name, **changes))
    return str(answer["executionArn"])


def told(world: World, word: str) -> dict[str, Any]:
    """Test the function in the Lambda console with a sample; return its answer, or its error."""
    answer = world.aws.client("lambda").invoke(
        FunctionName=world.outputs["ObeyOperatorArn"], Payload=given(f"operator_{word}").encode()
    )
    found: dict[str, Any] = json.loads(answer["Payload"].read())
    return found


def test_a_migration_is_started_approved_held_resumed_and_given_back_from_the_console(world: World) -> None:
    document = world.plan.model_copy(update={"approvals": Approvals(before_climb=True)}).to_json()
    bucket = world.outputs["PlanBucket"]
    stored = world.aws.client("s3").put_object(Bucket=bucket, Key="shop/plan.json", Body=document.encode())
    plan = {"bucket": bucket, "key": "shop/plan.json", "version": stored["VersionId"], "sha256": digest(document)}

    migrate = started(world, "MigrateArn", "start_migration", plan=plan)
    world.until_phase("held")
    approved = told(world, "approve")
    world.until_green_has(10)
    held = told(world, "hold")
    holds = [(hold.by, hold.why) for hold in world.journal.holds("shop")]
    resumed = told(world, "resume")
    late = told(world, "reject")
    back = world.ended(started(world, "RollBackArn", "start_roll_back"))

    assert approved["said"] == "shop: the climb is approved by you, by name; it goes on"
    assert held["said"].startswith("shop is held")
    assert holds == [("operator", "you, by name: a release of orders is under way")]
    assert resumed["said"].startswith("shop goes on, no more held by operator")
    assert (late["errorType"], late["errorMessage"].split("; it is")[0]) == (
        "BadInput",
        "nothing of shop waits for an approval",
    )
    assert back["outcome"] == "rolled_back"
    assert world.journal.read("shop").reason == json.loads(given("start_roll_back"))["reason"]
    assert world.meter.green_percent() == 0
    assert world.status(migrate) != "SUCCEEDED"


def test_blue_is_not_retired_from_the_console_while_it_is_needed(world: World) -> None:
    world.ended(world.migrate())
    fence = world.journal.read("shop").fence

    ended = world.ended(started(world, "RetireArn", "start_retire", fence=fence))

    assert ended["error"] == "BlueStillServes"
    assert "has been parked for" in str(ended["cause"])
    assert world.phase() == "watching"
