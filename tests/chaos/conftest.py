from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from rehearsal.aws.clock import clock
from rehearsal.chaos.application import PACE, lay
from rehearsal.chaos.lane import AWS_TIME_SCALE, Lane, deploy_product
from rehearsal.chaos.points import Kind, Place, Point, Script
from rehearsal.chaos.run import TEMPLATE, WAIT_SCALE, Line, counted, line_of
from rehearsal.deploy import Deployer
from rehearsal.timeless import timeless_aws

CODE = Path("layers/core/python/crossfade")
PLANTED = [
    (CODE / "journal/dynamodb.py", '"fence = :fence"', '"fence >= :fence"'),
    (
        CODE / "shift/alb.py",
        "            held = [now.share for _, now in self._intact()]\n        if held ==",
        "            held = [then.share for _, _, then in wanted]\n        if held ==",
    ),
    (
        CODE / "rollout/guards.py",
        "_ENDED_BADLY = frozenset({ExecutionStatus.FAILED, ExecutionStatus.TIMED_OUT, ExecutionStatus.ABORTED})",
        "_ENDED_BADLY: frozenset[ExecutionStatus] = frozenset()",
    ),
    (CODE / "rollout/watching.py", "    migrations = parts.journal.migrations_of(OPEN)\n", "    migrations = ()\n"),
]
"""Bugs: in which file, what is found there, what stands there instead. No two are met on the way to one end."""

POINTS = {
    "stalled": (
        Point(
            Place(Script.CLIMB, "call", "elbv2:DescribeListeners", "ShiftTraffic climb 50 %", 1, "function"),
            Kind.STALLED,
        ),
    ),
    "undone": (
        Point(
            Place(Script.CLIMB, "call", "elbv2:ModifyListener", "ShiftTraffic watch 100 %", 1, "function"), Kind.UNDONE
        ),
    ),
    "stopped": (Point(Place(Script.CLIMB, "state", "Climb Rung", "migrate", 1, "machine"), Kind.STOPPED),),
    # Of the 300 pairs of seed 0: the opening died once it had taken the edge, and neither guard nor `watch` knew of it.
    "opened": (Point(Place(Script.CLIMB, "call", "dynamodb:PutItem", "OpenMigration", 1, "function"), Kind.KILLED),),
    # Of the same: retirement died half-way, and so did the one that an operator started after it.
    "retired": (
        Point(Place(Script.RETIRED, "call", "ecs:UpdateService", "RetireBlue", 3, "function"), Kind.KILLED),
        Point(Place(Script.RETIRED, "call", "ecs:ListTasks", "RetireBlue", 2, "function"), Kind.REFUSED),
    ),
}
TRIED = [
    ("right", "stalled"),
    ("right", "undone"),
    ("right", "opened"),
    ("right", "retired"),
    ("planted", "stalled"),
    ("planted", "undone"),
    ("planted", "stopped"),
]


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Line]:
    """Return what a point came to on the product as it is, and on one with bugs; all are tried side by side."""
    lines: dict[tuple[str, str], Line] = {}
    with timeless_aws(time_scale=AWS_TIME_SCALE, wait_scale=WAIT_SCALE) as aws:
        deployer = Deployer(aws, period_scale=PACE.time_scale)
        laid = {key: lay(aws, deployer, f"shop{number}") for number, key in enumerate(TRIED, start=1)}
        templates = {"right": TEMPLATE, "planted": _planted(tmp_path_factory.mktemp("planted"))}
        products = {
            name: deploy_product(deployer, template, f"crossfade-{name}", [each.plan for each in laid.values()])
            for name, template in templates.items()
        }
        lanes = {key: Lane(aws, products[key[0]], each) for key, each in laid.items()}
        with counted(aws, list(lanes.values())):

            def work(product: str, point: str) -> None:
                chosen = POINTS[point]
                lines[product, point] = line_of(
                    chosen, lanes[product, point].try_points(chosen[0].place.script, chosen)
                )

            threads = [clock.thread(partial(work, *key), name="/".join(key)) for key in lanes]
            with clock.idle():
                for thread in threads:
                    thread.join()
    return lambda product, point: lines[product, point]


def _planted(root: Path) -> Path:
    """Return the template of a copy of the source tree that has these bugs."""
    for part in ("functions", "layers", "statemachines"):
        shutil.copytree(TEMPLATE.parent / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TEMPLATE, root / TEMPLATE.name)
    for file, right, wrong in PLANTED:
        text = (root / file).read_text("utf-8")
        if right not in text:
            raise LookupError(f"{file} holds no {right!r} any more; plant the bug anew")
        (root / file).write_text(text.replace(right, wrong), "utf-8")
    return root / TEMPLATE.name
