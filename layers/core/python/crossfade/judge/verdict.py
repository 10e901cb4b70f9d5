"""What the judge thinks, and what it answers."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Verdict(StrEnum):
    """An opinion on green. UNKNOWN is no opinion at all, and never promotes."""

    HEALTHY = "healthy"
    UNKNOWN = "unknown"
    UNHEALTHY = "unhealthy"


class Answer(StrEnum):
    """What the state machine is to do next."""

    ADVANCE = "advance"
    HOLD = "hold"
    ROLL_BACK = "roll_back"


_BY_GRAVITY = (Verdict.HEALTHY, Verdict.UNKNOWN, Verdict.UNHEALTHY)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the gravest verdict: UNHEALTHY over UNKNOWN over HEALTHY. Of none at all, UNKNOWN."""
    return max(verdicts, key=_BY_GRAVITY.index, default=Verdict.UNKNOWN)
