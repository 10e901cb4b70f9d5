"""
Application Auto Scaling in the embedded AWS: moto's, with policies that keep their ARN and know who calls them.

Nothing is scaled here: an alarm's call of a policy is written to its history and goes no further.
"""

from __future__ import annotations

from typing import Any

from moto.applicationautoscaling.models import applicationautoscaling_backends

from rehearsal.aws import cloudwatch_alarms
from rehearsal.aws.registry import Call, operation


@operation("application-autoscaling", "PutScalingPolicy")
def put_scaling_policy(call: Call) -> Any:
    """Make a policy, or change one, which keeps its ARN."""
    policies = applicationautoscaling_backends[call.account][call.region].policies
    before = {key: policy.policy_arn for key, policy in policies.items()}
    answer = call.next()
    for key, arn in before.items():
        if policies[key].policy_arn != arn:
            policies[key].policy_arn = arn
            answer = {**answer, "PolicyARN": arn}
    return answer


@operation("application-autoscaling", "DescribeScalingPolicies")
def describe_scaling_policies(call: Call) -> Any:
    """Answer policies; those of step scaling with the alarms that call them."""
    answer = call.next()
    for policy in answer["ScalingPolicies"]:
        if policy["PolicyType"] == "StepScaling":
            policy["Alarms"] = [
                {"AlarmName": name, "AlarmARN": arn}
                for name, arn in cloudwatch_alarms.calling(call.region, policy["PolicyARN"])
            ]
    return answer
