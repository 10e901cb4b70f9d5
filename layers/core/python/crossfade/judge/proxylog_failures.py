"""
Attempts of green that failed, from its servers' lines: what a task answered, before anyone retried.

A server's line has the application beside it for its upstream, on loopback. Where all
tasks are on one machine, as in a rehearsal, a client's line looks alike and counts too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

from crossfade.judge.proxylog import AccessLine, read_line
from crossfade.judge.proxylog_report import BUCKET_MS

_SERVER_ERROR: Final = 500
_BESIDE: Final = ("127.", "[::1]")
_GRPC: Final = '"grpc_status"'


class Failed(NamedTuple):
    """Attempts that failed in ten seconds: over HTTP, and over gRPC, whose errors come inside a 200."""

    attempts: int
    grpc: int


def failures(texts: Iterable[str]) -> dict[int, Failed]:
    """
    Return the attempts that failed, by the beginning of their ten seconds in milliseconds since 1970.

    The order of the lines, and lines repeated, change nothing.
    """
    http: Counter[int] = Counter()
    grpc: Counter[int] = Counter()
    for text in dict.fromkeys(texts):
        line = read_line(text)
        if isinstance(line, AccessLine) and line.code >= _SERVER_ERROR and line.host.startswith(_BESIDE):
            (grpc if _GRPC in text else http)[line.end - line.end % BUCKET_MS] += 1
    return {at: Failed(http[at], grpc[at]) for at in sorted({*http, *grpc})}
