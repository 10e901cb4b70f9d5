"""
The timeouts that are in force between caller and callee today, as Service Connect shall have them.

Pure. App Mesh applies both the route's and the target listener's, so the smaller one rules; a
long one on one side alone changes nothing. What equals Service Connect's default is left out.

Sources: AWS App Mesh API reference, HttpTimeout ("make sure that the higher value is set for
each App Mesh resource"); Amazon ECS Developer Guide, "Service Connect proxy".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from crossfade.mesh.model import Protocol, Timeouts
from crossfade.plan.services import Timeout

DEFAULT_REQUEST_SECONDS: Final = 15
DEFAULT_IDLE_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class Effective:
    """The timeouts to set, and why they are not exactly today's (None when they are)."""

    timeout: Timeout
    differs: str | None = None


def effective(protocol: Protocol, listener: Timeouts, routes: Sequence[Timeouts]) -> Effective:
    """
    Return the timeouts to set on an endpoint.

    Service Connect knows one pair per endpoint and whole seconds. Where routes differ, the
    longest stands, so that no request that succeeds today is cut off.

    Args:
        protocol: What the endpoint speaks; TCP has no timeout per request.
        listener: The target listener's.
        routes: Those of every route that leads to it; empty when none does.
    """
    reasons = []
    ways = list(routes) or [Timeouts()]
    requests = {min(_or(way.per_request_seconds), _or(listener.per_request_seconds)) for way in ways}
    idles = {_smaller_said(way.idle_seconds, listener.idle_seconds) for way in ways}
    if len(requests) > 1 or len(idles) > 1:
        reasons.append("Routes to this listener have different timeouts and Service Connect has one for all.")
    request = max(requests)
    idle = None if None in idles else max(each for each in idles if each is not None)
    if protocol is Protocol.TCP:
        request = DEFAULT_REQUEST_SECONDS
    elif idle is None and request > DEFAULT_IDLE_SECONDS:
        idle = math.inf  # or the idle default would cut off what the timeout per request allows
    if any(each not in (None, math.inf) and each != int(each) for each in (request, idle)):
        reasons.append("Service Connect counts whole seconds.")
    return Effective(
        timeout=Timeout(
            idle_seconds=_whole(idle, DEFAULT_IDLE_SECONDS if protocol is not Protocol.TCP else None),
            per_request_seconds=_whole(request, DEFAULT_REQUEST_SECONDS),
        ),
        differs=" ".join(reasons) or None,
    )


def _or(seconds: float | None) -> float:
    """Return a timeout per request; App Mesh's 0 means none at all."""
    if seconds is None:
        return DEFAULT_REQUEST_SECONDS
    return seconds or math.inf


def _smaller_said(one: float | None, other: float | None) -> float | None:
    """Return the smaller of what is said; None when neither says anything."""
    said = [seconds or math.inf for seconds in (one, other) if seconds is not None]
    return min(said, default=None)


def _whole(seconds: float | None, default: int | None) -> int | None:
    """Return whole seconds for Service Connect: 0 for none at all, None for its default."""
    if seconds is None or seconds == default:
        return None
    return 0 if seconds == math.inf else math.ceil(seconds)
