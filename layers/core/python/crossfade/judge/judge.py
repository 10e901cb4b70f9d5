"""
Decides on green from readings: advance, hold, or roll back. Pure, and the same for the same readings.

Rules are asked in the order of `_RULES`; the first that has something to say decides,
and only when none has does green advance. So whatever is not known holds.

Errors, slow requests and what is counted inside green each have their own part of alpha.
Every judgement also says what would change it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import takewhile

from crossfade.judge.case import (
    FEW_ERRORS,
    PERIODS_TO_SEE,
    SAFE_AT,
    Case,
    counts_of_both,
    counts_of_green,
    errors_more,
    plural,
    thousandths,
)
from crossfade.judge.judgement import Judgement
from crossfade.judge.reading import AlarmState, Bucket, Colour, Readings
from crossfade.judge.verdict import Answer, Verdict
from crossfade.plan.document import Bounds
from crossfade.plan.edges import Rung, RungKind
from crossfade.shift.share import Share

_NEVER = "nothing on this rung: evidence against green is kept until it is left"


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
    case = Case(readings, rung, bounds, tests, following)
    for rule in _RULES:
        said = rule(case)
        if said is not None:
            return said
    return case.answer(
        Answer.ADVANCE,
        Verdict.HEALTHY,
        f"green held {Share(rung.share_bp)} for {case.counted_seconds} s: {_tally(case, case.good)}, "
        f"and is no worse than the tolerance of {_percent(bounds.tolerance)}",
        f"{errors_more(case.errors_until_back())} would have rolled back",
    )


def _ejected(case: Case) -> Judgement | None:
    found = [ejection for ejection in case.readings.ejections if not case.is_shared(ejection)]
    if not found:
        return None
    first = found[0]
    return case.back(
        f"green's proxies ejected {plural(len(found), 'task')}, first {first.host} of {first.cluster} "
        f"at {_clock(first.at)} ({first.kind})",
        _NEVER,
    )


def _occurred(case: Case) -> Judgement | None:
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


def _failing_inside(case: Case) -> Judgement | None:
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


def _undeployed(case: Case) -> Judgement | None:
    failed = [each for each in case.readings.wanting if each.failure is not None]
    if not failed:
        return None
    return case.back(
        f"the deployment of {failed[0].service} failed: {failed[0].failure}", "a deployment that completes"
    )


def _short_of_tasks(case: Case) -> Judgement | None:
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


def _alarmed(case: Case) -> Judgement | None:
    ringing = sorted(name for name, state in case.readings.alarms.items() if state is AlarmState.ALARM)
    return case.back(f"in ALARM: {', '.join(ringing)}", "these alarms in OK") if ringing else None


def _worse(case: Case) -> Judgement | None:
    if case.log_e < case.roll_back_at:
        return None
    against = "than blue" if case.live else f"than the SLO of {_percent(case.bounds.slo_error_rate)}"
    return case.back(
        f"green is worse {against}: {_tally(case, case.buckets)} "
        f"(log E {case.log_e:g}, rolled back at {case.roll_back_at:g})",
        _NEVER,
    )


def _slower(case: Case) -> Judgement | None:
    if case.slow_log_e is None or case.slow_log_e < case.roll_back_at:
        return None
    against = f"than {case.slow_allowed:g} times blue" if case.live else f"than {_percent(case.slow_rate)}"
    return case.back(
        f"green is slow more often {against}: {_slow_tally(case, case.settled)} "
        f"(log E {case.slow_log_e:g}, rolled back at {case.roll_back_at:g})",
        _NEVER,
    )


def _lost(case: Case) -> Judgement | None:
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


def _unread(case: Case) -> Judgement | None:
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


def _blind_alarm(case: Case) -> Judgement | None:
    blind = sorted(name for name, state in case.readings.alarms.items() if state is AlarmState.INSUFFICIENT_DATA)
    if not blind:
        return None
    return case.hold(
        f"insufficient data for {', '.join(blind)}: nobody knows whether it would ring",
        "data for it, or TreatMissingData: notBreaching where its metric is published only in trouble",
    )


def _too_early(case: Case) -> Judgement | None:
    if case.settled:
        return None
    late = max(case.readings.late.values(), default=0) if case.readings.unsettled else 0
    yet = f", as counts come up to {late} s late" if late else ""
    return case.hold(f"no metric period has closed since the edge settled{yet}", "the end of a metric period")


def _gap(case: Case) -> Judgement | None:
    if case.since_gap:
        return None
    last = case.settled[-1]
    missing = [colour for colour in case.colours() if last.of(colour) is None]
    when = f"the period at {_clock(last.start)}"
    if missing == list(case.colours()):
        return case.hold(f"no requests counted in {when}: nothing to judge while traffic is absent", "traffic")
    idle = f": {case.readings.may_idle}" if case.readings.may_idle and missing == [Colour.GREEN] else ""
    return case.hold(f"no data on {missing[0]} in {when}{idle}", f"requests counted on {missing[0]}")


def _blue_too(case: Case) -> Judgement | None:
    newest = case.buckets[len(case.settled) - 1 :]
    last = next((bucket for bucket in reversed(newest) if case.is_bad_for_blue(bucket)), None)
    if last is None or last.blue is None:
        return None
    return case.hold(
        f"blue itself failed {last.blue.errors} of {last.blue.requests} requests in the period at "
        f"{_clock(last.start)}: it does not count",
        "periods in which blue is well",
    )


def _unanswered(case: Case) -> Judgement | None:
    # Response times that are not published look like a side that never answers. Of green
    # that is evidence; of blue, which serves, it means that nobody can tell.
    if case.slow_allowed is None or not case.live:
        return None
    last = case.settled[-1]
    slow = last.blue_slow
    if slow is None or slow.requests < FEW_ERRORS or slow.errors < slow.requests:
        return None
    return case.hold(
        f"none of blue's {slow.requests} requests in the period at {_clock(last.start)} was answered within "
        f"{case.readings.window.slow_over:g} s: response times are lost, or blue is",
        "answers of blue in time",
    )


def _too_few(case: Case) -> Judgement | None:
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


def _thin(case: Case) -> Judgement | None:
    """Give green its next share early, if all it served was well and a larger share is worth its price."""
    above, served = case.following, sum(green.requests for green in counts_of_green(case.good))
    if not case.live or above is None or case.rung.kind is not RungKind.CLIMB or above.kind is not RungKind.CLIMB:
        return None
    greens = counts_of_green(case.good)
    if not served or len(greens) < PERIODS_TO_SEE or case.is_suspect:
        return None
    if any(green.errors for green in greens) and not case.is_coarse:
        return None
    missing = max(case.bounds.minimum_requests - served, case.requests_missing())
    waiting = missing * case.counted_seconds // served
    everyone = served + sum(blue.requests for blue, _ in counts_of_both(case.good))
    seen_after = PERIODS_TO_SEE * case.readings.window.period_seconds
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


def _not_safe(case: Case) -> Judgement | None:
    if case.safe_log_e >= thousandths(SAFE_AT):
        return None
    missing = case.requests_missing()
    return case.hold(
        f"not yet shown to be within {_percent(case.bounds.tolerance)}: {_tally(case, case.good)}; "
        f"{missing} more requests of green without an error would do",
        f"{missing} more requests of green without an error",
    )


def _not_quick(case: Case) -> Judgement | None:
    if case.slow_safe_log_e is None or case.slow_safe_log_e >= thousandths(SAFE_AT):
        return None
    return case.hold(
        f"not yet shown to be slow within {_percent(case.bounds.slow_tolerance)} of blue: "
        f"{_slow_tally(case, case.good)}",
        f"more requests of green answered within {case.readings.window.slow_over:g} s",
    )


def _unmeasured(case: Case) -> Judgement | None:
    if case.bounds.slow_ratio is None or case.readings.window.slow_over is not None:
        return None
    return case.hold(
        "blue's response times before the climb are not known, so nothing can be called slow",
        "response times of blue, published in the hour before or since",
    )


def _soaking(case: Case) -> Judgement | None:
    if case.counted_seconds >= case.rung.soak_seconds:
        return None
    return case.hold(
        f"healthy so far; {case.counted_seconds} of {case.rung.soak_seconds} s soaked: {_tally(case, case.good)}",
        f"{case.rung.soak_seconds - case.counted_seconds} s more like these",
        Verdict.HEALTHY,
    )


_RULES: tuple[Callable[[Case], Judgement | None], ...] = (
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


def _lost_seconds(case: Case, colour: Colour) -> int:
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


def _slow_tally(case: Case, buckets: Sequence[Bucket]) -> str:
    def of(colour: Colour) -> str:
        counts = [count for bucket in buckets if (count := bucket.slow_of(colour))]
        return f"{sum(c.errors for c in counts)} of {sum(c.requests for c in counts)} requests on {colour}"

    told = ", ".join(of(colour) for colour in reversed(case.colours()))
    return f"slower than {case.readings.window.slow_over:g} s, or never answered: {told}"


def _tally(case: Case, buckets: Sequence[Bucket]) -> str:
    def of(colour: Colour) -> str:
        counts = [count for bucket in buckets if (count := bucket.of(colour))]
        return f"{colour} failed {sum(c.errors for c in counts)} of {sum(c.requests for c in counts)} requests"

    return ", ".join(of(colour) for colour in reversed(case.colours()))


def _percent(fraction: float) -> str:
    return f"{fraction * 100:g} %"


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S}"
