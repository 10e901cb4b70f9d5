"""
Kayenta's judge: Mann-Whitney per metric, and a score of what passed.

Written from the rules of its classes MannWhitneyClassifier, MannWhitney (which follows
R's wilcox.test), NetflixACAJudge and WeightedSumScorer (spinnaker/kayenta a69573b).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from math import sqrt
from statistics import NormalDist, fmean
from typing import Final

CONFIDENCE: Final = 0.98
FRACTION: Final = 0.25
"""Both are hard-coded where Kayenta calls its classifier."""

_STEPS = 60  # of halving; far below any count's resolution


class Label(StrEnum):
    """What Kayenta calls a metric."""

    PASS = "Pass"  # noqa: S105 — a verdict
    HIGH = "High"
    LOW = "Low"
    NODATA = "Nodata"


def classify(
    canary: Sequence[float],
    baseline: Sequence[float],
    *,
    direction: str = "increase",
    replace_missing: bool = False,
    fraction: float = FRACTION,
    confidence: float = CONFIDENCE,
) -> Label:
    """Return the label of one metric; `direction` is "increase", "decrease" or "either"."""
    if not canary or not baseline:
        return Label.PASS if replace_missing else Label.NODATA
    if sorted(canary) == sorted(baseline) or len({*canary, *baseline}) == 1:
        return Label.PASS
    if len(set(canary)) == len(set(baseline)) == 1:
        canary, baseline = _stirred(canary), _stirred(baseline)
    low, high, estimate = shift_interval(canary, baseline, confidence=confidence)
    band = fraction * abs(estimate)
    if direction in {"increase", "either"} and low > band:
        return Label.HIGH
    if direction in {"decrease", "either"} and high < -band:
        return Label.LOW
    return Label.PASS


def _stirred(values: Sequence[float]) -> Sequence[float]:
    # Kayenta adds Gaussian noise of value * 1e-5 where both arrays are constant, so that no
    # rank ties; here the same spread without chance.
    return [value * (1 + 1e-5 * NormalDist().inv_cdf((at + 0.5) / len(values))) for at, value in enumerate(values)]


def shift_interval(
    canary: Sequence[float], baseline: Sequence[float], *, confidence: float
) -> tuple[float, float, float]:
    """Return the confidence interval of the shift between two samples, and its estimate (R's wilcox.test, normal)."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    bounds = min(canary) - max(baseline), max(canary) - min(baseline)

    def statistic(shift: float, correction: float) -> float:
        return _standardised([value - shift for value in canary], baseline, correction)

    low = _root(lambda shift: statistic(shift, 0.5) - z, bounds)
    high = _root(lambda shift: statistic(shift, -0.5) + z, bounds)
    estimate = _root(lambda shift: statistic(shift, 0.0), bounds)
    return low, high, estimate


def _standardised(canary: Sequence[float], baseline: Sequence[float], correction: float) -> float:
    m, n = len(canary), len(baseline)
    ranked = sorted([(value, True) for value in canary] + [(value, False) for value in baseline])
    ranks, ties, at = 0.0, 0, 0
    while at < len(ranked):
        end = at
        while end < len(ranked) and ranked[end][0] == ranked[at][0]:
            end += 1
        size = end - at
        ties += size**3 - size
        ranks += (at + end + 1) / 2 * sum(1 for _, is_canary in ranked[at:end] if is_canary)
        at = end
    spread = sqrt(m * n / 12 * ((m + n + 1) - ties / ((m + n) * (m + n - 1))))
    centred = ranks - m * (m + 1) / 2 - m * n / 2
    return (centred - correction) / spread if spread else 0.0


def _root(function: Callable[[float], float], bounds: tuple[float, float]) -> float:
    """Return where a falling function crosses zero; an end where it does not."""
    low, high = bounds
    if function(low) <= 0:
        return low
    if function(high) >= 0:
        return high
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) > 0 else (low, middle)
    return (low + high) / 2


def score(labels: Sequence[Label]) -> float:
    """Return the score of one group of metrics: the part that passed, in percent; 100 of a group without data."""
    counted = [label for label in labels if label is not Label.NODATA]
    if not counted:
        return 100.0
    return 100 * fmean(label is Label.PASS for label in counted)
