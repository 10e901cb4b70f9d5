"""On Deployment: an ECS deployment has ended; resume what waits for it, roll back what it broke."""

from __future__ import annotations

from crossfade.events.inbound import DeploymentStateChanged
from crossfade.rollout.guards import GuardAnswer, resume_service
from crossfade.runtime import parts
from crossfade.runtime.step import step


@step(DeploymentStateChanged)
def handler(event: DeploymentStateChanged) -> GuardAnswer:
    """See `crossfade.rollout.guards.resume_service`."""
    return resume_service(
        event,
        journal=parts.journal(),
        services=parts.services(),
        executions=parts.executions(),
        notices=parts.notices(),
        now=parts.now(),
    )
