"""What a long run has found so far, in a file, so that it goes on where it was ended."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import benchmarks.rollout
import crossfade.judge
import crossfade.plan

_DECIDES: Final = {
    benchmarks.rollout: ("chance", "grid", "guarantees", "kayenta", "ours", "peers", "rule", "world"),
    crossfade.judge: ("action", "eprocess", "inside", "judge", "reading", "sight"),
    crossfade.plan: ("document", "draw"),
}
"""The modules that decide what is found; a change in one of them is another bench."""


def digest_of_code() -> str:
    """Return a digest of all code that decides what is found."""
    found = hashlib.sha256()
    for package, modules in _DECIDES.items():
        folder = Path(next(iter(package.__path__)))
        for name in modules:
            found.update((folder / f"{name}.py").read_bytes())
    return found.hexdigest()


class Checkpoint:
    """
    Results by key, a line of JSON each. Without a path nothing is kept.

    A file of other code is begun anew. A line that was cut off in writing is done again.
    """

    def __init__(self, path: Path | None, *, code: str) -> None:
        self._path = path
        self._found: dict[str, Any] = {}
        if path is None:
            return
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        if not lines or _read(lines[0]) != {"code": code}:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"code": code}) + "\n", encoding="utf-8")
            return
        for line in lines[1:]:
            kept = _read(line)
            if set(kept) == {"key", "value"}:
                self._found[kept["key"]] = kept["value"]
        if not path.read_bytes().endswith(b"\n"):
            _append(path, "")

    def __contains__(self, key: str) -> bool:
        return key in self._found

    def __getitem__(self, key: str) -> Any:
        return self._found[key]

    def keep(self, key: str, value: Any) -> None:
        """Keep what was found, a value of JSON."""
        self._found[key] = value
        if self._path is not None:
            _append(self._path, json.dumps({"key": key, "value": value}))


def _append(path: Path, line: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def _read(line: str) -> Mapping[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
