"""A few points of a migration at every kind of edge; `make chaos` tries the rest."""

from __future__ import annotations

from functools import partial

import pytest

from crossfade.plan.edges import EdgeKind
from rehearsal.aws.clock import clock
from rehearsal.chaos.application import PACE, lay
from rehearsal.chaos.lane import AWS_TIME_SCALE, Lane, deploy_product
from rehearsal.chaos.points import EDGE_WRITES, Point, Script, is_steady, pairs, sample
from rehearsal.chaos.run import TEMPLATE, WAIT_SCALE, Line, counted, record, try_attempts
from rehearsal.deploy import Deployer
from rehearsal.timeless import timeless_aws

SEED = 22
KINDS: tuple[EdgeKind, ...] = ("alb", "nlb", "route53", "cloudfront")
POINTS = 3  # of each kind, beside one at a write of the edge and a pair


@pytest.fixture(scope="module")
def tried() -> dict[EdgeKind, list[Line]]:
    """What became of some points at each kind of edge; the kinds share an account and a stack, side by side."""
    lines: dict[EdgeKind, list[Line]] = {kind: [] for kind in KINDS}
    with timeless_aws(time_scale=AWS_TIME_SCALE, wait_scale=WAIT_SCALE) as aws:
        deployer = Deployer(aws, period_scale=PACE.time_scale)
        laid = [lay(aws, deployer, f"shop{number}", kind) for number, kind in enumerate(KINDS, start=1)]
        product = deploy_product(deployer, TEMPLATE, "crossfade", [each.plan for each in laid])
        lanes = {kind: Lane(aws, product, each) for kind, each in zip(KINDS, laid, strict=True)}
        with counted(aws, list(lanes.values())):

            def work(kind: EdgeKind) -> None:
                known = record([lanes[kind]], (Script.JUDGED,))
                try_attempts([lanes[kind]], _chosen(known), lines[kind].append)

            threads = [clock.thread(partial(work, kind), name=kind) for kind in KINDS]
            with clock.idle():
                for thread in threads:
                    thread.join()
    return lines


def _chosen(known: tuple[Point, ...]) -> list[tuple[Point, ...]]:
    steady = [point for point in known if is_steady(point)]
    writes = [point for point in steady if point.place.operation in EDGE_WRITES]
    alone = (*sample(writes, 1, SEED), *sample(steady, POINTS, SEED))
    return [*((point,) for point in alone), *pairs(steady, 1, SEED)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_end_is_safe(tried: dict[EdgeKind, list[Line]], kind: EdgeKind) -> None:
    unsafe = [f"seed {SEED}, {line.name}: {line.end}: {line.unsafe}" for line in tried[kind] if line.unsafe]

    assert unsafe == []


@pytest.mark.parametrize("kind", KINDS)
def test_faults_fired_at_the_edge_and_elsewhere(tried: dict[EdgeKind, list[Line]], kind: EdgeKind) -> None:
    fired = [line for line in tried[kind] if line.fired]

    assert len(fired) >= POINTS, f"seed {SEED}: {[line.name for line in tried[kind]]}"
