"""`python -m rehearsal.chaos`: try points of a migration, all or some, alone and in pairs; say what they came to."""

from __future__ import annotations

import argparse
import hashlib
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rehearsal.chaos.points import Point, pairs, sample
from rehearsal.chaos.report import distinct, report
from rehearsal.chaos.run import TEMPLATE, ChaosFailed, Line, name_of, record, run_shards, stage, try_attempts

FEWEST_POINTS = 500
_POINTS = 580  # of an ordinary run: some are never reached
_PAIRS = 30
_ALL_PAIRS = 300  # of a run that leaves no operation, phase and kind out
_ROUNDS = 5  # of processes that go on where others failed
_TERMINATED = 143
_TREE = ("functions", "layers/core/python", "statemachines", "rehearsal", "examples/shop", "examples/edges")


def main() -> int:
    """Return 0 when every end was safe and, of a run that is no sample, enough points were tried."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))  # so that what we started ends too
    if asked.shard:
        return _shard(asked)
    _say(f"seed {asked.seed}, edge {asked.edge}")
    simulation = None if asked.sample else _simulate(asked.seed)
    with tempfile.TemporaryDirectory() as folder:
        results = Path(asked.checkpoint or Path(folder) / "chaos.jsonl")
        began = time.monotonic()
        try:
            known = _known(Path(f"{results}.points"), asked)
        except ChaosFailed as failed:
            _say(f"a clean migration does not end as it must: {failed}")
            if simulation is not None:
                simulation.terminate()
            return 2
        attempts = _attempts(known, asked)
        left = _left(attempts, results)
        _say(
            f"{len({point.place for point in known})} places and {len(known)} points known after "
            f"{time.monotonic() - began:.0f} s; {len(attempts)} to try, {len(attempts) - len(left)} tried before"
        )
        plan = Path(folder) / "attempts.json"
        passed = ["--attempts", str(plan), "--checkpoint", str(results), "--lanes", str(asked.lanes)]
        passed += ["--template", str(asked.template), "--edge", asked.edge, "--seed", str(asked.seed)]
        failed_shards = 0
        for _ in range(_ROUNDS):
            plan.write_text(json.dumps([[point.to_json() for point in attempt] for attempt in left]), "utf-8")
            tell = partial(_tell, results, len(attempts), began)
            failed_shards = run_shards(passed, asked.shards, tell) if left else 0
            before, left = left, _left(attempts, results)
            if not failed_shards or len(left) == len(before):
                break
            _say(f"{failed_shards} of {asked.shards} processes failed; {len(left)} are left, and go on in new ones")
        names = {name_of(attempt) for attempt in attempts}
        lines = [line for line in _read(results) if line.name in names]
    simulated = 0
    if simulation is not None:
        told, _ = simulation.communicate()
        simulated = simulation.returncode
        _say(told.rstrip())
    too_few = not asked.sample and distinct(lines) < FEWEST_POINTS
    if too_few:
        _say(f"fewer than {FEWEST_POINTS} distinct points were tried", error=True)
    if failed_shards:
        _say(f"{failed_shards} of {asked.shards} processes failed", error=True)
    for text in report(lines):
        _say(text)
    return int(bool(simulated) or bool(failed_shards) or too_few or any(line.fired and line.unsafe for line in lines))


def _simulate(seed: int) -> subprocess.Popen[str]:
    """Begin to play the double faults on ports in memory, beside everything else."""
    command = [sys.executable, "-m", "rehearsal.chaos.simulation", "--first", str(seed)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603  ourselves


def _left(attempts: Sequence[tuple[Point, ...]], results: Path) -> list[tuple[Point, ...]]:
    done = {line.name for line in _read(results)}
    return [attempt for attempt in attempts if name_of(attempt) not in done]


def _attempts(known: tuple[Point, ...], asked: argparse.Namespace) -> list[tuple[Point, ...]]:
    whole = len(known) if asked.full else len({point.counted_as for point in known}) if asked.each else 0
    size = whole or asked.sample or _POINTS
    usual = _ALL_PAIRS if whole else 0 if asked.sample else _PAIRS
    doubles = usual if asked.pairs is None else asked.pairs
    alone = [(point,) for point in sample(known, size, asked.seed)]
    return [*alone, *pairs(known, doubles, asked.seed)]


def _shard(asked: argparse.Namespace) -> int:
    number, of = (int(part) for part in asked.shard.split("/"))
    given = [
        tuple(Point.from_json(point) for point in attempt) for attempt in json.loads(asked.attempts.read_text("utf-8"))
    ]
    results = Path(f"{asked.checkpoint}.{number}")
    if results.exists():  # who was killed may have left half a line
        whole, end, _ = results.read_text("utf-8").rpartition("\n")
        results.write_text(whole + end, "utf-8")
    lock = threading.Lock()
    with (
        results.open("a", encoding="utf-8") as kept,
        stage(asked.lanes, asked.template, asked.edge, asked.seed) as lanes,
    ):

        def keep(line: Line) -> None:
            with lock:
                kept.write(line.to_json() + "\n")
                kept.flush()
                if line.fired and line.unsafe:
                    _say(f"UNSAFE {line.name}: {line.end}: {'; '.join(line.unsafe)}")

        try_attempts(lanes, given[number::of], keep)
    return 0


def _known(kept: Path, asked: argparse.Namespace) -> tuple[Point, ...]:
    """
    Return every point: those of the run that is gone on with, or recorded now.

    Raises:
        ChaosFailed: a clean run did not end as it must, or the run to go on with was of another state of the code.
    """
    tree = _digest(asked.template.parent)
    if kept.exists():
        found = json.loads(kept.read_text("utf-8"))
        if (found["tree"], found["edge"]) != (tree, asked.edge):
            raise ChaosFailed(f"{kept} is of another state of the code or of another edge; begin with a new checkpoint")
        return tuple(Point.from_json(data) for data in found["points"])
    with stage(2, asked.template, asked.edge, asked.seed) as lanes:
        known = record(lanes)
    points = [point.to_json() for point in known]
    kept.write_text(json.dumps({"tree": tree, "edge": asked.edge, "points": points}), "utf-8")
    return known


def _digest(root: Path) -> str:
    whole = hashlib.sha256((root / "template.yaml").read_bytes())
    for folder in _TREE:
        for file in sorted((root / folder).rglob("*")):
            if file.suffix in {".py", ".yaml"}:
                whole.update(file.read_bytes())
    return whole.hexdigest()


def _tell(results: Path, of: int, began: float) -> None:
    lines = _read(results)
    bad = sum(bool(line.fired and line.unsafe) for line in lines)
    _say(f"{len(lines)} of {of} tried after {(time.monotonic() - began) / 60:.1f} min, {bad} unsafe")


def _read(results: Path) -> list[Line]:
    files = sorted(results.parent.glob(f"{results.name}.[0-9]*"))
    whole = (file.read_text("utf-8").rpartition("\n")[0] for file in files)
    return [Line.from_json(text) for lines in whole for text in lines.splitlines()]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m rehearsal.chaos", description=__doc__)
    how_many = parser.add_mutually_exclusive_group()
    how_many.add_argument("--sample", type=int, default=0, metavar="N", help="try N points only, of every kind some")
    how_many.add_argument("--each", action="store_true", help="try each (operation, phase, kind) once")
    how_many.add_argument("--full", action="store_true", help="try every point")
    pairs_help = f"try N pairs of points (default {_PAIRS}, 0 of a sample, {_ALL_PAIRS} of each or of a full run)"
    parser.add_argument("--pairs", type=int, metavar="N", help=pairs_help)
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="which of them (default 0)")
    parser.add_argument("--edge", default="alb", choices=("alb", "nlb", "route53", "cloudfront"), help="default alb")
    parser.add_argument("--lanes", type=int, default=1, help="migrations side by side in one process (default 1)")
    parser.add_argument("--shards", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--checkpoint", metavar="FILE", help="keep results in FILE.0, FILE.1 … and go on from them")
    parser.add_argument("--template", type=Path, default=TEMPLATE, help=argparse.SUPPRESS)
    parser.add_argument("--attempts", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--shard", help=argparse.SUPPRESS)
    return parser.parse_args()


def _say(text: str, *, error: bool = False) -> None:
    (sys.stderr if error else sys.stdout).write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
