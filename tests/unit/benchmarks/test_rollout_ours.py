"""The bench tries the product itself, and its arithmetic is right."""

from __future__ import annotations

import random
from math import log
from pathlib import Path

import pytest

from benchmarks.rollout import guarantees, tables
from benchmarks.rollout.chance import binomial, most_by_chance, poisson, upper_bound
from benchmarks.rollout.checkpoint import Checkpoint
from benchmarks.rollout.grid import LAGS, LOADS, Cell, headline, rows
from benchmarks.rollout.kayenta import Label
from benchmarks.rollout.ours import Crossfade
from benchmarks.rollout.rule import try_rule
from benchmarks.rollout.world import SCENARIOS
from crossfade.draw.options import DrawOptions
from crossfade.judge import eprocess
from crossfade.judge.verdict import Answer

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


@pytest.mark.parametrize("name", [scenario.name for scenario in SCENARIOS if not scenario.bad])
def test_a_healthy_green_crosses_over_whatever_befalls_both(name: str) -> None:
    outcome = try_rule(Crossfade(), seed=3, rps=20.0, scenario=BY_NAME[name])

    assert outcome.end == "promoted"
    assert outcome.seconds >= sum(rung.soak_seconds for rung in DrawOptions().ladder())


@pytest.mark.parametrize("name", ["all fail", "20 % fail", "20 % late", "20 % slow"])
def test_a_bad_green_goes_back(name: str) -> None:
    outcome = try_rule(Crossfade(period=10, lag=10), seed=3, rps=20.0, scenario=BY_NAME[name])

    assert outcome.end == "rolled back"


def test_a_later_feed_decides_later() -> None:
    decided = [
        try_rule(Crossfade(period=10, lag=lag), seed=3, rps=20.0, scenario=BY_NAME["all fail"]).decided_after or 0
        for lag in LAGS
    ]

    assert decided == sorted(decided)
    assert decided[0] < decided[-1]


# -- the judge alone -----------------------------------------------------------------


def test_evidence_added_up_is_the_products_own() -> None:
    pairs = list(guarantees.a_day(random.Random(1), 20.0, 0.001))[:60]
    evidence = guarantees.Evidence()

    last = [evidence.add(*pair) for pair in pairs][-1]

    assert last == pytest.approx(eprocess.compare(pairs))


def test_within_500_looks_equals_are_blamed_no_more_often_than_alpha() -> None:
    told = guarantees.false_alarms(20, seed=1)

    assert all(each.blamed <= most_by_chance(each.runs, each.alpha) for each in told)


def test_a_bad_green_is_blamed_hardly_later_than_by_a_test_that_is_told_how_bad_it_is() -> None:
    for each in guarantees.delays(100, seed=1):
        assert 1.0 <= each.over_told < 1.3, each


def test_what_users_saw_kayenta_pass_is_not_passed() -> None:
    told = guarantees.wrong_verdicts()

    assert [each.kayenta for each in told] == [Label.PASS] * 4
    assert all(each.ours is not Answer.ADVANCE for each in told)


def test_twelve_hours_without_traffic_are_held() -> None:
    assert guarantees.twelve_hours_without_traffic(every_minutes=30) == {"advance": 0, "hold": 72, "roll_back": 0}


# -- arithmetic ----------------------------------------------------------------------


def test_no_event_in_n_bounds_the_rate_by_the_rule_of_ln_100_over_n() -> None:
    assert upper_bound(0, 1_000) == pytest.approx(log(100) / 1_000, rel=0.01)
    assert upper_bound(5, 5) == 1.0


@pytest.mark.parametrize(("tries", "rate"), [(20, 0.1), (5_000, 0.001), (2_000, 0.3), (400, 0.9)])
def test_counts_drawn_have_the_mean_they_are_drawn_with(tries: int, rate: float) -> None:
    chance = random.Random(4)

    drawn = [binomial(chance, tries, rate) for _ in range(2_000)]

    spread = (tries * rate * (1 - rate) / len(drawn)) ** 0.5
    assert abs(sum(drawn) / len(drawn) - tries * rate) < 5 * spread + 0.01
    assert all(0 <= count <= tries for count in drawn)


@pytest.mark.parametrize("mean", [0.5, 20.0, 900.0])
def test_requests_drawn_have_the_mean_they_are_drawn_with(mean: float) -> None:
    chance = random.Random(4)

    drawn = [poisson(chance, mean) for _ in range(2_000)]

    assert abs(sum(drawn) / len(drawn) - mean) < 5 * (mean / len(drawn)) ** 0.5 + 0.01


# -- a long run ----------------------------------------------------------------------


def test_a_run_that_was_ended_goes_on_from_what_it_had_found(tmp_path: Path) -> None:
    path = tmp_path / "build" / "found.jsonl"
    before = Checkpoint(path, code="a")
    before.keep("one", {"runs": 4})

    after = Checkpoint(path, code="a")

    assert "one" in after
    assert after["one"] == {"runs": 4}
    assert "two" not in after


def test_a_line_that_was_cut_off_in_writing_is_found_again_and_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    Checkpoint(path, code="a").keep("one", 1)
    path.write_text(path.read_text() + '{"key": "two", "val')
    ended = Checkpoint(path, code="a")

    ended.keep("three", 3)

    again = Checkpoint(path, code="a")
    assert ("one" in again, "two" in again, "three" in again) == (True, False, True)


def test_what_other_code_has_found_is_not_taken_for_this_codes(tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    Checkpoint(path, code="a").keep("one", 1)

    assert "one" not in Checkpoint(path, code="b")
    assert "one" not in Checkpoint(path, code="a")


def test_false_alarms_are_the_same_found_at_once_and_after_an_interruption(tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    at_once = guarantees.false_alarms(6, seed=1, kept=Checkpoint(path, code="a"))

    assert guarantees.false_alarms(6, seed=1, kept=Checkpoint(path, code="a")) == at_once
    assert len(path.read_text().splitlines()) == 4


# -- the tables ----------------------------------------------------------------------


def a_grid(ours: float, peers: float) -> list[Cell]:
    return [
        Cell(
            rule=row.name,
            kind=row.kind,
            lag=row.lag,
            rps=rps,
            scenario=scenario.name,
            bad=scenario.bad,
            runs=10,
            rolled_back=10 if scenario.bad else 0,
            early=0,
            promoted=0 if scenario.bad else 10,
            holding=0,
            harmed=ours if row.kind == "ours" else peers,
            decided_seconds=60.0,
            seconds=600.0,
        )
        for row in rows()
        for rps in LOADS
        for scenario in SCENARIOS
    ]


def test_the_headline_counts_every_cell_that_a_peer_wins() -> None:
    won, lost = headline(a_grid(10, 100)), headline(a_grid(100, 10))

    assert (won.fewer, won.worse_cells) == (10.0, ())
    assert len(lost.worse_cells) == lost.compared_cells == 3 * sum(scenario.bad for scenario in SCENARIOS)


def test_every_cell_is_printed() -> None:
    lines = [line for line in tables.grid(a_grid(1, 1)) if line.startswith(("| **Crossfade", "| "))]

    assert len([line for line in lines if not line.startswith("| rule")]) == 2 * len(LOADS) * len(rows())
