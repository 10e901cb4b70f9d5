"""Each type the deployer knows, made from a small template and read back through the API."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rehearsal.deploy import Deployer
from rehearsal.deploy.resources import MAKERS
from rehearsal.deploy.resources.cloudwatch import scaled_period
from tests.rehearsal.deploy.resources import (
    access,
    functions,
    machines,
    mesh,
    messages,
    names,
    network,
    services,
    stores,
    watching,
)

Deploy = Callable[..., dict[str, str]]

KINDS = (access, functions, machines, mesh, messages, names, network, services, stores, watching)
CASES = {name: case for kind in KINDS for name, case in kind.CASES.items()}


@pytest.mark.parametrize("case", CASES)
def test_what_is_made_is_what_the_template_says(aws: Any, deploy: Deploy, case: str) -> None:
    text, holds = CASES[case]
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="zips", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="zips", Key="core", Body=b"PK\x05\x06" + bytes(18))

    outputs = deploy(text)

    holds(aws, outputs)


def test_every_type_the_deployer_knows_is_made_in_one_of_these_tests() -> None:
    made = {name for text, _ in CASES.values() for name in re.findall(r"Type: (AWS::\w+::\w+)", text)}

    assert made >= set(MAKERS)


@pytest.mark.parametrize(
    ("seconds", "scale", "period"),
    [(60, 1, 60), (60, 6, 10), (300, 6, 30), (360, 6, 60), (60, 60, 10), (900, 6, 120), (60, 2, 30), (30, 1, 30)],
)
def test_a_scaled_period_is_one_cloudwatch_allows(seconds: int, scale: float, period: int) -> None:
    assert scaled_period(seconds, scale) == period


def test_every_period_of_an_alarm_is_divided_by_the_rehearsals_factor(aws: Any, tmp_path: Path) -> None:
    template = tmp_path / "t.yaml"
    template.write_text(CASES["alarm"][0])

    Deployer(aws, period_scale=6).deploy(template, "t", {})

    found = aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert {each["AlarmName"]: each.get("Period") for each in found}["errors"] == 10
    assert [stat["MetricStat"]["Period"] for each in found for stat in each.get("Metrics", [])] == [30]
