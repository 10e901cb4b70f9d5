"""Filter patterns of CloudWatch Logs: what they let through."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from rehearsal.aws.filter_pattern import BadPattern, compiled, matches, value_at

EJECT = json.dumps(
    {"action": "EJECT", "enforced": True, "type": "CONSECUTIVE_5XX", "n": 3, "a": {"b": [1, {"c": "x"}]}}
)
PROBE = json.dumps({"action": "EJECT", "enforced": False, "upstream_url": "10.0.0.1:8080"})


@pytest.mark.parametrize(
    ("pattern", "eject", "probe"),
    [
        ('{ ($.action = "EJECT") && ($.enforced IS TRUE) }', True, False),
        ('{ $.action = "EJECT" && $.enforced IS TRUE }', True, False),
        ("{ $.action = EJECT }", True, True),
        ('{ $.action != "EJECT" }', False, False),
        ('{ $.action = "EJ*" }', True, True),
        ('{ $.type = "*5XX" || $.upstream_url = "10.*" }', True, True),
        ("{ $.enforced IS FALSE }", False, True),
        ("{ $.n > 2 && $.n <= 3 }", True, False),
        ("{ $.n = 3 }", True, False),
        ("{ $.upstream_url NOT EXISTS }", True, False),
        ('{ $.a.b[1].c = "x" }', True, False),
        ("{ $.action = %^EJ% }", True, True),
        ('{ ($.action = "UNEJECT") || (($.n >= 3) && ($.enforced IS TRUE)) }', True, False),
        ("EJECT", True, True),
        ("EJECT CONSECUTIVE_5XX", True, False),
        ("?CONSECUTIVE_5XX ?10.0.0.1", True, True),
        ("EJECT -upstream_url", True, False),
        ('"EJECT"', True, True),
        ("%CONSEC[A-Z]+_5XX%", True, False),
        ("", True, True),
    ],
)
def test_a_pattern_lets_through_what_aws_lets_through(pattern: str, *, eject: bool, probe: bool) -> None:
    assert (matches(pattern, EJECT), matches(pattern, PROBE)) == (eject, probe)


@pytest.mark.parametrize("message", ["", "plain text EJECT", "[1, 2]", "{broken"])
def test_a_json_pattern_passes_over_what_is_no_object(message: str) -> None:
    assert not matches('{ $.action = "EJECT" }', message)


@pytest.mark.parametrize(
    "pattern", ["{ $.a = ", "{ a = 1 }", "{ $.a IS MAYBE }", "[ip, user]", "{ ($.a = 1 }", "{ $.a < x }"]
)
def test_a_pattern_that_is_not_understood_is_refused(pattern: str) -> None:
    with pytest.raises(BadPattern):
        compiled(pattern)


@given(value=some.integers(-(10**6), 10**6), bound=some.integers(-(10**6), 10**6))
def test_a_comparison_of_numbers_is_one_of_numbers(value: int, bound: int) -> None:
    message = json.dumps({"n": value})

    assert matches(f"{{ $.n < {bound} }}", message) is (value < bound)
    assert matches(f"{{ $.n = {bound} }}", message) is (value == bound)


def test_a_selector_reads_its_value() -> None:
    assert value_at("$.a.b[1].c", EJECT) == "x"
    assert value_at("$.nobody", EJECT) is None
