"""How much of an edge's traffic green holds."""

from __future__ import annotations

from dataclasses import dataclass

from crossfade.errors import ShareOutOfRange

_WHOLE_BP = 10_000


@dataclass(frozen=True, order=True, slots=True)
class Share:
    """
    Green's part of an edge, in basis points: 0 is nothing, 10,000 everything.

    Raises:
        ShareOutOfRange: `bp` lies below 0 or above 10,000.
    """

    bp: int

    def __post_init__(self) -> None:
        if not 0 <= self.bp <= _WHOLE_BP:
            raise ShareOutOfRange(f"a share of {self.bp} basis points; it must lie between 0 and {_WHOLE_BP}")

    @classmethod
    def percent(cls, percent: float) -> Share:
        """Return the share nearest to `percent`, 0 to 100."""
        return cls(round(percent * 100))

    @property
    def fraction(self) -> float:
        """Return the share as a number from 0 to 1."""
        return self.bp / _WHOLE_BP

    def __str__(self) -> str:
        return f"{self.bp / 100:g} %"


NONE = Share(0)
ALL = Share(_WHOLE_BP)
