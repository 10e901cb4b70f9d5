"""
A resource's properties, spelled as the AWS API spells them.

CloudFormation and the API mean the same things under nearly the same names: `AWSCloudMap` is
`awsCloudMap`, `EnableECSManagedTags` is `enableECSManagedTags`, a policy document is a mapping
here and a JSON text there. The botocore model of the operation knows every name and type, so
it is the translator; a property it does not have is refused, never dropped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from rehearsal.deploy.errors import PropertyRefused

_WHOLE = ("integer", "long")
_FRACTION = ("float", "double")
_TRUTH = {"true": True, "false": False}


def api_input(value: object, shape: Shape, where: str, renames: Mapping[str, str]) -> Any:
    """
    Return `value`, resolved and in CloudFormation's spelling, as the API's `shape` wants it.

    Names match whatever their case; numbers and booleans given as text become numbers and
    booleans and the reverse; a mapping or list given for a text becomes JSON; a list of
    Key/Value pairs given for a map becomes the map.

    Args:
        value: A property's value, without intrinsic functions.
        shape: What the operation takes there.
        where: Path of the value, for errors: `Spec/Listeners/0`.
        renames: CloudFormation's names that differ from the API's by more than case.

    Raises:
        PropertyRefused: the shape has no member of that name, or the value does not fit.
    """
    if isinstance(shape, StructureShape) and not getattr(shape, "is_document_type", False):
        return _structure(value, shape, where, renames)
    if isinstance(shape, ListShape):
        if not isinstance(value, list):
            raise PropertyRefused(f"{where} must be a list, not {value!r}")
        return [api_input(item, shape.member, f"{where}/{index}", renames) for index, item in enumerate(value)]
    if isinstance(shape, MapShape):
        return {
            key: api_input(item, shape.value, f"{where}/{key}", renames) for key, item in _pairs(value, where).items()
        }
    return _scalar(value, shape.type_name, where)


def _structure(value: object, shape: StructureShape, where: str, renames: Mapping[str, str]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise PropertyRefused(f"{where or 'the resource'} must be a mapping, not {value!r}")
    answer: dict[str, Any] = {}
    for key, item in value.items():
        place = f"{where}/{key}" if where else str(key)
        member = member_of(shape, renames.get(str(key), str(key)))
        if member is None:
            raise PropertyRefused(f"{place} is not a property the deployer knows, and it drops none")
        answer[member] = api_input(item, shape.members[member], place, renames)
    return answer


def member_of(shape: StructureShape, name: str) -> str | None:
    """Return the shape's own spelling of a member, or None when it has no such member."""
    if name in shape.members:
        return name
    return {member.lower(): member for member in shape.members}.get(name.lower())


def _pairs(value: object, where: str) -> Mapping[str, object]:
    if isinstance(value, Mapping):
        return {str(key): item for key, item in value.items()}
    if isinstance(value, list) and all(isinstance(item, Mapping) and item.keys() == {"Key", "Value"} for item in value):
        return {str(item["Key"]): item["Value"] for item in value}
    raise PropertyRefused(f"{where} must be a mapping, not {value!r}")


def _scalar(value: object, type_name: str, where: str) -> Any:
    if type_name == "boolean":
        truth = value if isinstance(value, bool) else _TRUTH.get(str(value))
        if truth is None:
            raise PropertyRefused(f"{where} must be true or false, not {value!r}")
        return truth
    if type_name in (*_WHOLE, *_FRACTION):
        return _number(value, type_name, where)
    if type_name in ("string", "character"):
        return as_text(value)
    return value  # blob, timestamp, document: botocore takes what fits and refuses the rest


def _number(value: object, type_name: str, where: str) -> int | float:
    text = "" if isinstance(value, bool) else str(value)
    try:
        return float(text) if type_name in _FRACTION else int(text)
    except ValueError:
        raise PropertyRefused(f"{where} must be a number ({type_name}), not {value!r}") from None


def as_text(value: object) -> str:
    """Return a value as the text CloudFormation sends: `true`, `5`, or JSON for mappings and lists."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping | list):
        return json.dumps(value, separators=(",", ":"))
    return str(value)
