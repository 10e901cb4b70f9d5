"""Beginning a rollback: one runs, whoever asks, however often, whatever happens in between."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.errors import BlueIsGone, ExecutionsBusy, Fenced, UnknownMigration
from crossfade.executions.executions import ExecutionStatus, RollbackInput
from crossfade.executions.memory import MemoryExecutions
from crossfade.journal.memory import MemoryJournal
from crossfade.journal.model import MigrationRecord
from crossfade.phases import BEYOND_RETURN, Phase
from crossfade.rollout.rollback import RollbackStarted, begin_rollback
from tests.traffic import NOON, a_record, an_edge

OPEN = sorted(set(Phase) - BEYOND_RETURN - {Phase.ROLLED_BACK, Phase.ROLLING_BACK})
OVER = [ExecutionStatus.FAILED, ExecutionStatus.TIMED_OUT, ExecutionStatus.ABORTED, ExecutionStatus.SUCCEEDED]


def a_journal(phase: Phase = Phase.CLIMBING, *, fence: int = 1) -> MemoryJournal:
    journal = MemoryJournal()
    journal.open(a_record(phase=phase, fence=fence), [an_edge()])
    return journal


def begin(journal: MemoryJournal, executions: MemoryExecutions, reason: str = "sick") -> RollbackStarted:
    return begin_rollback("shop", reason, journal=journal, executions=executions, now=NOON)


@pytest.mark.parametrize("phase", OPEN)
def test_from_every_phase_the_fence_is_raised_and_one_rollback_started(phase: Phase) -> None:
    journal, executions = a_journal(phase), MemoryExecutions()

    started = begin(journal, executions)

    assert started == RollbackStarted(migration="shop", fence=2, joined=False)
    assert executions.started == [("shop-2", RollbackInput(migration="shop", fence=2))]
    record = journal.read("shop")
    assert (record.phase, record.fence, record.reason) == (Phase.ROLLING_BACK, 2, "sick")


def test_what_a_rollback_is_told_fits_the_state_machine() -> None:
    given_input = RollbackInput(migration="shop", fence=2).model_dump(by_alias=True)

    assert given_input == {"schema": 1, "migration": "shop", "fence": 2}


def test_who_comes_later_joins_and_the_first_reason_stays() -> None:
    journal, executions = a_journal(), MemoryExecutions()
    begin(journal, executions, "alarm")

    second = begin(journal, executions, "deployment")

    assert second == RollbackStarted(migration="shop", fence=2, joined=True)
    assert len(executions.started) == 1
    assert journal.read("shop").reason == "alarm"


def test_who_finds_it_rolled_back_starts_nothing() -> None:
    journal, executions = a_journal(Phase.ROLLED_BACK, fence=2), MemoryExecutions()

    started = begin(journal, executions)

    assert not started.needed
    assert executions.started == []
    assert journal.read("shop").fence == 2


@pytest.mark.parametrize("phase", sorted(BEYOND_RETURN))
def test_once_blue_is_being_retired_nothing_is_touched(phase: Phase) -> None:
    journal, executions = a_journal(phase), MemoryExecutions()

    with pytest.raises(BlueIsGone):
        begin(journal, executions)

    assert executions.started == []
    assert journal.read("shop").fence == 1


def test_an_unknown_migration_is_said_so() -> None:
    with pytest.raises(UnknownMigration):
        begin(MemoryJournal(), MemoryExecutions())


def test_a_starter_that_died_after_raising_the_fence_is_followed_up_under_it() -> None:
    journal, executions = a_journal(), MemoryExecutions()
    journal.raise_fence("shop", seen=1, reason="alarm", at=NOON)

    started = begin(journal, executions)

    assert started == RollbackStarted(migration="shop", fence=2, joined=False)


@pytest.mark.parametrize("status", OVER)
def test_a_rollback_that_ended_without_rolling_back_is_followed_by_another(status: ExecutionStatus) -> None:
    journal, executions = a_journal(), MemoryExecutions()
    begin(journal, executions, "alarm")
    executions.rollbacks["shop-2"] = status

    started = begin(journal, executions, "again")

    assert started == RollbackStarted(migration="shop", fence=3, joined=False)
    assert [name for name, _ in executions.started] == ["shop-2", "shop-3"]
    assert journal.read("shop").reason == "alarm"


def test_a_rollback_that_ends_while_it_is_looked_at_needs_no_second() -> None:
    journal = a_journal()

    class Ending(MemoryExecutions):
        def rollback_status(self, name: str) -> ExecutionStatus | None:
            if journal.read("shop").phase is Phase.ROLLING_BACK:
                journal.enter("shop", Phase.ROLLED_BACK, fence=2, at=NOON)
                self.rollbacks[name] = ExecutionStatus.SUCCEEDED
            return super().rollback_status(name)

    executions = Ending()
    begin(journal, executions)

    second = begin(journal, executions)

    assert not second.needed
    assert journal.read("shop").fence == 2


def test_a_start_that_fails_leaves_the_fence_raised() -> None:
    class Throttled(MemoryExecutions):
        def start_rollback(self, name: str, given: RollbackInput) -> str | None:
            raise ExecutionsBusy(f"{name} {given.fence}")

    journal = a_journal()

    with pytest.raises(ExecutionsBusy):
        begin(journal, Throttled())

    with pytest.raises(Fenced):
        journal.enter("shop", Phase.BAKING, fence=1, at=NOON)
    assert begin(journal, MemoryExecutions()).fence == 2


def test_rollbacks_that_die_as_fast_as_they_are_started_end_in_trying_again() -> None:
    class Dying(MemoryExecutions):
        def start_rollback(self, name: str, given: RollbackInput) -> str | None:  # noqa: ARG002  # the port's names
            self.rollbacks[name] = ExecutionStatus.FAILED
            return None

    with pytest.raises(ExecutionsBusy):
        begin(a_journal(), Dying())


class Interleaved(MemoryJournal):
    """A journal between two of whose calls another guard does the whole of its work, once."""

    def __init__(self, at: int, other: Callable[[], object]) -> None:
        super().__init__()
        self._calls, self._at, self._other = 0, at, other

    def _step(self) -> None:
        self._calls += 1
        if self._calls == self._at:
            self._other()

    def read(self, migration: str) -> MigrationRecord:
        self._step()
        found = super().read(migration)
        self._step()
        return found


class InterleavedExecutions(MemoryExecutions):
    """Executions before or after one of whose calls another guard does the whole of its work, once."""

    step: Callable[[], None] = staticmethod(lambda: None)

    def start_rollback(self, name: str, given: RollbackInput) -> str | None:
        self.step()
        started = super().start_rollback(name, given)
        self.step()
        return started


@given(
    at=st.integers(1, 12),
    before=st.sampled_from([None, *OVER]),
    over=st.sampled_from([None, ExecutionStatus.FAILED, ExecutionStatus.SUCCEEDED]),
)
def test_two_guards_at_once_come_to_one_rollback_or_two_that_do_no_harm(
    at: int, before: ExecutionStatus | None, over: ExecutionStatus | None
) -> None:
    executions = InterleavedExecutions()
    running = []

    def other() -> None:
        running.append(begin_rollback("shop", "other", journal=journal, executions=executions, now=NOON))
        name = f"shop-{running[0].fence}"
        if over is not None and name in executions.rollbacks:
            executions.rollbacks[name] = over
            if over is ExecutionStatus.SUCCEEDED and journal.read("shop").phase is Phase.ROLLING_BACK:
                journal.enter("shop", Phase.ROLLED_BACK, fence=running[0].fence, at=NOON)

    journal = Interleaved(at, other)
    executions.step = journal._step
    journal.open(a_record(phase=Phase.CLIMBING), [an_edge()])
    if before is not None:
        journal.raise_fence("shop", seen=1, reason="earlier", at=NOON)
        executions.rollbacks["shop-2"] = before

    begin(journal, executions)

    record = journal.read("shop")
    last = f"shop-{record.fence}"
    assert record.phase in {Phase.ROLLING_BACK, Phase.ROLLED_BACK}
    assert record.phase is Phase.ROLLED_BACK or last in executions.rollbacks
    if record.phase is Phase.ROLLING_BACK and over is None:
        assert executions.rollbacks[last] is ExecutionStatus.RUNNING
    assert len({name for name, _ in executions.started}) == len(executions.started) <= 2
