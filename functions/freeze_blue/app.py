"""Freeze Blue: keep blue as it is while traffic leaves it."""

from __future__ import annotations

from crossfade.connect.blue import FreezeRequest, FrozenBlue, freeze
from crossfade.runtime import parts
from crossfade.runtime.step import step


@step(FreezeRequest)
def handler(request: FreezeRequest) -> FrozenBlue:
    """See `crossfade.connect.blue.freeze`."""
    return freeze(
        request,
        journal=parts.journal(),
        plans=parts.plans(),
        scaling=parts.scaling(),
        blues=parts.blues(),
        now=parts.now(),
    )
