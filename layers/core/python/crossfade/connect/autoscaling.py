"""Application Auto Scaling: what of a service's scaling is suspended, and green's copy of blue's."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from crossfade.connect.cloudwatch import CloudWatchStepAlarms
from crossfade.connect.greenscaling import Twin
from crossfade.connect.stepalarms import of_green
from crossfade.errors import EcsBusy
from crossfade.journal.blue import ScalingFound
from crossfade.throttles import asking

if TYPE_CHECKING:
    from mypy_boto3_application_autoscaling import ApplicationAutoScalingClient
    from mypy_boto3_application_autoscaling.literals import ScalableDimensionType


class _Copied(NamedTuple):
    """Green's copy of a scaling policy, or why there is none."""

    arn: str | None = None
    why_not: str = ""


_DIMENSION: Final = "ecs:service:DesiredCount"
_BY_REQUESTS: Final = "ALBRequestCountPerTarget"

_asking = partial(asking, busy=EcsBusy, also={"ConcurrentUpdateException"})


class AutoScaling:
    """`Scaling` on Application Auto Scaling."""

    def __init__(self, client: ApplicationAutoScalingClient) -> None:
        self._client = client

    def found(self, cluster: str, service: str) -> tuple[ScalingFound, ...]:
        """See `Scaling`."""
        resource = f"service/{cluster.rsplit('/', 1)[-1]}/{service}"
        with _asking("DescribeScalableTargets"):
            answer = self._client.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[resource])
        return tuple(
            ScalingFound(
                resource_id=target["ResourceId"],
                dimension=target["ScalableDimension"],
                scaling_in=suspended.get("DynamicScalingInSuspended", False),
                scaling_out=suspended.get("DynamicScalingOutSuspended", False),
                scheduled=suspended.get("ScheduledScalingSuspended", False),
            )
            for target in answer["ScalableTargets"]
            for suspended in [target.get("SuspendedState") or {}]
        )

    def suspend(self, wanted: ScalingFound) -> None:
        """See `Scaling`."""
        _, cluster, service = wanted.resource_id.split("/")
        now = {found.dimension: found for found in self.found(cluster, service)}
        if now.get(wanted.dimension, wanted) == wanted:
            return  # as wanted already, or gone
        dimension: ScalableDimensionType = wanted.dimension  # type: ignore[assignment]  # as AWS said it
        with _asking("RegisterScalableTarget"):
            self._client.register_scalable_target(  # on one that exists, it changes only what is given
                ServiceNamespace="ecs",
                ResourceId=wanted.resource_id,
                ScalableDimension=dimension,
                SuspendedState={
                    "DynamicScalingInSuspended": wanted.scaling_in,
                    "DynamicScalingOutSuspended": wanted.scaling_out,
                    "ScheduledScalingSuspended": wanted.scheduled,
                },
            )


class GreenAutoScaling:
    """`GreenScaling` on Application Auto Scaling."""

    def __init__(self, client: Any, alarms: CloudWatchStepAlarms) -> None:
        self._client = client
        self._alarms = alarms

    def copy(self, twin: Twin, *, least: int, tags: dict[str, str]) -> tuple[str, ...]:
        """See `GreenScaling`."""
        blue, green = _resource(twin.cluster, twin.blue), _resource(twin.cluster, twin.green)
        target = self._target(blue)
        if target is None:
            return ()
        fresh = {"Tags": tags} if self._target(green) is None else {}  # one that exists takes none
        with _asking("RegisterScalableTarget"):
            self._client.register_scalable_target(
                **_of(green),
                MinCapacity=least,
                MaxCapacity=max(least, target["MaxCapacity"]),
                SuspendedState={"DynamicScalingInSuspended": True, "ScheduledScalingSuspended": True},
                **fresh,
            )
        found = self._pages("describe_scaling_policies", "ScalingPolicies", blue)
        copied = {policy["PolicyARN"]: self._copy_policy(policy, twin) for policy in found}
        remarks = [each.why_not for each in copied.values() if each.why_not]
        steps = [policy for policy in found if policy["PolicyType"] == "StepScaling"]
        remarks += [
            f"nothing calls scaling policy {policy['PolicyName']} of {twin.blue}, so nothing calls its copy"
            for policy in steps
            if not policy.get("Alarms")
        ]
        remarks += self._alarms.copy(
            [alarm["AlarmName"] for policy in steps for alarm in policy.get("Alarms") or ()],
            twin,
            policies={arn: each.arn for arn, each in copied.items() if each.arn is not None},
            tags=tags,
        )
        for action in self._pages("describe_scheduled_actions", "ScheduledActions", blue):
            kept = ("ScheduledActionName", "Schedule", "Timezone", "StartTime", "EndTime", "ScalableTargetAction")
            with _asking("PutScheduledAction"):
                self._client.put_scheduled_action(
                    **_of(green), **{name: action[name] for name in kept if action.get(name)}
                )
        return tuple(remarks)

    def let_go(self, twin: Twin, *, scaling_in: bool, scheduled: bool) -> None:
        """See `GreenScaling`."""
        green = _resource(twin.cluster, twin.green)
        target, ours = self._target(_resource(twin.cluster, twin.blue)), self._target(green)
        if ours is None:
            return
        with _asking("RegisterScalableTarget"):
            self._client.register_scalable_target(
                **_of(green),
                MinCapacity=(target or ours)["MinCapacity"],
                MaxCapacity=(target or ours)["MaxCapacity"],
                SuspendedState={"DynamicScalingInSuspended": scaling_in, "ScheduledScalingSuspended": scheduled},
            )

    def remove(self, cluster: str, green: str) -> None:
        """See `GreenScaling`."""
        resource = _resource(cluster, green)
        self._alarms.remove(cluster, green)
        if self._target(resource) is None:
            return
        try:
            with _asking("DeregisterScalableTarget"):
                self._client.deregister_scalable_target(**_of(resource))
        except self._client.exceptions.ObjectNotFoundException:
            return

    def _copy_policy(self, policy: Any, twin: Twin) -> _Copied:
        name, kind = policy["PolicyName"], policy["PolicyType"]
        member = {
            "TargetTrackingScaling": "TargetTrackingScalingPolicyConfiguration",
            "StepScaling": "StepScalingPolicyConfiguration",
        }.get(kind)
        if member is None:
            return _Copied(why_not=f"scaling policy {name} of {twin.blue} is of {kind}, and was not copied")
        wanted = _for_green(policy[member], twin)
        if wanted is None:
            why = f"scaling policy {name} counts requests of a load balancer that does not lead to {twin.green}"
            return _Copied(why_not=why)
        with _asking("PutScalingPolicy"):
            made = self._client.put_scaling_policy(
                **_of(_resource(twin.cluster, twin.green)), PolicyName=name, PolicyType=kind, **{member: wanted}
            )
        return _Copied(arn=made["PolicyARN"])

    def _target(self, resource: str) -> Any:
        with _asking("DescribeScalableTargets"):
            found = self._client.describe_scalable_targets(
                ServiceNamespace="ecs", ResourceIds=[resource], ScalableDimension=_DIMENSION
            )["ScalableTargets"]
        return found[0] if found else None

    def _pages(self, operation: str, member: str, resource: str) -> list[Any]:
        with _asking(operation):
            pages = self._client.get_paginator(operation).paginate(**_of(resource))
            found = [each for page in pages for each in page[member]]
        return [each for each in found if each["ResourceId"] == resource]  # not every emulation knows the filter


def _resource(cluster: str, service: str) -> str:
    return f"service/{cluster.rsplit('/', 1)[-1]}/{service}"


def _of(resource: str) -> dict[str, str]:
    return {"ServiceNamespace": "ecs", "ResourceId": resource, "ScalableDimension": _DIMENSION}


def _for_green(configuration: Any, twin: Twin) -> Any:
    """Return a policy's configuration that watches green where it watched blue; None where nothing of green can be."""
    predefined = configuration.get("PredefinedMetricSpecification") or {}
    if predefined.get("PredefinedMetricType") == _BY_REQUESTS:
        if twin.label is None:
            return None
        return {**configuration, "PredefinedMetricSpecification": {**predefined, "ResourceLabel": twin.label}}
    return of_green(configuration, twin)
