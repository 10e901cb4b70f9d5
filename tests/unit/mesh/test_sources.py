from __future__ import annotations

import pytest

from crossfade.errors import BadInput
from crossfade.mesh.sources import SourceText, read_parameters, read_sources


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("main.tf", 'resource "aws_appmesh_mesh" {', "not readable as Terraform's HCL 2"),
        ("s.json", '{"version": 3, "terraform_version": "0.11", "modules": []}', "Terraform state of version 3"),
        ("m.yaml", "apiVersion: appmesh.k8s.aws/v1beta2\nkind: Mesh\n---\nkind: x\n", "mesh on Kubernetes has no way"),
        ("d.yaml", "apiVersion: apps/v1\nkind: Deployment\n", "a Kubernetes resource"),
        ("vn.json", '{"virtualNode": {"meshName": "m"}}', "a text is needed here, found nothing"),
        ("x.yaml", "a: 1", "has no Resources"),
        ("x.yaml", "just text", "neither a CloudFormation template"),
        ("manifest.yml", "name: api\ntype: Backend Service\n", "give the templates that `copilot svc package`"),
        ("x.yaml", "Resources: []", "has no Resources"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(path: str, text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said) as refused:
        read_sources([SourceText(path, text)], {})

    assert str(refused.value).startswith(path)


def test_no_source_is_said() -> None:
    with pytest.raises(BadInput, match="no source given"):
        read_sources([], {})


@pytest.mark.parametrize(
    "text",
    [
        '[{"ParameterKey": "A", "ParameterValue": "1"}, {"ParameterKey": "B", "ParameterValue": "x,y"}]',
        '{"Parameters": {"A": "1", "B": "x,y"}}',
        '{"A": 1, "B": ["x", "y"]}',
        "A: 1\nB: x,y\n",
    ],
)
def test_parameters_are_read_in_every_form_the_tools_write(text: str) -> None:
    assert read_parameters(text, "p") == {"A": "1", "B": "x,y"}


@pytest.mark.parametrize("text", ['[{"ParameterKey": "A"}]', "[1]", "x", "A: {b: 1}"])
def test_a_file_that_holds_no_parameters_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match=r"^p: "):
        read_parameters(text, "p")
