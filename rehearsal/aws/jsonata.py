"""
JSONata as Step Functions speaks it: the language, plus the functions AWS adds, minus `$eval`.

Expressions are compiled once and evaluated against bindings, never by splicing values into text.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import threading
import uuid
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from jsonata.jexception import JException
from jsonata.jsonata import Jsonata
from jsonata.timebox import Timebox
from jsonata.utils import Utils

from rehearsal.aws.clock import clock

_DIGESTS = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
_LONGEST_RANGE = 1000  # AWS: $range makes up to 1000 elements

_one_at_a_time = threading.Lock()  # a compiled expression holds its own environment


Timebox.current_milli_time = staticmethod(lambda: int(clock.time() * 1000))  # what $now() and $millis() tell


class QueryFailed(Exception):
    """An expression could not be evaluated; Step Functions calls it States.QueryEvaluationError."""


def is_expression(value: object) -> bool:
    """Whether this JSON value is an expression, `{% … %}`, and not a literal."""
    return isinstance(value, str) and value.startswith("{%") and value.rstrip().endswith("%}")


def body(value: str) -> str:
    """Return what stands between `{%` and `%}`."""
    return value.strip()[2:-2].strip()


def parse(expression: str) -> None:
    """Check that an expression, without its delimiters, parses. Raises QueryFailed if not."""
    try:
        _compiled(expression)
    except JException as wrong:
        raise QueryFailed(f"The JSONata expression '{expression}' does not parse: {wrong}") from wrong


def evaluate(expression: str, variables: Mapping[str, Any]) -> Any:
    """
    Evaluate an expression, without its delimiters, to a JSON value.

    Args:
        expression: JSONata text.
        variables: values by name without the dollar, `states` among them.

    Raises:
        QueryFailed: it fails, or returns nothing, or returns a function.
    """
    bindings = {name: Utils.NULL_VALUE if value is None else value for name, value in variables.items()}
    try:
        with _one_at_a_time:
            found = _compiled(expression).evaluate(None, bindings)
    except QueryFailed:
        raise
    except Exception as failed:  # the library raises whatever Python raised inside it
        raise QueryFailed(f"The JSONata expression '{expression}' failed: {failed}") from failed
    if found is None:
        raise QueryFailed(f"The JSONata expression '{expression}' returned nothing (undefined).")
    return _as_json(found, expression)


def resolve(template: Any, variables: Mapping[str, Any]) -> Any:
    """Evaluate every expression inside a JSON value and keep the literals. Raises QueryFailed."""
    if isinstance(template, dict):
        return {key: resolve(value, variables) for key, value in template.items()}
    if isinstance(template, list):
        return [resolve(value, variables) for value in template]
    if is_expression(template):
        return evaluate(body(template), variables)
    return template


@lru_cache(maxsize=2048)
def _compiled(expression: str) -> Any:
    compiled = Jsonata(expression)
    compiled.set_output_convert_nulls(False)  # keeps null and undefined apart
    for name, function in _FUNCTIONS.items():
        compiled.register_lambda(name, function)
    return compiled


def _as_json(value: Any, expression: str) -> Any:
    if value is None or value is Utils.NULL_VALUE:
        return None
    if isinstance(value, dict):
        return {str(key): _as_json(item, expression) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(item, expression) for item in value]
    if isinstance(value, float) and value.is_integer() and math.isfinite(value):
        return int(value)  # JSON knows one kind of number
    if isinstance(value, (str, bool, int, float)):
        return value
    raise QueryFailed(f"The JSONata expression '{expression}' returned an unsupported result type.")


# -- the functions AWS adds ---------------------------------------------------


def _partition(items: list[Any], size: float) -> list[list[Any]]:
    if size < 1:
        raise QueryFailed("$partition needs a chunk size of at least 1")
    return [list(items[start : start + int(size)]) for start in range(0, len(items), int(size))]


def _range(first: float, last: float, step: float) -> list[int]:
    if step == 0:
        raise QueryFailed("$range needs a step other than 0")
    made = list(range(int(first), int(last) + (1 if step > 0 else -1), int(step)))
    if len(made) > _LONGEST_RANGE:
        raise QueryFailed(f"$range makes at most {_LONGEST_RANGE} elements")
    return made


def _hash(content: Any, algorithm: str = "SHA-256") -> str:
    if algorithm not in _DIGESTS:
        raise QueryFailed(f"$hash knows {', '.join(_DIGESTS)}, not {algorithm}")
    text = content if isinstance(content, str) else json.dumps(content, separators=(",", ":"))
    return hashlib.new(_DIGESTS[algorithm], text.encode()).hexdigest()


def _random(seed: float | None = None) -> float:
    return random.random() if seed is None else random.Random(seed).random()


def _parse_json(text: str) -> Any:
    return json.loads(text)


def _eval(*_: object) -> None:
    raise QueryFailed("$eval is not supported by Step Functions; use $parse")


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "partition": _partition,
    "range": _range,
    "hash": _hash,
    "random": _random,
    "uuid": lambda: str(uuid.uuid4()),
    "parse": _parse_json,
    "eval": _eval,
}
