from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.errors import BadInput
from crossfade.mesh import hclfunctions
from crossfade.mesh.hcl import parse, plain, template
from crossfade.mesh.intrinsics import Unknown, Unresolved
from crossfade.mesh.sources import SourceText, read_sources

UNKNOWN = Unknown("${hole}", Unresolved("it is unknown"))


class Names:
    def name(self, root: str) -> object:
        known: dict[str, object] = {
            "var": {"n": 3, "on": True, "names": ["b", "a"], "m": {"x": {"port": 80}, "y": {"port": 81}}},
            "hole": UNKNOWN,
        }
        if root in known:
            return known[root]
        raise Unresolved(f"there is no {root}")

    def call(self, function: str, arguments: Sequence[object]) -> object:
        return hclfunctions.call(function, arguments)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * -3", -9),
        ("var.n > 2 && !false ? var.names[0] : null", "b"),
        ('"a-${var.n}-%{ if var.on }yes%{ else }no%{ endif }"', "a-3-yes"),
        ('[for name in var.names : upper(name) if name != "b"]', ["A"]),
        ("{for key, item in var.m : key => item.port}", {"x": 80, "y": 81}),
        ("values(var.m)[*].port", [80, 81]),
        ('var.m["x"].port', 80),
        ('merge({a = 1}, {b : 2, "c" = 3})', {"a": 1, "b": 2, "c": 3}),
        ("try(var.m.z.port, 7)", 7),
        ("can(var.m.z)", False),
        ('format("%s-%02d", "a", 7)', "a-07"),
        ("<<-EOT\n    a\n      b\n    EOT\n", "a\n  b\n"),
        ('lookup({a = "x"}, "b", "none")', "none"),
        ("flatten([[1], [2, [3]]])", [1, 2, 3]),
        ("concat(var.names...)", None),
    ],
)
def test_an_expression_means_what_terraform_means(text: str, value: object) -> None:
    if value is None:
        with pytest.raises(Unresolved):
            parse(text)(Names())
        return

    assert plain(parse(text)(Names())) == value


def test_what_is_unknown_travels_through_texts_and_json_and_is_refused_where_it_decides() -> None:
    text = parse('"x-${hole}"')(Names())
    encoded = parse('jsonencode([{name = "a", port = hole}])')(Names())

    assert isinstance(text, Unknown)
    assert encoded.data[0]["port"] is UNKNOWN  # type: ignore[attr-defined]
    with pytest.raises(Unresolved, match="it is unknown"):
        parse("hole == 1 ? 2 : 3")(Names())


@pytest.mark.parametrize("text", ["1 +", "a b", "[1", '"${"', "f(", "%{ if }", "a." + "[" * 200])
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(Unresolved):
        parse(text)(Names())


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet='${}%"\\[]().,?:=<>!&|+-*/ \nabv1for in if', max_size=40))
def test_no_text_ends_in_anything_but_a_value_or_a_refusal(text: str) -> None:
    for read in (parse, lambda said: template(said, escapes=True)):
        try:
            read(text)(Names())
        except Unresolved:
            continue


def nodes(*texts: tuple[str, str], **parameters: str) -> list[tuple[str, int]]:
    found = read_sources([SourceText(path, text) for path, text in texts], parameters)
    return [(node.name, node.listeners[0].port) for node in found.nodes]


NODE = """
resource "aws_appmesh_virtual_node" "n" {
  %s
  name      = %s
  mesh_name = "m"
  spec {
    listener {
      port_mapping {
        port     = var.port
        protocol = "http"
      }
    }
  }
}
variable "port" { %s }
"""


def test_variables_come_from_defaults_then_files_then_the_operator() -> None:
    main = ("t/main.tf", NODE % ("", '"n"', "default = 1"))
    values = ("t/terraform.tfvars", "port = 2")

    assert nodes(main) == [("n", 1)]
    assert nodes(main, values) == [("n", 2)]
    assert nodes(main, values, port="3") == [("n", 3)]


def test_count_and_for_each_make_as_many_as_they_say() -> None:
    assert nodes(("main.tf", NODE % ("count = 2", '"n${count.index}"', "default = 1"))) == [("n0", 1), ("n1", 1)]
    assert nodes(("main.tf", NODE % ('for_each = toset(["b", "a"])', "each.key", "default = 1"))) == [
        ("a", 1),
        ("b", 1),
    ]


def test_how_often_a_resource_exists_must_be_known() -> None:
    with pytest.raises(BadInput, match=r"main.tf: aws_appmesh_virtual_node.n: how often .* --param 'port=VALUE'"):
        nodes(("main.tf", NODE % ("count = var.port", '"n"', "type = number")))


def test_a_list_or_an_object_that_only_another_module_knows_can_be_given_as_one() -> None:
    text = NODE % ("for_each = toset(module.a.names)", "each.key", "default = jsondecode(module.a.said).port")
    main = ("main.tf", text + 'module "a" {\n  source = "x/y/aws"\n}\n')
    given = {"module.a.names": '["b", "c"]', "module.a.said": '{"port": 7}'}

    assert nodes(main, **given) == [("b", 7), ("c", 7)]


def test_where_nothing_smaller_helps_terraforms_own_answer_is_asked_for() -> None:
    with pytest.raises(BadInput, match=r"there is no module a; give what `terraform show -json` prints in its place"):
        nodes(("main.tf", NODE % ("count = module.a.n", '"n"', "default = 1")))


def test_a_module_in_the_tree_is_called_with_its_arguments_and_one_elsewhere_is_named() -> None:
    root = 'module "a" {\n  source = "./m"\n  port = 7\n}\nmodule "b" {\n  source = "x/y/aws"\n}\n'

    found = read_sources([SourceText("main.tf", root), SourceText("m/main.tf", NODE % ("", '"n"', ""))], {})

    assert [(node.name, node.listeners[0].port) for node in found.nodes] == [("n", 7)]
    assert "module.b comes from x/y/aws" in found.notes[0]


def test_a_file_outside_the_sources_is_not_read() -> None:
    text = (
        'resource "aws_ecs_task_definition" "t" {\n  family = "t"\n  container_definitions = file("/etc/passwd")\n}\n'
    )

    with pytest.raises(BadInput, match=r"file /etc/passwd is not among the sources"):
        read_sources([SourceText("main.tf", text)], {})


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 500, 'a = "${' + "(" * 500 + '"', "locals {\n  a = local.b\n  b = local.a\n}\n", "{" * 300],
)
def test_deep_and_circular_configuration_is_refused_or_read_at_once(text: str) -> None:
    with pytest.raises(BadInput):
        read_sources([SourceText("main.tf", text + NODE % ("count = local.a", '"n"', "default = 1"))], {})
