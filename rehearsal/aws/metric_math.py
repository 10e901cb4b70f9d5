"""
CloudWatch metric math, as far as alarms and dashboards of a migration use it.

Arithmetic and comparison on series, AND OR, IF, FILL, SUM AVG MIN MAX, ABS CEIL FLOOR, DIFF RATE RUNNING_SUM,
PERIOD, METRICS. SEARCH and anomaly bands are refused by name. Source: Amazon CloudWatch user guide, "Using math
expressions with CloudWatch metrics".
"""

from __future__ import annotations

import ast
import itertools
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rehearsal.aws.metric_store import Series

Value: TypeAlias = "float | Series | list[Series] | str"

_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_COMPARISON: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ELEMENTWISE: dict[str, Callable[[float], float]] = {"ABS": abs, "CEIL": math.ceil, "FLOOR": math.floor}
_AGGREGATE: dict[str, Callable[[Sequence[float]], float]] = {
    "SUM": math.fsum,
    "AVG": lambda values: math.fsum(values) / len(values),
    "MIN": min,
    "MAX": max,
}


class BadExpression(Exception):
    """The expression is not metric math, or uses a part of it that is not answered here."""


@dataclass(frozen=True, slots=True)
class Span:
    """The periods an expression is evaluated over, for FILL and PERIOD (epoch seconds, end excluded)."""

    start: int
    end: int
    period: int


def names_in(expression: str) -> frozenset[str]:
    """Name the metrics an expression refers to."""
    return frozenset(
        node.id for node in ast.walk(_parse(expression)) if isinstance(node, ast.Name) and node.id[0].islower()
    )


def evaluate(expression: str, metrics: Mapping[str, Series], span: Span) -> Value:
    """
    Answer an expression over series: a series, a list of series, or a number.

    A period that lacks a value on either side of an operator has none in the result; so does a division by zero.

    Raises:
        BadExpression: it does not parse, names an unknown metric, or uses a function that is not answered here.
    """
    return _Evaluation(metrics, span).answer(_parse(expression))


def _parse(expression: str) -> ast.expr:
    python = re.sub(r"\bIF\s*\(", "IF_(", expression)
    python = python.replace("&&", " and ").replace("||", " or ").replace("^", "**")
    python = re.sub(r"\bAND\b", "and", re.sub(r"\bOR\b", "or", re.sub(r"\bNOT\b", "not", python)))
    try:
        return ast.parse(python.strip(), mode="eval").body
    except SyntaxError as unreadable:
        raise BadExpression(f"Error in expression '{expression}': syntax error") from unreadable


class _Evaluation:
    def __init__(self, metrics: Mapping[str, Series], span: Span) -> None:
        self._metrics = metrics
        self._span = span

    def answer(self, node: ast.expr) -> Value:  # noqa: C901, PLR0911  (one case per form)
        match node:
            case ast.Constant(value=bool() | int() | float() as number):
                return float(number)
            case ast.Constant(value=str() as text):
                return text
            case ast.Name(id="REPEAT"):
                return "REPEAT"
            case ast.Name(id=name) if name in self._metrics:
                return self._metrics[name]
            case ast.List(elts=elements):
                return [self._series(element) for element in elements]
            case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _ARITHMETIC:
                return _pairwise(_ARITHMETIC[type(sign)], self.answer(left), self.answer(right))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return _pairwise(operator.sub, 0.0, self.answer(operand))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return _pairwise(operator.eq, 0.0, self.answer(operand))
            case ast.Compare(left=left, ops=[sign], comparators=[right]):
                return _pairwise(_COMPARISON[type(sign)], self.answer(left), self.answer(right))
            case ast.BoolOp(op=sign, values=values):
                both = isinstance(sign, ast.And)
                join = (lambda a, b: bool(a and b)) if both else (lambda a, b: bool(a or b))
                answer = self.answer(values[0])
                for value in values[1:]:
                    answer = _pairwise(join, answer, self.answer(value))
                return answer
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._call(name, arguments)
        raise BadExpression(f"Unsupported in metric math here: {ast.unparse(node)}")

    def _call(self, name: str, arguments: list[ast.expr]) -> Value:  # noqa: C901, PLR0911  (one case per function)
        values = [self.answer(argument) for argument in arguments]
        match name, values:
            case (("SUM" | "AVG" | "MIN" | "MAX"), [list() as many]):
                return _across(_AGGREGATE[name], many)
            case (("SUM" | "AVG" | "MIN" | "MAX"), [dict() as one]):
                return _AGGREGATE[name](list(one.values())) if one else {}
            case (("ABS" | "CEIL" | "FLOOR"), [value]):
                rounded = _ELEMENTWISE[name]
                return _pairwise(lambda a, _b: rounded(a), value, 0.0)
            case "FILL", [list() as many, (float() | str()) as filling]:
                return [self._fill(each, filling) for each in many]
            case "FILL", [dict() as one, (float() | str()) as filling]:
                return self._fill(one, filling)
            case "IF_", [condition, when_true]:
                return _drop_false(condition, when_true)
            case "IF_", [condition, when_true, when_false]:
                return _choose(condition, when_true, when_false)
            case "METRICS", []:
                return list(self._metrics.values())
            case "METRICS", [str() as part]:
                return [series for name, series in self._metrics.items() if part in name]
            case "PERIOD", [_]:
                return float(self._span.period)
            case "RUNNING_SUM", [dict() as one]:
                return dict(zip(one, itertools.accumulate(one.values()), strict=True))
            case (("DIFF" | "RATE"), [dict() as one]):
                return {
                    later: (one[later] - one[earlier]) / (later - earlier if name == "RATE" else 1)
                    for earlier, later in itertools.pairwise(one)
                }
        raise BadExpression(f"Unsupported in metric math here: {name.rstrip('_')} with {len(values)} argument(s)")

    def _series(self, node: ast.expr) -> Series:
        value = self.answer(node)
        if not isinstance(value, dict):
            raise BadExpression(f"A list holds metrics, not {ast.unparse(node)}")
        return value

    def _fill(self, series: Series, filling: float | str) -> Series:
        filled: Series = {}
        last: float | None = None
        for begin in range(self._span.start, self._span.end, self._span.period):
            last = series.get(begin, last)
            value = series.get(begin, last if filling == "REPEAT" else float(filling))
            if value is not None:
                filled[begin] = value
        return filled


def _pairwise(join: Callable[[float, float], float], left: Value, right: Value) -> Value:
    if isinstance(left, list) or isinstance(right, list):
        lefts = left if isinstance(left, list) else itertools.repeat(left)
        rights = right if isinstance(right, list) else itertools.repeat(right)
        joined = [_pairwise(join, one, other) for one, other in zip(lefts, rights, strict=False)]
        return [each for each in joined if isinstance(each, dict)]
    if isinstance(left, str) or isinstance(right, str):
        raise BadExpression("Text cannot be calculated with")
    if isinstance(left, dict):
        others = right if isinstance(right, dict) else dict.fromkeys(left, right)
        pairs = ((begin, _safely(join, left[begin], others[begin])) for begin in sorted(left) if begin in others)
        return {begin: value for begin, value in pairs if value is not None}
    if isinstance(right, dict):
        return _pairwise(join, dict.fromkeys(right, left), right)
    value = _safely(join, left, right)
    return {} if value is None else value


def _safely(join: Callable[[float, float], float], left: float, right: float) -> float | None:
    try:
        return float(join(left, right))
    except (ZeroDivisionError, OverflowError):
        return None


def _across(join: Callable[[Sequence[float]], float], many: Sequence[Series]) -> Series:
    begins = sorted(set().union(*many))
    return {begin: join([series[begin] for series in many if begin in series]) for begin in begins}


def _drop_false(condition: Value, when_true: Value) -> Value:
    if not isinstance(condition, dict):
        return when_true if condition else {}
    kept = {begin: value for begin, value in condition.items() if value}
    return _pairwise(lambda _condition, value: value, kept, when_true)


def _choose(condition: Value, when_true: Value, when_false: Value) -> Value:
    if not isinstance(condition, dict):
        return when_true if condition else when_false
    yes = _drop_false(condition, when_true)
    no = _drop_false({begin: float(not value) for begin, value in condition.items()}, when_false)
    if not isinstance(yes, dict) or not isinstance(no, dict):
        raise BadExpression("IF answers a series")
    return dict(sorted({**yes, **no}.items()))
