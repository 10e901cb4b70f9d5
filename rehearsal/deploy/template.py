"""
A CloudFormation template, checked for what a deployer would otherwise pass over in silence.

Source: AWS CloudFormation User Guide, "Template sections" and "Resource attribute reference".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.deploy.errors import TemplateRefused

_SECTIONS = frozenset(
    {
        "AWSTemplateFormatVersion",
        "Description",
        "Metadata",
        "Parameters",
        "Mappings",
        "Conditions",
        "Resources",
        "Outputs",
    }
)
_HANDLED = frozenset(
    {"Type", "Properties", "DependsOn", "Condition", "Metadata", "DeletionPolicy", "UpdateReplacePolicy"}
)


@dataclass(frozen=True, slots=True)
class Resource:
    """One entry of a template's Resources, as written."""

    logical_id: str
    type: str
    properties: Mapping[str, Any]
    depends_on: tuple[str, ...]
    condition: str | None

    def needs(self) -> set[str]:
        """Return every name it refers to: resources, parameters and pseudo parameters alike."""
        return {*references(self.properties), *self.depends_on}


@dataclass(frozen=True, slots=True)
class Template:
    """A template without Transform: what is left to do is to make its resources in order."""

    parameters: Mapping[str, Mapping[str, Any]]
    mappings: Mapping[str, Any]
    conditions: Mapping[str, Any]
    resources: Mapping[str, Resource]
    outputs: Mapping[str, Mapping[str, Any]]


def read_template(document: Mapping[str, Any], known_types: frozenset[str]) -> Template:
    """
    Return the template in `document`, short tags already spelled out.

    Raises:
        TemplateRefused: a section, resource type or resource attribute is unknown, a reference,
            DependsOn or Condition points nowhere, or a value is a dynamic reference. All at once.
    """
    faults = [f"section {name} is not supported" for name in document if name not in _SECTIONS]
    resources: dict[str, Resource] = {}
    conditions = document.get("Conditions") or {}
    for logical_id, entry in (document.get("Resources") or {}).items():
        resources[logical_id] = _resource(logical_id, entry)
        faults += _faults(logical_id, entry, resources[logical_id], known_types, conditions)
    if not resources:
        faults.append("it has no resources")
    for resource in resources.values():
        faults += [
            f"{resource.logical_id} depends on {name}, which is no resource"
            for name in resource.depends_on
            if name not in (document.get("Resources") or {})
        ]
    parameters = document.get("Parameters") or {}
    known = {*parameters, *resources}
    for part in ("Resources", "Outputs", "Conditions"):
        for name, entry in (document.get(part) or {}).items():
            missing = sorted({found for found in references(entry) if found not in known and "::" not in found})
            faults += [f"{part}/{name} refers to {found}, which is no parameter and no resource" for found in missing]
    if faults:
        raise TemplateRefused("; ".join(faults))
    return Template(
        parameters=parameters,
        mappings=document.get("Mappings") or {},
        conditions=conditions,
        resources=resources,
        outputs=document.get("Outputs") or {},
    )


def _resource(logical_id: str, entry: Mapping[str, Any]) -> Resource:
    depends = entry.get("DependsOn", [])
    return Resource(
        logical_id=logical_id,
        type=str(entry.get("Type", "")),
        properties=entry.get("Properties") or {},
        depends_on=(depends,) if isinstance(depends, str) else tuple(depends),
        condition=entry.get("Condition"),
    )


def _faults(
    logical_id: str,
    entry: Mapping[str, Any],
    resource: Resource,
    known_types: frozenset[str],
    conditions: Mapping[str, Any],
) -> list[str]:
    faults = [f"{logical_id} ({resource.type}): attribute {name} is not supported" for name in set(entry) - _HANDLED]
    if resource.type not in known_types:
        faults.append(f"{logical_id}: type {resource.type or 'none'} is not one this deployer knows")
    if resource.condition is not None and resource.condition not in conditions:
        faults.append(f"{logical_id}: condition {resource.condition} is not declared")
    if any("{{resolve:" in text for text in _texts(resource.properties)):
        faults.append(f"{logical_id} ({resource.type}): dynamic references ({{{{resolve:…}}}}) are not supported")
    return faults


_VARIABLE = re.compile(r"\$\{([^!${}][^${}]*)\}")


def references(value: object) -> Iterator[str]:
    """Yield the names that Ref, Fn::GetAtt and Fn::Sub mention anywhere inside `value`."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    if not isinstance(value, Mapping):
        return
    for key, item in value.items():
        if key == "Ref" and isinstance(item, str):
            yield item
        elif key == "Fn::GetAtt":
            yield str(item[0]) if isinstance(item, list) else str(item).partition(".")[0]
        elif key == "Fn::Sub":
            text, local = (item[0], item[1]) if isinstance(item, list) else (item, {})
            names = (name.strip().partition(".")[0] for name in _VARIABLE.findall(str(text)))
            yield from (name for name in names if name not in local)
            yield from references(local)
        else:
            yield from references(item)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
