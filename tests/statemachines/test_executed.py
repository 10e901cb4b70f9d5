from __future__ import annotations

import json
from datetime import timedelta

import pytest

from crossfade.judge.action import EVIDENCE
from rehearsal.aws.clock import clock
from rehearsal.aws.elbv2 import weight_changes
from rehearsal.aws.registry import Call

from .world import World


def test_a_healthy_green_takes_everything_and_leaves_blue_parked(world: World) -> None:
    output = world.ended(world.migrate())

    assert output["outcome"] == "completed"
    assert world.meter.green_percent() == 100
    assert world.phase() == "watching"
    assert world.roll_backs() == []


def test_a_rollback_by_hand_works_when_migrate_has_long_ended(world: World) -> None:
    world.ended(world.migrate())

    output = world.roll_back_by_hand()

    assert output["outcome"] == "rolled_back"
    assert world.meter.green_percent() == 0
    assert world.phase() == "rolled_back"


def test_a_rollback_whose_name_was_used_by_one_that_is_over_is_begun_again_under_a_new_one(world: World) -> None:
    execution = world.migrate()
    world.until_green_has(50)
    fence = world.journal.read("shop").fence + 1
    used = world.states.start_execution(
        stateMachineArn=world.outputs["RollBackArn"],
        name=f"shop-{fence}",
        input=json.dumps({"schema": 1, "migration": "shop", "fence": fence}),
    )
    assert world.ended(used["executionArn"])["outcome"] == "superseded"

    world.meter.green_fails = 0.5
    world.until_phase("rolled_back")

    assert world.ended(execution)["error"] == "RolledBack"
    assert world.journal.read("shop").fence == fence + 1
    assert world.meter.green_percent() == 0


def test_a_green_that_fails_more_than_blue_gives_everything_back(world: World) -> None:
    execution = world.migrate()
    world.until_green_has(50)
    world.meter.green_fails = 0.1

    world.until_phase("rolled_back")

    assert world.ended(execution)["error"] == "RolledBack"
    assert world.meter.green_percent() == 0
    assert "green is worse than blue" in (world.journal.read("shop").reason or "")


def test_errors_on_both_sides_hold_and_do_not_roll_back(world: World) -> None:
    execution = world.migrate()
    world.until_green_has(50)
    world.meter.green_fails = world.meter.blue_fails = 0.1

    world.until(lambda: any("does not count" in reason for reason in _reasons(world)), "the judge holds")

    assert world.status(execution) == "RUNNING"
    assert world.meter.green_percent() == 50
    assert world.roll_backs() == []


def test_a_metric_that_stops_never_promotes(world: World) -> None:
    execution = world.migrate()
    world.until_green_has(50)
    world.meter.counts = False

    world.until(lambda: sum("no requests counted" in reason for reason in _reasons(world)) >= 3, "it held thrice")

    assert world.status(execution) == "RUNNING"
    assert world.meter.green_percent() == 50


def test_an_enforced_ejection_in_the_proxies_log_gives_everything_back(world: World) -> None:
    world.migrate()
    world.until_green_has(50)
    _write_ejection(world)

    world.until_phase("rolled_back")

    assert world.meter.green_percent() == 0
    assert "eject" in (world.journal.read("shop").reason or "")


def test_an_ejection_is_heard_of_at_once_without_waiting_for_a_look(world: World) -> None:
    world.aws.faults.throttle(world.physical["JudgeGreen"], times=1_000)
    world.migrate()
    world.until_green_has(50)
    _write_ejection(world)

    world.until_phase("rolled_back")

    assert world.meter.green_percent() == 0
    assert "the proxies' log tells of an ejection" in (world.journal.read("shop").reason or "")


def test_the_ejections_of_ten_seconds_become_a_metric(world: World) -> None:
    world.migrate()
    world.until_green_has(50)
    _write_ejection(world)

    world.until(lambda: _counted(world, "EnforcedEjections") >= 1, "the ejection is counted")


def test_an_alarm_on_the_log_rolls_back_when_our_own_code_does_not_run(world: World) -> None:
    for function in ("JudgeGreen", "OnProxyLog"):
        world.aws.faults.throttle(world.physical[function], times=1_000)
    world.migrate()
    world.until_green_has(50)
    _quicken_the_ejection_alarm(world)
    _write_ejection(world)

    world.until_phase("rolled_back")

    assert world.meter.green_percent() == 0
    assert "alarm crossfade-shop-ejections is in ALARM" in (world.journal.read("shop").reason or "")


def test_an_ejection_rolls_back_when_nothing_is_delivered_and_no_filter_counts(world: World) -> None:
    world.migrate()
    world.until_green_has(50)
    _lose_the_feed(world)
    _write_ejection(world)

    world.until_phase("rolled_back")

    assert world.meter.green_percent() == 0
    assert "green's proxies ejected 1 task" in (world.journal.read("shop").reason or "")


def test_a_green_that_fails_gives_everything_back_without_a_line_of_the_proxies(world: World) -> None:
    world.migrate()
    world.until_green_has(50)
    _lose_the_feed(world)
    world.meter.green_fails = 0.1

    world.until_phase("rolled_back")

    assert world.meter.green_percent() == 0
    assert "green is worse than blue" in (world.journal.read("shop").reason or "")


def test_an_alarm_of_the_operators_own_rolls_back(world: World) -> None:
    world.migrate()
    world.until_green_has(50)
    world.aws.client("cloudwatch").set_alarm_state(
        AlarmName=world.plan.alarms[0], StateValue="ALARM", StateReason="ordered by a test"
    )

    world.until_phase("rolled_back")

    assert world.meter.green_percent() == 0
    assert world.plan.alarms[0] in (world.journal.read("shop").reason or "")


def test_a_handler_that_breaks_in_mid_climb_gives_everything_back(world: World) -> None:
    execution = world.migrate()
    world.until_green_has(50)
    world.aws.faults.fail(world.physical["JudgeGreen"], "Boom", times=1)

    world.until_phase("rolled_back")

    assert "Boom" in world.ended(execution)["cause"]
    assert world.meter.green_percent() == 0


def test_throttled_handlers_are_tried_again_and_the_climb_goes_on(world: World) -> None:
    world.aws.faults.throttle(world.physical["ShiftTraffic"], times=2)

    output = world.ended(world.migrate())

    assert output["outcome"] == "completed"


def test_the_way_back_needs_no_lambda(world: World) -> None:
    world.migrate()
    world.until_green_has(50)
    world.until(
        lambda: world.journal.look_due("shop") is not None, "the shift is written down, so that it undoes nothing"
    )
    for function in ("RestoreEdge", "Notify"):
        world.aws.faults.throttle(world.physical[function], times=1_000)

    world.states.start_execution(
        stateMachineArn=world.outputs["RollBackArn"], input=json.dumps({"migration": world.plan.migration})
    )
    world.until(lambda: world.meter.green_percent() == 0, "green has nothing")

    assert "AWS_Lambda" not in weight_changes()[-1].caller


def test_services_are_created_when_every_deployment_event_is_lost(world: World) -> None:
    world.aws.events.lose("ECS Deployment State Change", times=1_000)

    output = world.ended(world.migrate())

    assert output["outcome"] == "completed"


def test_events_that_come_twice_change_nothing(world: World) -> None:
    world.aws.events.duplicate("ECS Deployment State Change", times=1_000)
    world.aws.events.duplicate("Step Functions Execution Status Change", times=1_000)

    output = world.ended(world.migrate())

    assert output["outcome"] == "completed"
    assert world.roll_backs() == []


def test_a_migrate_that_is_stopped_in_mid_climb_is_noticed_and_rolled_back(world: World) -> None:
    execution = world.migrate()
    world.until_green_has(50)
    world.states.stop_execution(executionArn=execution)

    world.until_phase("rolled_back")

    assert world.meter.green_percent() == 0
    assert world.status(world.journal.read("shop").climb or "") == "ABORTED"


def test_a_migrate_whose_end_nobody_hears_of_is_rolled_back_by_hand(world: World) -> None:
    world.aws.events.lose("Step Functions Execution Status Change", times=1_000)
    execution = world.migrate()
    world.until_green_has(50)
    world.states.stop_execution(executionArn=execution)

    output = world.roll_back_by_hand()

    assert output["outcome"] == "rolled_back"
    assert world.meter.green_percent() == 0


@pytest.mark.parametrize("moment", ["between the intent and the write", "between the write and the result"])
def test_an_execution_killed_at_the_write_ends_all_blue_by_hand(world: World, moment: str) -> None:
    world.aws.events.lose("Step Functions Execution Status Change", times=1_000)
    killed: list[str] = []

    def kill(call: Call) -> None:
        groups = call.params["DefaultActions"][0].get("ForwardConfig", {}).get("TargetGroups", [])
        green = [group["Weight"] for group in groups if world.plan.edges[0].green.name in group["TargetGroupArn"]]
        if killed or not any(green):
            return  # green's end is made with weight 0 first
        killed.append(execution)
        world.states.stop_execution(executionArn=execution)
        raise call.error("AccessDenied", "nothing more is heard of the function")  # boto3 does not repeat it

    hook = world.aws.faults.before_call if "intent" in moment else world.aws.faults.after_call
    hook("elbv2", "ModifyListener", kill, times=None)
    execution = world.migrate()
    world.until(lambda: world.status(execution) == "ABORTED", "migrate is dead")
    left = world.meter.green_percent()

    output = world.roll_back_by_hand()

    assert left == (50 if "write and the result" in moment else 0)
    assert output["outcome"] == "rolled_back"
    assert world.meter.green_percent() == 0
    assert world.journal.entries("shop")[-1].what == "notified"


def test_a_plan_that_was_changed_after_it_was_chosen_is_refused_and_nothing_is_touched(world: World) -> None:
    before = len(weight_changes())
    bucket, document = world.outputs["PlanBucket"], world.plan.to_json().encode()
    world.aws.client("s3").put_object(Bucket=bucket, Key="other/plan.json", Body=document)
    started = world.states.start_execution(
        stateMachineArn=world.outputs["MigrateArn"],
        input=json.dumps(
            {
                "migration": "shop",
                "plan": {
                    "bucket": world.outputs["PlanBucket"],
                    "key": "other/plan.json",
                    "version": None,
                    "sha256": "0" * 64,
                },
            }
        ),
    )

    ended = world.ended(started["executionArn"])

    assert ended["error"] == "PlanChanged"
    assert len(weight_changes()) == before


def test_a_second_migrate_of_the_same_edge_is_refused_and_the_first_goes_on(world: World) -> None:
    first = world.migrate()
    world.until_green_has(50)

    second = world.ended(world.migrate())

    assert second["error"] == "EdgeOwned"
    assert world.ended(first)["outcome"] == "completed"
    assert world.roll_backs() == []


def _reasons(world: World) -> list[str]:
    entries = world.journal.entries("shop")
    opened = world.journal.read("shop").opened_at
    return [e.detail["judgement"]["reason"] for e in entries if e.what == EVIDENCE and e.at >= opened]


def _quicken_the_ejection_alarm(world: World) -> None:
    """Let the alarm judge ten seconds instead of a minute."""
    alarms = world.aws.client("cloudwatch")
    [alarm] = alarms.describe_alarms(AlarmNames=["crossfade-shop-ejections"])["MetricAlarms"]
    settings = (
        "AlarmName",
        "Namespace",
        "MetricName",
        "Statistic",
        "EvaluationPeriods",
        "Threshold",
        "ComparisonOperator",
        "TreatMissingData",
    )
    alarms.put_metric_alarm(**{name: alarm[name] for name in settings}, Period=10)


def _counted(world: World, metric: str) -> float:
    """Return the sum of one of the product's metrics over the last minutes."""
    now = clock.now()
    found = world.aws.client("cloudwatch").get_metric_statistics(
        Namespace="Crossfade",
        MetricName=metric,
        Dimensions=[{"Name": "Migration", "Value": "shop"}],
        StartTime=now - timedelta(minutes=2),
        EndTime=now + timedelta(minutes=1),
        Period=10,
        Statistics=["Sum"],
    )
    return float(sum(point["Sum"] for point in found["Datapoints"]))


def _lose_the_feed(world: World) -> None:
    logs, group = world.aws.client("logs"), world.plan.proxy_logs.group
    logs.delete_subscription_filter(logGroupName=group, filterName="crossfade")
    logs.delete_metric_filter(logGroupName=group, filterName="crossfade")


def _write_ejection(world: World) -> None:
    logs = world.aws.client("logs")
    group = world.plan.proxy_logs.group
    stream = f"{world.plan.proxy_logs.stream_prefix}/ecs-service-connect/{clock.now():%H%M%S%f}"
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    line = {
        "type": "CONSECUTIVE_5XX",
        "cluster_name": "orders",
        "upstream_url": "10.0.1.5:8080",
        "action": "EJECT",
        "num_ejections": 1,
        "enforced": True,
        "eject_consecutive_event": {},
        "timestamp": f"{clock.now():%Y-%m-%dT%H:%M:%S.%f}Z",
    }
    event = {"timestamp": int(clock.now().timestamp() * 1000), "message": json.dumps(line)}
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])
