"""Obey Operator: what a person says to a migration that is open, from the command and from the console alike."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from crossfade.errors import BadInput
from crossfade.executions.executions import Executions
from crossfade.frozen import Frozen
from crossfade.journal.hold import OPERATOR, Hold
from crossfade.journal.journal import Journal
from crossfade.journal.model import MigrationRecord, bounded_reason
from crossfade.journal.note import note
from crossfade.request import Request
from crossfade.rollout.approving import OTHERWISE, answer_approval
from crossfade.rollout.holding import GOING

Do = Literal["approve", "reject", "hold", "resume"]
"""What a person may say; to go back and to retire blue are machines of their own."""


class OperatorRequest(Request):
    """Do this with a migration. `who` says so, and why."""

    migration: str
    do: Do
    who: str = Field(min_length=1)
    why: str = ""


class Obeyed(Frozen):
    """What was done, in one sentence."""

    migration: str
    said: str


def obey(request: OperatorRequest, *, journal: Journal, executions: Executions, now: datetime) -> Obeyed:
    """
    Answer what waits for a person, hold, or end every hold.

    Safe to repeat: who holds again holds, and what is not held is not resumed. People are told
    of a hold by `watch`.

    Raises:
        BadInput: nothing waits for an answer, or no more; or the migration is not open.
        UnknownMigration: no such migration.
        ExecutionsBusy, JournalBusy: as the ports.
    """
    record = journal.read(request.migration)
    if request.do == "hold":
        said = _hold(record, request, journal, now)
    elif request.do == "resume":
        said = _resume(record, request, journal, now)
    else:
        said = _answer(request, journal, executions, now)
    return Obeyed(migration=request.migration, said=said)


def _hold(record: MigrationRecord, request: OperatorRequest, journal: Journal, now: datetime) -> str:
    if record.phase not in GOING:
        raise BadInput(f"{record.migration} is {record.phase}: there is nothing to hold")
    why = bounded_reason(f"{request.who}: {request.why or 'unsaid'}")
    journal.keep_hold(Hold(migration=record.migration, by=OPERATOR, why=why, at=now, fence=record.fence))
    journal.append(note(record.migration, "held", {"by": OPERATOR, "why": why}, fence=record.fence, at=now))
    return f"{record.migration} is held: green gets no larger share until you resume, and may still go back"


def _resume(record: MigrationRecord, request: OperatorRequest, journal: Journal, now: datetime) -> str:
    holds = journal.holds(record.migration)
    if not holds:
        return f"{record.migration} is {record.phase} and nobody holds it: nothing is changed"
    for hold in holds:
        journal.drop_hold(record.migration, hold.by)
        journal.append(
            note(record.migration, "released", {"by": hold.by, "who": request.who}, fence=record.fence, at=now)
        )
    held = ", ".join(hold.by for hold in holds)
    return f"{record.migration} goes on, no more held by {held}; what a guard still finds wrong holds it again"


def _answer(request: OperatorRequest, journal: Journal, executions: Executions, now: datetime) -> str:
    approved = request.do == "approve"
    heard = answer_approval(
        request.migration,
        approved=approved,
        who=request.who,
        why=request.why or "unsaid",
        journal=journal,
        executions=executions,
        now=now,
    )
    if not heard:
        raise BadInput(f"{request.migration} does not wait any more: the answer came too late")
    asked = [entry.detail for entry in journal.entries(request.migration) if entry.what == "asked"]
    subject, refused = "what waits", "it does not go on"  # who asked may have died before it was noted
    if asked:
        subject, refused = asked[-1]["subject"], OTHERWISE[asked[-1]["asked"]]
    said = f"approved by {request.who}; it goes on" if approved else f"rejected by {request.who}; {refused}"
    return f"{request.migration}: {subject} is {said}"
