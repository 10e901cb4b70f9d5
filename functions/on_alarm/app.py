"""On Alarm: an alarm is in ALARM; roll back what it belongs to."""

from __future__ import annotations

from crossfade.events.inbound import AlarmStateChanged
from crossfade.rollout.guards import GuardAnswer, guard_alarm
from crossfade.runtime import parts
from crossfade.runtime.step import step


@step(AlarmStateChanged)
def handler(event: AlarmStateChanged) -> GuardAnswer:
    """See `crossfade.rollout.guards.guard_alarm`."""
    return guard_alarm(
        event,
        journal=parts.journal(),
        alarms=parts.alarms(),
        gathered=parts.gathered(),
        executions=parts.executions(),
        notices=parts.notices(),
        now=parts.now(),
    )
