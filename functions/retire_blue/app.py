"""Retire Blue: scale blue to zero, once nobody needs it and a person has said so."""

from __future__ import annotations

from crossfade.rollout.retiring import Retired, RetireRequest, retire
from crossfade.runtime import parts
from crossfade.runtime.step import step


@step(RetireRequest)
def handler(request: RetireRequest) -> Retired:
    """See `crossfade.rollout.retiring.retire`."""
    return retire(
        request,
        journal=parts.journal(),
        plans=parts.plans(),
        edges=parts.edges(),
        metrics=parts.metrics(),
        services=parts.services(),
        scaling=parts.scaling(),
        green_scaling=parts.green_scaling(),
        blues=parts.blues(),
        executions=parts.executions(),
        notices=parts.notices(),
        now=parts.now(),
    )
