"""
The resource types the deployer knows: one function each, from its properties to what exists.

A type that is not here is refused by name before anything is made.
"""

from __future__ import annotations

from collections.abc import Mapping

from rehearsal.deploy.making import Maker
from rehearsal.deploy.resources import (
    appmesh,
    awslambda,
    cloudfront,
    cloudwatch,
    dynamodb,
    ec2,
    ecs,
    elbv2,
    events,
    iam,
    logs,
    route53,
    s3,
    servicediscovery,
    sns,
    sqs,
    stepfunctions,
)

_MODULES = (
    appmesh,
    awslambda,
    cloudfront,
    cloudwatch,
    dynamodb,
    ec2,
    ecs,
    elbv2,
    events,
    iam,
    logs,
    route53,
    s3,
    servicediscovery,
    sns,
    sqs,
    stepfunctions,
)

MAKERS: Mapping[str, Maker] = {name: maker for module in _MODULES for name, maker in module.MAKERS.items()}
