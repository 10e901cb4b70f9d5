"""
Watch: once a minute, while a migration is open, look without being told.

An event may be lost, a state machine may be stopped where nobody catches it. So every
minute each open migration is looked at in AWS: do its executions live, was its last look
on time, are its alarms quiet, do green's tasks live, could blue take everything back, do
its edges hold what they were given, is green well where nobody climbs any more, does a
retirement go on. What cannot be read is no reason to act: the next minute comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from crossfade.connect.blue import Blues, FreezeRequest, Scaling, protect_again, thaw
from crossfade.connect.greenscaling import GreenScaling
from crossfade.connect.services import Rollout, Services, StoppedTask
from crossfade.errors import CrossfadeError, EdgeChanged, Refused, TryAgain
from crossfade.events.outbound import Notice, Notices
from crossfade.executions.executions import Executions, ExecutionStatus
from crossfade.frozen import Frozen
from crossfade.journal.edges import EdgeRecord
from crossfade.journal.journal import Journal
from crossfade.journal.model import Entry, MigrationRecord
from crossfade.journal.note import note
from crossfade.judge.alarms import Alarms
from crossfade.judge.meter import LookMeter
from crossfade.judge.proxylog_feed import ProxyFeed, ejection_alarm
from crossfade.judge.sight import Sight
from crossfade.phases import CLOSED, Phase
from crossfade.plan.document import MigrationPlan
from crossfade.plan.store import PlanStore, read_plan
from crossfade.resources import OPEN, service_resource
from crossfade.rollout.gathered import GatheredAlarms, composite_alarm
from crossfade.rollout.holding import GOING, hold, recount, release
from crossfade.rollout.parked import guard_parked
from crossfade.rollout.rollback import begin_rollback
from crossfade.rollout.telling import tell_moves
from crossfade.shift.rule import ROUNDING_BP
from crossfade.shift.share import Share
from crossfade.shift.shifter import Edges

DYING_TASKS = 3
"""So many tasks of one green service that died of their own within `DYING_WINDOW` are no accident."""

DYING_WINDOW = timedelta(minutes=10)
RETIREMENT_RESTS = timedelta(minutes=10)
"""So long a retirement does nothing only once its execution is dead: all repetitions of one thing it does take less."""

ENTRIES_ARE_KEPT = timedelta(days=400)  # after blue is retired: an audit's year, and a month to begin it

_LIVES = frozenset({ExecutionStatus.RUNNING, ExecutionStatus.SUCCEEDED, ExecutionStatus.PENDING_REDRIVE})
_ALARM = "alarm:"
_DRIFT = "drift:"
_JUDGE = "judge:"
_DETOUR = "detour"
_UNFINISHED = "unfinished"


class Schedule(Protocol):
    """
    The rule that wakes `watch`. Both methods may be repeated, and raise NoticesBusy when EventBridge throttles them.

    Every implementation must pass `tests/contract/test_schedule.py`.
    """

    def enable(self) -> None:
        """Let it wake `watch` every minute."""
        ...

    def disable(self) -> None:
        """Let it rest."""
        ...


class Undelivered(Protocol):
    """
    The queue of events that no guard could take.

    Every implementation must pass `tests/contract/test_schedule.py`.
    """

    def count(self) -> int:
        """Return about how many wait there. Raises NoticesBusy when SQS throttles."""
        ...


class Watched(Frozen):
    """What was seen of each open migration, for the log."""

    open: int
    seen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Everything that `watch` looks at and acts through."""

    journal: Journal
    plans: PlanStore
    services: Services
    edges: Edges
    alarms: Alarms
    gathered: GatheredAlarms
    feed: ProxyFeed
    sight: Sight
    meter: LookMeter
    scaling: Scaling
    green_scaling: GreenScaling
    blues: Blues
    executions: Executions
    notices: Notices
    schedule: Schedule
    undelivered: Undelivered


def watch(parts: Watch, *, now: datetime) -> Watched:
    """
    Look at every migration that is open; roll back, hold, or renew what ends by itself.

    Safe to repeat at any time: it acts on what it reads. People are told of every move that
    nobody was told of; after that a migration that is over, with all put back, is closed. When
    nothing is open any more it switches its own schedule off, and on again if something was
    opened meanwhile.
    """
    seen: list[str] = []
    migrations = parts.journal.migrations_of(OPEN)
    for migration in migrations:
        for look in (_watch_one, _close):
            try:
                seen += [f"{migration}: {said}" for said in look(migration, parts, now)]
            except CrossfadeError as trouble:  # the others are looked at all the same, and this one in a minute
                seen.append(f"{migration}: {type(trouble).__name__}: {trouble}")
    if not parts.journal.migrations_of(OPEN):
        parts.schedule.disable()
        if parts.journal.migrations_of(OPEN):  # opened between the two: its own enabling came too early
            parts.schedule.enable()
    return Watched(open=len(migrations), seen=tuple(seen))


def _watch_one(migration: str, parts: Watch, now: datetime) -> Iterator[str]:
    record = parts.journal.read(migration)
    if record.phase is Phase.ROLLING_BACK:
        started = begin_rollback(
            migration, record.reason or "unsaid", journal=parts.journal, executions=parts.executions, now=now
        )
        if not started.joined:
            yield "no rollback ran; it is started again"
    elif record.phase is Phase.RETIRING:
        yield from _unfinished(record, parts, now)
    elif record.phase in GOING:
        yield from _watch_open(record, parts, now)
    if record.phase is Phase.ROLLING_BACK or record.phase in GOING:
        yield from _tend_detours(record, parts, now)


def _unfinished(record: MigrationRecord, parts: Watch, now: datetime) -> Iterator[str]:
    """Tell, once, of a retirement that was cut short. A guard only looks: a person starts it again."""
    newest = next(iter(parts.journal.newest_first(record.migration)), None)
    if newest is None or newest.what == _UNFINISHED or now - newest.at < RETIREMENT_RESTS:
        return
    reason = (
        f"blue's retirement has done nothing since {newest.at.isoformat()} and is not over, so its execution is dead; "
        "start it again (crossfade retire), it does what is left"
    )
    parts.notices.tell(Notice(migration=record.migration, what="stuck", phase=record.phase, reason=reason, at=now))
    parts.journal.append(
        note(record.migration, _UNFINISHED, {"since": newest.at.isoformat()}, fence=record.fence, at=now)
    )
    yield reason


def _tend_detours(record: MigrationRecord, parts: Watch, now: datetime) -> Iterator[str]:
    """Keep every detour filled with blue's targets of the moment; write down why one could not be taken, once."""
    for edge in parts.journal.edges(record.migration):
        if edge.resolved.detour is None:
            continue
        why = parts.edges.tend(edge)
        if not why:
            continue
        story = parts.journal.newest_first(record.migration)
        told = next((entry for entry in story if (entry.what, entry.subject) == (_DETOUR, edge.name)), None)
        if told is None or told.detail.get("why") != why:
            detour = Entry(
                migration=record.migration, at=now, kind="note", what=_DETOUR, subject=edge.name, detail={"why": why}
            )
            parts.journal.append(detour)
        yield why


def _close(migration: str, parts: Watch, now: datetime) -> Iterator[str]:
    """Tell people; then put back what is left of a migration that is over, and forget it."""
    told = tell_moves(migration, journal=parts.journal, notices=parts.notices, now=now)
    if told:
        yield f"people are told of {told} moves"
    record = parts.journal.read(migration)
    if record.phase not in CLOSED:
        return
    if record.phase is Phase.ROLLED_BACK and parts.journal.blues(migration):
        request = FreezeRequest(migration=migration, fence=record.fence)
        thaw(request, journal=parts.journal, scaling=parts.scaling, blues=parts.blues, now=now)
        yield "blue is thawed"
    if record.phase is Phase.ROLLED_BACK:
        yield from _tidy(record, parts, now)
    ejections = ejection_alarm(migration)
    parts.gathered.remove([composite_alarm(migration)])
    if parts.alarms.in_alarm([ejections]):
        yield f"{ejections} still rings, and is kept until it is quiet"
        return
    parts.gathered.remove([ejections])
    with suppress(Refused):  # without a plan nothing names the log
        parts.feed.unsubscribe(read_plan(parts.plans, record.plan).proxy_logs.group)
    if record.phase is Phase.DONE:
        parts.journal.expire_entries(migration, at=now + ENTRIES_ARE_KEPT)
    parts.journal.unindex(OPEN, migration)
    if parts.journal.read(migration).phase not in CLOSED:  # opened anew between the two: it is watched all the same
        parts.journal.index(OPEN, migration)


def _tidy(record: MigrationRecord, parts: Watch, now: datetime) -> Iterator[str]:
    """Take away what a rolled-back green must not keep: its scaling, and services that never became whole."""
    try:
        plan = read_plan(parts.plans, record.plan)
    except Refused as lost:  # nothing says what was green any more, and nothing waits for it
        yield f"green is left as it is: {lost}"
        return
    for service in plan.services:
        name = service.green.service_name
        green = parts.services.describe(plan.cluster, name)
        if green is None or green.migration != record.migration:
            continue
        parts.green_scaling.remove(plan.cluster, name)
        was_whole = green.primary is not None and green.primary.rollout is Rollout.COMPLETED
        if was_whole or green.status != "ACTIVE":
            continue
        intent = Entry(
            migration=record.migration,
            at=now,
            kind="intent",
            what="remove",
            subject=service_resource(plan.cluster, name),
            detail={"found": green.progress},
            fence=record.fence,
        )
        parts.journal.append(intent, fence=record.fence)  # refused once the migration was opened anew
        parts.services.remove(plan.cluster, name)
        yield f"{name}, which never became whole, is removed: {green.progress}"


def _watch_open(record: MigrationRecord, parts: Watch, now: datetime) -> Iterator[str]:
    dead = _dead(record, parts)
    if dead:
        yield _go_back(record, dead, parts, now)
        return
    plan = read_plan(parts.plans, record.plan)
    reason = overdue(record, plan, parts, now) or _alarmed(record, plan, parts, now) or _dying(record, plan, parts, now)
    if reason:
        yield _go_back(record, reason, parts, now)
        return
    worse, blind = _parked(record, plan, parts, now)
    if worse:
        yield _go_back(record, worse, parts, now)
        return
    yield from blind
    yield from protect_again(parts.journal, record.migration, parts.blues)
    missing = recount(
        record,
        plan,
        journal=parts.journal,
        services=parts.services,
        edges=parts.edges,
        notices=parts.notices,
        now=now,
    )
    if missing:
        yield f"held: {missing}"
    yield from _drift(record, parts, now)
    _release_quiet_alarms(record, parts, now)
    yield from _undelivered(record, parts, now)


def _parked(
    record: MigrationRecord, plan: MigrationPlan, parts: Watch, now: datetime
) -> tuple[str | None, tuple[str, ...]]:
    """Return why green is worse where nobody climbs from its share any more, and where nobody can tell, which holds."""
    held: list[str] = []
    for edge in parts.journal.edges(record.migration):
        by = f"{_JUDGE}{edge.name}"
        seen = guard_parked(record, plan, edge, journal=parts.journal, sight=parts.sight, meter=parts.meter, now=now)
        if seen is not None and seen.worse:
            return f"edge {edge.name}, which waits: {seen.worse}", ()
        if seen is not None and seen.blind:
            hold(record, by, seen.blind, journal=parts.journal, notices=parts.notices, now=now)
            held.append(f"held: edge {edge.name}: {seen.blind}")
        elif seen is None or seen.is_due:
            release(record, by, journal=parts.journal, now=now)
    return None, tuple(held)


def _go_back(record: MigrationRecord, reason: str, parts: Watch, now: datetime) -> str:
    begin_rollback(record.migration, reason, journal=parts.journal, executions=parts.executions, now=now)
    return f"rolled back: {reason}"


def _dead(record: MigrationRecord, parts: Watch) -> str | None:
    """Return why the executions that the migration runs on will do nothing more; None while they live."""
    for what, arn in (("migrate", record.execution), ("climb", record.climb)):
        status = parts.executions.status(arn) if arn else None
        if status is not None and status not in _LIVES:  # None: it ended so long ago that its history is gone
            return f"{what} is {status}, and nobody was told"
    return None


def overdue(record: MigrationRecord, plan: MigrationPlan, parts: Watch, now: datetime) -> str | None:
    """Return why green has not been looked at in time; None when it was, or when `migrate` has done its work."""
    due = parts.journal.look_due(record.migration)
    if due is None or parts.executions.status(record.execution) is not ExecutionStatus.RUNNING:
        return None
    late = int((now - due).total_seconds())
    return f"a look at green is {late} s overdue" if late > plan.timings.overdue_seconds else None


def _alarmed(record: MigrationRecord, plan: MigrationPlan, parts: Watch, now: datetime) -> str | None:
    """Return which alarm rings that nobody has silenced; one that is silenced only holds."""
    held = {each.by.removeprefix(_ALARM) for each in parts.journal.holds(plan.migration)}
    ringing = sorted(parts.alarms.in_alarm(plan.alarms)) if plan.alarms else []
    silenced = parts.gathered.silenced(ringing) if ringing else {}
    for name, by in silenced.items():
        why = f"alarm {name} is in ALARM and silenced by {by}"
        hold(record, f"{_ALARM}{name}", why, journal=parts.journal, notices=parts.notices, now=now)
    loud = [name for name in ringing if name not in silenced and name not in held]
    return f"alarm {loud[0]} is in ALARM" if loud else None


def _dying(record: MigrationRecord, plan: MigrationPlan, parts: Watch, now: datetime) -> str | None:
    if record.phase is Phase.CREATING:
        return None  # ECS's circuit breaker counts while a deployment runs
    for service in plan.services:
        reason = dying(
            service.green.service_name, parts.services.stopped(plan.cluster, service.green.service_name), now
        )
        if reason:
            return reason
    return None


def dying(name: str, stopped: tuple[StoppedTask, ...], now: datetime) -> str | None:
    """Return why a green service's tasks are dying in a row; None when they are not."""
    lately = [task for task in stopped if task.died and now - task.at <= DYING_WINDOW]
    if len(lately) < DYING_TASKS:
        return None
    newest = max(lately, key=lambda task: task.at)
    minutes = int(DYING_WINDOW.total_seconds() / 60)
    return f"{len(lately)} tasks of {name} died within {minutes} minutes, the last of: {newest.reason}"


def _drift(record: MigrationRecord, parts: Watch, now: datetime) -> Iterator[str]:
    for edge in parts.journal.edges(record.migration):
        by = f"{_DRIFT}{edge.name}"
        drifted = _drifted(edge, parts.edges)
        if drifted:
            hold(record, by, drifted, journal=parts.journal, notices=parts.notices, now=now)
            yield f"held: {drifted}"
        else:
            release(record, by, journal=parts.journal, now=now)


def _drifted(edge: EdgeRecord, edges: Edges) -> str | None:
    """Return how an edge differs from what it was last given; a shift in flight is no drift."""
    if edge.resolved.green_arn is None:
        return None
    try:
        shares = edges.shifter(edge).shares()
    except EdgeChanged as changed:
        return f"edge {edge.name}: {changed}"
    ours = (edge.held_bp, edge.asked_bp)
    for share in shares:
        if min(abs(share.bp - bp) for bp in ours) > 2 * ROUNDING_BP:
            return f"edge {edge.name}: green holds {share} and was given {Share(edge.held_bp)}; someone else changed it"
    return None


def _release_quiet_alarms(record: MigrationRecord, parts: Watch, now: datetime) -> None:
    for each in parts.journal.holds(record.migration):
        name = each.by.removeprefix(_ALARM)
        if name != each.by and name not in parts.alarms.in_alarm([name]):
            release(record, each.by, journal=parts.journal, now=now)


def _undelivered(record: MigrationRecord, parts: Watch, now: datetime) -> Iterator[str]:
    try:
        count = parts.undelivered.count()
    except TryAgain:
        return
    if not count:
        return
    said = [e.detail.get("count", 0) for e in parts.journal.entries(record.migration) if e.what == "undelivered"]
    if said and said[-1] >= count:
        return
    reason = f"{count} events could not be delivered to the guards; they wait in the queue UndeliveredEvents"
    parts.journal.append(note(record.migration, "undelivered", {"count": count}, fence=record.fence, at=now))
    parts.notices.tell(
        Notice(migration=record.migration, what="undelivered", phase=record.phase, reason=reason, at=now)
    )
    yield reason
