"""
Replays Envoy's outlier detection on a client's attempts: which hosts it ejected, and which it only would have.

A host that failed `CONSECUTIVE` times without a success between is ejected, unless too
many are. Whether it was is seen in what follows: an ejected host is left out of the
rotation until an interval of unknown length is over, and a suppressed one is not. So
neither the interval, nor the base ejection time, nor the largest share of hosts that may
be ejected need be known, except at the very end of the data, where nothing follows yet.

Source: Envoy, `source/common/upstream/outlier_detection_impl.cc`; Amazon ECS developer
guide, "Service Connect proxy": five or more failures.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from enum import StrEnum
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import Final, NamedTuple

from crossfade.judge.proxylog_attempts import Client

CONSECUTIVE: Final = 5
"""Service Connect's `consecutive_5xx`."""

MOST_EJECTED_PERCENT: Final = 50
"""Taken for Service Connect's `max_ejection_percent`, where what follows does not tell; AWS does not say."""

LEAK_MS: Final = 1_100
"""How long an ejected host may still be tried: Envoy merges changes of health for a second (`update_merge_window`)."""

_ROTATIONS: Final = 2.5
"""A host left out for so many rounds of the others is out of the rotation."""

_LEAST_OTHERS: Final = 5
"""…and for at least so many attempts at others."""

_SILENT_ROTATIONS: Final = 6
_LEAST_SILENT_OTHERS: Final = 10
"""How often others are tried while a host is not, before that is called a silence."""

_SHORTEST_SILENCE_MS: Final = 1_500
"""No ejection is shorter: its base time is whole seconds, and it ends on a tick."""

_RECENT_MS: Final = 10_000
"""A failure so long before a silence explains it: Envoy's interval, at whose tick it ejects by success rate."""

_SERVER_ERROR: Final = 500


class Confidence(StrEnum):
    """
    How an ejection is known.

    EVENT: Envoy said so. JOIN: rebuilt from the clients' and the servers' lines. EGRESS:
    from the clients' lines alone, which retries make blind. SILENCE: the host was left
    out of the rotation, and nothing shows why; a task that is stopped looks the same. So is
    every host whose own lines are missing while requests are retried.
    """

    EVENT = "event"
    JOIN = "join"
    EGRESS = "egress"
    SILENCE = "silence"


class Ejected(NamedTuple):
    """A host that a client put out of use; `at` in milliseconds since 1970."""

    at: int
    host: str
    confidence: Confidence


class Replayed(NamedTuple):
    """What a client's outlier detection did: ejections, and those it suppressed because too many hosts were out."""

    ejected: tuple[Ejected, ...]
    suppressed: tuple[Ejected, ...]


@dataclass(slots=True)
class _Host:
    """One host's attempts: when each began, in order, and those that ended well or badly, by end."""

    name: str
    starts: list[int]
    ends: list[tuple[int, int, int]]
    """(end, start, code)"""
    at: int = 0
    """The next of `ends` to look at."""
    streak: int = 0
    back: int = 0
    """Results of attempts that began before this do not count: the host was out."""
    out_until: int | None = 0
    """When it is in the rotation again; None is not seen."""

    def failing(self) -> int | None:
        """Return when it fails the fifth time in a row; None when it does not again."""
        ends, count = self.ends, len(self.ends)
        streak, at, back = self.streak, self.at, self.back
        while at < count:
            end, start, code = ends[at]
            at += 1
            if start < back:
                continue
            if code >= _SERVER_ERROR:
                streak += 1
                if streak == CONSECUTIVE:
                    self.streak, self.at = 0, at
                    return end
            elif code:
                streak = 0
        self.at, self.streak = at, streak
        return None

    def failed_between(self, since: int, until: int) -> bool:
        """Return whether an attempt of this time failed."""
        first, last = bisect_left(self.ends, (since, 0, 0)), bisect_right(self.ends, (until + LEAK_MS, 0, 0))
        return any(code >= _SERVER_ERROR for _, _, code in self.ends[first:last])


@dataclass(slots=True)
class _Detection:
    hosts: dict[str, _Host]
    starts: list[int]
    confidence: Confidence
    blind: frozenset[str] = frozenset()
    ejected: list[Ejected] = field(default_factory=list)
    suppressed: list[Ejected] = field(default_factory=list)

    def run(self) -> None:
        """Go through the hosts' bouts of failures in order of time."""
        waiting = [(at, host.name) for host in self.hosts.values() if (at := host.failing()) is not None]
        heapify(waiting)
        while waiting:
            at, name = heappop(waiting)
            host = self.hosts[name]
            found = Ejected(at, name, Confidence.SILENCE if name in self.blind else self.confidence)
            if self._is_out(host, at):
                self.ejected.append(found)
                seen = bisect_left(host.starts, at + LEAK_MS)
                host.out_until = host.starts[seen] if seen < len(host.starts) else None
                if host.out_until is None:
                    continue
                host.back = host.out_until
            else:
                self.suppressed.append(found)
            again = host.failing()
            if again is not None:
                heappush(waiting, (again, name))

    def find_silences(self) -> None:
        """Add what no bout of failures explains: hosts that were left out of the rotation nevertheless."""
        for host in self.hosts.values():
            known = sorted(each.at for each in self.ejected if each.host == host.name)
            for last, back in pairwise([*host.starts, None]):
                if last is None or (back is not None and back - last < _SHORTEST_SILENCE_MS):
                    continue
                explained = bisect_left(known, last - 2 * LEAK_MS)
                if explained < len(known) and (back is None or known[explained] < back):
                    continue
                found = self._silence(host, last, back)
                if found is not None:
                    self.ejected.append(found)

    def _silence(self, host: _Host, last: int, back: int | None) -> Ejected | None:
        others = self._between(last, back)
        out = sum(1 for other in self.ejected if other.host != host.name and other.at <= last)
        turns = max(1, len(self.hosts) - 1 - min(out, len(self.hosts) // 2))
        if others < max(_LEAST_SILENT_OTHERS, _SILENT_ROTATIONS * turns):
            return None
        rotation = self._rotation(last, turns)
        if host.failed_between(last - _RECENT_MS, last):
            seen = self.confidence is Confidence.JOIN and host.name not in self.blind
            confidence = Confidence.JOIN if seen else Confidence.SILENCE
            return Ejected(last + rotation // 2, host.name, confidence)
        if back is None:
            return None
        return Ejected(last + CONSECUTIVE * rotation, host.name, Confidence.SILENCE)

    def _rotation(self, at: int, turns: int) -> int:
        """Return how long a round of the hosts takes, in milliseconds."""
        first = bisect_right(self.starts, at)
        last = min(len(self.starts) - 1, first + turns)
        return max(0, self.starts[last] - at)

    def _is_out(self, host: _Host, at: int) -> bool:
        out = sum(1 for other in self.hosts.values() if other is not host and _is_still_out(other, at))
        after = bisect_left(host.starts, at + LEAK_MS)
        until = host.starts[after] if after < len(host.starts) else None
        others = self._between(at + LEAK_MS, until)
        turns = max(1, len(self.hosts) - out - 1)
        if others >= max(_LEAST_OTHERS, _ROTATIONS * turns):
            return True
        if until is not None:
            return False
        return 100 * (out + 1) <= MOST_EJECTED_PERCENT * len(self.hosts)

    def _between(self, start: int, end: int | None) -> int:
        last = len(self.starts) if end is None else bisect_left(self.starts, end)
        return max(0, last - bisect_right(self.starts, start))


def _is_still_out(host: _Host, at: int) -> bool:
    return host.out_until is None or host.out_until > at


def replay(client: Client) -> Replayed:
    """Return what one client's outlier detection did, by time; the same whatever the order of its attempts."""
    hosts: dict[str, _Host] = {}
    for start, end, name, code in client.attempts:
        host = hosts.get(name)
        if host is None:
            host = hosts[name] = _Host(name, [], [])
        host.starts.append(start)
        host.ends.append((end, start, code))
    for host in hosts.values():
        host.ends.sort()
    detection = _Detection(
        hosts,
        [attempt.start for attempt in client.attempts],
        Confidence.JOIN if client.joined else Confidence.EGRESS,
        client.blind,
    )
    detection.run()
    detection.find_silences()
    return Replayed(tuple(sorted(detection.ejected)), tuple(detection.suppressed))
