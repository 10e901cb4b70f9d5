"""What proxies write to stdout: lines for metrics, and lines that become log events as AWS's log driver makes them."""

from __future__ import annotations

import os
import queue
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.aws.runtime import TaskFailed
from rehearsal.dataplane.task_shape import LogDestination

MOST_EVENTS, MOST_BYTES, EVENT_OVERHEAD = 10_000, 1_000_000, 26  # PutLogEvents: 10,000 events, 1 MiB, 26 bytes each
MOST_KEPT = 100_000  # as awslogs in non-blocking mode, a full buffer loses the oldest


class Spool:
    """Reads the output of every proxy on one thread and hands it on line by line, as text without its newline."""

    def __init__(self) -> None:
        self._coming: queue.SimpleQueue[tuple[int, Callable[[str], None]]] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._read, name="proxy output", daemon=True)
        self._thread.start()

    @staticmethod
    def prepare(path: Path) -> int:
        """Make a pipe with a name and open its reading end, so that a writer can open the other."""
        os.mkfifo(path)
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def follow(self, reading_end: int, heard: Callable[[str], None]) -> None:
        """Hand on every line from now until the writer closes; its writer must have opened it by now."""
        self._coming.put((reading_end, heard))

    def close(self) -> None:
        """Stop reading."""
        self._stopped.set()
        self._thread.join(60)

    def _read(self) -> None:
        selector = selectors.DefaultSelector()
        partial: dict[int, bytes] = {}
        while not self._stopped.is_set():
            while not self._coming.empty():
                descriptor, heard = self._coming.get()
                partial[descriptor] = b""
                selector.register(descriptor, selectors.EVENT_READ, heard)
            if not partial:
                self._stopped.wait(0.05)
                continue
            for key, _ in selector.select(0.05):
                arrived = os.read(key.fd, 1 << 16)
                if not arrived:
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    del partial[key.fd]
                    continue
                *lines, partial[key.fd] = (partial[key.fd] + arrived).split(b"\n")
                for line in lines:
                    key.data(line.decode(errors="replace"))
        for descriptor in partial:
            os.close(descriptor)


@dataclass(slots=True)
class LogStream:
    """One stream and what is still to be shipped to it, as (milliseconds, message)."""

    group: str
    name: str
    waiting: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=MOST_KEPT))

    def write(self, line: str) -> None:
        """Keep a line, stamped with its arrival, for the next shipment."""
        if line:
            self.waiting.append((int(time.time() * 1000), line))


class LogShipper:
    """Ships lines to log groups in PutLogEvents' batches. What cannot be shipped is kept for the next time."""

    def __init__(self, logs: Any) -> None:
        self._logs = logs
        self._lock = threading.Lock()
        self._shipping = threading.Lock()
        self._streams: list[LogStream] = []

    def open(self, destination: LogDestination, container: str, task_id: str) -> LogStream:
        """
        Make a task's stream.

        Raises:
            TaskFailed: the group does not exist and the configuration does not let it be made; ECS fails the task too.
        """
        stream = LogStream(destination.group, destination.stream(container, task_id))
        try:
            if destination.creates_group:
                self._create(self._logs.create_log_group, logGroupName=stream.group)
            self._create(self._logs.create_log_stream, logGroupName=stream.group, logStreamName=stream.name)
        except (BotoCoreError, ClientError) as error:
            raise TaskFailed(
                f"ResourceInitializationError: failed to validate logger args: {stream.group}: {error}"
            ) from error
        with self._lock:
            self._streams.append(stream)
        return stream

    def ship(self) -> None:
        """Send what every stream holds, once. Raises what botocore raises; nothing unsent is lost."""
        with self._lock:
            streams = list(self._streams)
        with self._shipping:  # of two that ship at once, the later would drop what the first has dropped already
            for stream in streams:
                while batch := _batch(stream.waiting):
                    events = [{"timestamp": at, "message": message} for at, message in batch]
                    self._logs.put_log_events(logGroupName=stream.group, logStreamName=stream.name, logEvents=events)
                    for _ in batch:
                        stream.waiting.popleft()

    @staticmethod
    def _create(operation: Callable[..., Any], **names: str) -> None:
        try:
            operation(**names)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
                raise


def _batch(waiting: deque[tuple[int, str]]) -> list[tuple[int, str]]:
    batch: list[tuple[int, str]] = []
    size = 0
    for index in range(min(len(waiting), MOST_EVENTS)):
        at, message = waiting[index]
        size += len(message.encode()) + EVENT_OVERHEAD
        if batch and size > MOST_BYTES:
            break
        batch.append((at, message))
    return batch
