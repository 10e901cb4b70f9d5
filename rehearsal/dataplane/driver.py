"""
The load driver: an open loop that counts every request it sends, by colour and outcome.

Run as a script, standard library only: `driver.py PORT RPS SECONDS TIMEOUT_SECONDS PATH`. Requests leave at a constant
rate whatever becomes of the earlier ones, so a slow answer hides no failure. One JSON object per second leaves on
stdout while it runs, and one with `"over": true` at the end. A line or the end of stdin stops it: nothing more is
sent, and what is in flight is waited for, up to the timeout. Then total = ok + failed, always.

A request is ok when it is answered with 2xx or 3xx. Its colour is the answer's `x-colour`; without one it is "none".
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from typing import Any

HEAD_END = b"\r\n\r\n"
COLOURS = (b"blue", b"green")
OK = range(200, 400)


class Second:
    """What ended in one second: outcomes, and every duration in milliseconds."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.durations: list[float] = []

    def percentile(self, part: float) -> float | None:
        """Return the duration that `part` of the requests did not exceed."""
        ordered = sorted(self.durations)
        return round(ordered[min(len(ordered) - 1, int(part * len(ordered)))], 2) if ordered else None


class Connection(asyncio.Protocol):
    """One kept-alive connection to the edge; it carries one request at a time."""

    def __init__(self) -> None:
        self.buffer = b""
        self.transport: asyncio.Transport | None = None
        self.answer: asyncio.Future[tuple[int, str]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        """Fail the request that still waits."""
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(error or ConnectionResetError("closed before an answer"))

    def data_received(self, data: bytes) -> None:
        """Take in more of an answer."""
        self.buffer += data
        end = self.buffer.find(HEAD_END)
        if end < 0 or self.answer is None or self.answer.done():
            return
        head = self.buffer[:end].lower()
        body = self.buffer[end + len(HEAD_END) :]
        length = value(head, b"content-length")
        if length is None and b"transfer-encoding: chunked" in head:
            whole = body.endswith(b"0\r\n\r\n")
        else:
            whole = len(body) >= int(length or 0)
        if whole:
            self.buffer = b""
            colour = value(head, b"x-colour")
            self.answer.set_result(
                (int(head.split(b" ", 2)[1]), colour.decode() if colour in COLOURS and colour else "none")
            )


class Driver:
    """The open loop and its counts."""

    def __init__(self, port: int, timeout_seconds: float, path: str) -> None:
        self.port = port
        self.timeout_seconds = timeout_seconds
        self.request = f"GET {path} HTTP/1.1\r\nhost: rehearsal\r\nuser-agent: crossfade-rehearsal\r\n\r\n".encode()
        self.idle: list[Connection] = []
        self.counts: Counter[str] = Counter()
        self.second = Second()
        self.in_flight: set[asyncio.Task[None]] = set()

    async def send(self) -> None:
        """Send one request and count what became of it."""
        began = time.monotonic()
        connection: Connection | None = None
        try:
            async with asyncio.timeout(self.timeout_seconds):
                connection = await self.connect()
                assert connection.transport is not None
                connection.answer = asyncio.get_running_loop().create_future()
                connection.transport.write(self.request)
                status, colour = await connection.answer
        except (OSError, TimeoutError):
            if connection is not None and connection.transport is not None:
                connection.transport.abort()
            status, colour = 0, "none"
        else:
            self.idle.append(connection)
        outcome = "ok" if status in OK else "failed"
        for counts in (self.counts, self.second.counts):
            counts.update((outcome, colour, f"{outcome}_{colour}"))
        self.counts[f"status_{status}"] += 1
        self.second.durations.append((time.monotonic() - began) * 1000)

    async def connect(self) -> Connection:
        """Return an idle connection, or a new one."""
        while self.idle:
            connection = self.idle.pop()
            if connection.transport is not None and not connection.transport.is_closing():
                return connection
        _, made = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", self.port)
        return made

    async def drive(self, rps: float, seconds: float, stopped: asyncio.Event) -> None:
        """Send at a constant rate until the time is over or someone says stop, then wait for what is in flight."""
        began = time.monotonic()
        reporter = asyncio.create_task(self.report_each_second())
        sent = 0
        while not stopped.is_set() and (due := began + sent / rps) < began + seconds:
            pause = due - time.monotonic()
            if pause > 0:
                try:
                    async with asyncio.timeout(pause):
                        await stopped.wait()
                    break
                except TimeoutError:
                    pass
            request = asyncio.create_task(self.send())
            self.in_flight.add(request)
            request.add_done_callback(self.in_flight.discard)
            sent += 1
            self.counts["sent"] += 1
            self.second.counts["sent"] += 1
        if self.in_flight:
            await asyncio.wait(self.in_flight)
        reporter.cancel()
        self.report(over=True)

    async def report_each_second(self) -> None:
        """Report once a second, on the second of our own clock."""
        began = time.monotonic()
        passed = 0
        while True:
            passed += 1
            await asyncio.sleep(max(0.0, began + passed - time.monotonic()))
            self.report(over=False)

    def report(self, *, over: bool) -> None:
        """Write one line: the totals so far and the second that ended."""
        ended, self.second = self.second, Second()
        line: dict[str, Any] = {
            "at": time.time(),
            "totals": dict(self.counts),
            "second": {**ended.counts, "p50_ms": ended.percentile(0.5), "p99_ms": ended.percentile(0.99)},
            "over": over,
        }
        try:
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            return


def value(head: bytes, name: bytes) -> bytes | None:
    """Return a header's value from a head in lower case."""
    at = head.find(b"\r\n" + name + b":")
    if at < 0:
        return None
    start = at + len(name) + 3
    end = head.find(b"\r\n", start)
    return head[start : end if end >= 0 else len(head)].strip()


async def main(port: int, rps: float, seconds: float, timeout_seconds: float, path: str) -> None:
    """Drive until told to stop."""
    stopped = asyncio.Event()
    commands = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)

    async def listen() -> None:
        await commands.readline()
        stopped.set()

    listening = asyncio.create_task(listen())
    await Driver(port, timeout_seconds, path).drive(rps, seconds, stopped)
    listening.cancel()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]), sys.argv[5]))
