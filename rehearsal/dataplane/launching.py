"""Starting an Envoy: its files, its process, and who hears what it writes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from rehearsal.dataplane.children import Proxies
from rehearsal.dataplane.envoy import Admin, EnvoyRefused, command, wait_until_live
from rehearsal.dataplane.proxy import MEASURE, Config
from rehearsal.dataplane.proxy_output import Spool
from rehearsal.dataplane.resource_files import write_whole

_FIRST_WORDS = 20  # lines that say why a proxy did not start


class Launcher:
    """Starts proxies below `folder`; `spool` reads what they write."""

    def __init__(self, binary: Path, folder: Path, proxies: Proxies, spool: Spool) -> None:
        self._binary, self._folder = binary, folder
        self._proxies, self._spool = proxies, spool

    def start(self, name: str, config: Config, flush_ms: int, heard: Callable[[str], None]) -> Admin:
        """
        Start a proxy and return its admin interface once it is live; `heard` is called with every line it writes.

        Raises:
            EnvoyRefused: it did not start; the message ends with its first words.
        """
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        path, admin, output = folder / "bootstrap.json", folder / "admin", folder / "output"
        write_whole(path, config)
        reading_end = Spool.prepare(output)
        self._proxies.start(name, command(self._binary, path, admin, flush_milliseconds=flush_ms), output)
        said: list[str] = []

        def hear(line: str) -> None:
            if len(said) < _FIRST_WORDS and not line.startswith((MEASURE, "{")):
                said.append(line)
            heard(line)

        self._spool.follow(reading_end, hear)
        try:
            return wait_until_live(admin, lambda: self._proxies.running(name))
        except EnvoyRefused as error:
            time.sleep(0.2)  # its last words are on their way
            self._proxies.stop(name)
            raise EnvoyRefused(" ".join([f"{name}: {error}", *said])) from error
