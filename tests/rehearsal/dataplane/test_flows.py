"""The Network Load Balancers of a rehearsal: connections stay where they are, and end when they must."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from rehearsal.dataplane.metrics import Meter
from rehearsal.dataplane.nlb_edge import NlbEdge

REGION = "arn:aws:elasticloadbalancing:eu-west-1:123456789012"
BALANCER = f"{REGION}:loadbalancer/net/shop/0123456789abcdef"
BLUE, GREEN = f"{REGION}:targetgroup/web/aaaa", f"{REGION}:targetgroup/web-sc/bbbb"


class Target:
    """Something that listens, and says its colour to whoever says anything."""

    def __init__(self, colour: str) -> None:
        self.colour = colour.encode()
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listening.getsockname()[1]
        self.open: list[socket.socket] = []
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listening.accept()
                self.open.append(connection)
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while connection.recv(100):
                connection.sendall(self.colour)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        for each in self.open:
            each.close()
        self.thread.join()


@dataclass
class Balancing:
    """An Elastic Load Balancing of one Network Load Balancer; one of the other kind is not ours."""

    weights: dict[str, int]
    targets: dict[str, dict[int, str]]
    attributes: dict[str, str] = field(default_factory=dict)
    asked_for_health: Callable[[], object] = lambda: None

    def get_paginator(self, operation: str) -> Balancing:
        self.asked = operation
        return self

    def paginate(self, **_: str) -> Iterator[Mapping[str, Any]]:
        if self.asked == "describe_load_balancers":
            other = {"LoadBalancerArn": BALANCER.replace("net", "app"), "Type": "application"}
            ours = {"LoadBalancerArn": BALANCER, "Type": "network", "DNSName": "Shop-1.elb.amazonaws.com"}
            yield {"LoadBalancers": [other, ours]}
        else:
            groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in self.weights.items()]
            action = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
            yield {"Listeners": [{"ListenerArn": "listener", "Port": 80, "DefaultActions": [action]}]}

    def describe_target_health(self, *, TargetGroupArn: str) -> dict[str, Any]:  # noqa: N803
        self.asked_for_health()
        described = [
            {"Target": {"Id": "127.0.0.1", "Port": port}, "TargetHealth": {"State": state}}
            for port, state in self.targets[TargetGroupArn].items()
        ]
        return {"TargetHealthDescriptions": described}

    def describe_target_group_attributes(self, *, TargetGroupArn: str) -> dict[str, Any]:  # noqa: N803
        del TargetGroupArn
        return {"Attributes": [{"Key": key, "Value": value} for key, value in self.attributes.items()]}


class Clock:
    now = 1_000.5

    def __call__(self) -> float:
        return self.now


@dataclass
class Ground:
    balancing: Balancing
    edge: NlbEdge
    clock: Clock
    meter: Meter
    blue: Target
    green: Target

    @property
    def port(self) -> int:
        port = self.edge.port("shop", 80)
        assert port is not None
        return port

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def sum(self, name: str) -> float:
        data = self.meter.close(2_000)["AWS/NetworkELB"]
        return sum(float(each["Value"]) for each in data if each["MetricName"] == name)


@pytest.fixture
def ground() -> Iterator[Ground]:
    blue, green = Target("blue"), Target("green")
    balancing = Balancing({BLUE: 1, GREEN: 0}, {BLUE: {blue.port: "healthy"}, GREEN: {green.port: "healthy"}})
    clock, meter = Clock(), Meter(1)
    edge = NlbEdge(balancing, meter, time_scale=10, clock=clock)
    edge.look()
    yield Ground(balancing, edge, clock, meter, blue, green)
    edge.close()
    blue.close()
    green.close()


def said(connection: socket.socket) -> str:
    connection.sendall(b"who?")
    return connection.recv(100).decode()


def is_reset(connection: socket.socket) -> bool:
    try:
        connection.recv(100)
    except ConnectionResetError:
        return True
    return False


def test_new_weights_reach_new_connections_and_leave_the_others_where_they_are(ground: Ground) -> None:
    with ground.connect() as before:
        first = said(before)
        ground.balancing.weights = {BLUE: 0, GREEN: 1}
        ground.edge.look()
        with ground.connect() as after:
            assert (first, said(before), said(after)) == ("blue", "blue", "green")


def test_deregistration_with_termination_resets_the_connections_once_the_delay_is_over(ground: Ground) -> None:
    ground.balancing.attributes = {
        "deregistration_delay.connection_termination.enabled": "true",
        "deregistration_delay.timeout_seconds": "30",
    }
    ground.balancing.weights = {BLUE: 0, GREEN: 1}
    ground.edge.look()
    with ground.connect() as connection:
        said(connection)
        ground.balancing.weights = {BLUE: 1, GREEN: 0}
        ground.balancing.targets[GREEN] = {}
        ground.edge.look()
        during = said(connection)
        ground.clock.now += 3
        ground.edge.look()

        assert during == "green"
        assert is_reset(connection)
    ground.edge.look()
    assert ground.sum("TCP_ELB_Reset_Count") == 1


def test_deregistration_without_termination_ends_nothing(ground: Ground) -> None:
    ground.balancing.attributes = {"deregistration_delay.connection_termination.enabled": "false"}
    with ground.connect() as connection:
        said(connection)
        ground.balancing.targets[BLUE] = {}
        ground.edge.look()
        ground.clock.now += 3_600
        ground.edge.look()

        assert said(connection) == "blue"


def is_reset_at_once(ground: Ground) -> bool:
    """Say whether a new connection is reset, be it while it is made: whoever is faster decides."""
    try:
        with ground.connect() as connection:
            return is_reset(connection)
    except ConnectionResetError:
        return True


def test_a_group_without_a_target_is_not_passed_over(ground: Ground) -> None:
    ground.balancing.targets[BLUE] = {}
    ground.balancing.weights = {BLUE: 1, GREEN: 0}
    ground.edge.look()

    assert is_reset_at_once(ground)


def test_a_target_that_refuses_resets_its_user_and_is_counted_so(ground: Ground) -> None:
    ground.blue.close()

    assert is_reset_at_once(ground)
    ground.edge.look()

    assert ground.sum("TCP_Target_Reset_Count") == 1


def test_a_target_that_is_withdrawn_gets_no_new_connection_and_its_successor_does(ground: Ground) -> None:
    ground.balancing.weights = {BLUE: 0, GREEN: 1}
    ground.edge.look()

    ground.edge.withdraw(ground.green.port)
    was_reset = is_reset_at_once(ground)
    ground.edge.admit(ground.green.port)
    ground.edge.look()

    assert was_reset
    with ground.connect() as admitted:
        assert said(admitted) == "green"


def test_connections_of_an_unhealthy_target_end_where_its_group_says_so(ground: Ground) -> None:
    ground.balancing.attributes = {"target_health_state.unhealthy.connection_termination.enabled": "true"}
    other = Target("other")
    try:
        with ground.connect() as connection:
            said(connection)
            ground.balancing.targets[BLUE] = {ground.blue.port: "unhealthy", other.port: "healthy"}
            ground.edge.look()

            assert is_reset(connection)
    finally:
        other.close()


def test_flows_are_counted_by_load_balancer_and_hosts_by_target_group(ground: Ground) -> None:
    with ground.connect() as connection:
        said(connection)
        ground.edge.look()

    data = ground.meter.close(2_000)["AWS/NetworkELB"]
    whole = [{"Name": "LoadBalancer", "Value": "net/shop/0123456789abcdef"}]
    of_balancer = {each["MetricName"]: each for each in data if each["Dimensions"] == whole}
    assert of_balancer["NewFlowCount"]["Value"] == 1
    assert of_balancer["ActiveFlowCount"]["Values"] == [0, 1]
    assert of_balancer["ProcessedBytes"]["Value"] == len(b"who?blue")
    hosts = [each["Dimensions"] for each in data if each["MetricName"] == "HealthyHostCount"]
    assert [{"Name": "TargetGroup", "Value": "targetgroup/web-sc/bbbb"}, *whole] in hosts


def test_a_port_is_known_once_its_connections_have_somewhere_to_go(ground: Ground) -> None:
    seen: list[int | None] = []
    edge = NlbEdge(ground.balancing, Meter(1))
    ground.balancing.asked_for_health = lambda: seen.append(edge.port("shop", 80))
    try:
        edge.look()
        known = edge.port("shop", 80)
    finally:
        edge.close()

    assert seen == [None, None]
    assert known is not None


def test_catching_up_waits_for_a_look_that_begins_afterwards(ground: Ground) -> None:
    reading, read = threading.Event(), threading.Event()

    def hold() -> None:
        reading.set()
        read.wait(60)

    ground.balancing.asked_for_health = hold
    looking = threading.Thread(target=ground.edge.look)
    looking.start()
    reading.wait(60)
    early = threading.Timer(0.05, read.set)
    early.start()
    caught_up_by_the_look_before = ground.edge.catch_up(0.5)
    looking.join()
    over = threading.Event()

    def keep_looking() -> None:
        while not over.wait(0.01):
            ground.edge.look()

    later = threading.Thread(target=keep_looking)
    later.start()
    caught_up_by_a_later_look = ground.edge.catch_up(60)
    over.set()
    later.join()

    assert not caught_up_by_the_look_before
    assert caught_up_by_a_later_look


def test_a_listener_is_found_by_arn_name_and_dns_name(ground: Ground) -> None:
    names = (BALANCER, "shop", "shop-1.elb.amazonaws.com")

    assert {ground.edge.port(each, 80) for each in names} == {ground.port}
    assert ground.edge.port("shop", 443) is None
    assert ground.edge.port("another", 80) is None
