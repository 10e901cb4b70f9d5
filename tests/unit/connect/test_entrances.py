"""What of a gateway route a load balancer's rule can say, and what is named because it cannot."""

from __future__ import annotations

from typing import Any

import pytest

from crossfade.connect.entrances import entrance
from tests.meshes import Resources, drawn, found, two_services


def a_route(match: dict[str, Any], rewrite: dict[str, Any] | None = None, kind: str = "HttpRoute") -> Resources:
    action = {"Target": {"VirtualService": {"VirtualServiceName": "api.m.local"}}, "Rewrite": rewrite or {}}
    spec = {kind: {"Match": match, "Action": action}}
    properties = {"MeshName": "m", "VirtualGatewayName": "g", "GatewayRouteName": "r", "Spec": spec}
    gateway = {"Listeners": [{"PortMapping": {"Port": 8080, "Protocol": "http"}}]}
    return {
        "Gateway": {
            "Type": "AWS::AppMesh::VirtualGateway",
            "Properties": {"MeshName": "m", "VirtualGatewayName": "g", "Spec": gateway},
        },
        "GatewayRoute": {"Type": "AWS::AppMesh::GatewayRoute", "Properties": properties},
    }


def header(**match: Any) -> list[dict[str, Any]]:
    invert = {"Invert": match.pop("invert")} if "invert" in match else {}
    return [{"Name": "x-beta", "Match": match, **invert}]


@pytest.mark.parametrize(
    ("match", "rule"),
    [
        ({"Prefix": "/"}, "the listener's default action"),
        ({"Prefix": "/cart"}, "path-pattern /cart*, with a url-rewrite of ^/cart to /"),
        ({"Path": {"Exact": "/a"}, "Method": "GET"}, "path-pattern /a and http-request-method GET"),
        ({"Path": {"Regex": "/a.+"}}, "path-pattern by the regular expression /a.+"),
        ({"Hostname": {"Exact": "shop.example.com"}}, "host-header shop.example.com"),
        ({"Hostname": {"Suffix": ".example.com"}}, "host-header *.example.com"),
        ({"QueryParameters": [{"Name": "v", "Match": {"Exact": "2"}}]}, "query-string v=2"),
        ({"Headers": header(Exact="yes")}, "http-header x-beta yes"),
        ({"Headers": header(Prefix="y")}, "http-header x-beta y*"),
        ({"Headers": header(Suffix="s")}, "http-header x-beta *s"),
        ({"Headers": header(Regex="y.s")}, "http-header x-beta by the regular expression y.s"),
        ({"Headers": [{"Name": "x-beta"}]}, "http-header x-beta *"),
    ],
)
def test_the_rule_that_takes_a_gateway_routes_place_is_said(match: dict[str, Any], rule: str) -> None:
    plan = drawn(two_services(), a_route(match))

    [named] = [each for each in plan.gaps if each.id == "GATEWAY_ROUTE"]
    assert f"needs the same rule: {rule}." in named.detail
    assert "GATEWAY_ROUTE_MATCH" not in {each.id for each in plan.gaps}


@pytest.mark.parametrize(
    ("rewrite", "said"),
    [
        ({"Prefix": {"Value": "/v2/"}}, ("a url-rewrite of ^/cart to /v2/",)),
        ({"Prefix": {"DefaultPrefix": "DISABLED"}}, ()),
        ({"Path": {"Exact": "/b"}}, ("a url-rewrite to /b",)),
    ],
)
def test_a_rewrite_is_a_transform_of_the_rule(rewrite: dict[str, Any], said: tuple[str, ...]) -> None:
    [route] = found(two_services(), a_route({"Prefix": "/cart"}, rewrite)).gateway_routes

    assert entrance(route).rewrites == said


def test_a_grpc_service_is_a_path() -> None:
    [route] = found(two_services(), a_route({"ServiceName": "shop.Cart"}, kind="GrpcRoute")).gateway_routes

    assert entrance(route).asks == ("path-pattern /shop.Cart/*",)


@pytest.mark.parametrize(
    ("match", "what"),
    [
        ({"Headers": header(Exact="yes", invert=True)}, "that the header x-beta does not match"),
        ({"Headers": header(Range={"Start": 1, "End": 9})}, "that the header x-beta lies within a range"),
        ({"Prefix": "/", "Port": 9000}, "that it came by port 9000"),
    ],
)
def test_what_no_rule_can_ask_is_a_gap_of_its_own_and_blocks(match: dict[str, Any], what: str) -> None:
    plan = drawn(two_services(), a_route(match))

    [named] = [each for each in plan.gaps if each.id == "GATEWAY_ROUTE_MATCH"]
    assert (named.resource, named.severity) == ("gatewayRoute/g/r", "blocking")
    assert what in named.detail
