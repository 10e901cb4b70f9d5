"""A load balancer before an Envoy gateway is the edge of the one service that the gateway leads to."""

from __future__ import annotations

from typing import Any

import pytest

from crossfade.plan.document import Severity
from crossfade.plan.services import TargetHealthCheck
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


GATE = "AWS::ElasticLoadBalancingV2::"


def two_tellers(**routes: str) -> Resources:
    return {**a_mesh(), **a_teller("api"), **a_teller("web"), **a_gateway(**routes)}


def a_way(name: str, priority: int, *conditions: dict[str, Any], group: str | None = None) -> Resources:
    """A rule of the listener of `an_edge`, and the target group of its own to which it forwards."""
    action = {"Type": "forward", "TargetGroupArn": {"Ref": f"Group{group or name}"}}
    said = {"ListenerArn": {"Ref": "Listener"}, "Priority": priority, "Conditions": conditions, "Actions": [action]}
    made: Resources = {f"Rule{name}": {"Type": f"{GATE}ListenerRule", "Properties": said}}
    if group is None:
        made[f"Group{name}"] = {"Type": f"{GATE}TargetGroup", "Properties": {"Name": f"gate-{name}", "Port": 8080}}
    return made


def in_groups(gateway: Resources, *names: str) -> Resources:
    """The gateway's service is registered in these target groups too."""
    service = gateway["Servicegate"]
    more = [
        {"TargetGroupArn": {"Ref": f"Group{name}"}, "ContainerName": "envoy", "ContainerPort": 8080} for name in names
    ]
    properties = {**service["Properties"], "LoadBalancers": [*service["Properties"]["LoadBalancers"], *more]}
    return {**gateway, "Servicegate": {**service, "Properties": properties}}


def path(*patterns: str) -> dict[str, Any]:
    return {"Field": "path-pattern", "Values": list(patterns)}


def test_what_to_make_before_a_gateway_that_divides_requests_is_said_rule_by_rule() -> None:
    plan = drawn(two_tellers(a="api.m.local", b="web.m.local"))

    said = next(gap.detail for gap in plan.gaps if gap.id == "EDGE_MISSING")
    assert "Make one target group for each, all with gate registered in them, and on lb:80 a rule" in said
    assert "path-pattern /a* for api port 8080; path-pattern /b* for web port 8080" in said


def test_each_target_group_whose_rule_leads_to_one_service_is_an_edge_of_its_own() -> None:
    gateway = in_groups(two_tellers(a="api.m.local", b="web.m.local"), "a", "b")

    plan = drawn(gateway, a_way("a", 1, path("/a*")), a_way("b", 2, path("/b*")))

    assert [(edge.service, edge.blue.name, edge.green.name) for edge in plan.edges] == [
        ("api", "gate-a", "gate-a-sc"),
        ("web", "gate-b", "gate-b-sc"),
    ]
    assert [[rule.priority for rule in edge.rules] for edge in plan.edges] == [["1"], ["2"]]
    assert not [each for each in ids(plan) if each.startswith("EDGE_MISSING")]
    (rest,) = (gap for gap in plan.gaps if gap.id == "GATEWAY_ROUTE_NONE")
    assert (rest.resource, rest.severity) == ("targetgroup/web", Severity.INFORMATIONAL)
    assert rest.detail.startswith("What comes by lb:80 default action meets no route of the gateway door")


def test_the_default_action_leads_to_what_no_rule_before_it_takes() -> None:
    routes = {
        **a_gateway(rest="web.m.local")["Wayrest"]["Properties"],
        "Spec": {
            "HttpRoute": {
                "Match": {"Prefix": "/"},
                "Action": {"Target": {"VirtualService": {"VirtualServiceName": "web.m.local"}}},
            }
        },
    }
    everything = {"Wayrest": {"Type": "AWS::AppMesh::GatewayRoute", "Properties": routes}}
    gateway = in_groups(two_tellers(a="api.m.local"), "a")

    plan = drawn(gateway, everything, a_way("a", 1, path("/a*")))

    assert [(edge.service, edge.blue.name) for edge in plan.edges] == [("web", "web"), ("api", "gate-a")]
    assert not [each for each in ids(plan) if each.startswith("EDGE_MISSING")]


@pytest.mark.parametrize(
    "conditions",
    [
        [path("/a*", "/b*")],
        [path("/*")],
        [{"Field": "host-header", "Values": ["*.example.com"]}],
    ],
)
def test_a_rule_that_leads_to_two_services_is_no_edge(conditions: list[dict[str, Any]]) -> None:
    gateway = in_groups(two_tellers(a="api.m.local", b="web.m.local"), "ab")

    plan = drawn(gateway, a_way("ab", 1, *conditions))

    assert plan.edges == ()
    assert "EDGE_MISSING targetgroup/gate-ab" in ids(plan)


def test_a_rule_that_asks_for_the_gateways_header_is_an_edge() -> None:
    gateway = in_groups(two_tellers(a="api.m.local", b="web.m.local"), "beta")
    header = {"Headers": [{"Name": "x-beta", "Match": {"Exact": "yes"}}]}
    gateway["Waya"]["Properties"]["Spec"]["HttpRoute"]["Match"] = {"Prefix": "/", **header}
    gateway["Waya"]["Properties"]["Spec"]["Priority"] = 1
    gateway["Wayb"]["Properties"]["Spec"]["HttpRoute"]["Match"] = {"Prefix": "/"}
    gateway["Wayb"]["Properties"]["Spec"]["Priority"] = 2
    config = {"HttpHeaderName": "x-beta", "Values": ["yes"]}

    plan = drawn(gateway, a_way("beta", 1, {"Field": "http-header", "HttpHeaderConfig": config}))

    assert {(edge.service, edge.blue.name) for edge in plan.edges} == {("api", "gate-beta"), ("web", "web")}


def test_before_a_network_load_balancer_another_has_to_stand() -> None:
    gateway = {**two_tellers(a="api.m.local", b="web.m.local"), **an_edge(kind="network")}

    said = next(gap.detail for gap in drawn(gateway).gaps if gap.id == "EDGE_MISSING")

    assert "lb is a network load balancer, which tells no requests apart: put an Application Load Balancer" in said


def test_a_route_that_names_a_port_leads_to_the_endpoint_behind_that_port() -> None:
    gateway = a_gateway(all="api.m.local")
    gateway["Wayall"]["Properties"]["Spec"]["HttpRoute"]["Action"]["Target"]["Port"] = 9000
    node = a_node("api")
    node["Nodeapi"]["Properties"]["Spec"]["Listeners"].append({"PortMapping": {"Port": 9000, "Protocol": "http"}})

    plan = drawn(a_mesh(), a_teller(), node, gateway)

    assert plan.service("api").green.container_port == 9000


@pytest.mark.parametrize(("enforce", "severity"), [(True, Severity.BLOCKING), (False, Severity.DEGRADING)])
def test_tls_that_the_gateway_speaks_to_the_services_is_named(*, enforce: bool, severity: Severity) -> None:
    gateway = a_gateway(all="api.m.local")
    trust = {"File": {"CertificateChain": "/keys/ca.pem"}}
    policy = {"ClientPolicy": {"TLS": {"Enforce": enforce, "Validation": {"Trust": trust}}}}
    gateway["Door"]["Properties"]["Spec"]["BackendDefaults"] = policy

    (found,) = (gap for gap in drawn(a_mesh(), a_teller(), gateway).gaps if gap.id == "GATEWAY_CLIENT_POLICY")

    assert (found.resource, found.severity) == ("virtualGateway/door", severity)
    assert "(trusting /keys/ca.pem)" in found.detail
