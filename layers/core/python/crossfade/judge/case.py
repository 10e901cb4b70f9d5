"""One look's readings beside what they are held against, and what follows from both by arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from math import log

from crossfade.judge import eprocess, inside
from crossfade.judge.judgement import Judgement
from crossfade.judge.reading import Bucket, Colour, Count, Ejection, Inside, Readings
from crossfade.judge.verdict import Answer, Verdict
from crossfade.plan.document import Bounds
from crossfade.plan.edges import Rung, RungKind
from crossfade.shift.share import ALL, Share

SAFE_AT = log(20)
"""A rung is left once `safe` reaches this: at most one time in 20 is a green left standing that is
worse than the tolerance allows. `compare` goes on watching it on the next rung."""

_SILENCE_AT = log(1e-3)
"""A colour that shows nothing is *lost* when so little would happen by chance less often than this."""

FEW_ERRORS = 3
"""Fewer errors of blue in a bucket than these do not make it a bad one."""

_OVER_P99 = 0.01
"""The part of blue's requests that are slower than its 99th percentile, by the meaning of the word."""

PERIODS_TO_SEE = 3
"""Metric periods until a fault is seen and answered: one it falls into, one to close, one to be read."""

_COARSE = 10
"""After an error, green is given more early only when shown to be within this many times the tolerance: one
unlucky request in a share of a hundredth would else hold a migration for hours."""

_NONE = Count(0, 0)
_PROBES = "probe_5xx"


def is_failing(count: Count, bounds: Bounds) -> bool:
    """Return whether these are more errors than the SLO allows, and more than a few."""
    return count.errors >= FEW_ERRORS and count.errors > bounds.slo_error_rate * count.requests


@dataclass(frozen=True)
class Case:
    """One look's readings beside what they are held against, and what follows from both by arithmetic."""

    readings: Readings
    rung: Rung
    bounds: Bounds
    tests: int
    following: Rung | None

    @cached_property
    def live(self) -> bool:
        """Whether blue has a share and is counted alike, and so can be compared with."""
        return self.readings.control and self.rung.kind is not RungKind.WATCH and self.rung.share_bp < ALL.bp

    @cached_property
    def buckets(self) -> tuple[Bucket, ...]:
        return self.readings.window.buckets()

    @cached_property
    def settled(self) -> tuple[Bucket, ...]:
        """
        The buckets that are old enough to be whole, by how late counts have been seen to come.

        In younger ones errors of green speak against it already. What they lack is no gap,
        and what they hold is not for green, as the rest may follow.
        """
        return self.buckets[: max(0, len(self.buckets) - self.readings.unsettled)]

    @cached_property
    def since_gap(self) -> tuple[Bucket, ...]:
        """The settled buckets after the last one that lacks a colour which chance alone would not have left out."""
        newest_first = takewhile(
            lambda bucket: self.is_present(bucket) or self.is_quiet(bucket), reversed(self.settled)
        )
        return tuple(newest_first)[::-1]

    @cached_property
    def good(self) -> tuple[Bucket, ...]:
        """Those of them that count: both were served, and blue was well."""
        return tuple(
            bucket for bucket in self.since_gap if self.is_present(bucket) and not self.is_bad_for_blue(bucket)
        )

    @cached_property
    def log_e(self) -> float:
        if self.live:
            return thousandths(eprocess.compare(counts_of_both(self.buckets)))
        return thousandths(
            eprocess.breach_since(counts_of_green(self.buckets), slo_error_rate=self.bounds.slo_error_rate)
        )

    @cached_property
    def probed(self) -> tuple[Count | None, ...]:
        """What our own requests were answered, bucket by bucket; those of a period that is not closed do not count."""
        window = self.readings.window
        sums: list[Count | None] = [None] * len(self.buckets)
        for each in self.readings.probes or ():
            at = int((each.at - window.start).total_seconds() // window.period_seconds)
            if 0 <= at < len(sums) and each.requests:
                before = sums[at] or _NONE
                sums[at] = Count(before.requests + each.requests, before.errors + each.errors)
        return tuple(sums)

    @cached_property
    def insides(self) -> tuple[Inside, ...]:
        """Every ratio that has no twin on blue: those inside green, and that of our own requests."""
        if self.readings.probes is None:
            return self.readings.inside
        rows = tuple(None if count is None else (count.requests, count.errors) for count in self.probed)
        own = Inside(signal=_PROBES, subject="our own requests", among=1, allowed=self.bounds.slo_error_rate, rows=rows)
        return (*self.readings.inside, own)

    @cached_property
    def inside_log_e(self) -> dict[str, float]:
        blues = [bucket.blue for bucket in self.buckets] if self.live else None
        return {each.signal: thousandths(inside.log_e(each, blues) - log(each.among)) for each in self.insides}

    @cached_property
    def answers_alone(self) -> tuple[Count, ...]:
        """What speaks for green where it has no live control: users' requests, and our own of the same buckets."""
        good = {bucket.start for bucket in self.good}
        own = (count for bucket, count in zip(self.buckets, self.probed, strict=True) if bucket.start in good and count)
        return (*counts_of_green(self.good), *own)

    @cached_property
    def shared(self) -> tuple[bool, ...]:
        """Return, bucket by bucket, whether blue was bad in it or next to it: what began there, both sides share."""
        bad = [self.is_bad_for_blue(bucket) for bucket in self.buckets]
        return tuple(any(bad[max(0, at - 1) : at + 2]) for at in range(len(bad)))

    @cached_property
    def roll_back_at(self) -> float:
        signals = (1 if self.bounds.slow_ratio is None else 2) + len(self.insides)
        return thousandths(log(self.tests * signals / self.bounds.alpha))

    @cached_property
    def slow_allowed(self) -> float | None:
        """How many times blue's slow requests green's may be; None where slow requests are not read."""
        return None if self.readings.window.slow_over is None else self.bounds.slow_ratio

    @cached_property
    def slow_rate(self) -> float:
        """The rate of slow requests that green alone may have: blue's own 1 %, and the tolerance."""
        return min(_OVER_P99 + self.bounds.slow_tolerance, 0.5)

    @cached_property
    def slow_log_e(self) -> float | None:
        if self.slow_allowed is None:
            return None
        if self.live:
            return thousandths(eprocess.compare(_slow_pairs(self.settled), allowed=self.slow_allowed))
        return thousandths(eprocess.breach_since(_slow_greens(self.settled), slo_error_rate=self.slow_rate))

    @cached_property
    def slow_safe_log_e(self) -> float | None:
        if self.slow_allowed is None:
            return None
        tolerance = self.bounds.slow_tolerance
        if self.live:
            return thousandths(eprocess.safe(_slow_pairs(self.good), tolerance=tolerance))
        return thousandths(
            eprocess.safe_alone(_slow_greens(self.good), slo_error_rate=_OVER_P99, tolerance=2 * tolerance)
        )

    @cached_property
    def reference(self) -> float:
        """The error rate that `safe` holds against green."""
        if self.live:
            return eprocess.rate_shown(blue for blue, _ in counts_of_both(self.good))
        return self.bounds.slo_error_rate

    @cached_property
    def safe_log_e(self) -> float:
        if self.live:
            return thousandths(eprocess.safe(counts_of_both(self.good), tolerance=self.bounds.tolerance))
        return thousandths(
            eprocess.safe_alone(
                self.answers_alone, slo_error_rate=self.bounds.slo_error_rate, tolerance=self.bounds.tolerance
            )
        )

    @cached_property
    def is_suspect(self) -> bool:
        """Whether the evidence against green is half of what would roll it back, or more."""
        return 2 * max(self.log_e, self.slow_log_e or 0.0) >= self.roll_back_at

    @cached_property
    def is_coarse(self) -> bool:
        """Whether green is shown to be within ten times the tolerance."""
        coarse = min(_COARSE * self.bounds.tolerance, 0.5)
        return eprocess.safe(counts_of_both(self.good), tolerance=coarse) >= SAFE_AT

    @cached_property
    def counted_seconds(self) -> int:
        return len(self.good) * self.readings.window.period_seconds

    def colours(self) -> tuple[Colour, ...]:
        """Return the colours that have a share on this rung."""
        return (Colour.BLUE, Colour.GREEN) if self.live else (Colour.GREEN,)

    def requests_missing(self) -> int:
        """Return how many more requests green must serve without an error until `safe` says so."""
        return eprocess.requests_missing(
            self.safe_log_e, needed=thousandths(SAFE_AT), reference=self.reference, tolerance=self.bounds.tolerance
        )

    def is_present(self, bucket: Bucket) -> bool:
        """Return whether every colour with a share has data in this bucket."""
        return bucket.green is not None and (bucket.blue is not None or not self.live)

    def is_quiet(self, bucket: Bucket) -> bool:
        """
        Return whether one colour's silence in this bucket is what chance does to a small share of little traffic.

        Such a bucket is no gap and no evidence: it counts for nothing.
        """
        if not self.live or (bucket.blue is None) == (bucket.green is None):
            return False
        missing = Colour.BLUE if bucket.blue is None else Colour.GREEN
        return not self.is_silence_strange(missing, served_on_the_other=(bucket.blue or bucket.green or _NONE).requests)

    def is_silence_strange(self, colour: Colour, *, served_on_the_other: int) -> bool:
        """Return whether chance does not explain that a colour served nothing while the other served so many."""
        green = Share(self.rung.share_bp).fraction
        share = green if colour is Colour.GREEN else 1 - green
        return served_on_the_other * log(1 - share) <= _SILENCE_AT

    def is_bad_for_blue(self, bucket: Bucket) -> bool:
        """Return whether blue, too, failed more than the SLO allows."""
        return self.live and bucket.blue is not None and is_failing(bucket.blue, self.bounds)

    def is_shared(self, ejection: Ejection) -> bool:
        """Return whether blue was bad, too, when a task of green was ejected; not known before its bucket is closed."""
        window = self.readings.window
        at = int((ejection.at - window.start).total_seconds() // window.period_seconds)
        return 0 <= at < len(self.shared) and self.shared[at]

    def errors_until_back(self) -> int:
        """Return how many more errors of green would roll it back."""
        if self.live:
            return eprocess.errors_until(counts_of_both(self.buckets), needed=self.roll_back_at)
        return eprocess.breaches_until(
            counts_of_green(self.buckets), slo_error_rate=self.bounds.slo_error_rate, needed=self.roll_back_at
        )

    def answer(self, answer: Answer, verdict: Verdict, reason: str, would_change: str) -> Judgement:
        """Return a judgement with this case's numbers."""
        return Judgement(
            answer=answer,
            verdict=verdict,
            reason=reason,
            would_change=would_change,
            log_e=self.log_e,
            roll_back_at=self.roll_back_at,
            safe_log_e=self.safe_log_e,
            safe_at=thousandths(SAFE_AT),
            slow_log_e=self.slow_log_e,
            slow_safe_log_e=self.slow_safe_log_e,
            inside_log_e=self.inside_log_e,
            counted_seconds=self.counted_seconds,
        )

    def back(self, reason: str, would_change: str, verdict: Verdict = Verdict.UNHEALTHY) -> Judgement:
        """Return a judgement that rolls back."""
        return self.answer(Answer.ROLL_BACK, verdict, reason, would_change)

    def hold(self, reason: str, would_change: str, verdict: Verdict = Verdict.UNKNOWN) -> Judgement:
        """Return a judgement that holds; enough errors would make it roll back, which is said with what else would."""
        return self.answer(
            Answer.HOLD, verdict, reason, f"{would_change}; {errors_more(self.errors_until_back())} rolls back"
        )


def counts_of_both(buckets: Sequence[Bucket]) -> tuple[tuple[Count, Count], ...]:
    """Return what blue and green were counted in each bucket that counts both."""
    return tuple((bucket.blue, bucket.green) for bucket in buckets if bucket.blue and bucket.green)


def counts_of_green(buckets: Sequence[Bucket]) -> tuple[Count, ...]:
    """Return what green was counted in each bucket that counts it."""
    return tuple(bucket.green for bucket in buckets if bucket.green)


def _slow_pairs(buckets: Sequence[Bucket]) -> tuple[tuple[Count, Count], ...]:
    return tuple((bucket.blue_slow, bucket.green_slow) for bucket in buckets if bucket.blue_slow and bucket.green_slow)


def _slow_greens(buckets: Sequence[Bucket]) -> tuple[Count, ...]:
    return tuple(bucket.green_slow for bucket in buckets if bucket.green_slow)


def errors_more(errors: int) -> str:
    """Return so many more errors of green in words."""
    return f"{plural(errors, 'more failed request')} of green"


def thousandths(value: float) -> float:
    """Return the number as it is kept: every platform stores the same."""
    return round(value, 3) + 0.0  # no negative zero


def plural(count: int, noun: str) -> str:
    """Return so many of these in words."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
