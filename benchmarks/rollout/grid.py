"""The grid: every rule in every scenario, at every load and, where it reads our feed, at every lag of it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from multiprocessing import get_context
from statistics import fmean, median
from typing import Any, Final, NamedTuple

from benchmarks.rollout.chance import upper_bound
from benchmarks.rollout.checkpoint import Checkpoint
from benchmarks.rollout.ours import Crossfade
from benchmarks.rollout.peers import PEERS, peers_on_feed
from benchmarks.rollout.rule import Rule, try_rule
from benchmarks.rollout.world import SCENARIOS, Scenario
from crossfade.draw.options import DrawOptions

LOADS: Final = (2.0, 20.0, 200.0)
LAGS: Final = (10, 45, 180)
HEADLINE_LAG: Final = 45

OURS: Final = "Crossfade"
FED: Final = f"{OURS}, 10 s counts"
QUICK: Final = f"{FED}, first rung 5 %"
BOLD: Final = f"{FED}, may risk 50 requests"


@dataclass(frozen=True)
class Row:
    """A rule as it stands in the tables. `lag` is our feed's, None for a rule that reads its own."""

    name: str
    kind: str
    lag: int | None
    make: Callable[[], Rule]


def rows() -> tuple[Row, ...]:
    """
    Return every rule: Crossfade, the peers at defaults and samples, and the peers on our feed.

    The variants of Crossfade's ladder are tried at the headline's lag alone.
    """
    found = [Row(f"{OURS}, CloudWatch 60 s", "ours", None, Crossfade)]
    found += [Row(FED, "ours", lag, _ours(lag)) for lag in LAGS]
    found.append(Row(QUICK, "ours", HEADLINE_LAG, _drawn(DrawOptions(climb_bp=(500, 2_500, 5_000)))))
    found.append(Row(BOLD, "ours", HEADLINE_LAG, _drawn(DrawOptions(exposure_requests=50))))
    found += [Row(name, "peer", None, make) for name, make in PEERS.items()]
    for lag in LAGS:
        found += [Row(name, "peer on our feed", lag, make) for name, make in peers_on_feed(lag).items()]
    return tuple(found)


def _ours(lag: int) -> Callable[[], Rule]:
    return lambda: Crossfade(period=10, lag=lag)


def _drawn(options: DrawOptions) -> Callable[[], Rule]:
    return lambda: Crossfade(period=10, lag=HEADLINE_LAG, bounds=options.bounds(), ladder=options.ladder())


@dataclass(frozen=True)
class Cell:
    """What became of one rule in one scenario at one load."""

    rule: str
    kind: str
    lag: int | None
    rps: float
    scenario: str
    bad: bool
    runs: int
    rolled_back: int
    early: int
    """Rollbacks of a bad green before it was bad: false ones."""
    promoted: int
    holding: int
    harmed: float
    """Requests that failed, or were slow, because of green: the mean of all runs."""
    decided_seconds: float | None
    """From the fault's beginning to the rollback: the median of those that came."""
    seconds: float
    """The rollout's length: the median of all runs."""

    @property
    def false_bound(self) -> float:
        """Upper bound, at 99 % confidence, of the rate of false rollbacks of a healthy green."""
        return upper_bound(self.rolled_back, self.runs)


def measure(row: Row, scenario: Scenario, rps: float, *, seed: int, runs: int) -> Cell:
    """Try a rule so many times; every rule meets the same seeds."""
    first = zlib.crc32(f"{seed} {scenario.name} {rps}".encode())
    outcomes = [try_rule(row.make(), seed=first + at, rps=rps, scenario=scenario) for at in range(runs)]
    back = [outcome for outcome in outcomes if outcome.end == "rolled back"]
    late_enough = [o.decided_after for o in back if o.decided_after is not None and o.decided_after >= 0]
    return Cell(
        rule=row.name,
        kind=row.kind,
        lag=row.lag,
        rps=rps,
        scenario=scenario.name,
        bad=scenario.bad,
        runs=runs,
        rolled_back=len(back),
        early=len(back) - len(late_enough),
        promoted=sum(outcome.end == "promoted" for outcome in outcomes),
        holding=sum(outcome.end == "still holding" for outcome in outcomes),
        harmed=round(fmean(outcome.harmed for outcome in outcomes), 1),
        decided_seconds=median(late_enough) if late_enough else None,
        seconds=median(outcome.seconds for outcome in outcomes),
    )


@dataclass(frozen=True)
class Size:
    """
    How many runs a cell has.

    `headline` is for healthy cells of the headline's row, whose false rollbacks count, and
    `decisive` for the bad one by which it is compared, of every rule.
    """

    bad: int
    healthy: int
    headline: int
    decisive: int

    def runs(self, scenario: Scenario, row: Row, rps: float) -> int:
        """Return the runs of a rule in a scenario."""
        if (scenario.name, rps) == DECISIVE:
            return self.decisive
        if scenario.bad:
            return self.bad
        return self.headline if (row.name, row.lag) == (FED, HEADLINE_LAG) else self.healthy


DECISIVE: Final = ("20 % fail", 20.0)
"""The cell by which the headline compares: what is failing, and requests per second."""

SAMPLE: Final = Size(bad=10, healthy=12, headline=12, decisive=100)
FULL: Final = Size(bad=50, healthy=100, headline=400, decisive=200)
"""4,800 healthy rollouts in the headline: without a false rollback, the rate is below 0.1 % at 99 % confidence."""


class Task(NamedTuple):
    """A cell to measure: places in `rows()` and SCENARIOS, requests per second, runs, seed."""

    row: int
    scenario: int
    rps: float
    runs: int
    seed: int


def run(size: Size, *, seed: int, processes: int = 2, kept: Checkpoint | None = None) -> list[Cell]:
    """Measure the whole grid."""
    first = _headline_tasks(size, seed)
    return _run([*first, *_tasks(size, seed)], processes, kept)[len(first) :]


def closely(*, seed: int, processes: int = 2, kept: Checkpoint | None = None) -> tuple[list[Cell], list[Cell]]:
    """
    Return the headline's row in every healthy cell, and every rule at its default in the headline's bad one.

    They are cells of the full grid.
    """
    tasks = _headline_tasks(FULL, seed)
    cells = _run(tasks, processes, kept)
    return [cell for cell in cells if not cell.bad], [cell for cell in cells if cell.bad]


def _headline_tasks(size: Size, seed: int) -> list[Task]:
    def is_headlines(row: Row, scenario: Scenario, rps: float) -> bool:
        ours = (row.name, row.lag) == (FED, HEADLINE_LAG)
        return (scenario.name, rps) == DECISIVE and (ours or row.kind == "peer") if scenario.bad else ours

    return [t for t in _tasks(size, seed) if is_headlines(_all_rows()[t.row], SCENARIOS[t.scenario], t.rps)]


def _tasks(size: Size, seed: int) -> list[Task]:
    return [
        Task(at_row, at, rps, size.runs(scenario, row, rps), seed)
        for at_row, row in enumerate(_all_rows())
        for at, scenario in enumerate(SCENARIOS)
        for rps in LOADS
    ]


def _run(tasks: Sequence[Task], processes: int, kept: Checkpoint | None) -> list[Cell]:
    """Measure these cells, each once, in this order; those that are kept already are not measured again."""
    kept = kept or Checkpoint(None, code="")
    missing = [task for task in dict.fromkeys(tasks) if _key(task) not in kept]
    if not missing:
        return [Cell(**kept[_key(task)]) for task in tasks]
    with get_context("spawn").Pool(processes) as pool:
        for task, cell in pool.imap_unordered(_measure, missing, chunksize=1):
            kept.keep(_key(task), asdict(cell))
    return [Cell(**kept[_key(task)]) for task in tasks]


def _key(task: Task) -> str:
    return f"cell {_all_rows()[task.row].name}, lag {_all_rows()[task.row].lag}, {' '.join(map(str, task[1:]))}"


@cache
def _all_rows() -> tuple[Row, ...]:
    return rows()


def _measure(task: Task) -> tuple[Task, Cell]:
    row, scenario, rps, runs, seed = task
    return task, measure(_all_rows()[row], SCENARIOS[scenario], rps, seed=seed, runs=runs)


# -- what follows from the grid ----------------------------------------------------


@dataclass(frozen=True)
class Headline:
    """The figures of the design's table, from this grid."""

    ours: str
    failed_ours: float
    best_default: str
    failed_best_default: float
    fewer: float
    """How many times fewer requests fail: a fifth failing, 20 requests per second."""
    worse_cells: tuple[str, ...]
    """Cells in which a peer that is wrong less than once in a hundred healthy rollouts exposes 1.2 times less."""
    worse_than_survivors: int
    """Of these cells, those where the peer also does not give a healthy green back for an outage that both share."""
    compared_cells: int
    healthy_runs: int
    false_rollbacks: int
    false_bound: float


def headline(cells: Sequence[Cell], ours: str = FED, lag: int = HEADLINE_LAG) -> Headline:
    """Return the headline of one of our rows."""
    by = {(c.rule, c.lag, c.rps, c.scenario): c for c in cells}
    peers = sorted({(c.rule, c.lag) for c in cells if c.kind != "ours" and c.lag in {None, lag}}, key=str)
    trusted = [peer for peer in peers if _is_trusted(by, peer)]
    defaults = [peer for peer in trusted if peer[1] is None]
    what, load = DECISIVE
    mine = by[ours, lag, load, what]
    best = min((by[(*peer, load, what)] for peer in defaults), key=lambda c: c.harmed)
    survivors = [peer for peer in trusted if _is_trusted(by, peer, "shared outage")]
    worse, worse_than_survivors, compared = [], 0, 0
    for rps in LOADS:
        for scenario in (scenario for scenario in SCENARIOS if scenario.bad):
            own = by[ours, lag, rps, scenario.name]
            rival = min((by[(*peer, rps, scenario.name)] for peer in trusted), key=lambda c: c.harmed)
            compared += 1
            surviving = [by[(*peer, rps, scenario.name)].harmed for peer in survivors]
            worse_than_survivors += bool(surviving) and _is_worse(own.harmed, min(surviving))
            if _is_worse(own.harmed, rival.harmed):
                worse.append(f"{scenario.name} at {rps:g} rps: {own.harmed:g} beside {rival.harmed:g} of {rival.rule}")
    healthy = [c for c in cells if c.rule == ours and c.lag == lag and not c.bad]
    runs, wrong = sum(c.runs for c in healthy), sum(c.rolled_back for c in healthy)
    return Headline(
        ours=f"{ours}, lag {lag} s",
        failed_ours=mine.harmed,
        best_default=best.rule,
        failed_best_default=best.harmed,
        fewer=round(best.harmed / max(mine.harmed, 0.1), 1),
        worse_cells=tuple(worse),
        worse_than_survivors=worse_than_survivors,
        compared_cells=compared,
        healthy_runs=runs,
        false_rollbacks=wrong,
        false_bound=upper_bound(wrong, runs),
    )


def _is_worse(harmed: float, beside: float) -> bool:
    """Whether more than 1.2 times as many requests suffered, and more than one."""
    return harmed > max(1.2 * beside, beside + 1)


def _is_trusted(
    by: dict[tuple[str, int | None, float, str], Cell], peer: tuple[str, int | None], scenario: str = "healthy"
) -> bool:
    """Whether a peer rolls fewer than one in a hundred healthy rollouts back, over all loads."""
    cells = [by[(*peer, rps, scenario)] for rps in LOADS]
    return sum(c.rolled_back for c in cells) < 0.01 * sum(c.runs for c in cells)


def as_rows(cells: Iterable[Cell]) -> list[dict[str, Any]]:
    """Return the cells as JSON rows."""
    return [{**asdict(cell), "false_bound": None if cell.bad else round(cell.false_bound, 4)} for cell in cells]
