"""The feed of the proxies' log in memory, under the same contract as CloudWatch's, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from crossfade.judge.proxylog import LogLine
from crossfade.judge.proxylog_feed import StreamsRead
from crossfade.judge.proxylog_report import Counts


class MemoryProxyFeed:
    """`ProxyFeed` that remembers what is delivered; `refusal` is why it is not, if it is not."""

    def __init__(self, *, refusal: str | None = None) -> None:
        self.refusal = refusal
        self.subscribed: dict[str, str] = {}

    def subscribe(self, group: str, migration: str) -> str | None:
        """See `ProxyFeed`."""
        if self.refusal is None:
            self.subscribed[group] = migration
        return self.refusal

    def unsubscribe(self, group: str) -> None:
        """See `ProxyFeed`."""
        self.subscribed.pop(group, None)


class MemoryProxyStreams:
    """`ProxyStreams` of the lines written here. `fault` is what is missing, if something is."""

    def __init__(self, *groups: str, fault: str = "") -> None:
        self.fault = fault
        self.reads = 0
        self._lines: dict[str, dict[str, list[LogLine]]] = {group: {} for group in groups}

    def write(self, group: str, stream: str, at: datetime, text: str) -> None:
        """Write a line."""
        self._lines.setdefault(group, {}).setdefault(stream, []).append(LogLine(at, text))

    def read(self, group: str, *, since: datetime, until: datetime) -> StreamsRead:
        """See `ProxyStreams`."""
        self.reads += 1
        if self.fault:
            return StreamsRead({}, (self.fault,))
        if group not in self._lines:
            return StreamsRead({}, (f"there is no log group {group}",))
        found = {
            stream: tuple(line.text for line in lines if since <= line.at < until)
            for stream, lines in self._lines[group].items()
        }
        return StreamsRead({stream: lines for stream, lines in found.items() if lines})


class MemoryProxyMeter:
    """`ProxyMeter` that keeps what is published, by migration."""

    def __init__(self) -> None:
        self.published: list[tuple[str, Mapping[int, Counts]]] = []

    def publish(self, migration: str, counts: Mapping[int, Counts]) -> None:
        """See `ProxyMeter`."""
        self.published.append((migration, counts))
