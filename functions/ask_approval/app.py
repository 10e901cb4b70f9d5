"""Ask Approval: wait for a person."""

from __future__ import annotations

from crossfade.rollout.approving import ApprovalAsked, ApprovalRequest, ask_approval
from crossfade.runtime import parts
from crossfade.runtime.step import step


@step(ApprovalRequest)
def handler(request: ApprovalRequest) -> ApprovalAsked:
    """See `crossfade.rollout.approving.ask_approval`."""
    return ask_approval(request, journal=parts.journal(), notices=parts.notices(), now=parts.now())
