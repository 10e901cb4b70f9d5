"""
The JSONata in a state machine: it parses, its functions exist, and its variables hold a value.

Variables are followed along every path: one that is read must have been assigned on each
way that leads to the state, and an inner scope may not assign a name of an outer one.

Source: Step Functions guide, "Passing data between states with variables" and
"Transforming data with JSONata" (reserved variable `$states`, functions added, `$eval` taken away).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonata.jexception import JException
from jsonata.parser import Parser

from checks.finding import Finding
from checks.machine import Machine, Scope, State, exits, inner_definitions

_FUNCTIONS = frozenset(
    [
        "abs",
        "append",
        "average",
        "base64decode",
        "base64encode",
        "boolean",
        "ceil",
        "contains",
        "count",
        "decodeUrl",
        "decodeUrlComponent",
        "distinct",
        "each",
        "encodeUrl",
        "encodeUrlComponent",
        "error",
        "exists",
        "filter",
        "floor",
        "formatBase",
        "formatInteger",
        "formatNumber",
        "fromMillis",
        "join",
        "keys",
        "length",
        "lookup",
        "lowercase",
        "map",
        "match",
        "max",
        "merge",
        "millis",
        "min",
        "not",
        "now",
        "number",
        "pad",
        "parseInteger",
        "power",
        "random",
        "reduce",
        "replace",
        "reverse",
        "round",
        "shuffle",
        "sift",
        "single",
        "sort",
        "split",
        "spread",
        "sqrt",
        "string",
        "substring",
        "substringAfter",
        "substringBefore",
        "sum",
        "toMillis",
        "trim",
        "type",
        "uppercase",
        "zip",
        "assert",
        "partition",
        "range",
        "hash",
        "uuid",
        "parse",
    ]
)
"""JSONata's own without `eval`, which Step Functions does not offer, and in the last row the five it adds."""

_RESERVED: dict[str, frozenset[str]] = {
    "Task": frozenset({"input", "context", "result"}),
    "Parallel": frozenset({"input", "context", "result"}),
    "Map": frozenset({"input", "context", "result"}),
    "Pass": frozenset({"input", "context"}),
    "Choice": frozenset({"input", "context"}),
    "Wait": frozenset({"input", "context"}),
    "Succeed": frozenset({"input", "context"}),
    "Fail": frozenset({"input", "context"}),
}
_CAUGHT = frozenset({"input", "context", "errorOutput"})
_BEFORE_THE_RESULT = frozenset({"Arguments", "Items", "ItemSelector", "TimeoutSeconds", "HeartbeatSeconds"})
_NOT_HERE = frozenset(
    {"Branches", "ItemProcessor", "Catch", "Retry", "Choices", "States", "Comment", "Type", "Resource"}
)


@dataclass(frozen=True, slots=True)
class Names:
    """What an expression refers to."""

    variables: frozenset[str]
    functions: frozenset[str]
    states_fields: frozenset[str]
    result_fields: frozenset[str]


@dataclass(slots=True)
class _Walk:
    read: set[str] = field(default_factory=set)
    called: set[str] = field(default_factory=set)
    bound: set[str] = field(default_factory=set)
    states_fields: set[str] = field(default_factory=set)
    result_fields: set[str] = field(default_factory=set)

    def visit(self, node: object) -> None:
        if isinstance(node, list | tuple):
            for part in node:
                self.visit(part)
            return
        if not isinstance(node, Parser.Symbol):
            return
        parts = {name: part for name, part in vars(node).items() if name != "_outer_instance"}
        kind = parts.get("type")
        if kind == "variable" and parts.get("value"):
            self.read.add(str(parts["value"]))
        elif kind == "bind":
            self.bound.add(str(parts["lhs"].value))
        elif kind == "lambda":
            self.bound.update(str(argument.value) for argument in parts.get("arguments") or [])
        elif kind in ("function", "partial"):
            procedure = parts.pop("procedure")
            if getattr(procedure, "type", None) == "variable":
                self.called.add(str(procedure.value))
            else:
                self.visit(procedure)
        elif kind == "path":
            self._path([(step.type, step.value) for step in parts["steps"]])
        for part in parts.values():
            self.visit(part)

    def _path(self, steps: list[tuple[str, Any]]) -> None:
        if steps[0] != ("variable", "states") or len(steps) == 1:
            return
        self.states_fields.add(str(steps[1][1]))
        if steps[1][1] == "result" and len(steps) > 2 and steps[2][0] == "name":  # noqa: PLR2004 - $states.result.X
            self.result_fields.add(str(steps[2][1]))


def names(source: str) -> Names:
    """
    Parse an expression and return what it refers to from outside.

    Raises:
        JException: it does not parse.
    """
    walk = _Walk()
    walk.visit(Parser().parse(source))
    outer = walk.read - walk.bound - {"states", "$"}
    return Names(
        frozenset(outer),
        frozenset(walk.called - walk.bound),
        frozenset(walk.states_fields),
        frozenset(walk.result_fields),
    )


def expression(text: str) -> str | None:
    """Return the JSONata of a string that is one, None of any other."""
    found = re.fullmatch(r"\s*\{%(.*)%\}\s*", text, re.DOTALL)
    return found[1] if found else None


def strings(block: object, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield (path, text) of every string in a block of a state, the parts that have rules of their own left out."""
    if isinstance(block, Mapping):
        for name, part in block.items():
            if place or name not in _NOT_HERE:
                yield from strings(part, f"{place}.{name}" if place else str(name))
    elif isinstance(block, list):
        for number, part in enumerate(block):
            yield from strings(part, f"{place}[{number}]")
    elif isinstance(block, str):
        yield place, block


def expressions(machine: Machine) -> Iterator[Finding]:
    """Yield each expression that does not parse, calls what does not exist, or reads what holds no value there."""
    yield from _in(machine.root, frozenset(), frozenset())


def _in(scope: Scope, held: frozenset[str], outer: frozenset[str]) -> Iterator[Finding]:
    """Check a scope that is entered with the variables `held`; `outer` are all names of the scopes around it."""
    own = _assigned_anywhere(scope)
    for name in sorted(own & outer):
        yield Finding(scope.place, f"assigns ${name}, a variable of an outer scope")
    entry = _held_at_entry(scope, held)
    for name, state in scope.states.items():
        place = f"{scope.place} / {name}"
        now = entry.get(name, held | own)
        allowed = _RESERVED.get(str(state.get("Type")), frozenset())
        yield from _block(place, state, now, allowed)
        for number, choice in enumerate(state.get("Choices", []), 1):
            yield from _block(f"{place} choice {number}", choice, now, allowed)
        for number, rule in enumerate(state.get("Catch", []), 1):
            yield from _block(f"{place} Catch {number}", rule, now, _CAUGHT)
        for label, definition in inner_definitions(state):
            yield from _in(Scope(f"{place}{label}", definition, (scope, name)), now, outer | own)


def _assigned_anywhere(scope: Scope) -> frozenset[str]:
    blocks: list[Mapping[str, Any]] = []
    for state in scope.states.values():
        blocks += [state, *state.get("Choices", []), *state.get("Catch", [])]
    return frozenset(name for block in blocks for name in _assigned(block))


def _assigned(block: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(block.get("Assign") or {})


def _held_at_entry(scope: Scope, held: frozenset[str]) -> dict[str, frozenset[str]]:
    """Return, for each state that can be reached, the variables that hold a value whichever way it is reached."""
    entry: dict[str, frozenset[str]] = {str(scope.definition.get("StartAt")): held}
    ahead = list(entry)
    while ahead:
        name = ahead.pop()
        state = scope.states.get(name)
        if state is None:
            continue
        for _kind, target, block in exits(state):
            then = entry[name] | _assigned(block)
            merged = then if target not in entry else entry[target] & then
            if merged != entry.get(target):
                entry[target] = merged
                ahead.append(target)
    return entry


def _block(place: str, block: State, held: frozenset[str], allowed: frozenset[str]) -> Iterator[Finding]:
    for path, text in strings(block):
        source = expression(text)
        if source is None:
            if "{%" in text or "%}" in text:
                yield Finding(f"{place} {path}", "an expression must be the whole string")
            elif "JsonPath" in text or text.startswith(("$.", "$$.")) or path.endswith(".$"):
                yield Finding(f"{place} {path}", "looks like JSONPath, which is not evaluated here")
            continue
        try:
            found = names(source)
        except JException as broken:
            yield Finding(f"{place} {path}", f"does not parse: {broken}")
            continue
        root = re.split(r"[.\[]", path)[0]
        reserved = allowed - {"result"} if root in _BEFORE_THE_RESULT else allowed
        for name in sorted(found.functions - _FUNCTIONS):
            yield Finding(f"{place} {path}", f"no function ${name} exists")
        for name in sorted(found.variables - held):
            yield Finding(f"{place} {path}", f"${name} is not assigned on every way here")
        for name in sorted(found.states_fields - reserved):
            yield Finding(f"{place} {path}", f"$states.{name} does not exist here")
