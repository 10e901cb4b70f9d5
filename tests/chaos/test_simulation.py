from __future__ import annotations

from rehearsal.chaos.simulation import Simulation, simulate
from rehearsal.examples import application
from tests.chaos.planted import JournalWithoutFence


def test_two_faults_in_one_migration_always_end_on_one_side() -> None:
    played = simulate(range(300))

    assert [each for each in played if each.unsafe] == []
    assert sum(len(each.fired) >= 2 for each in played) > 100


def test_a_migration_without_a_fault_completes_or_is_given_back_by_the_judge() -> None:
    plan = application("shop").plan

    ends = {Simulation(plan, seed, faults=0).play().end for seed in range(20)}

    assert ends == {"completed", "rolled back"}


def test_the_simulation_sees_a_journal_that_does_not_ask_for_the_fence() -> None:
    plan = application("shop").plan

    played = [Simulation(plan, seed, journal=JournalWithoutFence()).play() for seed in range(300)]

    assert any("green holds" in what for each in played for what in each.unsafe)
