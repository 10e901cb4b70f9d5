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
from crossfade.plan.edges import CdnRef, Probe, Rung
from crossfade.runtime.probing import HttpProber
from crossfade.shift.staging import staging_probe
from tests.traffic import an_edge_plan

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

    with listening(Entry) as address:
        yield HttpProber(), f"{address}/health?deep=1", heard


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}"
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


def test_staging_is_asked_at_the_distributions_own_name_with_the_header_of_its_policy() -> None:
    heard: list[tuple[str, dict[str, str]]] = []

    class Distribution(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            self.send_response(200 if self.headers["AWS-CF-CD-Crossfade"] == "web" else 503)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    cdn = CdnRef(distribution_id="E1", origin_id="app", green_domain="green.example", green_load_balancer="front-green")
    with listening(Distribution) as address:
        headers = {"Host": "green.example", "X-Try": "1", "AWS-CF-CD-Crossfade": "other"}
        probe = Probe(url="http://green.example/", headers=headers, per_look=1, staging_url=f"{address}/cart?of=1")
        ladder = (Rung(share_bp=500, soak_seconds=60),)
        staged = staging_probe(an_edge_plan(kind="cloudfront", rules=(), cdn=cdn, probe=probe, ladder=ladder))
        assert staged is not None

        count = HttpProber().ask(staged)

    assert count == Count(requests=1, errors=0)
    [(path, sent)] = heard
    assert (path, sent["host"], sent["x-try"]) == ("/cart?of=1", address.removeprefix("http://"), "1")


def test_only_a_distribution_has_staging_to_ask() -> None:
    with pytest.raises(ValidationError, match="edge web: `staging_url` is for cloudfront"):
        an_edge_plan(probe=Probe(url="http://green.example/", staging_url="http://shop.example/"))


def test_where_nobody_listens_nothing_is_counted() -> None:
    with an_entry() as (prober, url, _):
        pass

    assert prober.ask(Probe(url=url, per_look=2)) == Count(0, 0)


@pytest.mark.parametrize("url", ["file:///etc/hosts", "ftp://green/", "http://user@green/", "green/health", "http://"])
def test_a_plan_may_name_nothing_but_an_address_of_http(url: str) -> None:
    with pytest.raises(ValidationError):
        Probe(url=url)
