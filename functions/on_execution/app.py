"""On Execution: migrate or climb has ended badly; start the way back."""

from __future__ import annotations

from crossfade.events.inbound import ExecutionStatusChanged
from crossfade.rollout.guards import GuardAnswer, guard_execution
from crossfade.runtime import parts
from crossfade.runtime.step import step


@step(ExecutionStatusChanged)
def handler(event: ExecutionStatusChanged) -> GuardAnswer:
    """See `crossfade.rollout.guards.guard_execution`."""
    return guard_execution(event, journal=parts.journal(), executions=parts.executions(), now=parts.now())
