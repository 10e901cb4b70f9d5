"""
The judge's evidence beside an implementation that is not ours: savvi's, of the paper that `compare` follows.

savvi brings numpy and a convex solver along, 400 MB that nothing else here needs, so it
lives apart: `make oracle` runs these tests. Elsewhere they are skipped, and say so.
"""

from __future__ import annotations

import random
from math import log
from statistics import fmean

import pytest

from benchmarks.rollout.chance import binomial, poisson
from benchmarks.rollout.guarantees import Evidence
from crossfade.judge.reading import Count

savvi = pytest.importorskip("savvi.multinomial", reason="savvi is not installed here: make oracle")
np = pytest.importorskip("numpy")

ALPHA = 0.001
BLUE_RATE = 0.001
LONGEST = 2_000
RUNS = 120

WORLDS = {
    "20 rps, green 5 %, 20 % fail": (60.0, 1_140.0, 0.2),
    "20 rps, green 5 %, 2 % fail": (60.0, 1_140.0, 0.02),
    "20 rps, green 50 %, 0.5 % fail": (600.0, 600.0, 0.005),
    "2 rps, green 25 %, 2 % fail": (30.0, 90.0, 0.02),
}


def minutes(seed: int, green: float, blue: float, green_rate: float, *, at_most: int) -> tuple[int | None, int | None]:
    """Return after how many minutes we, and after how many savvi's test, say that the errors are not shared fairly."""
    chance = random.Random(seed)
    ours = Evidence()
    theirs = savvi.Multinomial(ALPHA, np.array([green / (green + blue), blue / (green + blue)]))
    we: int | None = None
    they: int | None = None
    for minute in range(1, at_most + 1):
        greens, blues = poisson(chance, green), poisson(chance, blue)
        bad, failed = binomial(chance, greens, green_rate), binomial(chance, blues, BLUE_RATE)
        log_e = ours.add(Count(blues, failed), Count(greens, bad))
        theirs.update(np.array([bad, failed]))
        we = minute if we is None and log_e >= log(1 / ALPHA) else we
        they = minute if they is None and theirs.odds >= 1 / ALPHA else they
        if we is not None and they is not None:
            break
    return we, they


@pytest.mark.parametrize("world", WORLDS)
def test_a_bad_green_is_blamed_no_later_than_by_savvi(world: str) -> None:
    green, blue, rate = WORLDS[world]

    blamed = [minutes(seed, green, blue, rate, at_most=LONGEST) for seed in range(RUNS)]

    ours = fmean(LONGEST if we is None else we for we, _ in blamed)
    assert ours <= fmean(LONGEST if they is None else they for _, they in blamed)


def test_what_savvi_blames_is_blamed_here_in_the_end() -> None:
    blamed = [minutes(seed, 60.0, 1_140.0, 0.02, at_most=LONGEST) for seed in range(RUNS)]

    assert all(they is not None for _, they in blamed)
    assert all(we is not None for we, _ in blamed)


def test_equals_are_blamed_by_neither_within_500_looks() -> None:
    blamed = [minutes(seed, 300.0, 900.0, BLUE_RATE, at_most=500) for seed in range(RUNS)]

    assert sum(we is not None for we, _ in blamed) <= 1
    assert sum(they is not None for _, they in blamed) <= 1
