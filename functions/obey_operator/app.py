"""Obey Operator: do what a person says in the console."""

from __future__ import annotations

from crossfade.rollout.operating import Obeyed, OperatorRequest, obey
from crossfade.runtime import parts
from crossfade.runtime.step import step


@step(OperatorRequest)
def handler(request: OperatorRequest) -> Obeyed:
    """See `crossfade.rollout.operating.obey`."""
    return obey(request, journal=parts.journal(), executions=parts.executions(), now=parts.now())
