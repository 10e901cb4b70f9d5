"""Approvals: a state waits with its task token until a person has answered, or until it is too late."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from crossfade.errors import BadInput
from crossfade.events.outbound import Notice, Notices
from crossfade.executions.executions import Executions
from crossfade.frozen import Frozen, Seconds
from crossfade.journal.fence import read_fenced
from crossfade.journal.journal import Journal
from crossfade.journal.model import Token, bounded_reason
from crossfade.journal.note import note
from crossfade.phases import Phase
from crossfade.request import Request

Asked = Literal["climb", "rung", "retirement"]

OTHERWISE: dict[Asked, str] = {
    "climb": "the migration is closed",
    "rung": "it goes back",
    "retirement": "blue stays as it is",
}
"""What becomes of each kind when nobody answers in time."""


class ApprovalRequest(Request):
    """Ask a person whether it may go on. `token` resumes the state that asks."""

    migration: str
    fence: int
    asked: Asked
    subject: str
    expiry_seconds: Seconds
    token: str


class ApprovalAsked(Frozen):
    """That a person was asked, and until when an answer counts."""

    migration: str
    asked: Asked
    until: datetime


def approval_resource(migration: str) -> str:
    """Return the journal's key under which an approval's token waits."""
    return f"approval:{migration}"


def ask_approval(request: ApprovalRequest, *, journal: Journal, notices: Notices, now: datetime) -> ApprovalAsked:
    """
    Keep the token, enter HELD while traffic stays as it is, and tell people.

    Safe to repeat: the newest token replaces the one before, and a second notice costs a
    glance. At retirement the phase stays, since nothing is held up by it.

    Raises:
        Fenced: a rollback has begun.
        NoticesBusy, JournalBusy: as the ports.
    """
    record = read_fenced(journal, request.migration, request.fence)
    until = now + timedelta(seconds=request.expiry_seconds)
    if request.asked != "retirement":
        journal.expect_look(request.migration, until, fence=request.fence)
        record = journal.enter(request.migration, Phase.HELD, fence=request.fence, at=now)
    resource = approval_resource(request.migration)
    journal.keep_token(Token(migration=request.migration, resource=resource, token=request.token, at=now))
    said = f"approve {request.subject}? Without an answer until {until:%Y-%m-%d %H:%M} UTC {OTHERWISE[request.asked]}."
    detail = {"asked": request.asked, "subject": request.subject, "until": until.isoformat()}
    journal.append(note(request.migration, "asked", detail, fence=record.fence, at=now))
    notices.tell(Notice(migration=request.migration, what="waiting", phase=record.phase, reason=said, at=now))
    return ApprovalAsked(migration=request.migration, asked=request.asked, until=until)


def answer_approval(
    migration: str,
    *,
    approved: bool,
    who: str,
    why: str,
    journal: Journal,
    executions: Executions,
    now: datetime,
) -> bool:
    """
    Answer what waits; return False when it waits no more, since the answer came too late.

    Raises:
        BadInput: nothing waits for an answer.
        UnknownMigration, ExecutionsBusy, JournalBusy: as the ports.
    """
    record = journal.read(migration)
    token = journal.token(approval_resource(migration))
    if token is None:
        raise BadInput(f"nothing of {migration} waits for an approval; it is {record.phase}")
    detail = {"who": who, "why": bounded_reason(why)}
    journal.append(note(migration, "approved" if approved else "rejected", detail, fence=record.fence, at=now))
    heard = executions.succeed_task(token.token, {"approved": approved, **detail})
    journal.drop_token(token.resource, token.token)
    return heard
