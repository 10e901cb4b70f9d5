"""
What a stretch of the proxies' logs says: who was ejected, how surely, and counts for every ten seconds.

Envoy's own outlier events come first. Where it writes none, ejections are rebuilt from
the clients' and the servers' access lines, else from the clients' alone. Suppressed
ejections are in no line; they are counted by replay.

Ten seconds without a single line have no count at all: that is a gap in the feed or
absent traffic, in any case not known, and never health.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from crossfade.judge.proxylog import AccessLine, OutlierLine, read_lines
from crossfade.judge.proxylog_attempts import clients
from crossfade.judge.proxylog_replay import Confidence, Ejected, replay

BUCKET_MS: Final = 10_000
"""The length of what is counted: CloudWatch's shortest alarm period."""

ACTED_ON: Final = frozenset({Confidence.EVENT, Confidence.JOIN, Confidence.EGRESS})
"""The confidences that may roll back. A silence may be a task that was stopped, so it is only told."""

_SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class Report:
    """
    Ejections and suppressed ones, by time; `errors` are the times of lines with a 5xx, in milliseconds since 1970.

    `seen` are the beginnings of the ten seconds in which there was any line.
    """

    ejected: tuple[Ejected, ...]
    suppressed: tuple[Ejected, ...]
    errors: tuple[int, ...]
    seen: frozenset[int]

    def within(self, batch: Report) -> Report:
        """
        Return the part of this report that a batch of its lines brought.

        An ejection belongs to the batch with the failure that was one too many, so that
        reading the same stretch again for the next batch counts nothing twice.
        """
        ends = {*batch.errors, *(each.at for each in batch.ejected)}
        return Report(
            ejected=tuple(each for each in self.ejected if each.at in ends),
            suppressed=tuple(each for each in self.suppressed if each.at in ends),
            errors=batch.errors,
            seen=batch.seen,
        )

    def counts(self) -> dict[int, Counts]:
        """Return the counts by the beginning of their ten seconds; what is not there is not known."""
        ejected = Counter(_bucket(each.at) for each in self.ejected if each.confidence in ACTED_ON)
        silent = Counter(_bucket(each.at) for each in self.ejected if each.confidence not in ACTED_ON)
        suppressed = Counter(_bucket(each.at) for each in self.suppressed)
        errors = Counter(_bucket(at) for at in self.errors)
        known = sorted(self.seen | set(ejected) | set(suppressed))
        return {at: Counts(ejected[at], silent[at], suppressed[at], errors[at]) for at in known}


@dataclass(frozen=True, slots=True)
class Counts:
    """
    Counts of ten seconds: ejections, silences, suppressed ejections, and access lines with a 5xx.

    `attempts` and `grpc` are those of a server's lines; see `proxylog_failures`.
    """

    ejected: int
    silent: int
    suppressed: int
    errors: int
    attempts: int = 0
    grpc: int = 0


def report(streams: Mapping[str, Iterable[str]]) -> Report:
    """
    Return what the logs of these streams say, a stream being one proxy's output.

    The order of the lines, and lines delivered twice, change nothing.
    """
    access: dict[str, list[AccessLine]] = {}
    events: list[OutlierLine] = []
    for stream, texts in streams.items():
        lines = read_lines(texts)
        access[stream] = [line for line in lines if isinstance(line, AccessLine)]
        events += (line for line in lines if isinstance(line, OutlierLine))
    ejected: list[Ejected] = []
    suppressed: list[Ejected] = []
    for client in clients(access):
        found = replay(client)
        ejected += found.ejected
        suppressed += found.suppressed
    if events:
        ejected = [
            Ejected(event.at, event.host, Confidence.EVENT)
            for event in set(events)
            if event.enforced and event.action == "EJECT" and event.at is not None
        ]
    every = [line for lines in access.values() for line in lines]
    return Report(
        ejected=tuple(sorted(ejected)),
        suppressed=tuple(sorted(suppressed)),
        errors=tuple(sorted(line.end for line in every if line.code >= _SERVER_ERROR)),
        seen=frozenset({_bucket(line.end) for line in every} | {_bucket(event.at) for event in events if event.at}),
    )


def _bucket(at: int) -> int:
    return at - at % BUCKET_MS
