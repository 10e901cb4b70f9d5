"""`crossfade status`: one line of who judges, what was last seen, what green holds, and whether there is a way back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest

from crossfade.connect.memory import MemoryServices
from crossfade.events.memory import MemoryNotices
from crossfade.executions.executions import ExecutionStatus
from crossfade.executions.memory import MemoryExecutions
from crossfade.journal.hold import Hold
from crossfade.journal.memory import MemoryJournal
from crossfade.journal.model import Entry
from crossfade.phases import Phase
from crossfade.plan.document import MigrationPlan
from crossfade.rollout.approving import ApprovalRequest, ask_approval
from crossfade.shift.memory import MemoryEdges
from crossfade_cli.deployment import Deployment
from crossfade_cli.operate import entry_told, status
from tests.traffic import MIGRATE, NOON, a_plan, a_record, green_services

LATER = NOON + timedelta(seconds=40)


class Stack:
    """A deployed stack in memory, with one migration."""

    def __init__(self, phase: Phase = Phase.CLIMBING) -> None:
        self.journal, self.given = MemoryJournal(), a_plan()
        self.executions = MemoryExecutions(others={MIGRATE: ExecutionStatus.RUNNING})
        self._edges = MemoryEdges.of(*self.given.edges)
        self.journal.open(a_record(phase=phase), [self._edges.find(self.given.edges[0]).owned_by("shop")])

    def plan(self, _ref: Any) -> MigrationPlan:
        return self.given

    def services(self) -> MemoryServices:
        return green_services("web")  # blue's, too, is one that runs

    def edges(self) -> MemoryEdges:
        return self._edges

    @property
    def line(self) -> str:
        return status("shop", cast("Deployment", self), LATER)


def looked(stack: Stack) -> None:
    judgement = {"judgement": {"reason": "green is no worse"}}
    entry = Entry(migration="shop", at=NOON, kind="evidence", what="judge", subject="web", detail=judgement, fence=1)
    stack.journal.append(entry, fence=1)


def asked(stack: Stack) -> None:
    request = ApprovalRequest(
        migration="shop",
        fence=1,
        asked="climb",
        subject="the climb",
        expiry_seconds=600,
        token="t",  # noqa: S106
    )
    ask_approval(request, journal=stack.journal, notices=MemoryNotices(), now=NOON)


def held(stack: Stack) -> None:
    stack.journal.keep_hold(Hold(migration="shop", by="drift:web", why="someone else changed it", at=NOON, fence=1))


def climbed(stack: Stack) -> None:
    stack.executions.others[MIGRATE] = ExecutionStatus.SUCCEEDED


def gone_back(stack: Stack) -> None:
    looked(stack)
    account = '{"errorMessage":"alarm shop-errors is in ALARM","errorType":"X","stackTrace":[]}'
    stack.journal.raise_fence("shop", seen=1, reason=f"PreflightRefused: {account}", at=NOON)


def ended(stack: Stack) -> None:
    gone_back(stack)
    stack.journal.enter("shop", Phase.ROLLED_BACK, fence=2, at=NOON)


UNSEEN = "no look yet"
LOOKED = "last look 40 s ago: green is no worse"
WHY = "PreflightRefused: alarm shop-errors is in ALARM"

SAID: dict[str, tuple[Callable[[Stack], None], tuple[str, ...]]] = {
    "a look": (looked, ("climbing", "the judge decides", LOOKED)),
    "an approval": (
        asked,
        ("held", "a person is asked about the climb until 2026-11-22 12:10 UTC (crossfade approve | reject)", UNSEEN),
    ),
    "a guard": (held, ("climbing", "held by drift:web (someone else changed it)", UNSEEN)),
    "nobody who climbs": (climbed, ("climbing", "the climb is over, guards and watch look on", UNSEEN)),
    "a rollback": (gone_back, ("rolling_back", f"going back ({WHY})", LOOKED)),
    "a rollback that is over": (ended, ("rolled_back", f"nobody judges: blue has everything back ({WHY})")),
}


@pytest.mark.parametrize("case", SAID)
def test_one_line_says_how_it_stands(case: str) -> None:
    happens, (phase, *said) = SAID[case]
    stack = Stack()
    happens(stack)

    assert stack.line.split("; ") == [f"shop: {phase}", "green holds web 0 %", *said, "way back: ready"]


def test_a_blue_that_is_lost_is_no_way_back() -> None:
    stack = Stack()
    stack.edges().healthy.clear()

    assert stack.line.endswith("way back: no (blue has no healthy target at edge web)")


def test_an_attempt_before_is_no_look_at_this_one() -> None:
    stack = Stack()
    looked(stack)
    stack.journal._records["shop"] = stack.journal.read("shop").model_copy(update={"opened_at": LATER})

    assert "no look yet" in stack.line


def test_of_what_was_verified_the_story_tells_names_and_remarks() -> None:
    services = [{"name": "web", "remark": ""}, {"name": "orders", "remark": "one task only"}]
    entry = Entry(
        migration="shop", at=NOON, kind="note", what="verify", subject="shop", detail={"services": services}, fence=1
    )

    assert entry_told(entry).endswith("verify       shop: services web orders (one task only)")
