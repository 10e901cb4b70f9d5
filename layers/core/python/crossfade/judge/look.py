"""What one look keeps: all that the judge was given, and what it made of it."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from crossfade.judge.judge import Judgement
from crossfade.judge.reading import Readings
from crossfade.judge.verdict import Answer
from crossfade.plan.document import Bounds, Frozen, Rung

EVIDENCE: Final = "judge"
"""`what` of the journal's evidence entries that hold a look."""


class Look(Frozen):
    """
    The evidence of one look.

    `answered` is what the state machine was told: the judgement's own answer, unless the
    judge only shadows. `previous` is the digest of the look before on this edge.
    """

    look: int
    rung: Rung
    bounds: Bounds
    tests: int
    following: Rung | None = None
    readings: Readings
    judgement: Judgement
    answered: Answer
    shadow: bool = False
    previous: str = Field(default="", description="Empty for the first")
