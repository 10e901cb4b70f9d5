"""App Mesh of the embedded AWS, in both modes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.aws.lab import MODES, Lab, labs

SECONDS = {"unit": "s", "value": 15}
NODE: dict[str, Any] = {
    "listeners": [
        {
            "portMapping": {"port": 8080, "protocol": "http"},
            "healthCheck": {
                "protocol": "http",
                "path": "/",
                "intervalMillis": 5000,
                "timeoutMillis": 2000,
                "healthyThreshold": 2,
                "unhealthyThreshold": 2,
            },
            "outlierDetection": {
                "maxServerErrors": 5,
                "interval": SECONDS,
                "baseEjectionDuration": SECONDS,
                "maxEjectionPercent": 50,
            },
            "timeout": {"http": {"perRequest": SECONDS, "idle": SECONDS}},
            "connectionPool": {"http": {"maxConnections": 10, "maxPendingRequests": 5}},
        }
    ],
    "serviceDiscovery": {"awsCloudMap": {"namespaceName": "shop.local", "serviceName": "orders"}},
    "backends": [{"virtualService": {"virtualServiceName": "payments.shop.local"}}],
    "logging": {"accessLog": {"file": {"path": "/dev/stdout"}}},
}
ROUTE: dict[str, Any] = {
    "priority": 1,
    "httpRoute": {
        "match": {"prefix": "/", "headers": [{"name": "x-tier", "match": {"exact": "gold"}}]},
        "action": {"weightedTargets": [{"virtualNode": "orders", "weight": 90, "port": 8080}]},
        "retryPolicy": {"maxRetries": 2, "perRetryTimeout": SECONDS, "httpRetryEvents": ["server-error"]},
        "timeout": {"perRequest": SECONDS},
    },
}


@pytest.fixture(scope="module", params=MODES)
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    yield from labs(request.param)


@pytest.fixture
def mesh(lab: Lab) -> str:
    name = lab.name("mesh")
    lab.client("appmesh").create_mesh(
        meshName=name, spec={"egressFilter": {"type": "DROP_ALL"}}, tags=[{"key": "team", "value": "shop"}]
    )
    return name


def code_of(act: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as refused:
        act(**request)
    return str(refused.value.response["Error"]["Code"])


def test_a_mesh_has_the_arn_and_owner_of_aws(lab: Lab, mesh: str) -> None:
    found = lab.client("appmesh").describe_mesh(meshName=mesh)["mesh"]

    assert found["metadata"]["arn"] == f"arn:aws:appmesh:eu-west-1:123456789012:mesh/{mesh}"
    assert found["metadata"]["meshOwner"] == "123456789012"
    assert found["spec"] == {"egressFilter": {"type": "DROP_ALL"}}


RESOURCES: list[tuple[str, dict[str, str], dict[str, Any], str]] = [
    ("virtual_node", {"virtualNodeName": "orders"}, NODE, "virtualNode/orders"),
    (
        "virtual_router",
        {"virtualRouterName": "orders"},
        {"listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}]},
        "virtualRouter/orders",
    ),
    ("route", {"virtualRouterName": "orders", "routeName": "all"}, ROUTE, "virtualRouter/orders/route/all"),
    (
        "virtual_service",
        {"virtualServiceName": "orders.shop.local"},
        {"provider": {"virtualRouter": {"virtualRouterName": "orders"}}},
        "virtualService/orders.shop.local",
    ),
    (
        "virtual_gateway",
        {"virtualGatewayName": "front"},
        {"listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}]},
        "virtualGateway/front",
    ),
    (
        "gateway_route",
        {"virtualGatewayName": "front", "gatewayRouteName": "orders"},
        {
            "httpRoute": {
                "match": {"prefix": "/"},
                "action": {"target": {"virtualService": {"virtualServiceName": "orders.shop.local"}}},
            }
        },
        "virtualGateway/front/gatewayRoute/orders",
    ),
]


def whole(lab: Lab, mesh: str) -> Any:
    """Create one resource of every kind."""
    appmesh = lab.client("appmesh")
    for kind, names, spec, _ in RESOURCES:
        getattr(appmesh, f"create_{kind}")(meshName=mesh, **names, spec=spec)
    return appmesh


@pytest.mark.parametrize(("kind", "names", "spec", "path"), RESOURCES)
def test_a_whole_mesh_is_read_as_it_was_written(
    lab: Lab, mesh: str, *, kind: str, names: dict[str, str], spec: dict[str, Any], path: str
) -> None:
    appmesh = whole(lab, mesh)

    [found] = [
        value
        for member, value in getattr(appmesh, f"describe_{kind}")(meshName=mesh, **names).items()
        if member != "ResponseMetadata"
    ]

    parents = {member: value for member, value in names.items() if member != list(names)[-1]}
    [listed] = [
        value
        for member, value in getattr(appmesh, f"list_{kind}s")(meshName=mesh, **parents).items()
        if isinstance(value, list)
    ]
    assert found["spec"] == spec
    assert found["status"] == {"status": "ACTIVE"}
    assert found["metadata"]["arn"] == f"arn:aws:appmesh:eu-west-1:123456789012:mesh/{mesh}/{path}"
    assert [each["arn"] for each in listed] == [found["metadata"]["arn"]]
    assert {**found, **names} == found


def test_an_update_replaces_the_spec_and_counts_versions(lab: Lab, mesh: str) -> None:
    appmesh = whole(lab, mesh)
    other = {"provider": {"virtualNode": {"virtualNodeName": "orders"}}}

    appmesh.update_virtual_service(meshName=mesh, virtualServiceName="orders.shop.local", spec=other)

    found = appmesh.describe_virtual_service(meshName=mesh, virtualServiceName="orders.shop.local")["virtualService"]
    assert (found["spec"], found["metadata"]["version"]) == (other, 2)


def test_nothing_in_use_can_be_deleted(lab: Lab, mesh: str) -> None:
    appmesh = whole(lab, mesh)

    refused = [
        code_of(appmesh.delete_mesh, meshName=mesh),
        code_of(appmesh.delete_virtual_router, meshName=mesh, virtualRouterName="orders"),
        code_of(appmesh.delete_virtual_gateway, meshName=mesh, virtualGatewayName="front"),
    ]

    assert refused == ["ResourceInUseException"] * 3


def test_a_mesh_can_be_taken_down_from_the_leaves(lab: Lab, mesh: str) -> None:
    appmesh = whole(lab, mesh)
    order = ("gateway_route", "virtual_service", "route", "virtual_router", "virtual_node", "virtual_gateway")
    names = {kind: names for kind, names, _, _ in RESOURCES}

    for kind in order:
        getattr(appmesh, f"delete_{kind}")(meshName=mesh, **names[kind])

    assert appmesh.delete_mesh(meshName=mesh)["mesh"]["status"] == {"status": "DELETED"}
    assert code_of(appmesh.describe_mesh, meshName=mesh) == "NotFoundException"


def test_a_name_is_taken_once_and_its_parent_must_exist(lab: Lab, mesh: str) -> None:
    appmesh = whole(lab, mesh)
    node = {"virtualNodeName": "orders", "spec": {}}

    assert code_of(appmesh.create_virtual_node, meshName=mesh, **node) == "ConflictException"
    assert code_of(appmesh.create_virtual_node, meshName="nobody", **node) == "NotFoundException"
    assert code_of(appmesh.list_routes, meshName=mesh, virtualRouterName="nobody") == "NotFoundException"


@pytest.mark.parametrize("target", [{"virtualNode": "orders", "weight": 101}, {"virtualNode": "n" * 256, "weight": 1}])
def test_a_value_beyond_the_limits_of_the_api_is_refused(lab: Lab, mesh: str, target: dict[str, Any]) -> None:
    appmesh = whole(lab, mesh)
    spec = {"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": [target]}}}

    code = code_of(appmesh.create_route, meshName=mesh, virtualRouterName="orders", routeName="other", spec=spec)

    assert code == "BadRequestException"


def test_an_unknown_protocol_is_refused(lab: Lab, mesh: str) -> None:
    spec = {"listeners": [{"portMapping": {"port": 80, "protocol": "smtp"}}]}

    code = code_of(lab.client("appmesh").create_virtual_node, meshName=mesh, virtualNodeName="mail", spec=spec)

    assert code == "BadRequestException"


def test_lists_come_in_pages(lab: Lab, mesh: str) -> None:
    appmesh = lab.client("appmesh")
    for index in range(5):
        appmesh.create_virtual_node(meshName=mesh, virtualNodeName=f"node-{index}", spec={})

    pages = list(appmesh.get_paginator("list_virtual_nodes").paginate(meshName=mesh, PaginationConfig={"PageSize": 2}))

    assert [[each["virtualNodeName"] for each in page["virtualNodes"]] for page in pages] == [
        ["node-0", "node-1"],
        ["node-2", "node-3"],
        ["node-4"],
    ]


def test_tags_are_kept(lab: Lab, mesh: str) -> None:
    appmesh = lab.client("appmesh")
    arn = f"arn:aws:appmesh:eu-west-1:123456789012:mesh/{mesh}"
    appmesh.tag_resource(resourceArn=arn, tags=[{"key": "stage", "value": "test"}])

    appmesh.untag_resource(resourceArn=arn, tagKeys=["team"])

    assert appmesh.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "stage", "value": "test"}]
