"""Requests of our own: sent while users are few, counted apart, and never compared with blue."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crossfade.judge.judge import judge
from crossfade.judge.judgement import Judgement
from crossfade.judge.probing import MemoryProber
from crossfade.judge.reading import Probed, Readings, Window
from crossfade.judge.verdict import Answer
from crossfade.plan.document import Bounds
from crossfade.plan.edges import Probe, Rung, RungKind
from tests.traffic import an_edge_plan

from .test_judge_green import NOW, World

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BOUNDS = Bounds(slow_ratio=None, minimum_requests=200)
CLIMB = Rung(share_bp=2_500, soak_seconds=300)
WATCH = Rung(share_bp=10_000, soak_seconds=300, kind=RungKind.WATCH)
FEW_ALONE = ((None, None, 3, 0),) * 10
WELL = ((900, 1, 300, 0),) * 10


def probes(each: int, *, errors: int = 0, periods: int = 10) -> tuple[Probed, ...]:
    return tuple(
        Probed(at=NOON + timedelta(seconds=60 * at + 5), requests=each, errors=errors) for at in range(periods)
    )


def judged(rows: Sequence[Any], rung: Rung, **changes: Any) -> Judgement:
    window = Window(start=NOON, period_seconds=60, rows=tuple(rows))
    return judge(Readings(window=window, **changes), rung, BOUNDS, tests=4)


def test_at_100_percent_they_show_what_few_users_cannot() -> None:
    alone, helped = judged(FEW_ALONE, WATCH), judged(FEW_ALONE, WATCH, probes=probes(60))

    assert (alone.answer, helped.answer) == (Answer.HOLD, Answer.ADVANCE)


def test_beside_blue_they_advance_nobody() -> None:
    few = ((9, 0, 3, 0),) * 10

    assert judged(few, CLIMB, probes=probes(60)).answer is Answer.HOLD


@pytest.mark.parametrize(("rows", "rung"), [(WELL, CLIMB), (FEW_ALONE, WATCH)])
def test_a_green_that_fails_them_goes_back(rows: Sequence[Any], rung: Rung) -> None:
    answer = judged(rows, rung, probes=probes(20, errors=10))

    assert answer.answer is Answer.ROLL_BACK
    assert answer.reason.startswith("probe_5xx of our own requests is above 2 %: 100 of 200")


def test_in_an_outage_that_blue_shares_they_say_nothing() -> None:
    assert judged(((900, 450, 300, 150),) * 10, CLIMB, probes=probes(20, errors=10)).answer is Answer.HOLD


def test_those_of_a_period_that_is_not_closed_wait() -> None:
    late = (Probed(at=NOON + timedelta(seconds=605), requests=200, errors=200),)

    assert judged(WELL, CLIMB, probes=late).answer is Answer.ADVANCE


def test_a_plan_with_a_probe_splits_alpha_once_more() -> None:
    assert judged(WELL, CLIMB, probes=()).roll_back_at > judged(WELL, CLIMB).roll_back_at


# -- when they are sent ------------------------------------------------------------------


def test_while_users_are_few_every_look_sends_some_and_keeps_those_before() -> None:
    prober = MemoryProber(200, 503)
    world = World(edges=(an_edge_plan(probe=Probe(url="http://green/", per_look=2)),))
    world.metrics = type(world.metrics)()
    world.prober = prober

    for look in range(3):
        world.look(at=NOW + timedelta(seconds=10 * look), look=look)

    assert len(prober.asked) == 3
    assert [(each.requests, each.errors) for each in world.looks[-1].readings.probes or ()] == [(2, 1)] * 3


def test_where_users_are_enough_none_is_sent() -> None:
    world = World(edges=(an_edge_plan(probe=Probe(url="http://green/")),))
    world.prober = MemoryProber(200)

    world.look()

    assert (world.prober.asked, world.looks[-1].readings.probes) == ([], ())


def test_a_plan_without_a_probe_sends_none() -> None:
    world = World()
    world.prober = MemoryProber(200)

    world.look()

    assert (world.prober.asked, world.looks[-1].readings.probes) == ([], None)
