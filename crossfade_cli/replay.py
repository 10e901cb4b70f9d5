"""`crossfade replay`: judge a migration again from its evidence, and say where that was tampered with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from crossfade.errors import BadInput, CrossfadeError
from crossfade.journal.model import Entry
from crossfade.judge.replay import Replayed, replay

TAMPERED = 2
"""Exit code when a look does not stand."""


def replay_command(
    migration: Annotated[str, typer.Argument(help="The migration's name.", show_default=False)],
    *,
    table: Annotated[
        str | None, typer.Option(help="The journal's table, an output of the stack.", envvar="JOURNAL_TABLE")
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="A file of the table's items instead: `aws dynamodb query` output, or an export's JSON lines.",
        ),
    ] = None,
    stack: Annotated[
        str | None,
        typer.Option("--stack", envvar="CROSSFADE_STACK", help="Name of the deployed stack, whose journal is meant."),
    ] = None,
    region: Annotated[str | None, typer.Option(help="The stack's Region; the AWS configuration's by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print every look as a line of JSON.")] = False,
) -> None:
    """
    Judge every look of a migration again from what the journal kept, and say where evidence was tampered with.

    Exit code 0 when every look stands, 2 when one does not, 1 when there is nothing to judge again.
    """
    console, errors = Console(highlight=False), Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        told = replay(
            _entries(migration, table or (_table_of(stack) if stack and not export else None), export, region)
        )
        if not told:
            raise BadInput(f"the journal holds no look at {migration}")
    except CrossfadeError as wrong:
        errors.print(f"[red]{escape(str(wrong))}")
        raise typer.Exit(1) from None
    broken = [look for look in told if look.broken]
    if as_json:
        for look in told:
            typer.echo(look.model_dump_json())
    else:
        console.print(_table(told))
        for look in broken:
            console.print(f"[red]{look.at:%Y-%m-%d %H:%M:%S} {escape(look.edge)}: {escape(str(look.broken))}")
        console.print(
            f"{len(told)} looks judged again: {len(told) - len(broken)} stand, {len(broken)} do not", style="bold"
        )
    if broken:
        raise typer.Exit(TAMPERED)


def _table_of(stack: str) -> str:
    from crossfade_cli.deployment import deployment  # noqa: PLC0415 — boto3, only when needed

    return deployment(stack, None).outputs["JournalTable"]


def _entries(migration: str, table: str | None, export: Path | None, region: str | None) -> tuple[Entry, ...]:
    from crossfade.journal.dynamodb import DynamoDbJournal  # noqa: PLC0415 — boto3, only when needed
    from crossfade.journal.items import read_entries  # noqa: PLC0415 — only when needed

    if export is not None:
        return read_entries(_items(export), migration)
    if table is None:
        raise BadInput("say where the journal is: --stack NAME, --table NAME or --from FILE")
    import boto3  # noqa: PLC0415 — as above
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 — as above

    try:
        return DynamoDbJournal(boto3.client("dynamodb", region_name=region), table).entries(migration)
    except (BotoCoreError, ClientError) as refused:
        raise BadInput(f"the table {table} cannot be read: {refused}") from refused


def _items(path: Path) -> Iterator[dict[str, Any]]:
    """Yield a file's items: one document with `Items`, a list of items, or an export's lines of `{"Item": …}`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as unreadable:
        raise BadInput(f"{path} cannot be read: {unreadable}") from unreadable
    try:
        document = json.loads(text)
        found = document.get("Items", [document]) if isinstance(document, dict) else document
    except json.JSONDecodeError:
        try:
            found = [json.loads(line) for line in text.splitlines() if line.strip()]
        except json.JSONDecodeError as no_json:
            raise BadInput(f"{path} is neither JSON nor lines of JSON: {no_json}") from no_json
    for item in found:
        yield item.get("Item", item) if isinstance(item, dict) else item


def _table(told: tuple[Replayed, ...]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("at", "edge", "green", "answer", "why"):
        table.add_column(name, overflow="fold")
    for look in told:
        mark = "[red]x[/] " if look.broken else ""
        table.add_row(f"{look.at:%H:%M:%S}", escape(look.edge), look.share, mark + look.answer, escape(look.reason))
    return table
