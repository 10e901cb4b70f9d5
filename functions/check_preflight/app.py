"""Check Preflight: refuse what would make the move or its way back fail later."""

from __future__ import annotations

from crossfade.preflight.preflight import PreflightPassed, PreflightRequest, check_preflight
from crossfade.runtime import parts
from crossfade.runtime.step import step


@step(PreflightRequest)
def handler(request: PreflightRequest) -> PreflightPassed:
    """See `crossfade.preflight.preflight.check_preflight`."""
    return check_preflight(
        request,
        journal=parts.journal(),
        plans=parts.plans(),
        services=parts.services(),
        edges=parts.edges(),
        alarms=parts.alarms(),
        surroundings=parts.surroundings(),
        now=parts.now(),
    )
