"""Check Service: read ECS when its event is late."""

from __future__ import annotations

from crossfade.green.creation import Checked, CheckRequest, check
from crossfade.runtime import parts
from crossfade.runtime.step import step


@step(CheckRequest)
def handler(request: CheckRequest) -> Checked:
    """See `crossfade.green.creation.check`."""
    return check(request, journal=parts.journal(), plans=parts.plans(), services=parts.services(), now=parts.now())
