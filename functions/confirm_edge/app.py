"""Confirm Edge: look again whether an edge is blue's."""

from __future__ import annotations

from crossfade.runtime import parts
from crossfade.runtime.step import step
from crossfade.shift.action import Confirmed, ConfirmRequest, confirm


@step(ConfirmRequest)
def handler(request: ConfirmRequest) -> Confirmed:
    """See `crossfade.shift.action.confirm`."""
    return confirm(request, edges=parts.edges(), journal=parts.journal(), now=parts.now())
