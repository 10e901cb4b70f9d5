"""
The embedded AWS as a whole: started, reached and stopped.

One process on loopback: moto behind cheroot, with everything this package answers better or at all. Only one
can run in a process at a time; each begins with nothing in it.
"""

from __future__ import annotations

import importlib
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from cheroot.wsgi import Server
from moto import mock_aws
from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from rehearsal.aws import dynamodb, events, faults, fleet, functions, iam_enforcement, registry, seams, stepfunctions
from rehearsal.aws.clock import clock
from rehearsal.aws.events import EventOrders
from rehearsal.aws.faults import Faults
from rehearsal.aws.iam_enforcement import Enforcement
from rehearsal.aws.runtime import StillRuntime, TaskRuntime
from rehearsal.aws.sandbox import sandbox
from rehearsal.aws.wire import wire

_MOST_CONNECTIONS = 2_000  # kept open; every warm function has one to every service
THREADS = 64  # a running function holds one, and its own calls need more
_OVERLAYS = (
    "account",
    "appmesh",
    "autoscaling",
    "cloudformation",
    "cloudfront",
    "cloudwatch",
    "cloudwatch_alarms",
    "ecs",
    "ecs_deployments",
    "ecs_tasks",
    "elbv2",
    "iam",
    "logs",
    "muting",
    "route53",
    "s3",
    "servicediscovery",
)
_HERE = (dynamodb, stepfunctions)  # imported for what they register

logger = logging.getLogger(__name__)
_only_one = threading.Lock()


class EmbeddedAws:
    """
    The embedded AWS, a context manager.

        with EmbeddedAws() as aws:
            aws.client("dynamodb").create_table(...)

    Args:
        runtime: runs the tasks of emulated ECS services; without one they run in name only.
        region: the region its clients and handlers use unless they say another.
        time_scale: what a rehearsal divides AWS's own periods by (health checks, scheduled rules).
        wait_scale: what Step Functions' Wait and Retry are multiplied by; for tests.
        handlers_clock: lets time run on its own (rehearsal/aws/clock.py): it stands still while anything works. Names
            the function, `module:name`, by which handlers learn the time, since theirs is the machine's otherwise.
        port: on 127.0.0.1; any free one if 0.

    Attributes:
        faults: throttling, failures and lost answers a test may order.
        iam: what the roles of functions and state machines were refused, and what they used.
        events: events a test may lose, duplicate or delay.
        endpoint: the URL to reach it by, once started.

    Raises:
        SeamMoved: moto is not the version this was built on.
        RuntimeError: another one runs in this process.
    """

    def __init__(
        self,
        *,
        runtime: TaskRuntime | None = None,
        region: str = "eu-west-1",
        time_scale: float = 1.0,
        wait_scale: float = 1.0,
        handlers_clock: str = "",
        port: int = 0,
    ) -> None:
        self.faults: Faults = faults.faults
        self.events: EventOrders = events.orders
        self.iam: Enforcement = iam_enforcement.enforcement
        self.region = region
        self.endpoint = ""
        self._runtime = runtime
        self._scales = (time_scale, wait_scale)
        self._handlers_clock = handlers_clock
        self._port = port
        self._door: _Door | None = None

    def start(self) -> Self:
        """Begin with nothing in it."""
        _claim()
        try:
            _prepare(self._runtime, *self._scales, self._handlers_clock)
            self._door = _Door(self._port)
            self.endpoint = self._door.endpoint
            wire.connect(self.endpoint, self.region)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End everything: executions, workers, tasks, temporary folders, the port. Stopping twice changes nothing."""
        if not _only_one.locked():
            return
        _clear()
        if self._door is not None:
            self._door.close()
            self._door = None
        wire.connect(None, self.region)
        _only_one.release()

    def client(self, service: str, region: str | None = None) -> Any:
        """Return a boto3 client of the embedded AWS, in its own region or in another."""
        return wire.client(service, region or self.region)

    def environment(self) -> dict[str, str]:
        """Return the environment variables that lead a child process here, and nowhere else."""
        return wire.environment()

    @property
    def troubles(self) -> list[str]:
        """What went wrong inside the embedded AWS itself since it started; empty when all is well."""
        return list(clock.troubles)

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()


class InProcess(EmbeddedAws):
    """The same without HTTP for the caller: boto3 is answered in this process, handlers get a door of their own."""

    def start(self) -> Self:
        """Begin with nothing in it."""
        _claim()
        try:
            self._mock: Any = mock_aws()
            self._mock.start()
            self._before = {key: os.environ.get(key) for key in ("AWS_DEFAULT_REGION",)}
            os.environ["AWS_DEFAULT_REGION"] = self.region
            _prepare(self._runtime, *self._scales, self._handlers_clock)
            wire.connect(None, self.region, open_door=self._open)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End everything. Stopping twice changes nothing."""
        if not _only_one.locked():
            return
        for key, value in self._before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value
        super().stop()
        self._mock.stop()

    def _open(self) -> str:
        with _door_lock:
            if self._door is None:
                self._door = _Door(0)
            return self._door.endpoint


_door_lock = threading.Lock()


@contextmanager
def in_process(
    *, runtime: TaskRuntime | None = None, region: str = "eu-west-1", time_scale: float = 1.0, wait_scale: float = 1.0
) -> Iterator[InProcess]:
    """Answer boto3 in this process, as `EmbeddedAws` does over HTTP; for unit and contract tests."""
    with InProcess(runtime=runtime, region=region, time_scale=time_scale, wait_scale=wait_scale) as aws:
        yield aws


class _LoggingServer(Server):
    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:  # noqa: FBT001, FBT002  cheroot's signature
        """Log what cheroot says; what raised inside an operation is a trouble of ours."""
        logger.log(level, msg, exc_info=traceback)
        if traceback and level >= logging.ERROR:
            clock.troubles.append(msg)


class _Dispatcher(DomainDispatcherApplication):  # type: ignore[misc]  # moto is untyped
    """moto's own, which reads a directory of hundreds to find a backend's name, and here does so once a name."""

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        self._found: dict[str | None, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        """Return the backend's name."""
        if host not in self._found:
            self._found[host] = super().get_backend_for_host(host)
        return self._found[host]


class _Door:
    """The HTTP server."""

    def __init__(self, port: int) -> None:
        self._server = _LoggingServer(("127.0.0.1", port), _Dispatcher(), numthreads=THREADS, shutdown_timeout=2)
        self._server.keep_alive_conn_limit = _MOST_CONNECTIONS
        self._server.prepare()
        self.endpoint = f"http://127.0.0.1:{self._server.bind_addr[1]}"
        self._thread = threading.Thread(target=self._server.serve, name="embedded-aws", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Free the port."""
        self._server.stop()
        self._thread.join()


def _claim() -> None:
    seams.check()
    if not _only_one.acquire(blocking=False):
        raise RuntimeError("an embedded AWS runs in this process already; stop it first")


def _prepare(runtime: TaskRuntime | None, time_scale: float, wait_scale: float, handlers_clock: str) -> None:
    for name in _OVERLAYS:
        importlib.import_module(f"rehearsal.aws.{name}")
    for module in (registry, events, functions, faults):
        module.install()
    _clear()
    clock.time_scale, clock.wait_scale = time_scale, wait_scale
    sandbox.handlers_clock = handlers_clock
    fleet.run_tasks_with(runtime or StillRuntime())
    clock.start(leaping=bool(handlers_clock))


def _clear() -> None:
    stepfunctions.forget()
    functions.forget()  # before the clock, which waits for what runs in the background
    clock.stop()
    BackendDict.reset()
    reset_model_data()
