"""
Reads who calls whom, where an operator has written it down because no environment shows it.

    calls:
      web:
        - orders.shop.local:8080     # a name as it is dialled, with its port
        - payments                   # or an ECS service; its own name and port are meant

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from crossfade.errors import BadInput
from crossfade.mesh.model import Dependency, Place
from crossfade.mesh.tree import Tree

_ADDRESS: Final = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?([A-Za-z0-9_.-]+)(?::(\d{1,5}))?(?:/.*)?")


def is_dependencies(body: object) -> bool:
    """Return whether a document is one of these."""
    return isinstance(body, Mapping) and set(body) == {"calls"}


def read_dependencies(documents: Sequence[tuple[str, object]]) -> tuple[Dependency, ...]:
    """
    Return the calls that the documents name, in their order.

    Raises:
        BadInput: a document is not as the module says.
    """
    found = []
    for path, body in documents:
        calls = Tree(body, Place(path, "")) / "calls"
        for caller in calls.mapping():
            for each in calls / caller:
                match = _ADDRESS.fullmatch(each.text())
                if match is None:
                    raise BadInput(f"{each.place}: write NAME or NAME:PORT, as callers dial it")
                found.append(Dependency(caller, match[1], int(match[2]) if match[2] else None, each.place))
    return tuple(found)
