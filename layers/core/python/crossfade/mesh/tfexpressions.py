"""
What Terraform's values mean, as python-hcl2 gives them: texts are expressions, and a type fills in what it is given.

Pure. Source: Terraform Language, "Expressions", "Type Constraints" (optional attributes).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crossfade.mesh import hclfunctions
from crossfade.mesh.hcl import Node, Scope, in_text, parse, plain
from crossfade.mesh.intrinsics import Unresolved


def is_remark(name: object) -> bool:
    """Return whether a key is python-hcl2's own and not the file's."""
    return str(name).startswith("__")


def unquoted(text: object) -> str:
    """Return a label or text without the quotation marks that python-hcl2 keeps."""
    said = str(text)
    return said[1:-1] if len(said) > 1 and said[0] == said[-1] == '"' else said


def evaluated(value: object, scope: Scope) -> object:
    """Return what a value means as python-hcl2 gives it: texts are expressions, mappings and lists hold them."""
    if isinstance(value, Mapping):
        return {_key(key, scope): plain(evaluated(item, scope)) for key, item in value.items() if not is_remark(key)}
    if isinstance(value, list):
        return [plain(evaluated(item, scope)) for item in value]
    if not isinstance(value, str):
        return value
    return _expression(value)(scope)


def _key(key: object, scope: Scope) -> str:
    said = str(key)
    if said.startswith(('"', "${", "(")):
        return in_text(plain(_expression(said)(scope)))
    return said


def _expression(text: str) -> Node:
    if text.startswith('"<<') and text.endswith('"'):
        return parse(text[1:-1] + "\n")
    if text.startswith("${") and text.endswith("}"):
        return parse(text[2:-1])
    return parse(text)


class Nowhere:
    """The scope of values that stand alone: it has no names."""

    def name(self, root: str) -> object:
        raise Unresolved(f"there is no {root} here")

    def call(self, function: str, arguments: Sequence[object]) -> object:
        return hclfunctions.call(function, arguments)


class Table:
    """A name whose parts are found one by one: `var`, `local`, `data` and the like."""

    def __init__(self, find: Any, every: Any = None) -> None:
        self._find = find
        self._every = every

    def part(self, key: object) -> object:
        return self._find(in_text(plain(key)))

    def whole(self) -> object:
        if self._every is None:
            raise Unresolved("a name was expected after a dot")
        return self._every()


def typed(text: str, declared: Mapping[str, Any]) -> object:
    """Return what an operator gave for a variable, read as its type asks."""
    kind = str(declared.get("type", "")).removeprefix("${").removesuffix("}").strip('"')
    if kind in ("", "string", "any"):
        return text
    try:
        return plain(parse(text)(Nowhere()))
    except Unresolved:
        return text


def written(text: str) -> object:
    """Return what an operator gave for something without a type: a list or an object where it is written as one."""
    return typed(text, {"type": "dynamic"}) if text.lstrip()[:1] in ("[", "{") else text


class _Types:
    """The scope of a variable's type, in which `object` and `optional` are functions."""

    def name(self, root: str) -> object:
        return [root]

    def call(self, function: str, arguments: Sequence[object]) -> object:
        return [function, *arguments]


def fitted(value: object, kind: object) -> object:
    """Return a variable's value with the attributes that its type calls optional filled in, as Terraform does."""
    if not isinstance(kind, str) or "optional(" not in kind:
        return value
    try:
        return _fit(value, plain(_expression(kind)(_Types())))
    except Unresolved:
        return value


def _fit(value: object, kind: object) -> object:
    if not isinstance(kind, list) or len(kind) < 2 or value is None:  # noqa: PLR2004 — a name and its argument
        return value
    if kind[0] == "optional":
        return _fit(value, kind[1])
    if kind[0] in ("list", "set") and isinstance(value, list):
        return [_fit(each, kind[1]) for each in value]
    if kind[0] == "map" and isinstance(value, Mapping):
        return {key: _fit(each, kind[1]) for key, each in value.items()}
    if kind[0] == "object" and isinstance(value, Mapping) and isinstance(kind[1], Mapping):
        said = {name: _fit(value[name], inner) for name, inner in kind[1].items() if name in value}
        for name, inner in kind[1].items():
            if isinstance(inner, list) and inner[:1] == ["optional"] and said.get(name) is None:
                said[name] = _fit(inner[2], inner[1]) if len(inner) > 2 else None  # noqa: PLR2004 — has a default
        return said
    return value
