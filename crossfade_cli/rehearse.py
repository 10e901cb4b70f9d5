"""`crossfade rehearse`: play a migration on this machine, with real proxies, and say how it went."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from crossfade.errors import BadInput, CrossfadeError
from crossfade.plan.document import MigrationPlan
from rehearsal.breaking import FAULTS, Breaking, fault
from rehearsal.examples import application
from rehearsal.pace import BRIEF, FULL, Pace
from rehearsal.rehearsal import Progress, RehearsalFailed, rehearse
from rehearsal.summary import Scenario, Summary

_COLUMNS = 3


class Scenarios(StrEnum):
    """What to play; `all` plays both, one after the other."""

    HEALTHY = "healthy"
    SICK = "sick"
    ALL = "all"


class Sick(StrEnum):
    """How many tasks of the sick service fail."""

    ONE = "one"
    ALL = "all"


def rehearse_command(
    *,
    example: Annotated[str, typer.Option(help="An application under examples/.")] = "shop",
    plan: Annotated[
        Path | None, typer.Option(help="A plan that `crossfade plan` wrote for the example, instead of a fresh one.")
    ] = None,
    scenario: Annotated[Scenarios, typer.Option(help="What to play.")] = Scenarios.ALL,
    sick: Annotated[Sick, typer.Option(help="In `sick`: break one task of a green service, or every one.")] = Sick.ONE,
    faults: Annotated[
        list[str] | None,
        typer.Option(
            "--fault", help=f"Play `sick` with this fault; may be repeated. `every`, or of: {', '.join(FAULTS)}."
        ),
    ] = None,
    service: Annotated[
        str | None,
        typer.Option(
            help="In `sick`: the service that breaks, by its blue name; what users' service calls first by default."
        ),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the summary here; an array when several were played.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the load's order and of which task breaks.")] = 0,
    brief: Annotated[bool, typer.Option("--brief", help="A shorter ladder and bake, as the tests use.")] = False,
) -> None:
    """
    Rehearse a migration: the real template, state machines and handlers on an embedded AWS, with real Envoy proxies.

    Exit code 0 when every scenario ended as it should, 1 when one did not, 2 for bad input.
    """
    logging.disable(logging.WARNING)
    console = Console(highlight=False, soft_wrap=True)
    pace = BRIEF if brief else FULL
    try:
        shop = application(example, plan)
        sickly = service or _first_called(shop.plan)
        played = _played(scenario, Breaking(shop.plan.service(sickly).green.service_name, which=_which(sick)))
        if faults:
            names = list(FAULTS) if faults == ["every"] else faults
            played = [(Scenario.SICK, fault(each, shop.plan, sickly)) for each in _known(names)]
    except KeyError:
        console.print(f"[red]the plan has no service {service!r}; --service names one of its services")
        raise typer.Exit(2) from None
    except CrossfadeError as wrong:
        console.print(f"[red]{wrong}")
        raise typer.Exit(2) from None
    console.print(_introduction(pace))
    summaries: list[Summary] = []
    try:
        for each, breaking in played:
            console.rule(f"[bold]{breaking.name or each}")
            summaries.append(rehearse(shop, each, pace=pace, breaking=breaking, seed=seed, tell=_teller(console)))
    except RehearsalFailed as failed:
        console.print(f"[red]{failed}")
        raise typer.Exit(1) from None
    console.print(_table(summaries))
    if json_file is not None:
        json_file.write_text(_json(summaries), encoding="utf-8")
    raise typer.Exit(0 if all(summary.passed for summary in summaries) else 1)


def _first_called(plan: MigrationPlan) -> str:
    """Return the service that the one at the edge calls first; the one at the edge when it calls none."""
    entry = plan.edges[0].service if plan.edges else plan.services[0].name
    return next((call.service for call in plan.service(entry).calls if call.service is not None), entry)


def _played(scenario: Scenarios, breaking: Breaking) -> list[tuple[Scenario, Breaking]]:
    scenarios = [Scenario.HEALTHY, Scenario.SICK] if scenario is Scenarios.ALL else [Scenario(scenario.value)]
    return [(each, breaking) for each in scenarios]


def _known(names: list[str]) -> list[str]:
    unknown = [name for name in names if name not in FAULTS]
    if unknown:
        raise BadInput(f"--fault {unknown[0]}: there is {', '.join(FAULTS)}, and `every` for all of them")
    return names


def _which(sick: Sick) -> Literal["one", "all"]:
    return "one" if sick is Sick.ONE else "all"


def _introduction(pace: Pace) -> str:
    shares = ", ".join(f"{share / 100:g} %" for share in pace.climb_shares_bp)
    return (
        f"Time is divided by {pace.time_scale}: plan durations, metric periods (60 s become {60 // pace.time_scale} s) "
        f"and Envoy's intervals. Load {pace.requests_per_second} requests/s; green climbs {shares}, bakes at "
        f"{pace.control_share_bp / 100:g} % for {pace.bake_soak_seconds} s of plan time, then holds 100 % for "
        f"{pace.watch_soak_seconds} s. Tolerance {pace.tolerance:.0%}, "
        f"at least {pace.minimum_requests} requests a rung."
    )


def _teller(console: Console) -> Callable[[Progress], None]:
    def tell(progress: Progress) -> None:
        where = f"{progress.phase:<12} green {progress.green_percent:>6.2f} %" if progress.phase else " " * 27
        counted = f"{progress.requests:>6} requests, {progress.failed} failed" if progress.requests else ""
        console.print(f"{progress.seconds:6.1f} s  {where}  {counted:<28} {progress.said}", markup=False)

    return tell


def _table(summaries: list[Summary]) -> Table:
    table = Table(title="Rehearsal", show_lines=False)
    if len(summaries) > _COLUMNS:
        return _by_row(summaries)
    for heading in ("", *(summary.fault or str(summary.scenario) for summary in summaries)):
        table.add_column(heading)
    for label, cell in _ROWS:
        table.add_row(label, *(cell(summary) for summary in summaries))
    return table


def _by_row(summaries: list[Summary]) -> Table:
    table = Table(title="Rehearsal")
    for heading in ("fault", "as it should", "outcome", "to decision", "to 0 %", "failed", "of", "reason"):
        table.add_column(heading)
    for summary in summaries:
        table.add_row(
            summary.fault or str(summary.scenario),
            "yes" if summary.passed else "NO",
            summary.outcome,
            _seconds(summary.seconds.fault_to_decision),
            _seconds(summary.seconds.decision_to_zero),
            str(summary.requests.failed),
            str(summary.requests.total),
            summary.reason,
        )
    return table


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:g} s"


_ROWS: tuple[tuple[str, Callable[[Summary], str]], ...] = (
    ("ended as it should", lambda s: "yes" if s.passed else "NO"),
    ("outcome", lambda s: s.outcome),
    ("reason", lambda s: s.reason),
    ("green's shares", lambda s: " ".join(f"{share.green_percent:g}" for share in s.edges[0].shares) + " %"),
    ("requests", lambda s: str(s.requests.total)),
    ("failed (blue, green)", lambda s: f"{s.requests.failed} ({s.requests.failed_blue}, {s.requests.failed_green})"),
    ("fault to decision", lambda s: _seconds(s.seconds.fault_to_decision)),
    ("decision to 0 % green", lambda s: _seconds(s.seconds.decision_to_zero)),
    ("state transitions", lambda s: str(s.state_transitions)),
    ("longest history", lambda s: f"{s.history_events_max} events"),
    ("took", lambda s: _seconds(s.seconds.total)),
    ("time scale", lambda s: str(s.time_scale)),
    ("Envoy", lambda s: s.envoy_version),
)


def _json(summaries: list[Summary]) -> str:
    dumped = [summary.model_dump(mode="json") for summary in summaries]
    return json.dumps(dumped[0] if len(dumped) == 1 else dumped, indent=2) + "\n"
