"""
The process in which handlers run: one warm parent that has imported what every handler imports, and forks.

Started as a script with a socket on standard input. For each request on it, with one end of a new socket
attached, it forks a worker that becomes one Lambda execution environment: own environment variables, own
folder, own modules. A worker serves one event at a time until its socket closes; it dies with its parent.

Only the standard library and what handlers may import is used here; nothing of `rehearsal`.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import io
import json
import os
import shutil
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

_PATIENCE_SECONDS = 600
PARENT_DIED = 1  # prctl(2): PR_SET_PDEATHSIG
_WARM = (
    "boto3",
    "botocore.session",
    "botocore.endpoint",
    "pydantic",
    "aws_lambda_powertools",
    "aws_lambda_powertools.logging",
    "aws_lambda_powertools.metrics",
    "aws_lambda_powertools.utilities.typing",
)


class Context:
    """What Lambda gives a handler beside the event."""

    def __init__(self, request: dict[str, Any], environment: dict[str, str]) -> None:
        self.aws_request_id: str = request["id"]
        self.function_name = environment["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = environment["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = environment["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = environment["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.invoked_function_arn: str = request["arn"]
        self.identity = None
        self.client_context = None
        self._end = time.monotonic() + float(request["timeout"])

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds left until this invocation is killed."""
        return max(0, int((self._end - time.monotonic()) * 1000))

    def log(self, message: str) -> None:
        """Write to the function's log."""
        sys.stdout.write(message)


def main() -> None:
    """
    Fork workers until the embedded AWS closes the socket, or is gone, which closes it too.

    The folder of unpacked code, named by the one argument, is removed then.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the embedded AWS, which then closes the socket
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
    for name in _WARM:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()
    control = socket.socket(fileno=0)
    try:
        _fork_workers(control)
    finally:
        shutil.rmtree(sys.argv[1], ignore_errors=True)


def _fork_workers(control: socket.socket) -> None:
    while True:
        message, attached, _, _ = socket.recv_fds(control, 65_536, 1)
        if not message:
            return
        length = int(message[:8])
        while len(message) < 8 + length:
            message += control.recv(65_536)
        pid = os.fork()
        if pid == 0:
            control.close()
            _become_worker(socket.socket(fileno=attached[0]), json.loads(message[8:]))
        os.close(attached[0])
        control.sendall(f"{pid:08d}".encode())


def _become_worker(line: socket.socket, asked: dict[str, Any]) -> None:
    try:
        _die_with_parent()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        environment: dict[str, str] = asked["environment"]
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(environment["LAMBDA_TASK_ROOT"])
        sys.path[:0] = [environment["LAMBDA_TASK_ROOT"], *asked["layers"]]
        importlib.invalidate_caches()
        _serve(line, _Output(), environment)
    except BaseException:  # noqa: BLE001  whatever happens, a fork must never return into its parent's loop
        traceback.print_exc()
    os._exit(0)


def _serve(line: socket.socket, output: _Output, environment: dict[str, str]) -> None:
    stream = line.makefile("rwb")
    handler: Callable[[Any, Context], Any] | None = None
    failed: dict[str, Any] | None = None
    try:
        handler = _find(environment["_HANDLER"])
    except BaseException as broken:  # noqa: BLE001  SystemExit in a module is a failed start too
        failed = _initialization_error(broken)
    _answer(stream, {"ready": failed is None, "logs": output.take()})
    for text in stream:
        request = json.loads(text)
        if "now" in request and handler is not None:
            _keep_time(stream, request)
        said: dict[str, Any]
        if handler is None:
            said = {"error": {**(failed or {}), "requestId": request["id"]}}
        else:
            said = _invoke(handler, request, environment)
        _answer(stream, {**said, "logs": output.take()})


def _invoke(handler: Callable[[Any, Context], Any], request: dict[str, Any], env: dict[str, str]) -> dict[str, Any]:
    os.environ["_X_AMZN_TRACE_ID"] = trace_of(request["id"])  # as Lambda does; boto3 sends it with every call
    try:
        answer = handler(request["event"], Context(request, env))
    except SystemExit as left:
        error = {"errorType": "Runtime.ExitError", "errorMessage": f"Runtime exited with status {left.code}"}
        return {"error": {**error, "requestId": request["id"]}}
    except BaseException as raised:  # noqa: BLE001  Lambda reports them all
        return {"error": {**_error(raised), "requestId": request["id"]}}
    try:
        return {"payload": json.dumps(answer, ensure_ascii=False)}
    except (TypeError, ValueError) as unfit:
        error = {"errorType": "Runtime.MarshalError", "errorMessage": f"Unable to marshal response: {unfit}"}
        return {"error": {**error, "requestId": request["id"], "stackTrace": []}}


class _Time:
    """The time as the embedded AWS tells it, where it is not the machine's."""

    def __init__(self) -> None:
        self.now = 0.0
        self.begun = False


_time = _Time()


def _keep_time(stream: Any, request: dict[str, Any]) -> None:
    """
    Let handlers live in the embedded AWS's time: what tells them the time, and how they sleep.

    It stands still while a handler works, so nothing here is ever too slow: clients wait as long as it takes.
    """
    _time.now = request["now"]
    if _time.begun:
        return
    _time.begun = True
    endpoint = importlib.import_module("botocore.httpsession").URLLib3Session
    make = endpoint.__init__

    def patient(session: Any, *args: Any, **kwargs: Any) -> None:
        make(session, *args, **{**kwargs, "timeout": _PATIENCE_SECONDS})

    def sleep(seconds: Any) -> None:
        _answer(stream, {"sleep": float(seconds)})
        _time.now = json.loads(stream.readline())["now"]

    endpoint.__init__ = patient
    time.sleep = sleep
    module, _, name = request["clock"].partition(":")
    found = importlib.import_module(module)
    getattr(found, name)  # it must be there
    setattr(found, name, lambda: datetime.fromtimestamp(_time.now, UTC))


def trace_of(request_id: str) -> str:
    """Return the X-Ray trace header of an invocation; its root is the request's id."""
    digits = request_id.replace("-", "")
    return f"Root=1-{digits[:8]}-{digits[8:]};Parent={digits[:16]};Sampled=0"


def _find(handler: str) -> Callable[[Any, Context], Any]:
    module, _, name = handler.rpartition(".")
    found = getattr(importlib.import_module(module.replace("/", ".")), name, None)
    if found is None:
        raise LookupError(f"Handler '{name}' missing on module '{module}'")
    function: Callable[[Any, Context], Any] = found
    return function


def _initialization_error(broken: BaseException) -> dict[str, Any]:
    if isinstance(broken, ImportError):
        kind = "Runtime.ImportModuleError"
        return {"errorType": kind, "errorMessage": f"Unable to import module: {broken}", "stackTrace": []}
    if isinstance(broken, SyntaxError):
        return {"errorType": "Runtime.UserCodeSyntaxError", "errorMessage": str(broken), "stackTrace": []}
    if isinstance(broken, LookupError) and str(broken.args[:1]).find("missing on module") > 0:
        return {"errorType": "Runtime.HandlerNotFound", "errorMessage": str(broken.args[0]), "stackTrace": []}
    if isinstance(broken, SystemExit):
        return {"errorType": "Runtime.ExitError", "errorMessage": f"Runtime exited with status {broken.code}"}
    return _error(broken)


def _error(raised: BaseException) -> dict[str, Any]:
    trace = traceback.format_list(traceback.extract_tb(raised.__traceback__)[1:])
    return {"errorMessage": str(raised), "errorType": type(raised).__name__, "stackTrace": trace}


def _answer(stream: Any, said: dict[str, Any]) -> None:
    stream.write(json.dumps(said).encode() + b"\n")
    stream.flush()


class _Output:
    """Everything the process writes to its standard output and error, whoever writes it and however."""

    def __init__(self) -> None:
        self._file = os.memfd_create("output")
        for number in (1, 2):
            os.dup2(self._file, number)
        for name in ("stdout", "stderr"):
            setattr(sys, name, io.TextIOWrapper(os.fdopen(os.dup(1), "wb", 0), encoding="utf-8", write_through=True))

    def take(self) -> str:
        """Return what was written since it was last taken."""
        sys.stdout.flush()
        sys.stderr.flush()
        size = os.fstat(self._file).st_size
        text = os.pread(self._file, size, 0).decode(errors="replace")
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)  # shared by all duplicates
        return text


def _die_with_parent() -> None:
    # Only for workers: the kernel looks at the parent *thread*, and theirs is the single one of the process above.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PARENT_DIED, signal.SIGKILL)


if __name__ == "__main__":
    main()
