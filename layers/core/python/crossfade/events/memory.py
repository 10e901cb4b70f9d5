"""Notices kept in memory, for tests and for trying things out."""

from __future__ import annotations

from crossfade.events.outbound import Notice


class MemoryNotices:
    """A `Notices` that keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[Notice] = []

    def tell(self, notice: Notice) -> None:
        self.told.append(notice)
