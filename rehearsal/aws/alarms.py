"""
How CloudWatch alarms decide: M of N with missing data, and rules of composite alarms. Pure.

Source: Amazon CloudWatch user guide, "Configuring how CloudWatch alarms treat missing data" (its tables are the test)
and "Create a composite alarm".
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

State: TypeAlias = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
Treatment: TypeAlias = Literal["missing", "notBreaching", "breaching", "ignore"]

EXTRA_PERIODS: Final = 2  # an alarm looks this many periods further back than it needs
COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
WORDS: Final = {
    "GreaterThanThreshold": "greater than the threshold",
    "GreaterThanOrEqualToThreshold": "greater than or equal to the threshold",
    "LessThanThreshold": "less than the threshold",
    "LessThanOrEqualToThreshold": "less than or equal to the threshold",
}
_WITHOUT_DATA: Final[Mapping[Treatment, State | None]] = {
    "missing": "INSUFFICIENT_DATA",
    "notBreaching": "OK",
    "breaching": "ALARM",
    "ignore": None,
}
_TOKEN = re.compile(
    r"\s*(?:(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:\"(?P<quoted>[^\"]+)\"|(?P<bare>[^\s()\"]+))\s*\)"
    r"|(?P<word>AND|OR|NOT|TRUE|FALSE)\b|(?P<mark>[()]))"
)


class BadRule(Exception):
    """A composite alarm's rule does not parse."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a metric alarm compares: `datapoints` of `periods` values against the threshold."""

    comparison: str
    threshold: float
    periods: int
    datapoints: int
    treatment: Treatment

    def breached(self, value: float) -> bool:
        """Whether one value is beyond the threshold."""
        return COMPARISONS[self.comparison](value, self.threshold)


def decide(values: Sequence[float | None], bound: Bound) -> State | None:
    """
    Answer the state an alarm takes, or None to stay as it is.

    `values` is the evaluation range, oldest first, None where a period has no data: the alarm's periods and
    EXTRA_PERIODS before them. Where enough values exist the newest decide and missing data plays no part.
    """
    real = [value for value in values if value is not None]
    if len(real) >= bound.periods:
        breaching = sum(bound.breached(value) for value in real[-bound.periods :])
        return "ALARM" if breaching >= bound.datapoints else "OK"
    breaching = sum(bound.breached(value) for value in real)
    missing = bound.periods - len(real)
    if not real:
        return _WITHOUT_DATA[bound.treatment]
    match bound.treatment:
        case "breaching":
            return "ALARM" if breaching + missing >= bound.datapoints else "OK"
        case "notBreaching":
            return "ALARM" if breaching >= bound.datapoints else "OK"
        case "missing":
            return "ALARM" if breaching >= min(bound.datapoints, len(real)) else "OK"
        case "ignore":
            if breaching >= bound.datapoints:
                return "ALARM"
            return None if breaching == len(real) else "OK"


def named_in(rule: str) -> frozenset[str]:
    """
    Name the alarms a composite rule speaks of, by name where it gives an ARN.

    Raises:
        BadRule: the rule does not parse.
    """
    names: set[str] = set()

    def note(name: str, _state: State) -> bool:
        names.add(name)
        return False

    holds(rule, note)
    return frozenset(names)


def holds(rule: str, is_in: Callable[[str, State], bool]) -> bool:
    """
    Whether a composite rule is true; `is_in` answers for one alarm (by name) and one state.

    Every part of the rule is looked at, also where the answer is already known.

    Raises:
        BadRule: the rule does not parse.
    """
    reader = _Rule(rule, is_in)
    answer = reader.either()
    if reader.peek() is not None:
        raise BadRule(f"Unexpected '{reader.rest()}' in the rule")
    return answer


class _Rule:
    """A recursive descent: NOT binds strongest, then AND, then OR."""

    def __init__(self, rule: str, is_in: Callable[[str, State], bool]) -> None:
        self._rule = rule.strip()
        self._at = 0
        self._is_in = is_in

    def rest(self) -> str:
        return self._rule[self._at :]

    def peek(self) -> re.Match[str] | None:
        match = _TOKEN.match(self._rule, self._at)
        if match is None and self.rest().strip():
            raise BadRule(f"Cannot read '{self.rest()}' in the rule")
        return match

    def _next_is(self, word: str) -> bool:
        match = self.peek()
        if match is None or word not in (match["word"], match["mark"]):
            return False
        self._at = match.end()
        return True

    def either(self) -> bool:
        answer = self._both()
        while self._next_is("OR"):
            answer = self._both() or answer
        return answer

    def _both(self) -> bool:
        answer = self._one()
        while self._next_is("AND"):
            answer = self._one() and answer
        return answer

    def _one(self) -> bool:
        if self._next_is("NOT"):
            return not self._one()
        if self._next_is("("):
            answer = self.either()
            if not self._next_is(")"):
                raise BadRule("A parenthesis is not closed in the rule")
            return answer
        match = self.peek()
        if match is None or match["mark"] or match["word"] in ("AND", "OR"):
            raise BadRule(f"An alarm state is missing before '{self.rest()}' in the rule")
        self._at = match.end()
        if match["word"]:
            return match["word"] == "TRUE"
        name = (match["quoted"] or match["bare"]).rpartition(":alarm:")[2]
        return self._is_in(name, match["state"])  # type: ignore[arg-type]  # the pattern allows states only
