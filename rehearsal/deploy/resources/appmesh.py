"""
App Mesh: the mesh an application is to leave.

`Ref` of every type is its ARN.

Source: AWS CloudFormation Template Reference, "AWS App Mesh".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearsal.deploy.making import Made, Maker, New


def _maker(operation: str, answer: str, named: str) -> Maker:
    """
    Return the maker of one type.

    Args:
        operation: boto3's operation.
        answer: Member of its answer that describes what was made.
        named: Property that names it; made up when absent.
    """

    def make(new: New) -> Made:
        name = new.name(named, longest=255)
        fixed: dict[str, Any] = {named[0].lower() + named[1:]: name}
        made = new.call("appmesh", operation, **fixed)[answer]
        attributes = {
            "Arn": made["metadata"]["arn"],
            "Uid": made["metadata"]["uid"],
            "MeshOwner": made["metadata"]["meshOwner"],
            "ResourceOwner": made["metadata"]["resourceOwner"],
            named: name,
        }
        # a part of the mesh also tells whose part it is
        for member, attribute in _PARENTS.items():
            if member in made:
                attributes.setdefault(attribute, made[member])
        return Made(made["metadata"]["arn"], attributes)

    return make


_PARENTS = {
    "meshName": "MeshName",
    "virtualRouterName": "VirtualRouterName",
    "virtualGatewayName": "VirtualGatewayName",
}

MAKERS: Mapping[str, Maker] = {
    "AWS::AppMesh::GatewayRoute": _maker("create_gateway_route", "gatewayRoute", "GatewayRouteName"),
    "AWS::AppMesh::Mesh": _maker("create_mesh", "mesh", "MeshName"),
    "AWS::AppMesh::Route": _maker("create_route", "route", "RouteName"),
    "AWS::AppMesh::VirtualGateway": _maker("create_virtual_gateway", "virtualGateway", "VirtualGatewayName"),
    "AWS::AppMesh::VirtualNode": _maker("create_virtual_node", "virtualNode", "VirtualNodeName"),
    "AWS::AppMesh::VirtualRouter": _maker("create_virtual_router", "virtualRouter", "VirtualRouterName"),
    "AWS::AppMesh::VirtualService": _maker("create_virtual_service", "virtualService", "VirtualServiceName"),
}
