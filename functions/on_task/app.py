"""On Task: a task of a service has stopped; count again."""

from __future__ import annotations

from crossfade.events.inbound import TaskStateChanged
from crossfade.rollout.guards import GuardAnswer
from crossfade.rollout.tasks import guard_task
from crossfade.runtime import parts
from crossfade.runtime.step import step


@step(TaskStateChanged)
def handler(event: TaskStateChanged) -> GuardAnswer:
    """See `crossfade.rollout.tasks.guard_task`."""
    return guard_task(
        event,
        journal=parts.journal(),
        plans=parts.plans(),
        services=parts.services(),
        edges=parts.edges(),
        executions=parts.executions(),
        notices=parts.notices(),
        now=parts.now(),
    )
