"""What a check answers with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is wrong: the place a reader would look for it, and what is wrong there."""

    where: str
    what: str

    def __str__(self) -> str:
        """Return the finding as one line."""
        return f"{self.where}: {self.what}"
