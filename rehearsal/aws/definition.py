"""
Amazon States Language, read strictly: what AWS would refuse is refused here, at the door.

Only JSONata machines are read, since the product writes no others. A definition is checked
for structure, targets, expressions and the names of aws-sdk actions and their members.

Source: https://states-language.net/spec.html and
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from rehearsal.aws import integrations
from rehearsal.aws.jsonata import QueryFailed, body, is_expression, parse

_COMMON = {"Type", "Comment", "QueryLanguage"}
_AFTER = {"Next", "End"}
_RETRIED = {"Retry", "Catch", "Assign", "Output"}
FIELDS: dict[str, set[str]] = {
    "Task": {"Resource", "Arguments", "TimeoutSeconds", "HeartbeatSeconds", "Credentials"} | _RETRIED | _AFTER,
    "Parallel": {"Branches", "Arguments"} | _RETRIED | _AFTER,
    "Map": {"Items", "ItemSelector", "ItemProcessor", "MaxConcurrency"} | _RETRIED | _AFTER,
    "Pass": {"Assign", "Output"} | _AFTER,
    "Wait": {"Seconds", "Timestamp", "Assign", "Output"} | _AFTER,
    "Choice": {"Choices", "Default", "Assign", "Output"},
    "Succeed": {"Output"},
    "Fail": {"Error", "Cause"},
}
_REQUIRED = {
    "Task": ["Resource"],
    "Parallel": ["Branches"],
    "Map": ["ItemProcessor"],
    "Choice": ["Choices"],
}
_RETRIER = {"ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds", "JitterStrategy"}
_CATCHER = {"ErrorEquals", "Next", "Assign", "Output"}
_CHOICE = {"Condition", "Next", "Assign", "Output"}
_MACHINE = {"Comment", "QueryLanguage", "StartAt", "States", "TimeoutSeconds", "Version"}
_ENDS = ("Succeed", "Fail")


class InvalidDefinition(Exception):
    """A definition AWS would not accept; the message lists every problem with its place."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def read(text: str) -> dict[str, Any]:
    """Parse and check a definition. Raises InvalidDefinition with all problems found."""
    try:
        machine = json.loads(text)
    except ValueError as wrong:
        raise InvalidDefinition([f"INVALID_JSON_DESCRIPTION: {wrong}"]) from wrong
    if not isinstance(machine, dict):
        raise InvalidDefinition(["INVALID_JSON_DESCRIPTION: a definition is an object"])
    problems: list[str] = []
    _check_machine(machine, "", machine.get("QueryLanguage", "JSONPath"), problems.append)
    if problems:
        raise InvalidDefinition([f"SCHEMA_VALIDATION_FAILED: {problem}" for problem in problems])
    return machine


Report = Callable[[str], None]


def _check_machine(machine: dict[str, Any], at: str, language: str, report: Report, *, top: bool = True) -> None:
    allowed = _MACHINE if top else {"Comment", "StartAt", "States", "ProcessorConfig", "QueryLanguage"}
    for field in sorted(set(machine) - allowed):
        report(f"field {field} is not supported at {at or '/'}")
    states = machine.get("States")
    if not isinstance(states, dict) or not states:
        report(f"States is missing or empty at {at or '/'}")
        return
    if machine.get("StartAt") not in states:
        report(f"StartAt names no state at {at or '/'}")
    reached: set[str] = {str(machine.get("StartAt"))}
    for name, state in states.items():
        place = f"{at}/States/{name}"
        if not isinstance(state, dict) or state.get("Type") not in FIELDS:
            report(f"a state needs a known Type at {place}")
            continue
        if state.get("QueryLanguage", language) != "JSONata":
            report(f"only QueryLanguage JSONata is read here at {place}")
            continue
        _check_state(state, place, report)
        for target in _targets(state):
            reached.add(target)
            if target not in states:
                report(f"MISSING_TRANSITION_TARGET {target!r} at {place}")
    for name in sorted(set(states) - reached):
        report(f"MISSING_TRANSITION_TARGET: state {name!r} is not reachable at {at or '/'}")


def _check_state(state: dict[str, Any], place: str, report: Report) -> None:
    kind = state["Type"]
    for field in sorted(set(state) - FIELDS[kind] - _COMMON):
        report(f"field {field} is not supported at {place}")
    for field in _REQUIRED.get(kind, []):
        if field not in state:
            report(f"field {field} is missing at {place}")
    if kind not in ("Choice", *_ENDS) and ("Next" in state) == bool(state.get("End")):
        report(f"a state has either Next or End at {place}")
    for field, value in state.items():
        if field not in ("Branches", "ItemProcessor", "Comment"):
            _check_expressions(value, f"{place}/{field}", report)
    _check_rules(state, place, report)
    if kind == "Wait" and ("Seconds" in state) == ("Timestamp" in state):
        report(f"a Wait has either Seconds or Timestamp at {place}")
    if kind == "Task" and isinstance(state.get("Resource"), str):
        for problem in integrations.problems(state["Resource"], state.get("Arguments")):
            report(f"{problem} at {place}")
    _check_inner(state, place, report)


def _check_rules(state: dict[str, Any], place: str, report: Report) -> None:
    for field, allowed, required in (
        ("Retry", _RETRIER, ["ErrorEquals"]),
        ("Catch", _CATCHER, ["ErrorEquals", "Next"]),
        ("Choices", _CHOICE, ["Condition", "Next"]),
    ):
        rules = state.get(field, [])
        for number, rule in enumerate(rules):
            _check_fields(rule, allowed, required, f"{place}/{field}[{number}]", report)
            errors = rule.get("ErrorEquals") or []
            if "States.ALL" in errors and (len(errors) > 1 or number != len(rules) - 1):
                report(f"States.ALL stands alone and last at {place}/{field}[{number}]")


def _check_inner(state: dict[str, Any], place: str, report: Report) -> None:
    for number, branch in enumerate(state.get("Branches", [])):
        _check_machine(branch, f"{place}/Branches[{number}]", "JSONata", report, top=False)
    if "ItemProcessor" in state:
        processor = state["ItemProcessor"]
        if processor.get("ProcessorConfig", {}).get("Mode", "INLINE") != "INLINE":
            report(f"only inline Maps are run here at {place}")
        _check_machine(processor, f"{place}/ItemProcessor", "JSONata", report, top=False)


def _check_fields(rule: dict[str, Any], allowed: set[str], required: list[str], place: str, report: Report) -> None:
    for field in sorted(set(rule) - allowed - {"Comment"}):
        report(f"field {field} is not supported at {place}")
    for field in required:
        if not rule.get(field):
            report(f"field {field} is missing at {place}")


def _check_expressions(value: Any, place: str, report: Report) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if key.endswith(".$"):
                report(f"JSONPath field {key} in a JSONata state at {place}")
            _check_expressions(item, f"{place}/{key}", report)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            _check_expressions(item, f"{place}[{number}]", report)
    elif is_expression(value):
        try:
            parse(body(value))
        except QueryFailed as wrong:
            report(f"{wrong} at {place}")


def _targets(state: dict[str, Any]) -> Iterator[str]:
    for rule in (state, *state.get("Catch", []), *state.get("Choices", [])):
        if "Next" in rule:
            yield rule["Next"]
    if "Default" in state:
        yield state["Default"]
