"""
What a migration came to, and whether that is safe. Pure.

A safe end: one side, with healthy targets, holds all of the edge; blue's services are as they were;
nothing runs any more; what the journal says is what is so; and on the way there no weights summed
to zero and none were given to an end without a healthy target.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class End(StrEnum):
    """
    How a migration ended.

    BY_HAND: an operator had to start `roll_back`, or `retire` again, as the runbook says. RETIRED: blue is gone,
    because somebody said so.
    """

    COMPLETED = "completed"
    ROLLED_BACK = "rolled back"
    REFUSED = "refused"
    RETIRED = "retired"
    BY_HAND = "ended by hand"
    STUCK = "stuck"


@dataclass(frozen=True, slots=True)
class Change:
    """One accepted write of an edge's weights: of blue and green, and how many healthy targets each had then."""

    at: float
    blue: int
    green: int
    blue_healthy: int
    green_healthy: int
    by: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    All that is looked at once nothing moves any more.

    Attributes:
        end: how it ended.
        phase: what the journal says; `none` when it knows no such migration.
        changes: of the edge, oldest first.
        late_changes: how many of them came after the end.
        healthy: targets at the end, of blue and green.
        blue: what of blue is not as it was before.
        running: executions that still run.
        intents: shares in percent that an intent in the journal speaks of.
        may_need_hand: whether the documented answer to this fault is an operator's.
        troubles: what went wrong inside the embedded AWS itself.
    """

    end: End
    phase: str
    changes: Sequence[Change]
    late_changes: int
    healthy: tuple[int, int]
    blue: Sequence[str]
    running: Sequence[str]
    intents: Sequence[float]
    may_need_hand: bool
    troubles: Sequence[str]


_PHASES: Mapping[End, frozenset[str]] = {
    End.COMPLETED: frozenset({"watching"}),
    End.ROLLED_BACK: frozenset({"rolled_back"}),
    End.RETIRED: frozenset({"done"}),
    End.BY_HAND: frozenset({"rolled_back", "done"}),
    End.REFUSED: frozenset({"none"}),
    End.STUCK: frozenset(),
}


def unsafe(outcome: Outcome) -> tuple[str, ...]:
    """Return what is wrong with an outcome, in words; nothing when it is safe."""
    return tuple(_wrong(outcome))


def _wrong(outcome: Outcome) -> Iterator[str]:
    yield from _wrong_on_the_way(outcome)
    blue, green = (outcome.changes[-1].blue, outcome.changes[-1].green) if outcome.changes else (1, 0)
    is_green = outcome.end in {End.COMPLETED, End.RETIRED} or outcome.phase == "done"
    if is_green and (blue or not green):
        yield f"it is {outcome.end}, and blue holds {blue} beside green's {green}"
    if not is_green and green:
        yield f"it is {outcome.end}, and green holds {green} beside blue's {blue}"
    side = int(is_green)
    if not outcome.healthy[side]:
        yield f"{('blue', 'green')[side]} holds everything and has no healthy target"
    if outcome.phase not in _PHASES[outcome.end]:
        yield f"it is {outcome.end}, and the journal says {outcome.phase}"
    if outcome.end is End.BY_HAND and not outcome.may_need_hand:
        yield "nobody noticed: it took an operator to end it"
    if outcome.late_changes:
        yield f"{outcome.late_changes} changes of weights came after the end"
    yield from (f"blue was touched: {what}" for what in outcome.blue)
    yield from (f"{name} still runs" for name in outcome.running)
    yield from (f"the embedded AWS had trouble: {what}" for what in outcome.troubles)


def _wrong_on_the_way(outcome: Outcome) -> Iterator[str]:
    before = 0.0
    for change in outcome.changes:
        total = change.blue + change.green
        if not total:
            yield f"{change.by} gave nothing to either end"
            continue
        if change.blue and not change.blue_healthy:
            yield f"{change.by} gave blue {change.blue}, and blue had no healthy target"
        if change.green and not change.green_healthy:
            yield f"{change.by} gave green {change.green}, and green had no healthy target"
        share = 100 * change.green / total
        if share > before and change.by != "another writer" and not _was_intended(share, outcome.intents):
            yield f"{change.by} gave green {share:g} %, and no intent says so"
        before = share


def _was_intended(share: float, intents: Sequence[float]) -> bool:
    return any(abs(share - intent) < 1 for intent in intents)
