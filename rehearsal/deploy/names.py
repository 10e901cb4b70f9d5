"""
The names CloudFormation makes up for resources that the template leaves unnamed.

CloudFormation ends them in random letters. Here they follow from account, Region, stack and
logical id, so that two rehearsals of one template speak of the same names.
"""

from __future__ import annotations

import base64
import hashlib

_TAIL = 12  # letters CloudFormation adds


def physical_name(stack: str, logical_id: str, *, place: str, longest: int, lower: bool = False) -> str:
    """
    Return `<stack>-<logical id>-<12 letters and digits>`, shortened to at most `longest` characters.

    Where there is too little room, stack and logical id give up their ends in equal parts, so
    that both can still be recognised; the tail shrinks only below 20 characters.

    Args:
        stack: Name of the stack.
        logical_id: Name of the resource in its template.
        place: Account and Region, which make the tail differ between places.
        longest: Characters the service allows; at least 10.
        lower: Whether the service allows lower case only (S3 buckets).
    """
    digest = hashlib.sha256(f"{place}/{stack}/{logical_id}".encode()).digest()
    tail = base64.b32encode(digest).decode()[: min(_TAIL, longest - 8)]
    room = longest - len(tail) - 2  # two hyphens
    if len(stack) + len(logical_id) > room:
        half = room // 2
        keep_stack = min(len(stack), max(half, room - len(logical_id)))
        stack, logical_id = stack[:keep_stack].rstrip("-"), logical_id[: room - keep_stack]
    name = f"{stack}-{logical_id}-{tail}"
    return name.lower() if lower else name
