"""The grid as Markdown tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from benchmarks.rollout.chance import upper_bound
from benchmarks.rollout.grid import LOADS, Cell, Headline
from benchmarks.rollout.guarantees import Delay, FalseAlarms, WrongVerdict
from benchmarks.rollout.world import SCENARIOS


def grid(cells: Sequence[Cell]) -> Iterator[str]:
    """Yield, load by load, what became of healthy greens, and then of bad ones."""
    for rps in LOADS:
        here = [cell for cell in cells if cell.rps == rps]
        yield f"### {rps:g} requests per second\n"
        yield "A healthy green: rolled back in % of the runs (upper bound at 99 % confidence); minutes to the end.\n"
        yield from _table([s.name for s in SCENARIOS if not s.bad], here, _healthy)
        yield ""
        yield (
            "A bad green: requests that failed or were slow because of it (mean) / seconds from the fault to the "
            "rollback (median) / missed in % of the runs. *e* marks the % of runs rolled back before the fault, "
            "*h* the % that still held after 14,000 s.\n"
        )
        yield from _table([s.name for s in SCENARIOS if s.bad], here, _bad)
        yield ""


def _table(names: Sequence[str], cells: Sequence[Cell], text: Callable[[Cell], str]) -> Iterator[str]:
    yield f"| rule | feed's lag | {' | '.join(names)} |"
    yield f"|---|---|{'---|' * len(names)}"
    by = {(cell.rule, cell.lag, cell.scenario): cell for cell in cells}
    for rule, lag in dict.fromkeys((cell.rule, cell.lag) for cell in cells):
        label = f"**{rule}**" if rule.startswith("Crossfade") else rule
        yield (
            f"| {label} | {'own' if lag is None else f'{lag} s'} | "
            + " | ".join(text(by[rule, lag, name]) for name in names)
            + " |"
        )


def _healthy(cell: Cell) -> str:
    false = f"{_percent(cell.rolled_back, cell.runs)} (<= {cell.false_bound * 100:.3g})"
    held = f" *h{_percent(cell.holding, cell.runs)}*" if cell.holding else ""
    return f"{false}; {cell.seconds / 60:.0f}{held}"


def _bad(cell: Cell) -> str:
    decided = "-" if cell.decided_seconds is None else f"{cell.decided_seconds:.0f}"
    early = f" *e{_percent(cell.early, cell.runs)}*" if cell.early else ""
    held = f" *h{_percent(cell.holding, cell.runs)}*" if cell.holding else ""
    return f"{cell.harmed:.0f} / {decided} / {_percent(cell.promoted, cell.runs)}{early}{held}"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.3g}"


def headlines(told: Iterable[Headline]) -> Iterator[str]:
    """Yield what the design asks of the grid."""
    yield (
        "| row | failed, 20 % errors at 20 rps | best default that is wrong < 1 % when healthy | fewer | "
        "bad cells worse than 1.2 x the best of these | the same, of those that survive a shared outage | "
        "false rollbacks |"
    )
    yield "|---|---|---|---|---|---|---|"
    for each in told:
        yield (
            f"| {each.ours} | {each.failed_ours:g} | {each.failed_best_default:g} ({each.best_default}) | "
            f"{each.fewer:g} x | {len(each.worse_cells)} of {each.compared_cells} | "
            f"{each.worse_than_survivors} of {each.compared_cells} | "
            f"{each.false_rollbacks} of {each.healthy_runs} (<= {each.false_bound * 100:.2g} %) |"
        )


def losses(told: Iterable[Headline]) -> Iterator[str]:
    """Yield the cells that a peer wins."""
    for each in told:
        yield f"- {each.ours}: {'; '.join(each.worse_cells) or 'none'}."


def false_alarms(told: Iterable[FalseAlarms]) -> Iterator[str]:
    """Yield the realised false-positive rates."""
    yield "| world | alpha | blamed | rate | upper bound, 99 % |"
    yield "|---|---|---|---|---|"
    for each in told:
        yield f"| {each.world} | {each.alpha:g} | {each.blamed} of {each.runs} | {each.rate:.2%} | {each.bound:.2%} |"


def delays(told: Iterable[Delay]) -> Iterator[str]:
    """Yield delays beside Wald's bound."""
    yield "| world | median, minutes | Wald's bound | ratio | mean | told how bad it is | ratio |"
    yield "|---|---|---|---|---|---|---|"
    for each in told:
        yield (
            f"| {each.world} | {each.median:g} | {each.wald:g} | {each.ratio:g} | {each.mean:g} | {each.told:g} "
            f"| {each.over_told:g} |"
        )


def wrong_verdicts(told: Iterable[WrongVerdict]) -> Iterator[str]:
    """Yield the cases that Kayenta was reported to pass."""
    yield "| case | reported | Kayenta's rule | Crossfade |"
    yield "|---|---|---|---|"
    for each in told:
        yield f"| {each.case} | {each.source} | {each.kayenta} | {each.ours}: {each.reason} |"


def closely(ours: Sequence[Cell], harmed: Sequence[Cell]) -> Iterator[str]:
    """Yield how often a healthy green is given back, and what every rule at its default lets fail."""
    runs, wrong = sum(cell.runs for cell in ours), sum(cell.rolled_back for cell in ours)
    yield f"False rollbacks: {wrong} of {runs:,}, at most {upper_bound(wrong, runs):.3%} at 99 % confidence.\n"
    yield f"A fifth failing at 20 requests per second, {harmed[0].runs} runs: failed requests, mean.\n"
    yield "| rule | failed |"
    yield "|---|---|"
    for cell in sorted(harmed, key=lambda cell: cell.harmed):
        yield f"| {cell.rule} | {cell.harmed:g} |"
