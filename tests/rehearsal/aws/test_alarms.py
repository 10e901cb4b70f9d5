"""How alarms decide: AWS's own tables of missing data, and composite rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from rehearsal.aws.alarms import EXTRA_PERIODS, BadRule, Bound, Treatment, decide, holds, named_in

TREATMENTS: tuple[Treatment, ...] = ("missing", "ignore", "breaching", "notBreaching")
VALUES = {"0": 0.0, "X": 9.0, "-": None}
NONE_OF_THEM = "INSUFFICIENT_DATA"


def bound(datapoints: int, treatment: Treatment, periods: int = 3) -> Bound:
    return Bound("GreaterThanThreshold", 5.0, periods, datapoints, treatment)


@pytest.mark.parametrize(
    ("seen", "datapoints", "states"),
    [
        ("0-X-X", 3, ("OK", "OK", "OK", "OK")),
        ("----0", 3, ("OK", "OK", "OK", "OK")),
        ("-----", 3, (NONE_OF_THEM, None, "ALARM", "OK")),
        ("0XX-X", 3, ("ALARM", "ALARM", "ALARM", "ALARM")),
        ("--X--", 3, ("ALARM", None, "ALARM", "OK")),
        ("0-X-X", 2, ("ALARM", "ALARM", "ALARM", "ALARM")),
        ("00X0X", 2, ("ALARM", "ALARM", "ALARM", "ALARM")),
        ("0-X--", 2, ("OK", "OK", "ALARM", "OK")),
        ("----0", 2, ("OK", "OK", "ALARM", "OK")),
        ("---X-", 2, ("ALARM", None, "ALARM", "OK")),
    ],
)
def test_missing_data_is_treated_as_in_the_table_of_aws(
    seen: str, datapoints: int, states: tuple[str | None, ...]
) -> None:
    values = [VALUES[each] for each in seen]

    decided = tuple(decide(values, bound(datapoints, treatment)) for treatment in TREATMENTS)

    assert decided == states


@given(
    values=some.lists(some.floats(0, 10), min_size=3 + EXTRA_PERIODS, max_size=3 + EXTRA_PERIODS),
    datapoints=some.integers(1, 3),
    treatment=some.sampled_from(TREATMENTS),
)
def test_with_all_data_only_the_newest_periods_decide(
    values: list[float], datapoints: int, treatment: Treatment
) -> None:
    breaching = sum(value > 5 for value in values[-3:])

    state = decide(values, bound(datapoints, treatment))

    assert state == ("ALARM" if breaching >= datapoints else "OK")


@pytest.mark.parametrize(
    ("rule", "truth"),
    [
        ('ALARM("a")', True),
        ("ALARM(a)", True),
        ('ALARM("b")', False),
        ('ALARM("a") OR ALARM("b")', True),
        ('ALARM("a") AND ALARM("b")', False),
        ('ALARM("a") AND NOT ALARM("b")', True),
        ('ALARM("b") AND ALARM("b") OR ALARM("a")', True),
        ('ALARM("b") AND (ALARM("b") OR ALARM("a"))', False),
        ('OK("b") AND INSUFFICIENT_DATA("c")', True),
        ('ALARM("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:a")', True),
        ("TRUE AND NOT FALSE", True),
    ],
)
def test_a_composite_rule_holds_when_its_words_say_so(rule: str, *, truth: bool) -> None:
    states = {"a": "ALARM", "b": "OK", "c": "INSUFFICIENT_DATA"}

    assert holds(rule, lambda name, state: states[name] == state) is truth


@pytest.mark.parametrize("rule", ["", "ALARM(", 'ALARM("a") AND', 'ALARM("a") ALARM("b")', '(ALARM("a")', "MAYBE(a)"])
def test_a_rule_that_does_not_parse_is_refused(rule: str) -> None:
    with pytest.raises(BadRule):
        named_in(rule)


def test_a_rule_names_every_alarm_it_speaks_of() -> None:
    assert named_in('ALARM("a") OR (OK("b b") AND NOT ALARM(c))') == {"a", "b b", "c"}
