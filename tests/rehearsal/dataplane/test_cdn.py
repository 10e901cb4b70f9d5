"""The CloudFront of a rehearsal: who gets staging, where a change has arrived, and what is counted for whom."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.dataplane.cdn_edge import CdnEdge, location_delays
from rehearsal.dataplane.cdn_routing import (
    Divided,
    Origin,
    clusters,
    count_at_location,
    divided,
    origin_of,
    routes,
)
from rehearsal.dataplane.envoy import validate
from rehearsal.dataplane.metrics import Meter, Served
from rehearsal.dataplane.proxy import http_filter, listener

BLUE, GREEN = Origin("E1", "origin.example", 80), Origin("E2", "green-origin.example", 80)
PORTS = {BLUE: 40_001, GREEN: 40_002}


def distribution(name: str, domain: str, *, staging: bool = False, policy: str = "") -> dict[str, Any]:
    origin = {
        "Id": "app",
        "DomainName": domain,
        "CustomOriginConfig": {"HTTPPort": 80, "OriginProtocolPolicy": "http-only"},
    }
    config = {
        "Enabled": True,
        "Staging": staging,
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": {"TargetOriginId": "app"},
        "ContinuousDeploymentPolicyId": policy,
    }
    return {
        "Id": name,
        "DomainName": f"{name.lower()}.cloudfront.net",
        "Status": "Deployed",
        "DistributionConfig": config,
    }


def by_weight(weight: float, session: dict[str, int] | None = None) -> dict[str, Any]:
    single = {"Weight": weight, **({"SessionStickinessConfig": session} if session else {})}
    traffic = {"Type": "SingleWeight", "SingleWeightConfig": single}
    return {"Enabled": True, "StagingDistributionDnsNames": {"Items": ["e2.cloudfront.net"]}, "TrafficConfig": traffic}


def by_header(name: str, value: str) -> dict[str, Any]:
    traffic = {"Type": "SingleHeader", "SingleHeaderConfig": {"Header": name, "Value": value}}
    return {"Enabled": True, "StagingDistributionDnsNames": {"Items": ["e2.cloudfront.net"]}, "TrafficConfig": traffic}


class Cdn:
    """A CloudFront of a primary and a staging distribution; one more that is disabled serves nobody."""

    def __init__(self) -> None:
        disabled = distribution("E3", "nowhere.example")
        disabled["DistributionConfig"]["Enabled"] = False
        primary, staging = (
            distribution("E1", BLUE.host, policy="P"),
            distribution("E2", GREEN.host, staging=True),
        )
        self.shown = {each["Id"]: each for each in (primary, staging, disabled)}
        self.policy, self.etag = by_weight(0.15), "1"

    def set(self, policy: dict[str, Any]) -> None:
        self.policy, self.etag = policy, self.etag + "1"
        self.shown["E1"]["Status"] = "InProgress"

    def get_paginator(self, _operation: str) -> Cdn:
        return self

    def paginate(self) -> Iterator[dict[str, Any]]:
        yield {"DistributionList": {"Items": [{"Id": name} for name in self.shown]}}

    def get_distribution(self, *, Id: str) -> dict[str, Any]:  # noqa: N803
        return {"Distribution": copy.deepcopy(self.shown[Id])}

    def get_continuous_deployment_policy(self, *, Id: str) -> dict[str, Any]:  # noqa: N803
        assert Id == "P"
        return {"ContinuousDeploymentPolicy": {"ContinuousDeploymentPolicyConfig": self.policy}, "ETag": self.etag}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cdn() -> Cdn:
    return Cdn()


@pytest.fixture
def edge(cdn: Cdn, clock: Clock, tmp_path: Path) -> CdnEdge:
    made = CdnEdge(
        cdn, lambda host, _: 40_000 if host else None, tmp_path, Meter(1), propagation_seconds=40, clock=clock
    )
    made.look()
    return made


def shares(edge: CdnEdge) -> list[int]:
    return [state.staged_bp for state in edge.known("E1")]


def test_what_is_there_at_first_is_known_everywhere(edge: CdnEdge) -> None:
    assert shares(edge) == [1_500, 1_500, 1_500]


def test_a_change_reaches_one_location_after_the_other_and_all_of_them_once_deployed(
    edge: CdnEdge, cdn: Cdn, clock: Clock
) -> None:
    cdn.set(by_weight(0.05))
    reached = []
    for now in (0, 15, 25, 35):
        clock.now = now
        edge.look()
        reached.append(shares(edge).count(500))
    cdn.set(by_weight(0.10))
    clock.now = 36
    edge.look()
    cdn.shown["E1"]["Status"] = "Deployed"
    edge.look()

    assert reached == [0, 1, 2, 3]
    assert shares(edge) == [1_000, 1_000, 1_000]


def test_a_promotion_leads_the_primary_to_what_staging_led_to(edge: CdnEdge, cdn: Cdn) -> None:
    cdn.shown["E1"]["DistributionConfig"]["Origins"] = cdn.shown["E2"]["DistributionConfig"]["Origins"]
    cdn.policy["Enabled"] = False

    edge.look()

    assert edge.known("E1") == (Divided(Origin("E1", GREEN.host, 80)),) * 3


def test_a_busy_cloudfront_sends_everything_to_the_primary(edge: CdnEdge, tmp_path: Path) -> None:
    before = (tmp_path / "routes_E1_0.json").read_text()

    edge.is_busy = True
    edge.look()

    after = (tmp_path / "routes_E1_0.json").read_text()
    assert GREEN.cluster in before
    assert GREEN.cluster not in after
    assert BLUE.cluster in after


@given(propagation=st.floats(0.1, 3_600))
def test_no_location_is_later_than_deployed(propagation: float) -> None:
    delays = location_delays(propagation)

    assert list(delays) == sorted(delays)
    assert delays[0] > 0
    assert delays[-1] < propagation


# -- routes -----------------------------------------------------------------------------------------------------------


def served(state: Divided) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = routes("cdn", state, PORTS.get, time_scale=10)["virtual_hosts"][0]["routes"]
    return found


def test_a_weight_divides_between_the_two_origins_under_their_own_names() -> None:
    [weighted, _] = served(divided(BLUE, GREEN, by_weight(0.15)))

    assert [
        (each["name"], each["weight"], each["host_rewrite_literal"])
        for each in weighted["route"]["weighted_clusters"]["clusters"]
    ] == [(BLUE.cluster, 8_500, BLUE.host), (GREEN.cluster, 1_500, GREEN.host)]


def test_a_header_leads_to_staging_and_without_it_nobody_gets_there() -> None:
    [asked, rest] = served(divided(BLUE, GREEN, by_header("AWS-CF-CD-Test", "web")))

    assert asked["match"]["headers"] == [{"name": "aws-cf-cd-test", "string_match": {"exact": "web"}}]
    assert (asked["route"]["cluster"], rest["route"]["cluster"]) == (GREEN.cluster, BLUE.cluster)


@pytest.mark.parametrize(
    "policy", [None, {**by_weight(0.15), "Enabled": False}, by_weight(0.0)], ids=["none", "off", "nothing"]
)
def test_without_a_policy_that_sends_something_all_is_the_primarys(policy: dict[str, Any] | None) -> None:
    [every] = served(divided(BLUE, GREEN, policy))

    assert every["route"]["cluster"] == BLUE.cluster


def test_a_viewer_with_a_session_stays_and_another_policy_begins_sessions_anew() -> None:
    session = {"IdleTTL": 300, "MaximumTTL": 600}
    one, other = (divided(BLUE, GREEN, by_weight(0.1, session), etag) for etag in ("1", "2"))

    [to_blue, to_green, weighted, _] = served(one)

    cookies = [
        each["response_headers_to_add"][0]["header"]["value"]
        for each in weighted["route"]["weighted_clusters"]["clusters"]
    ]
    assert [to_blue["route"]["cluster"], to_green["route"]["cluster"]] == [BLUE.cluster, GREEN.cluster]
    assert all(cookie.endswith("; Max-Age=60") for cookie in cookies)
    assert to_green["match"] != served(other)[1]["match"]


def test_an_origin_nobody_knows_is_answered_for_with_502() -> None:
    [every] = served(Divided(Origin("E1", "gone.example", 443)))

    assert every["direct_response"]["status"] == 502


def test_envoy_takes_every_form_of_the_routes() -> None:
    session = {"IdleTTL": 300, "MaximumTTL": 600}
    states = [
        divided(BLUE, GREEN, by_weight(0.15)),
        divided(BLUE, GREEN, by_weight(0.15, session), "1"),
        divided(BLUE, GREEN, by_header("aws-cf-cd-test", "web")),
        Divided(Origin("E1", "gone.example", 443)),
    ]
    listeners = [
        listener(f"cdn:{n}", [http_filter(f"cdn:{n}", route_config=routes(f"cdn:{n}", each, PORTS.get, time_scale=6))])
        for n, each in enumerate(states)
    ]

    validate({"static_resources": {"listeners": listeners, "clusters": clusters(PORTS)}})


def test_an_https_origin_is_dialled_on_its_https_port() -> None:
    config = distribution("E1", "Origin.Example")["DistributionConfig"]
    config["Origins"]["Items"][0]["CustomOriginConfig"] = {"HTTPSPort": 8443, "OriginProtocolPolicy": "https-only"}

    assert origin_of("E1", config) == Origin("E1", "origin.example", 8443)


# -- metrics ----------------------------------------------------------------------------------------------------------


def request(code: int, cluster: str) -> Served:
    return Served("cdn", "E1", 10.5, code, True, frozenset(), cluster, "127.0.0.1:1", 0.01, 10)


def test_staging_has_metrics_of_its_own_and_rates_are_averages_in_percent() -> None:
    meter = Meter(10)
    for code, origin in ((200, BLUE), (200, GREEN), (503, GREEN), (404, GREEN), (200, GREEN)):
        count_at_location(meter, request(code, origin.cluster))

    data = meter.close(100)["AWS/CloudFront"]

    def of(name: str, distribution: str) -> dict[str, Any]:
        dimensions = [{"Name": "DistributionId", "Value": distribution}, {"Name": "Region", "Value": "Global"}]
        [found] = [each for each in data if each["MetricName"] == name and each["Dimensions"] == dimensions]
        return found

    assert (of("Requests", "E1")["Value"], of("Requests", "E2")["Value"]) == (1, 4)
    rate = of("5xxErrorRate", "E2")
    assert (rate["Unit"], rate["Values"], rate["Counts"]) == ("Percent", [0, 100], [3, 1])
    assert of("TotalErrorRate", "E2")["Counts"] == [2, 2]


def test_what_no_origin_was_asked_for_counts_for_the_primary() -> None:
    meter = Meter(10)

    count_at_location(meter, request(502, "-"))

    assert meter.close(100)["AWS/CloudFront"][0]["Dimensions"][0]["Value"] == "E1"
