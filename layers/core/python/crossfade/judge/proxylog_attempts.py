"""
Rebuilds what each client proxy tried, request by request and attempt by attempt, from access lines.

A client's line names the host of its last attempt only; what it retried before is seen
in the servers' lines, which carry the same request id. So a client's attempts are its
own lines' last ones, and those that the servers' lines add.

An access line does not say whether its proxy was client or server for it. Between tasks
with addresses of their own, a server's line has a loopback `upstream_host`, the
application beside it; where all are on one machine, the inner one of two lines that
share a request id is the server's.

Source: `x-request-id` is kept over retries and hops, Envoy's HTTP connection manager.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from heapq import nsmallest
from typing import Final, NamedTuple, TypeAlias

from crossfade.judge.proxylog import AccessLine

_SAMPLE: Final = 200
"""Lines of one kind that are looked at to tell a client's from a server's."""

RETRIED: Final = 503
"""The answer taken of an attempt that was retried, when its server logged none: whatever is retried had failed."""

_SERVER_ERROR: Final = 500


class Attempt(NamedTuple):
    """One attempt at one host; times in milliseconds since 1970."""

    start: int
    end: int
    host: str
    code: int


class Client(NamedTuple):
    """What one client proxy tried at one upstream, by start. `joined` says that servers' lines were there to add."""

    stream: str
    upstream: str
    attempts: tuple[Attempt, ...]
    joined: bool


_Leg: TypeAlias = tuple[str, str]
"""A stream and an upstream host: the lines of one direction."""

_Answered: TypeAlias = dict[int, tuple[AccessLine, list[tuple[AccessLine, _Leg]]]]
"""A client's lines, by identity, each with the servers' lines of the same request and their legs."""

_plain = tuple.__new__


def clients(streams: Mapping[str, Iterable[AccessLine]]) -> tuple[Client, ...]:
    """
    Return what every client among these streams tried, by stream and upstream; a line must be there once.

    The order of lines and streams changes nothing.
    """
    legs: dict[_Leg, list[AccessLine]] = {}
    for stream, lines in streams.items():
        by_host: dict[str, list[AccessLine]] = defaultdict(list)
        for line in lines:
            by_host[line.host].append(line)
        for host, alike in by_host.items():
            if host:
                legs[stream, host] = alike
    servers = _servers(legs)
    asked: dict[_Leg, list[AccessLine]] = defaultdict(list)
    for leg, lines in legs.items():
        if leg not in servers:
            for line in lines:
                asked[leg[0], line.authority].append(line)
    if not servers:
        return tuple(
            Client(*of, tuple(sorted(_own(line) for line in lines)), joined=False)
            for of, lines in sorted(asked.items())
        )
    answered = _answered(asked, {leg: legs[leg] for leg in servers})
    return tuple(_joined(of, lines, answered[of]) for of, lines in sorted(asked.items()))


def _joined(of: _Leg, lines: Sequence[AccessLine], answered: _Answered) -> Client:
    hosts = _hosts(answered)
    attempts: list[Attempt] = []
    for line in lines:
        found = answered.get(id(line))
        if found is None:
            attempts.append(_own(line))
            continue
        inner = found[1]
        if len(inner) > 1:
            inner.sort()
        last, leg = inner[-1]
        reached = hosts.get(leg, line.host) == line.host
        for server, at in inner[:-1] if reached else inner:
            code = server.code if server.code >= _SERVER_ERROR else RETRIED
            attempts.append(Attempt(server.start, server.end, hosts.get(at, at[0]), code))
        start = last.start if reached else max(line.start, last.end)
        attempts.append(_plain(Attempt, (start, line.end, line.host, line.code)))
    attempts.sort()
    return Client(*of, tuple(attempts), joined=bool(answered))


def _own(line: AccessLine) -> Attempt:
    return Attempt(line.start, line.end, line.host, line.code)


def _hosts(answered: _Answered) -> dict[_Leg, str]:
    """Return by which host clients know each server: that of the last attempt, where both saw the same answer."""
    seen: dict[_Leg, Counter[str]] = defaultdict(Counter)
    for line, inner in answered.values():
        last, leg = max(inner) if len(inner) > 1 else inner[0]
        if last.code == line.code:
            seen[leg][line.host] += 1
    return {leg: counts.most_common(1)[0][0] for leg, counts in seen.items()}


def _answered(
    asked: Mapping[_Leg, Sequence[AccessLine]], served: Mapping[_Leg, Sequence[AccessLine]]
) -> dict[_Leg, _Answered]:
    """Return the servers' lines of each client's line: those of the same request that it encloses most closely."""
    callers: dict[str, tuple[_Leg, AccessLine]] = {}
    more: dict[str, list[tuple[_Leg, AccessLine]]] = {}
    for of, lines in asked.items():
        for line in lines:
            first = callers.setdefault(line.request_id, (of, line))
            if first[1] is not line:
                more.setdefault(line.request_id, [first]).append((of, line))
    found: dict[_Leg, _Answered] = {of: {} for of in asked}
    for leg, lines in served.items():
        for line in lines:
            known = callers.get(line.request_id)
            if known is None:
                continue
            of, caller = _closest(more[line.request_id], line, leg[0]) if line.request_id in more else known
            there = found[of].get(id(caller))
            if there is None:
                found[of][id(caller)] = (caller, [(line, leg)])
            else:
                there[1].append((line, leg))
    return found


def _closest(known: Sequence[tuple[_Leg, AccessLine]], line: AccessLine, stream: str) -> tuple[_Leg, AccessLine]:
    """Return the caller that encloses a server's line most closely; one of the same name comes before others."""

    def apart(each: tuple[_Leg, AccessLine]) -> tuple[bool, bool, int, int]:
        (of, caller) = each
        outside = max(0, caller.start - line.start) + max(0, line.end - caller.end)
        return (of[0] == stream, caller.authority != line.authority, outside, caller.end - caller.start)

    return min(known, key=apart)


def _servers(legs: Mapping[_Leg, Sequence[AccessLine]]) -> frozenset[_Leg]:
    if any(not _is_loopback(host) for _, host in legs):
        return frozenset(leg for leg in legs if _is_loopback(leg[1]))
    sample = {leg: nsmallest(_SAMPLE, lines, key=_request_id) for leg, lines in legs.items()}
    wanted = {line.request_id for lines in sample.values() for line in lines}
    by_request: dict[str, list[tuple[_Leg, AccessLine]]] = defaultdict(list)
    for leg, lines in legs.items():
        for line in lines:
            if line.request_id in wanted:
                by_request[line.request_id].append((leg, line))
    return frozenset(leg for leg, lines in sample.items() if _is_server(leg, lines, by_request))


def _is_server(
    leg: _Leg, lines: Sequence[AccessLine], by_request: Mapping[str, Sequence[tuple[_Leg, AccessLine]]]
) -> bool:
    """Return whether these lines lie within other streams' rather than around them; in its own, a server's is outer."""
    within = around = 0  # milliseconds by which other streams' lines are the longer and the shorter ones
    outer = inner = 0  # of lines in the same stream
    for line in lines:
        for other, theirs in by_request[line.request_id]:
            if other[0] != leg[0]:
                longer = (line.start - theirs.start) + (theirs.end - line.end)
                within, around = within + max(0, longer), around + max(0, -longer)
            elif other != leg:
                outer += _encloses(line, theirs)
                inner += _encloses(theirs, line)
    return outer > inner if outer or inner else within > around


def _encloses(line: AccessLine, other: AccessLine) -> bool:
    same = (line.start, line.end) == (other.start, other.end)
    return not same and line.start <= other.start and line.end >= other.end


def _request_id(line: AccessLine) -> str:
    return line.request_id


def _is_loopback(host: str) -> bool:
    return host.startswith(("127.", "[::1]", "localhost"))
