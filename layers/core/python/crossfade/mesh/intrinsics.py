"""
CloudFormation's intrinsic functions, resolved as far as a scope can answer.

Pure: whatever lies outside the expression itself (parameters, resources, other stacks'
exports) is asked of a `Scope`. A reader of files alone may answer with an `Unknown`, a
text that remembers why it is not whole; it travels through Sub and Join unharmed and is
refused where a decision would have to be made on it.

Source: AWS CloudFormation User Guide, "Intrinsic function reference".
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, Self

from crossfade.errors import BadInput


class _NoValue:
    """The type of NO_VALUE."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "AWS::NoValue"


NO_VALUE: Final = _NoValue()
"""What `Ref: AWS::NoValue` resolves to; resolve() drops the key or list item that holds it."""


MOST_CHARACTERS: Final = 500_000
"""Of one text made of others; more than any template has."""


class Unresolved(BadInput):
    """
    An intrinsic function cannot be resolved.

    `what` says what is missing, `where` is the path inside the template, and `mend` how
    a person supplies it.
    """

    def __init__(self, what: str, where: str = "", mend: str = "") -> None:
        self.what = what
        self.where = where
        self.mend = mend
        super().__init__(what, where, mend)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.what}" + (f"; {self.mend}" if self.mend else "")

    def at(self, where: str) -> Unresolved:
        """Return this error with a place, unless it has one already."""
        return self if self.where else Unresolved(self.what, where, self.mend)


class Unknown(str):
    """
    A text of which some part cannot be known here, such as a generated name.

    It reads as itself with the unknown part in `${…}`; `why` is the error to raise when
    somebody needs to know it.
    """

    __slots__ = ("why",)
    why: Unresolved

    def __new__(cls, text: str, why: Unresolved) -> Self:
        """Make the text; `why` is kept beside it."""
        unknown = super().__new__(cls, text)
        unknown.why = why
        return unknown


class Scope(Protocol):
    """
    What surrounds an expression. Each method raises Unresolved for what it does not know.

    Values may be texts, numbers, booleans, lists and mappings as in a template.
    """

    def ref(self, name: str) -> object:
        """Return what `Ref` gives for a parameter, a pseudo parameter or a resource; NO_VALUE for AWS::NoValue."""

    def get_att(self, name: str, attribute: str) -> object:
        """Return an attribute of a resource; `attribute` may hold dots, as in `Outputs.VpcId`."""

    def import_value(self, name: str) -> object:
        """Return what another stack exports under this name."""

    def condition(self, name: str) -> bool:
        """Return whether a condition of the template holds."""

    def mapping(self, name: str, top: str, second: str) -> object:
        """Return a value of the template's Mappings."""

    def availability_zones(self, region: str) -> Sequence[str]:
        """Return a Region's zones; an empty name means the stack's own Region."""


Keep = Callable[[Unresolved], object]


def resolve(value: object, scope: Scope, where: str = "", *, keep: Keep | None = None) -> object:
    """
    Return `value` with every intrinsic function replaced by what it stands for.

    Mappings and lists are copied; keys and items that resolve to NO_VALUE are dropped.
    At the top, NO_VALUE itself may be returned.

    Args:
        value: Any part of a template, short tags already spelled out.
        scope: Answers what lies outside the expression.
        where: Path of `value` inside its template, for errors: `Resources/Web/Properties`.
        keep: When given, called with the error of each outermost expression that cannot
            be resolved; its answer takes the expression's place.

    Raises:
        Unresolved: an expression cannot be resolved and `keep` is None. Its `where` is set.
    """
    if isinstance(value, dict | Mapping):
        name = _intrinsic(value)
        if name is None:
            resolved = {
                str(key): item if isinstance(item, str | int) else resolve(item, scope, f"{where}/{key}", keep=keep)
                for key, item in value.items()
            }
            return {key: item for key, item in resolved.items() if item is not NO_VALUE}
        try:
            if name == "Fn::If":
                chosen, branch = _choose(value[name], scope, where)
                return resolve(chosen, scope, f"{where}/Fn::If/{branch}", keep=keep)
            return _call(name, value[name], scope, where)
        except Unresolved as error:
            if keep is None:
                raise error.at(where) from error
            return keep(error.at(where))
    if isinstance(value, list | tuple):
        items = [resolve(item, scope, f"{where}/{index}", keep=keep) for index, item in enumerate(value)]
        return [item for item in items if item is not NO_VALUE]
    return value


def _intrinsic(value: Mapping[object, object]) -> str | None:
    if len(value) != 1:
        return None
    name = next(iter(value))
    if name in ("Ref", "Condition") and isinstance(value[name], str):
        return str(name)
    return name if isinstance(name, str) and name.startswith("Fn::") else None


def _call(name: str, argument: object, scope: Scope, where: str) -> object:
    function = _FUNCTIONS.get(name)
    if function is None:
        raise Unresolved(f"{name} is not a function this reader knows", where)
    if isinstance(argument, Unknown):
        raise argument.why
    return function(argument, scope, f"{where}/{name}")


def _choose(argument: object, scope: Scope, where: str) -> tuple[object, int]:
    condition, then, otherwise = _many(argument, 3, "Fn::If", where)
    return (then, 1) if scope.condition(_text(condition, where)) else (otherwise, 2)


def _ref(argument: object, scope: Scope, where: str) -> object:
    return scope.ref(_text(argument, where))


def _get_att(argument: object, scope: Scope, where: str) -> object:
    if isinstance(argument, str):
        name, _, attribute = argument.partition(".")
    else:
        items = _list(argument, "Fn::GetAtt", where)
        if len(items) < 2:  # noqa: PLR2004 — a resource and its attribute
            raise Unresolved("Fn::GetAtt needs a resource and an attribute", where)
        name = _text(items[0], where)
        attribute = ".".join(_text(resolve(item, scope, where), where) for item in items[1:])
    return scope.get_att(name, attribute)


_VARIABLE = re.compile(r"\$\{(!?)([^${}]*)\}")


def _sub(argument: object, scope: Scope, where: str) -> object:
    if isinstance(argument, str):
        text, variables = argument, {}
    else:
        first, second = _many(argument, 2, "Fn::Sub", where)
        text = _text(first, where)
        if not isinstance(second, Mapping):
            raise Unresolved("Fn::Sub's second argument must map names to values", where)
        variables = {str(key): value for key, value in second.items()}
    parts: list[object] = []
    end = 0
    for match in _VARIABLE.finditer(text):
        parts.append(text[end : match.start()])
        parts.append(_variable(match, variables, scope, where))
        end = match.end()
    parts.append(text[end:])
    return concatenate(parts, where=where)


def _variable(match: re.Match[str], variables: Mapping[str, object], scope: Scope, where: str) -> object:
    name = match[2].strip()
    if match[1]:
        return f"${{{match[2]}}}"
    if name in variables:
        return resolve(variables[name], scope, f"{where}/1/{name}")
    if "." in name:
        return scope.get_att(*name.split(".", 1))
    return scope.ref(name)


def fit(characters: float) -> None:
    """Refuse to make a text of more characters than any template has, before it is made."""
    if characters > MOST_CHARACTERS:
        raise Unresolved(f"it would be a text of more than {MOST_CHARACTERS:,} characters")


def concatenate(parts: Sequence[object], separator: str = "", *, where: str = "") -> str:
    """
    Return `parts` joined as Fn::Join does; the answer is Unknown when a part is.

    Raises:
        Unresolved: a part is neither text nor a number.
    """
    texts = [_plain(part, where) for part in parts]
    fit(sum(len(each) + len(separator) for each in texts))
    text = separator.join(texts)
    for part in parts:
        if isinstance(part, Unknown):
            return Unknown(text, part.why)
    return text


def _join(argument: object, scope: Scope, where: str) -> object:
    separator, items = _many(argument, 2, "Fn::Join", where)
    resolved = resolve(items, scope, f"{where}/1")
    if isinstance(resolved, Unknown):
        return resolved
    return concatenate(_list(resolved, "Fn::Join", where), _text(separator, where), where=where)


def _split(argument: object, scope: Scope, where: str) -> object:
    separator, source = _many(argument, 2, "Fn::Split", where)
    return _known(resolve(source, scope, f"{where}/1"), where).split(_known(resolve(separator, scope, where), where))


def _select(argument: object, scope: Scope, where: str) -> object:
    index, items = _many(argument, 2, "Fn::Select", where)
    at = _known(resolve(index, scope, f"{where}/0"), where)
    listed = resolve(items, scope, f"{where}/1")
    if isinstance(listed, str):
        listed = _known(listed, where).split(",")
    choices = _list(listed, "Fn::Select", where)
    if not at.isdigit() or int(at) >= len(choices):
        raise Unresolved(f"Fn::Select asks for item {at} of {len(choices)}", where)
    return choices[int(at)]


def _find_in_map(argument: object, scope: Scope, where: str) -> object:
    items = _list(argument, "Fn::FindInMap", where)
    if len(items) not in (3, 4):
        raise Unresolved("Fn::FindInMap needs a map and two keys", where)
    name, top, second = (_known(resolve(item, scope, where), where) for item in items[:3])
    try:
        return scope.mapping(name, top, second)
    except Unresolved:
        if len(items) == 4 and isinstance(items[3], Mapping) and "DefaultValue" in items[3]:  # noqa: PLR2004
            return resolve(items[3]["DefaultValue"], scope, f"{where}/3/DefaultValue")
        raise


def _import_value(argument: object, scope: Scope, where: str) -> object:
    return scope.import_value(_known(resolve(argument, scope, where), where))


def _get_azs(argument: object, scope: Scope, where: str) -> object:
    return list(scope.availability_zones(_known(resolve(argument, scope, where), where)))


def _base64(argument: object, scope: Scope, where: str) -> object:
    return base64.b64encode(_known(resolve(argument, scope, where), where).encode()).decode()


def _cidr(argument: object, scope: Scope, where: str) -> object:
    items = _list(argument, "Fn::Cidr", where)
    if len(items) not in (2, 3):
        raise Unresolved("Fn::Cidr needs a block, a count and the bits of each part", where)
    block, count, bits = (_known(resolve(item, scope, where), where) for item in [*items, "8"][:3])
    try:
        network = ipaddress.ip_network(block)
        parts = network.subnets(new_prefix=network.max_prefixlen - int(bits))
        return [str(part) for part, _ in zip(parts, range(int(count)), strict=False)]
    except ValueError as error:
        raise Unresolved(f"Fn::Cidr cannot divide {block}: {error}", where) from error


def _length(argument: object, scope: Scope, where: str) -> object:
    return len(_list(resolve(argument, scope, where), "Fn::Length", where))


def _to_json(argument: object, scope: Scope, where: str) -> object:
    return json.dumps(resolve(argument, scope, where), separators=(",", ":"))


def _condition(argument: object, scope: Scope, where: str) -> object:
    return scope.condition(_text(argument, where))


def _equals(argument: object, scope: Scope, where: str) -> object:
    left, right = (resolve(item, scope, where) for item in _many(argument, 2, "Fn::Equals", where))
    return _comparable(left) == _comparable(right)


def _and(argument: object, scope: Scope, where: str) -> object:
    return all(holds(item, scope, where) for item in _list(argument, "Fn::And", where))


def _or(argument: object, scope: Scope, where: str) -> object:
    return any(holds(item, scope, where) for item in _list(argument, "Fn::Or", where))


def _not(argument: object, scope: Scope, where: str) -> object:
    (item,) = _many(argument, 1, "Fn::Not", where)
    return not holds(item, scope, where)


def holds(expression: object, scope: Scope, where: str = "") -> bool:
    """
    Return whether a condition expression holds; the body of an entry of `Conditions`.

    Raises:
        Unresolved: it cannot be told, or it is no condition.
    """
    answer = resolve(expression, scope, where)
    if isinstance(answer, bool):
        return answer
    if isinstance(answer, str) and answer in ("true", "false"):
        return answer == "true"
    raise Unresolved("not a condition", where)


def _comparable(value: object) -> object:
    if isinstance(value, Unknown):
        raise value.why
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    return _plain(value, "") if isinstance(value, str | int | float | bool) else value


def _plain(value: object, where: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise Unresolved(f"a text was expected, not {_kind(value)}", where)


def _known(value: object, where: str) -> str:
    if isinstance(value, Unknown):
        raise value.why
    return _plain(value, where)


def _text(value: object, where: str) -> str:
    if isinstance(value, str):
        return value
    raise Unresolved(f"a text was expected, not {_kind(value)}", where)


def _list(value: object, function: str, where: str) -> list[object]:
    if isinstance(value, Unknown):
        raise value.why
    if isinstance(value, list):
        return value
    raise Unresolved(f"{function} needs a list, not {_kind(value)}", where)


def _many(value: object, count: int, function: str, where: str) -> list[object]:
    items = _list(value, function, where)
    if len(items) != count:
        raise Unresolved(f"{function} needs {count} argument{'s' if count > 1 else ''}, not {len(items)}", where)
    return items


def _kind(value: object) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list) else repr(value)


_FUNCTIONS: Final[Mapping[str, Callable[[object, Scope, str], object]]] = {
    "Ref": _ref,
    "Condition": _condition,
    "Fn::GetAtt": _get_att,
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::Split": _split,
    "Fn::Select": _select,
    "Fn::FindInMap": _find_in_map,
    "Fn::ImportValue": _import_value,
    "Fn::GetAZs": _get_azs,
    "Fn::Base64": _base64,
    "Fn::Cidr": _cidr,
    "Fn::Length": _length,
    "Fn::ToJsonString": _to_json,
    "Fn::Equals": _equals,
    "Fn::And": _and,
    "Fn::Or": _or,
    "Fn::Not": _not,
}
