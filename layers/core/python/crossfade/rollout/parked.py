"""
Guards a share that nobody climbs from: green waits for a person, for another edge, or at 100 % for blue's retirement.

The rung was found healthy and left, so no state machine looks at it any more; `watch` does,
every metric period in the first hour and every fifth one after that. Its evidence begins
anew every 120 periods, each with its own part of alpha, so that neither what is read nor what is
kept grows with the days; and it is kept only where it says something new, or an hour later.

It never gives green more. What is worse rolls back; what cannot be known only holds, since
nothing is promoted by standing still.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from crossfade.journal.edges import EdgeRecord
from crossfade.journal.journal import Journal
from crossfade.journal.model import Entry, MigrationRecord
from crossfade.judge.action import alpha_is_split_by, keep, looks_before
from crossfade.judge.judge import judge
from crossfade.judge.look import Look, kept_look
from crossfade.judge.meter import LookMeter, age_of_the_last_look, measures
from crossfade.judge.reading import Readings, Wanting
from crossfade.judge.replay import evidence_digest
from crossfade.judge.sight import Sight, see
from crossfade.judge.verdict import Answer, Verdict
from crossfade.plan.document import MigrationPlan
from crossfade.resources import alarm_resource

EPOCH_PERIODS: Final = 120
"""Metric periods after which the evidence begins anew."""

_AT_REST_PERIODS: Final = 2
"""A rung that was left so lately may be about to be climbed from."""

_BUSY_PERIODS: Final = 60
_EVERY: Final = 5
"""In the first 60 periods each is looked at, later every fifth: a question to CloudWatch has its price."""

_KEPT_EVERY_PERIODS: Final = 60

_BASEL: Final = 1.645
"""The sum of 1 / n² is less: the n-th beginning has so little of alpha that all of them together have one part."""


@dataclass(frozen=True, slots=True)
class Parked:
    """What was seen of an edge whose rung was left: why to go back, or why nobody can tell, if a look is due."""

    worse: str | None = None
    blind: str | None = None
    is_due: bool = True


def guard_parked(
    record: MigrationRecord,
    plan: MigrationPlan,
    edge: EdgeRecord,
    *,
    journal: Journal,
    sight: Sight,
    meter: LookMeter,
    now: datetime,
) -> Parked | None:
    """
    Look at an edge whose rung was left; None where it was not, because its climb still looks or it has no share.

    Safe to repeat: it changes nothing but the journal.

    Raises:
        Fenced: a rollback has begun.
        JournalBusy: the journal is throttled.
    """
    newest = next(iter(looks_before(journal, record.migration, edge.name, since=now)), None)
    left = kept_look(newest) if newest is not None else None
    if newest is not None and edge.held_bp:
        meter.publish(record.migration, edge.name, now, age_of_the_last_look((now - newest.at).total_seconds()))
    if newest is None or left is None or not _is_left(left, edge):
        return None
    period = plan.timings.period_seconds
    since = left.parked_since or newest.at
    periods = int((now - since).total_seconds() // period)
    if periods < _AT_REST_PERIODS or (periods >= _BUSY_PERIODS and periods % _EVERY):
        return Parked(is_due=False)
    epoch = periods // EPOCH_PERIODS
    began = since + timedelta(seconds=period * EPOCH_PERIODS * epoch)
    before = looks_before(journal, record.migration, edge.name, since=began)
    readings = _unsilenced(
        see(edge, plan, before, since=began, opened_at=record.opened_at, sight=sight, now=now), record, journal
    )
    rung = left.rung.model_copy(update={"soak_seconds": 0})
    tests = alpha_is_split_by(plan) * ceil(_BASEL * (epoch + 1) ** 2)
    judgement = judge(readings, rung, plan.bounds, tests=tests)
    look = Look(
        look=periods,
        rung=rung,
        bounds=plan.bounds,
        tests=tests,
        readings=readings,
        judgement=judgement,
        answered=judgement.answer,
        shadow=plan.judging == "shadow",
        parked_since=since,
        previous=evidence_digest(newest),
    )
    meter.publish(record.migration, edge.name, now, measures(look))
    if _says_something_new(look, left, newest, now=now):
        keep(look, edge=edge.name, migration=record.migration, fence=record.fence, journal=journal, now=now)
    if plan.judging == "shadow" or judgement.answer is not Answer.ROLL_BACK:
        return Parked()
    if judgement.verdict is Verdict.UNHEALTHY:
        return Parked(worse=judgement.reason)
    # The same words at every look, since who is held by them is told once.
    return Parked(blind="; ".join(readings.faults) or "one side is not counted any more, while the other is served")


def _unsilenced(readings: Readings, record: MigrationRecord, journal: Journal) -> Readings:
    """Return the readings without the alarms that a person has silenced, which only hold."""
    held = {hold.by for hold in journal.holds(record.migration)}
    heard = {name: state for name, state in readings.alarms.items() if alarm_resource(name) not in held}
    return readings.model_copy(update={"alarms": heard})


def _is_left(look: Look, edge: EdgeRecord) -> bool:
    if edge.held_bp == 0 or (edge.held_bp, edge.asked_bp) != (look.rung.share_bp, look.rung.share_bp):
        return False
    return look.parked_since is not None or look.answered is Answer.ADVANCE


def _says_something_new(look: Look, kept: Look, entry: Entry, *, now: datetime) -> bool:
    hour = timedelta(seconds=look.readings.window.period_seconds * _KEPT_EVERY_PERIODS)
    if kept.parked_since is None or now - entry.at >= hour:
        return True
    if (look.judgement.answer, look.judgement.verdict) != (kept.judgement.answer, kept.judgement.verdict):
        return True
    return bool(look.readings.faults) != bool(kept.readings.faults) or _lacks(look) != _lacks(kept)


def _lacks(look: Look) -> Sequence[Wanting]:
    return [each.model_copy(update={"below_seconds": 0}) for each in look.readings.wanting]
