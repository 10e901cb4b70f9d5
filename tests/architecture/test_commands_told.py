"""Every `crossfade …` that a document tells people to type is a command of today, with options it takes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import typer.main

from crossfade_cli.app import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
TOLD = re.compile(r"(?<![\w./-])crossfade ([a-z]+(?: \| [a-z]+)*)\b(?! \d)(.*)")
OPTION = re.compile(r"(?<!\S)--?[a-z][a-z-]*")


def told(page: Path) -> Iterator[tuple[str, str]]:
    """Yield each command a page tells people to type, with the rest of its line."""
    for code in CODE.findall(page.read_text(encoding="utf-8").replace("\\\n", " ")):
        for line in code.strip("`").splitlines():
            for names, rest in TOLD.findall(line):
                yield from ((name, rest) for name in names.split(" | "))


@pytest.fixture(scope="module")
def taken() -> Mapping[str, set[str]]:
    """Every command there is, and the options it takes."""
    group = typer.main.get_command(app(rehearsal=True))
    commands: Mapping[str, typer.core.TyperCommand] = group.commands  # type: ignore[attr-defined]
    return {
        name: {"--help", *(option for each in command.params for option in (*each.opts, *each.secondary_opts))}
        for name, command in commands.items()
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_command_that_a_document_tells_exists_and_takes_what_it_is_told_with(
    page: Path, taken: Mapping[str, set[str]]
) -> None:
    wrong = [
        f"crossfade {name}{rest}"
        for name, rest in told(page)
        if name not in taken or not set(OPTION.findall(rest)) <= taken[name]
    ]

    assert wrong == []


def test_every_command_is_told_of_somewhere(taken: Mapping[str, set[str]]) -> None:
    named = {name for page in PAGES for name, _ in told(page)}

    assert set(taken) <= named
