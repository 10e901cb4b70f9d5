"""Green's scaling, asked of Application Auto Scaling in the embedded AWS and of the one in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from crossfade.connect.autoscaling import GreenAutoScaling
from crossfade.connect.greenscaling import GreenScaling, Twin
from crossfade.connect.memory import MemoryGreenScaling
from crossfade.connect.services import MIGRATION_TAG
from rehearsal.aws import in_process
from tests.aws import a_client

TWIN = Twin("shop", "web", "web-green", "app/front/1/targetgroup/web-green/2")
STILL = Twin("shop", "orders", "orders-green")
TAGS = {MIGRATION_TAG: "shop"}
OF = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}
BLUE, GREEN = ({**OF, "ResourceId": f"service/shop/{name}"} for name in ("web", "web-green"))


def track(metric: str, label: str | None = None) -> dict[str, Any]:
    named = {"ResourceLabel": label} if label else {}
    return {"TargetValue": 50.0, "PredefinedMetricSpecification": {"PredefinedMetricType": metric, **named}}


class OnAws:
    """A blue that scales between 2 and 6, by four policies and a schedule, and one that does not."""

    def __init__(self) -> None:
        containers, self.client = a_client("ecs"), a_client("application-autoscaling")
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
        self.client.put_scaling_policy(
            **BLUE, PolicyName="burst", PolicyType="StepScaling", StepScalingPolicyConfiguration=step
        )
        self.client.put_scheduled_action(
            **BLUE,
            ScheduledActionName="morning",
            Schedule="cron(0 7 * * ? *)",
            ScalableTargetAction={"MinCapacity": 4, "MaxCapacity": 6},
        )
        self.port = GreenAutoScaling(self.client)

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
    assert remarks == ("scaling policy burst was copied to web-green: let an alarm on green name it, as blue's does",)


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
