"""
What App Mesh itself still answers: everything it describes of every mesh.

Best effort: the service has ended, so a refusal or a silence is one remark, and the mesh is rebuilt from ECS instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Answer = Mapping[str, Any]


def read_meshes(client: Any) -> Iterator[Answer]:
    """Yield App Mesh's description of every mesh and of all it holds, in the shape the API answers."""
    for listed in _all(client, "list_meshes", "meshes"):
        mesh = {"meshName": listed["meshName"], "meshOwner": listed["meshOwner"]}
        yield _described(client.describe_mesh(**mesh))
        for each in _all(client, "list_virtual_nodes", "virtualNodes", **mesh):
            yield _described(client.describe_virtual_node(**mesh, virtualNodeName=each["virtualNodeName"]))
        for each in _all(client, "list_virtual_services", "virtualServices", **mesh):
            yield _described(client.describe_virtual_service(**mesh, virtualServiceName=each["virtualServiceName"]))
        yield from _routers(client, mesh)
        yield from _gateways(client, mesh)


def _routers(client: Any, mesh: Mapping[str, str]) -> Iterator[Answer]:
    for each in _all(client, "list_virtual_routers", "virtualRouters", **mesh):
        router = {**mesh, "virtualRouterName": each["virtualRouterName"]}
        yield _described(client.describe_virtual_router(**router))
        for route in _all(client, "list_routes", "routes", **router):
            yield _described(client.describe_route(**router, routeName=route["routeName"]))


def _gateways(client: Any, mesh: Mapping[str, str]) -> Iterator[Answer]:
    for each in _all(client, "list_virtual_gateways", "virtualGateways", **mesh):
        gateway = {**mesh, "virtualGatewayName": each["virtualGatewayName"]}
        yield _described(client.describe_virtual_gateway(**gateway))
        for route in _all(client, "list_gateway_routes", "gatewayRoutes", **gateway):
            yield _described(client.describe_gateway_route(**gateway, gatewayRouteName=route["gatewayRouteName"]))


def _all(client: Any, operation: str, field: str, **arguments: str) -> Iterator[Mapping[str, Any]]:
    for page in client.get_paginator(operation).paginate(**arguments):
        yield from page[field]


def _described(answer: Answer) -> Answer:
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}
