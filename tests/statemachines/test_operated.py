"""The real stack, operated and watched: what nobody told is found, and what an operator says is done."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from crossfade.plan.document import Approvals
from crossfade.runtime import clients
from crossfade_cli.app import app
from rehearsal.aws.clock import clock

from .world import World

EVENTS = Path(__file__).parents[2] / "events"


class Operator:
    """A person with the command, the stack's outputs in a file, and the embedded AWS for an endpoint."""

    def __init__(self, world: World, outputs: Path) -> None:
        outputs.write_text(json.dumps(dict(world.outputs)))
        self._command = app(rehearsal=False)
        self._outputs = outputs

    def says(self, *words: str, code: int = 0) -> str:
        answer = CliRunner().invoke(self._command, [words[0], "shop", "--outputs", str(self._outputs), *words[1:]])
        assert answer.exit_code == code, answer.output
        return " ".join(answer.output.split())


@pytest.fixture
def operator(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Operator:
    for name, value in world.aws.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("time.sleep", clock.sleep)  # the command waits on the clock of the world it looks at
    clients._client.cache_clear()  # those of another endpoint
    return Operator(world, tmp_path / "outputs.json")


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

    seen = [watch(world) for _ in range(2)]
    outcome = world.ended(execution)["outcome"]
    later = watch(world)

    assert [each["open"] for each in seen] == [1, 1]
    assert re.fullmatch(r"(shop: people are told of \d+ moves)?", " ".join(seen[0]["seen"]))  # unless its rule told
    assert seen[1]["seen"] == []
    assert outcome == "completed"
    assert later["seen"] == []


def test_a_held_climb_stays_where_it_is_until_it_is_resumed(world: World, operator: Operator) -> None:
    execution = world.migrate()
    world.until(lambda: world.phase() not in {"planned", "rolled_back", "watching"}, "it is open")
    operator.says("hold", "--who", "ann", "--why", "a release is under way")
    world.until_green_has(50)
    world.until(lambda: _looks(world) >= 4, "green was looked at and found well")

    held = operator.says("status")
    operator.says("resume", "--who", "ann")

    assert "held by operator (ann: a release is under way)" in held
    assert "green holds web 50" in held
    assert held.endswith("way back: ready")
    assert world.ended(execution)["outcome"] == "completed"
    assert "released" in operator.says("history")


def test_a_long_hold_takes_several_climbs_and_its_rung_is_judged_as_one(world: World, operator: Operator) -> None:
    timings = world.plan.timings.model_copy(update={"looks_at_once": 3})
    execution = world.migrate(world.plan.model_copy(update={"timings": timings}))
    world.until(lambda: world.phase() not in {"planned", "rolled_back", "watching"}, "it is open")
    operator.says("hold", "--who", "ann", "--why", "a release is under way")
    world.until(lambda: len(_evidence(world)) >= 8, "green was looked at for long")

    operator.says("resume", "--who", "ann")
    outcome = world.ended(execution)["outcome"]

    held = [look for look in _evidence(world) if look["rung"]["share_bp"] == 5_000]
    climbs = [name for name in _climbs(world) if "-web-0-" in name]
    assert outcome == "completed"
    assert [look["look"] for look in held] == list(range(len(held)))
    assert len({look["readings"]["window"]["start"] for look in held}) == 1
    assert len(climbs) == 1 + (len(held) - 1) // 3
    assert world.journal.read("shop").climb is not None


def test_a_person_is_asked_before_the_climb_and_in_mid_climb_and_a_no_gives_everything_back(
    world: World, operator: Operator
) -> None:
    approvals = Approvals(before_climb=True, before_shares_bp=(9_000,), expiry_seconds=600)
    execution = world.migrate(world.plan.model_copy(update={"approvals": approvals}))
    world.until_phase("held")
    before = world.meter.green_percent()

    operator.says("approve", "--who", "ann")
    world.until_green_has(50)
    world.until_phase("held")
    asked = operator.says("status")
    operator.says("reject", "--who", "bob", "--why", "not today")
    world.until_phase("rolled_back")

    assert before == 0
    assert "a person is asked" in asked
    assert "bob rejected the next share: not today" in world.ended(execution)["cause"]
    assert world.meter.green_percent() == 0
    operator.says("approve", code=2)


def test_an_operator_gives_everything_back_and_may_say_so_twice(
    world: World, operator: Operator, tmp_path: Path
) -> None:
    world.migrate()
    world.until_green_has(50)
    (tmp_path / "plan.json").write_text(world.plan.to_json())

    second = operator.says("start", "--plan", str(tmp_path / "plan.json"), code=1)
    operator.says("abort", "--who", "ann", "--why", "customers complain")
    world.until_phase("rolled_back")
    again = operator.says("abort")

    assert world.meter.green_percent() == 0
    assert world.journal.read("shop").reason == "ann aborted it: customers complain"
    assert again == "shop is rolled back already"
    assert second.startswith("shop is not opened: EdgeOwned: ")
    assert "errorMessage" not in second


def test_a_blue_that_is_parked_for_too_short_a_time_is_not_retired(world: World, operator: Operator) -> None:
    world.ended(world.migrate())

    unasked = operator.says("retire", code=2)
    refused = operator.says("retire", "--drift-is-clean", code=1)

    assert "crossfade drift" in unasked
    assert "BlueStillServes" in refused
    assert "has been parked for" in refused
    assert "errorMessage" not in refused
    assert world.phase() == "watching"


def test_a_green_that_fails_while_it_holds_everything_and_waits_to_be_retired_gives_everything_back(
    world: World,
) -> None:
    world.ended(world.migrate())
    world.meter.green_fails = 0.3

    world.until(lambda: "rolled back" in " ".join(watch(world)["seen"]), "watch finds it")

    world.until_phase("rolled_back")
    assert "edge web, which waits: green is worse than the SLO" in str(world.journal.read("shop").reason)
    assert world.meter.green_percent() == 0


def test_what_calls_blues_step_scaling_is_copied_for_green_and_goes_with_it(world: World) -> None:
    scaling, alarms = world.aws.client("application-autoscaling"), world.aws.client("cloudwatch")
    blue = {
        "ServiceNamespace": "ecs",
        "ScalableDimension": "ecs:service:DesiredCount",
        "ResourceId": f"service/{world.plan.cluster}/web",
    }
    scaling.register_scalable_target(**blue, MinCapacity=2, MaxCapacity=6)
    policy = scaling.put_scaling_policy(
        **blue,
        PolicyName="burst",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration={
            "AdjustmentType": "ChangeInCapacity",
            "StepAdjustments": [{"ScalingAdjustment": 1}],
        },
    )
    alarms.put_metric_alarm(
        AlarmName="busy",
        AlarmActions=[policy["PolicyARN"]],
        Namespace="AWS/ECS",
        MetricName="CPUUtilization",
        Dimensions=[{"Name": "ClusterName", "Value": "shop"}, {"Name": "ServiceName", "Value": "web"}],
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        Threshold=80.0,
        ComparisonOperator="GreaterThanThreshold",
    )
    green = world.plan.service("web").green.service_name

    world.migrate()
    world.until_green_has(50)
    copied = _alarms_of_scaling(world)
    world.roll_back_by_hand()
    watch(world)
    left = _alarms_of_scaling(world)
    alarms.delete_alarms(AlarmNames=["busy"])
    scaling.deregister_scalable_target(**blue)

    assert copied == {f"crossfade.scaling/shop/{green}/busy": {"ClusterName": "shop", "ServiceName": green}}
    assert left == {}


def _alarms_of_scaling(world: World) -> dict[str, dict[str, str]]:
    """Return what each copied alarm watches."""
    found = world.aws.client("cloudwatch").describe_alarms(AlarmNamePrefix="crossfade.scaling/")["MetricAlarms"]
    return {
        alarm["AlarmName"]: {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
        for alarm in found
        if alarm["AlarmActions"]
    }


def _looks(world: World) -> int:
    opened = world.journal.read("shop").opened_at
    entries = [entry for entry in world.journal.entries("shop") if entry.at >= opened and entry.what == "judge"]
    return sum(entry.detail["judgement"]["answer"] == "advance" for entry in entries)


def _evidence(world: World) -> list[dict[str, Any]]:
    """Return what was seen at each look of this migration, oldest first."""
    opened = world.journal.read("shop").opened_at
    return [entry.detail for entry in world.journal.entries("shop") if entry.at >= opened and entry.what == "judge"]


def _climbs(world: World) -> list[str]:
    """Return the names of this migration's climbs."""
    fence = world.journal.read("shop").fence
    listed = world.states.list_executions(stateMachineArn=world.outputs["ClimbArn"])["executions"]
    return [each["name"] for each in listed if each["name"].startswith(f"shop-{fence}-")]
