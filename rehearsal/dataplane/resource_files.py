"""The files that running proxies follow: whole or not at all, so a proxy never reads half a change."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path

from rehearsal.dataplane.proxy import Config, endpoints_file


def write_whole(path: Path, content: Config) -> None:
    """Replace a file in one step; Envoy watches for the rename."""
    beside = path.with_name(path.name + ".new")
    beside.write_text(json.dumps(content))
    beside.rename(path)


class Endpoints:
    """
    Files of endpoints, one per set of hosts, each kept as a sorted list of loopback ports.

    Safe to use from many threads. A set that was never filled exists as an empty file from the moment it is asked for.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._ports: dict[str, tuple[int, ...]] = {}
        self._version = 0

    def file(self, name: str) -> Path:
        """Return the file of a set, which exists when this returns."""
        with self._lock:
            if name not in self._ports:
                self._put(name, ())
        return self._path(name)

    def ports(self, name: str) -> tuple[int, ...]:
        """Return the ports of a set now."""
        with self._lock:
            return self._ports.get(name, ())

    def add(self, name: str, port: int) -> None:
        """Add a host to a set; one that is there already stays."""
        with self._lock:
            self._put(name, (*self._ports.get(name, ()), port))

    def remove(self, name: str, port: int) -> None:
        """Take a host out of a set; one that is not there is no error."""
        with self._lock:
            self._put(name, tuple(p for p in self._ports.get(name, ()) if p != port))

    def replace(self, name: str, ports: tuple[int, ...]) -> None:
        """Make a set exactly these hosts."""
        with self._lock:
            self._put(name, ports)

    def _put(self, name: str, ports: tuple[int, ...]) -> None:
        wanted = tuple(sorted(set(ports)))
        if self._ports.get(name) != wanted:
            self._version += 1
            write_whole(self._path(name), endpoints_file(name, wanted, version=self._version))
            self._ports[name] = wanted

    def _path(self, name: str) -> Path:
        return self._folder / (re.sub(r"[^A-Za-z0-9_.-]", "_", name) + ".json")
