"""Restore Edge: give one edge back to blue, whatever is found there."""

from __future__ import annotations

from crossfade.runtime import parts
from crossfade.runtime.step import step
from crossfade.shift.action import Restored, RestoreRequest, restore


@step(RestoreRequest)
def handler(request: RestoreRequest) -> Restored:
    """See `crossfade.shift.action.restore`."""
    return restore(request, edges=parts.edges(), journal=parts.journal(), now=parts.now())
