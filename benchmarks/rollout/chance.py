"""Random counts and exact bounds, in plain Python."""

from __future__ import annotations

import random
from math import exp, lgamma, log, log1p, sqrt

_MANY = 60  # from this mean on, a rounded normal stands for a Poisson or binomial count


def poisson(chance: random.Random, mean: float) -> int:
    """Draw a Poisson count; exact below a mean of 60, a rounded normal above."""
    if mean <= 0:
        return 0
    if mean >= _MANY:
        return max(0, round(chance.normalvariate(mean, sqrt(mean))))
    left, drawn = mean, -1
    while left > 0:
        left -= chance.expovariate(1.0)
        drawn += 1
    return drawn


def binomial(chance: random.Random, tries: int, rate: float) -> int:
    """Draw a binomial count; exact where fewer than 60 hits or misses are expected, a rounded normal elsewhere."""
    if tries <= 0 or rate <= 0:
        return 0
    if rate >= 1:
        return tries
    if rate > 1 / 2:
        return tries - binomial(chance, tries, 1 - rate)
    mean = tries * rate
    if mean >= _MANY:
        return min(tries, max(0, round(chance.normalvariate(mean, sqrt(mean * (1 - rate))))))
    miss, at, hits = log1p(-rate), -1, -1
    while at < tries:  # jump from hit to hit
        at += 1 + int(log(1 - chance.random()) / miss)
        hits += 1
    return hits


def upper_bound(hits: int, tries: int, *, confidence: float = 0.99) -> float:
    """Return the one-sided upper bound of a rate of which `hits` in `tries` were seen (Clopper and Pearson, 1934)."""
    if tries == 0 or hits >= tries:
        return 1.0
    low, high = hits / tries, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(hits, tries, middle) > 1 - confidence else (low, middle)
    return high


def most_by_chance(tries: int, rate: float, *, beyond: float = 1e-3) -> int:
    """Return the largest count whose chance of being reached is still at least `beyond`."""
    hits = 0
    while hits < tries and 1 - _at_most(hits, tries, rate) >= beyond:
        hits += 1
    return hits


def _at_most(hits: int, tries: int, rate: float) -> float:
    if rate <= 0:
        return 1.0
    if rate >= 1:
        return 0.0
    return sum(
        exp(lgamma(tries + 1) - lgamma(k + 1) - lgamma(tries - k + 1) + k * log(rate) + (tries - k) * log1p(-rate))
        for k in range(hits + 1)
    )
