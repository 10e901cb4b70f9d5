"""Hostile text is refused in whatever form it comes, before anything large is made of it."""

from __future__ import annotations

import tracemalloc

import pytest

from crossfade.draw.draw import draw
from crossfade.draw.options import DrawOptions
from crossfade.errors import BadInput
from crossfade.mesh.sources import SourceText, read_sources
from tests.meshes import NOON, Resources, a_mesh, a_node, a_route, a_service, drawn

DEEP = '{"a":' * 5_000 + "1" + "}" * 5_000
BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)
MESH = 'resource "aws_appmesh_mesh" "m" {\n  name = %s\n}\n'
DOUBLED = "\n".join(
    ["locals {", '  a0 = "x"', *(f'  a{n} = "${{local.a{n - 1}}}${{local.a{n - 1}}}"' for n in range(1, 41)), "}", ""]
)
LISTS = "\n".join(
    ["locals {", '  a0 = ["x"]', *(f"  a{n} = concat(local.a{n - 1}, local.a{n - 1})" for n in range(1, 41)), "}", ""]
)
NESTED = "\n".join(
    ["locals {", '  a0 = ["x"]', *(f"  a{n} = [local.a{n - 1}, local.a{n - 1}]" for n in range(1, 41)), "}", ""]
)
OUTPUTS = "\n".join(
    [
        "Resources: {M: {Type: 'AWS::AppMesh::Mesh', Properties: {MeshName: {'Fn::ImportValue': e40}}}}",
        "Outputs:",
        "  O0: {Value: x, Export: {Name: e0}}",
        *(
            f"  O{n}:\n    Export: {{Name: e{n}}}\n"
            f"    Value: {{'Fn::Sub': ['${{a}}${{a}}', {{a: {{'Fn::ImportValue': e{n - 1}}}}}]}}"
            for n in range(1, 41)
        ),
    ]
)
REPLACED = 'replace(local.a, "0", local.a)'
MOST_BYTES = 100_000_000


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("t.yaml", BOMB),
        ("values.tfvars.json", BOMB),
        ("main.tf.json", BOMB),
        ("t.template", DEEP),
        ("terraform.tfstate", '{"version": 4, "terraform_version": "1", "resources": ' + DEEP + "}"),
        ("show.json", '{"format_version": "1.0", "values": ' + DEEP + "}"),
        ("export.json", '{"crossfade_export": 1, "answers": [' + DEEP + "]}"),
        ("node.json", '{"virtualNode": ' + DEEP + "}"),
        ("main.tf", MESH % ("[" * 5_000 + "]" * 5_000)),
        ("main.tf", MESH % ('"${' + "(" * 2_000 + "1" + ")" * 2_000 + '}"')),
        ("main.tf", "# " + "x" * 1_000_000),
        ("main.tf", "locals {\n  a = range(0, 1000000000)\n}\n" + MESH % "local.a"),
        ("main.tf", 'locals {\n  a = format("%1000000000d", 1)\n}\n' + MESH % "local.a"),
        ("main.tf", DOUBLED + MESH % "local.a40"),
        ("main.tf", LISTS + MESH % 'join("", local.a40)'),
        ("main.tf", NESTED + MESH % "jsonencode(local.a40)"),
        ("main.tf", 'locals {\n  a = join("", [for n in range(0, 9999) : "0123456789"])\n}\n' + MESH % REPLACED),
        ("outputs.yaml", OUTPUTS),
    ],
    ids=[
        "yaml aliases",
        "tfvars aliases",
        "tf.json aliases",
        "deep template",
        "deep state",
        "deep show",
        "deep export",
        "deep answer",
        "deep list",
        "deep expression",
        "large",
        "long range",
        "wide number",
        "text that doubles",
        "list that doubles",
        "lists in lists",
        "text in text",
        "outputs that double",
    ],
)
def test_hostile_text_is_refused_and_stays_small(path: str, text: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(BadInput):
            draw(read_sources([SourceText(path, text)], {}), DrawOptions(), NOON)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < MOST_BYTES


@pytest.mark.parametrize(
    "number",
    ["NaN", "Infinity", "1e400", "9" * 400, f'"{"9" * 5_000}"', ".nan", "0x" + "f" * 5_000],
    ids=["nan", "infinity", "too large for a float", "too large", "too large a text", "YAML nan", "YAML hexadecimal"],
)
@pytest.mark.parametrize(
    "text",
    [
        "Resources: {S: {Type: 'AWS::ECS::Service', Properties: {ServiceName: s, DesiredCount: %s}}}",
        '{"Resources": {"S": {"Type": "AWS::ECS::Service", "Properties": {"ServiceName": "s", "DesiredCount": %s}}}}',
    ],
    ids=["YAML", "JSON"],
)
def test_a_number_that_is_none_is_refused(text: str, number: str) -> None:
    with pytest.raises(BadInput):
        draw(read_sources([SourceText("t.yaml", text % number)], {}), DrawOptions(), NOON)


@pytest.mark.parametrize(
    ("resources", "field", "value"),
    [
        (a_service("s", DesiredCount=-1), "desiredCount", "-1"),
        (a_service("s", HealthCheckGracePeriodSeconds=-5), "healthCheckGracePeriodSeconds", "-5"),
        (a_node("s", 70_000), "port", "70000"),
        (a_node("s", listener={"Timeout": {"HTTP": {"Idle": {"Unit": "s", "Value": -2}}}}), "value", "-2"),
        (a_route("r", "v", {"s": -3}), "weight", "-3"),
    ],
    ids=["count", "grace", "port", "timeout", "weight"],
)
def test_a_number_out_of_bounds_is_refused_where_it_stands(resources: Resources, field: str, value: str) -> None:
    with pytest.raises(BadInput, match=f"t.json: Resources/.*{field}: {value} is out of bounds"):
        drawn(a_mesh(), resources)
