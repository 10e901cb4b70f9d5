"""The load a rehearsal puts on its edge, as the rehearsal sees it."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rehearsal.dataplane.children import Child, ChildEnded, Event

MOST_RPS, MOST_SECONDS = 2_000, 3_600


@dataclass(frozen=True, slots=True)
class Users:
    """
    Who sends the requests, and where to.

    Args:
        ports: Loopback ports of the edge; clients are spread over them. Empty where users dial a name.
        name: The name users dial.
        resolver: The loopback port of the DNS server that is asked for it.
        clients: How many there are. They take turns, and each has connections, cookies and DNS answers of its own.
        lingering: The part of the clients that keep an answer of DNS longer than its TTL allows.
        patience: By how many times longer they do.
        connection_seconds: The longest that a connection is kept; None for as long as the other side does.
        seed: Of who lingers, and how long each connection is kept.
    """

    ports: tuple[int, ...] = ()
    name: str = ""
    resolver: int = 0
    clients: int = 1
    lingering: float = 0.0
    patience: float = 1.0
    connection_seconds: float | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """
    Every request that has ended, counted once. `total` is `ok + failed`; `sent` also counts those in flight.

    A request without an `x-colour` in its answer, or without an answer, belongs to neither colour. `last_green_at` is
    when the last request that green answered was sent; None before the first.
    """

    sent: int = 0
    ok: int = 0
    failed: int = 0
    blue: int = 0
    green: int = 0
    failed_blue: int = 0
    failed_green: int = 0
    statuses: tuple[tuple[int, int], ...] = ()
    last_green_at: float | None = None

    @property
    def total(self) -> int:
        """Requests that have ended."""
        return self.ok + self.failed

    @property
    def green_share(self) -> float | None:
        """The part of the coloured requests that green answered; None before the first."""
        coloured = self.blue + self.green
        return self.green / coloured if coloured else None


@dataclass(frozen=True, slots=True)
class Second:
    """The requests that ended in one second; durations in milliseconds, None where none ended."""

    at: float
    sent: int
    ok: int
    failed: int
    blue: int
    green: int
    failed_blue: int
    failed_green: int
    p50_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The load so far: its totals and its seconds, oldest first."""

    totals: Totals
    seconds: tuple[Second, ...]
    over: bool


def read_totals(counts: Mapping[str, int], last: Mapping[str, float]) -> Totals:
    """Read the driver's own names."""
    statuses = {int(key.removeprefix("status_")): n for key, n in counts.items() if key.startswith("status_")}
    names = ("sent", "ok", "failed", "blue", "green", "failed_blue", "failed_green")
    return Totals(
        **{name: counts.get(name, 0) for name in names},
        statuses=tuple(sorted(statuses.items())),
        last_green_at=last.get("green"),
    )


def read_second(at: float, counts: Mapping[str, Any]) -> Second:
    """Read the driver's own names."""
    names = ("sent", "ok", "failed", "blue", "green", "failed_blue", "failed_green")
    return Second(
        at=at, **{name: counts.get(name, 0) for name in names}, p50_ms=counts["p50_ms"], p99_ms=counts["p99_ms"]
    )


class Load:
    """A running load driver. It ends by itself after `seconds`, or when it is stopped, or when we die."""

    def __init__(
        self, users: Users, rps: float, *, seconds: float = 600, timeout_seconds: float = 5, path: str = "/"
    ) -> None:
        assert 0 < rps <= MOST_RPS, "the driver is bounded by rate"
        assert 0 < seconds <= MOST_SECONDS, "the driver is bounded by time"
        self._changed = threading.Condition()
        self._totals = Totals()
        self._seconds: deque[Second] = deque(maxlen=MOST_SECONDS)
        self._over = False
        self._timeout_seconds = timeout_seconds
        arguments = (json.dumps(asdict(users)), str(rps), str(seconds), str(timeout_seconds), path)
        self._driver = Child("driver.py", heard=self._heard, arguments=arguments)

    @property
    def pid(self) -> int:
        """The driver's process id."""
        return self._driver.pid

    def snapshot(self) -> Snapshot:
        """Return what the driver last reported; it reports once a second."""
        with self._changed:
            return Snapshot(self._totals, tuple(self._seconds), self._over)

    def wait_for_requests(self, count: int, *, timeout_seconds: float = 120) -> Totals:
        """Return the totals once at least `count` requests have ended. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._totals.total >= count or self._over, timeout_seconds):
                raise TimeoutError(f"{self._totals.total} of {count} requests ended within {timeout_seconds} s")
            return self._totals

    def stop(self) -> Totals:
        """
        Send nothing more, wait for what is in flight, and return the exact totals. Safe to repeat.

        Raises:
            ChildEnded: the driver was killed, so its counts are not whole.
        """
        if self._driver.running:
            with contextlib.suppress(ChildEnded):  # it may end by itself in this moment
                self._driver.tell({"do": "stop"})
        self._driver.wait(self._timeout_seconds + 60)
        self._driver.close()
        with self._changed:
            if not self._over:
                raise ChildEnded("the load driver was ended before it could report its totals")
            return self._totals

    def _heard(self, event: Event) -> None:
        with self._changed:
            self._totals = read_totals(event["totals"], event["last"])
            self._seconds.append(read_second(event["at"], event["second"]))
            self._over = event["over"]
            self._changed.notify_all()
