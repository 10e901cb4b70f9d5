"""The users of a rehearsal: what each of their machines remembers, and for how long."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from rehearsal.dataplane import Users
from rehearsal.dataplane.driver import Client, Driver

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-colour: green\r\nset-cookie: side=green; Max-Age=60\r\n\r\n"


class Server:
    """Answers everything, and keeps what it was asked, by connection."""

    def __init__(self) -> None:
        self.connections: list[list[bytes]] = []
        self.serving: list[asyncio.Task[None]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.append(task)
        asked: list[bytes] = []
        self.connections.append(asked)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                asked.append(head)
                writer.write(ANSWER)
        except asyncio.IncompleteReadError:
            writer.close()
            await writer.wait_closed()


def played(requests: int, **users: Any) -> tuple[Driver, Server]:
    """Send requests one after the other, by turns of the clients, to a server that answers green."""
    server = Server()

    async def play() -> Driver:
        async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            whom = asdict(Users(ports=(port,), **users))
            made = Driver(whom, 60, "/")
            for number in range(requests):
                await made.send(made.clients[number % len(made.clients)])
            for client in made.clients:
                for connection in client.idle:
                    assert connection.transport is not None
                    connection.transport.close()
            await asyncio.wait(server.serving)
            return made

    return asyncio.run(play()), server


def test_each_client_keeps_a_connection_and_cookies_of_its_own() -> None:
    made, server = played(6, clients=2)

    assert [len(asked) for asked in server.connections] == [3, 3]
    assert all(b"cookie:" not in asked[0] for asked in server.connections)
    assert all(b"\r\ncookie: side=green\r\n" in head for asked in server.connections for head in asked[1:])
    assert made.counts["ok_green"] == 6


def test_a_connection_is_not_kept_longer_than_it_may_last() -> None:
    _, server = played(4, connection_seconds=0.0)

    assert [len(asked) for asked in server.connections] == [1, 1, 1, 1]


def test_when_green_answered_last_is_told_apart() -> None:
    made, _ = played(2)

    assert made.last.keys() == {"green"}


def test_a_cookie_that_is_too_old_is_not_sent_again() -> None:
    client = Client([1])

    client.take((b"old=1; Max-Age=0", b"good=2; Path=/; max-age=60", b"kept=3"))

    assert client.give() == b"cookie: good=2; kept=3\r\n"


def test_clients_are_spread_over_the_ports_and_some_linger() -> None:
    made = Driver(asdict(Users(ports=(1, 2), clients=40, lingering=0.05, patience=3.0, seed=1)), 5, "/")

    assert sorted(client.ports[0] for client in made.clients) == [1] * 20 + [2] * 20
    assert sorted(client.patience for client in made.clients) == [1.0] * 38 + [3.0] * 2


def test_an_answer_of_dns_is_kept_for_its_ttl_and_by_a_lingering_client_for_longer() -> None:
    asked: list[str] = []
    now = [100.0]

    async def answer(name: str, _resolver: int) -> tuple[int, int]:
        asked.append(name)
        return len(asked), 5

    users = asdict(Users(name="shop.example", resolver=53, clients=1))
    made = Driver(users, 5, "/", resolve=answer, clock=lambda: now[0])
    quick, lingering = Client([]), Client([], patience=3.0)

    async def ports() -> tuple[int, int]:
        return await made.port_of(quick), await made.port_of(lingering)

    heard = []
    for at in (100.0, 104.9, 105.1, 115.1):
        now[0] = at
        heard.append(asyncio.run(ports()))

    assert heard == [(1, 2), (1, 2), (3, 2), (4, 5)]
    assert set(asked) == {"shop.example"}
