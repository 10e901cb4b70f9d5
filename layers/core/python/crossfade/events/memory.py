"""Notices kept in memory, for tests and for trying things out."""

from __future__ import annotations

from crossfade.events.outbound import Notice


class MemoryNotices:
    """A `Notices` that keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[Notice] = []

    def tell(self, notice: Notice) -> None:
        self.told.append(notice)


class MemorySchedule:
    """A `Schedule` that is on or off."""

    def __init__(self) -> None:
        self.on = False

    def enable(self) -> None:
        """See `Schedule`."""
        self.on = True

    def disable(self) -> None:
        """See `Schedule`."""
        self.on = False


class MemoryUndelivered:
    """An `Undelivered` of so many events."""

    def __init__(self, waiting: int = 0) -> None:
        self.waiting = waiting

    def count(self) -> int:
        """See `Undelivered`."""
        return self.waiting
