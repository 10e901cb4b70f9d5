"""
Evidence that may be looked at as often as one likes: e-processes on error counts.

Each function returns log E, the natural logarithm of the evidence against one null
hypothesis, from all buckets so far. While the null is true, the chance that E *ever*
reaches x is at most 1/x (Ville's inequality), however often one looks and whenever one
stops; so looking often costs no false alarms. No requests are no evidence: E stays 1.

Source:
    Lindon & Malek, Anytime-Valid Inference for Multinomial Count Data, NeurIPS 2022
    (arXiv 2011.03567). Wald, Sequential Tests of Statistical Hypotheses, 1945.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil, exp, fsum, log

from crossfade.judge.reading import Count

_RATIOS = (1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 1000.0)
"""How many times worse green may be: the alternatives of `compare`, equally weighted."""

_ODDS = (1.5, 2.0, 2.5, 3.0, 5.0, 5.0, 12.0, 50.0, 450.0)
"""How many times the SLO's odds green's may be; at an SLO of 2 %: 3, 4, 5, 6, 9 (twice), 20, 50, 90 %."""

_PRIOR_REQUESTS = 200
"""Blue is believed to have served these, with one error among them, before it is first seen."""

_LEAST_RATE = 1e-4
_MOST_RATE = 0.999


def compare(pairs: Iterable[tuple[Count, Count]]) -> float:
    """
    Return log E against "green's error rate is not above blue's", from (blue, green) per bucket.

    Conditional on how many requests each served, an error is green's with probability
    n_green / (n_green + n_blue) at most, *whatever the common error rate does*. So an
    outage both share, a load step and a changing share are no evidence; nor is a bucket
    in which one of them served nothing or nobody failed.
    """
    logs = [0.0] * len(_RATIOS)
    for blue, green in pairs:
        if not (blue.requests and green.requests and blue.errors + green.errors):
            continue
        weight = green.requests / (green.requests + blue.requests)
        for at, ratio in enumerate(_RATIOS):
            swollen = ratio * weight + 1 - weight
            logs[at] += green.errors * log(ratio / swollen) - blue.errors * log(swollen)
    return _log_mean_exp(logs)


def breach(counts: Iterable[Count], *, slo_error_rate: float) -> float:
    """Return log E against "green's error rate is not above the SLO", with no live control to compare with."""
    requests, errors = _total(counts)
    odds = slo_error_rate / (1 - slo_error_rate)
    logs = []
    for times in _ODDS:
        rate = times * odds / (1 + times * odds)
        logs.append(errors * log(rate / slo_error_rate) + (requests - errors) * log((1 - rate) / (1 - slo_error_rate)))
    return _log_mean_exp(logs)


def safe(pairs: Sequence[tuple[Count, Count]], *, tolerance: float) -> float:
    """
    Return log E against "green's error rate is above blue's by `tolerance` or more", the key that leaves a rung.

    Blue's rate is what blue had shown *before* each bucket, so that no bucket is its own
    yardstick: (errors + 1) / (requests + 200), and 0.01 % at least.
    """
    seen, failed, logs = _PRIOR_REQUESTS, 1, [0.0]
    for blue, green in pairs:
        logs.append(_against(green, failed / seen, tolerance))
        seen, failed = seen + blue.requests, failed + blue.errors
    return fsum(logs)


def safe_alone(counts: Iterable[Count], *, slo_error_rate: float, tolerance: float) -> float:
    """Return log E against "green's error rate is above the SLO by `tolerance` or more"."""
    return fsum(_against(count, slo_error_rate, tolerance) for count in counts)


def requests_missing(log_e: float, *, needed: float, reference: float, tolerance: float) -> int:
    """Return how many more requests green must serve without an error until `safe` reaches `needed`."""
    gain = _against(Count(requests=1, errors=0), reference, tolerance)
    return max(0, ceil((needed - log_e) / gain))


def rate_shown(counts: Iterable[Count]) -> float:
    """Return the error rate by which `safe` measures after these buckets of blue."""
    requests, errors = _total(counts)
    return max(_LEAST_RATE, (errors + 1) / (requests + _PRIOR_REQUESTS))


def _against(green: Count, reference: float, tolerance: float) -> float:
    # The likelihood ratio of "as good as the reference" to "worse by the tolerance"; its
    # mean is at most 1 wherever green is worse by the tolerance or more.
    good = min(max(reference, _LEAST_RATE), _MOST_RATE - tolerance / 2)
    bad = min(good + tolerance, _MOST_RATE)
    served = max(0, green.requests - green.errors)
    return green.errors * log(good / bad) + served * log((1 - good) / (1 - bad))


def _total(counts: Iterable[Count]) -> tuple[int, int]:
    listed = list(counts)
    requests, errors = sum(c.requests for c in listed), sum(c.errors for c in listed)
    return max(requests, errors), errors


def _log_mean_exp(logs: Sequence[float]) -> float:
    highest = max(logs)
    return highest + log(fsum(exp(value - highest) for value in logs) / len(logs))
