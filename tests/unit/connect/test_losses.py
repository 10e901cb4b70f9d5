"""What a mesh does that Service Connect does not: each kind of gap, and what must not be one."""

from __future__ import annotations

from typing import Any

import pytest

from crossfade.draw.options import DrawOptions
from crossfade.plan.document import MigrationPlan, Severity
from crossfade.plan.services import TargetHealthCheck, Tls
from tests.meshes import Resources, a_name, a_node, a_service, an_edge, behind, drawn, ids, two_services

CA = "arn:aws:acm-pca:eu-west-1:111122223333:certificate-authority/11111111-2222-3333-4444-555555555555"
ROLE = "arn:aws:iam::111122223333:role/tls"
NAMESPACE = "arn:aws:servicediscovery:eu-west-1:111122223333:namespace/ns-abc"


def severity(plan: MigrationPlan, gap: str) -> Severity:
    (found,) = {each.severity for each in plan.gaps if each.id == gap}
    return found


def with_tls(mode: str = "STRICT", **policy: Any) -> Resources:
    certificate = {"Certificate": {"ACM": {"CertificateArn": "arn:aws:acm:eu-west-1:1:certificate/x"}}}
    caller: dict[str, Any] = {"BackendDefaults": {"ClientPolicy": {"TLS": policy}}} if policy else {}
    return {
        **two_services(),
        **a_node("api", listener={"TLS": {"Mode": mode, **certificate}}),
        **a_node("web", backends=["api.m.local"], **caller),
    }


TRUST: dict[str, Any] = {"Validation": {"Trust": {"ACM": {"CertificateAuthorityArns": [CA]}}}}

# ------------------------------------------------------------------------------ encryption


def test_encryption_goes_on_by_the_authority_that_callers_trust_today() -> None:
    plan = drawn(with_tls(**TRUST), options=DrawOptions(tls_role=ROLE))

    assert plan.service("api").endpoints[0].tls == Tls(authority_arn=CA, role_arn=ROLE)
    assert ids(plan) == ["TLS_CERT_SOURCE virtualNode/api", "TLS_CLIENT_POLICY virtualNode/web"]
    assert (severity(plan, "TLS_CERT_SOURCE"), severity(plan, "TLS_CLIENT_POLICY")) == ("degrading", "informational")


def test_without_a_role_nobody_can_issue_certificates_and_it_blocks() -> None:
    assert severity(drawn(with_tls(**TRUST)), "TLS_CERT_SOURCE") == "blocking"


def test_without_an_authority_encryption_would_be_lost_and_it_blocks() -> None:
    plan = drawn(with_tls())

    assert plan.service("api").endpoints[0].tls is None
    assert severity(plan, "TLS_CERT_SOURCE") == "blocking"


def test_the_operators_authority_comes_before_the_one_trusted() -> None:
    plan = drawn(with_tls(**TRUST), options=DrawOptions(tls_authority=f"{CA}-own"))

    tls = plan.service("api").endpoints[0].tls
    assert tls
    assert tls.authority_arn == f"{CA}-own"


def test_a_listener_whose_tls_is_disabled_has_none_to_lose() -> None:
    plan = drawn(with_tls("DISABLED"), options=DrawOptions(tls_authority=CA))

    assert plan.service("api").endpoints[0].tls is None
    assert ids(plan) == []


def test_tls_that_envoy_speaks_to_the_outside_on_the_applications_behalf_blocks() -> None:
    bank = a_node("bank", 443)
    bank["Nodebank"]["Properties"]["Spec"]["ServiceDiscovery"] = {"DNS": {"Hostname": "bank.example.com"}}
    policy: dict[str, Any] = {"BackendDefaults": {"ClientPolicy": {"TLS": {"Enforce": True}}}}
    web = a_node("web", backends=["api.m.local", "bank.m.local"], **policy)

    plan = drawn({**two_services(), **bank, **a_name("bank.m.local", node="bank"), **web})

    assert "TLS_ORIGINATION virtualNode/web" in ids(plan)


# ------------------------------------------------------------------------------- the edge


def health_on(port: str, *, path: str | None = "/ready", **more: Any) -> MigrationPlan:
    edge = an_edge()
    edge["Targets"]["Properties"]["HealthCheckPort"] = port
    check = {"Protocol": "http", "IntervalMillis": 5000, "TimeoutMillis": 2000}
    check |= {"HealthyThreshold": 2, "UnhealthyThreshold": 2, **({"Path": path} if path else {"Protocol": "tcp"})}
    web = a_node("web", backends=["api.m.local"], listener={"HealthCheck": check})
    return drawn({**two_services(), **edge, **web, **a_service("web", LoadBalancers=behind(), **more)})


@pytest.mark.parametrize("port", ["9901", "15000"])
def test_a_health_check_on_envoys_port_is_mended_with_the_path_the_mesh_checks(port: str) -> None:
    plan = health_on(port)

    assert plan.edges[0].green.health_check == TargetHealthCheck(path="/ready")
    assert severity(plan, "LB_HEALTHCHECK_ON_ENVOY_ADMIN") == "degrading"


def test_a_health_check_on_envoys_port_blocks_where_nobody_knows_what_to_ask() -> None:
    plan = health_on("9901", path=None)

    assert plan.edges[0].green.health_check is None
    assert severity(plan, "LB_HEALTHCHECK_ON_ENVOY_ADMIN") == "blocking"


def test_an_admin_port_that_was_moved_is_envoys_all_the_same() -> None:
    moved = {"Environment": [{"Name": "ENVOY_ADMIN_ACCESS_PORT", "Value": "8001"}]}
    moved["Environment"].append({"Name": "APPMESH_RESOURCE_ARN", "Value": "mesh/m/virtualNode/web"})

    assert "LB_HEALTHCHECK_ON_ENVOY_ADMIN targetgroup/web" in ids(health_on("8001", envoy=moved))


@pytest.mark.parametrize("port", ["traffic-port", "8080"])
def test_a_health_check_on_the_application_is_no_gap(port: str) -> None:
    assert "LB_HEALTHCHECK_ON_ENVOY_ADMIN targetgroup/web" not in ids(health_on(port))


def a_gateway(**listener: Any) -> Resources:
    listener = {"PortMapping": {"Port": 8080, "Protocol": "http"}, **listener}
    properties = {"MeshName": "m", "VirtualGatewayName": "g", "Spec": {"Listeners": [listener]}}
    return {"Gateway": {"Type": "AWS::AppMesh::VirtualGateway", "Properties": properties}}


def a_gateway_route(match: dict[str, Any], **rewrite: Any) -> Resources:
    action: dict[str, Any] = {"Target": {"VirtualService": {"VirtualServiceName": "api.m.local"}}}
    if rewrite:
        action["Rewrite"] = rewrite
    spec = {"HttpRoute": {"Match": match, "Action": action}}
    properties = {"MeshName": "m", "VirtualGatewayName": "g", "GatewayRouteName": "r", "Spec": spec}
    return {"GatewayRoute": {"Type": "AWS::AppMesh::GatewayRoute", "Properties": properties}}


UNTOUCHED = {"Prefix": {"DefaultPrefix": "DISABLED"}, "Hostname": {"DefaultTargetHostname": "DISABLED"}}


@pytest.mark.parametrize(
    ("match", "rewrite", "expected"),
    [
        ({"Prefix": "/cart"}, {}, {"blocking", "degrading"}),
        ({"Prefix": "/"}, {}, {"degrading"}),
        ({"Prefix": "/"}, {"Prefix": {"Value": "/v2/"}}, {"blocking", "degrading"}),
        ({"Path": {"Exact": "/a"}}, {"Path": {"Exact": "/b"}}, {"blocking", "degrading"}),
        ({"Prefix": "/cart"}, UNTOUCHED, set()),
    ],
)
def test_a_gateway_that_changes_the_path_blocks_and_one_that_changes_the_host_degrades(
    match: dict[str, Any], rewrite: dict[str, Any], expected: set[str]
) -> None:
    plan = drawn({**two_services(), **a_gateway(), **a_gateway_route(match, **rewrite)})

    assert {each.severity.value for each in plan.gaps if each.id == "GATEWAY_ROUTE_REWRITE"} == expected
    assert {"VIRTUAL_GATEWAY virtualGateway/g", "GATEWAY_ROUTE gatewayRoute/g/r"} <= set(ids(plan))


def test_a_gateways_own_tls_and_limits_are_named() -> None:
    tls = {"Mode": "STRICT", "Certificate": {"ACM": {"CertificateArn": "arn:aws:acm:eu-west-1:1:x"}}}
    plan = drawn({**two_services(), **a_gateway(TLS=tls, ConnectionPool={"HTTP": {"MaxConnections": 9}})})

    assert {"GATEWAY_TLS virtualGateway/g", "CONNECTION_POOL virtualGateway/g"} <= set(ids(plan))


# -------------------------------------------------------------------------------- the tasks


@pytest.mark.parametrize(
    ("more", "gap", "weight"),
    [
        ({"task": {"RuntimePlatform": {"OperatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}}}, "WINDOWS", "blocking"),
        ({"task": {"NetworkMode": "host"}}, "NETWORK_MODE", "blocking"),
        ({"task": {"NetworkMode": "bridge"}}, "NETWORK_MODE", "degrading"),
        ({"LaunchType": "EXTERNAL"}, "LAUNCH_TYPE", "blocking"),
        ({"DeploymentController": {"Type": "CODE_DEPLOY"}}, "DEPLOYMENT_CONTROLLER", "blocking"),
        ({"environment": {"PROXY_HTTP_VERSION": "1.0"}}, "HTTP_1_0", "blocking"),
    ],
)
def test_what_service_connect_does_not_run_is_named(more: dict[str, Any], gap: str, weight: str) -> None:
    assert severity(drawn(two_services(), a_service("api", **more)), gap) == weight


def test_a_task_definition_that_no_service_runs_may_be_started_alone_and_is_named() -> None:
    job = {key: value for key, value in a_service("job").items() if key.startswith("Task")}

    plan = drawn({**two_services(), **a_node("job"), **job})

    assert "STANDALONE_TASK taskDefinition/job" in ids(plan)


def test_a_tcp_listener_without_an_idle_timeout_gets_service_connects_hour() -> None:
    tcp = a_node("api", listener={"PortMapping": {"Port": 8080, "Protocol": "tcp"}})

    assert ids(drawn({**two_services(), **tcp})) == ["IDLE_TIMEOUT virtualNode/api"]


# -------------------------------------------------------------------------------- namespaces


def of_another_account() -> Resources:
    resource = {"Name": "APPMESH_RESOURCE_ARN", "Value": "arn:aws:appmesh:eu-west-1:1:mesh/m@222/virtualNode/api"}
    return {**two_services(), **a_service("api", envoy={"Environment": [resource]})}


def test_a_mesh_of_another_account_blocks_until_a_shared_namespace_is_named() -> None:
    alone = drawn(of_another_account())
    shared = drawn(of_another_account(), options=DrawOptions(namespace=NAMESPACE))

    assert (severity(alone, "CROSS_ACCOUNT"), severity(shared, "CROSS_ACCOUNT")) == ("blocking", "degrading")
    assert (shared.namespace.name, shared.namespace.arn) == ("ns-abc", NAMESPACE)


def test_a_caller_outside_ecs_goes_on_calling_blue_and_is_named() -> None:
    outside: dict[str, Any] = {"ServiceDiscovery": {"DNS": {"Hostname": "old.example.com"}}}

    plan = drawn({**two_services(), **a_node("old", backends=["api.m.local"], **outside)})

    (found,) = [gap for gap in plan.gaps if gap.resource == "virtualNode/old"]
    assert (found.id, found.severity) == ("EXTERNAL_CALLER", Severity.DEGRADING)
    assert "old.example.com, outside ECS, and calls api" in found.detail


def test_a_node_outside_ecs_that_calls_nobody_who_moves_is_no_gap() -> None:
    plan = drawn({**two_services(), **a_node("old", backends=["other.m.local"]), **a_name("other.m.local", node="old")})

    assert not [gap for gap in plan.gaps if gap.id == "EXTERNAL_CALLER"]
