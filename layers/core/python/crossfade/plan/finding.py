"""What one check of the preflight came to."""

from __future__ import annotations

from crossfade.frozen import Frozen


class Finding(Frozen):
    """One check of one thing. `refused` is empty when it passed; `mend` says what to do about it."""

    check: str
    subject: str
    refused: str = ""
    mend: str = ""

    def __str__(self) -> str:
        return f"{self.subject}: {self.refused}; {self.mend}" if self.refused else f"{self.subject}: {self.check}"

    def refuse(self, why: str, mend: str) -> Finding:
        """Return the same finding, refused."""
        return self.model_copy(update={"refused": why, "mend": mend})
