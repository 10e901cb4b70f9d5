"""Approvals wait for a person, are answered once, and hold nothing up that is over."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crossfade.errors import BadInput, Fenced
from crossfade.events.memory import MemoryNotices
from crossfade.executions.memory import MemoryExecutions
from crossfade.journal.memory import MemoryJournal
from crossfade.phases import Phase
from crossfade.rollout.approving import OTHERWISE, ApprovalRequest, Asked, answer_approval, ask_approval
from tests.traffic import NOON, a_record, an_edge

TOKEN = "t-1"  # noqa: S105 — a task token


class Desk:
    def __init__(self, phase: Phase = Phase.CLIMBING) -> None:
        self.journal, self.notices, self.executions = MemoryJournal(), MemoryNotices(), MemoryExecutions()
        self.journal.open(a_record(phase=phase), [an_edge()])

    def ask(self, asked: Asked = "rung", fence: int = 1) -> None:
        request = ApprovalRequest(
            migration="shop", fence=fence, asked=asked, subject="50 % at web", expiry_seconds=600, token=TOKEN
        )
        self.executions.waiting.add(TOKEN)
        ask_approval(request, journal=self.journal, notices=self.notices, now=NOON)

    def answer(self, *, approved: bool = True) -> bool:
        return answer_approval(
            "shop",
            approved=approved,
            who="ann",
            why="looks good",
            journal=self.journal,
            executions=self.executions,
            now=NOON,
        )


@pytest.mark.parametrize("approved", [True, False])
def test_the_answer_reaches_the_state_that_waits_and_the_journal(*, approved: bool) -> None:
    desk = Desk()
    desk.ask()

    heard = desk.answer(approved=approved)

    assert heard
    assert desk.executions.answers == {TOKEN: {"approved": approved, "who": "ann", "why": "looks good"}}
    assert desk.journal.entries("shop")[-1].what == ("approved" if approved else "rejected")


@pytest.mark.parametrize("asked", ["climb", "rung"])
def test_while_a_person_is_asked_the_migration_is_held_and_no_look_is_overdue(asked: Asked) -> None:
    desk = Desk(Phase.READY if asked == "climb" else Phase.CLIMBING)

    desk.ask(asked)

    assert desk.journal.read("shop").phase is Phase.HELD
    assert desk.journal.look_due("shop") == NOON + timedelta(seconds=600)


def test_at_retirement_the_phase_stays() -> None:
    desk = Desk(Phase.WATCHING)

    desk.ask("retirement")

    assert desk.journal.read("shop").phase is Phase.WATCHING


@pytest.mark.parametrize("asked", OTHERWISE)
def test_people_are_told_what_is_asked_and_what_happens_otherwise(asked: Asked) -> None:
    desk = Desk(Phase.WATCHING)

    desk.ask(asked)

    [notice] = desk.notices.told
    assert notice.what == "waiting"
    assert "50 % at web" in notice.reason
    assert OTHERWISE[asked] in notice.reason


def test_an_answer_is_taken_once() -> None:
    desk = Desk()
    desk.ask()
    desk.answer()

    with pytest.raises(BadInput, match="nothing of shop waits"):
        desk.answer()


def test_an_answer_that_comes_too_late_is_said_to() -> None:
    desk = Desk()
    desk.ask()
    desk.executions.waiting.clear()

    assert not desk.answer()


def test_a_stale_executor_asks_nobody() -> None:
    desk = Desk()
    desk.journal.raise_fence("shop", seen=1, reason="ordered", at=NOON)

    with pytest.raises(Fenced):
        desk.ask()

    assert desk.notices.told == []
