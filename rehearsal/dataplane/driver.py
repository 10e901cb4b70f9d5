"""
The load driver: an open loop that counts every request it sends, by colour and outcome.

Run as a script, standard library only: `driver.py USERS RPS SECONDS TIMEOUT_SECONDS PATH`. Requests leave at a constant
rate whatever becomes of the earlier ones, so a slow answer hides no failure. One JSON object per second leaves on
stdout while it runs, and one with `"over": true` at the end. A line or the end of stdin stops it: nothing more is
sent, and what is in flight is waited for, up to the timeout. Then total = ok + failed, always.

USERS is a JSON object, see `load.Users`. Its clients take turns. Each has connections and cookies of its own, and
where users dial a name, an answer of DNS of its own that it keeps for as long as its TTL says, or longer.

A request is ok when it is answered with 2xx or 3xx. Its colour is the answer's `x-colour`; without one it is "none".
A request whose name is not answered has failed.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

HEAD_END = b"\r\n\r\n"
COLOURS = (b"blue", b"green")
OK = range(200, 400)
ADDRESS, IN = 1, 1  # DNS: the type A, the class IN
TRIES, TRY_SECONDS = 3, 1.5
ON_LOOPBACK = (198, 18)
"""An address of 198.18.0.0/16 stands for the loopback port that its last two numbers make: RFC 2544's range, which
nobody is reached by."""


class Second:
    """What ended in one second: outcomes, and every duration in milliseconds."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.durations: list[float] = []

    def percentile(self, part: float) -> float | None:
        """Return the duration that `part` of the requests did not exceed."""
        ordered = sorted(self.durations)
        return round(ordered[min(len(ordered) - 1, int(part * len(ordered)))], 2) if ordered else None


@dataclass(frozen=True)
class Answer:
    """What a request was answered with."""

    status: int
    colour: str
    cookies: tuple[bytes, ...] = ()


class Connection(asyncio.Protocol):
    """One kept-alive connection to the edge; it carries one request at a time."""

    def __init__(self) -> None:
        self.buffer = b""
        self.transport: asyncio.Transport | None = None
        self.answer: asyncio.Future[Answer] | None = None
        self.ends_at = float("inf")
        self.port = 0

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
        given = self.buffer[:end]
        head = given.lower()
        body = self.buffer[end + len(HEAD_END) :]
        length = value(head, b"content-length")
        if length is None and b"transfer-encoding: chunked" in head:
            whole = body.endswith(b"0\r\n\r\n")
        else:
            whole = len(body) >= int(length or 0)
        if whole:
            self.buffer = b""
            colour = value(head, b"x-colour")
            named = colour.decode() if colour in COLOURS and colour else "none"
            self.answer.set_result(Answer(int(head.split(b" ", 2)[1]), named, cookies_of(given)))


@dataclass
class Client:
    """
    One user's machine: its connections, its cookies, and what it remembers of DNS.

    `patience` is by how much longer than its TTL it keeps an answer; 1 is what DNS asks for.
    """

    ports: list[int]
    patience: float = 1.0
    idle: list[Connection] = field(default_factory=list)
    cookies: dict[bytes, tuple[bytes, float]] = field(default_factory=dict)
    port: int = 0
    known_until: float = 0.0

    def take(self, cookies: tuple[bytes, ...]) -> None:
        """Keep cookies for as long as they say."""
        for cookie in cookies:
            pair, *attributes = [part.strip() for part in cookie.split(b";")]
            name, _, content = pair.partition(b"=")
            ages = [each.split(b"=")[1] for each in attributes if each.lower().startswith(b"max-age=")]
            self.cookies[name] = (content, time.monotonic() + float(ages[0]) if ages else float("inf"))

    def give(self) -> bytes:
        """Return the header line of the cookies that are still good, empty without any."""
        now = time.monotonic()
        good = [name + b"=" + content for name, (content, until) in self.cookies.items() if until > now]
        return b"cookie: " + b"; ".join(good) + b"\r\n" if good else b""


class Driver:
    """The open loop and its counts. `resolve` asks the DNS, `clock` never goes back; tests bring their own."""

    def __init__(
        self,
        users: dict[str, Any],
        timeout_seconds: float,
        path: str,
        *,
        resolve: Callable[[str, int], Awaitable[tuple[int, int]]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.resolve = resolve or look_up
        self.clock = clock
        chance = random.Random(users.get("seed", 0))
        self.name: str = users.get("name", "")
        self.resolver: int = users.get("resolver", 0)
        self.connection_seconds: float | None = users.get("connection_seconds")
        self.chance = chance
        self.timeout_seconds = timeout_seconds
        host = self.name or "rehearsal"
        self.start = f"GET {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: crossfade-rehearsal\r\n".encode()
        number = users.get("clients", 1)
        lingering = round(number * users.get("lingering", 0.0))
        ports = users.get("ports", [])
        self.clients = [
            Client(
                [ports[each % len(ports)]] if ports else [],
                users.get("patience", 1.0) if each < lingering else 1.0,
            )
            for each in range(number)
        ]
        chance.shuffle(self.clients)
        self.counts: Counter[str] = Counter()
        self.last: dict[str, float] = {}
        self.second = Second()
        self.in_flight: set[asyncio.Task[None]] = set()

    async def send(self, client: Client) -> None:
        """Send one request and count what became of it."""
        began, began_at = time.monotonic(), time.time()
        connection: Connection | None = None
        try:
            async with asyncio.timeout(self.timeout_seconds):
                connection = await self.connect(client)
                assert connection.transport is not None
                connection.answer = asyncio.get_running_loop().create_future()
                connection.transport.write(self.start + client.give() + b"\r\n")
                answer = await connection.answer
        except (OSError, TimeoutError):
            if connection is not None and connection.transport is not None:
                connection.transport.abort()
            answer = Answer(0, "none")
        else:
            client.take(answer.cookies)
            client.idle.append(connection)
        outcome = "ok" if answer.status in OK else "failed"
        for counts in (self.counts, self.second.counts):
            counts.update((outcome, answer.colour, f"{outcome}_{answer.colour}"))
        self.counts[f"status_{answer.status}"] += 1
        self.last[answer.colour] = max(began_at, self.last.get(answer.colour, 0.0))
        self.second.durations.append((time.monotonic() - began) * 1000)

    async def connect(self, client: Client) -> Connection:
        """Return an idle connection to where the client's requests go now, or a new one."""
        port = await self.port_of(client)
        now = time.monotonic()
        while client.idle:
            connection = client.idle.pop()
            if connection.transport is None or connection.transport.is_closing():
                continue
            if connection.port == port and connection.ends_at > now:
                return connection
            connection.transport.close()
        _, made = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
        made.port = port
        if self.connection_seconds is not None:  # not all at once: between half of it and all
            made.ends_at = now + self.connection_seconds * self.chance.uniform(0.5, 1.0)
        return made

    async def port_of(self, client: Client) -> int:
        """Return the loopback port to dial, asking DNS when what the client knows is too old. Raises OSError."""
        if client.ports:
            return client.ports[0]
        if self.clock() >= client.known_until:
            client.port, ttl = await self.resolve(self.name, self.resolver)
            client.known_until = self.clock() + ttl * client.patience
        return client.port

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
            request = asyncio.create_task(self.send(self.clients[sent % len(self.clients)]))
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
            "last": dict(self.last),
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


def cookies_of(head: bytes) -> tuple[bytes, ...]:
    """Return every cookie that an answer sets, as given."""
    lines = [line.partition(b":") for line in head.split(b"\r\n")]
    return tuple(content.strip() for name, _, content in lines if name.lower() == b"set-cookie")


async def look_up(name: str, resolver: int) -> tuple[int, int]:
    """
    Ask a DNS server on loopback for a name's address, and return the port it stands for and its TTL in seconds.

    Like every client of DNS it asks again when no answer comes.

    Raises:
        OSError: the name has no address, or one that is not of this machine.
        TimeoutError: nothing came back, however often it was asked.
    """
    number = random.getrandbits(16)
    answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    class Asking(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, _address: object) -> None:
            if not answered.done() and data[:2] == number.to_bytes(2, "big"):
                answered.set_result(data)

    asked = b"".join(bytes((len(label),)) + label.encode() for label in name.rstrip(".").split(".")) + b"\0"
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        Asking, remote_addr=("127.0.0.1", resolver), family=socket.AF_INET
    )
    try:
        query = struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + asked + struct.pack(">2H", ADDRESS, IN)
        for _ in range(TRIES):
            transport.sendto(query)
            await asyncio.wait([answered], timeout=TRY_SECONDS)
            if answered.done():
                return loopback_port(answered.result(), len(asked))
        raise TimeoutError("no answer from the DNS")
    finally:
        transport.close()


def loopback_port(message: bytes, asked: int) -> tuple[int, int]:
    """Return the port and the least TTL of an answer to a question whose name takes `asked` bytes. Raises OSError."""
    answers = struct.unpack(">H", message[6:8])[0]
    at = 12 + asked + 4
    found, least = 0, 0
    for _ in range(answers):
        while message[at] and message[at] < 0xC0:  # noqa: PLR2004 - above it a name goes on elsewhere
            at += message[at] + 1
        at += 2 if message[at] else 1
        kind, _, ttl, length = struct.unpack(">HHIH", message[at : at + 10])
        data = message[at + 10 : at + 10 + length]
        at += 10 + length
        least = min(least, ttl) if least else ttl
        if kind == ADDRESS and tuple(data[:2]) == ON_LOOPBACK:
            found = int.from_bytes(data[2:], "big")
    if not found:
        raise OSError("the name has no address on this machine")
    return found, least


async def main(users: str, rps: float, seconds: float, timeout_seconds: float, path: str) -> None:
    """Drive until told to stop."""
    stopped = asyncio.Event()
    commands = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)

    async def listen() -> None:
        await commands.readline()
        stopped.set()

    listening = asyncio.create_task(listen())
    await Driver(json.loads(users), timeout_seconds, path).drive(rps, seconds, stopped)
    listening.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]), sys.argv[5]))
