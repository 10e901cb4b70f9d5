"""Finds and reads the files an operator names: files, folders and patterns, mixed freely."""

from __future__ import annotations

import glob
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from crossfade.errors import BadInput
from crossfade.mesh.sources import SUFFIXES, SourceText
from crossfade.mesh.template import LARGEST_BYTES

GREEN: Final = ("template.json", "main.tf")
FORWARDING: Final = "parameters-us-east-1.json"
"""Green as CloudFormation and as Terraform, in the folder `green` beside the plan."""

_PLAN: Final = b'{\n  "schema": 1,\n  "migration": '


def read_files(named: Sequence[str]) -> list[SourceText]:
    """
    Return the files named, each once, in the order named; a folder's in the order of their paths.

    Raises:
        BadInput: a file is missing, unreadable, too large, no text, or leads out of its folder.
    """
    by_chance: dict[Path, bool] = {}
    for name in named:
        is_folder = Path(name).is_dir()
        for path in _files(name):
            by_chance[path] = is_folder and by_chance.get(path, True)
    return [SourceText(path=str(path), text=_text(path), by_chance=chance) for path, chance in by_chance.items()]


def _files(name: str) -> Iterator[Path]:
    path = Path(name)
    if path.is_dir():
        yield from _folder(path)
    elif path.exists():
        yield path
    else:
        matches = sorted(glob.glob(name, recursive=True))  # noqa: PTH207 — Path.glob takes no absolute pattern
        if not matches:
            raise BadInput(f"{name}: there is no such file or folder")
        yield from _inside(_before_wildcards(name), (Path(match) for match in matches if Path(match).is_file()))


def _before_wildcards(pattern: str) -> Path:
    """Return the folder that a pattern names before anything in it is left open."""
    parts = itertools.takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts)
    return Path(*parts)


def _inside(folder: Path, paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files, and refuse one that is a link to somewhere else."""
    for path in paths:
        if not path.resolve().is_relative_to(folder.resolve()):
            raise BadInput(f"{path}: a link that leads out of {folder}; name the file itself if it is meant")
        yield path


def _folder(folder: Path) -> Iterator[Path]:
    inside = sorted(path for path in folder.rglob("*") if not any(part.startswith(".") for part in path.parts[1:]))
    own = {path for plan in inside if _is_plan(plan) for path in _written_beside(plan)}
    found = [path for path in inside if path.is_file() and path.suffix in SUFFIXES and path not in own]
    if not found:
        raise BadInput(f"{folder}: there is nothing to read in this folder ({', '.join(SUFFIXES)})")
    yield from _inside(folder, found)


def _is_plan(path: Path) -> bool:
    """Whether a file is a plan of ours, told by how one begins."""
    if path.suffix != ".json" or not path.is_file():
        return False
    with path.open("rb") as opened:
        return opened.read(len(_PLAN)) == _PLAN


def _written_beside(plan: Path) -> Iterator[Path]:
    """Yield what `crossfade plan` writes with a plan: drawn again from the same folder, it is no source."""
    yield from (
        plan,
        plan.parent / "parameters.json",
        plan.parent / FORWARDING,
        *(plan.parent / "green" / name for name in GREEN),
    )


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            raise BadInput(f"{path}: not a file")  # reading a pipe or a device may never end
        if path.stat().st_size > LARGEST_BYTES:
            raise BadInput(f"{path}: larger than {LARGEST_BYTES:,} bytes; no template is")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not a text in UTF-8") from error
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}") from error


def write_file(path: Path, text: str) -> None:
    """
    Write a file, making its folder.

    Raises:
        BadInput: it cannot be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path}: cannot be written: {error.strerror or error}") from error
