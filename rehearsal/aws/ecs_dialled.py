"""The names and ports by which a Service Connect entry is known and dialled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def port_mapping(task_definition: Mapping[str, Any], port_name: str) -> Mapping[str, Any] | None:
    """Answer the port mapping of this name, None when no container has one."""
    mappings: Iterator[Mapping[str, Any]] = (
        mapping
        for container in task_definition["containerDefinitions"]
        for mapping in container.get("portMappings", [])
        if mapping.get("name") == port_name
    )
    return next(mappings, None)


def discovery_name(entry: Mapping[str, Any]) -> str:
    """Answer the name a Service Connect entry has in its namespace."""
    return str(entry.get("discoveryName", entry["portName"]))


def names_of(entry: Mapping[str, Any], namespace_name: str, mapping: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Answer the names and ports under which a Service Connect entry is dialled, with AWS's defaults."""
    fallback = f"{discovery_name(entry)}.{namespace_name}"
    aliases = entry.get("clientAliases") or [{"port": mapping["containerPort"]}]
    return [(alias.get("dnsName", fallback), int(alias["port"])) for alias in aliases]
