"""`crossfade drift`: what the owner's own code would undo, and the patch that makes it say what holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crossfade.shift.share import Share
from crossfade_cli.deployment import FAILED, Deployment, Migration, Outputs, Stack, console, deployment, told


def drift_command(
    migration: Migration,
    sources: Annotated[list[str], typer.Argument(help="Your own code: CloudFormation or Terraform files, or folders.")],
    *,
    params: Annotated[Path | None, typer.Option(help="A file with the templates' parameters.")] = None,
    stack: Stack = "crossfade",
    outputs: Outputs = None,
) -> None:
    """
    Say what applying your code again would undo, and print the patch.

    Exit code 0 when nothing would be undone, 1 when something would, or when the files hold no rule of an edge.
    """
    with told():
        if not is_clean(migration, sources, params, deployment(stack, outputs)):
            raise typer.Exit(FAILED)
        console.print(f"{migration}: clean; applying this code again would undo nothing")


def is_clean(migration: str, sources: list[str], params: Path | None, where: Deployment) -> bool:
    """Say what applying this code again would undo; True when that is nothing."""
    from crossfade.mesh.sources import read_parameters, read_sources  # noqa: PLC0415 — few commands read code
    from crossfade.rollout.must_say import must_say  # noqa: PLC0415
    from crossfade_cli.drift import drift  # noqa: PLC0415
    from crossfade_cli.files import read_files  # noqa: PLC0415

    record = where.journal.read(migration)
    given = {} if params is None else read_parameters(params.read_text(encoding="utf-8"), str(params))
    edges, texts = where.journal.edges(migration), read_files(sources)
    compared = drift(
        where.plan(record.plan),
        read_sources(texts, given).rules,
        {edge.name: Share(edge.held_bp) for edge in edges},
        texts={each.path: each.text for each in texts},
        green_arns={edge.name: edge.resolved.green_arn for edge in edges if edge.resolved.green_arn},
    )
    for each in compared.drifts:
        console.print(str(each), markup=False)
        typer.echo(each.patch, nl=False)  # as it is: it is for `git apply`
    for unseen in compared.unseen:
        [edge] = [each for each in edges if each.name == unseen]
        said = must_say(edge.resolved, Share(edge.held_bp))
        console.print(f"edge {unseen}: these files hold no rule of it; your code must say:\n{said}", markup=False)
    return not compared.drifts and not compared.unseen
