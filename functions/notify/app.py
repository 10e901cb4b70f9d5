"""Notify: tell people."""

from __future__ import annotations

from crossfade.rollout.notice import Notified, NotifyRequest, notify
from crossfade.runtime import parts
from crossfade.runtime.step import step


@step(NotifyRequest)
def handler(request: NotifyRequest) -> Notified:
    """See `crossfade.rollout.notice.notify`."""
    return notify(request, journal=parts.journal(), notices=parts.notices(), now=parts.now())
