"""The product stays right without the proxies' log, and without all that is counted inside green."""

from __future__ import annotations

import pytest

from benchmarks.rollout.ours import Crossfade
from benchmarks.rollout.rule import try_rule
from benchmarks.rollout.world import SCENARIOS, Scenario


@pytest.mark.parametrize("scenario", [each for each in SCENARIOS if each.bad], ids=lambda each: each.name)
@pytest.mark.parametrize("lag", [45, 180])
def test_every_bad_green_of_the_bench_goes_back_by_the_edges_own_numbers(scenario: Scenario, lag: int) -> None:
    outcome = try_rule(Crossfade(lag=lag), seed=3, rps=20.0, scenario=scenario)

    assert outcome.end == "rolled back"


@pytest.mark.parametrize("scenario", [each for each in SCENARIOS if not each.bad], ids=lambda each: each.name)
def test_no_healthy_green_of_the_bench_goes_back(scenario: Scenario) -> None:
    assert try_rule(Crossfade(lag=180), seed=3, rps=20.0, scenario=scenario).end == "promoted"
