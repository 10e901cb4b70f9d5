"""`crossfade plan`: draw a plan from what a team has, and say what it means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from crossfade.draw.options import DrawOptions
from crossfade.errors import CrossfadeError
from crossfade.mesh.model import Found
from crossfade.plan.document import Gap, MigrationPlan, Severity
from crossfade.plan.infrastructure import cloudformation, terraform
from crossfade.plan.page import page
from crossfade.plan.parameters import forwarding_parameters, parameters
from crossfade.plan.report import endpoint_in_words, ladder_in_words, ledger_in_words, report, rule_in_words, summary
from crossfade_cli.drawing import Given, draw_any
from crossfade_cli.files import FORWARDING, GREEN, write_file

OPEN_GAP = 2
"""Exit code when a blocking gap is open."""
_COLOURS = {Severity.BLOCKING: "bold red", Severity.DEGRADING: "yellow", Severity.INFORMATIONAL: "dim"}


def plan_command(
    source: Annotated[
        list[str],
        typer.Argument(
            help="What you have: CloudFormation, Terraform, answers of AWS, exports; files, folders, patterns.",
            show_default=False,
        ),
    ],
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where the plan goes; parameters.json is written beside it.")
    ] = Path("plan.json"),
    param: Annotated[
        list[str] | None,
        typer.Option(
            help="A parameter, pseudo parameter or generated name that the templates leave open: NAME=VALUE, or "
            "FILE:NAME=VALUE where several templates share a name.",
            metavar="NAME=VALUE",
        ),
    ] = None,
    params: Annotated[Path | None, typer.Option(help="A file of parameters, as the AWS CLI or SAM writes it.")] = None,
    migration: Annotated[str | None, typer.Option(help="Name of the migration; the mesh's by default.")] = None,
    mesh: Annotated[str | None, typer.Option(help="Which mesh, where the sources hold several.")] = None,
    region: Annotated[str | None, typer.Option(help="The Region, where the plan shall name it.")] = None,
    namespace: Annotated[
        str | None, typer.Option(help="Green's namespace by name, or the ARN of one that is shared with this account.")
    ] = None,
    green_name: Annotated[
        str | None, typer.Option(help="Names green's services: a template with {service} in it.", metavar="TEMPLATE")
    ] = None,
    tls_authority: Annotated[
        str | None, typer.Option(help="ARN of the AWS Private CA that issues green's certificates.")
    ] = None,
    tls_role: Annotated[str | None, typer.Option(help="ARN of the role with which ECS has them issued.")] = None,
    tls_key: Annotated[str | None, typer.Option(help="ARN of the KMS key for their private keys.")] = None,
    background: Annotated[
        list[str] | None,
        typer.Option(
            help="What green does with work that no request brings: SERVICE=share, create_at_zero or leave_out.",
            metavar="SERVICE=ANSWER",
        ),
    ] = None,
    edge: Annotated[
        list[str] | None,
        typer.Option(
            help="Where a service's users are divided, if not at its load balancer: SERVICE=route53:LOAD_BALANCER or "
            "SERVICE=cloudfront:LOAD_BALANCER[,DOMAIN], with the load balancer that stands before green.",
            metavar="SERVICE=EDGE",
        ),
    ] = None,
    probe: Annotated[
        list[str] | None,
        typer.Option(
            help="Where requests of Crossfade's own find green's entry while users send few: an address that leads to "
            "green alone, for an edge or for a service's edges.",
            metavar="EDGE=URL",
        ),
    ] = None,
    probe_header: Annotated[
        list[str] | None,
        typer.Option(help="A header of these requests, Host for one.", metavar="EDGE=NAME:VALUE"),
    ] = None,
    probe_staging: Annotated[
        list[str] | None,
        typer.Option(
            help="An address of a cloudfront edge's distribution, asked with the policy's header before the first "
            "share.",
            metavar="EDGE=URL",
        ),
    ] = None,
    accept_file: Annotated[
        Path | None, typer.Option("--accept", help="Gaps that a person accepts: a file of answers, or an earlier plan.")
    ] = None,
    report_file: Annotated[
        Path | None, typer.Option("--report", help="Write the report here: a page for .html, otherwise Markdown.")
    ] = None,
) -> None:
    """
    Draw a plan: who moves to Service Connect, in which order, by which edges, and what is lost.

    Exit code 0, 2 when a blocking gap is open (the plan is written all the same), 1 for bad input. When there is
    nothing to migrate it says so, writes a plan without services and exits 0. What was answered to a plan that stands
    at the output already is kept. Green itself is written beside the plan, as CloudFormation and as Terraform (green/).
    """
    console, errors = Console(highlight=False), Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        given = Given(
            params=param or [],
            params_file=params,
            background=background or [],
            probes=probe or [],
            probe_headers=probe_header or [],
            probe_staging=probe_staging or [],
            accept_file=accept_file,
            kept_from=output,
        )
        options = DrawOptions(
            migration=migration,
            mesh=mesh,
            region=region,
            namespace=namespace,
            green_name=green_name,
            tls_authority=tls_authority,
            tls_role=tls_role,
            tls_key=tls_key,
            edges=dict(each.partition("=")[::2] for each in edge or []),
        )
        drawn = draw_any(source, given, options)
        plan = drawn.plan
        write_file(output, plan.to_json())
        write_file(output.parent / "parameters.json", json.dumps(parameters(plan), indent=2) + "\n")
        forwarding = forwarding_parameters(plan)
        if forwarding:
            write_file(output.parent / FORWARDING, json.dumps(forwarding, indent=2) + "\n")
        for name, text in zip(GREEN, (cloudformation(plan), terraform(plan)), strict=True):
            write_file(output.parent / "green" / name, text)
        if report_file is not None:
            write_file(report_file, page(plan) if report_file.suffix in (".html", ".htm") else report(plan))
    except CrossfadeError as wrong:
        errors.print(f"[red]{escape(str(wrong))}")
        raise typer.Exit(1) from None
    if drawn.nothing is not None:
        console.print(escape(_sentence(drawn.nothing)), soft_wrap=True)
        _show_gaps(plan.gaps, console)
        return
    _show(plan, drawn.found, output, console)
    for unmet in drawn.unmet:
        place = f" {unmet.resource}" if unmet.resource else ""
        console.print(f"Accepted and not a gap of this plan: {escape(unmet.id + place)}")
    if plan.open_blocking_gaps():
        raise typer.Exit(OPEN_GAP)


def _sentence(error: Exception) -> str:
    said = str(error)
    return f"{said[:1].upper()}{said[1:]}."


def _show(plan: MigrationPlan, found: Found, output: Path, console: Console) -> None:
    console.print(f"[bold]{escape(plan.migration)}[/]: {escape(summary(plan))}")
    for note in found.notes:
        console.print(escape(note))
    console.print(_services(plan))
    for edge in plan.edges:
        rules = "; ".join(
            f"{rule.load_balancer}:{rule.listener_port} {rule_in_words(rule.priority)}" for rule in edge.rules
        )
        console.print(f"Edge [bold]{escape(edge.name)}[/] ({escape(rules)}): {escape(ladder_in_words(edge))}")
    if plan.alarms:
        console.print(f"Alarms of your own that stop it: {escape(', '.join(plan.alarms))}")
    _show_gaps(plan.gaps, console)
    if "PassRoleArns" not in parameters(plan):
        console.print("Add PassRoleArns to the parameters: the task and execution roles that blue's tasks run with.")
    if plan.redeploy:
        console.print(f"Deployed a second time, since they call each other: {escape(', '.join(plan.redeploy))}")
    if plan.outside_names:
        names = ", ".join(f"{each.name} ({each.service})" for each in plan.outside_names)
        console.print(f"Names that others may dial keep leading to blue: {escape(names)}")
    console.print(f"Fields of the mesh: {escape(ledger_in_words(plan.ledger))}")
    beside = (output.parent / FORWARDING,) if forwarding_parameters(plan) else ()
    written = (output, output.parent / "parameters.json", *beside, output.parent / "green")
    console.print(f"Written to {escape(', '.join(map(str, written)))}")


def _services(plan: MigrationPlan) -> Table:
    table = Table()
    services = {service.name: service for service in plan.services}
    for heading in ("wave", "service", "role", "endpoints", "calls", "green"):
        table.add_column(heading, overflow="fold")
    for number, wave in enumerate(plan.waves, start=1):
        for name in wave:
            service = services[name]
            table.add_row(
                str(number),
                escape(service.name),
                service.role.value,
                escape("\n".join(endpoint_in_words(each) for each in service.endpoints)),
                escape("\n".join(f"{call.dns_name}:{call.port}" for call in service.calls)),
                escape(service.green.service_name),
            )
    return table


def _show_gaps(gaps: tuple[Gap, ...], console: Console) -> None:
    for gap in gaps:
        colour = _COLOURS[gap.severity]
        console.print(f"[{colour}]{gap.severity.value:<13}[/] [bold]{gap.id}[/] {escape(gap.resource)}")
        console.print(Padding(escape(gap.detail), (0, 0, 0, 14)))
    if not gaps:
        console.print("Nothing is lost.")
