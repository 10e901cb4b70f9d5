"""Ejections rebuilt: from a client's lines, from the servers' beside them, and what stays unknown."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from crossfade.judge.proxylog import AccessLine, read_lines
from crossfade.judge.proxylog_attempts import clients
from crossfade.judge.proxylog_replay import Confidence, replay
from crossfade.judge.proxylog_report import BUCKET_MS, report

from .lines import NOON_MS, access, called_in_turn, event

HOSTS = ("10.0.1.1:80", "10.0.1.2:80", "10.0.1.3:80", "10.0.1.4:80")
SICK = HOSTS[1]


def an_ejection(*, out: bool = True) -> list[str]:
    """One host fails from the fifth second on; it is left out for five seconds after its fifth failure, or is not."""
    return called_in_turn(
        HOSTS,
        lambda host, ms: 500 if host == SICK and ms >= 5_000 and ms < 9_000 else 200,
        seconds=20,
        is_out=lambda host, ms: out and host == SICK and 5_500 <= ms < 10_500,
    )


def test_five_failures_in_a_row_and_then_nothing_are_an_ejection_when_the_fifth_ends() -> None:
    [found] = report({"web": an_ejection()}).ejected

    assert (found.host, found.confidence) == (SICK, Confidence.EGRESS)
    assert 5_400 <= found.at - NOON_MS <= 5_500


def test_a_host_that_is_called_on_was_not_ejected_but_suppressed() -> None:
    read = report({"web": an_ejection(out=False)})

    assert read.ejected == ()
    assert {each.host for each in read.suppressed} == {SICK}
    assert len(read.suppressed) == 8  # 40 failures in 4 seconds


def test_a_bout_of_failures_at_a_blind_host_is_told_as_a_silence() -> None:
    access_lines = [line for line in read_lines(an_ejection()) if isinstance(line, AccessLine)]
    [client] = clients({"web": access_lines})

    seen = replay(client._replace(joined=True))
    unseen = replay(client._replace(joined=True, blind=frozenset({SICK})))

    assert [(each.host, each.confidence) for each in seen.ejected] == [(SICK, Confidence.JOIN)]
    assert [(each.host, each.confidence) for each in unseen.ejected] == [(SICK, Confidence.SILENCE)]


def test_four_failures_between_successes_are_nothing() -> None:
    lines = called_in_turn(
        HOSTS, lambda host, ms: 500 if host == SICK and ms // 100 % 5 else 200, seconds=20, is_out=lambda *_: False
    )

    read = report({"web": lines})

    assert (read.ejected, read.suppressed) == ((), ())


def test_the_only_host_is_never_ejected() -> None:
    lines = called_in_turn(HOSTS[:1], lambda *_: 500, seconds=2, is_out=lambda *_: False)

    read = report({"web": lines})

    assert read.ejected == ()
    assert len(read.suppressed) == 16


def test_an_ejection_at_the_very_end_is_told_at_once_unless_half_of_the_hosts_would_be_out() -> None:
    def failing(*sick: str) -> list[str]:
        return called_in_turn(
            HOSTS,
            lambda host, _: 500 if host in sick else 200,
            seconds=1,
            is_out=lambda host, ms: ms >= 500 and host in sick,
        )[:20]

    assert [each.host for each in report({"web": failing(SICK)}).ejected] == [SICK]
    assert len(report({"web": failing(*HOSTS[:3])}).ejected) == 2


def retried() -> dict[str, list[str]]:
    """A host's 503 are retried on the next one: the client logs no failure, the servers do."""
    client: list[str] = []
    servers: dict[str, list[str]] = {host: [] for host in HOSTS}
    turn, failures = 0, 0
    for ms in range(0, 20_000, 25):
        request_id = f"r-{ms}"
        for attempt in range(2):
            turn += 1
            if HOSTS[turn % 4] == SICK and 5_500 <= ms < 10_500:
                turn += 1
            host = HOSTS[turn % 4]
            bad = host == SICK and 5_000 <= ms < 9_000
            failures += bad
            servers[host].append(
                json.dumps(access(ms + 8 * attempt, "127.0.0.1:8080", 503 if bad else 200, request_id=request_id))
            )
            if not bad:
                client.append(json.dumps(access(ms, host, 200, request_id=request_id, duration=4 + 8 * attempt)))
                break
    return {"web": client, **{f"orders-{at}": servers[host] for at, host in enumerate(HOSTS)}}


def test_what_retries_hide_from_the_client_is_seen_in_the_servers_lines() -> None:
    [found] = report(retried()).ejected

    assert (found.host, found.confidence) == (SICK, Confidence.JOIN)


def test_without_the_servers_lines_it_is_a_silence_which_rolls_nothing_back() -> None:
    read = report({"web": retried()["web"]})

    assert {each.confidence for each in read.ejected} <= {Confidence.SILENCE}
    assert sum(count.ejected for count in read.counts().values()) == 0


def test_clients_and_servers_on_one_machine_are_told_apart_by_who_encloses_whom() -> None:
    local = {
        stream: [line.replace("10.0.1.", "127.0.0.").replace("127.0.0.1:8080", f"127.0.0.1:90{at}") for line in lines]
        for at, (stream, lines) in enumerate(retried().items())
    }

    [found] = report(local).ejected

    assert (found.host, found.confidence) == (SICK.replace("10.0.1.", "127.0.0."), Confidence.JOIN)


def test_envoys_own_events_come_first_and_only_those_enforced() -> None:
    lines = [
        *an_ejection(),
        event(5_475, SICK, enforced=False),
        event(5_476, SICK),
        event(9_999, SICK, action="UNEJECT"),
    ]

    [found] = report({"web": lines}).ejected

    assert (found.at, found.host, found.confidence) == (NOON_MS + 5_476, SICK, Confidence.EVENT)


@pytest.mark.parametrize("seed", range(3))
def test_neither_the_order_of_batches_nor_their_repetition_changes_anything(seed: int) -> None:
    streams = retried()
    mixed = {stream: [*lines, *lines[::7], "noise"] for stream, lines in streams.items()}
    for lines in mixed.values():
        random.Random(seed).shuffle(lines)

    assert report(dict(reversed(mixed.items()))) == report(streams)


def test_two_clients_of_the_same_servers_are_replayed_apart() -> None:
    quarter = called_in_turn(
        HOSTS, lambda host, ms: 500 if host == SICK and ms // 100 % 4 == 0 else 200, seconds=20, is_out=lambda *_: False
    )
    other = [line.replace('"r-', '"other-') for line in quarter]

    assert report({"web": quarter, "batch": other}).ejected == ()


def test_ten_seconds_without_a_line_have_no_count() -> None:
    lines = [line for line in an_ejection() if "T12:00:1" not in line]

    counts = report({"web": lines}).counts()

    assert set(counts) == {NOON_MS}
    assert NOON_MS + BUCKET_MS not in counts


def test_a_batch_counts_its_own_ejections_only() -> None:
    lines = an_ejection()
    whole = report({"web": lines})
    failed = [line for line in lines if '"response_code": 500' in line]

    assert len(whole.within(report({"web": failed})).ejected) == 1
    assert whole.within(report({"web": failed[:2]})).ejected == ()


@pytest.mark.parametrize("dropped", [0.01, 0.05])
def test_dropped_lines_invent_nothing(dropped: float) -> None:
    chance = random.Random(7)
    streams = {stream: [line for line in lines if chance.random() >= dropped] for stream, lines in retried().items()}

    found = [each for each in report(streams).ejected if each.confidence is not Confidence.SILENCE]

    assert {each.host for each in found} == {SICK}
    assert len(found) == 1


def test_a_request_id_that_travels_further_is_counted_at_each_hop_for_its_own_client() -> None:
    """web calls orders, which calls stock with the same id; stock fails often, and its caller retries nothing."""
    web: list[str] = []
    orders: list[str] = []
    stock: tuple[list[str], list[str]] = ([], [])
    for turn, ms in enumerate(range(0, 4_000, 25)):
        of: dict[str, Any] = {"request_id": f"r-{ms}"}
        host = f"10.0.2.{turn % 2 + 1}:80"
        bad = turn % 2 == 0 and ms >= 2_000
        web.append(json.dumps(access(ms, "10.0.1.1:80", 200, duration=9, **of)))
        orders.append(json.dumps(access(ms + 1, "127.0.0.1:8080", 200, duration=7, **of)))
        orders.append(json.dumps(access(ms + 2, host, 500 if bad else 200, duration=5, authority="stock", **of)))
        stock[turn % 2].append(
            json.dumps(access(ms + 3, "127.0.0.1:9090", 500 if bad else 200, authority="stock", **of))
        )

    found = clients(
        {
            name: [line for line in read_lines(lines) if isinstance(line, AccessLine)]
            for name, lines in {"web": web, "orders": orders, "stock-1": stock[0], "stock-2": stock[1]}.items()
        }
    )

    assert [(each.stream, each.upstream, len(each.attempts)) for each in found] == [
        ("orders", "stock", 160),
        ("web", "orders.shop.local", 160),
    ]
    assert {attempt.host for attempt in found[1].attempts} == {"10.0.1.1:80"}
    assert {attempt.code for attempt in found[1].attempts} == {200}
