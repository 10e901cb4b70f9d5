"""What the judge promises by itself, whatever the ladder: no false alarms, little delay, no answer from nothing."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import exp, fsum, log, pi, sin
from statistics import fmean, median
from typing import Final

from benchmarks.rollout.chance import binomial, poisson, upper_bound
from benchmarks.rollout.checkpoint import Checkpoint
from benchmarks.rollout.kayenta import Label, classify
from crossfade.judge import eprocess
from crossfade.judge.judge import judge
from crossfade.judge.reading import Count, Readings, Window
from crossfade.judge.verdict import Answer
from crossfade.plan.document import Bounds
from crossfade.plan.edges import Rung, RungKind

ALPHAS: Final = (0.05, 0.01, 0.001)
LOOKS: Final = 500
BASE: Final = 0.001
BUCKET: Final = 10
"""Seconds of a count that the log feed publishes."""
_HALF_A_DAY: Final = 720  # minutes
_NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class Evidence:
    """`eprocess.compare`, one bucket at a time: the same sums, so that 500 looks are 500 steps."""

    def __init__(self) -> None:
        self.logs = eprocess.compared([])
        self.log_e = 0.0

    def add(self, blue: Count, green: Count) -> float:
        """Return log E after one more bucket; one in which nobody failed adds nothing."""
        if blue.errors or green.errors:
            gained = eprocess.compared([(blue, green)])
            self.logs = [a + b for a, b in zip(self.logs, gained, strict=True)]
            highest = max(self.logs)
            self.log_e = highest + log(fsum(exp(value - highest) for value in self.logs) / len(self.logs))
        return self.log_e


@dataclass(frozen=True)
class FalseAlarms:
    """How often a green as good as blue was blamed within 500 looks, at one alpha."""

    world: str
    alpha: float
    runs: int
    blamed: int
    rate: float
    bound: float
    """Upper bound of the rate at 99 % confidence."""


def a_day(chance: random.Random, rps: float, base: float) -> Iterator[tuple[Count, Count]]:
    """Yield 500 minutes of two equal sides: the load swings as a day does, the share climbs, an outage is shared."""
    for minute in range(LOOKS):
        load = 1 + 0.8 * sin(2 * pi * minute / LOOKS)
        weight = (0.05, 0.25, 0.5, 0.95)[minute * 4 // LOOKS]
        rate = 0.1 if 200 <= minute < 204 else base  # noqa: PLR2004 — four minutes in the middle
        requests = poisson(chance, rps * 60 * load)
        green = binomial(chance, requests, weight)
        blue = requests - green
        yield (
            Count(blue, binomial(chance, blue, rate)),
            Count(green, binomial(chance, green, rate)),
        )


_WORLDS: Final = (("20 rps, 0.1 %", 20.0, BASE), ("2 rps, 0.5 %", 2.0, 0.005), ("200 rps, 0.1 %", 200.0, BASE))
_AT_ONCE: Final = 1_000
"""Runs whose result is kept together."""


def false_alarms(runs: int, *, seed: int, kept: Checkpoint | None = None) -> list[FalseAlarms]:
    """Return the realised false-positive rates."""
    kept = kept or Checkpoint(None, code="")
    told = []
    for name, rps, base in _WORLDS:
        blamed = [0] * len(ALPHAS)
        for first in range(0, runs, _AT_ONCE):
            some = range(first, min(runs, first + _AT_ONCE))
            key = f"false alarms {name}, {seed}, {some.start} to {some.stop}"
            if key not in kept:
                kept.keep(key, _blamed(some, rps, base, seed))
            blamed = [one + other for one, other in zip(blamed, kept[key], strict=True)]
        for alpha, count in zip(ALPHAS, blamed, strict=True):
            told.append(FalseAlarms(name, alpha, runs, count, count / runs, upper_bound(count, runs)))
    return told


def _blamed(runs: Iterable[int], rps: float, base: float, seed: int) -> list[int]:
    """Return how many of the runs were blamed, at each alpha."""
    highest = []
    for at in runs:
        evidence = Evidence()
        highest.append(max(evidence.add(*pair) for pair in a_day(random.Random(seed * 1_000_003 + at), rps, base)))
    return [sum(value >= log(1 / alpha) for value in highest) for alpha in ALPHAS]


@dataclass(frozen=True)
class Delay:
    """
    Minutes until a bad green is blamed at alpha 0.001, from counts of ten seconds.

    Wald's bound is the least that any such test can need on average; no test that reads
    whole errors reaches it, since the last one carries it too far. So the best possible
    test stands beside it: the one that is told beforehand how bad green is.
    """

    world: str
    mean: float
    median: float
    wald: float
    told: float
    """Mean of the test that is told."""
    ratio: float
    """Median over Wald's bound, or over ten seconds where the bound is less."""
    over_told: float
    """Mean over the mean of the test that is told."""


def delays(runs: int, *, seed: int, alpha: float = 0.001) -> list[Delay]:
    """
    Return the delays. Wald's bound: ln(1/alpha) over the information that a bucket brings.

    The information is of which colour an error has, green's part being known to the
    oracle: the errors of a bucket times the divergence of the two binomials.
    """
    told = []
    for rps, weight, rate in (
        (20, 0.01, 0.2),
        (20, 0.05, 0.2),
        (20, 0.05, 0.02),
        (20, 0.05, 0.005),
        (2, 0.25, 0.02),
        (200, 0.05, 0.002),
    ):
        green, blue = rps * BUCKET * weight, rps * BUCKET * (1 - weight)
        errors = green * rate + blue * BASE
        truth = green * rate / errors
        information = errors * (truth * log(truth / weight) + (1 - truth) * log((1 - truth) / (1 - weight)))
        bound = log(1 / alpha) / information
        found = [_buckets(random.Random(seed * 7_919 + at), green, blue, rate, alpha) for at in range(runs)]
        middle = median(ours for ours, _ in found)
        mean, best = fmean(ours for ours, _ in found), fmean(oracle for _, oracle in found)
        told.append(
            Delay(
                f"{rps} rps, green {weight:.0%}, {BASE:.1%} -> {rate:.1%}",
                round(mean * BUCKET / 60, 2),
                round(middle * BUCKET / 60, 2),
                round(bound * BUCKET / 60, 2),
                round(best * BUCKET / 60, 2),
                round(middle / max(1.0, bound), 2),
                round(mean / best, 2),
            )
        )
    return told


def _buckets(chance: random.Random, green: float, blue: float, rate: float, alpha: float) -> tuple[int, int]:
    """Return after how many buckets we blame green, and after how many the test does that is told its rate."""
    evidence, buckets, log_e, oracle = Evidence(), 0, 0.0, 0.0
    blamed = told = 0
    while not (blamed and told):
        buckets += 1
        blues, greens = poisson(chance, blue), poisson(chance, green)
        failed, bad = binomial(chance, blues, BASE), binomial(chance, greens, rate)
        log_e = max(log_e, evidence.add(Count(blues, failed), Count(greens, bad)))
        if blues and greens:
            swollen = 1 + (rate / BASE - 1) * greens / (greens + blues)
            oracle += bad * log(rate / BASE / swollen) - failed * log(swollen)
        blamed = blamed or (buckets if log_e >= log(1 / alpha) else 0)
        told = told or (buckets if oracle >= log(1 / alpha) else 0)
    return blamed, told


@dataclass(frozen=True)
class WrongVerdict:
    """A case that users reported to Kayenta as wrongly passed, and what each judge says of it."""

    case: str
    source: str
    kayenta: Label
    ours: Answer
    reason: str


_CASES: Final[tuple[tuple[str, str, Sequence[int], Sequence[int]], ...]] = (
    ("canary 100 x 7, 1 x 3; baseline 1 x 10", "spinnaker#6278", [100] * 7 + [1] * 3, [1] * 10),
    ("canary 100 x 6, 1 x 4; baseline 1 x 10", "kayenta#780", [100] * 6 + [1] * 4, [1] * 10),
    ("canary 0 1 2 1 0 0; baseline none", "kayenta#426", [0, 1, 2, 1, 0, 0], [0] * 6),
    ("canary 7 errors in 3 of 20 minutes; baseline none", "kayenta#799", [0] * 9 + [3, 0, 2, 2] + [0] * 7, [0] * 20),
)


def wrong_verdicts() -> list[WrongVerdict]:
    """Return both judges' verdicts; a hundred requests a minute on each side, which the threads do not say."""
    told = []
    for case, source, canary, baseline in _CASES:
        rows = tuple((100, blue, 100, green) for blue, green in zip(baseline, canary, strict=True))
        rung = Rung(share_bp=5_000, soak_seconds=60 * len(rows))
        said = judge(
            Readings(window=Window(start=_NOON, period_seconds=60, rows=rows)),
            rung,
            Bounds(slow_ratio=None),
            tests=1,
        )
        told.append(WrongVerdict(case, source, classify(canary, baseline), said.answer, said.reason))
    return told


def twelve_hours_without_traffic(*, every_minutes: int = 1) -> dict[str, int]:
    """Return how often each answer was given within twelve hours without a request, on each of three kinds of rung."""
    answers: dict[str, int] = {answer.value: 0 for answer in Answer}
    for rung in (
        Rung(share_bp=500, soak_seconds=300),
        Rung(share_bp=9_500, soak_seconds=900, kind=RungKind.BAKE),
        Rung(share_bp=10_000, soak_seconds=900, kind=RungKind.WATCH),
    ):
        for minutes in range(every_minutes, _HALF_A_DAY + 1, every_minutes):
            window = Window(
                start=_NOON,
                period_seconds=60,
                rows=((None, None, None, None),) * minutes,
                slow_over=0.3,
                slow=((None, None),) * minutes,
            )
            answers[judge(Readings(window=window), rung, Bounds(), tests=5).answer.value] += 1
    return answers
