"""
Reads Terraform's state (version 4) and what `terraform show -json` prints of a state or a plan.

Pure. Source: Terraform, "JSON Output Format" and "State"; version 4 of the state file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from crossfade.errors import BadInput
from crossfade.mesh.items import Item
from crossfade.mesh.model import Place
from crossfade.mesh.tfshapes import is_known, item

_VERSION: Final = 4


def is_state(body: object) -> bool:
    """Return whether a document is Terraform's state, or what `terraform show -json` prints."""
    if not isinstance(body, Mapping):
        return False
    return ("terraform_version" in body and ("resources" in body or "values" in body or "modules" in body)) or (
        "format_version" in body and ("values" in body or "planned_values" in body)
    )


def read_states(documents: Sequence[tuple[str, object]]) -> list[Item]:
    """
    Return the resources of the documents.

    Raises:
        BadInput: a state of another version, or not as Terraform writes it.
    """
    return [found for path, body in documents for found in _read(path, body)]


def _read(path: str, body: object) -> Iterator[Item]:
    assert isinstance(body, Mapping)
    for key in ("values", "planned_values"):
        if isinstance(body.get(key), Mapping):
            yield from _module(path, _mapping(body[key], path).get("root_module"))
            return
    if body.get("version") != _VERSION:
        raise BadInput(
            f"{path}: Terraform state of version {body.get('version')}; version {_VERSION} is read, which Terraform "
            "0.12 and later write: `terraform state pull`"
        )
    for resource in _sequence(body.get("resources"), path):
        found = _mapping(resource, path)
        kind = str(found.get("type"))
        if found.get("mode") != "managed" or not is_known(kind):
            continue
        for instance in _sequence(found.get("instances"), path):
            if "deposed" in _mapping(instance, path):
                continue
            address = ".".join(str(part) for part in (found.get("module"), kind, found.get("name")) if part)
            index = _mapping(instance, path).get("index_key")
            end = "" if index is None else f"[{index}]"
            yield from _one(kind, _mapping(instance, path).get("attributes"), path, f"{address}{end}")


def _module(path: str, module: object) -> Iterator[Item]:
    pending = [module]
    while pending:
        found = _mapping(pending.pop(0) or {}, path)
        for resource in _sequence(found.get("resources"), path):
            each = _mapping(resource, path)
            if each.get("mode", "managed") == "managed" and is_known(str(each.get("type"))):
                yield from _one(str(each["type"]), each.get("values"), path, str(each.get("address")))
        pending += _sequence(found.get("child_modules"), path)


def _one(kind: str, attributes: object, path: str, address: str) -> Iterator[Item]:
    found = item(kind, _completed(kind, _mapping(attributes or {}, path), address), Place(path, address))
    if found is not None:
        yield found


def _completed(kind: str, attributes: Mapping[str, object], address: str) -> Mapping[str, object]:
    """Return a planned resource's attributes with stand-ins for what AWS will only tell once it exists."""
    if attributes.get("arn"):
        return attributes
    mark = re.sub(r"[^A-Za-z0-9-]", "-", address)
    name = attributes.get("name") or attributes.get("family") or mark
    tails = {
        "aws_lb": f"loadbalancer/app/{name}/{mark}",
        "aws_alb": f"loadbalancer/app/{name}/{mark}",
        "aws_lb_listener": f"listener/{mark}",
        "aws_lb_target_group": f"targetgroup/{name}/{mark}",
    }
    return {**attributes, "arn": f"arn:planned:::{tails[kind]}"} if kind in tails else attributes


def _mapping(value: object, path: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise BadInput(f"{path}: not as Terraform writes it; a mapping was expected")
    return value


def _sequence(value: object, path: str) -> list[object]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadInput(f"{path}: not as Terraform writes it; a list was expected")
    return value
