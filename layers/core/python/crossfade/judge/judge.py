"""
Decides on green from readings: advance, hold, or roll back. Pure, and the same for the same readings.

Rules are asked in the order of `_RULES`; the first that has something to say decides,
and only when none has does green advance. So whatever is not known holds.

Errors, slow requests and what is counted inside green each have their own part of alpha.
Every judgement also says what would change it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import takewhile
from math import log

from pydantic import Field

from crossfade.frozen import Frozen
from crossfade.judge import eprocess, inside
from crossfade.judge.reading import AlarmState, Bucket, Colour, Count, Ejection, Inside, Readings
from crossfade.judge.verdict import Answer, Verdict
from crossfade.plan.document import Bounds, Rung, RungKind
from crossfade.shift.share import ALL, Share

SAFE_AT = log(20)
"""A rung is left once `safe` reaches this: at most one time in 20 is a green left standing that is
worse than the tolerance allows. `compare` goes on watching it on the next rung."""

_SILENCE_AT = log(1e-3)
"""A colour that shows nothing is *lost* when so little would happen by chance less often than this."""

_FEW_ERRORS = 3
"""Fewer errors of blue in a bucket than these do not make it a bad one."""

_OVER_P99 = 0.01
"""The part of blue's requests that are slower than its 99th percentile, by the meaning of the word."""

_PERIODS_TO_SEE = 3
"""Metric periods until a fault is seen and answered: one it falls into, one to close, one to be read."""

_COARSE = 10
"""After an error, green is given more early only when shown to be within this many times the tolerance: one
unlucky request in a share of a hundredth would else hold a migration for hours."""

_NONE = Count(0, 0)
_PROBES = "probe_5xx"
_NEVER = "nothing on this rung: evidence against green is kept until it is left"


class Judgement(Frozen):
    """
    What the judge answers, and why, in one sentence with numbers.

    `log_e` is the evidence against green, which rolls back at `roll_back_at`; `safe_log_e`
    the evidence that green is no worse than the tolerance, which leaves the rung at
    `safe_at`; the same of slow requests with `slow_` before it, None where they are not
    read. Natural logarithms, in thousandths, so that every platform stores the same.
    """

    answer: Answer
    verdict: Verdict
    reason: str
    would_change: str = Field(description="What would have to be seen for another answer")
    log_e: float
    roll_back_at: float
    safe_log_e: float
    safe_at: float
    slow_log_e: float | None = None
    slow_safe_log_e: float | None = None
    inside_log_e: dict[str, float] = Field(
        default_factory=dict, description="Of each signal inside green, less what choosing its worst place costs"
    )
    counted_seconds: int = Field(description="Of the soak, in buckets that count")


def is_failing(count: Count, bounds: Bounds) -> bool:
    """Return whether these are more errors than the SLO allows, and more than a few."""
    return count.errors >= _FEW_ERRORS and count.errors > bounds.slo_error_rate * count.requests


@dataclass(frozen=True)
class _Case:
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
            return _thousandths(eprocess.compare(_pairs(self.buckets)))
        return _thousandths(eprocess.breach_since(_greens(self.buckets), slo_error_rate=self.bounds.slo_error_rate))

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
        return {each.signal: _thousandths(inside.log_e(each, blues) - log(each.among)) for each in self.insides}

    @cached_property
    def answers_alone(self) -> tuple[Count, ...]:
        """What speaks for green where it has no live control: users' requests, and our own of the same buckets."""
        good = {bucket.start for bucket in self.good}
        own = (count for bucket, count in zip(self.buckets, self.probed, strict=True) if bucket.start in good and count)
        return (*_greens(self.good), *own)

    @cached_property
    def shared(self) -> tuple[bool, ...]:
        """Return, bucket by bucket, whether blue was bad in it or next to it: what began there, both sides share."""
        bad = [self.is_bad_for_blue(bucket) for bucket in self.buckets]
        return tuple(any(bad[max(0, at - 1) : at + 2]) for at in range(len(bad)))

    @cached_property
    def roll_back_at(self) -> float:
        signals = (1 if self.bounds.slow_ratio is None else 2) + len(self.insides)
        return _thousandths(log(self.tests * signals / self.bounds.alpha))

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
            return _thousandths(eprocess.compare(_slow_pairs(self.settled), allowed=self.slow_allowed))
        return _thousandths(eprocess.breach_since(_slow_greens(self.settled), slo_error_rate=self.slow_rate))

    @cached_property
    def slow_safe_log_e(self) -> float | None:
        if self.slow_allowed is None:
            return None
        tolerance = self.bounds.slow_tolerance
        if self.live:
            return _thousandths(eprocess.safe(_slow_pairs(self.good), tolerance=tolerance))
        return _thousandths(
            eprocess.safe_alone(_slow_greens(self.good), slo_error_rate=_OVER_P99, tolerance=2 * tolerance)
        )

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
        return eprocess.safe(_pairs(self.good), tolerance=coarse) >= SAFE_AT

    @cached_property
    def counted_seconds(self) -> int:
        return len(self.good) * self.readings.window.period_seconds

    def colours(self) -> tuple[Colour, ...]:
        """Return the colours that have a share on this rung."""
        return (Colour.BLUE, Colour.GREEN) if self.live else (Colour.GREEN,)

    def requests_missing(self) -> int:
        """Return how many more requests green must serve without an error until `safe` says so."""
        return eprocess.requests_missing(
            self.safe_log_e, needed=_thousandths(SAFE_AT), reference=self.reference, tolerance=self.bounds.tolerance
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
            return eprocess.errors_until(_pairs(self.buckets), needed=self.roll_back_at)
        return eprocess.breaches_until(
            _greens(self.buckets), slo_error_rate=self.bounds.slo_error_rate, needed=self.roll_back_at
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
            safe_at=_thousandths(SAFE_AT),
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
            Answer.HOLD, verdict, reason, f"{would_change}; {_errors_more(self.errors_until_back())} rolls back"
        )


def is_suspicious(judgement: Judgement) -> bool:
    """Return whether the evidence against green is a quarter of what would roll it back, or more."""
    against = max(judgement.log_e, judgement.slow_log_e or 0.0, *judgement.inside_log_e.values())
    return 4 * against >= judgement.roll_back_at


def judge(readings: Readings, rung: Rung, bounds: Bounds, *, tests: int, following: Rung | None = None) -> Judgement:
    """
    Return what to do with green after this look.

    Args:
        readings: Everything from the rung's settle until now.
        rung: The rung green is on. CLIMB and BAKE have live blue beside them; WATCH has not.
        bounds: What the plan allows the judge to conclude from.
        tests: How many rungs the migration judges, over all edges; 1 at least. Alpha is
            split evenly between them, and on each between errors, slow requests and the
            signals inside green, so that `bounds.alpha` holds for the whole migration.
        following: The rung above, which green may be given early when evidence is thin and
            the plan has a budget for it (`bounds.exposure_requests`).
    """
    assert tests >= 1
    if not readings.control:  # no speed is measured there
        bounds = bounds.model_copy(update={"slow_ratio": None})
    case = _Case(readings, rung, bounds, tests, following)
    for rule in _RULES:
        said = rule(case)
        if said is not None:
            return said
    return case.answer(
        Answer.ADVANCE,
        Verdict.HEALTHY,
        f"green held {Share(rung.share_bp)} for {case.counted_seconds} s: {_tally(case, case.good)}, "
        f"and is no worse than the tolerance of {_percent(bounds.tolerance)}",
        f"{_errors_more(case.errors_until_back())} would have rolled back",
    )


def _ejected(case: _Case) -> Judgement | None:
    found = [ejection for ejection in case.readings.ejections if not case.is_shared(ejection)]
    if not found:
        return None
    first = found[0]
    return case.back(
        f"green's proxies ejected {_plural(len(found), 'task')}, first {first.host} of {first.cluster} "
        f"at {_clock(first.at)} ({first.kind})",
        _NEVER,
    )


def _occurred(case: _Case) -> Judgement | None:
    for signal, told in sorted(case.readings.occurred.items()):
        alone = [(at, times) for at, times in told if at < len(case.shared) and not case.shared[at]]
        if alone:
            first = case.buckets[alone[0][0]].start
            return case.back(
                f"{signal.replace('_', ' ')} {sum(times for _, times in alone)} times in green, "
                f"first in the period at {_clock(first)}",
                _NEVER,
            )
    return None


def _failing_inside(case: _Case) -> Judgement | None:
    for each in case.insides:
        log_e = case.inside_log_e[each.signal]
        if log_e >= case.roll_back_at:
            counts = [count for count in each.counts() if count]
            return case.back(
                f"{each.signal} of {each.subject} is above {_percent(each.allowed)}: "
                f"{sum(c.errors for c in counts)} of {sum(c.requests for c in counts)} "
                f"(log E {log_e:g}, rolled back at {case.roll_back_at:g})",
                _NEVER,
            )
    return None


def _undeployed(case: _Case) -> Judgement | None:
    failed = [each for each in case.readings.wanting if each.failure is not None]
    if not failed:
        return None
    return case.back(
        f"the deployment of {failed[0].service} failed: {failed[0].failure}", "a deployment that completes"
    )


def _short_of_tasks(case: _Case) -> Judgement | None:
    short = [each for each in case.readings.wanting if each.running < each.desired]
    if not short:
        return None
    worst = max(short, key=lambda each: each.below_seconds)
    part = f"{worst.running} of the {worst.desired}"
    said = f"{worst.service} runs {part} tasks that ECS wants"
    if worst.checked:
        said = f"{part} targets in {worst.service} pass the load balancer's health checks"
    if worst.below_seconds > case.bounds.below_desired_seconds:
        return case.back(
            f"{said}, for {worst.below_seconds} s without one more, "
            f"longer than the {case.bounds.below_desired_seconds} s the plan allows",
            "all of its tasks",
        )
    return case.hold(f"{said}, for {worst.below_seconds} s", "all of its tasks")


def _alarmed(case: _Case) -> Judgement | None:
    ringing = sorted(name for name, state in case.readings.alarms.items() if state is AlarmState.ALARM)
    return case.back(f"in ALARM: {', '.join(ringing)}", "these alarms in OK") if ringing else None


def _worse(case: _Case) -> Judgement | None:
    if case.log_e < case.roll_back_at:
        return None
    against = "than blue" if case.live else f"than the SLO of {_percent(case.bounds.slo_error_rate)}"
    return case.back(
        f"green is worse {against}: {_tally(case, case.buckets)} "
        f"(log E {case.log_e:g}, rolled back at {case.roll_back_at:g})",
        _NEVER,
    )


def _slower(case: _Case) -> Judgement | None:
    if case.slow_log_e is None or case.slow_log_e < case.roll_back_at:
        return None
    against = f"than {case.slow_allowed:g} times blue" if case.live else f"than {_percent(case.slow_rate)}"
    return case.back(
        f"green is slow more often {against}: {_slow_tally(case, case.settled)} "
        f"(log E {case.slow_log_e:g}, rolled back at {case.roll_back_at:g})",
        _NEVER,
    )


def _lost(case: _Case) -> Judgement | None:
    for colour in case.colours():
        silent = _lost_seconds(case, colour)
        if silent > case.bounds.lost_data_seconds:
            return case.back(
                f"lost data: no requests counted on {colour} for {silent} s while the other side was served, "
                f"longer than the {case.bounds.lost_data_seconds} s the plan allows",
                f"requests counted on {colour} again",
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
            "a look that reads every source",
            Verdict.UNKNOWN,
        )
    return case.hold(faults, "a look that reads every source")


def _blind_alarm(case: _Case) -> Judgement | None:
    blind = sorted(name for name, state in case.readings.alarms.items() if state is AlarmState.INSUFFICIENT_DATA)
    if not blind:
        return None
    return case.hold(
        f"insufficient data for {', '.join(blind)}: nobody knows whether it would ring",
        "data for it, or TreatMissingData: notBreaching where its metric is published only in trouble",
    )


def _too_early(case: _Case) -> Judgement | None:
    if case.settled:
        return None
    late = max(case.readings.late.values(), default=0) if case.readings.unsettled else 0
    yet = f", as counts come up to {late} s late" if late else ""
    return case.hold(f"no metric period has closed since the edge settled{yet}", "the end of a metric period")


def _gap(case: _Case) -> Judgement | None:
    if case.since_gap:
        return None
    last = case.settled[-1]
    missing = [colour for colour in case.colours() if last.of(colour) is None]
    when = f"the period at {_clock(last.start)}"
    if missing == list(case.colours()):
        return case.hold(f"no requests counted in {when}: nothing to judge while traffic is absent", "traffic")
    idle = f": {case.readings.may_idle}" if case.readings.may_idle and missing == [Colour.GREEN] else ""
    return case.hold(f"no data on {missing[0]} in {when}{idle}", f"requests counted on {missing[0]}")


def _blue_too(case: _Case) -> Judgement | None:
    newest = case.buckets[len(case.settled) - 1 :]
    last = next((bucket for bucket in reversed(newest) if case.is_bad_for_blue(bucket)), None)
    if last is None or last.blue is None:
        return None
    return case.hold(
        f"blue itself failed {last.blue.errors} of {last.blue.requests} requests in the period at "
        f"{_clock(last.start)}: it does not count",
        "periods in which blue is well",
    )


def _unanswered(case: _Case) -> Judgement | None:
    # Response times that are not published look like a side that never answers. Of green
    # that is evidence; of blue, which serves, it means that nobody can tell.
    if case.slow_allowed is None or not case.live:
        return None
    last = case.settled[-1]
    slow = last.blue_slow
    if slow is None or slow.requests < _FEW_ERRORS or slow.errors < slow.requests:
        return None
    return case.hold(
        f"none of blue's {slow.requests} requests in the period at {_clock(last.start)} was answered within "
        f"{case.readings.window.slow_over:g} s: response times are lost, or blue is",
        "answers of blue in time",
    )


def _too_few(case: _Case) -> Judgement | None:
    needed = case.bounds.minimum_requests
    for colour in reversed(case.colours()):
        served = sum(count.requests for bucket in case.good if (count := bucket.of(colour)))
        if not case.live:
            served = sum(count.requests for count in case.answers_alone)
        if served < needed:
            return case.hold(
                f"{colour} served {served} of the {needed} requests needed for an opinion",
                f"{needed - served} more requests on {colour}",
            )
    return None


def _thin(case: _Case) -> Judgement | None:
    """Give green its next share early, if all it served was well and a larger share is worth its price."""
    above, served = case.following, sum(green.requests for green in _greens(case.good))
    if not case.live or above is None or case.rung.kind is not RungKind.CLIMB or above.kind is not RungKind.CLIMB:
        return None
    greens = _greens(case.good)
    if not served or len(greens) < _PERIODS_TO_SEE or case.is_suspect:
        return None
    if any(green.errors for green in greens) and not case.is_coarse:
        return None
    missing = max(case.bounds.minimum_requests - served, case.requests_missing())
    waiting = missing * case.counted_seconds // served
    everyone = served + sum(blue.requests for blue, _ in _pairs(case.good))
    seen_after = _PERIODS_TO_SEE * case.readings.window.period_seconds
    at_risk = round(everyone / case.counted_seconds * Share(above.share_bp).fraction * seen_after)
    if waiting <= case.rung.soak_seconds or at_risk > case.bounds.exposure_requests:
        return None
    return case.answer(
        Answer.ADVANCE,
        Verdict.HEALTHY,
        f"evidence is thin: {_tally(case, case.good)}, and {missing} more would take {waiting} s; "
        f"{Share(above.share_bp)} puts about {at_risk} requests at risk, "
        f"within the plan's {case.bounds.exposure_requests}",
        "an error of green, or more traffic",
    )


def _not_safe(case: _Case) -> Judgement | None:
    if case.safe_log_e >= _thousandths(SAFE_AT):
        return None
    missing = case.requests_missing()
    return case.hold(
        f"not yet shown to be within {_percent(case.bounds.tolerance)}: {_tally(case, case.good)}; "
        f"{missing} more requests of green without an error would do",
        f"{missing} more requests of green without an error",
    )


def _not_quick(case: _Case) -> Judgement | None:
    if case.slow_safe_log_e is None or case.slow_safe_log_e >= _thousandths(SAFE_AT):
        return None
    return case.hold(
        f"not yet shown to be slow within {_percent(case.bounds.slow_tolerance)} of blue: "
        f"{_slow_tally(case, case.good)}",
        f"more requests of green answered within {case.readings.window.slow_over:g} s",
    )


def _unmeasured(case: _Case) -> Judgement | None:
    if case.bounds.slow_ratio is None or case.readings.window.slow_over is not None:
        return None
    return case.hold(
        "blue's response times before the climb are not known, so nothing can be called slow",
        "response times of blue, published in the hour before or since",
    )


def _soaking(case: _Case) -> Judgement | None:
    if case.counted_seconds >= case.rung.soak_seconds:
        return None
    return case.hold(
        f"healthy so far; {case.counted_seconds} of {case.rung.soak_seconds} s soaked: {_tally(case, case.good)}",
        f"{case.rung.soak_seconds - case.counted_seconds} s more like these",
        Verdict.HEALTHY,
    )


_RULES: tuple[Callable[[_Case], Judgement | None], ...] = (
    _ejected,
    _occurred,
    _alarmed,
    _undeployed,
    _worse,
    _slower,
    _failing_inside,
    _lost,
    _unread,
    _short_of_tasks,
    _blind_alarm,
    _too_early,
    _gap,
    _blue_too,
    _unanswered,
    _unmeasured,
    _thin,
    _too_few,
    _not_safe,
    _not_quick,
    _soaking,
)


def _lost_seconds(case: _Case, colour: Colour) -> int:
    # Absent traffic and lost data look alike on one colour. Without a live control nobody
    # can tell; beside one, silence is lost data once chance does not explain it: each
    # request the other served would have come here with this colour's share.
    if not case.live or (case.readings.may_idle and colour is Colour.GREEN):
        return 0
    other = Colour.BLUE if colour is Colour.GREEN else Colour.GREEN
    silent = list(
        takewhile(lambda bucket: bucket.of(colour) is None and bucket.of(other) is not None, reversed(case.settled))
    )
    served = sum(count.requests for bucket in silent if (count := bucket.of(other)))
    if not case.is_silence_strange(colour, served_on_the_other=served):
        return 0
    return len(silent) * case.readings.window.period_seconds


def _pairs(buckets: Sequence[Bucket]) -> tuple[tuple[Count, Count], ...]:
    return tuple((bucket.blue, bucket.green) for bucket in buckets if bucket.blue and bucket.green)


def _greens(buckets: Sequence[Bucket]) -> tuple[Count, ...]:
    return tuple(bucket.green for bucket in buckets if bucket.green)


def _slow_pairs(buckets: Sequence[Bucket]) -> tuple[tuple[Count, Count], ...]:
    return tuple((bucket.blue_slow, bucket.green_slow) for bucket in buckets if bucket.blue_slow and bucket.green_slow)


def _slow_greens(buckets: Sequence[Bucket]) -> tuple[Count, ...]:
    return tuple(bucket.green_slow for bucket in buckets if bucket.green_slow)


def _slow_tally(case: _Case, buckets: Sequence[Bucket]) -> str:
    def of(colour: Colour) -> str:
        counts = [count for bucket in buckets if (count := bucket.slow_of(colour))]
        return f"{sum(c.errors for c in counts)} of {sum(c.requests for c in counts)} requests on {colour}"

    told = ", ".join(of(colour) for colour in reversed(case.colours()))
    return f"slower than {case.readings.window.slow_over:g} s, or never answered: {told}"


def _errors_more(errors: int) -> str:
    return f"{_plural(errors, 'more failed request')} of green"


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
