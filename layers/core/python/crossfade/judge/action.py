"""Judge Green: one look at a rung."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import AwareDatetime, Field

from crossfade.errors import LogsBusy, MetricsBusy, UnknownEdge
from crossfade.journal.fence import read_fenced
from crossfade.journal.journal import Journal
from crossfade.journal.model import EdgeRecord, Entry, MigrationRecord
from crossfade.judge.alarms import Alarms
from crossfade.judge.feeds import EdgeMetrics, EdgeRead, LogRead, ProxyLogs
from crossfade.judge.judge import Judgement, judge
from crossfade.judge.proxylog import ejections
from crossfade.judge.reading import AlarmState, Readings, Window, closed_periods
from crossfade.judge.verdict import Answer, Verdict
from crossfade.plan.document import Bounds, Frozen, MigrationPlan, Rung, Timings
from crossfade.plan.store import PlanStore, read_plan
from crossfade.rollout.request import Request
from crossfade.shift.action import RungRef

EVIDENCE = "judge"
"""`what` of the journal's evidence entries that hold a look."""

_MOST_PERIODS = 2_000
"""A longer hold is judged on its last 2,000 periods, so that the evidence of a look stays small."""

_SLOWED = ((60, 30), (12, 6))
"""From the 60th look on, looks are 30 times further apart than at first; from the 12th, 6 times."""

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


class Look(Frozen):
    """The evidence of one look: all that `judge` was given, and what it made of it."""

    look: int
    rung: Rung
    bounds: Bounds
    tests: int
    readings: Readings
    judgement: Judgement


class Judged(Frozen):
    """What to do next, why, and when to look again if it is to hold."""

    answer: Answer
    verdict: Verdict
    reason: str
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
    readings = _read(
        request, record, edge, plan, journal=journal, metrics=metrics, proxy_logs=proxy_logs, alarms=alarms, now=now
    )
    rung = Rung(share_bp=request.rung.share_bp, soak_seconds=request.rung.soak_seconds, kind=request.rung.kind)
    tests = sum(len(each.ladder) for each in plan.edges)
    judgement = judge(readings, rung, plan.bounds, tests=tests)
    look = Look(look=request.look, rung=rung, bounds=plan.bounds, tests=tests, readings=readings, judgement=judgement)
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
    return Judged(
        answer=judgement.answer,
        verdict=judgement.verdict,
        reason=judgement.reason,
        next_look_seconds=next_look_seconds(plan.timings, request.look),
        log_e=judgement.log_e,
    )


def next_look_seconds(timings: Timings, look: int) -> int:
    """Return how long to wait after this look; a long hold is looked at less often, so its history stays small."""
    times = next((factor for least, factor in _SLOWED if look >= least), 1)
    return timings.look_seconds * times


def judge_again(evidence: Entry) -> tuple[Judgement, Judgement]:
    """
    Return the judgement that an evidence entry holds, and the one its readings lead to now.

    They are equal, unless the entry was tampered with or the judge has changed.
    """
    look = Look.model_validate(evidence.detail)
    return look.judgement, judge(look.readings, look.rung, look.bounds, tests=look.tests)


def _read(
    request: JudgeRequest,
    record: MigrationRecord,
    edge: EdgeRecord,
    plan: MigrationPlan,
    *,
    journal: Journal,
    metrics: EdgeMetrics,
    proxy_logs: ProxyLogs,
    alarms: Alarms,
    now: datetime,
) -> Readings:
    window, metric_faults = _read_edge(request, edge, plan.timings, metrics, now)
    lines, log_faults = _read_logs(_logs_since(request, record, edge, plan.timings, now), plan, proxy_logs, now)
    states, alarm_faults = _read_alarms(plan, alarms)
    faults = (*metric_faults, *log_faults, *alarm_faults)
    return Readings(
        window=window,
        ejections=ejections(lines),
        alarms=states,
        faults=faults,
        unread_seconds=_unread_seconds(journal, request, now) if faults else 0,
    )


def _read_edge(
    request: JudgeRequest, edge: EdgeRecord, timings: Timings, metrics: EdgeMetrics, now: datetime
) -> EdgeRead:
    period = timings.period_seconds
    start, periods = closed_periods(request.since, now, period_seconds=period, lag_seconds=timings.metric_lag_seconds)
    skipped = max(0, periods - _MOST_PERIODS)
    start += timedelta(seconds=period * skipped)
    try:
        return metrics.read(edge.resolved, start=start, periods=periods - skipped, period_seconds=period)
    except MetricsBusy as busy:
        return EdgeRead(Window(start=start, period_seconds=period), (f"the metrics could not be read: {busy}",))


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


def _unread_seconds(journal: Journal, request: JudgeRequest, now: datetime) -> int:
    """Return how long looks at this rung have had a fault, without one between them that had none."""
    first = now
    for entry in reversed(journal.entries(request.migration)):
        if (entry.kind, entry.what, entry.subject) != ("evidence", EVIDENCE, request.edge):
            continue
        if entry.at < request.since or not entry.detail.get("readings", {}).get("faults"):
            break
        first = min(first, entry.at)
    return int((now - first).total_seconds())
