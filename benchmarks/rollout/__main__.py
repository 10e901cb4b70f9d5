"""Try every rule in every scenario, and print every cell: python -m benchmarks.rollout."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.rollout import guarantees, tables
from benchmarks.rollout.checkpoint import Checkpoint, digest_of_code
from benchmarks.rollout.grid import (
    BOLD,
    FULL,
    HEADLINE_LAG,
    LAGS,
    QUICK,
    SAMPLE,
    Cell,
    Size,
    as_rows,
    closely,
    headline,
    run,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print Markdown, and write JSON where asked; always 0."""
    asked = _arguments(arguments)
    kept = Checkpoint(asked.checkpoint, code=digest_of_code())
    if asked.headline:
        ours, harmed = closely(seed=asked.seed, processes=asked.processes, kept=kept)
        lines = [
            f"Seed {asked.seed}, {datetime.now(UTC):%Y-%m-%d}: the row of the headline, at a lag of {HEADLINE_LAG} s.\n"
        ]
        sys.stdout.write("\n".join([*lines, *tables.closely(ours, harmed)]) + "\n")
        return 0
    began, size = time.monotonic(), FULL if asked.full else SAMPLE
    cells = run(size, seed=asked.seed, processes=asked.processes, kept=kept)
    told = [headline(cells, lag=lag) for lag in LAGS]
    told += [headline(cells, ours=ours) for ours in (QUICK, BOLD)]
    alarms = guarantees.false_alarms(20_000 if asked.full else 500, seed=asked.seed, kept=kept)
    delays = guarantees.delays(2_000 if asked.full else 500, seed=asked.seed)
    wrong, idle = guarantees.wrong_verdicts(), guarantees.twelve_hours_without_traffic()
    lines = [
        _size(asked.seed, size, cells),
        "## Headline\n",
        *tables.headlines(told),
        f"\nThe headline is the row at a lag of {HEADLINE_LAG} s. Cells that a peer wins:\n",
        *tables.losses(told),
        "\n## The judge alone\n",
        f"Two equal sides, {guarantees.LOOKS} looks, a day's load, shares from 5 to 95 %, a shared outage:\n",
        *tables.false_alarms(alarms),
        "\nDelay at alpha 0.001:\n",
        *tables.delays(delays),
        "\nCases that users reported as wrongly passed:\n",
        *tables.wrong_verdicts(wrong),
        f"\nTwelve hours without traffic, on three kinds of rung: {', '.join(f'{k} {v}' for k, v in idle.items())}.\n",
        "## The whole grid\n",
        *tables.grid(cells),
    ]
    text = "\n".join(lines)
    sys.stdout.write(text + f"\n{time.monotonic() - began:.0f} s\n")
    if asked.markdown:
        asked.markdown.write_text(text, encoding="utf-8")
    if asked.json:
        found = {
            "seed": asked.seed,
            "full": asked.full,
            "cells": as_rows(cells),
            "headlines": [asdict(each) for each in told],
            "false_alarms": [asdict(each) for each in alarms],
            "delays": [asdict(each) for each in delays],
            "wrong_verdicts": [asdict(each) for each in wrong],
            "twelve_hours_without_traffic": idle,
        }
        asked.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


def _size(seed: int, size: Size, cells: Sequence[Cell]) -> str:
    runs = (
        f"{size.healthy} runs of each healthy cell ({size.headline} of the headline's), {size.bad} of each bad one and "
        f"{size.decisive} where a fifth fails at 20 requests per second"
    )
    return f"Seed {seed}, {datetime.now(UTC):%Y-%m-%d}, {runs}, {len(cells)} cells.\n"


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rollout", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="everything follows from it (1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure here")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write what is printed here, too")
    parser.add_argument("--full", action="store_true", help="all runs, which takes hours, instead of a sample")
    parser.add_argument(
        "--headline", action="store_true", help="only the headline's row, closely; a quarter of an hour"
    )
    parser.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="keep what is found here, and go on from there when run again"
    )
    parser.add_argument("--processes", type=int, default=2, help="how many at once (2)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
