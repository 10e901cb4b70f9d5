"""
Where handlers run: warm worker processes, one execution environment each, as Lambda keeps them.

One parent process, started with the first function, has imported what every handler imports; workers
are forked from it (rehearsal/aws/worker.py), so a cold start costs a fraction of an interpreter's.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import uuid
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rehearsal.aws.clock import clock

MOST_AT_ONCE = 24  # invocations that run at the same time; more wait for their turn
_SLOWEST_START = 120.0  # seconds a worker may take to import its handler
_STUCK_SECONDS = 600.0  # of the machine's: where time is not, nothing else ends a handler that hangs
_SCRIPT = Path(__file__).with_name("worker.py")


@dataclass(frozen=True, slots=True)
class Bundle:
    """Zipped code and its digest."""

    digest: str
    content: bytes = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Shape:
    """
    Everything that makes one execution environment differ from another.

    `revision` changes whenever code or configuration does, so that warm workers of an older one are not used.
    """

    function: str
    version: str
    revision: str
    environment: tuple[tuple[str, str], ...]
    code: Bundle
    layers: tuple[Bundle, ...]
    timeout: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an invocation ended: JSON text and whether it is an error, and all that was written meanwhile."""

    payload: str
    failed: bool
    logs: str
    stream: str
    cold: bool


class Worker:
    """One execution environment. `timeout` of a call kills it."""

    def __init__(self, line: socket.socket, pid: int, stream: str) -> None:
        self._line = line
        self._file = line.makefile("rb")
        self.timed_out = False
        self.pid = pid
        self.stream = stream

    def read(self, seconds: float) -> dict[str, Any] | None:
        """Return the next answer, None when the time passed. Raises EOFError when the worker is gone."""
        self._line.settimeout(seconds)
        try:
            text = self._file.readline()
        except TimeoutError:
            return None
        if not text:
            raise EOFError
        answer: dict[str, Any] = json.loads(text)
        return answer

    def send(self, request: dict[str, Any]) -> None:
        """Hand over one event."""
        self._line.settimeout(None)
        self._line.sendall(json.dumps(request).encode() + b"\n")

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._file.close()
        self._line.close()


class Sandbox:
    """Keeps warm workers by shape, starts new ones when all are busy, and removes every trace when closed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(MOST_AT_ONCE)
        self._idle: dict[Shape, list[Worker]] = {}
        self._all: set[Worker] = set()
        self._serving: dict[str, Worker] = {}
        self._nursery: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._folder: Path | None = None
        self.handlers_clock = ""

    def invoke(self, shape: Shape, event: Any, *, arn: str, request_id: str) -> Outcome:
        """Run the handler on one event, in a warm worker if one is idle."""
        with self._turns:
            worker, cold = self._take(shape), False
            logs = ""
            try:
                if worker is None:
                    worker, cold = self._start(shape), True
                    ready = worker.read(_SLOWEST_START)
                    if ready is None:
                        return self._lost(worker, "Sandbox.Timedout", "the handler did not import in time", request_id)
                    logs = ready["logs"]
                with self._lock:
                    self._serving[request_id] = worker
                worker.send({"id": request_id, "event": event, "arn": arn, "timeout": shape.timeout, **self._time()})
                answer = self._answer_of(worker, shape.timeout)
            except (EOFError, OSError, ValueError):  # ValueError: its line was closed by `close`
                if worker is None:
                    raise
                if worker.timed_out:
                    message = f"Task timed out after {shape.timeout:.2f} seconds"
                    return self._lost(worker, "Sandbox.Timedout", message, request_id)
                return self._lost(worker, "Runtime.ExitError", "Runtime exited without providing a reason", request_id)
            finally:
                with self._lock:
                    self._serving.pop(request_id, None)
            if answer is None:
                message = f"Task timed out after {shape.timeout:.2f} seconds"
                return self._lost(worker, "Sandbox.Timedout", message, request_id)
            error = answer.get("error")
            payload = answer["payload"] if error is None else json.dumps(error)
            self._give_back(shape, worker)
            return Outcome(payload, error is not None, logs + answer["logs"], worker.stream, cold)

    def _time(self) -> dict[str, Any]:
        return {"now": clock.time(), "clock": self.handlers_clock} if clock.leaps else {}

    def _answer_of(self, worker: Worker, timeout: float) -> dict[str, Any] | None:
        """Read its answer; where time is not the machine's, sleep for it meanwhile."""
        if not clock.leaps:
            return worker.read(timeout)
        while True:
            answer = worker.read(_STUCK_SECONDS)
            if answer is None or "sleep" not in answer:
                return answer
            with clock.on_behalf():
                clock.sleep(answer["sleep"])
            worker.send(self._time())

    def kill(self, request_id: str, *, timed_out: bool = False) -> bool:
        """Kill the process that serves this request, as a crash would, or its timeout; False when none does."""
        with self._lock:
            worker = self._serving.get(request_id)
        if worker is None:
            return False
        worker.timed_out = timed_out
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGKILL)
        return True

    def close(self) -> None:
        """Kill every worker and remove the unpacked code; the sandbox can be used again afterwards."""
        with self._lock:
            workers, self._all = self._all, set()
            self._idle.clear()
            nursery, self._nursery = self._nursery, None
            control, self._control = self._control, None
            folder, self._folder = self._folder, None
        for worker in workers:
            worker.kill()
        if control is not None:
            control.close()
        if nursery is not None:
            nursery.wait()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    # -- workers ----------------------------------------------------------

    def _take(self, shape: Shape) -> Worker | None:
        with self._lock:
            idle = self._idle.get(shape)
            return idle.pop() if idle else None

    def _give_back(self, shape: Shape, worker: Worker) -> None:
        with self._lock:
            if worker in self._all:
                self._idle.setdefault(shape, []).append(worker)

    def _lost(self, worker: Worker, kind: str, message: str, request_id: str) -> Outcome:
        with self._lock:
            self._all.discard(worker)
        worker.kill()
        error = {"errorType": kind, "errorMessage": f"RequestId: {request_id} Error: {message}"}
        return Outcome(json.dumps(error), failed=True, logs="", stream=worker.stream, cold=False)

    def _start(self, shape: Shape) -> Worker:
        stream = uuid.uuid4().hex
        with self._lock:
            control = self._ready()
            root = self._unpacked(shape.code)
            layers = [str(self._unpacked(layer) / "python") for layer in shape.layers]
            environment = {
                **dict(shape.environment),
                "LAMBDA_TASK_ROOT": str(root),
                "AWS_LAMBDA_LOG_STREAM_NAME": stream,
            }
            asked = json.dumps({"environment": environment, "layers": layers}).encode()
            ours, theirs = socket.socketpair()
            message = f"{len(asked):08d}".encode() + asked
            with theirs:
                sent = socket.send_fds(control, [message], [theirs.fileno()])
                control.sendall(message[sent:])
                pid = int(_exactly(control, 8))
            worker = Worker(ours, pid, stream)
            self._all.add(worker)
        return worker

    def _ready(self) -> socket.socket:
        if self._control is None:
            ours, theirs = socket.socketpair()
            with theirs:
                self._nursery = subprocess.Popen(  # noqa: S603  our own script
                    [sys.executable, "-P", str(_SCRIPT), str(self._home())],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    env={"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"},
                    cwd="/",
                )
            self._control = ours
        return self._control

    def _home(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="crossfade-functions-"))
        return self._folder

    def _unpacked(self, bundle: Bundle) -> Path:
        folder = self._home() / bundle.digest
        if not folder.exists():
            folder.mkdir()
            with zipfile.ZipFile(io.BytesIO(bundle.content)) as archive:
                archive.extractall(folder)
        return folder


def _exactly(line: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = line.recv(size - len(found))
        if not more:
            raise EOFError("the parent of the workers is gone")
        found += more
    return found


sandbox = Sandbox()
