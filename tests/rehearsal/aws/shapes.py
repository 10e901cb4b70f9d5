"""Whether an answer of the embedded AWS is one that AWS could give: checked against botocore's own shapes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StringShape, StructureShape

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "character": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (datetime,),
}
_IMPLIED = {"ResponseMetadata"}


def watch(client: Any) -> Any:
    """Let every answer this client gets be checked; a wrong one raises AssertionError out of the call."""
    client.meta.events.register("after-call.*.*", _check, unique_id="shapes")
    return client


def _check(model: OperationModel, parsed: dict[str, Any], http_response: Any, **_: Any) -> None:
    if http_response.status_code >= 300 or model.output_shape is None:
        return
    wrong = list(faults_of(parsed, model.output_shape, model.name))
    streamed = model.has_streaming_output or "payload" in model.output_shape.serialization
    if model.service_model.protocol in ("json", "rest-json") and not streamed and http_response.content:
        wrong += list(_strangers(json.loads(http_response.content), model.output_shape, model.name))
    assert not wrong, wrong


def faults_of(value: Any, shape: Shape, at: str) -> Iterator[str]:
    """Yield each way in which a parsed value does not fit its shape: missing members, types, enumerations."""
    if isinstance(shape, StructureShape):
        for member in shape.required_members:
            if member not in value:
                yield f"{at} lacks {member}"
        for member, item in value.items():
            if member not in _IMPLIED and item is not None:
                yield from faults_of(item, shape.members[member], f"{at}.{member}")
    elif isinstance(shape, ListShape):
        for item in value:
            yield from faults_of(item, shape.member, f"{at}[]")
    elif isinstance(shape, MapShape):
        for item in value.values():
            yield from faults_of(item, shape.value, f"{at}{{}}")
    elif shape.type_name in _TYPES and not isinstance(value, _TYPES[shape.type_name]):
        yield f"{at} is {type(value).__name__}, not {shape.type_name}"
    elif isinstance(shape, StringShape) and shape.enum and value not in shape.enum:
        yield f"{at} is {value!r}, none of {shape.enum}"


def _strangers(value: Any, shape: Shape, at: str) -> Iterator[str]:
    """Yield members on the wire that the shape does not have; botocore's parser would drop them unseen."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        known = {shape.members[member].serialization.get("name", member): member for member in shape.members}
        for name, item in value.items():
            if name not in known:
                yield f"{at} has the unknown member {name}"
            elif item is not None:
                yield from _strangers(item, shape.members[known[name]], f"{at}.{name}")
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for item in value:
            yield from _strangers(item, shape.member, f"{at}[]")
