"""
Decides on green from readings: advance, hold, or roll back. Pure, and the same for the same readings.

Rules are asked in the order of `_RULES`; the first that has something to say decides,
and only when none has does green advance. So whatever is not known holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import takewhile
from math import log

from pydantic import Field

from crossfade.judge import eprocess
from crossfade.judge.reading import AlarmState, Bucket, Colour, Count, Readings
from crossfade.judge.verdict import Answer, Verdict
from crossfade.plan.document import Bounds, Frozen, Rung, RungKind
from crossfade.shift.share import ALL, Share

SAFE_AT = log(20)
"""A rung is left once `safe` reaches this: at most one time in 20 is a green left standing that is
worse than the tolerance allows. `compare` goes on watching it on the next rung."""

_SILENCE_AT = log(1e-3)
"""A colour that shows nothing is *lost* when so little would happen by chance less often than this."""

_FEW_ERRORS = 3
"""Fewer errors of blue in a bucket than these do not make it a bad one."""


class Judgement(Frozen):
    """
    What the judge answers, and why, in one sentence with numbers.

    `log_e` is the evidence against green, which rolls back at `roll_back_at`; `safe_log_e`
    the evidence that green is no worse than the tolerance, which leaves the rung at
    `safe_at`. Natural logarithms, in thousandths, so that every platform stores the same.
    """

    answer: Answer
    verdict: Verdict
    reason: str
    log_e: float
    roll_back_at: float
    safe_log_e: float
    safe_at: float
    counted_seconds: int = Field(description="Of the soak, in buckets that count")


@dataclass(frozen=True)
class _Case:
    """One look's readings beside what they are held against, and what follows from both by arithmetic."""

    readings: Readings
    rung: Rung
    bounds: Bounds
    tests: int

    @cached_property
    def live(self) -> bool:
        """Whether blue has a share, and so can be compared with."""
        return self.rung.kind is not RungKind.WATCH and self.rung.share_bp < ALL.bp

    @cached_property
    def buckets(self) -> tuple[Bucket, ...]:
        return self.readings.window.buckets()

    @cached_property
    def since_gap(self) -> tuple[Bucket, ...]:
        """The buckets after the last one that lacks a colour it should have."""
        newest_first = takewhile(self.is_present, reversed(self.buckets))
        return tuple(newest_first)[::-1]

    @cached_property
    def good(self) -> tuple[Bucket, ...]:
        """Those of them that count: blue was well."""
        return tuple(bucket for bucket in self.since_gap if not self.is_bad_for_blue(bucket))

    @cached_property
    def log_e(self) -> float:
        if self.live:
            return _thousandths(eprocess.compare(_pairs(self.buckets)))
        return _thousandths(eprocess.breach(_greens(self.buckets), slo_error_rate=self.bounds.slo_error_rate))

    @cached_property
    def roll_back_at(self) -> float:
        return _thousandths(log(self.tests / self.bounds.alpha))

    @cached_property
    def reference(self) -> float:
        """The error rate that `safe` holds against green."""
        if self.live:
            return eprocess.rate_shown(blue for blue, _ in _pairs(self.good))
        return self.bounds.slo_error_rate

    @cached_property
    def safe_log_e(self) -> float:
        if self.live:
            return _thousandths(eprocess.safe(_pairs(self.good), tolerance=self.bounds.tolerance))
        return _thousandths(
            eprocess.safe_alone(
                _greens(self.good), slo_error_rate=self.bounds.slo_error_rate, tolerance=self.bounds.tolerance
            )
        )

    @cached_property
    def counted_seconds(self) -> int:
        return len(self.good) * self.readings.window.period_seconds

    def colours(self) -> tuple[Colour, ...]:
        """Return the colours that have a share on this rung."""
        return (Colour.BLUE, Colour.GREEN) if self.live else (Colour.GREEN,)

    def is_present(self, bucket: Bucket) -> bool:
        """Return whether every colour with a share has data in this bucket."""
        return all(bucket.of(colour) is not None for colour in self.colours())

    def is_bad_for_blue(self, bucket: Bucket) -> bool:
        """Return whether blue, too, failed more than the SLO allows."""
        blue = bucket.blue
        return (
            self.live
            and blue is not None
            and blue.errors >= _FEW_ERRORS
            and blue.errors > self.bounds.slo_error_rate * blue.requests
        )

    def answer(self, answer: Answer, verdict: Verdict, reason: str) -> Judgement:
        """Return a judgement with this case's numbers."""
        return Judgement(
            answer=answer,
            verdict=verdict,
            reason=reason,
            log_e=self.log_e,
            roll_back_at=self.roll_back_at,
            safe_log_e=self.safe_log_e,
            safe_at=_thousandths(SAFE_AT),
            counted_seconds=self.counted_seconds,
        )

    def back(self, reason: str, verdict: Verdict = Verdict.UNHEALTHY) -> Judgement:
        """Return a judgement that rolls back."""
        return self.answer(Answer.ROLL_BACK, verdict, reason)

    def hold(self, reason: str, verdict: Verdict = Verdict.UNKNOWN) -> Judgement:
        """Return a judgement that holds."""
        return self.answer(Answer.HOLD, verdict, reason)


def judge(readings: Readings, rung: Rung, bounds: Bounds, *, tests: int) -> Judgement:
    """
    Return what to do with green after this look.

    Args:
        readings: Everything from the rung's settle until now.
        rung: The rung green is on. CLIMB and BAKE have live blue beside them; WATCH has not.
        bounds: What the plan allows the judge to conclude from.
        tests: How many rungs the migration judges, over all edges; 1 at least. Alpha is
            split evenly between them, so that `bounds.alpha` holds for the whole migration.
    """
    assert tests >= 1
    case = _Case(readings, rung, bounds, tests)
    for rule in _RULES:
        said = rule(case)
        if said is not None:
            return said
    return case.answer(
        Answer.ADVANCE,
        Verdict.HEALTHY,
        f"green held {Share(rung.share_bp)} for {case.counted_seconds} s: {_tally(case, case.good)}, "
        f"and is no worse than the tolerance of {_percent(bounds.tolerance)}",
    )


def _ejected(case: _Case) -> Judgement | None:
    found = case.readings.ejections
    if not found:
        return None
    first = found[0]
    return case.back(
        f"green's proxies ejected {_plural(len(found), 'task')}, first {first.host} of {first.cluster} "
        f"at {_clock(first.at)} ({first.kind})"
    )


def _alarmed(case: _Case) -> Judgement | None:
    ringing = sorted(name for name, state in case.readings.alarms.items() if state is AlarmState.ALARM)
    return case.back(f"in ALARM: {', '.join(ringing)}") if ringing else None


def _worse(case: _Case) -> Judgement | None:
    if case.log_e < case.roll_back_at:
        return None
    against = "than blue" if case.live else f"than the SLO of {_percent(case.bounds.slo_error_rate)}"
    return case.back(
        f"green is worse {against}: {_tally(case, case.buckets)} "
        f"(log E {case.log_e:g}, rolled back at {case.roll_back_at:g})"
    )


def _lost(case: _Case) -> Judgement | None:
    for colour in case.colours():
        silent = _lost_seconds(case, colour)
        if silent > case.bounds.lost_data_seconds:
            return case.back(
                f"lost data: no requests counted on {colour} for {silent} s while the other side was served, "
                f"longer than the {case.bounds.lost_data_seconds} s the plan allows",
                Verdict.UNKNOWN,
            )
    return None


def _unread(case: _Case) -> Judgement | None:
    faults = "; ".join(case.readings.faults)
    if not faults:
        return None
    if case.readings.unread_seconds > case.bounds.lost_data_seconds:
        return case.back(
            f"lost data: {faults}, for {case.readings.unread_seconds} s, "
            f"longer than the {case.bounds.lost_data_seconds} s the plan allows",
            Verdict.UNKNOWN,
        )
    return case.hold(faults)


def _too_early(case: _Case) -> Judgement | None:
    return None if case.buckets else case.hold("no metric period has closed since the edge settled")


def _gap(case: _Case) -> Judgement | None:
    if case.since_gap:
        return None
    last = case.buckets[-1]
    missing = [colour for colour in case.colours() if last.of(colour) is None]
    when = f"the period at {_clock(last.start)}"
    if missing == list(case.colours()):
        return case.hold(f"no requests counted in {when}: nothing to judge while traffic is absent")
    return case.hold(f"no data on {missing[0]} in {when}")


def _blue_too(case: _Case) -> Judgement | None:
    last = case.buckets[-1]
    if last.blue is None or not case.is_bad_for_blue(last):
        return None
    return case.hold(
        f"blue itself failed {last.blue.errors} of {last.blue.requests} requests in the period at "
        f"{_clock(last.start)}: it does not count"
    )


def _too_few(case: _Case) -> Judgement | None:
    needed = case.bounds.minimum_requests
    for colour in reversed(case.colours()):
        served = sum(count.requests for bucket in case.good if (count := bucket.of(colour)))
        if served < needed:
            return case.hold(f"{colour} served {served} of the {needed} requests needed for an opinion")
    return None


def _not_safe(case: _Case) -> Judgement | None:
    if case.safe_log_e >= _thousandths(SAFE_AT):
        return None
    missing = eprocess.requests_missing(
        case.safe_log_e,
        needed=_thousandths(SAFE_AT),
        reference=case.reference,
        tolerance=case.bounds.tolerance,
    )
    return case.hold(
        f"not yet shown to be within {_percent(case.bounds.tolerance)}: {_tally(case, case.good)}; "
        f"{missing} more requests of green without an error would do"
    )


def _soaking(case: _Case) -> Judgement | None:
    if case.counted_seconds >= case.rung.soak_seconds:
        return None
    return case.hold(
        f"healthy so far; {case.counted_seconds} of {case.rung.soak_seconds} s soaked: {_tally(case, case.good)}",
        Verdict.HEALTHY,
    )


_RULES: tuple[Callable[[_Case], Judgement | None], ...] = (
    _ejected,
    _alarmed,
    _worse,
    _lost,
    _unread,
    _too_early,
    _gap,
    _blue_too,
    _too_few,
    _not_safe,
    _soaking,
)


def _lost_seconds(case: _Case, colour: Colour) -> int:
    # Absent traffic and lost data look alike on one colour. Without a live control nobody
    # can tell; beside one, silence is lost data once chance does not explain it: each
    # request the other served would have come here with this colour's share.
    if not case.live:
        return 0
    other = Colour.BLUE if colour is Colour.GREEN else Colour.GREEN
    green = Share(case.rung.share_bp).fraction
    share = green if colour is Colour.GREEN else 1 - green
    silent = list(
        takewhile(lambda bucket: bucket.of(colour) is None and bucket.of(other) is not None, reversed(case.buckets))
    )
    served = sum(count.requests for bucket in silent if (count := bucket.of(other)))
    if served * log(1 - share) > _SILENCE_AT:
        return 0
    return len(silent) * case.readings.window.period_seconds


def _pairs(buckets: Sequence[Bucket]) -> tuple[tuple[Count, Count], ...]:
    return tuple((bucket.blue, bucket.green) for bucket in buckets if bucket.blue and bucket.green)


def _greens(buckets: Sequence[Bucket]) -> tuple[Count, ...]:
    return tuple(bucket.green for bucket in buckets if bucket.green)


def _tally(case: _Case, buckets: Sequence[Bucket]) -> str:
    def of(colour: Colour) -> str:
        counts = [count for bucket in buckets if (count := bucket.of(colour))]
        return f"{colour} failed {sum(c.errors for c in counts)} of {sum(c.requests for c in counts)} requests"

    return ", ".join(of(colour) for colour in reversed(case.colours()))


def _thousandths(value: float) -> float:
    return round(value, 3) + 0.0  # no negative zero


def _percent(fraction: float) -> str:
    return f"{fraction * 100:g} %"


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S}"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
