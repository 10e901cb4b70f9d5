"""Open Migration: read the plan, find its edges, write the way back down, take them."""

from __future__ import annotations

from crossfade.rollout.opening import Opened, OpenRequest, open_migration
from crossfade.runtime import parts
from crossfade.runtime.step import step


@step(OpenRequest)
def handler(request: OpenRequest) -> Opened:
    """See `crossfade.rollout.opening.open_migration`."""
    return open_migration(
        request,
        journal=parts.journal(),
        plans=parts.plans(),
        edges=parts.edges(),
        gathered=parts.gathered(),
        schedule=parts.schedule(),
        now=parts.now(),
    )
