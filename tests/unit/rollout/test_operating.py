"""What a person says is done, once it can be, and answered in one sentence."""

from __future__ import annotations

import pytest

from crossfade.errors import BadInput, UnknownMigration
from crossfade.events.memory import MemoryNotices
from crossfade.executions.memory import MemoryExecutions
from crossfade.journal.hold import OPERATOR, Hold
from crossfade.journal.memory import MemoryJournal
from crossfade.journal.model import Token
from crossfade.phases import Phase
from crossfade.rollout.approving import ApprovalRequest, Asked, approval_resource, ask_approval
from crossfade.rollout.operating import Do, OperatorRequest, obey
from tests.traffic import NOON, a_record, an_edge

TOKEN = "t-1"  # noqa: S105 — a task token


class Desk:
    def __init__(self, phase: Phase = Phase.CLIMBING) -> None:
        self.journal, self.executions = MemoryJournal(), MemoryExecutions(waiting={TOKEN})
        self.journal.open(a_record(phase=phase), [an_edge()])

    def ask(self, asked: Asked, subject: str) -> None:
        request = ApprovalRequest(
            migration="shop", fence=1, asked=asked, subject=subject, expiry_seconds=600, token=TOKEN
        )
        ask_approval(request, journal=self.journal, notices=MemoryNotices(), now=NOON)

    def says(self, do: Do, *, migration: str = "shop", why: str = "a release is under way") -> str:
        request = OperatorRequest(migration=migration, do=do, who="ann", why=why)
        return obey(request, journal=self.journal, executions=self.executions, now=NOON).said

    @property
    def holds(self) -> list[tuple[str, str]]:
        return [(hold.by, hold.why) for hold in self.journal.holds("shop")]


def test_a_migration_is_held_until_it_is_resumed() -> None:
    desk = Desk()

    held = desk.says("hold")
    standing = desk.holds
    resumed = desk.says("resume")

    assert held == "shop is held: green gets no larger share until you resume, and may still go back"
    assert standing == [(OPERATOR, "ann: a release is under way")]
    assert resumed == "shop goes on, no more held by operator; what a guard still finds wrong holds it again"
    assert desk.holds == []
    assert [entry.what for entry in desk.journal.entries("shop")][-2:] == ["held", "released"]


def test_who_holds_again_holds_once_and_for_the_newest_reason() -> None:
    desk = Desk()

    desk.says("hold")
    desk.says("hold", why="")

    assert desk.holds == [(OPERATOR, "ann: unsaid")]


def test_a_guards_hold_is_ended_too() -> None:
    desk = Desk()
    desk.journal.keep_hold(Hold(migration="shop", by="drift:web", why="changed", at=NOON, fence=1))

    assert "no more held by drift:web" in desk.says("resume")
    assert desk.holds == []


def test_to_resume_what_nobody_holds_changes_nothing_and_says_so() -> None:
    desk = Desk()
    before = desk.journal.entries("shop")

    assert desk.says("resume") == "shop is climbing and nobody holds it: nothing is changed"
    assert desk.journal.entries("shop") == before


def test_what_is_over_or_goes_back_cannot_be_held() -> None:
    desk = Desk()
    desk.journal.raise_fence("shop", seen=1, reason="an alarm", at=NOON)

    with pytest.raises(BadInput, match="shop is rolling_back: there is nothing to hold"):
        desk.says("hold")

    assert desk.holds == []


@pytest.mark.parametrize(
    ("do", "asked", "said"),
    [
        ("approve", "rung", "shop: 50 % at web is approved by ann; it goes on"),
        ("reject", "rung", "shop: 50 % at web is rejected by ann; it goes back"),
        ("reject", "retirement", "shop: 50 % at web is rejected by ann; blue stays as it is"),
    ],
)
def test_an_answer_reaches_what_waits_and_says_what_follows(do: Do, asked: Asked, said: str) -> None:
    desk = Desk(Phase.WATCHING if asked == "retirement" else Phase.CLIMBING)
    desk.ask(asked, "50 % at web")

    assert desk.says(do) == said
    assert desk.executions.answers[TOKEN]["approved"] is (do == "approve")


def test_an_answer_is_heard_though_who_asked_died_before_it_was_noted() -> None:
    desk = Desk()
    desk.journal.keep_token(Token(migration="shop", resource=approval_resource("shop"), token=TOKEN, at=NOON))

    assert desk.says("reject") == "shop: what waits is rejected by ann; it does not go on"


def test_an_answer_that_comes_too_late_is_told_so() -> None:
    desk = Desk()
    desk.ask("rung", "50 % at web")
    desk.executions.waiting.clear()

    with pytest.raises(BadInput, match="the answer came too late"):
        desk.says("approve")


def test_an_answer_that_nobody_asked_for_is_refused() -> None:
    with pytest.raises(BadInput, match="nothing of shop waits for an approval; it is climbing"):
        Desk().says("approve")


def test_a_migration_that_nobody_opened_obeys_nobody() -> None:
    with pytest.raises(UnknownMigration):
        Desk().says("hold", migration="shpo")
