"""
The DNS of a rehearsal: a resolver on loopback that answers as the name servers of the emulated Route 53 would.

Records are read through Route 53's API alone. A hosted zone has four name servers, and a change reaches them one after
the other while Route 53 calls it PENDING; each question is answered by one of them, chosen by lot. Among weighted
records one is chosen by lot for every answer. Aliases and CNAMEs are followed to a load balancer, whose address here
stands for the loopback port of its listener. TTLs are divided by the time scale, like everything that lasts.

Source: Amazon Route 53 Developer Guide, "Values specific for weighted records": a record answers with the probability
of its weight in the sum, with equal probability where all weights are 0; "Choosing between alias and non-alias
records": an alias to a load balancer has the load balancer's TTL, 60 seconds.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rehearsal.dataplane.dns_message import Question, Resource, answer, read_question
from rehearsal.dataplane.driver import ON_LOOPBACK
from rehearsal.dataplane.following import LOOK_SECONDS, follow
from rehearsal.dataplane.metrics import Meter, Series
from rehearsal.pace import RECORD_TTL_SECONDS

NAME_SERVERS = 4
LONGEST_CHAIN = 8
_LONGEST_MESSAGE = 512
REACHED_BY = 0.8
"""The part of the propagation after which the last name server has a change: before GetChange says INSYNC."""

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """The records of every public zone as Route 53 listed them at a moment, by zone id."""

    at: float
    zones: Mapping[str, tuple[Record, ...]]


def server_delays(propagation_seconds: float, servers: int = NAME_SERVERS) -> tuple[float, ...]:
    """Return how long each name server takes to learn of a change: the first at once, the last before INSYNC."""
    last = max(1, servers - 1)
    return tuple(REACHED_BY * propagation_seconds * each / last for each in range(servers))


def known_at(history: Sequence[Seen], now: float, delay: float) -> Seen:
    """Return what a name server that is this late knows; the oldest state there is has always been known."""
    return next((each for each in reversed(history) if each.at + delay <= now), history[0])


def chosen(records: Iterable[Record], name: str, kind: str, chance: random.Random) -> Record | None:
    """Return the record that answers for a name and type, one of several by their weights; None where there is none."""
    same = [record for record in records if plain(record["Name"]) == name and record["Type"] == kind]
    weights = [int(record.get("Weight", 1)) for record in same]
    if not same:
        return None
    return chance.choices(same, weights if any(weights) else None)[0]


def plain(name: str) -> str:
    """Return a name without its last dot, in lower case."""
    return name.rstrip(".").lower().replace("\\052", "*")


def loopback_address(port: int) -> str:
    """Return the address that stands for a loopback port."""
    return ".".join(str(part) for part in (*ON_LOOPBACK, port >> 8, port & 0xFF))


class DnsEdge:
    """
    Follows Route 53 and knows what its name servers answer.

    Args:
        route53: A client of the emulated Route 53.
        port_of: The loopback port behind a load balancer's DNS name; None for a name that is no load balancer's.
        time_scale: Divides TTLs, down to a second.
        propagation_seconds: How long a change is PENDING, by our clock.
        meter: Counts DNSQueries by hosted zone, as AWS/Route53 has them; None counts nothing.
        seed: Of every lot that is drawn.
        clock: Seconds of a clock that never goes back.
    """

    def __init__(
        self,
        route53: Any,
        port_of: Callable[[str], int | None],
        *,
        time_scale: float = 1,
        propagation_seconds: float = 0,
        meter: Meter | None = None,
        seed: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._route53 = route53
        self._port_of = port_of
        self._time_scale = time_scale
        self._delays = server_delays(propagation_seconds)
        self._meter = meter
        self._chance = random.Random(seed)
        self._clock = clock
        self._lock = threading.Lock()
        self._history: list[Seen] = []
        self._ports: dict[str, int] = {}  # by a load balancer's DNS name; a listener keeps its port

    # -- following ---------------------------------------------------------------------------------------------------

    def run(self, stopped: threading.Event) -> None:
        """Look until stopped; a look that fails is named once and repeated."""
        follow(self.look, "Route 53", stopped)

    def look(self) -> None:
        """Read every public hosted zone; the name servers learn of what is new in their own time."""
        zones = {}
        for page in self._route53.get_paginator("list_hosted_zones").paginate():
            for zone in page["HostedZones"]:
                if not zone.get("Config", {}).get("PrivateZone"):
                    listed = self._route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone["Id"])
                    records = (record for found in listed for record in found["ResourceRecordSets"])
                    zones[zone["Id"].rpartition("/")[2]] = tuple(records)
        now = self._clock()
        with self._lock:
            if not self._history or self._history[-1].zones != zones:
                self._history.append(Seen(now, zones))
            while len(self._history) > 1 and self._history[1].at + self._delays[-1] <= now:
                self._history.pop(0)

    # -- answering ---------------------------------------------------------------------------------------------------

    def resolve(self, name: str, kind: str = "A") -> tuple[Resource, ...]:
        """Return the records that lead from a name to its address, CNAMEs first; nothing where it leads nowhere."""
        with self._lock:
            if not self._history:
                return ()
            zones = known_at(self._history, self._clock(), self._chance.choice(self._delays)).zones
        asked, found = plain(name), list[Resource]()
        for _ in range(LONGEST_CHAIN):
            where = found[-1].value if found else plain(name)
            if (port := self._balancer(asked)) is not None:
                found.append(Resource(where, "A", self._scaled(RECORD_TTL_SECONDS), loopback_address(port)))
                return tuple(found) if kind == "A" else ()
            record = self._record(zones, asked, kind)
            if record is None:
                return ()
            if "AliasTarget" in record:  # it answers in its own name with what it leads to
                asked = plain(record["AliasTarget"]["DNSName"]).removeprefix("dualstack.")
                continue
            ttl, values = self._scaled(int(record["TTL"])), [each["Value"] for each in record["ResourceRecords"]]
            if record["Type"] != "CNAME":
                return (*found, *(Resource(where, kind, ttl, value) for value in values))
            asked = plain(values[0])
            found.append(Resource(where, "CNAME", ttl, asked))
        return ()

    def _balancer(self, name: str) -> int | None:
        if name not in self._ports and (port := self._port_of(name)) is not None:
            self._ports[name] = port
        return self._ports.get(name)

    def _record(self, zones: Mapping[str, tuple[Record, ...]], name: str, kind: str) -> Record | None:
        for zone, records in zones.items():
            record = chosen(records, name, kind, self._chance) or chosen(records, name, "CNAME", self._chance)
            if record is not None:
                if self._meter is not None:
                    series = Series("AWS/Route53", "DNSQueries", "None", (("HostedZoneId", zone),))
                    self._meter.count(series, time.time())
                return record
        return None

    def _scaled(self, ttl: int) -> int:
        return max(1, round(ttl / self._time_scale))


class Resolver:
    """Asks the name servers for users, on a UDP port of loopback; it keeps nothing itself."""

    def __init__(self, names: DnsEdge) -> None:
        self._names = names
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(LOOK_SECONDS)
        self.port: int = self._socket.getsockname()[1]

    def run(self, stopped: threading.Event) -> None:
        """Answer questions until stopped; then the port is free."""
        with self._socket:
            while not stopped.is_set():
                try:
                    message, asker = self._socket.recvfrom(_LONGEST_MESSAGE)
                except TimeoutError:
                    continue
                question = read_question(message)
                if question is not None:
                    self._socket.sendto(self._answer(question), asker)

    def _answer(self, question: Question) -> bytes:
        if question.kind is None:
            return answer(question, (), is_known=True)
        resources = self._names.resolve(question.name, question.kind)
        return answer(question, resources, is_known=bool(resources))
