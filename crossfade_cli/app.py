"""The `crossfade` command: its commands, its version, and how it ends."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer
from typer._click.exceptions import ClickException  # typer carries its own click and exports only its leaves

from crossfade_cli.export import export_command
from crossfade_cli.plan import plan_command
from crossfade_cli.replay import replay_command

_OPERATING = frozenset(
    {"start", "status", "watch", "approve", "reject", "hold", "resume", "abort", "retire", "history", "drift"}
)
_BAD_INPUT = {"rehearse": 2, **dict.fromkeys(_OPERATING, 2)}
"""Exit codes for a command that cannot be understood; 1 unless said here."""


def _version(asked: bool) -> None:  # noqa: FBT001 — typer's callback
    if asked:
        typer.echo(f"crossfade {version('crossfade')}")
        raise typer.Exit


def _crossfade(
    *,
    _version_asked: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Move applications on Amazon ECS to Service Connect without downtime, and back when the new side is worse."""


def app(*, rehearsal: bool, operating: bool = True) -> typer.Typer:
    """
    Return the command.

    Args:
        rehearsal: Whether `rehearse` is among its commands; it brings the embedded AWS
            along, and nobody who draws a plan shall wait for that.
        operating: Whether the commands on a deployed stack are; they bring AWS's clients.
    """
    made = typer.Typer(name="crossfade", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    made.callback()(_crossfade)
    made.command("plan")(plan_command)
    made.command("export")(export_command)
    made.command("replay")(replay_command)
    if operating:
        from crossfade_cli.operate import COMMANDS  # noqa: PLC0415 — see above

        for name, command in COMMANDS.items():
            made.command(name)(command)
    if rehearsal:
        from crossfade_cli.rehearse import rehearse_command  # noqa: PLC0415 — see above

        made.command("rehearse")(rehearse_command)
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and end the process with its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    command = given[0] if given else ""
    try:
        on_files = command in ("plan", "export", "replay", "--version")
        operates = command in _OPERATING
        answer = app(rehearsal=not on_files and not operates, operating=not on_files and command != "rehearse")(
            given, prog_name="crossfade", standalone_mode=False
        )
    except ClickException as error:
        error.show()
        sys.exit(_BAD_INPUT.get(command, 1))
    except typer.Abort:
        sys.exit(130)
    sys.exit(answer if isinstance(answer, int) else 0)
