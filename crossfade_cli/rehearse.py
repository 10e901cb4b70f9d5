"""`crossfade rehearse`: play a migration on this machine, with real proxies, and say how it went."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, get_args

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from crossfade.draw.options import DrawOptions
from crossfade.errors import BadInput, CrossfadeError
from crossfade.plan.answers import accept
from crossfade.plan.document import MigrationPlan
from crossfade.plan.edges import EdgeKind
from crossfade_cli.drawing import Given, answers_of, draw_from, written_at
from rehearsal.application import Application, stand_ins
from rehearsal.breaking import FAULTS, Breaking, fault, faults_at
from rehearsal.doors import nature
from rehearsal.edge_table import edge_table
from rehearsal.examples import application, read_plan
from rehearsal.fault_table import fault_table
from rehearsal.pace import BRIEF, FULL, Pace
from rehearsal.rehearsal import RehearsalFailed, rehearse
from rehearsal.scene import Progress
from rehearsal.staging import machine_holds
from rehearsal.summary import Scenario, Summary

_COLUMNS = 3


class Scenarios(StrEnum):
    """What to play; `all` plays `healthy` and `sick`, one after the other."""

    HEALTHY = "healthy"
    SICK = "sick"
    ABORT = "abort"
    UNWATCHED = "unwatched"
    THROTTLED = "throttled"
    BLUE_LOSS = "blue-loss"
    TLS = "tls"
    ALL = "all"


class Doors(StrEnum):
    """By which kind of edge users come in; `all` plays each kind in turn."""

    ALB = "alb"
    NLB = "nlb"
    ROUTE53 = "route53"
    CLOUDFRONT = "cloudfront"
    ALL = "all"

    @property
    def kinds(self) -> tuple[EdgeKind, ...]:
        """The kinds that are played."""
        return get_args(EdgeKind) if self is Doors.ALL else (self.value,)


class Sick(StrEnum):
    """How many tasks of the sick service fail."""

    ONE = "one"
    ALL = "all"


def rehearse_command(
    plan_file: Annotated[
        Path | None,
        typer.Argument(help="A plan that `crossfade plan` wrote, played by stand-ins.", metavar="[PLAN]"),
    ] = None,
    *,
    example: Annotated[
        str | None, typer.Option(help="An application under examples/; shop where nothing else is named.")
    ] = None,
    plan: Annotated[
        Path | None, typer.Option(help="As PLAN; with --example, a plan for the example instead of a fresh one.")
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(help="What you have, as `crossfade plan` takes it; may be repeated. Played by stand-ins."),
    ] = None,
    param: Annotated[list[str] | None, typer.Option(help="As `crossfade plan` takes it.", metavar="NAME=VALUE")] = None,
    params: Annotated[Path | None, typer.Option(help="A file of parameters, for --source.")] = None,
    mesh: Annotated[str | None, typer.Option(help="Which mesh, where the sources hold several.")] = None,
    background: Annotated[
        list[str] | None, typer.Option(help="As `crossfade plan` takes it.", metavar="SERVICE=ANSWER")
    ] = None,
    accept_file: Annotated[
        Path | None,
        typer.Option("--accept", help="Gaps that a person accepts: a file of answers, or an earlier plan."),
    ] = None,
    edge_of: Annotated[
        str | None,
        typer.Option(help="The edge to climb, by its name or its service's; what leads to most services by default."),
    ] = None,
    edge: Annotated[Doors, typer.Option(help="By which kind of edge users reach the example shop.")] = Doors.ALB,
    most_tasks: Annotated[
        int | None, typer.Option(min=1, help="Tasks of each colour to run at most; 8 for each core by default.")
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
    table: Annotated[
        bool, typer.Option("--table", help="Print nothing but a Markdown table of the edges, or the faults, played.")
    ] = False,
) -> None:
    """
    Rehearse a migration: the real template, state machines and handlers on an embedded AWS, with real Envoy proxies.

    Without PLAN and --source an example is played from its own templates. Any other plan is played by stand-ins, that
    answer and call each other as the plan says; one that this machine cannot hold is cut to the call graph of an edge,
    and what differs is said. A plan with open blocking gaps is refused, as the stack refuses it: accept them first.

    Exit code 0 when every scenario ended as it should, 1 when one did not, 2 for bad input.
    """
    logging.disable(logging.WARNING)
    console = Console(highlight=False, soft_wrap=True, stderr=table)
    pace = BRIEF if brief else FULL
    played: list[tuple[Application, Scenario, Breaking]] = []
    given = Given(params=param or [], params_file=params, background=background or [], accept_file=accept_file)
    try:
        if plan is not None and plan_file is not None:
            raise BadInput(f"two plans are given, {plan_file} and {plan}; one is rehearsed at a time")
        if not source and (param or params or mesh or background):
            raise BadInput("--param, --params, --mesh and --background are for --source; a plan has been drawn already")
        if not source and (example or not (plan or plan_file)) and (accept_file or edge_of or most_tasks):
            raise BadInput("--accept, --edge-of and --most-tasks are for stand-ins: give PLAN or --source, no example")
        for door in edge.kinds:
            played_by = _application(
                example,
                plan or plan_file,
                source or [],
                given,
                mesh=mesh,
                door=door,
                stand_in=lambda of: stand_ins(of, edge_of=edge_of, most_tasks=most_tasks or machine_holds()),
            )
            sickly = service or _first_called(played_by.plan)
            breaking = Breaking(played_by.plan.service(sickly).green.service_name, which=_which(sick))
            if faults:
                names = faults_at(played_by.door) if faults in (["every"], ["all"]) else _known(faults, played_by.door)
                broken = [fault(each, played_by.plan, sickly) for each in names]
                played += [(played_by, Scenario.SICK, each) for each in broken]
            else:
                played += [(played_by, each, breaking) for each in _scenarios(scenario)]
    except KeyError:
        console.print(f"[red]the plan has no service {service!r}; --service names one of its services")
        raise typer.Exit(2) from None
    except CrossfadeError as wrong:
        console.print(f"[red]{escape(str(wrong))}")
        raise typer.Exit(2) from None
    kinds = dict.fromkeys(whose.door for whose, _, _ in played)
    console.print(" ".join([_introduction(pace), *(said for kind in kinds if (said := nature(kind, pace)))]))
    _tell_staging(played_by, console)
    summaries: list[Summary] = []
    try:
        for whose, each, struck in played:
            console.rule(f"[bold]{'' if edge is Doors.ALB else f'{whose.door}, '}{struck.name or each}")
            summaries.append(rehearse(whose, each, pace=pace, breaking=struck, seed=seed, tell=_teller(console)))
    except RehearsalFailed as failed:
        console.print(f"[red]{escape(str(failed))}")
        raise typer.Exit(1) from None
    console.print(_table(summaries))
    if table:
        typer.echo(fault_table(summaries) if faults else edge_table(summaries), nl=False)
    if json_file is not None:
        json_file.write_text(_json(summaries), encoding="utf-8")
    raise typer.Exit(0 if all(summary.passed for summary in summaries) else 1)


def _application(
    example: str | None,
    plan_file: Path | None,
    sources: list[str],
    given: Given,
    *,
    mesh: str | None,
    door: EdgeKind,
    stand_in: Callable[[MigrationPlan], Application],
) -> Application:
    """Return what is played: an example, or stand-ins for the plan that is given or drawn now."""
    if sources and (example or plan_file):
        raise BadInput("--source is drawn anew: give it alone, or a plan without it")
    if door != "alb" and (sources or (plan_file is not None and example is None)):
        raise BadInput(f"--edge {door} is a form of the example shop; a plan says itself where users come in")
    if sources:
        return stand_in(draw_from(sources, given, DrawOptions(mesh=mesh)).plan)
    if plan_file is None or example is not None:
        return application(example or "shop", plan_file, door)
    plan = read_plan(plan_file)
    if given.accept_file is not None:
        plan = accept(plan, answers_of(given.accept_file), written_at(given.accept_file)).plan
    return stand_in(plan)


def _tell_staging(played_by: Application, console: Console) -> None:
    if (staging := played_by.staging) is None:
        return
    console.print(
        f"Stand-ins play {len(staging.services)} services, {staging.tasks} tasks of each colour: "
        f"{escape(', '.join(staging.services))}"
    )
    if staging.left_out:
        console.print(f"[bold]Left out[/], {len(staging.left_out)}: {escape(', '.join(staging.left_out))}")
    for each in staging.differences:
        console.print(f"Not as on AWS: {escape(each)}.")


def _first_called(plan: MigrationPlan) -> str:
    """Return the service that the one at the edge calls first; the one at the edge when it calls none."""
    entry = plan.edges[0].service if plan.edges else plan.services[0].name
    return next((call.service for call in plan.service(entry).calls if call.service is not None), entry)


def _scenarios(scenario: Scenarios) -> list[Scenario]:
    return [Scenario.HEALTHY, Scenario.SICK] if scenario is Scenarios.ALL else [Scenario(scenario.value)]


def _known(names: list[str], door: EdgeKind) -> list[str]:
    known = faults_at(door)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise BadInput(
            f"--fault {unknown[0]}: at an edge of kind {door} there is {', '.join(known)}, and `every` for all of them"
        )
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
    for heading in ("", *(summary.fault or f"{summary.edges[0].kind}, {summary.scenario}" for summary in summaries)):
        table.add_column(heading)
    for label, cell in _ROWS:
        table.add_row(label, *(cell(summary) for summary in summaries))
    return table


def _by_row(summaries: list[Summary]) -> Table:
    table = Table(title="Rehearsal")
    for heading in ("edge", "fault", "as it should", "outcome", "to decision", "to 0 %", "failed", "of", "reason"):
        table.add_column(heading)
    for summary in summaries:
        table.add_row(
            summary.edges[0].kind,
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
    ("to an empty target group", lambda s: str(s.requests.to_nobody)),
    ("fault to decision", lambda s: _seconds(s.seconds.fault_to_decision)),
    ("decision to 0 % green", lambda s: _seconds(s.seconds.decision_to_zero)),
    ("until that is everywhere", lambda s: _seconds(s.seconds.decision_to_everywhere)),
    ("until green's last request", lambda s: _seconds(s.seconds.decision_to_last_green)),
    ("state transitions", lambda s: str(s.state_transitions)),
    ("longest history", lambda s: f"{s.history_events_max} events"),
    ("refused by IAM", lambda s: "; ".join(s.refused) or "nothing"),
    ("took", lambda s: _seconds(s.seconds.total)),
    ("time scale", lambda s: str(s.time_scale)),
    ("Envoy", lambda s: s.envoy_version),
)


def _json(summaries: list[Summary]) -> str:
    dumped = [summary.model_dump(mode="json") for summary in summaries]
    return json.dumps(dumped[0] if len(dumped) == 1 else dumped, indent=2) + "\n"
