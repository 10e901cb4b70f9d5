"""Green's scaling, asked of Application Auto Scaling in the embedded AWS and of the one in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from crossfade.connect.autoscaling import GreenAutoScaling
from crossfade.connect.cloudwatch import CloudWatchStepAlarms
from crossfade.connect.greenscaling import GreenScaling, Twin
from crossfade.connect.memory import MemoryGreenScaling
from crossfade.connect.services import MIGRATION_TAG
from rehearsal.aws import in_process
from tests.aws import a_client

TWIN = Twin("shop", "web", "web-green", "app/front/1/targetgroup/web-green/2", "app/front/1/targetgroup/web/9")
STILL = Twin("shop", "orders", "orders-green")
TAGS = {MIGRATION_TAG: "shop"}
OF = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}
BLUE, GREEN = ({**OF, "ResourceId": f"service/shop/{name}"} for name in ("web", "web-green"))


def track(metric: str, label: str | None = None) -> dict[str, Any]:
    named = {"ResourceLabel": label} if label else {}
    return {"TargetValue": 50.0, "PredefinedMetricSpecification": {"PredefinedMetricType": metric, **named}}


TOLD = "arn:aws:sns:eu-west-1:123456789012:people"
SERVICE = {"ClusterName": "shop", "ServiceName": "web"}


def watching(namespace: str, metric: str, dimensions: dict[str, str]) -> dict[str, Any]:
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    return {"Namespace": namespace, "MetricName": metric, "Dimensions": named, "Statistic": "Average", "Period": 60}


class OnAws:
    """A blue that scales between 2 and 6, by four policies and a schedule, and one that does not."""

    def __init__(self) -> None:
        containers, self.client = a_client("ecs"), a_client("application-autoscaling")
        self.alarms = a_client("cloudwatch")
        containers.create_cluster(clusterName="shop")
        container = {"name": "app", "image": "web:1", "essential": True, "memory": 64}
        containers.register_task_definition(family="web", containerDefinitions=[container])
        for name in ("web", "web-green", "orders", "orders-green"):
            containers.create_service(cluster="shop", serviceName=name, taskDefinition="web", desiredCount=2)
        self.client.register_scalable_target(**BLUE, MinCapacity=2, MaxCapacity=6)
        dimensions = [{"Name": "ClusterName", "Value": "shop"}, {"Name": "ServiceName", "Value": "web"}]
        queue = {"MetricName": "Depth", "Namespace": "Shop", "Statistic": "Average", "Dimensions": dimensions}
        tracking = {
            "cpu": track("ECSServiceAverageCPUUtilization"),
            "requests": track("ALBRequestCountPerTarget", "app/front/1/targetgroup/web/9"),
            "depth": {"TargetValue": 9.0, "CustomizedMetricSpecification": queue},
        }
        for name, configuration in tracking.items():
            self.client.put_scaling_policy(
                **BLUE,
                PolicyName=name,
                PolicyType="TargetTrackingScaling",
                TargetTrackingScalingPolicyConfiguration=configuration,
            )
        step = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [{"ScalingAdjustment": 1}]}
        self.burst = self.client.put_scaling_policy(
            **BLUE, PolicyName="burst", PolicyType="StepScaling", StepScalingPolicyConfiguration=step
        )["PolicyARN"]
        self.ring("busy", AlarmActions=[self.burst, TOLD], **watching("AWS/ECS", "CPUUtilization", SERVICE))
        self.client.put_scheduled_action(
            **BLUE,
            ScheduledActionName="morning",
            Schedule="cron(0 7 * * ? *)",
            ScalableTargetAction={"MinCapacity": 4, "MaxCapacity": 6},
        )
        self.port = GreenAutoScaling(self.client, CloudWatchStepAlarms(self.alarms))

    def ring(self, name: str, **watched: Any) -> None:
        self.alarms.put_metric_alarm(
            AlarmName=name,
            ComparisonOperator="GreaterThanThreshold",
            Threshold=80.0,
            EvaluationPeriods=3,
            DatapointsToAlarm=2,
            TreatMissingData="notBreaching",
            **watched,
        )

    def copies(self) -> dict[str, Any]:
        found = self.alarms.describe_alarms(AlarmNamePrefix="crossfade.scaling/")["MetricAlarms"]
        return {each["AlarmName"]: each for each in found}

    def target(self) -> Any:
        [found] = self.client.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[GREEN["ResourceId"]])[
            "ScalableTargets"
        ]
        return found

    def policies(self) -> dict[str, Any]:
        found = self.client.describe_scaling_policies(**GREEN)["ScalingPolicies"]
        return {each["PolicyName"]: each for each in found if each["ResourceId"] == GREEN["ResourceId"]}


@pytest.fixture(params=["memory", "aws"])
def port(request: pytest.FixtureRequest) -> Iterator[GreenScaling]:
    if request.param == "memory":
        yield MemoryGreenScaling("web")
        return
    with in_process():
        yield OnAws().port


def test_each_verb_may_be_repeated_and_a_blue_that_does_not_scale_is_left_as_it_is(port: GreenScaling) -> None:
    for _ in range(2):
        port.copy(TWIN, least=4, tags=TAGS)
        assert port.copy(STILL, least=4, tags=TAGS) == ()
    for _ in range(2):
        port.let_go(TWIN, scaling_in=False, scheduled=False)
        port.let_go(STILL, scaling_in=False, scheduled=False)
    for _ in range(2):
        port.remove("shop", "web-green")
        port.remove("shop", "orders-green")


@pytest.fixture
def aws() -> Iterator[OnAws]:
    with in_process():
        yield OnAws()


@pytest.mark.parametrize(("least", "most"), [(4, 6), (9, 9)])
def test_green_never_scales_below_what_blue_runs_nor_in_nor_by_schedule(aws: OnAws, least: int, most: int) -> None:
    aws.port.copy(TWIN, least=least, tags=TAGS)

    target = aws.target()
    assert (target["MinCapacity"], target["MaxCapacity"]) == (least, most)
    suspended = target["SuspendedState"]
    assert suspended["DynamicScalingInSuspended"] is suspended["ScheduledScalingSuspended"] is True
    assert not suspended.get("DynamicScalingOutSuspended")


def test_policies_and_schedules_are_copied_and_watch_green_where_they_watched_blue(aws: OnAws) -> None:
    remarks = aws.port.copy(TWIN, least=4, tags=TAGS)

    found = aws.policies()
    tracked = {name: policy.get("TargetTrackingScalingPolicyConfiguration", {}) for name, policy in found.items()}
    assert set(found) == {"burst", "cpu", "depth", "requests"}
    assert tracked["requests"]["PredefinedMetricSpecification"]["ResourceLabel"] == TWIN.label
    dimensions = tracked["depth"]["CustomizedMetricSpecification"]["Dimensions"]
    assert {each["Name"]: each["Value"] for each in dimensions} == {"ClusterName": "shop", "ServiceName": "web-green"}
    actions = aws.client.describe_scheduled_actions(**GREEN)["ScheduledActions"]
    assert [(action["ScheduledActionName"], action["Schedule"]) for action in actions] == [
        ("morning", "cron(0 7 * * ? *)")
    ]
    assert remarks == ()


def test_what_calls_blues_step_scaling_calls_greens_for_green(aws: OnAws) -> None:
    for _ in range(2):
        aws.port.copy(TWIN, least=4, tags=TAGS)

    [(name, copied)] = aws.copies().items()
    blues = aws.alarms.describe_alarms(AlarmNames=["busy"])["MetricAlarms"][0]
    assert name == "crossfade.scaling/shop/web-green/busy"
    assert copied["AlarmActions"] == [aws.policies()["burst"]["PolicyARN"]]
    assert {each["Name"]: each["Value"] for each in copied["Dimensions"]} == {**SERVICE, "ServiceName": "web-green"}
    same = ("Namespace", "MetricName", "Statistic", "Period", "Threshold", "EvaluationPeriods", "DatapointsToAlarm")
    assert [copied[member] for member in same] == [blues[member] for member in same]
    assert (copied["TreatMissingData"], copied["ComparisonOperator"]) == ("notBreaching", "GreaterThanThreshold")
    assert blues["AlarmActions"] == [aws.burst, TOLD]
    tags = aws.alarms.list_tags_for_resource(ResourceARN=copied["AlarmArn"])["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == TAGS


def test_an_alarm_on_blues_target_group_is_copied_with_greens(aws: OnAws) -> None:
    dimensions = {"LoadBalancer": "app/front/1", "TargetGroup": "targetgroup/web/9"}
    aws.ring("crowd", AlarmActions=[aws.burst], **watching("AWS/ApplicationELB", "RequestCountPerTarget", dimensions))

    remarks = aws.port.copy(TWIN, least=4, tags=TAGS)

    copied = aws.copies()["crossfade.scaling/shop/web-green/crowd"]
    named = {each["Name"]: each["Value"] for each in copied["Dimensions"]}
    assert named == {"LoadBalancer": "app/front/1", "TargetGroup": "targetgroup/web-green/2"}
    assert remarks == ()


def test_what_an_alarm_watches_in_metric_math_is_greens_too(aws: OnAws) -> None:
    stat = watching("AWS/ECS", "CPUUtilization", SERVICE)
    metric = {name: stat[name] for name in ("Namespace", "MetricName", "Dimensions")}
    queries = [
        {"Id": "cpu", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Average"}, "ReturnData": False},
        {"Id": "twice", "Expression": "2 * cpu"},
    ]
    aws.ring("math", AlarmActions=[aws.burst], Metrics=queries)

    aws.port.copy(TWIN, least=4, tags=TAGS)

    watched = aws.copies()["crossfade.scaling/shop/web-green/math"]["Metrics"]
    [cpu] = [query for query in watched if query["Id"] == "cpu"]
    assert {each["Name"]: each["Value"] for each in cpu["MetricStat"]["Metric"]["Dimensions"]} == {
        **SERVICE,
        "ServiceName": "web-green",
    }


def test_an_alarm_that_does_not_name_blue_calls_both_and_that_is_said(aws: OnAws) -> None:
    aws.ring("queue", AlarmActions=[aws.burst], **watching("AWS/SQS", "Depth", {"QueueName": "orders"}))

    remarks = aws.port.copy(TWIN, least=4, tags=TAGS)

    assert "crossfade.scaling/shop/web-green/queue" in aws.copies()
    assert remarks == ("alarm queue does not name web, so its copy for web-green watches the same",)


def test_an_alarm_that_nothing_of_green_corresponds_to_is_named_and_not_copied(aws: OnAws) -> None:
    stranger = {"LoadBalancer": "app/admin/1", "TargetGroup": "targetgroup/admin/1"}
    aws.ring("admin", AlarmActions=[aws.burst], **watching("AWS/ApplicationELB", "RequestCount", stranger))

    remarks = aws.port.copy(TWIN, least=4, tags=TAGS)

    assert list(aws.copies()) == ["crossfade.scaling/shop/web-green/busy"]
    assert remarks == (
        "alarm admin watches targetgroup/admin/1, to which nothing of web-green corresponds: make one for it",
    )


def test_step_scaling_that_nothing_calls_is_named(aws: OnAws) -> None:
    aws.alarms.delete_alarms(AlarmNames=["busy"])

    remarks = aws.port.copy(TWIN, least=4, tags=TAGS)

    assert remarks == ("nothing calls scaling policy burst of web, so nothing calls its copy",)
    assert not aws.copies()


def test_a_policy_that_nothing_of_green_can_feed_is_named(aws: OnAws) -> None:
    remarks = aws.port.copy(TWIN._replace(label=None), least=4, tags=TAGS)

    assert "scaling policy requests counts requests of a load balancer that does not lead to web-green" in remarks
    assert "requests" not in aws.policies()


def test_green_let_go_scales_between_blues_bounds_and_keeps_what_its_owner_had_suspended(aws: OnAws) -> None:
    aws.port.copy(TWIN, least=4, tags=TAGS)

    aws.port.let_go(TWIN, scaling_in=False, scheduled=True)

    target = aws.target()
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 6)
    assert target["SuspendedState"]["DynamicScalingInSuspended"] is False
    assert target["SuspendedState"]["ScheduledScalingSuspended"] is True


def test_nothing_of_greens_scaling_is_left_when_it_is_removed_and_blues_stays(aws: OnAws) -> None:
    aws.port.copy(TWIN, least=4, tags=TAGS)

    aws.port.remove("shop", "web-green")

    left = aws.client.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    assert [target["ResourceId"] for target in left] == ["service/shop/web"]
    assert (left[0]["MinCapacity"], left[0]["MaxCapacity"]) == (2, 6)
    assert not aws.copies()
    assert aws.alarms.describe_alarms(AlarmNames=["busy"])["MetricAlarms"]


def test_alarms_of_a_service_whose_name_begins_alike_stay_when_green_is_removed(aws: OnAws) -> None:
    aws.port.copy(TWIN, least=4, tags=TAGS)
    aws.ring("crossfade.scaling/shop/web-green-2/busy", **watching("AWS/ECS", "CPUUtilization", SERVICE))

    aws.port.remove("shop", "web-green")

    assert list(aws.copies()) == ["crossfade.scaling/shop/web-green-2/busy"]
