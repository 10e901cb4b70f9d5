"""
The Network Load Balancers of a rehearsal: they pass on connections and know nothing of what is said in them.

Run by `obeying.py`, standard library only. Its commands and what is answered, each a JSON object:

    {"do": "listen", "listener"} -> {"port"}
    {"do": "follow", "listener", "groups": [[group, weight, [port]]]}     where new connections go from now on
    {"do": "end", "group", "ports": [port]}                               reset the connections that go there
    {"do": "count"} -> {"listeners": {listener: {counts since the last time; "active" is now}}}

A connection goes to a group by lot of the weights, and in it to a target by lot, and stays there whatever the weights
become. A group that the lot falls on and that has no target is not passed over: the connection is reset.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Listener:
    """One port for users, where its connections go, and what was counted."""

    name: str
    port: int = 0
    groups: list[tuple[str, int, list[int]]] = field(default_factory=list)
    flows: set[Flow] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    server: asyncio.Server | None = None

    async def listen(self) -> None:
        """Open a port of the kernel's choice."""
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: Flow(self), "127.0.0.1", 0, backlog=512)
        self.port = self.server.sockets[0].getsockname()[1]

    def choose(self) -> tuple[str, int] | None:
        """Return the group and target of a new connection; None where it cannot go anywhere."""
        weighted = [group for group in self.groups if group[1]]
        if not weighted:
            return None
        name, _, targets = random.choices(weighted, [group[1] for group in weighted])[0]
        return (name, random.choice(targets)) if targets else None


class Flow(asyncio.Protocol):
    """One connection of a user, and the one to its target that it is joined to."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.group, self.target = "", 0
        self.user: asyncio.Transport | None = None
        self.other: TargetSide | None = None
        self.early = b""
        self.work: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Choose a target and connect to it."""
        assert isinstance(transport, asyncio.Transport)
        self.user = transport
        self.listener.counts["new"] += 1
        self.listener.flows.add(self)
        chosen = self.listener.choose()
        if chosen is None:
            self.reset("elb_resets")
            return
        self.group, self.target = chosen
        self.work = asyncio.get_running_loop().create_task(self.join())

    async def join(self) -> None:
        """Connect to the target and pass on what the user has said meanwhile."""
        try:
            _, other = await asyncio.get_running_loop().create_connection(
                lambda: TargetSide(self), "127.0.0.1", self.target
            )
        except OSError:
            self.reset("target_resets")
            return
        self.other = other
        if self.user is None or self.user.is_closing():
            other.close()
        elif self.early and other.transport is not None:
            other.transport.write(self.early)

    def data_received(self, data: bytes) -> None:
        """Pass on to the target."""
        self.listener.counts["bytes"] += len(data)
        if self.other is None or self.other.transport is None:
            self.early += data
        else:
            self.other.transport.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        """Let go of the target too."""
        self.listener.flows.discard(self)
        if error is not None:
            self.listener.counts["client_resets"] += 1
        if self.other is not None:
            self.other.close()

    def reset(self, counted: str) -> None:
        """Reset both sides, as the load balancer or the target does."""
        self.listener.counts[counted] += 1
        self.listener.flows.discard(self)
        for transport in (self.user, self.other.transport if self.other else None):
            if transport is not None and not transport.is_closing():
                _reset(transport)


class TargetSide(asyncio.Protocol):
    """The connection from the load balancer to a target."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Pass on to the user."""
        self.flow.listener.counts["bytes"] += len(data)
        if self.flow.user is not None:
            self.flow.user.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        """End the user's side as the target ended its own: in order, or by a reset."""
        user = self.flow.user
        if user is None or user.is_closing():
            return
        if isinstance(error, ConnectionError):
            self.flow.reset("target_resets")
        else:
            user.close()

    def close(self) -> None:
        """End the connection in order."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.close()


def _reset(transport: asyncio.Transport) -> None:
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


listeners: dict[str, Listener] = {}


async def obey(command: dict[str, Any]) -> dict[str, Any]:
    """Do one command and return its answer."""
    if command["do"] == "count":
        counted = {each.name: {**each.counts, "active": len(each.flows)} for each in listeners.values()}
        for each in listeners.values():
            each.counts.clear()
        return {"listeners": counted}
    if command["do"] == "end":
        ports = set(command["ports"])
        for flow in [flow for each in listeners.values() for flow in each.flows]:
            if flow.group == command["group"] and flow.target in ports:
                flow.reset("elb_resets")
        return {}
    name = command["listener"]
    if command["do"] == "listen":
        listeners[name] = listener = Listener(name)
        await listener.listen()
        return {"port": listener.port}
    listeners[name].groups = [(group, weight, list(ports)) for group, weight, ports in command["groups"]]
    return {}
