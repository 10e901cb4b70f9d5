"""
Guards: what is done when AWS says that something happened.

A guard may resume a task that waits, hold, or start a rollback; it never gives green more.
Events are hints. Each guard asks the journal whom the news concern and AWS whether
they are true, so that duplicated, late and reordered ones change nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from crossfade.connect.services import Services, ServiceState
from crossfade.errors import BlueIsGone, TryAgain, UnknownMigration
from crossfade.events.inbound import (
    AlarmStateChanged,
    DeploymentStateChanged,
    ExecutionStatusChanged,
    ProxyLogDelivered,
)
from crossfade.events.outbound import Notices
from crossfade.executions.executions import Executions, ExecutionStatus
from crossfade.frozen import Frozen
from crossfade.journal.journal import Journal
from crossfade.journal.model import MigrationRecord, Token
from crossfade.judge.alarms import Alarms
from crossfade.judge.look import blue_fails_too
from crossfade.judge.proxylog_failures import failures
from crossfade.judge.proxylog_feed import ProxyMeter, ProxyStreams, ejection_alarm
from crossfade.judge.proxylog_replay import Confidence, Ejected
from crossfade.judge.proxylog_report import ACTED_ON, Counts, Report, report
from crossfade.phases import Phase
from crossfade.resources import alarm_resource
from crossfade.rollout.gathered import GatheredAlarms, composite_alarm
from crossfade.rollout.holding import GOING, hold
from crossfade.rollout.rollback import begin_rollback

COMPLETED, FAILED = "SERVICE_DEPLOYMENT_COMPLETED", "SERVICE_DEPLOYMENT_FAILED"

_ENDED_BADLY = frozenset({ExecutionStatus.FAILED, ExecutionStatus.TIMED_OUT, ExecutionStatus.ABORTED})
_STOPPED_BY_ROLLBACK = "RolledBack"
"""The error with which `roll_back` stops `migrate`."""

_SERVING: Final = frozenset({Phase.CLIMBING, Phase.BAKING, Phase.WATCHING})
"""The phases in which green has a share, so that an ejection says something about it."""

_READ_BEFORE: Final = timedelta(seconds=60)
"""How much is read before the first failed request of a batch: a bout of five failures is over sooner."""

_REMEMBERED: Final = timedelta(days=2)
"""Longer than Lambda and CloudWatch Logs go on delivering a batch."""

_LATE: Final = timedelta(seconds=900)
"""A line that comes later says nothing of now."""


class GuardAnswer(Frozen):
    """What a guard did, and why; for the log, since nobody waits for it."""

    did: Literal["nothing", "resumed", "held", "rolled_back"]
    why: str
    migration: str | None = None


def guard_alarm(
    event: AlarmStateChanged,
    *,
    journal: Journal,
    alarms: Alarms,
    gathered: GatheredAlarms,
    executions: Executions,
    notices: Notices,
    now: datetime,
) -> GuardAnswer:
    """
    Roll back every open migration whose plan names an alarm that is in ALARM.

    Most often it is the one in which the plan's alarms are gathered; then those that ring
    are asked for. What CloudWatch says now decides, so events may come in any order, and an
    event of one contributor, which may not say the alarm's own state, is asked like any
    other. An alarm that a person has muted or suppressed only holds. Idempotent:
    `begin_rollback` is, and a state that is no longer true does nothing.
    """
    name = event.detail.alarm_name
    if event.detail.state.value not in {"ALARM", ""}:
        return _nothing(f"alarm {name} went to {event.detail.state.value}")
    migrations = journal.migrations_of(event.resource)
    if not migrations:
        return _nothing(f"no migration watches alarm {name}")
    if name not in alarms.in_alarm([name]):
        return _nothing(f"alarm {name} is no longer in ALARM")
    ringing = _ringing(event, migrations, alarms, gathered)
    loud = [each for each, by in ringing.items() if by is None]
    if not ringing:
        return _nothing(f"no alarm that {name} gathers is in ALARM any more")
    if not loud:
        answers = [
            _hold(
                migrations,
                alarm_resource(each),
                f"alarm {each} is in ALARM and silenced by {by}",
                journal=journal,
                notices=notices,
                now=now,
            )
            for each, by in ringing.items()
        ]
        return answers[0]
    name = loud[0]
    if all(each == ejection_alarm(migration) for migration in migrations for each in loud):
        why = f"alarm {name} is in ALARM"
        return _roll_back_alone(migrations, why, journal=journal, executions=executions, now=now)
    return _roll_back(migrations, f"alarm {name} is in ALARM", journal=journal, executions=executions, now=now)


def _ringing(
    event: AlarmStateChanged, migrations: Sequence[str], alarms: Alarms, gathered: GatheredAlarms
) -> Mapping[str, str | None]:
    """Return the alarms that ring, each with who has silenced it: the one of the event, or those that it gathers."""
    name, silenced = event.detail.alarm_name, event.detail.silenced_by
    members = gathered.members(name) if name in map(composite_alarm, migrations) else ()
    if not members:
        return {name: silenced}
    ringing = alarms.in_alarm(members)
    by = gathered.silenced(ringing)
    return {each: by.get(each, silenced) for each in members if each in ringing}


def guard_execution(
    event: ExecutionStatusChanged, *, journal: Journal, executions: Executions, now: datetime
) -> GuardAnswer:
    """
    Roll back a migration whose `migrate` or `climb` has ended badly.

    Only the executions that the migration runs on now count: an earlier rung's or an
    earlier attempt's end is no news. Idempotent: `begin_rollback` is.
    """
    arn, status = event.detail.execution_arn, event.detail.status
    if status not in _ENDED_BADLY:
        return _nothing(f"{arn} is {status}")
    migrations = journal.migrations_of(arn)
    if not migrations:
        return _nothing(f"{arn} is no migration's")
    if status == ExecutionStatus.ABORTED and event.detail.error == _STOPPED_BY_ROLLBACK:
        return _nothing(f"{arn} was stopped by the rollback itself", migrations[0])
    if executions.status(arn) in {ExecutionStatus.RUNNING, ExecutionStatus.SUCCEEDED}:
        return _nothing(f"{arn} is not {status} any more", migrations[0])
    current = [migration for migration in migrations if _runs_on(migration, arn, journal)]
    if not current:
        return _nothing(f"{arn} is not what its migration runs on now", migrations[0])
    told = f": {event.detail.error}" if event.detail.error else ""
    return _roll_back(
        current, f"{arn.split(':')[-2]} is {status}{told}", journal=journal, executions=executions, now=now
    )


def resume_service(
    event: DeploymentStateChanged,
    *,
    journal: Journal,
    services: Services,
    executions: Executions,
    notices: Notices,
    now: datetime,
) -> GuardAnswer:
    """
    Answer the task that waits for a service; roll back when a deployment of green fails that nobody waits for.

    A deployment of blue holds until a person resumes: blue is no longer what the plan was
    drawn from, and the way back leads to what was deployed.

    What ECS says of the service decides, not the event. Idempotent: a token is
    answered once, and a second answer finds nobody.
    """
    if event.detail.event_name not in {COMPLETED, FAILED} or event.resource is None or event.cluster is None:
        return _nothing(f"{event.detail.event_name} of {event.resources[0]} is no end of a deployment we know")
    token = journal.token(event.resource)
    migrations = journal.migrations_of(event.resource)
    if token is None and not migrations:
        return _nothing(f"no migration knows {event.resource}")
    state = services.describe(event.cluster, event.service)
    if state is None:
        return _nothing(f"{event.resource} does not exist")
    if token is not None:
        return _answer(token, state, journal=journal, executions=executions)
    if state.migration is None:
        opened_before = [each for each in migrations if _opened_before(each, event.time, journal)]
        why = f"{state.name} was deployed while traffic moves away from it: {state.progress}"
        return _hold(opened_before, event.resource, why, journal=journal, notices=notices, now=now)
    if state.failure is None:
        return _nothing(f"{event.resource} is {state.progress}, and nobody waits for it")
    if state.migration not in migrations:
        return _nothing(f"{event.resource} was made by no migration that is known here")
    return _roll_back(
        [state.migration],
        f"the deployment of {state.name} failed: {state.failure}",
        journal=journal,
        executions=executions,
        now=now,
    )


def guard_proxy_log(
    event: ProxyLogDelivered,
    *,
    journal: Journal,
    streams: ProxyStreams,
    meter: ProxyMeter,
    executions: Executions,
    now: datetime,
) -> GuardAnswer:
    """
    Roll back a migration in which green has a share, when one of its proxies ejected a task.

    Envoy's own events decide. A batch that has none but failed requests makes the log be
    read whole, and ejections be rebuilt; when it cannot be, nothing is known, and the
    judge goes on by itself. While the judge's last look has seen blue fail too, an
    ejection is left to the judge. The batch's counts are published. Idempotent:
    `begin_rollback` is, a line counts by its own time, however late it comes, and a
    batch that is delivered twice is published once.
    """
    if not event.is_data:
        return _nothing(f"{event.message_type} of {event.log_group}")
    serving = {
        migration: record.opened_at
        for migration in journal.migrations_of(event.resource)
        if (record := _record(migration, journal)) is not None and record.phase in _SERVING
    }
    if not serving:
        return _nothing(f"no migration has a share on green and logs to {event.log_group}")
    batch = report({event.log_stream: [line.message for line in event.log_events]})
    found, why = batch, f"{len(event.log_events)} lines of {event.log_stream} tell of no ejection"
    if not any(each.confidence is Confidence.EVENT for each in batch.ejected) and batch.errors:
        since = datetime.fromtimestamp(batch.errors[0] / 1000, UTC) - _READ_BEFORE
        read = streams.read(event.log_group, since=max(since, now - _LATE), until=now)
        found = Report((), (), batch.errors, batch.seen) if read.faults else report(read.streams)
        why = "; ".join(read.faults) or why
    ejected = {
        migration: told
        for migration, opened_at in serving.items()
        if (told := _since(found.ejected, max(opened_at, now - _LATE)))
    }
    if ejected:
        first = next(iter(ejected.values()))[0]
        at = datetime.fromtimestamp(first.at / 1000, UTC)
        reason = f"the proxies' log tells of an ejection: {first.host} at {at:%H:%M:%S} ({first.confidence})"
        answer = _roll_back_alone(list(ejected), reason, journal=journal, executions=executions, now=now)
    else:
        answer = _nothing(why, ", ".join(serving))
    counts = _with_attempts(found.within(batch).counts(), event)
    for migration in serving:
        if journal.once(migration, f"proxy-log#{event.fingerprint}", until=now + _REMEMBERED):
            meter.publish(migration, counts)
    return answer


def _with_attempts(counts: Mapping[int, Counts], event: ProxyLogDelivered) -> dict[int, Counts]:
    failed = failures(line.message for line in event.log_events)
    nothing = Counts(0, 0, 0, 0)
    return {
        at: replace(counts.get(at, nothing), attempts=failed[at].attempts, grpc=failed[at].grpc)
        if at in failed
        else counts[at]
        for at in sorted({*counts, *failed})
    }


def _roll_back_alone(
    migrations: Sequence[str], reason: str, *, journal: Journal, executions: Executions, now: datetime
) -> GuardAnswer:
    """Begin the rollback of those migrations whose blue is not known to fail at this time, too."""
    alone = [migration for migration in migrations if not blue_fails_too(migration, journal=journal, now=now)]
    if alone:
        return _roll_back(alone, reason, journal=journal, executions=executions, now=now)
    return _nothing(f"{reason}; blue fails too, so the judge decides", ", ".join(migrations))


def _since(ejected: Sequence[Ejected], since: datetime) -> list[Ejected]:
    return [each for each in ejected if each.confidence in ACTED_ON and each.at >= since.timestamp() * 1000]


def _record(migration: str, journal: Journal) -> MigrationRecord | None:
    try:
        return journal.read(migration)
    except UnknownMigration:
        return None


def _answer(token: Token, state: ServiceState, *, journal: Journal, executions: Executions) -> GuardAnswer:
    newest = state.primary.id if state.primary else None
    if token.deployment is not None and newest != token.deployment:
        why = f"{state.name}: ECS went back from deployment {token.deployment}"
        heard = executions.fail_task(token.token, "GreenFailed", why)
    elif token.replaces is not None and newest == token.replaces:
        return _nothing(f"{state.name} is not deployed anew yet", token.migration)
    elif state.is_complete:
        heard = executions.succeed_task(token.token, {"service_arn": state.arn, "complete": True})
        why = f"{state.name} is complete"
    elif state.failure is not None:
        heard = executions.fail_task(token.token, "GreenFailed", f"{state.name}: {state.failure}")
        why = f"{state.name} failed: {state.failure}"
    else:
        return _nothing(f"{state.name} is {state.progress}", token.migration)
    journal.drop_token(token.resource, token.token)
    if not heard:
        return _nothing(f"{why}, and nobody waits for it any more", token.migration)
    return GuardAnswer(did="resumed", why=why, migration=token.migration)


def _opened_before(migration: str, at: datetime, journal: Journal) -> bool:
    try:
        return journal.read(migration).opened_at <= at
    except UnknownMigration:
        return False


def _hold(
    migrations: Sequence[str], by: str, why: str, *, journal: Journal, notices: Notices, now: datetime
) -> GuardAnswer:
    held = []
    for migration in migrations:
        try:
            record = journal.read(migration)
        except UnknownMigration:
            continue
        if record.phase in GOING:
            hold(record, by, why, journal=journal, notices=notices, now=now)
            held.append(migration)
    if not held:
        return _nothing(f"{why}; no migration is open that it concerns")
    return GuardAnswer(did="held", why=why, migration=", ".join(held))


def _runs_on(migration: str, arn: str, journal: Journal) -> bool:
    try:
        record = journal.read(migration)
    except UnknownMigration:
        return False
    return arn in {record.execution, record.climb}


def _roll_back(
    migrations: Sequence[str], reason: str, *, journal: Journal, executions: Executions, now: datetime
) -> GuardAnswer:
    """Begin the rollback of each migration, also when that of another could not begin."""
    answers: list[GuardAnswer] = []
    busy: list[TryAgain] = []
    for migration in migrations:
        try:
            answers.append(_roll_back_one(migration, reason, journal=journal, executions=executions, now=now))
        except TryAgain as later:
            busy.append(later)
    if busy:
        raise busy[0]
    begun = [answer for answer in answers if answer.did == "rolled_back"] or answers
    return GuardAnswer(
        did=begun[0].did,
        why="; ".join(answer.why for answer in answers),
        migration=", ".join(str(answer.migration) for answer in begun),
    )


def _roll_back_one(
    migration: str, reason: str, *, journal: Journal, executions: Executions, now: datetime
) -> GuardAnswer:
    try:
        started = begin_rollback(migration, reason, journal=journal, executions=executions, now=now)
    except BlueIsGone as gone:
        return _nothing(f"BlueIsGone: {gone}", migration)
    except UnknownMigration:
        return _nothing(f"{migration} was never opened", migration)
    if not started.needed:
        return _nothing(f"{migration} is rolled back already", migration)
    if started.joined:
        return _nothing(f"a rollback of {migration} runs already", migration)
    return GuardAnswer(did="rolled_back", why=reason, migration=migration)


def _nothing(why: str, migration: str | None = None) -> GuardAnswer:
    return GuardAnswer(did="nothing", why=why, migration=migration)
