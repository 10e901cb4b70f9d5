"""Thaw Blue: put back what was changed on blue."""

from __future__ import annotations

from crossfade.connect.blue import FreezeRequest, FrozenBlue, thaw
from crossfade.runtime import parts
from crossfade.runtime.step import step


@step(FreezeRequest)
def handler(request: FreezeRequest) -> FrozenBlue:
    """See `crossfade.connect.blue.thaw`."""
    return thaw(request, journal=parts.journal(), scaling=parts.scaling(), blues=parts.blues(), now=parts.now())
