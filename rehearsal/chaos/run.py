"""
Many points, tried side by side, and what they came to.

A stage is one embedded AWS with the product deployed once and as many lanes as are given. Points are
shared out among its lanes; stages run in processes of their own, since two of them want two cores.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rehearsal.aws import EmbeddedAws
from rehearsal.aws.clock import clock
from rehearsal.aws.runtime import StillRuntime
from rehearsal.chaos.lane import AWS_TIME_SCALE, PACE, Lane, Tried, deploy_product
from rehearsal.chaos.meter import Meter
from rehearsal.chaos.points import Place, Point, Script, points
from rehearsal.chaos.verdict import End, unsafe
from rehearsal.deploy import Deployer

TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"
WAIT_SCALE = 0.5
_RECORDED_AGAIN = 3
"""A clean run may be judged wrongly where the machine is busy; so often it is tried."""

_RECORDED_TWICE = 2
"""A clean run is recorded so often; what comes but once in a while is found the second time."""


class ChaosFailed(Exception):
    """The run could not be made: a clean migration did not end as it must."""


@dataclass(frozen=True)
class Line:
    """One point tried, as the checkpoint keeps it."""

    point: Point
    fired: bool
    end: str
    unsafe: tuple[str, ...]
    seconds: float
    detail: Any = None

    def to_json(self) -> str:
        """Render it on one line."""
        kept = {"point": self.point.to_json(), "fired": self.fired, "end": self.end, "unsafe": list(self.unsafe)}
        return json.dumps({**kept, "seconds": round(self.seconds, 1), "detail": self.detail})

    @classmethod
    def from_json(cls, text: str) -> Line:
        """Read what `to_json` rendered."""
        data = json.loads(text)
        point = Point.from_json(data["point"])
        return cls(point, data["fired"], data["end"], tuple(data["unsafe"]), data["seconds"], data["detail"])


def timeless_aws() -> EmbeddedAws:
    """Return an embedded AWS in which no time passes while anything works, so that a busy machine changes nothing."""
    return EmbeddedAws(
        runtime=StillRuntime(),
        time_scale=AWS_TIME_SCALE,
        wait_scale=WAIT_SCALE,
        handlers_clock="crossfade.runtime.parts:now",
    )


@contextmanager
def stage(lanes: int, template: Path = TEMPLATE) -> Iterator[list[Lane]]:
    """Open an embedded AWS with the product of this template and so many lanes, and a meter that counts for them."""
    with timeless_aws() as aws, clock.working():
        deployer = Deployer(aws, period_scale=PACE.time_scale)
        product = deploy_product(deployer, template, "crossfade")
        opened = [Lane(aws, deployer, product, f"shop{number}") for number in range(1, lanes + 1)]
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


def record(lanes: Sequence[Lane], scripts: Iterable[Script] = tuple(Script)) -> tuple[Point, ...]:
    """
    Run every script without a fault and return every point that was passed.

    What one script passes as the one before it did is not a place of its own: the first to pass it keeps it.

    Raises:
        ChaosFailed: a clean run did not end as it must.
    """
    found: dict[Script, list[Place]] = {script: [] for script in scripts}
    jobs: queue.Queue[tuple[Script, int]] = queue.Queue()
    for script in [script for _ in range(_RECORDED_TWICE) for script in found]:
        jobs.put((script, 1))
    failures: list[str] = []

    def work(lane: Lane) -> None:
        for script, attempt in _drained(jobs):
            tried = lane.try_point(script, None)
            wrong = unsafe(tried.outcome)
            expected = End.COMPLETED if script is Script.CLIMB else End.ROLLED_BACK
            if not wrong and tried.outcome.end is expected:
                found[script] += tried.places
            elif attempt < _RECORDED_AGAIN:
                jobs.put((script, attempt + 1))
            else:
                failures.append(f"{script}: {tried.outcome.end}: {'; '.join(wrong)}: {lane.last_reason}")

    _side_by_side(lanes, work)
    if failures:
        raise ChaosFailed("; ".join(failures))
    known: dict[tuple[str, ...], Place] = {}
    for places in found.values():
        for place in places:
            known.setdefault((place.what, place.operation, place.phase, str(place.number), place.by), place)
    return points(known.values())


def try_points(lanes: Sequence[Lane], chosen: Iterable[Point], keep: Callable[[Line], None]) -> None:
    """Try every point on whichever lane is free, and hand over each as it ends."""
    jobs: queue.Queue[Point] = queue.Queue()
    for point in chosen:
        jobs.put(point)

    def work(lane: Lane) -> None:
        for point in _drained(jobs):
            began = time.monotonic()
            tried = lane.try_point(point.place.script, point)
            keep(line_of(point, tried, seconds=time.monotonic() - began))

    _side_by_side(lanes, work)


def line_of(point: Point, tried: Tried, *, seconds: float = 0.0) -> Line:
    """Return what became of a point, with the whole outcome where it is unsafe."""
    wrong = unsafe(tried.outcome)
    detail = asdict(tried.outcome) if wrong else None
    return Line(point, tried.fired, str(tried.outcome.end), wrong, seconds, detail)


def run_shards(arguments: Sequence[str], shards: int) -> int:
    """Run this module again in so many processes, each on its share of the points; return how many failed."""
    command = [sys.executable, "-m", "rehearsal.chaos", *arguments]
    children = [
        subprocess.Popen([*command, "--shard", f"{number}/{shards}"])  # noqa: S603  ourselves
        for number in range(shards)
    ]
    try:
        return sum(child.wait() != 0 for child in children)
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
