"""Watch: look at every open migration without being told."""

from __future__ import annotations

from crossfade.events.inbound import Tick
from crossfade.rollout.watching import Watched, watch
from crossfade.runtime import parts
from crossfade.runtime.step import step


@step(Tick)
def handler(_tick: Tick) -> Watched:
    """See `crossfade.rollout.watching.watch`."""
    return watch(parts.watch(), now=parts.now())
