"""What a decision rule is here, and what trying one gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from benchmarks.rollout.world import TICK, Scenario, World

LONGEST: Final = 14_000
"""Seconds after which a rollout that still holds is ended; it has neither promoted nor rolled back."""

RUN_OUT: Final = 1_800
"""Seconds for which a bad green that was promoted is still counted: until somebody notices."""


@dataclass(frozen=True)
class Act:
    """What a rule wants now. `end` is "promoted" or "rolled back"; None goes on."""

    share: float
    end: str | None = None


ROLL_BACK = Act(0.0, "rolled back")


class Rule(Protocol):
    """A peer's way to decide, for one rollout."""

    def act(self, world: World) -> Act:
        """Return what to do now, from what was served so far."""
        ...


@dataclass(frozen=True)
class Outcome:
    """One rollout: how it ended, when, and how many requests green failed or delayed beyond blue's own."""

    end: str
    seconds: int
    harmed: float
    decided_after: int | None
    """Seconds from green's first traffic, or from the fault's beginning where it came later, to the rollback; negative
    where the rollback came before the fault, and so was a false one."""


def try_rule(rule: Rule, *, seed: int, rps: float, scenario: Scenario) -> Outcome:
    """Roll out once."""
    world = World(seed, rps, scenario)
    act = rule.act(world)
    while act.end is None and world.now < LONGEST:
        world.serve(act.share)
        act = rule.act(world)
    ended = world.now
    if act.end == "promoted" and scenario.bad:
        for _ in range(RUN_OUT // TICK):
            world.serve(1.0)
    decided = None
    if act.end == "rolled back":
        decided = int(ended - (world.first_green or 0)) - scenario.begins
    return Outcome(act.end or "still holding", ended, world.harmed, decided)
