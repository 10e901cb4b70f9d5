"""Each peer's rule does what its documentation and source say, on the examples that they give."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from benchmarks.rollout.kayenta import Label, classify, score
from benchmarks.rollout.peers import PEERS, Alarm, AlarmLadder, Argo, Flagger, StepFunctionsSample, peers_on_feed, steps
from benchmarks.rollout.rule import Outcome, Rule, try_rule
from benchmarks.rollout.world import SCENARIOS, TICK, Tick, World

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


@dataclass
class Scripted(World):
    """A world in which green fails as told, by the second, and chance has no part."""

    fails: Callable[[float], float] = field(default=lambda _: 0.0)
    requests: int = 200

    def serve(self, share: float) -> Tick:
        if share > 0 and self.first_green is None:
            self.first_green = self.now
        green = round(self.requests * share)
        tick = Tick(self.requests - green, 0, 0, green, round(green * self.fails(self.now)), 0)
        self.ticks.append(tick)
        return tick


def a_world(fails: Callable[[float], float] = lambda _: 0.0, *, requests: int = 200) -> Scripted:
    return Scripted(1, 20.0, BY_NAME["healthy"], fails=fails, requests=requests)


def played(rule: Rule, world: Scripted, *, until: int = 4_000) -> list[tuple[int, float, str | None]]:
    """Roll out and return (second, share, end) of each change."""
    changes: list[tuple[int, float, str | None]] = []
    while world.now < until:
        act = rule.act(world)
        if not changes or (act.share, act.end) != changes[-1][1:]:
            changes.append((world.now, act.share, act.end))
        if act.end:
            break
        world.serve(act.share)
    return changes


def always(_: float) -> float:
    return 1.0


# -- alarms ------------------------------------------------------------------------


def test_three_datapoints_of_a_minute_ring_240_seconds_after_the_fault() -> None:
    rule = AlarmLadder(((0, 0.05), (600, 1.0)), 600, Alarm(3))

    assert played(rule, a_world(always)) == [(0, 0.05, None), (240, 0.0, "rolled back")]


def test_one_datapoint_rings_120_seconds_after_it() -> None:
    rule = AlarmLadder(((0, 0.05), (600, 1.0)), 600, Alarm(1))

    assert played(rule, a_world(always))[-1] == (120, 0.0, "rolled back")


def test_a_period_without_requests_ends_the_alarms_run() -> None:
    world, alarm = a_world(always), Alarm(3)
    for share in (1.0, 1.0, 0.0, 1.0, 1.0):
        for _ in range(60 // TICK):
            world.serve(share)
    while world.now < 360:
        world.serve(0.0)

    assert not alarm.rings(world)


@pytest.mark.parametrize(
    ("name", "ladder", "ends"),
    [
        ("ECS CANARY 5 %/10 min, alarm 3x60 s", [(0, 0.05), (600, 1.0)], 1_200),
        ("ECS LINEAR 10 %/6 min, alarm 3x60 s", [(at * 360, round((at + 1) * 0.1, 1)) for at in range(10)], 3_840),
        ("CodeDeploy AllAtOnce, alarm 3x60 s", [(0, 1.0)], 600),
        ("CodeDeploy Canary10/5, alarm 3x60 s", [(0, 0.1), (300, 1.0)], 900),
        ("CodeDeploy Linear10/1, alarm 3x60 s", [(at * 60, round((at + 1) * 0.1, 1)) for at in range(10)], 1_140),
        ("AppConfig Linear20/6, alarm 3x60 s", [(at * 360, round((at + 1) * 0.2, 1)) for at in range(5)], 3_240),
        (
            "AppConfig Canary10/20, alarm 3x60 s",
            [(0, 0.1), (300, 0.2), (600, 0.4), (900, 0.8), (1_200, 1.0)],
            1_800,
        ),
    ],
)
def test_aws_shifts_by_the_clock_and_bakes(name: str, ladder: list[tuple[int, float]], ends: int) -> None:
    changes = played(PEERS[name](), a_world(), until=10_000)

    shifts = [(second, round(share, 4)) for second, share, end in changes if end is None]
    assert shifts == ladder
    assert changes[-1] == (ends, 1.0, "promoted")


def test_a_linear_ladder_ends_at_all_of_it() -> None:
    assert steps(0.5, 30) == ((0, 0.5), (30, 1.0))


# -- Flagger -----------------------------------------------------------------------


@pytest.mark.parametrize(("threshold", "seconds"), [(1, 120), (5, 360), (10, 660)])
def test_flagger_rolls_back_on_the_tick_after_the_threshold(threshold: int, seconds: int) -> None:
    assert played(Flagger(threshold, 0.1), a_world(always))[-1] == (seconds, 0.0, "rolled back")


def test_flagger_never_forgets_a_failed_check() -> None:
    world = a_world(lambda second: 1.0 if second // 120 % 2 else 0.0)  # bad every other two minutes

    assert played(Flagger(3, 0.05), world)[-1][2] == "rolled back"


def test_flagger_holds_its_share_on_a_failed_check_and_takes_no_value_for_one() -> None:
    assert played(Flagger(2, 0.1), a_world(requests=0))[-1] == (180, 0.0, "rolled back")


def test_flagger_watches_nothing_once_it_promotes() -> None:
    changes = played(Flagger(5, 0.1), a_world(lambda second: 1.0 if second >= 360 else 0.0))

    assert [share for _, share, _ in changes] == [0.1, 0.2, 0.3, 0.4, 0.5, 1.0, 1.0]
    assert changes[-1][2] == "promoted"


# -- Argo Rollouts -------------------------------------------------------------------


def test_argos_background_sample_aborts_at_the_fourth_failure_after_25_minutes() -> None:
    assert played(PEERS["Argo background sample"](), a_world(always))[-1] == (1_500, 0.0, "rolled back")


def test_argos_default_limit_aborts_at_the_first_failure() -> None:
    assert played(PEERS["Argo API default, each minute"](), a_world(always))[-1] == (60, 0.0, "rolled back")


def test_argos_sample_takes_no_offence_at_two_percent() -> None:
    changes = played(PEERS["Argo background sample"](), a_world(lambda _: 0.02))

    assert [round(share, 1) for _, share, _ in changes] == [0.2, 0.4, 0.6, 0.8, 0.8]
    assert changes[-1] == (2_400, changes[-1][1], "promoted")


def test_argo_stops_measuring_when_its_steps_end() -> None:
    assert played(Argo(60, 600, 0, ((0, 0.2),), 600), a_world(always))[-1][2] == "promoted"


# -- the naive loop ------------------------------------------------------------------


def test_one_failed_request_in_ten_minutes_ends_the_naive_loop_and_no_data_is_health() -> None:
    once = a_world(lambda second: 0.05 if second == 60 else 0.0)

    assert played(StepFunctionsSample(), once)[-1][1:] == (0.0, "rolled back")
    assert played(StepFunctionsSample(), a_world(requests=0))[-1] == (540, 1.0, "promoted")


# -- Kayenta -------------------------------------------------------------------------


def a_sample(seed: int, mean: float) -> list[float]:
    chance = random.Random(seed)
    return [chance.normalvariate(mean, 2.0) for _ in range(30)]


@pytest.mark.parametrize(
    ("canary", "baseline", "direction", "label"),
    [
        (a_sample(1, 10), a_sample(2, 10), "either", Label.PASS),
        (a_sample(1, 20), a_sample(2, 10), "either", Label.HIGH),
        (a_sample(1, 10), a_sample(2, 20), "either", Label.LOW),
        (a_sample(1, 10), a_sample(2, 20), "increase", Label.PASS),
        (a_sample(1, 20), a_sample(2, 10), "decrease", Label.PASS),
        ([100.0] * 8 + [1.0] * 2, [1.0] * 10, "increase", Label.HIGH),
        ([100.0] * 7 + [1.0] * 3, [1.0] * 10, "increase", Label.PASS),  # reported as spinnaker#6278
        ([0.0, 1.0, 2.0, 1.0, 0.0, 0.0], [0.0] * 6, "increase", Label.PASS),  # reported as kayenta#426
        ([], [1.0], "increase", Label.NODATA),
        ([3.0, 1.0], [1.0, 3.0], "increase", Label.PASS),
    ],
)
def test_kayenta_labels_a_metric_as_its_own_suite_and_its_users_report(
    canary: list[float], baseline: list[float], direction: str, label: Label
) -> None:
    assert classify(canary, baseline, direction=direction) == label


def test_kayenta_passes_an_empty_metric_whose_gaps_are_replaced() -> None:
    assert classify([], [], replace_missing=True) == Label.PASS


def test_kayenta_leaves_metrics_without_data_out_of_the_score() -> None:
    assert score([Label.PASS, Label.HIGH, Label.NODATA]) == 50
    assert score([Label.NODATA]) == 100


# -- all of them ---------------------------------------------------------------------

EVERY: dict[str, Callable[[], Any]] = {**PEERS, **peers_on_feed(45)}


@pytest.mark.parametrize("name", [name for name in EVERY if "Kayenta" not in name])
def test_every_rule_but_those_that_look_too_late_catches_a_green_that_fails_everything(name: str) -> None:
    outcome = try_rule(EVERY[name](), seed=7, rps=20.0, scenario=BY_NAME["all fail"])

    assert outcome.end == "rolled back"
    assert outcome.harmed > 0


def test_one_seed_is_one_world() -> None:
    def once() -> Outcome:
        return try_rule(EVERY["ECS CANARY 5 %/10 min, alarm 3x60 s"](), seed=5, rps=20.0, scenario=BY_NAME["2 % fail"])

    assert once() == once()
