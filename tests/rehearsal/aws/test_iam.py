from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.aws import EmbeddedAws, in_process

BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


@pytest.fixture(params=["in-process", "server"])
def iam(request: pytest.FixtureRequest) -> Iterator[Any]:
    with in_process() if request.param == "in-process" else EmbeddedAws() as aws:
        client = aws.client("iam")
        client.create_role(RoleName="r", AssumeRolePolicyDocument="{}")
        yield client


def test_a_policy_aws_keeps_is_there_when_a_role_asks_for_it(iam: Any) -> None:
    iam.attach_role_policy(RoleName="r", PolicyArn=BASIC)

    [attached] = iam.list_attached_role_policies(RoleName="r")["AttachedPolicies"]
    assert attached == {"PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": BASIC}


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::aws:policy/NoSuchPolicy",
        "arn:aws:iam::aws:policy/AWSLambdaBasicExecutionRole",  # it is kept under service-role/
        "arn:aws:iam::123456789012:policy/service-role/AWSLambdaBasicExecutionRole",
    ],
)
def test_a_policy_nobody_keeps_is_refused(iam: Any, arn: str) -> None:
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.attach_role_policy(RoleName="r", PolicyArn=arn)
