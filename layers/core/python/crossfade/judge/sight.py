"""Everything that one look reads: the edge, green's inside, its services, the proxies' log, the operator's alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from crossfade.connect.services import Services
from crossfade.errors import EcsBusy, LogsBusy, MetricsBusy
from crossfade.journal.edges import EdgeRecord
from crossfade.journal.model import Entry
from crossfade.judge.alarms import Alarms
from crossfade.judge.feeds import EdgeMetrics, EdgeRead, LogRead, ProxyLogs, ViewerMetrics
from crossfade.judge.inside import entry_sources, insides, occurrences, sources, target_source
from crossfade.judge.look import Look, kept_look
from crossfade.judge.probing import Prober
from crossfade.judge.proxylog import ejections
from crossfade.judge.reading import (
    AlarmState,
    Bucket,
    Inside,
    Probed,
    Readings,
    Wanting,
    Window,
    added_up,
    closed_periods,
    slow_over,
    wanting,
)
from crossfade.judge.signal import VIEWER_5XX
from crossfade.judge.watermark import learned, unsettled
from crossfade.plan.document import MigrationPlan, Timings
from crossfade.shift.share import ALL

SLOWED = ((60, 30), (12, 6))
"""From the 60th look on, looks are 30 times further apart than at first; from the 12th, 6 times."""

_MOST_PROBES = 1_000
"""So many looks' answers to our own requests are kept."""

_MOST_PERIODS = 2_000
"""A longer hold is judged on its last 2,000 periods, so that the evidence of a look stays small."""

_BLUE_IS_ASKED_OF = timedelta(hours=3)
"""How far back blue's response times are looked for; its last hour of answers among them counts."""

_LEAST_LOG_SECONDS = 900
"""How far back a look reads the proxies' log at least: lines may come late, and looks are far apart in a long hold."""

Occurred = dict[str, tuple[tuple[int, int], ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """The sources of a look."""

    metrics: EdgeMetrics
    proxy_logs: ProxyLogs
    alarms: Alarms
    services: Services
    viewers: ViewerMetrics | None = None
    prober: Prober | None = None


def see(
    edge: EdgeRecord,
    plan: MigrationPlan,
    before: Sequence[Entry],
    *,
    since: datetime,
    opened_at: datetime,
    sight: Sight,
    now: datetime,
) -> Readings:
    """
    Return everything that can be read of an edge since it had settled.

    `before` are the looks at this edge, newest first, back to the last that had no fault.
    What cannot be read is a fault among the readings, and no error.
    """
    newest = kept_look(before[0]) if before else None
    window, metric_faults = _read_edge(edge, plan, before, since=since, sight=sight, now=now)
    inside, occurred, inside_faults = _read_inside(plan, window, newest, sight)
    viewed, viewer_faults = _read_viewers(edge, plan, window, sight)
    lacking, service_faults = _read_services(plan, newest, sight, now)
    failing, target_faults = _read_targets(edge, window, newest, sight, now)
    lines, log_faults = _read_logs(_logs_since(opened_at, since, edge, plan.timings, now), plan, sight, now)
    states, alarm_faults = _read_alarms(plan, sight.alarms)
    faults = (
        *metric_faults,
        *inside_faults,
        *viewer_faults,
        *service_faults,
        *target_faults,
        *log_faults,
        *alarm_faults,
    )
    read = Readings(
        window=window,
        control=edge.resolved.counts_requests,
        may_idle=edge.resolved.may_idle,
        ejections=ejections(lines),
        inside=(*inside, *viewed),
        occurred=occurred,
        wanting=(*lacking, *failing),
        probes=_ask(edge, plan, window=window, newest=newest, sight=sight, now=now),
        alarms=states,
        faults=faults,
        unread_seconds=_unread_seconds(before, since, now) if faults else 0,
    )
    if newest is None or before[0].at < since:
        return read
    return _settled(read, newest, before[0].at, plan, now)


def _settled(read: Readings, newest: Look, looked: datetime, plan: MigrationPlan, now: datetime) -> Readings:
    """
    Return the readings with how late counts come on this rung, and how many periods are too young to be whole.

    Each rung learns anew: one batch that was late once shall not slow every rung after it.
    """
    late = learned(
        newest.readings,
        looked,
        read,
        grain_seconds=plan.timings.look_seconds,
        most_seconds=plan.bounds.lost_data_seconds,
    )
    return read.model_copy(update={"late": late, "unsettled": unsettled(read.window, late, now)})


def _ask(
    edge: EdgeRecord, plan: MigrationPlan, *, window: Window, newest: Look | None, sight: Sight, now: datetime
) -> tuple[Probed, ...] | None:
    """Send our own requests while users' are few; return the answers since the window began, None without a probe."""
    probe = plan.edge(edge.name).probe
    if probe is None or sight.prober is None:
        return None
    known = newest.readings.probes if newest is not None else None
    kept = tuple(each for each in known or () if each.at >= window.start)[-_MOST_PROBES:]
    served = sum(bucket.green.requests for bucket in window.buckets() if bucket.green)
    if served >= plan.bounds.minimum_requests:
        return kept
    count = sight.prober.ask(probe)
    return (*kept, Probed(at=now, requests=count.requests, errors=count.errors))


def was_faulty(look: Entry, since: datetime) -> bool:
    """Return whether a look since then had a fault."""
    return look.at >= since and bool(look.detail.get("readings", {}).get("faults"))


def _read_edge(
    edge: EdgeRecord,
    plan: MigrationPlan,
    before: Sequence[Entry],
    *,
    since: datetime,
    sight: Sight,
    now: datetime,
) -> EdgeRead:
    timings = plan.timings
    period = timings.period_seconds
    start, periods = closed_periods(since, now, period_seconds=period, lag_seconds=timings.metric_lag_seconds)
    skipped = max(0, periods - _MOST_PERIODS)
    start += timedelta(seconds=period * skipped)
    if not edge.resolved.counts_requests:
        return _read_entry(edge, plan, sight, Window(start=start, period_seconds=period), periods - skipped)
    try:
        slow = _slow_over(edge, plan, before, since=since, metrics=sight.metrics, now=now)
        return sight.metrics.read(
            edge.resolved, start=start, periods=periods - skipped, period_seconds=period, slow_over=slow
        )
    except MetricsBusy as busy:
        return EdgeRead(Window(start=start, period_seconds=period), (f"the metrics could not be read: {busy}",))


def _read_entry(edge: EdgeRecord, plan: MigrationPlan, sight: Sight, nothing: Window, periods: int) -> EdgeRead:
    """Read green alone, by what the service behind the edge is called for, where the edge counts no requests."""
    asked = entry_sources(plan, plan.edge(edge.name).service)
    if not asked:
        return EdgeRead(nothing, (f"nothing behind edge {edge.name} counts requests or connections",))
    period = nothing.period_seconds
    try:
        read = sight.metrics.inside(asked, start=nothing.start, periods=periods, period_seconds=period)
    except MetricsBusy as busy:
        return EdgeRead(nothing, (f"the metrics could not be read: {busy}",))
    buckets = [
        Bucket(nothing.start + timedelta(seconds=period * at), None, added_up(rows))
        for at, rows in enumerate(zip(*read.rows, strict=True))
    ]
    return EdgeRead(Window.of(buckets, start=nothing.start, period_seconds=period), read.faults)


def _read_viewers(
    edge: EdgeRecord, plan: MigrationPlan, window: Window, sight: Sight
) -> tuple[tuple[Inside, ...], tuple[str, ...]]:
    """Read what users of the distribution that leads to green were answered, where one does."""
    if edge.resolved.distributions is None or sight.viewers is None:
        return (), ()
    part, whole = edge.resolved.distributions
    distribution, periods = whole if edge.held_bp == ALL.bp else part, len(window.rows)
    seen = Inside(
        signal=VIEWER_5XX.name,
        subject=f"distribution {distribution}",
        among=1,
        allowed=plan.bounds.slo_error_rate,
        rows=(None,) * periods,
    )
    try:
        read = sight.viewers.viewers(
            distribution, start=window.start, periods=periods, period_seconds=window.period_seconds
        )
    except MetricsBusy as busy:
        return (seen,), (f"CloudFront's metrics could not be read: {busy}",)
    return (seen.model_copy(update={"rows": read.rows[0]}),), read.faults


def _read_inside(
    plan: MigrationPlan, window: Window, newest: Look | None, sight: Sight
) -> tuple[tuple[Inside, ...], Occurred, tuple[str, ...]]:
    """
    Read what was counted inside green in the window's periods; once a period, since every series costs.

    The look before read the same periods where it has as many, and no fault.
    """
    asked = sources(plan)
    periods = len(window.rows)
    if newest is not None and not newest.readings.faults:
        known = newest.readings
        if (known.window.start, len(known.window.rows)) == (window.start, periods) and (known.inside or not periods):
            return tuple(each for each in known.inside if each.signal != VIEWER_5XX.name), known.occurred, ()
    try:
        read = sight.metrics.inside(asked, start=window.start, periods=periods, period_seconds=window.period_seconds)
    except MetricsBusy as busy:
        nothing = tuple((None,) * periods for _ in asked)
        return insides(asked, nothing, plan.bounds), {}, (f"what is counted inside green could not be read: {busy}",)
    return insides(asked, read.rows, plan.bounds), occurrences(asked, read.rows), read.faults


def _read_services(
    plan: MigrationPlan, newest: Look | None, sight: Sight, now: datetime
) -> tuple[tuple[Wanting, ...], tuple[str, ...]]:
    names = [service.green.service_name for service in plan.services]
    try:
        states = sight.services.describe_all(plan.cluster, names)
    except EcsBusy as busy:
        return (), (f"green's services could not be read: {busy}",)
    known = {each.service: each for each in newest.readings.wanting} if newest is not None else {}
    found = (
        wanting(
            name,
            desired=state.desired,
            running=state.running,
            failure=state.failure,
            before=known.get(name),
            now=now,
        )
        for name, state in states.items()
    )
    return (
        tuple(each for each in found if each is not None),
        tuple(f"green service {name} is not there" for name in names if name not in states),
    )


def _read_targets(
    edge: EdgeRecord, window: Window, newest: Look | None, sight: Sight, now: datetime
) -> tuple[tuple[Wanting, ...], tuple[str, ...]]:
    """Read whether green's targets pass the checks of a load balancer of flows, in the newest period that says so."""
    asked = target_source(edge.resolved)
    if asked is None or not window.rows:
        return (), ()
    try:
        read = sight.metrics.inside(
            [asked], start=window.start, periods=len(window.rows), period_seconds=window.period_seconds
        )
    except MetricsBusy as busy:
        return (), (f"the health of green's targets could not be read: {busy}",)
    checked, failed = next((row[:2] for row in reversed(read.rows[0]) if row is not None), (0, 0))
    known = newest.readings.wanting if newest is not None else ()
    found = wanting(
        asked.subject,
        desired=checked,
        running=checked - failed,
        failure=None,
        before=next((each for each in known if each.checked and each.service == asked.subject), None),
        now=now,
    )
    return (() if found is None else (found.model_copy(update={"checked": True}),)), read.faults


def _slow_over(
    edge: EdgeRecord,
    plan: MigrationPlan,
    before: Sequence[Entry],
    *,
    since: datetime,
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
        since - _BLUE_IS_ASKED_OF,
        now,
        period_seconds=period,
        lag_seconds=plan.timings.metric_lag_seconds,
    )
    answers = metrics.blue_p99(
        edge.resolved, start=start, end=start + timedelta(seconds=period * periods), period_seconds=period
    )
    return slow_over(answers, since, floor_seconds=plan.bounds.slow_floor_seconds)


def _logs_since(opened_at: datetime, since: datetime, edge: EdgeRecord, timings: Timings, now: datetime) -> datetime:
    # From before the shift, since a line of the rung before may have been on its way at
    # that rung's last look; but not from the beginning of a hold of days.
    on_their_way = edge.settle_seconds + timings.metric_lag_seconds + timings.period_seconds
    between_looks = timings.look_seconds * SLOWED[0][1]
    return max(
        opened_at,
        since - timedelta(seconds=on_their_way),
        now - timedelta(seconds=max(_LEAST_LOG_SECONDS, 2 * between_looks)),
    )


def _read_logs(since: datetime, plan: MigrationPlan, sight: Sight, now: datetime) -> LogRead:
    try:
        return sight.proxy_logs.read(plan.proxy_logs.group, since=since, until=now)
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


def _unread_seconds(before: Sequence[Entry], since: datetime, now: datetime) -> int:
    """Return how long looks at this rung have had a fault, without one between them that had none."""
    first = min((look.at for look in before if was_faulty(look, since)), default=now)
    return int((now - first).total_seconds())
