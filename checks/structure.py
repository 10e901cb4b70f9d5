"""
The shape of a state machine: fields, targets, ways out, and the house's rules for every Task.

Source: Amazon States Language specification (states-language.net/spec.html) and the
Step Functions guide on JSONata; the rules for Tasks are the house's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from checks.finding import Finding
from checks.machine import Machine, Scope, State, exits

_EVERYWHERE = {"Type", "Comment", "QueryLanguage"}
_GOES_ON = {"Next", "End"}
_FIELDS: dict[str, set[str]] = {
    "Task": {"Resource", "Arguments", "Output", "Assign", "TimeoutSeconds", "HeartbeatSeconds", "Retry", "Catch"}
    | {"Credentials"}
    | _GOES_ON,
    "Pass": {"Output", "Assign"} | _GOES_ON,
    "Choice": {"Choices", "Default", "Output", "Assign"},
    "Wait": {"Seconds", "Timestamp", "Output", "Assign"} | _GOES_ON,
    "Succeed": {"Output"},
    "Fail": {"Error", "Cause"},
    "Parallel": {"Branches", "Arguments", "Output", "Assign", "Retry", "Catch"} | _GOES_ON,
    "Map": {"Items", "ItemSelector", "ItemBatcher", "ItemProcessor", "ItemReader", "ResultWriter", "Label", "Output"}
    | {"MaxConcurrency", "ToleratedFailureCount", "ToleratedFailurePercentage", "Assign", "Retry", "Catch"}
    | _GOES_ON,
}
_TOP = {"Comment", "QueryLanguage", "StartAt", "States", "TimeoutSeconds", "Version"}
_INNER = {"Comment", "QueryLanguage", "StartAt", "States", "ProcessorConfig"}
_CHOICE = {"Condition", "Next", "Assign", "Output", "Comment"}
_RETRY = {
    "ErrorEquals",
    "IntervalSeconds",
    "MaxAttempts",
    "BackoffRate",
    "MaxDelaySeconds",
    "JitterStrategy",
    "Comment",
}
_CATCH = {"ErrorEquals", "Next", "Assign", "Output", "Comment"}
_LONGEST_NAME = 80

STANDARD_RETRY = frozenset(
    {
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.TooManyRequestsException",
    }
)
"""AWS's list for a Lambda task (Step Functions guide, "Handle transient Lambda service exceptions")."""


def structure(machine: Machine) -> Iterator[Finding]:
    """Yield what would make Step Functions refuse the machine, or leave a state that nothing reaches."""
    yield from _file(machine)
    for scope in machine.scopes():
        yield from _scope(scope)
    yield from _names_stand_once(machine)


def _file(machine: Machine) -> Iterator[Finding]:
    for number, line in enumerate(machine.text.splitlines(), 1):
        bare = re.sub(r"\"(\\.|[^\"\\])*\"|'[^']*'|#.*", "", line)
        if re.search(r"(^|[\s\[{,:-])[&*]\w", bare) or "<<:" in bare:
            yield Finding(f"{machine.name} line {number}", "YAML anchors and aliases are not used in definitions")
    yield from _unknown(machine.name, machine.definition, _TOP)
    if machine.definition.get("QueryLanguage") != "JSONata":
        yield Finding(machine.name, "QueryLanguage is not JSONata")
    if "Comment" not in machine.definition:
        yield Finding(machine.name, "has no Comment to say what it does")


def _scope(scope: Scope) -> Iterator[Finding]:
    if scope.outer is not None:
        yield from _unknown(scope.place, scope.definition, _INNER)
    start = scope.definition.get("StartAt")
    if start not in scope.states:
        yield Finding(scope.place, f"StartAt {start!r} is no state here")
    if not any(_ends(state) for state in scope.states.values()):
        yield Finding(scope.place, "no state ends it")
    for name, state in scope.states.items():
        yield from _state(f"{scope.place} / {name}", name, state)
        for kind, target, _block in exits(state):
            if target not in scope.states:
                yield Finding(f"{scope.place} / {name}", f"{kind} {target!r} is no state here")
    for name in sorted(set(scope.states) - _reached(scope)):
        yield Finding(f"{scope.place} / {name}", "nothing leads here")


def _ends(state: State) -> bool:
    return state.get("End") is True or state.get("Type") in ("Succeed", "Fail")


def _reached(scope: Scope) -> set[str]:
    found: set[str] = set()
    ahead = [str(scope.definition.get("StartAt"))]
    while ahead:
        name = ahead.pop()
        if name in found or name not in scope.states:
            continue
        found.add(name)
        ahead += [target for _kind, target, _block in exits(scope.states[name])]
    return found


def _state(place: str, name: str, state: State) -> Iterator[Finding]:
    kind = str(state.get("Type"))
    if kind not in _FIELDS:
        yield Finding(place, f"Type {kind!r} does not exist")
        return
    if len(name) > _LONGEST_NAME:
        yield Finding(place, f"its name is longer than {_LONGEST_NAME} characters")
    yield from _unknown(place, state, _FIELDS[kind] | _EVERYWHERE)
    if "Next" in _FIELDS[kind] and ("Next" in state) == ("End" in state):
        yield Finding(place, "must have either Next or End")
    if kind == "Choice":
        yield from _choices(place, state)
    if kind == "Wait" and ("Seconds" in state) == ("Timestamp" in state):
        yield Finding(place, "must have either Seconds or Timestamp")
    if kind == "Map" and "ItemProcessor" not in state:
        yield Finding(place, "has no ItemProcessor")
    if kind == "Parallel" and not state.get("Branches"):
        yield Finding(place, "has no Branches")
    for field, known in (("Retry", _RETRY), ("Catch", _CATCH)):
        yield from _rules(f"{place} {field}", state.get(field, []), known)


def _choices(place: str, state: State) -> Iterator[Finding]:
    if not state.get("Choices"):
        yield Finding(place, "has no Choices")
    if "Default" not in state:
        yield Finding(place, "has no Default: an input that fits no choice would kill the execution")
    for number, choice in enumerate(state.get("Choices", []), 1):
        yield from _unknown(f"{place} choice {number}", choice, _CHOICE)
        yield from (
            Finding(f"{place} choice {number}", f"has no {f}") for f in ("Condition", "Next") if f not in choice
        )


def _rules(place: str, rules: list[Mapping[str, Any]], known: set[str]) -> Iterator[Finding]:
    for number, rule in enumerate(rules, 1):
        errors = rule.get("ErrorEquals") or []
        yield from _unknown(f"{place} {number}", rule, known)
        if not errors:
            yield Finding(f"{place} {number}", "names no error")
        if "Next" in known and "Next" not in rule:
            yield Finding(f"{place} {number}", "has no Next")
        if "States.ALL" in errors and (len(errors) > 1 or number < len(rules)):
            yield Finding(f"{place} {number}", "States.ALL must stand alone and last")
    named = [error for rule in rules for error in rule.get("ErrorEquals") or []]
    for error in sorted({error for error in named if named.count(error) > 1}):
        yield Finding(place, f"{error} is named twice: the second rule never applies")


def _unknown(place: str, block: Mapping[str, Any], known: Iterable[str]) -> Iterator[Finding]:
    for field in sorted(set(block) - set(known)):
        yield Finding(place, f"{field} is no field here (with JSONata)")


def _names_stand_once(machine: Machine) -> Iterator[Finding]:
    """Step Functions wants a state's name to stand once in the whole machine, inner scopes included."""
    names = [name for _place, name, _state in machine.states()]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Finding(machine.name, f"the name {name!r} is given to two states")


def tasks(machine: Machine) -> Iterator[Finding]:
    """Yield each Task that can hang, that is never tried again, or whose failure nobody catches."""
    for place, _name, state in machine.tasks():
        if "TimeoutSeconds" not in state:
            yield Finding(place, "has no TimeoutSeconds")
        if ".waitForTaskToken" in str(state.get("Resource")) and "HeartbeatSeconds" not in state:
            yield Finding(place, "waits for a token and has no HeartbeatSeconds")
        if not state.get("Retry"):
            yield Finding(place, "has no Retry")
        caught = {error for rule in state.get("Catch", []) for error in rule.get("ErrorEquals", [])}
        if "States.ALL" not in caught:
            yield Finding(place, "has no Catch for States.ALL")
        if "States.HeartbeatTimeout" in caught and "States.Timeout" not in caught:
            yield Finding(place, "catches States.HeartbeatTimeout and not States.Timeout")


def retries_agree(machines: Iterable[Machine]) -> Iterator[Finding]:
    """
    Yield each Lambda Task whose retry of Lambda's own errors differs from the others'.

    The block is repeated in every Task, since definitions have no anchors. The numbers must
    be equal everywhere. An error of the list may instead be caught by name in the same state,
    which has another way then and may try again as often as suits that.
    """
    first: tuple[str, dict[str, Any]] | None = None
    for machine in machines:
        for place, _name, state in machine.tasks():
            if ":states:::lambda:" not in str(state.get("Resource")):
                continue
            caught = {error for rule in state.get("Catch", []) for error in rule.get("ErrorEquals", [])}
            alone = STANDARD_RETRY - caught
            rules = [rule for rule in state.get("Retry", []) if alone & set(rule.get("ErrorEquals", []))]
            retried = {error for rule in rules for error in rule["ErrorEquals"]}
            yield from (
                Finding(place, f"neither retries {error} nor catches it by name")
                for error in sorted(STANDARD_RETRY - retried - caught)
            )
            if len(rules) > 1:
                yield Finding(place, "retries Lambda's own errors in two rules")
            if not rules:
                continue
            numbers = {field: value for field, value in rules[0].items() if field not in ("ErrorEquals", "Comment")}
            if first is None:
                first = (place, numbers)
            elif numbers != first[1]:
                yield Finding(place, f"retries Lambda's own errors by {numbers}; {first[0]} does by {first[1]}")
