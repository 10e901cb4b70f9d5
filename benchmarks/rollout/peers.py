"""
The peers' decision rules, at their defaults, at their documentation's samples, and at their best.

A rule is what its source or documentation says, no more: see docs/benchmark.md for the
sources. Alarms are generous to the peers: real ones are up to three minutes slower.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from benchmarks.rollout.chance import binomial
from benchmarks.rollout.kayenta import Label, classify
from benchmarks.rollout.rule import ROLL_BACK, Act, Rule
from benchmarks.rollout.world import HISTORY, TICK, World

ALARM_RATE: Final = 0.01
"""The alarm: more than 1 % of green's requests failed. AWS ships none, so it is the operator's."""

_MINUTE = 60


@dataclass(frozen=True)
class Alarm:
    """
    N of N datapoints over 1 %; a period without requests is not breaching (`TreatMissingData: notBreaching`).

    A datapoint is seen `lag` seconds after its period ended.
    """

    datapoints: int
    period: int = _MINUTE
    lag: int = 60

    def rings(self, world: World) -> bool:
        """Return whether it is in ALARM now."""
        newest = int((world.now - self.lag) // self.period)
        if newest < self.datapoints:
            return False
        return all(self._breaches(world, index * self.period) for index in range(newest - self.datapoints, newest))

    def _breaches(self, world: World, start: int) -> bool:
        seen = world.seen(start, start + self.period)
        return seen.green > 0 and seen.green_errors > ALARM_RATE * seen.green


@dataclass
class AlarmLadder:
    """ECS, CodeDeploy and AppConfig: shares by the clock, an alarm that rolls back, done after the bake."""

    ladder: tuple[tuple[int, float], ...]
    bake: int
    alarm: Alarm

    def act(self, world: World) -> Act:
        """Follow the clock unless the alarm rings."""
        if self.alarm.rings(world):
            return ROLL_BACK
        share = next(share for start, share in reversed(self.ladder) if world.now >= start)
        return Act(share, "promoted" if world.now >= self.ladder[-1][0] + self.bake else None)


def steps(part: float, every: int) -> tuple[tuple[int, float], ...]:
    """Return a linear ladder."""
    count = round(1 / part)
    return tuple((at * every, (at + 1) * part if at + 1 < count else 1.0) for at in range(count))


@dataclass
class Flagger:
    """Its scheduler's tick: failed checks are counted and never forgotten; nothing is watched after promotion."""

    threshold: int
    step: float
    most: float = 0.5
    interval: int = 60
    lag: int = 15
    least_success: float = 0.99
    most_slow: float | None = 0.01
    """Of the sample's p99 latency check: p99 is above the bar where more than 1 % of the requests are."""
    share: float = 0.0
    failed: int = 0
    promoting: int = 0
    _due: int = 0

    def act(self, world: World) -> Act:
        """Tick when the interval is over."""
        if world.now < self._due:
            return Act(self.share)
        self._due = world.now + self.interval
        if self.promoting:
            self.promoting += 1
            return Act(1.0, "promoted" if self.promoting > 2 else None)  # noqa: PLR2004 — two ticks to finalise
        if self.failed >= self.threshold:
            return ROLL_BACK
        if self.share > 0 and not self._passes(world):
            self.failed += 1
            return Act(self.share)
        if self.share >= self.most:
            self.promoting = 1
            self.share = 1.0
        else:
            self.share = min(self.most, round(self.share + self.step, 4))
        return Act(self.share)

    def _passes(self, world: World) -> bool:
        seen = world.seen(world.now - self.lag - self.interval, world.now - self.lag)
        if not seen.green:
            return False  # no value found is a failed check
        if 1 - seen.green_errors / seen.green < self.least_success:
            return False
        # p99 of few requests is noisy: the bar is blue's own p99 times a half more, as an operator sets it.
        return self.most_slow is None or seen.green_slow <= max(1.5 * self.most_slow * seen.green, 3.0)


@dataclass
class Argo:
    """A background analysis run beside timed steps; the run ends with the steps."""

    interval: int
    first: int
    failure_limit: int
    ladder: tuple[tuple[int, float], ...]
    lasts: int
    window: int = 300
    least_success: float = 0.95
    lag: int = 15
    failed: int = 0
    _due: int = field(init=False)

    def __post_init__(self) -> None:
        self._due = self.first

    def act(self, world: World) -> Act:
        """Measure when a measurement is due; abort once more of them failed than the limit."""
        if world.now >= self._due and world.now < self.lasts:
            self._due = world.now + self.interval
            seen = world.seen(world.now - self.lag - self.window, world.now - self.lag)
            if not seen.green or 1 - seen.green_errors / seen.green < self.least_success:
                self.failed += 1
        if self.failed > self.failure_limit:
            return ROLL_BACK
        share = next(share for start, share in reversed(self.ladder) if world.now >= start)
        return Act(share, "promoted" if world.now >= self.lasts else None)


@dataclass
class Kayenta:
    """A canary beside a baseline of its size, judged by Mann-Whitney on the growing window of minutes."""

    interval: int
    lifetime: int
    share: float = 0.1
    _due: int = field(init=False)
    _canary: list[float] = field(default_factory=list)
    _baseline: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._due = self.interval

    def act(self, world: World) -> Act:
        """Judge when an interval is over; anything High on the critical metric fails the canary."""
        if world.now >= self._due and world.now <= self.lifetime:
            self._due += self.interval
            if self._label(world) is Label.HIGH:
                return ROLL_BACK
        if world.now < self.lifetime:
            return Act(self.share)
        return Act(1.0, "promoted" if world.now >= self.lifetime + 5 * _MINUTE else None)

    def _label(self, world: World) -> Label:
        # The baseline is of the canary's size: a ninth of blue's requests, at 10 %, and so of its errors, by chance.
        for start in range(len(self._canary) * _MINUTE, world.now, _MINUTE):
            seen = world.seen(start, start + _MINUTE)
            self._canary.append(float(seen.green_errors))
            self._baseline.append(float(binomial(world.chance, seen.blue_errors, self.share / (1 - self.share))))
        return classify(self._canary, self._baseline)


@dataclass
class StepFunctionsSample:
    """The naive loop: set the share, wait, roll back on any 5xx of the last ten minutes; no data is health."""

    step: float = 0.1
    wait: int = 60
    lag: int = 60
    share: float = 0.0
    _due: int = 0

    def act(self, world: World) -> Act:
        """Check when the wait is over."""
        if world.now < self._due:
            return Act(self.share)
        self._due = world.now + self.wait
        if self.share > 0:
            seen = world.seen(max(-HISTORY, world.now - self.lag - 600), world.now - self.lag)
            if seen.green_errors > 0:
                return ROLL_BACK
        self.share = round(min(1.0, self.share + self.step), 4)
        return Act(self.share, "promoted" if self.share >= 1.0 else None)


def _exponential(factor: float, over: int) -> tuple[tuple[int, float], ...]:
    """AppConfig's growth: factor times two to the N, in even steps of time."""
    shares: list[float] = []
    while factor * 2 ** len(shares) < 1.0:
        shares.append(factor * 2 ** len(shares))
    return (*((at * over // len(shares), share) for at, share in enumerate(shares)), (over, 1.0))


_ARGO_STEPS = tuple((at * 600, (at + 1) * 0.2) for at in range(4))
_THREE, _ONE = Alarm(3), Alarm(1)

PEERS: Final[dict[str, Callable[[], Rule]]] = {
    "ECS CANARY 5 %/10 min, alarm 3x60 s": lambda: AlarmLadder(((0, 0.05), (600, 1.0)), 600, _THREE),
    "ECS CANARY 5 %/10 min, alarm 1x60 s": lambda: AlarmLadder(((0, 0.05), (600, 1.0)), 600, _ONE),
    "ECS LINEAR 10 %/6 min, alarm 3x60 s": lambda: AlarmLadder(steps(0.1, 360), 600, _THREE),
    "ECS LINEAR 10 %/6 min, alarm 1x60 s": lambda: AlarmLadder(steps(0.1, 360), 600, _ONE),
    "CodeDeploy AllAtOnce, alarm 3x60 s": lambda: AlarmLadder(((0, 1.0),), 600, _THREE),
    "CodeDeploy Canary10/5, alarm 3x60 s": lambda: AlarmLadder(((0, 0.1), (300, 1.0)), 600, _THREE),
    "CodeDeploy Canary10/15, alarm 3x60 s": lambda: AlarmLadder(((0, 0.1), (900, 1.0)), 600, _THREE),
    "CodeDeploy Linear10/1, alarm 3x60 s": lambda: AlarmLadder(steps(0.1, 60), 600, _THREE),
    "AppConfig Linear20/6, alarm 3x60 s": lambda: AlarmLadder(steps(0.2, 360), 1_800, _THREE),
    "AppConfig Canary10/20, alarm 3x60 s": lambda: AlarmLadder(_exponential(0.1, 1_200), 600, _THREE),
    "Flagger tutorial (threshold 5)": lambda: Flagger(threshold=5, step=0.1),
    "Flagger how-it-works (threshold 10)": lambda: Flagger(threshold=10, step=0.05),
    "Flagger API default (threshold 1)": lambda: Flagger(threshold=1, step=0.1),
    "Argo background sample": lambda: Argo(300, 600, 3, _ARGO_STEPS, 2_400),
    "Argo API default, each minute": lambda: Argo(60, 60, 0, _ARGO_STEPS, 2_400),
    "Kayenta 3 h, each hour": lambda: Kayenta(3_600, 10_800),
    "Step Functions sample": StepFunctionsSample,
}
"""At their defaults and samples, with their own lags."""


def peers_on_feed(lag: int) -> dict[str, Callable[[], Rule]]:
    """Return the peers at their best: on counts of ten seconds that arrive `lag` seconds late, as Crossfade reads."""
    quick, steady = Alarm(1, period=TICK, lag=lag), Alarm(3, period=TICK, lag=lag)
    return {
        "ECS CANARY, alarm 3x10 s": lambda: AlarmLadder(((0, 0.05), (600, 1.0)), 600, steady),
        "ECS CANARY, alarm 1x10 s": lambda: AlarmLadder(((0, 0.05), (600, 1.0)), 600, quick),
        "ECS LINEAR, alarm 3x10 s": lambda: AlarmLadder(steps(0.1, 360), 600, steady),
        "CodeDeploy Canary10/15, alarm 3x10 s": lambda: AlarmLadder(((0, 0.1), (900, 1.0)), 600, steady),
        "AppConfig Linear20/6, alarm 3x10 s": lambda: AlarmLadder(steps(0.2, 360), 1_800, steady),
        # Flagger takes no value for a failed check, so its interval must outlast the feed's lag.
        "Flagger (threshold 2)": lambda: Flagger(threshold=2, step=0.1, interval=60 if lag < _MINUTE else 240, lag=lag),
        "Argo, each 10 s, 99 % over 1 min": lambda: Argo(
            10, 60, 3, _ARGO_STEPS, 2_400, window=60, least_success=0.99, lag=lag
        ),
    }
