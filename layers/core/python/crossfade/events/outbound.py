"""What Crossfade tells people, and the port through which it does."""

from __future__ import annotations

from typing import Literal, Protocol

from pydantic import AwareDatetime

from crossfade.errors import NoticesBusy
from crossfade.frozen import Frozen
from crossfade.phases import Phase

What = Literal[
    "opened",
    "ready",
    "climbing",
    "baking",
    "watching",
    "waiting",
    "completed",
    "rolling_back",
    "rolled_back",
    "held",
    "stuck",
    "undelivered",
    "retiring",
    "retired",
]


class Notice(Frozen):
    """One thing a person should know about a migration."""

    migration: str
    what: What
    phase: Phase
    reason: str
    at: AwareDatetime

    @property
    def headline(self) -> str:
        """Return the notice in one line."""
        return f"Crossfade: {self.migration} {self.what.replace('_', ' ')}"

    @property
    def text(self) -> str:
        """Return the notice as people read it."""
        return f"{self.headline}\n\n{self.reason}\n\nphase: {self.phase}\nat: {self.at.isoformat()}\n"


class Notices(Protocol):
    """Where notices go."""

    def tell(self, notice: Notice) -> None:
        """Hand a notice on. Telling the same twice costs a reader a glance and nothing else."""
        ...


class EveryNotice:
    """`Notices` that go to several places; all are told, also when one of them is busy."""

    def __init__(self, *places: Notices) -> None:
        self._places = places

    def tell(self, notice: Notice) -> None:
        """See `Notices`."""
        busy: list[NoticesBusy] = []
        for place in self._places:
            try:
                place.tell(notice)
            except NoticesBusy as later:
                busy.append(later)
        if busy:
            raise busy[0]
