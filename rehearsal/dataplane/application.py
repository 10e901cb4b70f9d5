"""
The stand-in application: every task of a rehearsal, in one process.

Run by `obeying.py`, standard library only. Its commands and what is answered, each a JSON object:

    {"do": "add", "task", "service", "colour", "ports": [container port]} -> {"ports": {container port: own port}}
    {"do": "dial", "task", "calls": [[name, port or null, is gRPC]]}      what the task calls for every request
    {"do": "fault", "task", "mode", "code", "probability", "milliseconds"}
    {"do": "remove", "task"}

A task answers GET /health with 200. For any other path it calls its backends one after the other, passing
`x-request-id` on, and answers 200; when a backend cannot be called or answers 4xx or 5xx, it answers 502 and calls no
further. A call over gRPC (`content-type: application/grpc`) is answered 200 whatever became of it, with the status in a
header and nothing behind it: the form that gRPC calls Trailers-Only. Faults: ok; error (with `code`, for a part of the
requests, health stays 200), delay, hang, reset, refuse. Raw protocols, not a web framework: only these can reset, hang
and refuse.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from dataclasses import dataclass, field
from typing import Any

CALL_SECONDS = 30.0  # longer than any proxy's own timeout
HEAD_END = b"\r\n\r\n"
REASONS = {200: "OK", 500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable"}
ANY_ERROR = 400
GRPC = b"application/grpc"
GRPC_STATUS = {200: 0, 503: 14}  # OK, UNAVAILABLE
GRPC_INTERNAL = 13
GRPC_FAILED = 500


@dataclass
class Task:
    """One task: what it calls, how it misbehaves, and its open connections."""

    name: str
    service: str
    colour: str
    calls: list[tuple[str, int | None, bool]] = field(default_factory=list)
    mode: str = "ok"
    code: int = 500
    probability: float = 1.0
    milliseconds: float = 0.0
    ports: dict[int, int] = field(default_factory=dict)
    servers: list[asyncio.Server] = field(default_factory=list)
    connections: set[Served] = field(default_factory=set)

    def answer(self, code: int, body: bytes = b"ok\n", *, is_grpc: bool = False) -> bytes:
        """Return one complete answer of HTTP, or of gRPC with the status that means the same."""
        if is_grpc:
            status = GRPC_STATUS.get(code, GRPC_INTERNAL)
            code, body, kind = 200, b"", f"{GRPC.decode()}\r\ngrpc-status: {status}"
        else:
            kind = "text/plain"
        head = (
            f"HTTP/1.1 {code} {REASONS.get(code, 'Answer')}\r\ncontent-length: {len(body)}\r\n"
            f"content-type: {kind}\r\nx-colour: {self.colour}\r\nx-service: {self.service}\r\n"
            f"x-task: {self.name}\r\n\r\n"
        )
        return head.encode() + body

    async def listen(self) -> None:
        """Open every port: a port of the kernel's choice the first time, the same one after a refusal."""
        loop = asyncio.get_running_loop()
        for container_port in list(self.ports):
            server = await loop.create_server(
                lambda: Served(self), "127.0.0.1", self.ports[container_port], backlog=512, reuse_address=True
            )
            self.ports[container_port] = server.sockets[0].getsockname()[1]
            self.servers.append(server)

    def refuse(self) -> None:
        """Close every port and reset every connection."""
        for server in self.servers:
            server.close()
        self.servers.clear()
        for connection in list(self.connections):
            connection.reset()


class Served(asyncio.Protocol):
    """One connection from a proxy; its requests are answered one at a time."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.buffer = b""
        self.busy = False
        self.transport: asyncio.Transport | None = None
        self.work: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.task.connections.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        """Let go of what was being answered."""
        self.task.connections.discard(self)
        if self.work is not None:
            self.work.cancel()

    def reset(self) -> None:
        """Reset the connection: the peer sees RST, not an orderly end."""
        assert self.transport is not None
        raw = self.transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take in more of a request."""
        self.buffer += data
        self.next_request()

    def next_request(self) -> None:
        """Begin the next request when all of it has arrived and none is being answered."""
        end = self.buffer.find(HEAD_END)
        if self.busy or end < 0:
            return
        head = self.buffer[:end]
        length = int(header(head, b"content-length") or 0)
        if len(self.buffer) < end + len(HEAD_END) + length:
            return
        self.buffer = self.buffer[end + len(HEAD_END) + length :]
        self.busy = True
        self.begin(head)

    def begin(self, head: bytes) -> None:
        """Answer one request, at once where nothing needs to be called."""
        task = self.task
        is_health = head.split(b" ", 2)[1].startswith(b"/health")
        is_grpc = (header(head, b"content-type") or b"").startswith(GRPC)
        struck = task.mode != "ok" and random.random() < task.probability
        if struck and task.mode == "hang":
            return
        if struck and task.mode == "reset":
            self.reset()
        elif is_health:
            self.finish(task.answer(200))
        elif struck and task.mode == "error":
            self.finish(task.answer(task.code, b"broken\n", is_grpc=is_grpc))
        elif task.calls or (struck and task.mode == "delay"):
            pause = task.milliseconds / 1000 if struck else 0.0
            self.work = asyncio.get_running_loop().create_task(self.call_backends(head, pause, is_grpc=is_grpc))
        else:
            self.finish(task.answer(200, is_grpc=is_grpc))

    async def call_backends(self, head: bytes, pause: float, *, is_grpc: bool) -> None:
        """Call every backend in turn and answer: 200, or 502 naming the first that failed."""
        await asyncio.sleep(pause)
        request_id = header(head, b"x-request-id") or b""
        for name, port, by_grpc in self.task.calls:
            status = await call(name, port, request_id, by_grpc=by_grpc)
            if status >= ANY_ERROR or status == 0:
                said = f"{name} answered {status or 'nothing'}\n".encode()
                self.finish(self.task.answer(502, said, is_grpc=is_grpc))
                return
        self.finish(self.task.answer(200, is_grpc=is_grpc))

    def finish(self, answer: bytes) -> None:
        """Write the answer and turn to the next request."""
        assert self.transport is not None
        if not self.transport.is_closing():
            self.transport.write(answer)
        self.busy = False
        self.work = None
        self.next_request()


class Caller(asyncio.Protocol):
    """A kept-alive connection to one of a task's own proxy's listeners."""

    def __init__(self) -> None:
        self.buffer = b""
        self.transport: asyncio.Transport | None = None
        self.status: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        """Fail the request that still waits."""
        if self.status is not None and not self.status.done():
            self.status.set_exception(error or ConnectionResetError("closed before an answer"))

    def data_received(self, data: bytes) -> None:
        """Take in more of an answer."""
        self.buffer += data
        end = self.buffer.find(HEAD_END)
        if end < 0 or self.status is None:
            return
        head = self.buffer[:end]
        length = header(head, b"content-length")
        body = self.buffer[end + len(HEAD_END) :]
        whole = body.endswith(b"0\r\n\r\n") if length is None else len(body) >= int(length)
        if whole and not self.status.done():
            self.buffer = b""
            code = int(head.split(b" ", 2)[1])
            is_failed = (header(head, b"grpc-status") or b"0") != b"0"
            self.status.set_result(GRPC_FAILED if is_failed else code)

    async def request(self, name: str, request_id: bytes, *, by_grpc: bool) -> int:
        """Send one request and return the status of its answer; 500 for a status of gRPC that is not OK."""
        assert self.transport is not None
        self.status = asyncio.get_running_loop().create_future()
        passed_on = b"x-request-id: " + request_id + b"\r\n" if request_id else b""
        if by_grpc:
            passed_on += b"content-type: " + GRPC + b"\r\nte: trailers\r\n"
        self.transport.write(b"GET / HTTP/1.1\r\nhost: " + name.encode() + b"\r\n" + passed_on + b"\r\n")
        return await self.status


idle: dict[int, list[Caller]] = {}


async def call(name: str, port: int | None, request_id: bytes, *, by_grpc: bool) -> int:
    """Call a backend through the task's proxy; return the status, 0 when there was none or the name is not known."""
    if port is None:
        return 0
    waiting = idle.setdefault(port, [])
    caller: Caller | None = None
    try:
        while waiting and caller is None:
            caller = waiting.pop()
            if caller.transport is None or caller.transport.is_closing():
                caller = None
        if caller is None:
            _, caller = await asyncio.get_running_loop().create_connection(Caller, "127.0.0.1", port)
        status = await asyncio.wait_for(caller.request(name, request_id, by_grpc=by_grpc), CALL_SECONDS)
    except (OSError, TimeoutError):
        if caller is not None and caller.transport is not None:
            caller.transport.abort()
        return 0
    waiting.append(caller)
    return status


def header(head: bytes, name: bytes) -> bytes | None:
    """Return a header's value."""
    at = head.lower().find(b"\r\n" + name + b":")
    if at < 0:
        return None
    start = at + len(name) + 3
    end = head.find(b"\r\n", start)
    return head[start : end if end >= 0 else len(head)].strip()


tasks: dict[str, Task] = {}


async def obey(command: dict[str, Any]) -> dict[str, Any]:
    """Do one command and return its answer."""
    name = command["task"]
    if command["do"] == "add":
        task = Task(name, command["service"], command["colour"], ports=dict.fromkeys(command["ports"], 0))
        await task.listen()
        tasks[name] = task
        return {"ports": {str(container): own for container, own in task.ports.items()}}
    if name not in tasks:
        return {"unknown": name}
    task = tasks[name]
    if command["do"] == "dial":
        task.calls = [(called, port, by_grpc) for called, port, by_grpc in command["calls"]]
    elif command["do"] == "remove":
        task.refuse()
        del tasks[name]
    else:
        task.mode, task.code = command["mode"], command["code"]
        task.probability, task.milliseconds = command["probability"], command["milliseconds"]
        if task.mode == "refuse":
            task.refuse()
        elif not task.servers:
            await task.listen()
    return {}
