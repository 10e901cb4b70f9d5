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

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from math import ceil, exp, fsum, inf, log, log1p

from crossfade.judge.reading import Count

_RATIOS = (2.0, 4.0, 8.0, 20.0, 100.0)
"""How many times worse green may be: the alternatives of `compare`, equally weighted."""

_ODDS = (1.5, 2.0, 2.5, 3.0, 5.0, 5.0, 12.0, 50.0, 450.0)
"""How many times the SLO's odds green's may be; at an SLO of 2 %: 3, 4, 5, 6, 9 (twice), 20, 50, 90 %."""

_PRIOR_REQUESTS = 200
"""Blue is believed to have served these, with one error among them, before it is first seen."""

_MOST_ERRORS = 1 << 30  # nobody counts further

_LEAST_RATE = 1e-4
_MOST_RATE = 0.999


def compare(pairs: Iterable[tuple[Count, Count]], *, allowed: float = 1.0) -> float:
    """
    Return log E against "green's error rate is not above `allowed` times blue's", from (blue, green) per bucket.

    Conditional on how many requests each served, an error is green's with probability
    w = allowed n_green / (allowed n_green + n_blue) at most, *whatever the common error
    rate does*. So an outage both share, a load step and a changing share are no evidence;
    nor is a bucket in which one of them served nothing or nobody failed.

    Valid at every error rate, not only small ones: with v the alternative's probability,
    a bucket's mean is at most exp(n_green p_green (v/w - 1) + n_blue p_blue ((1-v)/(1-w) - 1)),
    as 1 + x <= exp(x), and that is exp(0) where p_green = allowed p_blue and less below.
    """
    return _log_mean_exp(compared(pairs, allowed))


def errors_until(pairs: Sequence[tuple[Count, Count]], *, needed: float, allowed: float = 1.0) -> int:
    """Return how many more errors of green, in the last bucket, would bring `compare` to `needed`; 0 if it is there."""
    blue, green = pairs[-1] if pairs else (Count(1, 0), Count(1, 0))
    part = allowed * green.requests / max(1.0, allowed * green.requests + blue.requests)
    gains = [log(ratio / (ratio * part + 1 - part)) for ratio in _RATIOS]
    return _least(compared(pairs, allowed), gains, needed)


def breaches_until(counts: Iterable[Count], *, slo_error_rate: float, needed: float) -> int:
    """Return how many more errors of green, in the last bucket, would bring `breach_since` to `needed`."""
    *before, last = list(counts) or [Count(0, 0)]
    logs = _begun(before, slo_error_rate)

    def there(errors: int) -> bool:
        return _mixed(logs, len(before), Count(last.requests, last.errors + errors), slo_error_rate) >= needed

    return _least_that(there)


def compared(pairs: Iterable[tuple[Count, Count]], allowed: float = 1.0) -> list[float]:
    """Return log E against each alternative of `compare` alone; buckets add up."""
    logs = [0.0] * len(_RATIOS)
    for blue, green in pairs:
        if not (blue.requests and green.requests and blue.errors + green.errors):
            continue
        weight = allowed * green.requests / (allowed * green.requests + blue.requests)
        for at, ratio in enumerate(_RATIOS):
            swollen = ratio * weight + 1 - weight
            logs[at] += green.errors * log(ratio / swollen) - blue.errors * log(swollen)
    return logs


def breach(counts: Iterable[Count], *, slo_error_rate: float) -> float:
    """Return log E against "green's error rate is not above the SLO", with no live control to compare with."""
    requests, errors = _total(counts)
    return _log_mean_exp(_breached(requests, errors, slo_error_rate))


def breach_since(counts: Iterable[Count], *, slo_error_rate: float) -> float:
    """
    Return log E against "green's error rate was never above the SLO", whenever that may have begun.

    What was well for days does not outweigh a fault of now: the evidence is a mixture over
    the bucket in which the fault began, the j-th with weight 1 / (j (j + 1)), each starting
    at 1, so that it is an e-process as `breach` is.
    """
    *before, last = list(counts) or [Count(0, 0)]
    return _mixed(_begun(before, slo_error_rate), len(before), last, slo_error_rate)


def _begun(counts: Iterable[Count], slo_error_rate: float) -> list[float]:
    """Return, by alternative, the log of the weighted evidence of every beginning so far."""
    logs = [-inf] * len(_ODDS)
    for number, count in enumerate(counts, 1):
        weight = -log(number * (number + 1))
        gains = _breached(max(count), count.errors, slo_error_rate)
        logs = [_log_plus(weight, value) + gain for value, gain in zip(logs, gains, strict=True)]
    return logs


def _mixed(begun: Sequence[float], number: int, last: Count, slo_error_rate: float) -> float:
    """Return log E after one more bucket; what has not begun yet keeps the rest of the weight, at evidence 1."""
    weight = -log((number + 1) * (number + 2))
    gains = _breached(max(last), last.errors, slo_error_rate)
    logs = [_log_plus(weight, value) + gain for value, gain in zip(begun, gains, strict=True)]
    return _log_plus(-log(number + 2), _log_mean_exp(logs))


def _breached(requests: int, errors: int, slo_error_rate: float) -> list[float]:
    return [errors * failed + (requests - errors) * served for failed, served in _gains(slo_error_rate)]


@cache
def _gains(slo_error_rate: float) -> tuple[tuple[float, float], ...]:
    """Return, by alternative, what one error and what one request without an error add to its log E."""
    odds = slo_error_rate / (1 - slo_error_rate)
    rates = [times * odds / (1 + times * odds) for times in _ODDS]
    return tuple((log(rate / slo_error_rate), log((1 - rate) / (1 - slo_error_rate))) for rate in rates)


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


def _least(logs: Sequence[float], gains: Sequence[float], needed: float) -> int:
    """Return the least number of errors, each worth `gains`, that bring the mean of `logs` to `needed`."""

    def there(errors: int) -> bool:
        return _log_mean_exp([at + errors * gain for at, gain in zip(logs, gains, strict=True)]) >= needed

    return _least_that(there)


def _least_that(there: Callable[[int], bool]) -> int:
    """Return the least number for which `there` holds, as it does for all larger ones; `_MOST_ERRORS` for none."""
    if there(0):
        return 0
    enough = 1
    while not there(enough) and enough < _MOST_ERRORS:
        enough *= 2
    short = enough // 2
    while enough - short > 1:
        middle = (enough + short) // 2
        enough, short = (middle, short) if there(middle) else (enough, middle)
    return enough


def _log_mean_exp(logs: Sequence[float]) -> float:
    highest = max(logs)
    return highest + log(fsum(exp(value - highest) for value in logs) / len(logs))


def _log_plus(one: float, other: float) -> float:
    """Return the logarithm of the sum of two numbers given by theirs; `one` is finite."""
    return max(one, other) + log1p(exp(-abs(one - other)))
