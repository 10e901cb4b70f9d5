"""Calls over gRPC with real proxies: errors that come inside a 200, and where the product finds them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from crossfade.judge.proxylog_failures import failures
from crossfade.judge.signal import GRPC_STATUS
from crossfade.plan.services import Call
from rehearsal.aws.runtime import TaskSpec
from rehearsal.dataplane import DataPlane
from rehearsal.dataplane.metrics import Meter, Served, count_at_proxy
from rehearsal.dataplane.proxy import ACCESS_LOGS
from tests.rehearsal.dataplane.standin_aws import GREEN, GROUP, ORDERS, StandInAws, green_task

TIME_SCALE = 30
RPS = 60
GRPC_ORDERS = replace(ORDERS, app_protocol="grpc")
SERVER = {"DiscoveryName": "orders-green", "ServiceName": "orders-green", "ClusterName": "shop"}


def orders(number: int) -> TaskSpec:
    ports = [{"name": "http", "containerPort": 8080, "appProtocol": "grpc"}]
    definition = {"containerDefinitions": [{"name": "app", "portMappings": ports}]}
    return replace(green_task("orders-green", number, serves="orders-green"), task_definition=definition)


@pytest.fixture
def aws() -> StandInAws:
    return StandInAws(weights={GREEN: 1})


@pytest.fixture
def plane(aws: StandInAws) -> Iterator[DataPlane]:
    calls = (Call(dns_name="orders.shop.local", port=8080, service="orders"),)
    with DataPlane(time_scale=TIME_SCALE, seed=1) as plane:
        plane.attach(aws, {"web-green": calls})
        yield plane


def written(aws: StandInAws, service: str) -> list[str]:
    """What the proxies of a service wrote of requests."""
    streams = [lines for (group, name), lines in aws.lines.items() if group == GROUP and f"/{service}-" in name]
    return [line for lines in streams for line in list(lines) if line.startswith("{") and "start_time" in line]


@pytest.mark.rehearsal
def test_a_status_that_retries_hide_is_in_the_proxies_log_and_in_no_code_of_http(
    plane: DataPlane, aws: StandInAws
) -> None:
    for number in (1, 2):
        plane.start(orders(number))
    aws.register(GREEN, plane.start(green_task("web-green", 1, endpoints=(GRPC_ORDERS,))))
    load = plane.drive(plane.edge_port("shop", 80), RPS)
    load.wait_for_requests(50)
    plane.break_tasks("orders-green", which="one", code=503)
    load.wait_for_requests(200)
    totals = load.stop()

    assert aws.wait_for(lambda: sum(each.grpc for each in failures(written(aws, "orders-green")).values()) >= 5)
    lines = [json.loads(line) for line in written(aws, "orders-green")]
    assert totals.failed == 0
    assert {frozenset(line) for line in lines} == {frozenset(ACCESS_LOGS["grpc"])}
    assert {line["response_code"] for line in lines} == {200}
    assert {line["grpc_status"] for line in lines} == {"OK", "Unavailable"}
    assert all(each.attempts == 0 for each in failures(written(aws, "orders-green")).values())
    requests = GRPC_STATUS.requests
    assert requests is not None
    assert aws.wait_for(lambda: aws.total(requests.name, **SERVER) >= totals.total)
    assert not [datum for _, datum in aws.data if datum["MetricName"].startswith("HTTPCode_Target_") and called(datum)]


def called(datum: dict[str, Any]) -> bool:
    """Whether a datum is of the calls to orders."""
    return {"Name": "TargetDiscoveryName", "Value": "orders-green"} in datum["Dimensions"]


def test_grpc_is_counted_as_requests_of_its_own_and_never_by_code() -> None:
    meter = Meter(10)
    for role, cluster in (("grpc-ingress", "local"), ("grpc-egress", "to"), ("ingress", "local"), ("egress", "to")):
        request = Served(role, "orders", 1.0, 200, True, frozenset(), cluster, "127.0.0.1:1", 0.01, 10)
        count_at_proxy(meter, request, ("web", "shop"), {"to": "orders"})

    counted = {datum["MetricName"]: datum["Value"] for datum in meter.close(100)["AWS/ECS"] if "Value" in datum}

    assert (counted["RequestCount"], counted["GrpcRequestCount"], counted["HTTPCode_Target_2XX_Count"]) == (2, 1, 1)
