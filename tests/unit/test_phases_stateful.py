"""The phase table holds against random operators, executors and guards, after every move."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from checks.machine import load_all
from crossfade.errors import BlueIsGone, EdgeOwned, Fenced, InvalidTransition
from crossfade.executions.memory import MemoryExecutions
from crossfade.journal.hold import Hold
from crossfade.journal.memory import MemoryJournal
from crossfade.phases import BEYOND_RETURN, MOVES, Phase
from crossfade.rollout.rollback import begin_rollback
from tests.traffic import NOON, a_record, an_edge

FORWARD = sorted(set(Phase) - {Phase.ROLLING_BACK, Phase.PLANNED})
MACHINES = {machine.name: machine for machine in load_all(Path(__file__).parents[2] / "statemachines")}


class AMigration(RuleBasedStateMachine):
    """Executors of every fence there ever was, and a model of what they may do."""

    fences = Bundle("fences")

    @initialize(target=fences)
    def begin(self) -> int:
        self.journal, self.executions = MemoryJournal(), MemoryExecutions()
        self.openings = 1
        self.journal.open(a_record(), [an_edge()])
        self.phases, self.highest = [Phase.CREATING], 1
        return 1

    @rule(fence=fences, phase=st.sampled_from(FORWARD))
    def an_executor_enters_a_phase(self, fence: int, phase: Phase) -> None:
        before = self.journal.read("shop")
        try:
            after = self.journal.enter("shop", phase, fence=fence, at=NOON)
        except Fenced:
            assert fence != before.fence
        except InvalidTransition:
            assert fence == before.fence
            assert phase not in MOVES[before.phase]
        else:
            assert fence == before.fence
            self._is(after.phase)

    @rule(target=fences)
    def a_guard_or_a_person_goes_back(self) -> int:
        before = self.journal.read("shop")
        try:
            begin_rollback("shop", "ordered", journal=self.journal, executions=self.executions, now=NOON)
        except BlueIsGone:
            assert before.phase in BEYOND_RETURN
        after = self.journal.read("shop")
        self._is(after.phase)
        return after.fence

    @rule(fence=fences)
    def a_rollback_ends(self, fence: int) -> None:
        before = self.journal.read("shop")
        if before.phase is Phase.ROLLING_BACK and before.fence == fence:
            self._is(self.journal.enter("shop", Phase.ROLLED_BACK, fence=fence, at=NOON).phase)

    @rule(fence=fences)
    def a_hold_stands_or_not(self, fence: int) -> None:
        self.journal.keep_hold(Hold(migration="shop", by="operator", why="wait", at=NOON, fence=fence))
        stands = any(hold.fence == fence for hold in self.journal.holds("shop"))
        assert stands == (fence == self.journal.read("shop").fence)

    @rule(target=fences)
    def it_is_opened_again(self) -> int:
        before = self.journal.read("shop")
        self.openings += 1
        try:
            after = self.journal.open(a_record(execution=f"migrate-{self.openings}"), [an_edge()])
        except (EdgeOwned, InvalidTransition):
            assert before.phase is not Phase.ROLLED_BACK
            return before.fence
        assert before.phase is Phase.ROLLED_BACK
        assert after.fence == before.fence + 1
        self._is(after.phase)
        return after.fence

    def _is(self, phase: Phase) -> None:
        if phase != self.phases[-1]:
            assert phase in MOVES[self.phases[-1]]
            self.phases.append(phase)

    @invariant()
    def the_fence_never_falls(self) -> None:
        fence = self.journal.read("shop").fence
        assert fence >= self.highest
        self.highest = fence

    @invariant()
    def nothing_leaves_the_point_of_no_return(self) -> None:
        beyond = [phase in BEYOND_RETURN for phase in self.phases]
        assert beyond == sorted(beyond)


TestAMigration = AMigration.TestCase
TestAMigration.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def test_every_phase_that_a_machine_writes_or_asks_for_is_in_the_table_and_reached_by_legal_moves() -> None:
    written = {
        match
        for machine in MACHINES.values()
        for match in re.findall(r'":(\w+)":\s*\n\s*S: (\w+)\n', machine.text)
        if match[0] == match[1]
    }

    assert {name for name, _ in written} == {"rolling_back", "rolled_back", "retiring", "done"}
    assert all(Phase.ROLLING_BACK in MOVES[phase] for phase in Phase if phase not in BEYOND_RETURN)
    assert Phase.ROLLED_BACK in MOVES[Phase.ROLLING_BACK]


def test_a_machine_that_raises_the_fence_keeps_to_the_point_of_no_return() -> None:
    raising = [
        state
        for machine in MACHINES.values()
        for _place, name, state in machine.tasks()
        if "fence = fence + :one" in str(state.get("Arguments"))
    ]

    assert len(raising) == 3
    for state in raising:
        if "phase = :rolling_back" in state["Arguments"]["ConditionExpression"]:
            continue  # begun before the point of no return, which that phase does not lead to
        shut = re.search(r"NOT phase IN \(([^)]*)\)", state["Arguments"]["ConditionExpression"])
        assert shut is not None
        assert {name.strip(" :") for name in shut[1].split(",")} == {str(phase) for phase in BEYOND_RETURN}
