"""What whoever asks green promises, in memory and over HTTP on loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import ValidationError

from crossfade.judge.probing import MemoryProber, Prober
from crossfade.judge.reading import Count
from crossfade.plan.document import Probe
from crossfade.runtime.probing import HttpProber

Heard = list[tuple[str, str | None]]
World = Callable[..., AbstractContextManager[tuple[Prober, str, Heard]]]


@contextmanager
def an_entry(*codes: int | None) -> Iterator[tuple[Prober, str, Heard]]:
    """Serve these answers in turn, None being a connection that is closed without one."""
    left, lock = list(codes), threading.Lock()
    heard: Heard = []

    class Entry(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with lock:
                heard.append((self.path, self.headers["Host"]))
                code = left.pop(0)
            if code is None:
                self.close_connection = True
                return
            self.send_response(code)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Entry)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    serving.start()
    yield HttpProber(), f"http://127.0.0.1:{server.server_port}/health?deep=1", heard
    server.shutdown()
    server.server_close()


@contextmanager
def in_memory(*codes: int | None) -> Iterator[tuple[Prober, str, Heard]]:
    yield MemoryProber(*codes), "http://green/health?deep=1", []


@pytest.mark.parametrize("world", [in_memory, an_entry])
def test_a_5xx_is_an_error_and_what_is_not_answered_is_not_counted(world: World) -> None:
    with world(200, 404, 302, 503, None) as (prober, url, _):
        count = prober.ask(Probe(url=url, per_look=5))

    assert count == Count(requests=4, errors=1)


def test_it_asks_by_the_path_and_the_headers_of_the_plan() -> None:
    with an_entry(200) as (prober, url, heard):
        prober.ask(Probe(url=url, per_look=1, headers={"Host": "shop.example.com"}))

    assert heard == [("/health?deep=1", "shop.example.com")]


def test_where_nobody_listens_nothing_is_counted() -> None:
    with an_entry() as (prober, url, _):
        pass

    assert prober.ask(Probe(url=url, per_look=2)) == Count(0, 0)


@pytest.mark.parametrize("url", ["file:///etc/hosts", "ftp://green/", "http://user@green/", "green/health", "http://"])
def test_a_plan_may_name_nothing_but_an_address_of_http(url: str) -> None:
    with pytest.raises(ValidationError):
        Probe(url=url)
