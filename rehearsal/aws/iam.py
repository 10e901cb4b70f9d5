"""
IAM: the policies AWS keeps, there as soon as a role asks for one.

moto knows some 1,500 of them but holds either none or all, and all cost half a second at each start.
"""

from __future__ import annotations

import functools
import json
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, iam_backends

from rehearsal.aws.registry import Call, operation


@operation("iam", "AttachRolePolicy")
def attach_role_policy(call: Call) -> dict[str, Any]:
    """Attach a policy to a role; one of AWS's own need not have been made before."""
    arn: str = call.params["PolicyArn"]
    partition, owner = arn.split(":")[1:5:3] if arn.count(":") >= 5 else ("", "")  # noqa: PLR2004  (an ARN's parts)
    name = arn.rpartition("/")[2]
    kept = _kept_by_aws().get(name)
    if owner == "aws" and kept is not None:
        backend = iam_backends[call.account][partition]
        policy = AWSManagedPolicy.from_data(name, call.account, partition, kept)
        if policy.arn == arn:
            backend.managed_policies.setdefault(arn, policy)
    call.next()
    return {}


@functools.cache
def _kept_by_aws() -> dict[str, dict[str, Any]]:
    policies: dict[str, dict[str, Any]] = json.loads(aws_managed_policies_data)
    return policies
