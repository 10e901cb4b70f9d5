from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.errors import BadInput
from crossfade.plan.document import MigrationPlan
from crossfade.plan.services import Call, Role
from tests.meshes import (
    Resources,
    a_mesh,
    a_name,
    a_node,
    a_route,
    a_router,
    a_service,
    an_edge,
    behind,
    drawn,
    ids,
    two_services,
)


def aliases(plan: MigrationPlan, service: str) -> list[str]:
    return [f"{each.dns_name}:{each.port}>{each.container_port}" for each in plan.service(service).endpoints]


def test_a_plain_mesh_has_roles_endpoints_calls_and_no_gap() -> None:
    plan = drawn(two_services())

    assert [(each.name, each.role) for each in plan.services] == [("api", Role.SERVER), ("web", Role.CLIENT)]
    assert aliases(plan, "api") == ["api.m.local:8080>8080"]
    assert plan.service("web").calls == (Call(dns_name="api.m.local", port=8080, service="api"),)
    assert ids(plan) == []


def test_a_listener_alone_makes_no_server() -> None:
    plan = drawn(two_services())

    assert plan.service("web").endpoints == ()


def test_callers_dial_the_routers_port_and_the_container_keeps_its_own() -> None:
    names = {**a_name("api.m.local", router="r"), **a_router("r", 3000), **a_route("all", "r", {"api": 1})}

    plan = drawn({**two_services(), **names})

    assert aliases(plan, "api") == ["api.m.local:3000>8080"]
    assert plan.service("web").calls[0].port == 3000


def test_the_name_callers_really_dial_is_the_alias_beside_the_virtual_services() -> None:
    resources = {
        **a_mesh(),
        **a_node("web", backends=["api"]),
        **a_node("api"),
        **a_name("api", node="api"),
        **an_edge(),
        **a_service("web", LoadBalancers=behind(), environment={"API": "http://api.m.local:8080"}),
        **a_service("api"),
    }

    plan = drawn(resources)

    assert aliases(plan, "api") == ["api:8080>8080", "api.m.local:8080>8080"]
    assert [call.dns_name for call in plan.service("web").calls] == ["api.m.local"]


def test_a_service_dialled_past_every_virtual_service_is_a_server_all_the_same() -> None:
    resources = {**two_services(), **a_service("web", LoadBalancers=behind(), environment={"X": "http://db.m.local:1"})}
    resources |= {**a_node("db", 1), **a_service("db", port=1)}

    plan = drawn(resources)

    assert aliases(plan, "db") == ["db.m.local:1>1"]
    assert "db" in [call.service for call in plan.service("web").calls]


@pytest.mark.parametrize(
    ("url", "ports"),
    [
        ("http://api.m.local:80/v1", [80]),
        ("http://api.m.local:9000", [80, 9000]),
        ("api.m.local", [80, 9000]),
    ],
)
def test_the_nodes_own_port_is_an_alias_only_where_it_may_be_dialled(url: str, ports: list[int]) -> None:
    """The host of the node is the virtual service's name too; the router listens on 80, the task on 9000."""
    router = {**a_router("api", 80), **a_route("all", "api", {"api": 1}), **a_name("api.m.local", router="api")}
    web = {**a_node("web", backends=["api.m.local"]), **a_service("web", environment={"API_HOST": url})}

    plan = drawn(a_mesh(), web, router, a_node("api", 9000), a_service("api", port=9000))

    assert [each.port for each in plan.service("api").endpoints] == ports


def test_a_name_that_leads_outside_is_a_call_without_a_service() -> None:
    outside = a_node("bank", 443)
    outside["Nodebank"]["Properties"]["Spec"]["ServiceDiscovery"] = {"DNS": {"Hostname": "bank.example.com"}}
    names = {**a_name("bank.m.local", router="b"), **a_router("b", 80), **a_route("all", "b", {"bank": 1})}
    resources = {**two_services(), **outside, **names, **a_node("web", backends=["api.m.local", "bank.m.local"])}

    plan = drawn(resources)

    assert Call(dns_name="bank.m.local", port=80, service=None) in plan.service("web").calls
    assert ids(plan) == ["EXTERNAL_NODE virtualNode/bank", "EXTERNAL_PORT_REMAP virtualService/bank.m.local"]


def _routed(*routes: Resources) -> MigrationPlan:
    resources = {**two_services(), **a_name("api.m.local", router="r"), **a_router("r")}
    resources |= {**a_node("beta"), **a_service("beta")}
    for route in routes:
        resources |= route
    return drawn(resources)


def test_the_alias_belongs_to_the_node_behind_the_route_that_takes_everything() -> None:
    plan = _routed(
        a_route("paths", "r", {"beta": 1}, match={"Prefix": "/beta"}, priority=1),
        a_route("all", "r", {"api": 1}, priority=2),
        a_route("late", "r", {"beta": 1}, priority=3),
    )

    assert (aliases(plan, "api"), aliases(plan, "beta")) == (["api.m.local:8080>8080"], [])
    assert ids(plan) == ["ROUTE_MATCH_PATH route/r/paths", "ROUTE_UNREACHABLE route/r/late"]


def test_of_routes_without_priority_the_longer_prefix_is_tried_first() -> None:
    plan = _routed(a_route("all", "r", {"api": 1}), a_route("beta", "r", {"beta": 1}, match={"Prefix": "/beta"}))

    assert "ROUTE_UNREACHABLE" not in " ".join(ids(plan))
    assert aliases(plan, "api")


def test_of_weighted_targets_the_heaviest_owns_the_name_and_it_blocks() -> None:
    plan = _routed(a_route("all", "r", {"beta": 1, "api": 9}))

    assert aliases(plan, "api") == ["api.m.local:8080>8080"]
    assert [gap.id for gap in plan.open_blocking_gaps()] == ["ROUTE_WEIGHTED"]


def test_a_target_of_no_weight_divides_nothing() -> None:
    plan = _routed(a_route("all", "r", {"beta": 0, "api": 1}))

    assert [each for each in ids(plan) if "WEIGHTED" in each] == []


@pytest.mark.parametrize(
    ("match", "row"),
    [
        ({"Prefix": "/", "Headers": [{"Name": "x-beta", "Match": {"Exact": "1"}}]}, "ROUTE_MATCH_HEADER"),
        ({"Prefix": "/", "Method": "POST"}, "ROUTE_MATCH_METHOD"),
        ({"Prefix": "/", "QueryParameters": [{"Name": "v", "Match": {"Exact": "2"}}]}, "ROUTE_MATCH_QUERY"),
        ({"Path": {"Exact": "/x"}}, "ROUTE_MATCH_PATH"),
    ],
)
def test_each_thing_a_route_looks_at_is_named(match: dict[str, Any], row: str) -> None:
    plan = _routed(a_route("special", "r", {"beta": 1}, match=match, priority=1), a_route("all", "r", {"api": 1}))

    assert ids(plan) == [f"{row} route/r/special"]


def test_matches_that_all_lead_to_the_same_node_are_no_gap() -> None:
    plan = _routed(
        a_route("v1", "r", {"api": 1}, match={"Prefix": "/v1"}, priority=1),
        a_route("all", "r", {"api": 1}, priority=2),
    )

    assert [each for each in ids(plan) if each.startswith("ROUTE")] == []


def test_a_router_without_a_route_for_everything_is_named() -> None:
    plan = _routed(a_route("v1", "r", {"api": 1}, match={"Prefix": "/v1"}))

    assert "ROUTE_NO_DEFAULT virtualRouter/r" in ids(plan)


_APP_PORTS = {"ContainerName": "envoy", "ProxyConfigurationProperties": [{"Name": "AppPorts", "Value": "9"}]}
_UPPER = {**a_name("API.m.local", node="api"), **a_node("web", backends=["API.m.local"])}
_SPEC: dict[str, tuple[Resources, str]] = {
    "retries": (a_route("all", "r", {"api": 1}, RetryPolicy={"MaxRetries": 5}), "RETRY_POLICY route/r/all"),
    "health": (
        a_node("api", listener={"HealthCheck": {"Protocol": "http", "Path": "/"}}),
        "HEALTH_CHECK virtualNode/api",
    ),
    "pool": (
        a_node("api", listener={"ConnectionPool": {"HTTP": {"MaxConnections": 5}}}),
        "CONNECTION_POOL virtualNode/api",
    ),
    "tls": (
        a_node("api", listener={"TLS": {"Mode": "STRICT", "Certificate": {"ACM": {"CertificateArn": "a"}}}}),
        "TLS_CERT_SOURCE virtualNode/api",
    ),
    "access log": (a_node("api", Logging={"AccessLog": {"File": {"Path": "/x"}}}), "ACCESS_LOG virtualNode/api"),
    "unknown field": (a_node("api", Novelty={"Deep": [1]}), "FIELD_NOT_READ virtualNode/api"),
    "egress": (a_mesh(egress="DROP_ALL"), "EGRESS_FILTER mesh/m"),
    "missing backend": (a_node("web", backends=["api.m.local", "x.m.local"]), "BACKEND_NOT_FOUND ecsService/web"),
    "upper case": (_UPPER, "NAME_CASE virtualService/API.m.local"),
    "illegal": (a_name("a b", node="api"), "NAME_ILLEGAL virtualService/a b"),
    "no such node": (a_service("lost", LoadBalancers=behind()), "ECS_SERVICE_WITHOUT_NODE ecsService/lost"),
    "shared node": (a_service("api2", node="api"), "NODE_SHARED virtualNode/api"),
    "no envoy": (a_service("cron", node=""), "OUTSIDE_THE_MESH ecsService/cron"),
    "no memory": (a_service("api", task={"Memory": None}), "TASK_MEMORY taskDefinition/api"),
    "no check": (a_service("api", app={"HealthCheck": None}), "CONTAINER_HEALTH_CHECK taskDefinition/api"),
    "app ports": (
        a_service("api", task={"ProxyConfiguration": _APP_PORTS}),
        "APPPORTS_MISMATCH taskDefinition/api",
    ),
    "x-ray": (
        a_service("api", app={"Essential": True}, envoy={"Image": "aws-appmesh-envoy", "Environment": [
            {"Name": "APPMESH_RESOURCE_ARN", "Value": "mesh/m/virtualNode/api"},
            {"Name": "ENABLE_ENVOY_XRAY_TRACING", "Value": "1"},
        ]}),
        "XRAY_TRACING taskDefinition/api",
    ),
    "controller": (
        a_service("api", DeploymentController={"Type": "CODE_DEPLOY"}),
        "DEPLOYMENT_CONTROLLER ecsService/api",
    ),
    "one task": (a_service("api", DesiredCount=1), "SINGLE_TASK ecsService/api"),
    "balancer kind": (an_edge(kind="gateway"), "EDGE_KIND targetgroup/web"),
}  # fmt: skip


@pytest.mark.parametrize("case", _SPEC)
def test_what_service_connect_lacks_is_named_where_it_is(case: str) -> None:
    resources = {**two_services()}
    if case == "retries":
        resources |= {**a_name("api.m.local", router="r"), **a_router("r")}

    change, expected = _SPEC[case]
    plan = drawn({**resources, **change})

    assert expected in ids(plan)


def test_a_health_check_on_envoys_port_blocks() -> None:
    edge = an_edge()
    edge["Targets"]["Properties"]["HealthCheckPort"] = "9901"

    plan = drawn({**two_services(), **edge})

    assert [gap.id for gap in plan.open_blocking_gaps()] == ["LB_HEALTHCHECK_ON_ENVOY_ADMIN"]


def test_a_port_that_no_container_maps_goes_to_the_application_not_to_a_sidecar() -> None:
    sidecar = {"Name": "xray-daemon", "Image": "amazon/aws-xray-daemon"}
    service = a_service("api", app={"PortMappings": []})
    service["Taskapi"]["Properties"]["ContainerDefinitions"].insert(0, sidecar)

    plan = drawn({**two_services(), **service})

    (port,) = plan.service("api").green.task_definition.name_ports
    assert (port.container, port.container_port) == ("app", 8080)


def test_discovery_names_do_not_collide_with_blues() -> None:
    taken = {"Type": "AWS::ServiceDiscovery::Service", "Properties": {"Name": "api-sc"}}

    plan = drawn({**two_services(), "Taken": taken})

    assert plan.service("api").endpoints[0].discovery_name == "api-8080-sc"


def test_a_task_definition_that_no_source_holds_is_refused() -> None:
    service = a_service("lone")
    del service["Tasklone"]
    service["Servicelone"]["Properties"]["TaskDefinition"] = "elsewhere:7"

    with pytest.raises(BadInput, match="runs the task definition elsewhere, which no source given holds"):
        drawn({**two_services(), **service})


def test_one_thing_defined_twice_is_refused() -> None:
    twin = {"Twin": a_node("api")["Nodeapi"]}

    with pytest.raises(BadInput, match="virtual node m api is defined twice"):
        drawn({**two_services(), **twin})


_name = st.from_regex(re.compile(r"[A-Za-z][A-Za-z0-9-]{0,11}(\.[a-zA-Z]{1,5})?"), fullmatch=True)


@settings(max_examples=40)
@given(st.lists(_name, min_size=1, max_size=6, unique_by=str.lower), st.data())
def test_names_are_legal_and_unique_whatever_services_are_called(names: list[str], data: st.DataObject) -> None:
    services = {**a_mesh()}
    for number, name in enumerate(names):
        label = data.draw(st.sampled_from(["svc", "Svc", "svc-8080", f"s{number}"]))
        services |= {**a_node(f"n{number}"), **a_name(name, node=f"n{number}")}
        services |= a_service(f"{label}{number}", node=f"n{number}")
    plan = drawn(services)

    endpoints = [each for service in plan.services for each in service.endpoints]
    discovery = [each.discovery_name for each in endpoints]
    assert len(endpoints) == len(names)
    assert len(set(discovery)) == len(discovery)
    assert len({(each.dns_name, each.port) for each in endpoints}) == len(endpoints)
    assert all(re.fullmatch(r"[a-z0-9_][a-z0-9_-]{0,63}", each) for each in discovery)
    assert all(re.fullmatch(r"[a-z0-9_.-]{1,127}", each.dns_name) for each in endpoints)


def test_of_equal_targets_the_one_in_ecs_owns_the_name() -> None:
    outside = a_node("old")
    outside["Nodeold"]["Properties"]["Spec"]["ServiceDiscovery"] = {"DNS": {"Hostname": "old.example.com"}}

    plan = _routed(outside, a_route("all", "r", {"old": 1, "api": 1}))

    assert aliases(plan, "api") == ["api.m.local:8080>8080"]
    assert [gap.id for gap in plan.open_blocking_gaps()] == ["ROUTE_WEIGHTED"]
