"""A load balancer before an Envoy gateway is the edge of the one service that the gateway leads to."""

from __future__ import annotations

from typing import Any

import pytest

from crossfade.plan.document import Severity, TargetHealthCheck
from tests.meshes import Resources, a_gateway, a_mesh, a_name, a_node, a_service, an_edge, drawn, ids

HEALTH: dict[str, Any] = {"listener": {"HealthCheck": {"Protocol": "http", "Path": "/ping", "Port": 8080}}}


def a_teller(name: str = "api", **node: Any) -> Resources:
    return {**a_node(name, **node), **a_name(f"{name}.m.local", node=name), **a_service(name)}


def asking(port: str, **more: Any) -> Resources:
    edge = an_edge()
    edge["Targets"]["Properties"].update({"HealthCheckPort": port, **more})
    return edge


def test_the_load_balancer_takes_the_gateways_place_before_the_one_service_behind_it() -> None:
    plan = drawn(a_mesh(), a_teller(), a_gateway(all="api.m.local"))

    (edge,) = plan.edges
    green = plan.service("api").green
    assert (edge.service, edge.load_balancer, edge.blue.name, edge.green.name) == ("api", "lb", "web", "web-sc")
    assert (green.container_name, green.container_port, green.target_group) == ("app", 8080, edge.green)
    assert not [each for each in ids(plan) if each.startswith("EDGE_MISSING")]
    assert "VIRTUAL_GATEWAY virtualGateway/door" in ids(plan)


def test_a_gateway_that_divides_requests_is_no_edge_and_says_over_whom() -> None:
    plan = drawn(a_mesh(), a_teller("api"), a_teller("web"), a_gateway(a="api.m.local", b="web.m.local"))

    said = next(gap for gap in plan.gaps if gap.id == "EDGE_MISSING")
    assert plan.edges == ()
    assert (said.resource, said.severity) == ("targetgroup/web", Severity.BLOCKING)
    assert "the gateway door, which divides requests over api, web" in said.detail


@pytest.mark.parametrize(
    ("routes", "edge", "said"),
    [
        ({}, an_edge(), "of which no source given has routes"),
        ({"all": "elsewhere.m.local"}, an_edge(), "lead to more than what moves"),
        ({"all": "api.m.local"}, asking("traffic-port", Protocol="TLS"), "speaks TLS to the gateway door"),
    ],
)
def test_why_a_gateway_is_no_edge_is_said(routes: dict[str, str], edge: Resources, said: str) -> None:
    plan = drawn(a_mesh(), a_teller(), a_gateway(**routes), edge)

    assert plan.edges == ()
    assert said in next(gap.detail for gap in plan.gaps if gap.id == "EDGE_MISSING")


def test_a_check_of_envoys_admin_port_is_mended_by_the_path_the_mesh_asked() -> None:
    plan = drawn(a_mesh(), a_teller(**HEALTH), a_gateway(all="api.m.local"), asking("9901"))

    found = next(gap for gap in plan.gaps if gap.id == "LB_HEALTHCHECK_ON_ENVOY_ADMIN")
    assert (found.resource, found.severity) == ("targetgroup/web", Severity.DEGRADING)
    assert plan.edges[0].green.health_check == TargetHealthCheck(path="/ping")


def test_a_check_of_envoys_admin_port_blocks_where_the_mesh_asked_nothing() -> None:
    plan = drawn(a_mesh(), a_teller(), a_gateway(all="api.m.local"), asking("9901"))

    assert "LB_HEALTHCHECK_ON_ENVOY_ADMIN" in [gap.id for gap in plan.open_blocking_gaps()]


def test_a_check_of_the_port_that_the_service_serves_too_is_no_gap() -> None:
    plan = drawn(a_mesh(), a_teller(), a_gateway(all="api.m.local"), asking("8080"))

    assert "LB_HEALTHCHECK_ON_ENVOY_ADMIN targetgroup/web" not in ids(plan)
