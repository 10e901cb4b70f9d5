"""Judge Green: one look at a rung."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from pydantic import AwareDatetime, Field

from crossfade.errors import LogsBusy, MetricsBusy, UnknownEdge
from crossfade.journal.fence import read_fenced
from crossfade.journal.journal import Journal
from crossfade.journal.model import EdgeRecord, Entry, MigrationRecord
from crossfade.judge.alarms import Alarms
from crossfade.judge.feeds import EdgeMetrics, EdgeRead, LogRead, ProxyLogs
from crossfade.judge.judge import Judgement, judge
from crossfade.judge.look import EVIDENCE, Look
from crossfade.judge.proxylog import ejections
from crossfade.judge.reading import AlarmState, Readings, Window, closed_periods, slow_over
from crossfade.judge.replay import evidence_digest, judge_again
from crossfade.judge.verdict import Answer, Verdict
from crossfade.plan.document import Frozen, MigrationPlan, Rung, Timings
from crossfade.plan.store import PlanStore, read_plan
from crossfade.rollout.request import Request
from crossfade.shift.action import RungRef

__all__ = ["EVIDENCE", "JudgeRequest", "Judged", "Look", "judge_again", "judge_green", "next_look_seconds"]

_MOST_PERIODS = 2_000
"""A longer hold is judged on its last 2,000 periods, so that the evidence of a look stays small."""

_SLOWED = ((60, 30), (12, 6))
"""From the 60th look on, looks are 30 times further apart than at first; from the 12th, 6 times."""

_BLUE_IS_ASKED_OF = timedelta(hours=3)
"""How far back blue's response times are looked for; its last hour of answers among them counts."""

_LEAST_LOG_SECONDS = 900
"""How far back a look reads the proxies' log at least: lines may come late, and looks are far apart in a long hold."""


class JudgeRequest(Request):
    """
    Look at green on a rung.

    `since` is when the edge had settled on the rung's share; only metric periods that
    begin after it are judged. `look` counts from 0.
    """

    migration: str
    fence: int
    edge: str
    rung: RungRef
    since: AwareDatetime
    look: int = Field(ge=0)


class Judged(Frozen):
    """What to do next, why, what would change it, and when to look again if it is to hold."""

    answer: Answer
    verdict: Verdict
    reason: str
    would_change: str
    next_look_seconds: int
    log_e: float


def judge_green(
    request: JudgeRequest,
    *,
    journal: Journal,
    plans: PlanStore,
    metrics: EdgeMetrics,
    proxy_logs: ProxyLogs,
    alarms: Alarms,
    now: datetime,
) -> Judged:
    """
    Read everything, judge the whole rung anew, and keep the evidence.

    Safe to repeat: it changes nothing but the journal, and a second look of the same
    number is one more entry. A source that throttles is a reason to hold, not an error.

    Raises:
        Fenced: a rollback has begun.
        UnknownEdge: the migration has no such edge, or green's end of it is not made.
        JournalBusy: the journal or the plan's bucket is throttled.
    """
    record = read_fenced(journal, request.migration, request.fence)
    plan = read_plan(plans, record.plan)
    edge = journal.edge(request.migration, request.edge)
    if edge.resolved.green_arn is None:
        raise UnknownEdge(f"edge {edge.name} has no green end yet")
    before = _looks_before(journal, request)
    readings = _read(
        request, record, edge, plan, before, metrics=metrics, proxy_logs=proxy_logs, alarms=alarms, now=now
    )
    rung = Rung(share_bp=request.rung.share_bp, soak_seconds=request.rung.soak_seconds, kind=request.rung.kind)
    following = _following(plan, request)
    tests = sum(len(each.ladder) for each in plan.edges)
    judgement = judge(readings, rung, plan.bounds, tests=tests, following=following)
    shadow = plan.judging == "shadow"
    answer, reason = _in_shadow(judgement, readings, request, now) if shadow else (judgement.answer, judgement.reason)
    look = Look(
        look=request.look,
        rung=rung,
        bounds=plan.bounds,
        tests=tests,
        following=following,
        readings=readings,
        judgement=judgement,
        answered=answer,
        shadow=shadow,
        previous=evidence_digest(before[0]) if before else "",
    )
    journal.append(
        Entry(
            migration=request.migration,
            at=now,
            kind="evidence",
            what=EVIDENCE,
            subject=request.edge,
            detail=look.model_dump(mode="json"),
            fence=request.fence,
        ),
        fence=request.fence,
    )
    pause = next_look_seconds(plan.timings, request.look)
    journal.expect_look(request.migration, now + timedelta(seconds=pause), fence=request.fence)
    return Judged(
        answer=answer,
        verdict=judgement.verdict,
        reason=reason,
        would_change=judgement.would_change,
        next_look_seconds=pause,
        log_e=judgement.log_e,
    )


def next_look_seconds(timings: Timings, look: int) -> int:
    """Return how long to wait after this look; a long hold is looked at less often, so its history stays small."""
    times = next((factor for least, factor in _SLOWED if look >= least), 1)
    return timings.look_seconds * times


def _in_shadow(judgement: Judgement, readings: Readings, request: JudgeRequest, now: datetime) -> tuple[Answer, str]:
    """
    Return what to do where the judge only records: wait out the soak by the clock, then go on.

    The operator's own alarms act all the same: they are no opinion of the judge.
    """
    said = f"in shadow; the judge said {judgement.answer}: {judgement.reason}"
    if AlarmState.ALARM in readings.alarms.values():
        ringing = sorted(name for name, state in readings.alarms.items() if state is AlarmState.ALARM)
        return Answer.ROLL_BACK, f"in ALARM: {', '.join(ringing)}; {said}"
    soaked = now - request.since >= timedelta(seconds=request.rung.soak_seconds)
    return (Answer.ADVANCE if soaked else Answer.HOLD), said


def _following(plan: MigrationPlan, request: JudgeRequest) -> Rung | None:
    """Return the rung above this one, by the plan."""
    ladder = next((edge.ladder for edge in plan.edges if edge.name == request.edge), ())
    return next((rung for rung in ladder if rung.share_bp > request.rung.share_bp), None)


def _looks_before(journal: Journal, request: JudgeRequest) -> tuple[Entry, ...]:
    """Return the newest look at this edge, and those before it that had a fault on this rung, newest first."""
    found: list[Entry] = []
    for entry in journal.newest_first(request.migration):
        if (entry.kind, entry.what, entry.subject) != ("evidence", EVIDENCE, request.edge):
            continue
        found.append(entry)
        if not _was_faulty(entry, request):
            break
    return tuple(found)


def _was_faulty(look: Entry, request: JudgeRequest) -> bool:
    return look.at >= request.since and bool(look.detail.get("readings", {}).get("faults"))


def _read(
    request: JudgeRequest,
    record: MigrationRecord,
    edge: EdgeRecord,
    plan: MigrationPlan,
    before: Sequence[Entry],
    *,
    metrics: EdgeMetrics,
    proxy_logs: ProxyLogs,
    alarms: Alarms,
    now: datetime,
) -> Readings:
    window, metric_faults = _read_edge(request, edge, plan, before, metrics=metrics, now=now)
    lines, log_faults = _read_logs(_logs_since(request, record, edge, plan.timings, now), plan, proxy_logs, now)
    states, alarm_faults = _read_alarms(plan, alarms)
    faults = (*metric_faults, *log_faults, *alarm_faults)
    return Readings(
        window=window,
        ejections=ejections(lines),
        alarms=states,
        faults=faults,
        unread_seconds=_unread_seconds(before, request, now) if faults else 0,
    )


def _read_edge(
    request: JudgeRequest,
    edge: EdgeRecord,
    plan: MigrationPlan,
    before: Sequence[Entry],
    *,
    metrics: EdgeMetrics,
    now: datetime,
) -> EdgeRead:
    timings = plan.timings
    period = timings.period_seconds
    start, periods = closed_periods(request.since, now, period_seconds=period, lag_seconds=timings.metric_lag_seconds)
    skipped = max(0, periods - _MOST_PERIODS)
    start += timedelta(seconds=period * skipped)
    try:
        slow = _slow_over(request, edge, plan, before, metrics=metrics, now=now)
        return metrics.read(
            edge.resolved, start=start, periods=periods - skipped, period_seconds=period, slow_over=slow
        )
    except MetricsBusy as busy:
        return EdgeRead(Window(start=start, period_seconds=period), (f"the metrics could not be read: {busy}",))


def _slow_over(
    request: JudgeRequest,
    edge: EdgeRecord,
    plan: MigrationPlan,
    before: Sequence[Entry],
    *,
    metrics: EdgeMetrics,
    now: datetime,
) -> float | None:
    """Return the seconds over which an answer is slow: as the look before said, or as blue answered until `since`."""
    if plan.bounds.slow_ratio is None:
        return None
    for look in before:
        said = look.detail.get("readings", {}).get("window", {}).get("slow_over")
        if said is not None:
            return float(said)
    period = plan.timings.period_seconds
    start, periods = closed_periods(
        request.since - _BLUE_IS_ASKED_OF,
        now,
        period_seconds=period,
        lag_seconds=plan.timings.metric_lag_seconds,
    )
    answers = metrics.blue_p99(
        edge.resolved, start=start, end=start + timedelta(seconds=period * periods), period_seconds=period
    )
    return slow_over(answers, request.since, floor_seconds=plan.bounds.slow_floor_seconds)


def _logs_since(
    request: JudgeRequest, record: MigrationRecord, edge: EdgeRecord, timings: Timings, now: datetime
) -> datetime:
    # From before the shift, since a line of the rung before may have been on its way at
    # that rung's last look; but not from the beginning of a hold of days.
    on_their_way = edge.settle_seconds + timings.metric_lag_seconds + timings.period_seconds
    between_looks = timings.look_seconds * _SLOWED[0][1]
    return max(
        record.opened_at,
        request.since - timedelta(seconds=on_their_way),
        now - timedelta(seconds=max(_LEAST_LOG_SECONDS, 2 * between_looks)),
    )


def _read_logs(since: datetime, plan: MigrationPlan, proxy_logs: ProxyLogs, now: datetime) -> LogRead:
    try:
        return proxy_logs.read(plan.proxy_logs.group, since=since, until=now)
    except LogsBusy as busy:
        return LogRead((), (f"the proxies' log could not be read: {busy}",))


def _read_alarms(plan: MigrationPlan, alarms: Alarms) -> tuple[dict[str, AlarmState], tuple[str, ...]]:
    try:
        states = alarms.states(plan.alarms)
    except MetricsBusy as busy:
        return {}, (f"the alarms could not be read: {busy}",)
    return states, tuple(
        f"the alarm {name} does not exist" for name, state in states.items() if state is AlarmState.MISSING
    )


def _unread_seconds(before: Sequence[Entry], request: JudgeRequest, now: datetime) -> int:
    """Return how long looks at this rung have had a fault, without one between them that had none."""
    first = min((look.at for look in before if _was_faulty(look, request)), default=now)
    return int((now - first).total_seconds())
