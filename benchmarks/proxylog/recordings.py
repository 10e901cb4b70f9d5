"""Finds recordings of proxies' logs in a folder, plain or packed, and opens them."""

from __future__ import annotations

import tarfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

_PACKED: Final = (".tar", ".tar.xz", ".tar.gz", ".tar.bz2", ".tgz", ".txz")
_LINES: Final = frozenset({".json", ".jsonl", ".log", ".txt", ".ndjson"})
_KEPT_BACK: Final = b'"response_flags"'
"""A field that Service Connect never logs: a log that has it was made to check readers, not to be read by them."""


@dataclass(frozen=True)
class Recording:
    """What the proxies of one run wrote: the bytes of each log by its name."""

    name: str
    logs: dict[str, bytes]


def find(root: Path) -> Iterator[Recording]:
    """
    Yield every recording below a folder, in order of their names.

    A recording is a folder that holds logs itself, or a packed file. What is packed is
    unpacked while it is yielded, so that the time it takes can be taken.
    """
    if root.is_file():
        yield from _unpacked(root, root.name)
        return
    logs = {path.name: path for path in sorted(root.iterdir()) if path.is_file() and path.suffix in _LINES}
    if logs:
        yield _recording(root.name, {name: path.read_bytes() for name, path in logs.items()})
    for path in sorted(root.iterdir()):
        if path.is_dir():
            yield from find(path)
        elif path.name.endswith(_PACKED):
            yield from _unpacked(path, path.name)


def _unpacked(path: Path, name: str) -> Iterator[Recording]:
    by_folder: dict[str, dict[str, bytes]] = defaultdict(dict)
    with tarfile.open(path) as packed:
        for member in packed:
            inside = PurePosixPath(member.name)
            file = packed.extractfile(member) if member.isfile() and inside.suffix in _LINES else None
            if file is not None:
                by_folder[str(inside.parent)][inside.name] = file.read()
    for folder in sorted(by_folder):
        yield _recording(name if len(by_folder) == 1 else f"{name}:{folder}", by_folder[folder])


def _recording(name: str, logs: dict[str, bytes]) -> Recording:
    return Recording(name, {log: held for log, held in logs.items() if _KEPT_BACK not in held[:4096]})
