"""`crossfade export`: write all that AWS still says of a mesh and of ECS to one file that `crossfade plan` accepts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.markup import escape

from crossfade.errors import BadInput
from crossfade.mesh import appmesh, cloudfront, cloudmap, cloudwatch, ecs, elbv2, route53
from crossfade.mesh.export import export_document
from crossfade_cli.files import write_file

Read = Callable[[Any], Iterator[Mapping[str, Any]]]

_NEEDED = "ecs"


def read_account(client: Callable[[str], Any], clusters: list[str]) -> tuple[list[Mapping[str, Any]], list[str]]:
    """
    Return what AWS answers, and a remark for each service that does not.

    Args:
        client: Makes a boto3 client of a service.
        clusters: ECS clusters to read; all when empty.

    Raises:
        BadInput: ECS does not answer; nothing could be planned without it.
    """
    readers: dict[str, Read] = {
        "appmesh": appmesh.read_meshes,
        "ecs": lambda made: ecs.read_clusters(made, clusters),
        "servicediscovery": cloudmap.read_names,
        "elbv2": elbv2.read_load_balancers,
        "cloudwatch": cloudwatch.read_alarms,
        "route53": route53.read_records,
        "cloudfront": cloudfront.read_distributions,
    }
    answers: list[Mapping[str, Any]] = []
    notes: list[str] = []
    for service, read in readers.items():
        found: list[Mapping[str, Any]] = []
        try:
            found.extend(read(client(service)))
        except (BotoCoreError, ClientError) as silent:
            if service == _NEEDED:
                raise BadInput(f"ECS does not answer: {silent}") from silent
            notes.append(f"{service} did not answer in full: {silent}")
        answers += found
    return answers, notes


def export_command(
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the file goes.")] = Path("export.json"),
    cluster: Annotated[
        list[str] | None, typer.Option(help="An ECS cluster to read, by name; all of the Region when none is named.")
    ] = None,
    region: Annotated[str | None, typer.Option(help="The Region; your AWS configuration's by default.")] = None,
    profile: Annotated[str | None, typer.Option(help="A profile of your AWS configuration.")] = None,
) -> None:
    """
    Read ECS, Cloud Map, load balancers, records, distributions, alarms and, as far as it still answers, App Mesh.

    Only reads. What App Mesh no longer describes is rebuilt by `crossfade plan` from the task definitions. Values of
    environment variables that look like secrets are left out. Exit code 0, or 1 when ECS does not answer.
    """
    import boto3  # noqa: PLC0415 — most of the command's start

    logging.getLogger("botocore").setLevel(logging.ERROR)
    console, errors = Console(highlight=False, soft_wrap=True), Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        session = boto3.session.Session(region_name=region, profile_name=profile)
        answers, notes = read_account(_clients(session), cluster or [])
        text = export_document(answers, region=session.region_name, now=datetime.now(UTC), notes=notes)
        write_file(output, text)
    except (BadInput, BotoCoreError) as wrong:
        errors.print(f"[red]{escape(str(wrong))}")
        raise typer.Exit(1) from None
    for note in notes:
        console.print(f"[yellow]{escape(note)}")
    console.print(f"{len(answers)} answers written to {escape(str(output))}; now: crossfade plan {escape(str(output))}")


def _clients(session: Any) -> Callable[[str], Any]:
    """Return what makes a client by its service's name; boto3's own types know only one overload a name."""

    def client(service: str) -> Any:
        return session.client(service)

    return client
