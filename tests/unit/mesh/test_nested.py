"""Nested stacks, given as files: arguments go down, outputs come up."""

from __future__ import annotations

from typing import Any

import pytest

from crossfade.mesh.sources import read_sources
from tests.meshes import a_mesh, a_node, a_service, text_of

NODE = {"Outputs": {"Node": {"Value": {"Fn::GetAtt": ["Nodeweb", "Arn"]}}}}


def nested(location: object, *, kind: str = "AWS::CloudFormation::Stack", **metadata: str) -> dict[str, Any]:
    field = "TemplateURL" if kind.endswith("Stack") else "Location"
    properties = {field: location, "Parameters": {"Mesh": {"Ref": "MeshName"}}}
    return {"Inner": {"Type": kind, "Properties": properties, "Metadata": metadata}}


def outer(resource: dict[str, Any]) -> Any:
    arn = {"Fn::GetAtt": ["Inner", "Outputs.Node"]}
    service = a_service("web", envoy={"Environment": [{"Name": "APPMESH_RESOURCE_ARN", "Value": arn}]})
    return text_of({**resource, **service}, "app.json", Parameters={"MeshName": {"Type": "String", "Default": "shop"}})


def inner(path: str) -> Any:
    node = a_node("web", mesh={"Ref": "Mesh"})  # type: ignore[arg-type]
    parameters = {"Mesh": {"Type": "String", "Default": "other"}}
    return text_of({**a_mesh("shop"), **node}, path, Parameters=parameters, **NODE)


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        (nested("https://s3.amazonaws.com/bucket/prefix/mesh.json"), "stacks/mesh.json"),
        (nested("./mesh.json"), "mesh.json"),
        (nested("mesh.json", kind="AWS::Serverless::Application"), "mesh.json"),
        (nested({"Fn::Sub": "https://x/${AWS::AccountId}/0a1b.json"}, **{"aws:asset:path": "m.json"}), "m.json"),
    ],
)
def test_a_nested_stack_takes_its_arguments_and_gives_its_outputs(resource: dict[str, Any], path: str) -> None:
    read = read_sources([outer(resource), inner(path)], {})

    assert read.nodes[0].mesh == "shop"
    assert str(read.task_definitions[0].mesh_resource).endswith(":mesh/shop/virtualNode/web")


def test_a_nested_stack_that_is_not_given_leaves_its_outputs_unknown() -> None:
    read = read_sources([outer(nested("./elsewhere.json")), inner("mesh.json")], {})

    assert "${" in str(read.task_definitions[0].mesh_resource)
