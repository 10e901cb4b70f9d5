"""
Filter patterns of CloudWatch Logs: terms, and JSON with selectors, comparisons, AND and OR.

Patterns for space-delimited events (`[ip, user, ...]`) are refused by name. Source: Amazon CloudWatch Logs user
guide, "Filter pattern syntax for metric filters, subscription filters, filter log events".
"""

from __future__ import annotations

import fnmatch
import functools
import json
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Test: TypeAlias = Callable[[str], bool]
_JsonTest: TypeAlias = Callable[[Any], bool]
_ABSENT: Final = object()
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_TERM = re.compile(r'\s*(?P<mark>[?-])?(?:"(?P<quoted>[^"]*)"|%(?P<regex>[^%]*)%|(?P<bare>[^\s"%]+))')
_JSON_TOKEN = re.compile(
    r"\s*(?P<token>&&|\|\||!=|<=|>=|=|<|>|\(|\)"
    r"|\$(?:\.[A-Za-z0-9_\-]+|\[\"[^\"]+\"\]|\['[^']+'\]|\[\d+\])*"
    r'|"[^"]*"|%[^%]*%|[^\s()=<>!&|]+)'
)
_PART = re.compile(r"\.([A-Za-z0-9_\-]+)|\[[\"']([^\"']+)[\"']\]|\[(\d+)\]")
_ORDER: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class BadPattern(Exception):
    """The pattern does not parse, or is of a form that is not answered here."""


@functools.lru_cache(maxsize=256)
def compiled(pattern: str) -> Test:
    """
    Answer the test a pattern puts to a message.

    Raises:
        BadPattern: it does not parse.
    """
    pattern = pattern.strip()
    if pattern.startswith("{"):
        if not pattern.endswith("}"):
            raise BadPattern("A JSON filter pattern must end with }")
        test = _Json(pattern[1:-1]).parsed()
        return lambda message: _on_json(test, message)
    if pattern.startswith("["):
        raise BadPattern("Filter patterns for space-delimited events are not answered here")
    return _terms(pattern)


def matches(pattern: str | None, message: str) -> bool:
    """Whether a message passes a pattern; an empty pattern passes everything. Raises BadPattern."""
    return compiled(pattern or "")(message)


def value_at(selector: str, message: str) -> Any:
    """Answer what a selector (`$.a.b[0]`) finds in a JSON message, None when nothing is there."""
    try:
        found = _find(json.loads(message), _path(selector))
    except ValueError:
        return None
    return None if found is _ABSENT else found


# -- terms --------------------------------------------------------------------


def _terms(pattern: str) -> Test:
    every: list[Test] = []
    some: list[Test] = []
    none: list[Test] = []
    at = 0
    while at < len(pattern):
        match = _TERM.match(pattern, at)
        if match is None:
            raise BadPattern(f"Invalid character(s) in term '{pattern[at:]}'")
        at = match.end()
        {"?": some, "-": none}.get(match["mark"] or "", every).append(_term(match))
    if some and not every:
        return lambda message: any(test(message) for test in some) and not any(test(message) for test in none)
    # As on AWS, optional terms are ignored beside required ones.
    return lambda message: all(test(message) for test in every) and not any(test(message) for test in none)


def _term(match: re.Match[str]) -> Test:
    if match["regex"] is not None:
        expression = re.compile(match["regex"])
        return lambda message: expression.search(message) is not None
    text = match["quoted"] if match["quoted"] is not None else match["bare"]
    return lambda message: text in message


# -- JSON ---------------------------------------------------------------------


def _on_json(test: _JsonTest, message: str) -> bool:
    try:
        event = json.loads(message)
    except ValueError:
        return False
    return isinstance(event, dict) and test(event)


@dataclass(slots=True)
class _Json:
    """A recursive descent over one JSON pattern: AND binds stronger than OR."""

    pattern: str
    at: int = 0

    def parsed(self) -> _JsonTest:
        test = self._either()
        if self._peek():
            raise BadPattern(f"Unexpected '{self.pattern[self.at :].strip()}' in the filter pattern")
        return test

    def _peek(self) -> str:
        match = _JSON_TOKEN.match(self.pattern, self.at)
        if match is None:
            if self.pattern[self.at :].strip():
                raise BadPattern(f"Cannot read '{self.pattern[self.at :].strip()}' in the filter pattern")
            return ""
        return match["token"]

    def _take(self) -> str:
        match = _JSON_TOKEN.match(self.pattern, self.at)
        if match is None:
            raise BadPattern("The filter pattern ends too early")
        self.at = match.end()
        return match["token"]

    def _either(self) -> _JsonTest:
        tests = [self._both()]
        while self._peek() == "||":
            self._take()
            tests.append(self._both())
        return lambda event: any(test(event) for test in tests)

    def _both(self) -> _JsonTest:
        tests = [self._one()]
        while self._peek() == "&&":
            self._take()
            tests.append(self._one())
        return lambda event: all(test(event) for test in tests)

    def _one(self) -> _JsonTest:
        token = self._take()
        if token == "(":  # noqa: S105  (no password)
            test = self._either()
            if self._take() != ")":
                raise BadPattern("A parenthesis is not closed in the filter pattern")
            return test
        if not token.startswith("$"):
            raise BadPattern(f"A selector ($.…) is expected, not '{token}'")
        path = _path(token)
        comparison = self._take()
        match comparison:
            case "IS":
                wanted = {"TRUE": True, "FALSE": False, "NULL": None}.get(self._take(), _ABSENT)
                if wanted is _ABSENT:
                    raise BadPattern("IS is followed by TRUE, FALSE or NULL")
                return lambda event: _find(event, path) is wanted
            case "EXISTS":
                return lambda event: _find(event, path) is not _ABSENT
            case "NOT":
                if self._take() != "EXISTS":
                    raise BadPattern("NOT is followed by EXISTS")
                return lambda event: _find(event, path) is _ABSENT
            case "=":
                equal = _equal(self._take())
                return lambda event: equal(_find(event, path))
            case "!=":
                unequal = _equal(self._take())
                return lambda event: (found := _find(event, path)) is not _ABSENT and not unequal(found)
            case _ if comparison in _ORDER:
                return _ordered(path, _ORDER[comparison], self._take())
        raise BadPattern(f"'{comparison}' is no comparison of a filter pattern")


def _path(selector: str) -> tuple[str | int, ...]:
    return tuple(int(match[3]) if match[3] is not None else match[1] or match[2] for match in _PART.finditer(selector))


def _find(event: Any, path: Sequence[str | int]) -> Any:
    for part in path:
        if isinstance(event, list):
            reachable = isinstance(part, int) and part < len(event)
        else:
            reachable = isinstance(event, dict) and part in event
        if not reachable:
            return _ABSENT
        event = event[part]
    return event


def _equal(literal: str) -> _JsonTest:
    if literal.startswith("%"):
        expression = re.compile(literal.strip("%"))
        return lambda found: isinstance(found, str) and expression.search(found) is not None
    text = literal[1:-1] if literal.startswith('"') else literal
    number = float(literal) if _NUMBER.fullmatch(literal) else None

    def equal(found: Any) -> bool:
        if isinstance(found, str):
            return fnmatch.fnmatchcase(found, re.sub(r"([\[?])", r"[\1]", text))  # only * is a wildcard
        if isinstance(found, bool) or found is None or found is _ABSENT:
            return False
        return number is not None and isinstance(found, int | float) and found == number

    return equal


def _ordered(path: Sequence[str | int], compare: Callable[[float, float], bool], literal: str) -> _JsonTest:
    if not _NUMBER.fullmatch(literal):
        raise BadPattern(f"'{literal}' is no number")
    bound = float(literal)

    def ordered(event: Any) -> bool:
        found = _find(event, path)
        return isinstance(found, int | float) and not isinstance(found, bool) and compare(found, bound)

    return ordered
