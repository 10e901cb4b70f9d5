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
    """
    What one client proxy tried at one upstream, by start. `joined` says that servers' lines were there to add.

    `blind` are hosts without lines of their own where others have some and requests are
    retried: attempts at them that were retried are nowhere.
    """

    stream: str
    upstream: str
    attempts: tuple[Attempt, ...]
    joined: bool
    blind: frozenset[str] = frozenset()


_Leg: TypeAlias = tuple[str, str]
"""A stream and an upstream host: the lines of one direction."""

_Answer: TypeAlias = tuple[AccessLine, _Leg]
"""A server's line, and where it stood."""


class _Answers(NamedTuple):
    """The servers' lines by the identity of the client's line: the last one, and those before, which were retried."""

    last: dict[int, _Answer]
    before: dict[int, list[_Answer]]


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
    answers = _answers(asked, {leg: legs[leg] for leg in servers})
    return tuple(_joined(of, lines, answers) for of, lines in sorted(asked.items()))


def _joined(of: _Leg, lines: Sequence[AccessLine], answers: _Answers) -> Client:
    hosts = _hosts(lines, answers)
    attempts: list[Attempt] = []
    joined = retries = False
    for line in lines:
        start, end, code, host, _, _ = line
        last = answers.last.get(id(line))
        if last is None:
            attempts.append(_plain(Attempt, (start, end, host, code)))
            continue
        joined = True
        reached = hosts.get(last[1], host) == host
        retried = answers.before.get(id(line), ())
        retries = retries or bool(retried)
        for server, leg in retried if reached else (*retried, last):
            failed = server.code if server.code >= _SERVER_ERROR else RETRIED
            attempts.append(Attempt(server.start, server.end, hosts.get(leg, leg[0]), failed))
        began = last[0].start if reached else max(start, last[0].end)
        attempts.append(_plain(Attempt, (began, end, host, code)))
    attempts.sort()
    blind = {attempt.host for attempt in attempts}.difference(hosts.values()) if joined and retries else ()
    return Client(*of, tuple(attempts), joined=joined, blind=frozenset(blind))


def _own(line: AccessLine) -> Attempt:
    return Attempt(line.start, line.end, line.host, line.code)


def _hosts(lines: Sequence[AccessLine], answers: _Answers) -> dict[_Leg, str]:
    """Return by which host a client knows each server: that of the last attempt, where both saw the same answer."""
    seen: dict[_Leg, Counter[str]] = defaultdict(Counter)
    for line in lines:
        last = answers.last.get(id(line))
        if last is not None and last[0].code == line.code:
            seen[last[1]][line.host] += 1
    return {leg: counts.most_common(1)[0][0] for leg, counts in seen.items()}


def _answers(asked: Mapping[_Leg, Sequence[AccessLine]], served: Mapping[_Leg, Sequence[AccessLine]]) -> _Answers:
    """Give each client's line the servers' lines of the same request that it encloses most closely."""
    callers, repeated = _callers(asked)
    answers = _Answers({}, {})
    last = answers.last
    for leg, lines in served.items():
        for line in lines:
            caller = callers.get(line.request_id)
            if caller is None:
                continue
            if repeated and line.request_id in repeated:
                caller = _closest(repeated[line.request_id], line, leg[0])
            key = id(caller)
            if key in last:
                *before, newest = sorted([*answers.before.get(key, ()), last[key], (line, leg)])
                answers.before[key], last[key] = before, newest
            else:
                last[key] = (line, leg)
    return answers


def _callers(
    asked: Mapping[_Leg, Sequence[AccessLine]],
) -> tuple[dict[str, AccessLine], dict[str, list[tuple[_Leg, AccessLine]]]]:
    """Return a client's line for each request id, and all of them for ids that more than one has: a hop further on."""
    callers: dict[str, AccessLine] = {}
    repeated: dict[str, list[tuple[_Leg, AccessLine]]] = {}
    for lines in asked.values():
        for line in lines:
            if line.request_id in callers:
                repeated[line.request_id] = []
            callers[line.request_id] = line
    if repeated:
        for of, lines in asked.items():
            for line in lines:
                if line.request_id in repeated:
                    repeated[line.request_id].append((of, line))
    return callers, repeated


def _closest(known: Sequence[tuple[_Leg, AccessLine]], line: AccessLine, stream: str) -> AccessLine:
    """Return the caller that encloses a server's line most closely; one of the same name comes before others."""

    def apart(each: tuple[_Leg, AccessLine]) -> tuple[bool, bool, int, int, _Leg]:
        of, caller = each
        outside = max(0, caller.start - line.start) + max(0, line.end - caller.end)
        return (of[0] == stream, caller.authority != line.authority, outside, caller.end - caller.start, of)

    return min(known, key=apart)[1]


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
    """
    Return whether these lines are a server's.

    Of two lines of one hop, which name the same authority, the inner is the server's.
    Where no line shares the authority, a server's is outer to what its own proxy then
    asks as a client, and inner to others'.
    """
    within = around = 0  # milliseconds by which lines of the same hop are the longer and the shorter ones
    longer = shorter = 0  # the same of other streams' lines, whatever they name
    outer = inner = 0  # of lines in the same stream that name another
    for line in lines:
        for other, theirs in by_request[line.request_id]:
            if other == leg:
                continue
            apart = (line.start - theirs.start) + (theirs.end - line.end)
            if theirs.authority == line.authority:
                within, around = within + max(0, apart), around + max(0, -apart)
            elif other[0] == leg[0]:
                outer, inner = outer + _encloses(line, theirs), inner + _encloses(theirs, line)
            else:
                longer, shorter = longer + max(0, apart), shorter + max(0, -apart)
    if within != around:
        return within > around
    return outer > inner if outer != inner else longer > shorter


def _encloses(line: AccessLine, other: AccessLine) -> bool:
    same = (line.start, line.end) == (other.start, other.end)
    return not same and line.start <= other.start and line.end >= other.end


def _request_id(line: AccessLine) -> str:
    return line.request_id


def _is_loopback(host: str) -> bool:
    return host.startswith(("127.", "[::1]", "localhost"))
