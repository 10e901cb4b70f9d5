"""
Many points, tried side by side, and what they came to.

A stage is one embedded AWS with the product deployed once and as many lanes as are given. Points are
shared out among its lanes; stages run in processes of their own, since two of them want two cores.
"""

from __future__ import annotations

import json
import queue
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from crossfade.plan.edges import EdgeKind
from rehearsal.aws import EmbeddedAws
from rehearsal.aws.clock import clock
from rehearsal.chaos.application import PACE, lay
from rehearsal.chaos.lane import AWS_TIME_SCALE, Lane, Tried, deploy_product
from rehearsal.chaos.meter import Meter
from rehearsal.chaos.points import COMPLETING, Place, Point, Script, points
from rehearsal.chaos.verdict import End, unsafe
from rehearsal.deploy import Deployer
from rehearsal.timeless import timeless_aws

TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"
WAIT_SCALE = 0.5
_TELL_SECONDS = 30.0


class ChaosFailed(Exception):
    """The run could not be made: a clean migration did not end as it must."""


@dataclass(frozen=True)
class Line:
    """One attempt, as the checkpoint keeps it: its points, how many of their faults fired, what it came to."""

    points: tuple[Point, ...]
    fired: int
    end: str
    unsafe: tuple[str, ...]
    seconds: float
    detail: Any = None

    @property
    def name(self) -> str:
        """Its points in words; unique."""
        return name_of(self.points)

    def to_json(self) -> str:
        """Render it on one line."""
        kept = {"points": [point.to_json() for point in self.points], "fired": self.fired, "end": self.end}
        rest = {"unsafe": list(self.unsafe), "seconds": round(self.seconds, 1), "detail": self.detail}
        return json.dumps({**kept, **rest})

    @classmethod
    def from_json(cls, text: str) -> Line:
        """Read what `to_json` rendered."""
        data = json.loads(text)
        points = tuple(Point.from_json(point) for point in data["points"])
        return cls(points, data["fired"], data["end"], tuple(data["unsafe"]), data["seconds"], data["detail"])


def name_of(attempt: Sequence[Point]) -> str:
    """Return the points of an attempt in words; unique."""
    return " + ".join(point.name for point in attempt)


@contextmanager
def stage(lanes: int, template: Path = TEMPLATE, kind: EdgeKind = "alb", seed: int = 0) -> Iterator[list[Lane]]:
    """Open an embedded AWS with the product of this template and so many lanes, and a meter that counts for them."""
    random.seed(seed)  # what jitters, jitters alike
    with timeless_aws(time_scale=AWS_TIME_SCALE, wait_scale=WAIT_SCALE) as aws:
        deployer = Deployer(aws, period_scale=PACE.time_scale)
        laid = [lay(aws, deployer, f"shop{number}", kind) for number in range(1, lanes + 1)]
        product = deploy_product(deployer, template, "crossfade", [each.plan for each in laid])
        opened = [Lane(aws, product, each) for each in laid]
        with counted(aws, opened):
            yield opened


@contextmanager
def counted(aws: EmbeddedAws, lanes: Sequence[Lane]) -> Iterator[None]:
    """Count for these lanes as long as it is open."""
    meter = Meter(aws, lanes)
    meter.start()
    try:
        yield
    finally:
        meter.stop()


_ENDS = {Script.RETIRED: End.RETIRED, **dict.fromkeys(COMPLETING, End.COMPLETED)}


def record(lanes: Sequence[Lane], scripts: Iterable[Script] = tuple(Script)) -> tuple[Point, ...]:
    """
    Run every script without a fault and return every point that was passed.

    What one script passes as the one before it did is not a place of its own: the first to pass it keeps it.

    Raises:
        ChaosFailed: a clean run did not end as it must.
    """
    found: dict[Script, list[Place]] = {script: [] for script in scripts}
    jobs: queue.Queue[Script] = queue.Queue()
    for script in found:
        jobs.put(script)
    failures: list[str] = []

    def work(lane: Lane) -> None:
        for script in _drained(jobs):
            tried = lane.try_points(script)
            wrong = unsafe(tried.outcome)
            found[script] += tried.places
            if wrong or tried.outcome.end is not _ENDS.get(script, End.ROLLED_BACK):
                failures.append(f"{script}: {tried.outcome.end}: {'; '.join(wrong)}: {lane.last_reason}")

    _side_by_side(lanes, work)
    if failures:
        raise ChaosFailed("; ".join(failures))
    known: dict[tuple[object, ...], Place] = {}
    for places in found.values():
        for place in places:
            known.setdefault(place.spot, place)
    return points(known.values())


def try_attempts(lanes: Sequence[Lane], attempts: Iterable[tuple[Point, ...]], keep: Callable[[Line], None]) -> None:
    """
    Try every attempt, one point or several at once, on whichever lane is free, and hand over each as it ends.

    One that breaks the lane is handed over as unsafe, and what broke it is raised: nothing more can be tried there.
    """
    jobs: queue.Queue[tuple[Point, ...]] = queue.Queue()
    for attempt in attempts:
        jobs.put(attempt)

    def work(lane: Lane) -> None:
        for attempt in _drained(jobs):
            began = time.monotonic()
            try:
                tried = lane.try_points(attempt[0].place.script, attempt)
            except Exception as broken:
                said = (f"it could not be tried to its end: {type(broken).__name__}: {broken}",)
                keep(Line(attempt, len(attempt), str(End.STUCK), said, time.monotonic() - began))
                raise
            keep(line_of(attempt, tried, seconds=time.monotonic() - began))

    _side_by_side(lanes, work)


def line_of(attempt: tuple[Point, ...], tried: Tried, *, seconds: float = 0.0) -> Line:
    """Return what became of an attempt, with the whole outcome where it is unsafe."""
    wrong = unsafe(tried.outcome)
    detail = asdict(tried.outcome) if wrong else None
    return Line(attempt, tried.fired, str(tried.outcome.end), wrong, seconds, detail)


def run_shards(arguments: Sequence[str], shards: int, tell: Callable[[], None]) -> int:
    """Run this module again in so many processes, each on its share, telling now and then; return how many failed."""
    command = [sys.executable, "-m", "rehearsal.chaos", *arguments]
    children = [
        subprocess.Popen([*command, "--shard", f"{number}/{shards}"])  # noqa: S603  ourselves
        for number in range(shards)
    ]
    try:
        for child in children:
            while True:
                try:
                    child.wait(_TELL_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    tell()
        return sum(child.returncode != 0 for child in children)
    finally:
        for child in children:
            child.terminate()


def _drained(jobs: queue.Queue[Any]) -> Iterator[Any]:
    while True:
        try:
            yield jobs.get_nowait()
        except queue.Empty:
            return


def _side_by_side(lanes: Sequence[Lane], work: Callable[[Lane], None]) -> None:
    failures: list[Exception] = []

    def guarded(lane: Lane) -> None:
        try:
            work(lane)
        except Exception as failed:  # noqa: BLE001  told by the caller's thread
            failures.append(failed)

    threads = [clock.thread(partial(guarded, lane), name=lane.name) for lane in lanes]
    with clock.idle():
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]
