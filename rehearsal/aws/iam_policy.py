"""
Identity policies, decided as IAM decides them: an explicit Deny wins, then an Allow, else it is denied.

Pure. What cannot be decided is denied: a statement whose condition asks for a key that is not known of a
request does not allow it, and one that denies does.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Values: TypeAlias = tuple[str, ...] | None
"""What a request says for a condition key: its values, or None where the key is known and the request sets none."""

_ARN_PARTS = 6
_OPERATOR = re.compile(r"(?P<set>ForAllValues:|ForAnyValue:)?(?P<name>[A-Za-z]+?)(?P<lenient>IfExists)?")


@dataclass(frozen=True, slots=True)
class Asked:
    """
    One action on one resource, as a request asks for it.

    `keys` holds every condition key that is known of this request, in lower case. `whole` holds the beginnings of
    keys that are all known, such as `aws:requesttag/`: one of those that is not among the keys is not set.
    """

    action: str
    resource: str = "*"
    keys: Mapping[str, Values] = field(default_factory=dict)
    whole: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy, ready to be asked; `where` is the policy it stands in, `sid` its name or number."""

    where: str
    sid: str
    allows: bool
    actions: tuple[re.Pattern[str], ...]
    but_actions: bool
    resources: tuple[str, ...]
    but_resources: bool
    conditions: Mapping[str, Mapping[str, tuple[str, ...]]]

    def covers(self, asked: Asked) -> bool:
        """Say whether the action and the resource are this statement's."""
        of_action = any(pattern.fullmatch(asked.action) for pattern in self.actions)
        if of_action == self.but_actions:
            return False
        return any(meets(pattern, asked.resource) for pattern in self.resources) != self.but_resources

    def applies(self, asked: Asked) -> bool:
        """Say whether it covers the request and its conditions hold; undecidable ones hold only where it denies."""
        if not self.covers(asked):
            return False
        try:
            return all(
                _holds(operator, key.lower(), wanted, asked)
                for operator, pairs in self.conditions.items()
                for key, wanted in pairs.items()
            )
        except _Undecidable:
            return not self.allows


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a request is allowed, and the statement that said so; None where it is denied for want of one."""

    allowed: bool
    by: Statement | None


class _Undecidable(Exception):
    """A condition asks for what is not known of the request, or in a way that is not known here."""


def decide(statements: Iterable[Statement], asked: Asked) -> Decision:
    """Return what these statements together say of a request."""
    applying = [statement for statement in statements if statement.applies(asked)]
    denying = next((statement for statement in applying if not statement.allows), None)
    if denying is not None:
        return Decision(allowed=False, by=denying)
    return Decision(allowed=bool(applying), by=applying[0] if applying else None)


@functools.lru_cache(maxsize=512)
def statements(where: str, document: str) -> tuple[Statement, ...]:
    """Read the statements of a policy document. Raises ValueError for one that IAM would not have taken."""
    read = json.loads(document)
    return tuple(_statement(where, number, each) for number, each in enumerate(_listed(read.get("Statement")), start=1))


def _statement(where: str, number: int, given: Mapping[str, Any]) -> Statement:
    if given.get("Effect") not in ("Allow", "Deny"):
        raise ValueError(f"{where}: Effect is {given.get('Effect')!r}")
    actions, but_actions = _or_not(where, given, "Action")
    resources, but_resources = _or_not(where, given, "Resource")
    return Statement(
        where=where,
        sid=str(given.get("Sid") or number),
        allows=given["Effect"] == "Allow",
        actions=tuple(re.compile(_wild(action), re.IGNORECASE) for action in actions),
        but_actions=but_actions,
        resources=tuple(resources),
        but_resources=but_resources,
        conditions={
            operator: {key: tuple(_text(value) for value in _listed(wanted)) for key, wanted in pairs.items()}
            for operator, pairs in (given.get("Condition") or {}).items()
        },
    )


def _or_not(where: str, given: Mapping[str, Any], name: str) -> tuple[list[str], bool]:
    if (name in given) == (f"Not{name}" in given):
        raise ValueError(f"{where}: a statement has either {name} or Not{name}")
    return [str(each) for each in _listed(given.get(name, given.get(f"Not{name}")))], name not in given


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# -- resources ----------------------------------------------------------------


def meets(pattern: str, resource: str) -> bool:
    """
    Say whether a resource of a policy covers that of a request.

    In an ARN a wildcard stays within its part; only in the last may it stand for colons too. A request for `*` is
    one whose action takes no resource, or whose resource does not exist yet: only a policy's `*` covers it.
    """
    if pattern == "*":
        return True
    wanted, given = pattern.split(":", _ARN_PARTS - 1), resource.split(":", _ARN_PARTS - 1)
    if len(wanted) != _ARN_PARTS or len(given) != _ARN_PARTS:
        return False
    return all(re.fullmatch(_wild(one), other, re.DOTALL) for one, other in zip(wanted, given, strict=True))


@functools.lru_cache(maxsize=4096)
def _wild(pattern: str) -> str:
    return "".join(".*" if mark == "*" else "." if mark == "?" else re.escape(mark) for mark in pattern)


# -- conditions ---------------------------------------------------------------


def _like(wanted: str, given: str) -> bool:
    return re.fullmatch(_wild(wanted), given, re.DOTALL) is not None


def _same(wanted: str, given: str) -> bool:
    return wanted == given


def _same_letters(wanted: str, given: str) -> bool:
    return wanted.lower() == given.lower()


_MATCHES: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": _same,
    "StringEqualsIgnoreCase": _same_letters,
    "StringLike": _like,
    "ArnEquals": meets,
    "ArnLike": meets,
    "Bool": _same_letters,
}
_NEGATED = {
    "StringNotEquals": _same,
    "StringNotEqualsIgnoreCase": _same_letters,
    "StringNotLike": _like,
    "ArnNotEquals": meets,
    "ArnNotLike": meets,
}


def _holds(operator: str, key: str, wanted: tuple[str, ...], asked: Asked) -> bool:
    given = _given(key, asked)
    parts = _OPERATOR.fullmatch(operator)
    if operator == "Null":
        return (given is None) == (wanted[0].lower() == "true")
    if parts is None:
        raise _Undecidable(operator)
    name = parts["name"]
    matches, negated = _MATCHES.get(name) or _NEGATED.get(name), name in _NEGATED
    if matches is None:
        raise _Undecidable(operator)
    if given is None:
        return bool(parts["lenient"]) or parts["set"] == "ForAllValues:" or (negated and not parts["set"])
    held = [any(matches(one, other) for one in wanted) != negated for other in given]
    return all(held) if parts["set"] == "ForAllValues:" or negated else any(held)


def _given(key: str, asked: Asked) -> Values:
    if key in asked.keys:
        return asked.keys[key]
    if asked.whole and key.startswith(asked.whole):
        return None
    raise _Undecidable(key)
