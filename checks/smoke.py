"""
Import every built function as Lambda would, with AWS's own runtime client.

`sam build` makes wheels for Lambda's processor, which this machine may not have. So the
layer is built a second time by the same Makefile for this machine's processor, and the
functions are taken from `.aws-sam/build` as they are. Each one is started with the
environment of the built template against a Runtime API on loopback, and given an event
that its door must refuse: that proves that the module, its imports and its settings load.
"""

from __future__ import annotations

import http.server
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from checks.finding import Finding

_START_SECONDS = 60
_REGION = "eu-west-1"
_CLIENT = ("awslambdaric", "simplejson", "snapshot-restore-py")
"""AWS's runtime client and what it needs, at the versions and hashes of requirements-dev.txt."""
_REFUSALS = frozenset({"ValidationError", "BadInput"})
"""What a door answers to an event that is none: pydantic's error, or ours."""


@dataclass(frozen=True, slots=True)
class Built:
    """The folder that `sam build` made, and its template."""

    folder: Path
    template: Mapping[str, Any]

    @classmethod
    def load(cls, folder: Path) -> Built:
        """Read the built template."""
        return cls(folder, yaml_parse((folder / "template.yaml").read_text(encoding="utf-8")))

    def functions(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield (logical id, properties with Globals filled in) of every function."""
        shared = self.template.get("Globals", {}).get("Function", {})
        for name, resource in self.template["Resources"].items():
            if resource["Type"] == "AWS::Serverless::Function":
                yield name, {**shared, **resource["Properties"]}

    @property
    def python(self) -> str:
        """Lambda's Python, like 3.13."""
        return str(self.template["Globals"]["Function"]["Runtime"]).removeprefix("python")


def interpreter(version: str) -> Path | None:
    """Return a Python of this minor version that starts: on PATH, or among pyenv's; None where there is none."""
    names = [shutil.which(f"python{version}")]
    names += map(str, sorted(Path.home().glob(f".pyenv/versions/{version}*/bin/python")))
    for name in filter(None, names):
        asked = [name, "-c", "import sys; print('.'.join(map(str, sys.version_info[:2])), sys.executable)"]
        try:
            answer = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=20)  # noqa: S603 - asks a Python its version
        except (OSError, subprocess.SubprocessError):
            continue
        found, _, executable = answer.stdout.strip().partition(" ")
        if found == version:
            return Path(executable)
    return None


def built_functions_start(root: Path) -> Iterator[Finding]:
    """Yield each built function that does not import, or whose door takes an event that is none."""
    built = Built.load(root / ".aws-sam" / "build")
    python = interpreter(built.python)
    if python is None:
        print(f"smoke test skipped: no Python {built.python} starts here, and Lambda's runs nothing else")
        return
    work = root / ".aws-sam" / "smoke"
    shutil.rmtree(work, ignore_errors=True)
    layer, client = work / "layer", work / "client"
    for name, resource in built.template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            _make_layer(root / "layers" / "core", f"build-{name}", layer)
    yield from _everything_imports(python, layer / "python")
    _install_client(python, root / "requirements-dev.txt", client)
    functions = list(built.functions())

    def answer(function: tuple[str, Mapping[str, Any]]) -> dict[str, Any]:
        name, properties = function
        return invoke(python, built.folder / name, properties, [layer / "python", client])

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for (name, _properties), answered in zip(functions, pool.map(answer, functions), strict=True):
            if answered.get("errorType") not in _REFUSALS:
                yield Finding(name, f"did not refuse an empty event: {json.dumps(answered)[:400]}")
    print(f"smoke test: {len(functions)} built functions started on Python {built.python} ({platform.machine()})")


_IMPORT_EVERYTHING = """
import importlib, inspect, pkgutil
import crossfade
for module in pkgutil.walk_packages(crossfade.__path__, "crossfade."):
    importlib.import_module(module.name)
from crossfade.runtime import clients
for name, make in inspect.getmembers(clients, inspect.isfunction):
    if make.__module__ == clients.__name__ and not name.startswith("_"):
        make()
"""
"""Imports every module of the layer and makes every client, boto3 with them."""


def _everything_imports(python: Path, path: Path) -> Iterator[Finding]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_REGION": _REGION,
    }
    environment |= {"AWS_DEFAULT_REGION": _REGION, "JOURNAL_TABLE": "none"}
    command = [str(python), "-c", _IMPORT_EVERYTHING]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)  # noqa: S603 - our own layer
    if done.returncode != 0:
        yield Finding("layer", f"does not import: {done.stderr.strip().splitlines()[-1]}")


def _make_layer(source: Path, target: str, into: Path) -> None:
    into.mkdir(parents=True)
    command = ["make", "--silent", target, f"ARTIFACTS_DIR={into}", f"ARCHITECTURE={platform.machine()}"]
    subprocess.run(command, cwd=source, check=True, env=_without_make())  # noqa: S603 - our own Makefile


def _install_client(python: Path, requirements: Path, into: Path) -> None:
    blocks = re.split(r"\n(?=\S)", requirements.read_text(encoding="utf-8"))
    pinned = into.with_suffix(".txt")
    pinned.write_text("\n".join(block for block in blocks if block.startswith(tuple(f"{name}==" for name in _CLIENT))))
    wheels = ["--only-binary", ":all:", "--no-deps", "--require-hashes", "--target", str(into), "-r", str(pinned)]
    uv = Path(sys.executable).with_name("uv")
    by_pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    command = [str(uv), "pip", "install", "-q", "--python", str(python)] if uv.is_file() else by_pip
    subprocess.run([*command, *wheels], check=True)  # noqa: S603 - pinned wheels


def _without_make() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}


def _environment(properties: Mapping[str, Any], task_root: Path, path: list[Path], port: int) -> dict[str, str]:
    given = properties.get("Environment", {}).get("Variables", {})
    return {
        **{name: value if isinstance(value, str) else f"unknown-{name.lower()}" for name, value in given.items()},
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
        "AWS_LAMBDA_FUNCTION_NAME": task_root.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(properties.get("MemorySize", 128)),
        "AWS_REGION": _REGION,
        "AWS_DEFAULT_REGION": _REGION,
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",  # a name, no secret
        "AWS_EC2_METADATA_DISABLED": "true",
        "LAMBDA_TASK_ROOT": str(task_root),
        "_HANDLER": str(properties["Handler"]),
        "PYTHONPATH": os.pathsep.join(map(str, [task_root, *path])),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def invoke(python: Path, task_root: Path, properties: Mapping[str, Any], path: list[Path]) -> dict[str, Any]:
    """Start a function, give it one empty event, and return what it answered: its error as Lambda would report it."""
    answers: list[tuple[str, bytes]] = []
    answered = threading.Event()
    asked = threading.Event()

    class RuntimeApi(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            if asked.is_set():  # the event after the last one never comes
                answered.wait(_START_SECONDS)
                self.close_connection = True
                return
            asked.set()
            event = b"{}"
            self.send_response(200)
            for name, value in (
                ("Lambda-Runtime-Aws-Request-Id", str(uuid.uuid4())),
                ("Lambda-Runtime-Deadline-Ms", "4102444800000"),
                (
                    "Lambda-Runtime-Invoked-Function-Arn",
                    f"arn:aws:lambda:eu-west-1:111122223333:function:{task_root.name}",
                ),
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(event))),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(event)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answers.append((self.path.rsplit("/", 1)[-1], body))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()
            answered.set()

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Say nothing: the function is ended while it waits for its next event."""

    server = Server(("127.0.0.1", 0), RuntimeApi)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    command = [str(python), "-m", "awslambdaric", str(properties["Handler"])]
    environment = _environment(properties, task_root, path, server.server_port)
    process = subprocess.Popen(  # noqa: S603 - our own handler
        command, cwd=task_root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        answered.wait(_START_SECONDS)
    finally:
        process.kill()
        output, _ = process.communicate()
        server.shutdown()
        server.server_close()
    if not answers:
        return {"errorType": "NoAnswer", "errorMessage": output.decode(errors="replace")[-1000:]}
    kind, body = answers[0]
    answer = json.loads(body or b"{}")
    return answer if kind == "error" and isinstance(answer, dict) else {"kind": kind, "answer": answer}
