"""
Where a migration is, and the moves that are legal from there.

A migration is PLANNED until it is opened. CREATING makes green beside blue; READY
means green answers and has no share. CLIMBING gives green more, rung by rung; BAKING
holds the control share while a little blue is left to compare with; WATCHING holds
100 %, with blue parked at no share and whole. Only after a person has said so comes
RETIRING, the point of no return, and DONE.

From every phase up to WATCHING the way leads back: ROLLING_BACK restores the edges,
ROLLED_BACK is where it ends, with all traffic on blue; from there it may be opened
again, under a higher fence. HELD waits for a person.

A ladder may begin with any kind of rung, and another edge may be at an earlier one, so
CLIMBING, BAKING and WATCHING are open to one another.

The table below is the truth; the diagram in `docs/` is drawn from it.
"""

from __future__ import annotations

from enum import StrEnum

from crossfade.errors import InvalidTransition


class Phase(StrEnum):
    """A migration's phase; see the module docstring for what each one means."""

    PLANNED = "planned"
    CREATING = "creating"
    READY = "ready"
    CLIMBING = "climbing"
    BAKING = "baking"
    WATCHING = "watching"
    RETIRING = "retiring"
    DONE = "done"
    HELD = "held"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"


_ONWARD: dict[Phase, frozenset[Phase]] = {
    Phase.PLANNED: frozenset({Phase.CREATING}),
    Phase.CREATING: frozenset({Phase.READY, Phase.HELD}),
    Phase.READY: frozenset({Phase.CLIMBING, Phase.BAKING, Phase.WATCHING, Phase.HELD}),
    Phase.CLIMBING: frozenset({Phase.BAKING, Phase.WATCHING, Phase.HELD}),
    Phase.BAKING: frozenset({Phase.CLIMBING, Phase.WATCHING, Phase.HELD}),
    Phase.WATCHING: frozenset({Phase.CLIMBING, Phase.BAKING, Phase.RETIRING, Phase.HELD}),
    Phase.RETIRING: frozenset({Phase.DONE}),
    Phase.DONE: frozenset(),
    Phase.HELD: frozenset({Phase.CREATING, Phase.READY, Phase.CLIMBING, Phase.BAKING, Phase.WATCHING}),
    Phase.ROLLING_BACK: frozenset({Phase.ROLLED_BACK}),
    Phase.ROLLED_BACK: frozenset({Phase.CREATING}),
}

BEYOND_RETURN = frozenset({Phase.RETIRING, Phase.DONE})
CLOSED = frozenset({Phase.DONE, Phase.ROLLED_BACK})

MOVES: dict[Phase, frozenset[Phase]] = {
    start: onward if start in BEYOND_RETURN else onward | {Phase.ROLLING_BACK} for start, onward in _ONWARD.items()
}
"""Legal moves. ROLLING_BACK may begin again, also after ROLLED_BACK: any number of times (I3)."""


def move(start: Phase, finish: Phase) -> Phase:
    """
    Return `finish` if the table allows the move; staying where one is always is.

    Raises:
        InvalidTransition: it does not.
    """
    if finish != start and finish not in MOVES[start]:
        raise InvalidTransition(f"a migration that is {start} cannot become {finish}")
    return finish
