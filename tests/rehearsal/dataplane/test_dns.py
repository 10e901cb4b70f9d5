"""The DNS of a rehearsal: weights by lot, changes that spread, TTLs, and messages on the wire."""

from __future__ import annotations

import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.dataplane.dns_edge import DnsEdge, Resolver, Seen, chosen, known_at, loopback_address, server_delays
from rehearsal.dataplane.dns_message import Question, Resource, answer, read_question
from rehearsal.dataplane.driver import loopback_port
from rehearsal.dataplane.metrics import Meter

BLUE, GREEN = "shop-1.eu-west-1.elb.amazonaws.com", "shop-2.eu-west-1.elb.amazonaws.com"
PORTS = {BLUE: 40_001, GREEN: 40_002}


def alias(to: str, weight: int | None = None, *, name: str = "shop.example.", kind: str = "A") -> dict[str, Any]:
    target = {"HostedZoneId": "Z", "DNSName": f"dualstack.{to}.", "EvaluateTargetHealth": False}
    weighted = {} if weight is None else {"SetIdentifier": to, "Weight": weight}
    return {"Name": name, "Type": kind, "AliasTarget": target, **weighted}


def valued(value: str, *, kind: str, ttl: int = 60, name: str = "shop.example.") -> dict[str, Any]:
    return {"Name": name, "Type": kind, "TTL": ttl, "ResourceRecords": [{"Value": value}]}


class Zone:
    """A Route 53 of one public and one private zone."""

    def __init__(self, *records: Mapping[str, Any]) -> None:
        self.records = list(records)
        self.private: list[Mapping[str, Any]] = []

    def get_paginator(self, operation: str) -> Zone:
        self.asked = operation
        return self

    def paginate(self, **asked: str) -> Iterator[dict[str, Any]]:
        if not asked:
            zones = [{"Id": "/hostedzone/Z1", "Name": "example.", "Config": {"PrivateZone": False}}]
            yield {"HostedZones": [*zones, {"Id": "/hostedzone/Z2", "Name": "x.", "Config": {"PrivateZone": True}}]}
        else:
            yield {"ResourceRecordSets": list(self.private if asked["HostedZoneId"].endswith("Z2") else self.records)}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def edge(zone: Zone, **settings: Any) -> DnsEdge:
    made = DnsEdge(zone, PORTS.get, **settings)
    made.look()
    return made


def test_weighted_records_answer_as_often_as_their_weights_say() -> None:
    names = edge(Zone(alias(BLUE, 75), alias(GREEN, 25)))

    asked = Counter(names.resolve("shop.example")[-1].value for _ in range(2_000))

    assert set(asked) == {loopback_address(40_001), loopback_address(40_002)}
    assert asked[loopback_address(40_002)] / 2_000 == pytest.approx(0.25, abs=0.05)  # five standard deviations


@given(weight=st.integers(1, 255), seed=st.integers(0, 1_000))
def test_a_record_of_weight_zero_answers_only_when_all_are_zero(weight: int, seed: int) -> None:
    chance = Random(seed)
    one, none = alias(BLUE, weight), alias(GREEN, 0)

    assert chosen([one, none], "shop.example", "A", chance) is one
    assert {str(chosen([alias(BLUE, 0), none], "shop.example", "A", chance)) for _ in range(64)} == {
        str(alias(BLUE, 0)),
        str(none),
    }


def test_an_alias_answers_in_its_own_name_with_the_load_balancers_ttl_on_the_rehearsals_clock() -> None:
    names = edge(Zone(alias(BLUE)), time_scale=12)

    assert names.resolve("SHOP.example.") == (Resource("shop.example", "A", 5, loopback_address(40_001)),)


def test_a_cname_is_followed_and_answered_with_its_own_ttl() -> None:
    names = edge(Zone(valued(f"{GREEN}.", kind="CNAME", ttl=24)), time_scale=12)

    assert names.resolve("shop.example") == (
        Resource("shop.example", "CNAME", 2, GREEN),
        Resource(GREEN, "A", 5, loopback_address(40_002)),
    )


def test_a_name_without_a_record_a_circle_and_another_type_lead_nowhere() -> None:
    circle = [
        valued("b.example.", kind="CNAME", name="a.example."),
        valued("a.example.", kind="CNAME", name="b.example."),
    ]
    names = edge(Zone(alias(BLUE), *circle))

    assert names.resolve("other.example") == ()
    assert names.resolve("a.example") == ()
    assert names.resolve("shop.example", "AAAA") == ()


def test_records_of_a_private_zone_are_not_answered_to_the_public() -> None:
    zone = Zone()
    zone.private.append(alias(BLUE))

    assert edge(zone).resolve("shop.example") == ()


def test_while_a_change_is_pending_both_answers_are_given_and_when_it_is_insync_one() -> None:
    clock, zone = Clock(), Zone(alias(BLUE))
    names = edge(zone, propagation_seconds=20, clock=clock)
    clock.now = 100
    zone.records[:] = [alias(GREEN)]
    names.look()

    clock.now = 108
    pending = {names.resolve("shop.example")[-1].value for _ in range(100)}
    clock.now = 120
    insync = {names.resolve("shop.example")[-1].value for _ in range(100)}

    assert pending == {loopback_address(40_001), loopback_address(40_002)}
    assert insync == {loopback_address(40_002)}


@given(
    ages=st.lists(st.floats(0, 100), min_size=1, max_size=6),
    delay=st.floats(0, 30),
    now=st.floats(0, 200),
)
def test_a_name_server_never_forgets_what_it_knew(ages: list[float], delay: float, now: float) -> None:
    history = [Seen(at, {"Z": ({"Name": str(at)},)}) for at in sorted(ages)]

    earlier, later = known_at(history, now, delay), known_at(history, now + 1, delay)

    assert later.at >= earlier.at
    assert earlier is history[0] or earlier.at + delay <= now


@given(propagation=st.floats(0.1, 600))
def test_every_name_server_has_a_change_before_it_is_insync(propagation: float) -> None:
    delays = server_delays(propagation)

    assert delays[0] == 0
    assert list(delays) == sorted(delays)
    assert delays[-1] < propagation


def test_queries_are_counted_by_hosted_zone_under_awss_name() -> None:
    meter = Meter(1)
    names = edge(Zone(alias(BLUE)), meter=meter)

    names.resolve("shop.example")

    [datum] = meter.close(float("inf"))["AWS/Route53"]
    assert (datum["MetricName"], datum["Value"]) == ("DNSQueries", 1)
    assert datum["Dimensions"] == [{"Name": "HostedZoneId", "Value": "Z1"}]


# -- on the wire ------------------------------------------------------------------------------------------------------


def query(name: str, kind: int = 1, number: int = 7) -> bytes:
    asked = b"".join(bytes((len(label),)) + label.encode() for label in name.split(".")) + b"\0"
    return struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + asked + struct.pack(">2H", kind, 1)


def test_a_question_over_udp_is_answered_with_an_address_that_stands_for_a_port() -> None:
    stopped = threading.Event()
    resolver = Resolver(edge(Zone(valued(f"{GREEN}.", kind="CNAME"))))
    serving = threading.Thread(target=resolver.run, args=(stopped,))
    serving.start()
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(5)
            asking.sendto(query("shop.example"), ("127.0.0.1", resolver.port))
            message = asking.recv(512)
    finally:
        stopped.set()
        serving.join()

    assert message[:2] == b"\0\7"
    assert loopback_port(message, len(query("shop.example")) - 16) == (40_002, 60)


def test_a_name_nobody_knows_is_said_to_be_unknown_and_fails_the_asker() -> None:
    question = read_question(query("nobody.example"))
    assert question is not None

    message = answer(question, (), is_known=False)

    assert message[3] & 0x0F == 3
    with pytest.raises(OSError, match="no address"):
        loopback_port(message, len(query("nobody.example")) - 16)


@given(st.binary(max_size=64))
def test_whatever_arrives_is_a_question_or_nothing(message: bytes) -> None:
    assert isinstance(read_question(message), Question | None)


@given(port=st.integers(1, 65_535), ttl=st.integers(1, 2**31 - 1), chain=st.integers(0, 3))
def test_what_the_resolver_writes_the_clients_read(port: int, ttl: int, chain: int) -> None:
    question = read_question(query("shop.example"))
    assert question is not None
    names = [Resource(f"n{each}.example", "CNAME", ttl, f"n{each + 1}.example") for each in range(chain)]

    message = answer(question, [*names, Resource("n", "A", ttl, loopback_address(port))], is_known=True)

    assert loopback_port(message, len(query("shop.example")) - 16) == (port, ttl)
