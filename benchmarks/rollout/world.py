"""
The world that every rule is tried in: one edge, two colours, requests in ticks of 10 seconds.

Requests come by chance (Poisson), green gets its share of them by chance (binomial), and
each fails or is slow by chance. Everything follows from the seed. A share is in force at
once, as on a load balancer. Time is in seconds since the rollout began, which is a whole
minute; ten minutes of blue alone came before.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from benchmarks.rollout.chance import binomial, poisson

TICK: Final = 10
HISTORY: Final = 600
BASE_ERRORS: Final = 0.001
BASE_SLOW: Final = 0.01
"""Requests slower than blue's own 99th percentile."""


class Tick(NamedTuple):
    """What both colours served in one tick: requests, failures, slow requests."""

    blue: int
    blue_errors: int
    blue_slow: int
    green: int
    green_errors: int
    green_slow: int


@dataclass(frozen=True)
class Scenario:
    """
    What happens. Rates are functions of the seconds since green's first traffic.

    `bad` says whether green is worse, and so whether rolling it back is right; it is from
    `begins` on. `harm` is what a request of green suffers from: "errors" or "slow".
    """

    name: str
    about: str
    bad: bool
    green_errors: Callable[[float], float] = lambda _: BASE_ERRORS
    blue_errors: Callable[[float], float] = lambda _: BASE_ERRORS
    green_slow: Callable[[float], float] = lambda _: BASE_SLOW
    load: Callable[[float], float] = lambda _: 1.0
    harm: str = "errors"
    begins: int = 0


def _constant(rate: float) -> Callable[[float], float]:
    return lambda _: rate


def _from(start: float, rate: float, before: float = BASE_ERRORS) -> Callable[[float], float]:
    return lambda since: rate if since >= start else before


def _between(start: float, end: float, rate: float) -> Callable[[float], float]:
    return lambda since: rate if start <= since < end else BASE_ERRORS


def _step(start: float, end: float, times: float) -> Callable[[float], float]:
    return lambda since: times if start <= since < end else 1.0


def _ramp(since: float) -> float:
    return min(0.2, BASE_ERRORS + max(0.0, since - 300) / 1800 * 0.2)


SCENARIOS: Final[tuple[Scenario, ...]] = (
    Scenario("healthy", "green is as good as blue", bad=False),
    Scenario(
        "load step",
        "healthy; three times the load from 10 to 20 minutes",
        bad=False,
        load=_step(600, 1_200, 3.0),
    ),
    Scenario(
        "cold start",
        "5 % errors in green's first 30 seconds, then healthy",
        bad=False,
        green_errors=_between(0, 30, 0.05),
    ),
    Scenario(
        "shared outage",
        "both colours fail 10 % from 4 to 8 minutes",
        bad=False,
        green_errors=_between(240, 480, 0.1),
        blue_errors=_between(240, 480, 0.1),
    ),
    Scenario("all fail", "green fails every request", bad=True, green_errors=_constant(1.0)),
    Scenario("20 % fail", "green fails a fifth", bad=True, green_errors=_constant(0.2)),
    Scenario("2 % fail", "green fails 2 %", bad=True, green_errors=_constant(0.02)),
    Scenario("0.5 % fail", "green fails five times as often as blue", bad=True, green_errors=_constant(0.005)),
    Scenario(
        "20 % late", "green fails a fifth, from 12 minutes on", bad=True, green_errors=_from(720, 0.2), begins=720
    ),
    Scenario(
        "ramp", "green's errors grow from 5 minutes on, to a fifth at 35", bad=True, green_errors=_ramp, begins=300
    ),
    Scenario("20 % slow", "green is slow for a fifth and fails none", bad=True, green_slow=_constant(0.2), harm="slow"),
)


@dataclass
class World:
    """One run's world; `ticks` is what was served since `-HISTORY` seconds."""

    seed: int
    rps: float
    scenario: Scenario
    ticks: list[Tick] = field(default_factory=list)
    first_green: float | None = None
    harmed: float = 0.0
    chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        for _ in range(HISTORY // TICK):
            self.serve(0.0)

    @property
    def now(self) -> int:
        """Seconds since the rollout began."""
        return len(self.ticks) * TICK - HISTORY

    def serve(self, share: float) -> Tick:
        """Let a tick go by in which green holds a share, and count the requests that suffered because of green."""
        if share > 0 and self.first_green is None:
            self.first_green = self.now
        since = -1.0 if self.first_green is None else self.now - self.first_green
        load = self.scenario.load(since) if since >= 0 else 1.0
        requests = poisson(self.chance, self.rps * load * TICK)
        green = binomial(self.chance, requests, share)
        blue = requests - green
        blue_rate = self.scenario.blue_errors(since) if since >= 0 else BASE_ERRORS
        green_rate, slow_rate = self.scenario.green_errors(since), self.scenario.green_slow(since)
        tick = Tick(
            blue,
            binomial(self.chance, blue, blue_rate),
            binomial(self.chance, blue, BASE_SLOW),
            green,
            binomial(self.chance, green, green_rate),
            binomial(self.chance, green, slow_rate),
        )
        self.ticks.append(tick)
        if self.scenario.bad:
            if self.scenario.harm == "slow":
                self.harmed += tick.green_slow * max(0.0, 1 - BASE_SLOW / slow_rate)
            else:
                self.harmed += tick.green_errors * max(0.0, 1 - blue_rate / green_rate)
        return tick

    def seen(self, start: float, end: float) -> Tick:
        """Return the sums from `start` to `end`, whole ticks of it, as far as they have happened."""
        first, last = int(start + HISTORY) // TICK, int(end + HISTORY) // TICK
        found = self.ticks[max(0, first) : max(0, last)]
        return Tick(*(sum(column) for column in zip(*found, strict=True))) if found else Tick(0, 0, 0, 0, 0, 0)
