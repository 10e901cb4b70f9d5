"""Redeploy Service: give one green service new tasks, which know every name there is by now."""

from __future__ import annotations

from crossfade.green.redeploying import Redeployed, RedeployRequest, redeploy
from crossfade.runtime import parts
from crossfade.runtime.step import step


@step(RedeployRequest)
def handler(request: RedeployRequest) -> Redeployed:
    """See `crossfade.green.redeploying.redeploy`."""
    return redeploy(
        request,
        journal=parts.journal(),
        plans=parts.plans(),
        services=parts.services(),
        executions=parts.executions(),
        now=parts.now(),
    )
