"""
What people are still to be told: written with the change itself, forgotten once it was handed on.

A phase is entered and its notice left here in one transaction, so that whoever dies between
the two has still left word. The two phases of a rollback are entered by state machines too,
without any of our code; what was told of them, and of each edge, is remembered instead.
"""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from crossfade.events.outbound import What
from crossfade.frozen import BasisPoints, Frozen
from crossfade.phases import Phase

OF_PHASE: dict[Phase, What] = {
    Phase.READY: "ready",
    Phase.CLIMBING: "climbing",
    Phase.BAKING: "baking",
    Phase.WATCHING: "watching",
    Phase.RETIRING: "retiring",
    Phase.DONE: "retired",
}
"""What is told of a phase when it is entered; of those left out somebody else tells."""

_REASONS: dict[Phase, str] = {
    Phase.READY: "green is whole and answers, and has no share yet",
    Phase.CLIMBING: "green gets a share, rung by rung, and is judged beside blue",
    Phase.BAKING: "green holds the control share, and is judged beside what is left to blue",
    Phase.WATCHING: "green is given everything at an edge; blue is parked beside it, and whole",
    Phase.RETIRING: "blue is taken down from here on; there is no way back any more",
    Phase.DONE: "blue is at zero tasks; its services exist still",
}


def told_of(phase: Phase, why: str) -> str:
    """Return what people are told of a phase that was entered."""
    return f"{_REASONS[phase]}; {why}" if why else _REASONS[phase]


class Untold(Frozen):
    """A notice that nobody was told yet. `key` is its place, later ones after earlier ones."""

    migration: str
    key: str
    what: What
    phase: Phase
    reason: str
    at: AwareDatetime


class Told(Frozen):
    """
    What people were told last of a migration under a fence.

    `phase` is the last one of a rollback; `edges` what green was said to hold at each edge.
    """

    migration: str
    fence: int = 0
    phase: Phase | None = None
    edges: dict[str, BasisPoints] = Field(default_factory=dict)
