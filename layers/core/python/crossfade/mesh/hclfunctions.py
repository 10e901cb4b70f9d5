"""
Terraform's functions that need nothing but their arguments.

Pure. A function that is not here, or an argument that is not known where it must be, is `Unresolved`.

Source: Terraform Language, "Built-in functions".
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import itertools
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

from crossfade.mesh.hcl import JsonText, concatenated, in_text, number, truth
from crossfade.mesh.intrinsics import MOST_CHARACTERS, Unknown, Unresolved, fit

_MOST_ITEMS: Final = 10_000


def call(function: str, arguments: Sequence[object]) -> object:
    """
    Return what a function gives.

    Raises:
        Unresolved: there is no such function here, or it cannot be told.
    """
    found = _FUNCTIONS.get(function)
    if found is None:
        raise Unresolved(f"the function {function} cannot be computed from files")
    try:
        return _few(found(*arguments))
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, ArithmeticError, re.error) as wrong:
        raise Unresolved(f"{function} cannot take what it is given here") from wrong


def _few(value: object) -> object:
    if isinstance(value, list) and len(value) > _MOST_ITEMS:
        raise Unresolved(f"it would be a list of more than {_MOST_ITEMS:,} items")
    return value


def _text(value: object) -> str:
    if isinstance(value, Unknown):
        raise value.why
    return in_text(value)


def _list(value: object) -> list[object]:
    if isinstance(value, Unknown):
        raise value.why
    if isinstance(value, Mapping):
        return [value[key] for key in sorted(value)]
    if not isinstance(value, list):
        raise Unresolved("a list was expected")
    return value


def _map(value: object) -> dict[str, object]:
    if isinstance(value, Unknown):
        raise value.why
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Unresolved("a map was expected")
    return {str(key): item for key, item in value.items()}


def _weight(value: object, room: float) -> float:
    """Return how much room is left once a value is written, 0 or less when there is none; looks no further then."""
    room -= len(value) + 3 if isinstance(value, str) else 5
    items: Iterable[object] = ()
    if isinstance(value, Mapping):
        items = itertools.chain(value, value.values())
    elif isinstance(value, list):
        items = value
    for item in items:
        if room <= 0:
            break
        room = _weight(item, room)
    return room


def _jsonencode(value: object) -> str:
    if _weight(value, MOST_CHARACTERS) <= 0:
        fit(math.inf)
    said = JsonText(json.dumps(value, separators=(",", ":")))
    said.data = value
    return said


def _jsondecode(value: object) -> object:
    if isinstance(value, JsonText):
        return value.data
    return value if isinstance(value, Mapping | list) else json.loads(_text(value))  # an operator may give it decoded


def _format(spec: object, *values: object) -> str:
    given = iter(values)
    parts: list[object] = []
    at = 0
    for match in re.finditer(r"%(?:%|([-+ 0#]*\d*(?:\.\d+)?)([vsdqtfgexX]))", _text(spec)):
        parts.append(_text(spec)[at : match.start()])
        at = match.end()
        if match[0] == "%%":
            parts.append("%")
            continue
        value = next(given)
        fit(max((int(each) for each in re.findall(r"\d+", match[1] or "")), default=0))
        if match[2] in "vst" and not match[1]:
            parts.append(value if isinstance(value, str | bool | int | float) else _jsonencode(value))
        elif match[2] == "q":
            parts.append(json.dumps(_text(value)))
        elif match[2] in "vst":
            parts.append(f"%{match[1]}s" % _text(value))
        else:
            parts.append(f"%{match[1]}{match[2]}" % (int(number(value)) if match[2] in "dxX" else number(value)))
    parts.append(_text(spec)[at:])
    return concatenated(parts)


def _formatlist(spec: object, *values: object) -> list[object]:
    longest = max((len(value) for value in values if isinstance(value, list)), default=1)
    made: list[object] = []
    total = 0
    for at in range(longest):
        text = _format(spec, *(value[at] if isinstance(value, list) else value for value in values))
        total += len(text)
        fit(total)
        made.append(text)
    return made


def _join(separator: object, *lists: object) -> str:
    items = _concat(*lists)
    spaced = itertools.chain.from_iterable((separator, item) for item in items)
    return concatenated(list(itertools.islice(spaced, 1, None)))


def _replace(text: object, old: object, new: object) -> str:
    said = _text(old)
    fit((len(in_text(text)) + 1) * (len(in_text(new)) + 1) if len(in_text(new)) > len(said) else 0)
    if len(said) > 1 and said.startswith("/") and said.endswith("/"):
        return re.sub(said[1:-1], re.sub(r"\$\{?(\w+)\}?", r"\\\1", _text(new)), _text(text))
    if isinstance(text, Unknown):
        return text
    return _text(text).replace(said, _text(new))


def _lookup(table: object, key: object, *default: object) -> object:
    found = _map(table)
    if _text(key) in found:
        return found[_text(key)]
    if default:
        return default[0]
    raise Unresolved(f"there is nothing under {key}")


def _merge(*tables: object) -> dict[str, object]:
    merged: dict[str, object] = {}
    for table in tables:
        merged.update(_map(table))
    return merged


def _element(items: object, at: object) -> object:
    listed = _list(items)
    if not listed:
        raise Unresolved("element of an empty list")
    return listed[int(number(at)) % len(listed)]


def _length(value: object) -> int:
    if isinstance(value, Unknown):
        raise value.why
    assert isinstance(value, str | list | Mapping)
    return len(value)


def _concat(*lists: object) -> list[object]:
    joined: list[object] = []
    for each in lists:
        joined.extend(_list(each))
        _few(joined)
    return joined


def _flatten(value: object) -> list[object]:
    return _concat(*(_flatten(item) if isinstance(item, list) else [item] for item in _list(value)))


def _indent(width: object, text: object) -> str:
    said, wide = _text(text), int(number(width))
    fit(len(said) + said.count("\n") * wide)
    return said.replace("\n", "\n" + " " * wide)


def _distinct(value: object) -> list[object]:
    kept: list[object] = []
    for item in _list(value):
        if item not in kept:
            kept.append(item)
    return kept


def _toset(value: object) -> list[object]:
    return sorted(_distinct(value), key=str)


def _coalesce(*values: object) -> object:
    for value in values:
        if value is not None and value != "":
            return value
    raise Unresolved("coalesce found nothing")


def _coalescelist(*values: object) -> object:
    return next((value for value in values if _list(value)), [])


def _tonumber(value: object) -> object:
    return None if value is None else number(value)


def _tostring(value: object) -> object:
    return value if value is None or isinstance(value, str) else in_text(value)


def _one(value: object) -> object:
    listed = _list(value)
    if len(listed) > 1:
        raise Unresolved("one was given several")
    return listed[0] if listed else None


def _regex(pattern: object, text: object) -> object:
    match = re.search(_text(pattern), _text(text))
    if match is None:
        raise Unresolved("a pattern does not match")
    if match.groupdict():
        return dict(match.groupdict())
    return list(match.groups()) if match.groups() else match[0]


def _range(*values: object) -> list[object]:
    return [*range(*(int(number(value)) for value in values))[:10_000]]


def _setproduct(*lists: object) -> list[object]:
    return [list(each) for each in itertools.islice(itertools.product(*(_list(one) for one in lists)), 10_000)]


def _cidrsubnet(block: object, bits: object, at: object) -> str:
    network = ipaddress.ip_network(_text(block))
    subnets = network.subnets(prefixlen_diff=int(number(bits)))
    return str(next(itertools.islice(subnets, int(number(at)), None)))


def _substr(text: object, start: object, length: object) -> str:
    begin, count = int(number(start)), int(number(length))
    said = _text(text)
    return said[begin:] if count < 0 else said[begin : begin + count]


def _index_of(items: object, value: object) -> int:
    return _list(items).index(value)


def _keys(value: object) -> list[object]:
    return [*sorted(_map(value))]


def _chunks(items: object, size: object) -> Iterator[list[object]]:
    listed, width = _list(items), int(number(size))
    for at in range(0, len(listed), width):
        yield listed[at : at + width]


def _same(value: object) -> object:
    return value


def _digest(name: str) -> Callable[[object], str]:
    return lambda value: hashlib.new(name, _text(value).encode(), usedforsecurity=False).hexdigest()


def _on_text(change: Callable[[str], str]) -> Callable[[object], str]:
    return lambda value: change(_text(value))


_FUNCTIONS: Final[Mapping[str, Callable[..., object]]] = {
    "abs": lambda value: abs(number(value)),
    "abspath": _same,
    "alltrue": lambda values: all(truth(each) for each in _list(values)),
    "anytrue": lambda values: any(truth(each) for each in _list(values)),
    "base64decode": _on_text(lambda text: base64.b64decode(text).decode()),
    "base64encode": _on_text(lambda text: base64.b64encode(text.encode()).decode()),
    "basename": _on_text(lambda text: PurePosixPath(text).name),
    "ceil": lambda value: math.ceil(number(value)),
    "chomp": _on_text(lambda text: text.rstrip("\r\n")),
    "chunklist": lambda items, size: list(_chunks(items, size)),
    "cidrsubnet": _cidrsubnet,
    "coalesce": _coalesce,
    "coalescelist": _coalescelist,
    "compact": lambda values: [each for each in _list(values) if each not in (None, "")],
    "concat": _concat,
    "contains": lambda items, value: value in _list(items),
    "dirname": _on_text(lambda text: str(PurePosixPath(text).parent)),
    "distinct": _distinct,
    "element": _element,
    "endswith": lambda text, end: _text(text).endswith(_text(end)),
    "flatten": _flatten,
    "floor": lambda value: math.floor(number(value)),
    "format": _format,
    "formatlist": _formatlist,
    "indent": _indent,
    "index": _index_of,
    "join": _join,
    "jsondecode": _jsondecode,
    "jsonencode": _jsonencode,
    "keys": _keys,
    "length": _length,
    "list": lambda *values: list(values),
    "lookup": _lookup,
    "lower": _on_text(str.lower),
    "map": lambda *values: {_text(key): value for key, value in zip(values[::2], values[1::2], strict=True)},
    "max": lambda *values: max(number(each) for each in values),
    "md5": _digest("md5"),
    "merge": _merge,
    "min": lambda *values: min(number(each) for each in values),
    "nonsensitive": _same,
    "one": _one,
    "parseint": lambda text, base: int(_text(text), int(number(base))),
    "pow": lambda base, exponent: number(base) ** min(number(exponent), 64),
    "range": _range,
    "regex": _regex,
    "regexall": lambda pattern, text: list(re.findall(_text(pattern), _text(text))),
    "replace": _replace,
    "reverse": lambda values: _list(values)[::-1],
    "sensitive": _same,
    "setintersection": lambda first, second: [each for each in _toset(first) if each in _list(second)],
    "setproduct": _setproduct,
    "setsubtract": lambda first, second: [each for each in _toset(first) if each not in _list(second)],
    "setunion": lambda *lists: _toset([item for each in lists for item in _list(each)]),
    "sha1": _digest("sha1"),
    "sha256": _digest("sha256"),
    "slice": lambda items, start, end: _list(items)[int(number(start)) : int(number(end))],
    "sort": lambda values: sorted(_list(values), key=str),
    "split": lambda separator, text: _text(text).split(_text(separator)),
    "startswith": lambda text, start: _text(text).startswith(_text(start)),
    "strcontains": lambda text, piece: _text(piece) in _text(text),
    "strrev": _on_text(lambda text: text[::-1]),
    "substr": _substr,
    "sum": lambda values: sum(number(each) for each in _list(values)),
    "title": _on_text(str.title),
    "tobool": lambda value: None if value is None else truth(value),
    "tolist": _list,
    "tomap": _map,
    "tonumber": _tonumber,
    "toset": _toset,
    "tostring": _tostring,
    "trim": lambda text, away: _text(text).strip(_text(away)),
    "trimprefix": lambda text, start: _text(text).removeprefix(_text(start)),
    "trimspace": _on_text(str.strip),
    "trimsuffix": lambda text, end: _text(text).removesuffix(_text(end)),
    "upper": _on_text(str.upper),
    "urlencode": _same,
    "values": _list,
    "zipmap": lambda keys, values: dict(zip((_text(key) for key in _list(keys)), _list(values), strict=True)),
}
