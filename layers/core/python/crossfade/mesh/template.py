"""
The text of a CloudFormation template, YAML with short tags or JSON, as plain data.

Pure: text in, mappings and lists out. Input is hostile until proven otherwise, so size,
depth and the reach of YAML aliases are bounded before anything is built. PyYAML is imported
when first needed: plans are drawn where it is installed, and the layer does not carry it.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final

from crossfade.errors import BadInput

LARGEST_BYTES: Final = 8_000_000
"""Eight times what CloudFormation itself accepts."""
_DEEPEST: Final = 100
_MOST_VALUES: Final = 1_000_000
_LARGEST_NUMBER: Final = 2**64


@cache
def _loader() -> Any:
    """Return a safe loader that spells out short tags and leaves dates as text; on libyaml where it is built."""
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # a class all the same
        pass

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Loader.add_multi_constructor("!", _short_tag)
    return Loader


def _short_tag(loader: Any, suffix: str, node: Any) -> dict[str, object]:
    name = suffix.rstrip(":")
    value: object
    if node.id == "scalar":
        value = loader.construct_scalar(node)
    elif node.id == "sequence":
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name if name in ("Ref", "Condition") else f"Fn::{name}": value}


def load_template(text: str, path: str) -> dict[str, object]:
    """
    Return a template as data, its short tags spelled out (`!Ref X` as `{"Ref": "X"}`).

    A key written twice keeps its last value, as CloudFormation has it.

    Args:
        text: YAML or JSON.
        path: Where the text came from, for errors.

    Raises:
        BadInput: the text is no YAML, or is no mapping, or is larger, deeper or wider
            than any template.
    """
    data = load_yaml(text, path)
    if not isinstance(data, dict):
        raise BadInput(f"{path}: not a template; a mapping was expected at the top")
    return {str(key): value for key, value in data.items()}


def load_yaml(text: str, path: str) -> object:
    """
    Return YAML or JSON text as data, short tags spelled out, within the bounds of this module.

    Raises:
        BadInput: as load_template, except that any value may stand at the top.
    """
    import yaml

    if len(text) > LARGEST_BYTES:
        raise BadInput(f"{path}: larger than {LARGEST_BYTES:,} bytes; no template is")
    try:
        if text.lstrip().startswith(("{", "[")):
            return _bounded(_json(text, path), path)
        _check_depth(text, path)
        return _bounded(yaml.load(text, Loader=_loader()), path)  # noqa: S506 — a safe loader, see above
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{path}:{mark.line + 1}" if mark is not None else path
        raise BadInput(f"{place}: not readable as YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadInput(f"{path}: not readable as YAML or JSON: {_first_line(error)}") from error


def _json(text: str, path: str) -> object:
    """Read JSON; what is YAML's flow style instead is left to the YAML reader."""
    import yaml

    try:
        return json.loads(text)
    except json.JSONDecodeError:
        _check_depth(text, path)
        return yaml.load(text, Loader=_loader())  # noqa: S506 — a safe loader, see above


def _check_depth(text: str, path: str) -> None:
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=_loader()):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                raise BadInput(f"{path}: nested more than {_DEEPEST} levels deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _bounded(data: object, path: str) -> object:
    """Return `data`; refuse it when its aliases unfold to more than any template holds, or a number to infinity."""
    sizes: dict[int, int] = {}

    def size(value: object, depth: int) -> int:
        if not isinstance(value, dict | list):
            if isinstance(value, int | float) and not abs(value) < _LARGEST_NUMBER:  # NaN is not smaller either
                raise BadInput(f"{path}: it holds a number that no template holds, such as infinity")
            return 1
        if depth > _DEEPEST:
            raise BadInput(f"{path}: nested more than {_DEEPEST} levels deep, or an alias that holds itself")
        if id(value) not in sizes:
            children = value.values() if isinstance(value, dict) else value
            sizes[id(value)] = 1 + sum(size(child, depth + 1) for child in children)
        return sizes[id(value)]

    if size(data, 0) > _MOST_VALUES:
        raise BadInput(f"{path}: its YAML aliases unfold to more than {_MOST_VALUES:,} values")
    return data


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
