"""The embedded AWS for runs in which nobody waits for anything real: tasks in name only, and time that leaps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rehearsal.aws import EmbeddedAws
from rehearsal.aws.clock import clock
from rehearsal.aws.runtime import StillRuntime, TaskRuntime

HANDLERS_CLOCK = "crossfade.runtime.parts:now"
"""By which the product's handlers learn the time."""


@contextmanager
def timeless_aws(
    *, runtime: TaskRuntime | None = None, time_scale: float = 1.0, wait_scale: float = 1.0
) -> Iterator[EmbeddedAws]:
    """
    Open an embedded AWS in which no time passes while anything works, this thread included.

    So a busy machine changes nothing. Whoever is within lets time pass by `clock.sleep` alone.
    """
    aws = EmbeddedAws(
        runtime=runtime or StillRuntime(), time_scale=time_scale, wait_scale=wait_scale, handlers_clock=HANDLERS_CLOCK
    )
    with clock.working(), aws:
        yield aws
