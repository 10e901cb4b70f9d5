"""Green's copies of the alarms that call step scaling: what they are called, and when there can be none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crossfade.connect.greenscaling import Twin
from crossfade.connect.stepalarms import copied_alarm, copied_name, family

TWIN = Twin("arn:aws:ecs:eu-west-1:123456789012:cluster/shop", "web", "web-green")
NAMES = st.text(min_size=1, max_size=255)


@given(NAMES, NAMES)
def test_each_alarms_copy_has_a_name_of_its_own_that_cloudwatch_takes(one: str, other: str) -> None:
    first, second = copied_name(TWIN, one), copied_name(TWIN, other)

    assert (first == second) == (one == other)
    assert max(len(first), len(second)) <= 255
    assert first.startswith(family("shop", "web-green"))


def test_an_expression_that_names_blue_is_not_guessed_at() -> None:
    expression = "SELECT MAX(CPUUtilization) FROM SCHEMA(\"AWS/ECS\", ServiceName) WHERE ServiceName = 'web'"

    said = copied_alarm({"AlarmName": "busiest", "Metrics": [{"Id": "q", "Expression": expression}]}, TWIN, {})

    assert said == "alarm busiest names web in an expression, which is not rewritten: make one for web-green"


def test_a_copy_calls_greens_policies_only_in_each_state() -> None:
    alarm = {
        "AlarmName": "busy",
        "AlarmActions": ["blue:out", "topic"],
        "OKActions": ["blue:in"],
        "InsufficientDataActions": ["topic"],
        "Dimensions": [{"Name": "ServiceName", "Value": "web"}],
        "StateValue": "ALARM",
        "Metrics": [],
    }

    copied = copied_alarm(alarm, TWIN, {"blue:out": "green:out", "blue:in": "green:in"})

    assert copied == {
        "AlarmName": "crossfade.scaling/shop/web-green/busy",
        "AlarmActions": ["green:out"],
        "OKActions": ["green:in"],
        "Dimensions": [{"Name": "ServiceName", "Value": "web-green"}],
    }
