"""Verify Green: see that green is whole and answers before it gets any share."""

from __future__ import annotations

from crossfade.green.verification import Verified, VerifyRequest, verify
from crossfade.runtime import parts
from crossfade.runtime.step import step


@step(VerifyRequest)
def handler(request: VerifyRequest) -> Verified:
    """See `crossfade.green.verification.verify`."""
    return verify(
        request,
        journal=parts.journal(),
        plans=parts.plans(),
        services=parts.services(),
        namespaces=parts.namespaces(),
        edges=parts.edges(),
        prober=parts.prober(),
        now=parts.now(),
    )
