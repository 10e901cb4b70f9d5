"""
DNS messages, as far as a rehearsal speaks them: one question of class IN, answered with addresses and CNAMEs. Pure.

Source: RFC 1035, section 4.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Sequence
from dataclasses import dataclass

A, CNAME, AAAA = 1, 5, 28
KINDS = {"A": A, "CNAME": CNAME, "AAAA": AAAA}
NAMES = {number: kind for kind, number in KINDS.items()}
_IN = 1
_HEADER = struct.Struct(">6H")
_ANSWERS = 0x8180  # a response, recursion desired and available
_NO_SUCH_NAME, _NOT_IMPLEMENTED = 3, 4
_LONGEST_LABEL = 63


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked: a name without its last dot, in lower case, and a type such as "A"; None for another type."""

    number: int
    name: str
    kind: str | None
    raw: bytes


@dataclass(frozen=True, slots=True)
class Resource:
    """One record of an answer: an address or a name, and for how many seconds it may be kept."""

    name: str
    kind: str
    ttl: int
    value: str


def read_question(message: bytes) -> Question | None:
    """Return the question of a query; None for anything that is not exactly one."""
    if len(message) <= _HEADER.size:
        return None
    number, flags, questions, *_ = _HEADER.unpack(message[: _HEADER.size])
    if flags >> 15 or questions != 1:
        return None
    labels, at = [], _HEADER.size
    while at < len(message) and message[at]:
        length = message[at]
        if length > _LONGEST_LABEL:
            return None
        labels.append(message[at + 1 : at + 1 + length])
        at += 1 + length
    end = at + 5
    if end > len(message):
        return None
    kind, _ = struct.unpack(">2H", message[at + 1 : end])
    name = b".".join(labels).decode("ascii", "replace").lower()
    return Question(number, name, NAMES.get(kind), message[_HEADER.size : end])


def answer(question: Question, resources: Sequence[Resource], *, is_known: bool) -> bytes:
    """Return the response to a question. A name that is not known is said not to be."""
    code = _NOT_IMPLEMENTED if question.kind is None else 0 if is_known else _NO_SUCH_NAME
    head = _HEADER.pack(question.number, _ANSWERS | code, 1, len(resources), 0, 0)
    return head + question.raw + b"".join(_resource(each) for each in resources)


def _resource(resource: Resource) -> bytes:
    is_name = resource.kind == "CNAME"
    data = _name(resource.value) if is_name else ipaddress.ip_address(resource.value).packed
    return _name(resource.name) + struct.pack(">2HIH", KINDS[resource.kind], _IN, resource.ttl, len(data)) + data


def _name(name: str) -> bytes:
    labels = [label.encode("ascii") for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
