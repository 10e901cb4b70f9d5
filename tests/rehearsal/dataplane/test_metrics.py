"""Requests become CloudWatch data under AWS's names, with AWS's meaning."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.judge.signal import ATTEMPT_5XX, FINAL_5XX, Signal
from rehearsal.dataplane.metrics import ALB, ECS, Meter, Series, Served, count_at_edge, count_at_proxy, read_measure

SERIES = Series(ALB, "RequestCount", "Count", (("LoadBalancer", "app/shop/1"),))
GROUPS = {"targetgroup_web_1": "targetgroup/web/1"}
OWNER = ("web-green", "shop")
ANSWERED = Served(
    role="edge",
    subject="app/shop/1",
    ended_at=1_000_005.0,
    code=200,
    by_upstream=True,
    flags=frozenset(),
    cluster="targetgroup_web_1",
    host="127.0.0.1:8080",
    answer_seconds=0.012,
    bytes=40,
)


def at_edge(served: Served) -> dict[tuple[str, ...], float]:
    meter = Meter(10)
    count_at_edge(meter, served, GROUPS)
    return flat(meter.close(2_000_000))


def at_proxy(served: Served) -> dict[tuple[str, ...], float]:
    meter = Meter(10)
    count_at_proxy(meter, served, OWNER, {"connect_shop_orders": "orders-green"})
    return flat(meter.close(2_000_000))


def flat(data: dict[str, list[dict[str, Any]]]) -> dict[tuple[str, ...], float]:
    return {
        (datum["MetricName"], *(f"{one['Name']}={one['Value']}" for one in datum["Dimensions"])): datum.get("Value", -1)
        for each in data.values()
        for datum in each
    }


def test_a_line_written_for_metrics_is_read_back() -> None:
    line = "~ egress - 1700000000.250 750 503 via_upstream - connect_shop_orders 127.0.0.1:8080 749 10 30"

    served = read_measure(line)

    assert served == Served(
        role="egress",
        subject="-",
        ended_at=1_700_000_001.0,
        code=503,
        by_upstream=True,
        flags=frozenset(),
        cluster="connect_shop_orders",
        host="127.0.0.1:8080",
        answer_seconds=0.749,
        bytes=40,
    )


def test_a_line_of_the_log_is_no_measure() -> None:
    assert read_measure('{"response_code":200}') is None
    assert read_measure("~ too short") is None


def test_an_answer_of_a_target_is_counted_per_target_group_and_per_load_balancer() -> None:
    counted = at_edge(replace(ANSWERED, code=503))

    assert counted == {
        ("RequestCount", "TargetGroup=targetgroup/web/1", "LoadBalancer=app/shop/1"): 1,
        ("RequestCount", "LoadBalancer=app/shop/1"): 1,
        ("HTTPCode_Target_5XX_Count", "TargetGroup=targetgroup/web/1", "LoadBalancer=app/shop/1"): 1,
        ("HTTPCode_Target_5XX_Count", "LoadBalancer=app/shop/1"): 1,
        ("TargetResponseTime", "TargetGroup=targetgroup/web/1", "LoadBalancer=app/shop/1"): -1,
        ("TargetResponseTime", "LoadBalancer=app/shop/1"): -1,
    }


def test_an_answer_the_edge_makes_is_an_error_of_the_load_balancer_and_of_no_target() -> None:
    counted = at_edge(replace(ANSWERED, code=503, by_upstream=False, cluster="nowhere", host=None, answer_seconds=None))

    assert counted == {("HTTPCode_ELB_5XX_Count", "LoadBalancer=app/shop/1"): 1}


def test_a_target_that_refuses_is_a_request_and_a_connection_error() -> None:
    refused = replace(ANSWERED, code=503, by_upstream=False, flags=frozenset({"UF"}), answer_seconds=None)

    counted = at_edge(refused)

    group = ("TargetGroup=targetgroup/web/1", "LoadBalancer=app/shop/1")
    assert counted[("RequestCount", *group)] == 1
    assert counted[("TargetConnectionErrorCount", *group)] == 1
    assert counted["HTTPCode_ELB_5XX_Count", "LoadBalancer=app/shop/1"] == 1
    assert ("HTTPCode_Target_5XX_Count", *group) not in counted


def test_a_client_counts_the_final_answer_under_its_own_service() -> None:
    counted = at_proxy(replace(ANSWERED, role="egress", cluster="connect_shop_orders", code=500))

    names = ("TargetDiscoveryName=orders-green", "ServiceName=web-green", "ClusterName=shop")
    assert counted[("HTTPCode_Target_5XX_Count", *names)] == 1
    assert counted["HTTPCode_Target_5XX_Count", "TargetDiscoveryName=orders-green"] == 1


def test_what_the_proxy_answers_itself_is_no_answer_of_the_target() -> None:
    own = replace(ANSWERED, role="egress", cluster="connect_shop_orders", code=503, by_upstream=False)

    assert at_proxy(own) == {}


def test_a_server_counts_requests_before_any_retry_is_known() -> None:
    counted = at_proxy(replace(ANSWERED, role="ingress", subject="orders-green", code=503))

    names = ("DiscoveryName=orders-green", "ServiceName=web-green", "ClusterName=shop")
    assert counted[("RequestCount", *names)] == 1
    assert not [key for key in counted if key[0].startswith("HTTPCode")]


@pytest.mark.parametrize("signal", [FINAL_5XX, ATTEMPT_5XX], ids=lambda signal: signal.name)
def test_what_the_judge_asks_for_inside_green_is_what_proxies_publish(signal: Signal) -> None:
    egress = at_proxy(replace(ANSWERED, role="egress", cluster="connect_shop_orders", code=200))
    ingress = at_proxy(replace(ANSWERED, role="ingress", subject="orders-green", code=200))

    published = {(name, tuple(each.partition("=")[0] for each in of)) for name, *of in (*egress, *ingress)}

    assert signal.requests is not None
    assert (signal.requests.name, signal.requests.dimensions) in published


def test_a_period_is_stamped_with_its_beginning_and_published_once_it_is_over() -> None:
    meter = Meter(10)
    meter.count(SERIES, 1_000_019.9)

    too_early, complete = meter.close(1_000_019.9), meter.close(1_000_020)

    assert too_early == {}
    assert complete[ALB][0]["Timestamp"] == datetime.fromtimestamp(1_000_010, UTC)
    assert complete[ALB][0]["StorageResolution"] == 1


def test_a_count_of_nothing_is_a_datum_of_zero() -> None:
    meter = Meter(10)
    meter.count(SERIES, 1_000_000, 0)

    [datum] = meter.close(1_000_010)[ALB]

    assert datum["Value"] == 0


def test_what_comes_late_is_published_for_its_own_period() -> None:
    meter = Meter(10)
    meter.count(SERIES, 1_000_000)
    meter.close(1_000_010)
    meter.count(SERIES, 1_000_009)

    [late] = meter.close(1_000_020)[ALB]

    assert (late["Value"], late["Timestamp"]) == (1, datetime.fromtimestamp(1_000_000, UTC))


@given(st.lists(st.floats(min_value=0, max_value=1_000), max_size=400))
def test_no_request_is_lost_between_periods(times: list[float]) -> None:
    meter = Meter(7)
    for at in times:
        meter.count(SERIES, at)

    data = [*meter.close(500).get(ALB, []), *meter.close(2_000).get(ALB, [])]

    assert sum(datum["Value"] for datum in data) == len(times)
    assert len({datum["Timestamp"] for datum in data}) == len(data)


@given(st.lists(st.floats(min_value=0.0001, max_value=15), min_size=1, max_size=400))
def test_values_keep_their_number_and_fit_cloudwatchs_limit(seconds: list[float]) -> None:
    meter = Meter(10)
    series = Series(ECS, "TargetResponseTime", "Milliseconds", (("TargetDiscoveryName", "orders"),))
    for value in seconds:
        meter.observe(series, 5, value)

    data = meter.close(10)[ECS]

    assert sum(sum(datum["Counts"]) for datum in data) == len(seconds)
    assert all(len(datum["Values"]) <= 150 for datum in data)
