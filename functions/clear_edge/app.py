"""Clear Edge: remove what was made before an edge for green alone, once nobody is led there."""

from __future__ import annotations

from crossfade.runtime import parts
from crossfade.runtime.step import step
from crossfade.shift.action import Cleared, ClearRequest, clear


@step(ClearRequest)
def handler(request: ClearRequest) -> Cleared:
    """See `crossfade.shift.action.clear`."""
    return clear(request, edges=parts.edges(), journal=parts.journal(), now=parts.now())
