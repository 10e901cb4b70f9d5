"""Shift Traffic: give green the share that the current rung asks for."""

from __future__ import annotations

from crossfade.runtime import parts
from crossfade.runtime.step import step
from crossfade.shift.action import ShiftDone, ShiftRequest, shift


@step(ShiftRequest)
def handler(request: ShiftRequest) -> ShiftDone:
    """See `crossfade.shift.action.shift`."""
    return shift(request, edges=parts.edges(), journal=parts.journal(), now=parts.now())
