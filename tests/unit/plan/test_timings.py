"""A rollback looks a second time only after the longest write in flight has landed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from crossfade.plan.document import LEAST_CONFIRM_SECONDS, Timings

TEMPLATE = Path(__file__).resolve().parents[3] / "template.yaml"


def test_a_second_look_that_comes_before_a_write_can_end_is_refused() -> None:
    with pytest.raises(ValidationError, match="confirm_seconds is 30; it must be at least 45"):
        Timings(confirm_seconds=30)


def test_a_rehearsal_divides_it_like_every_other_duration() -> None:
    assert Timings(period_seconds=10, confirm_seconds=5).confirm_seconds == 5


def test_no_function_that_shifts_may_run_longer_than_the_second_look_waits() -> None:
    class Loader(yaml.SafeLoader):
        """CloudFormation's short tags stand for values that this test does not read."""

    Loader.add_multi_constructor("!", lambda _loader, _suffix, node: node.value)
    template = yaml.load(TEMPLATE.read_text(encoding="utf-8"), Loader)  # noqa: S506 — a SafeLoader
    functions = {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    shifting = {name: each for name, each in functions.items() if "EdgeShifting" in each.get("Policies", ())}

    assert "ShiftTraffic" in shifting
    assert {name: each["Timeout"] for name, each in shifting.items() if "Timeout" in each} == {}
    assert template["Globals"]["Function"]["Timeout"] < LEAST_CONFIRM_SECONDS
