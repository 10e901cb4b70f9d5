"""Holds what the reader found against Envoy's outlier events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from crossfade.judge.proxylog_replay import Confidence


@dataclass(frozen=True, slots=True)
class Ejection:
    """An ejection: when, in milliseconds since 1970, of which host, and by whom, empty where it is not said."""

    at: int
    host: str
    by: str = ""


@dataclass(slots=True)
class Score:
    """Ejections found, invented and missed; `errors` are the distances in time of those found, in seconds."""

    found: int = 0
    invented: int = 0
    missed: int = 0
    errors: list[float] = field(default_factory=list)

    def __add__(self, other: Score) -> Score:
        """Return both together."""
        return Score(
            self.found + other.found,
            self.invented + other.invented,
            self.missed + other.missed,
            self.errors + other.errors,
        )

    @property
    def precision(self) -> float | None:
        """Return which part of what was found is true; None when nothing was found."""
        claimed = self.found + self.invented
        return self.found / claimed if claimed else None

    @property
    def recall(self) -> float | None:
        """Return which part of what is true was found; None when nothing was to be found."""
        true = self.found + self.missed
        return self.found / true if true else None

    @property
    def median_error_s(self) -> float | None:
        """Return the middle distance in time; None when nothing was found."""
        return sorted(self.errors)[len(self.errors) // 2] if self.errors else None


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one recording. `confidence` is the best one the reader had for it."""

    name: str
    confidence: Confidence
    score: Score
    silences: Score
    suppressed: int


def score(claimed: Sequence[Ejection], true: Sequence[Ejection], *, tolerance_s: float) -> Score:
    """
    Return how well the claims fit, each true ejection matched with one claim at most.

    A claim fits an ejection of the same host, by the same client where both say by whom,
    within the tolerance; the nearest pairs are matched first.
    """
    pairs = sorted(
        (abs(claim.at - ejection.at), of, by)
        for of, claim in enumerate(claimed)
        for by, ejection in enumerate(true)
        if claim.host == ejection.host
        and abs(claim.at - ejection.at) <= tolerance_s * 1000
        and (not ejection.by or claim.by == ejection.by)
    )
    used: set[int] = set()
    met: set[int] = set()
    errors: list[float] = []
    for apart, of, by in pairs:
        if of not in used and by not in met:
            used.add(of)
            met.add(by)
            errors.append(apart / 1000)
    return Score(len(used), len(claimed) - len(used), len(true) - len(met), errors)
