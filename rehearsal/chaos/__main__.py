"""`python -m rehearsal.chaos`: try every point of a migration, or a sample, and say what they came to."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from pathlib import Path

from rehearsal.chaos.points import Point, sample
from rehearsal.chaos.report import distinct, report
from rehearsal.chaos.run import TEMPLATE, ChaosFailed, Line, record, run_shards, stage, try_points

FEWEST_POINTS = 500


def main() -> int:
    """Return 0 when every end was safe and, of a full run, enough points were tried."""
    asked = _arguments()
    if asked.shard:
        return _shard(asked)
    with tempfile.TemporaryDirectory() as folder:
        results = Path(asked.checkpoint or Path(folder) / "chaos.jsonl")
        plan = Path(folder) / "points.json"
        began = time.monotonic()
        try:
            known = _known(Path(f"{results}.points"), asked)
        except ChaosFailed as failed:
            _say(f"a clean migration does not end as it must: {failed}")
            return 2
        chosen = sample(known, asked.sample, asked.seed) if asked.sample else known
        done = {line.point.name for line in _read(results)}
        left = [point for point in chosen if point.name not in done]
        _say(
            f"{len({point.place for point in known})} places and {len(known)} points known after "
            f"{time.monotonic() - began:.0f} s; {len(chosen)} to try, {len(chosen) - len(left)} of them tried before"
        )
        plan.write_text(json.dumps([point.to_json() for point in left]), "utf-8")
        passed = ["--points", str(plan), "--checkpoint", str(results), "--lanes", str(asked.lanes)]
        failed_shards = run_shards([*passed, "--template", str(asked.template)], asked.shards) if left else 0
        names = {point.name for point in chosen}
        lines = [line for line in _read(results) if line.point.name in names]
        for text in report(lines):
            _say(text)
    too_few = not asked.sample and distinct(lines) < FEWEST_POINTS
    if too_few:
        _say(f"fewer than {FEWEST_POINTS} distinct points were tried", error=True)
    return int(bool(failed_shards) or too_few or any(line.fired and line.unsafe for line in lines))


def _shard(asked: argparse.Namespace) -> int:
    number, of = (int(part) for part in asked.shard.split("/"))
    given = [Point.from_json(data) for data in json.loads(asked.points.read_text("utf-8"))]
    results = Path(f"{asked.checkpoint}.{number}")
    lock = threading.Lock()
    with results.open("a", encoding="utf-8") as kept, stage(asked.lanes, asked.template) as lanes:

        def keep(line: Line) -> None:
            with lock:
                kept.write(line.to_json() + "\n")
                kept.flush()
                if line.fired and line.unsafe:
                    _say(f"UNSAFE {line.point.name}: {line.end}: {'; '.join(line.unsafe)}")

        try_points(lanes, given[number::of], keep)
    return 0


def _known(kept: Path, asked: argparse.Namespace) -> tuple[Point, ...]:
    """Return every point: those of the run that is gone on with, or recorded now."""
    if kept.exists():
        return tuple(Point.from_json(data) for data in json.loads(kept.read_text("utf-8")))
    with stage(4, asked.template) as lanes:
        known = record(lanes)
    kept.write_text(json.dumps([point.to_json() for point in known]), "utf-8")
    return known


def _read(results: Path) -> list[Line]:
    files = sorted(results.parent.glob(f"{results.name}.[0-9]*"))
    return [Line.from_json(text) for file in files for text in file.read_text("utf-8").splitlines()]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m rehearsal.chaos", description=__doc__)
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="try N points only, of every kind some")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="which N (default 0)")
    parser.add_argument("--lanes", type=int, default=5, help="migrations side by side in one process (default 5)")
    parser.add_argument("--shards", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--checkpoint", metavar="FILE", help="keep results in FILE.0, FILE.1 … and go on from them")
    parser.add_argument("--template", type=Path, default=TEMPLATE, help=argparse.SUPPRESS)
    parser.add_argument("--points", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--shard", help=argparse.SUPPRESS)
    return parser.parse_args()


def _say(text: str, *, error: bool = False) -> None:
    (sys.stderr if error else sys.stdout).write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
