"""Finds recordings of proxies' logs in a folder, plain or packed, and opens them."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import Final

_PACKED: Final = (".tar", ".tar.xz", ".tar.gz", ".tar.bz2", ".tgz", ".txz")
_SQUEEZED: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    ".gz": gzip.decompress,
    ".xz": lzma.decompress,
    ".bz2": bz2.decompress,
}
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
    logs = [path for path in sorted(root.iterdir()) if path.is_file() and _is_log(path)]
    if logs:
        yield _recording(root.name, dict(_read(path.name, path.read_bytes()) for path in logs))
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
            file = packed.extractfile(member) if member.isfile() and _is_log(inside) else None
            if file is not None:
                log, held = _read(inside.name, file.read())
                by_folder[str(inside.parent)][log] = held
    for folder in sorted(by_folder):
        yield _recording(name if len(by_folder) == 1 else f"{name}:{folder}", by_folder[folder])


def _is_log(path: PurePath) -> bool:
    """Return whether a name is a log's, or that of one log squeezed by itself."""
    inner = PurePosixPath(path.stem) if path.suffix in _SQUEEZED else path
    return inner.suffix in _LINES


def _read(name: str, held: bytes) -> tuple[str, bytes]:
    """Return a log's name and bytes as they were before it was squeezed."""
    path = PurePosixPath(name)
    return (path.stem, _SQUEEZED[path.suffix](held)) if path.suffix in _SQUEEZED else (name, held)


def _recording(name: str, logs: dict[str, bytes]) -> Recording:
    return Recording(name, {log: held for log, held in logs.items() if _KEPT_BACK not in held[:4096]})
