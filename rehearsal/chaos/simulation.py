"""
Double faults by the thousand: the product's own actions on its ports in memory, and no AWS at all.

A migration is played in one thread as the state machines play it; two of the calls to its ports go wrong.
What the machines add (retries, catches, the way back) is retold here in a few lines each, so that
ten thousand seeds take a minute. What is under test is not retold: opening, shifting, restoring,
confirming, the guard, the rollback's beginning, the journal and its fence, the phase table.

    python -m rehearsal.chaos.simulation --seeds 10000
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from crossfade.errors import (
    BlueIsGone,
    CrossfadeError,
    EdgeBusy,
    ExecutionsBusy,
    JournalBusy,
    NoticesBusy,
    TryAgain,
    UnknownMigration,
)
from crossfade.events.memory import MemorySchedule
from crossfade.executions.executions import Executions, ExecutionStatus
from crossfade.executions.memory import MemoryExecutions
from crossfade.journal.journal import Journal
from crossfade.journal.memory import MemoryJournal
from crossfade.phases import MOVES, Phase
from crossfade.plan.document import MigrationPlan
from crossfade.plan.memory import MemoryPlanStore
from crossfade.rollout.guards import guard_execution
from crossfade.rollout.memory import MemoryGatheredAlarms
from crossfade.rollout.opening import Opened, OpenRequest, open_migration
from crossfade.rollout.rollback import begin_rollback
from crossfade.rollout.watching import Schedule
from crossfade.shift.action import ConfirmRequest, RestoreRequest, ShiftRequest, confirm, restore, shift
from crossfade.shift.memory import MemoryEdges
from crossfade.shift.share import ALL, NONE, Share
from crossfade.shift.shifter import Edges
from rehearsal.chaos.faulty import Broken, Fault, Port, Stopped, Wire, ended_badly
from rehearsal.examples import application

_ATTEMPTS = 6
_RESTORES = 8
_CALLS = 60
"""About as many as a migration and its rollback make; what is chosen beyond its end does not fire."""


@dataclass(frozen=True)
class Played:
    """What one seed came to."""

    seed: int
    end: str
    fired: tuple[str, ...]
    unsafe: tuple[str, ...]


class Simulation:
    """One migration in memory, and two faults."""

    def __init__(
        self, plan: MigrationPlan, seed: int, *, faults: int = 2, journal: MemoryJournal | None = None
    ) -> None:
        chance = random.Random(seed)
        self._seed = seed
        self._chance = chance
        self._plan = plan
        self._now = datetime(2026, 1, 1, tzinfo=UTC)
        chosen = {chance.randrange(1, _CALLS): chance.choice(list(Fault)) for _ in range(faults)}
        self._wire = Wire(chosen, stalled=self._stall, undo=self._undo)
        self._memory = journal or MemoryJournal()
        self._laid = MemoryEdges.of(*plan.edges)
        self._runs = MemoryExecutions(others={"execution:migrate": ExecutionStatus.RUNNING})
        self._store = MemoryPlanStore()
        self._ref = self._store.put("plans", "plan.json", plan)
        self.journal: Journal = _as(Journal, Port(self._memory, self._wire, JournalBusy))
        self.edges: Edges = _as(Edges, Port(self._laid, self._wire, EdgeBusy))
        self.schedule: Schedule = _as(Schedule, Port(MemorySchedule(), self._wire, NoticesBusy))
        self.executions: Executions = _as(Executions, Port(self._runs, self._wire, ExecutionsBusy))
        self._gives_back_at = chance.choice([None, None, 0, 1, 2])
        self._event_lost = chance.random() < 0.2  # noqa: PLR2004
        self._unsafe: list[str] = []

    def play(self) -> Played:
        """Play it to its end, by hand where nobody else does it, and say what it came to."""
        end = self._migrate()
        self._hear_of(end)
        self._run_rollbacks()
        if end != "completed" and self._phase() not in {None, Phase.ROLLED_BACK}:
            self._roll_back_by_hand()
            end = "by hand"
        elif end != "completed" or self._phase() is Phase.ROLLED_BACK:
            end = "rolled back" if self._phase() is Phase.ROLLED_BACK else "refused"
        self._judge(end)
        return Played(self._seed, end, tuple(self._wire.fired), tuple(self._unsafe))

    # -- migrate and climb ----------------------------------------------------

    def _migrate(self) -> str:
        try:
            opened: Opened = self._tried(self._open)
        except Stopped:
            return "stopped"
        except (Broken, CrossfadeError):
            return "failed"
        try:
            self._tried(lambda: self._create(opened.fence))
            for number, request in enumerate(_shifts(opened)):
                self._tried(partial(self._shift, request))
                if number == self._gives_back_at:
                    return self._give_back(opened, "green is worse than blue")
        except Stopped:
            return "stopped"
        except (Broken, CrossfadeError) as failed:
            return self._give_back(opened, str(failed))
        return "completed"

    def _give_back(self, opened: Opened, reason: str) -> str:
        """Raise the fence and start the way back, as `migrate` itself does; its own retries are patient."""
        try:
            self._tried(
                lambda: begin_rollback(
                    opened.migration, reason, journal=self.journal, executions=self.executions, now=self._time()
                )
            )
        except (Stopped, Broken, CrossfadeError):
            return "failed"
        return "rolled back"

    def _open(self) -> Opened:
        request = OpenRequest(migration=self._plan.migration, plan=self._ref, execution="execution:migrate")
        return open_migration(
            request,
            journal=self.journal,
            plans=self._store,
            edges=self.edges,
            gathered=MemoryGatheredAlarms(),
            schedule=self.schedule,
            now=self._time(),
        )

    def _create(self, fence: int) -> None:
        for planned in self._plan.edges:
            edge = self.journal.edge(self._plan.migration, planned.name)
            made = self.edges.make_green_end(edge, planned.green.name, {})
            self._laid.healthy[str(made.resolved.green_arn)] = 2
            self.journal.put_edge(made, fence=fence)
        self.journal.enter(self._plan.migration, Phase.READY, fence=fence, at=self._time())

    def _shift(self, request: ShiftRequest) -> None:
        self._refuse_empty(request)
        shift(request, edges=self.edges, journal=self.journal, now=self._time())

    def _tried(self, step: Callable[[], Any]) -> Any:
        for left in reversed(range(_ATTEMPTS)):
            try:
                return step()
            except TryAgain:
                if not left:
                    raise
        raise AssertionError

    # -- the way back ---------------------------------------------------------

    def _hear_of(self, end: str) -> None:
        """Let the guard hear of an execution that ended badly, unless its event is lost."""
        if end == "completed" or self._event_lost:
            return
        failed = ExecutionStatus.ABORTED if end == "stopped" else ExecutionStatus.FAILED
        self._runs.others["execution:migrate"] = failed
        event = ended_badly("execution:migrate", failed)
        for _ in range(3):  # an asynchronous invocation is run thrice
            try:
                guard_execution(event, journal=self.journal, executions=self.executions, now=self._time())
            except (Stopped, Broken, CrossfadeError):
                continue
            return

    def _roll_back_by_hand(self) -> None:
        self._wire.quiet += 1
        try:
            begin_rollback(
                self._plan.migration, "by hand", journal=self.journal, executions=self.executions, now=self._time()
            )
            self._run_rollbacks()
        except (UnknownMigration, BlueIsGone):
            return
        finally:
            self._wire.quiet -= 1

    def _stall(self, call: str) -> None:
        """
        Let a rollback pass while a call is stalled.

        A write to the edge is the exception: it lands before the rollback's second look, since `confirm_seconds`
        is longer than a function may run.
        """
        if call != "set_green":
            self._roll_back_by_hand()
            return
        try:
            begin_rollback(
                self._plan.migration, "by hand", journal=self.journal, executions=self.executions, now=self._time()
            )
            record = self._memory.read(self._plan.migration)
            for edge in self._memory.edges(record.migration):
                asked = RestoreRequest(migration=record.migration, fence=record.fence, edge=edge.name)
                restore(asked, edges=self.edges, journal=self.journal, now=self._time())
        except (UnknownMigration, BlueIsGone):
            return

    def _run_rollbacks(self) -> None:
        for name, given in self._runs.started:
            if self._runs.rollbacks[name] is ExecutionStatus.RUNNING:
                try:
                    done = self._roll_back(given.migration)
                except Stopped:
                    done = False
                self._runs.rollbacks[name] = ExecutionStatus.SUCCEEDED if done else ExecutionStatus.ABORTED

    def _roll_back(self, migration: str) -> bool:
        for _ in range(_RESTORES):
            record = self._memory.read(migration)
            if record.phase is not Phase.ROLLING_BACK:
                return True
            try:
                for edge in self._memory.edges(migration):
                    asked = RestoreRequest(migration=migration, fence=record.fence, edge=edge.name)
                    restore(asked, edges=self.edges, journal=self.journal, now=self._time())
                for edge in self._memory.edges(migration):
                    again = ConfirmRequest(migration=migration, fence=record.fence, edge=edge.name)
                    confirm(again, edges=self.edges, journal=self.journal, now=self._time())
                self.journal.enter(migration, Phase.ROLLED_BACK, fence=record.fence, at=self._time())
            except (Broken, CrossfadeError):
                continue
        return self._memory.read(migration).phase is Phase.ROLLED_BACK

    # -- faults, looking, judging ---------------------------------------------

    def _undo(self) -> Callable[[], None]:
        """Return what puts every rule back to what it is now, as another writer would."""
        before = {name: dict(edge.rules) for name, edge in self._laid.laid.items()}

        def undo() -> None:
            for name, rules in before.items():
                if None not in rules.values():
                    self._laid.laid[name].rules = rules

        return undo

    def _refuse_empty(self, request: ShiftRequest) -> None:
        green = self._memory.edge(request.migration, request.edge).resolved.green_arn
        if green is None or not self._laid.healthy_targets(green):
            self._unsafe.append("a shift was asked for before green had a target")

    def _phase(self) -> Phase | None:
        try:
            return self._memory.read(self._plan.migration).phase
        except UnknownMigration:
            return None

    def _time(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now

    def _judge(self, end: str) -> None:
        wanted = ALL if end == "completed" else NONE
        for name, edge in self._laid.laid.items():
            held = [share or NONE for share in edge.rules.values()]
            if any(share != wanted for share in held):
                self._unsafe.append(f"it is {end}, and green holds {[str(share) for share in held]} at {name}")
        phase = self._phase()
        right = {"completed": Phase.WATCHING, "refused": None}.get(end, Phase.ROLLED_BACK)
        if phase is not right:
            self._unsafe.append(f"it is {end}, and the journal says {phase}")
        if any(status is ExecutionStatus.RUNNING for status in self._runs.rollbacks.values()):
            self._unsafe.append("a rollback still runs")
        if end == "by hand" and not (self._event_lost or self._wire.fired):
            self._unsafe.append("nobody noticed, and nothing was lost")
        entries = self._memory.entries(self._plan.migration) if phase else ()
        for entry in entries:
            if entry.what == "entered" and Phase(entry.detail["to"]) not in MOVES[Phase(entry.detail["from"])]:
                self._unsafe.append(f"the phase table has no move {entry.detail}")
        intended = {
            Share(entry.detail["asked_bp"]) for entry in entries if entry.what == "shift" and entry.kind == "intent"
        }
        given = {share for edge in self._laid.laid.values() for share in edge.shifts} - {NONE}
        if not given <= intended:
            self._unsafe.append(f"green was given {given - intended} without an intent")


def _shifts(opened: Opened) -> Iterator[ShiftRequest]:
    for edge in opened.edges:
        for number, rung in enumerate(edge.rungs):
            yield ShiftRequest(
                migration=opened.migration,
                fence=opened.fence,
                edge=edge.edge,
                rung=rung,
                execution=f"execution:climb:{number}",
            )


def _as(_: Any, port: Port) -> Any:
    return port


def simulate(seeds: Sequence[int]) -> list[Played]:
    """Play these seeds."""
    plan = application("shop").plan
    return [Simulation(plan, seed).play() for seed in seeds]


def run(seeds: Sequence[int], say: Callable[[str], object]) -> int:
    """Play these seeds, say what they came to, and return how many ends were unsafe."""
    played = simulate(seeds)
    both = sum(len(each.fired) >= 2 for each in played)  # noqa: PLR2004
    ends = ", ".join(f"{count} {end}" for end, count in Counter(each.end for each in played).most_common())
    bad = [each for each in played if each.unsafe]
    say(f"{len(played)} migrations on ports in memory with two faults each, both fired in {both}: {ends}")
    for each in bad[:20]:
        say(f"UNSAFE seed {each.seed}: {'; '.join(each.fired)}: {'; '.join(each.unsafe)}")
    say(f"unsafe ends in memory: {len(bad)} of {len(played)}")
    return len(bad)


def main() -> int:
    """Return 0 when every end was safe."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal.chaos.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10_000, help="how many pairs of faults (default 10000)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default 0)")
    asked = parser.parse_args()
    return int(bool(run(range(asked.first, asked.first + asked.seeds), lambda text: sys.stdout.write(f"{text}\n"))))


if __name__ == "__main__":
    sys.exit(main())
