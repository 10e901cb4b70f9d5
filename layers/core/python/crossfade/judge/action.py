"""Judge Green: one look at a rung."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import AwareDatetime, Field

from crossfade.errors import UnknownEdge
from crossfade.frozen import Frozen
from crossfade.journal.fence import read_fenced
from crossfade.journal.journal import Journal
from crossfade.journal.model import Entry
from crossfade.judge.judge import judge
from crossfade.judge.judgement import Judgement, is_suspicious
from crossfade.judge.look import EVIDENCE, Look
from crossfade.judge.meter import LookMeter, measures
from crossfade.judge.reading import AlarmState, Readings
from crossfade.judge.replay import evidence_digest, judge_again
from crossfade.judge.sight import SLOWED, Sight, see, was_faulty
from crossfade.judge.verdict import Answer, Verdict
from crossfade.plan.document import MigrationPlan, Timings
from crossfade.plan.edges import Rung
from crossfade.plan.store import PlanStore, read_plan
from crossfade.request import Request
from crossfade.shift.action import RungRef

__all__ = ["EVIDENCE", "JudgeRequest", "Judged", "Look", "judge_again", "judge_green", "next_look_seconds"]


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
    sight: Sight,
    meter: LookMeter,
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
    before = looks_before(journal, request.migration, request.edge, since=request.since)
    readings = see(edge, plan, before, since=request.since, opened_at=record.opened_at, sight=sight, now=now)
    rung = Rung(share_bp=request.rung.share_bp, soak_seconds=request.rung.soak_seconds, kind=request.rung.kind)
    following = _following(plan, request)
    tests = alpha_is_split_by(plan)
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
    keep(look, edge=request.edge, migration=request.migration, fence=request.fence, journal=journal, now=now)
    meter.publish(request.migration, request.edge, now, measures(look))
    pause = next_look_seconds(plan.timings, request.look, suspicious=is_suspicious(judgement))
    if answer is Answer.ADVANCE:  # what follows is a shift, or nothing at the last rung, while other edges climb on
        journal.forget_look(request.migration, request.edge, fence=request.fence)
    else:
        due = now + timedelta(seconds=pause)
        journal.expect_look(request.migration, due, fence=request.fence, edge=request.edge)
    return Judged(
        answer=answer,
        verdict=judgement.verdict,
        reason=reason,
        would_change=judgement.would_change,
        next_look_seconds=pause,
        log_e=judgement.log_e,
    )


def alpha_is_split_by(plan: MigrationPlan) -> int:
    """Return by how many alpha is divided: every rung, once while it is climbed and once while green waits there."""
    return 2 * sum(len(edge.ladder) for edge in plan.edges)


def keep(look: Look, *, edge: str, migration: str, fence: int, journal: Journal, now: datetime) -> None:
    """
    Keep a look as evidence.

    Raises:
        Fenced: a rollback has begun.
    """
    journal.append(
        Entry(
            migration=migration,
            at=now,
            kind="evidence",
            what=EVIDENCE,
            subject=edge,
            detail=look.model_dump(mode="json"),
            fence=fence,
        ),
        fence=fence,
    )


def next_look_seconds(timings: Timings, look: int, *, suspicious: bool = False) -> int:
    """
    Return how long to wait after this look; a long hold is looked at less often, so its history stays small.

    While evidence against green grows, the pace of the beginning goes on until the slowest is due.
    """
    times = next((factor for least, factor in SLOWED if look >= least), 1)
    return timings.look_seconds * (1 if suspicious and times < SLOWED[0][1] else times)


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


def looks_before(journal: Journal, migration: str, edge: str, *, since: datetime) -> tuple[Entry, ...]:
    """Return the newest look at this edge, and those before it that had a fault since then, newest first."""
    found: list[Entry] = []
    for entry in journal.newest_first(migration):
        if (entry.kind, entry.what, entry.subject) != ("evidence", EVIDENCE, edge):
            continue
        found.append(entry)
        if not was_faulty(entry, since):
            break
    return tuple(found)
