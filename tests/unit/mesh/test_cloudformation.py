from __future__ import annotations

import json
from typing import Any

import pytest

from crossfade.errors import BadInput
from crossfade.mesh.model import Protocol, WeightedTarget
from crossfade.mesh.sources import SourceText, read_sources
from tests.meshes import a_mesh, a_name, a_node, a_route, a_router, a_service, an_edge, behind, found, text_of

EXPORTS: dict[str, Any] = {
    "MeshName": {"Value": {"Fn::GetAtt": ["Mesh", "MeshName"]}, "Export": {"Name": {"Fn::Sub": "${Prefix}:Mesh"}}}
}
PREFIX: dict[str, Any] = {"Prefix": {"Type": "String", "Default": "shop"}}


def importing(name: str) -> dict[str, dict[str, Any]]:
    arn = {"Fn::Sub": ["arn:aws:appmesh:x:1:mesh/${M}/virtualNode/web", {"M": {"Fn::ImportValue": name}}]}
    environment = [{"Name": "APPMESH_RESOURCE_ARN", "Value": arn}]
    return a_service("web", envoy={"Environment": environment})


def test_exports_are_resolved_across_stacks_in_any_order() -> None:
    mesh = text_of(a_mesh("m"), "mesh.json", Outputs=EXPORTS, Parameters=PREFIX)

    read = read_sources([text_of(importing("shop:Mesh"), "services.json"), mesh], {})

    assert read.task_definitions[0].mesh_resource == "arn:aws:appmesh:x:1:mesh/m/virtualNode/web"


def test_an_import_that_no_stack_exports_stays_unknown_and_says_how_to_supply_it() -> None:
    read = found(importing("elsewhere:Mesh"))

    with pytest.raises(BadInput, match=r"exports elsewhere:Mesh; add the one that does, or give --param 'Import:"):
        read.known(str(read.task_definitions[0].mesh_resource))


def test_an_import_may_be_given() -> None:
    read = found(importing("elsewhere:Mesh"), parameters={"Import:elsewhere:Mesh": "m"})

    assert read.task_definitions[0].mesh_resource == "arn:aws:appmesh:x:1:mesh/m/virtualNode/web"


def test_one_export_from_two_stacks_is_not_guessed() -> None:
    mesh = [text_of(a_mesh("m"), f"{n}.json", Outputs=EXPORTS, Parameters=PREFIX) for n in "ab"]

    read = read_sources([*mesh, text_of(importing("shop:Mesh"))], {})

    with pytest.raises(BadInput, match=r"comes from a\.json and b\.json"):
        read.known(str(read.task_definitions[0].mesh_resource))


def test_a_parameter_is_taken_from_the_operator_then_from_its_default() -> None:
    sections = {"Parameters": {"P": {"Type": "Number", "Default": 8080}}}

    by_default = found(a_node("n", port={"Ref": "P"}), **sections)  # type: ignore[arg-type]
    given = found(a_node("n", port={"Ref": "P"}), parameters={"P": "9090"}, **sections)  # type: ignore[arg-type]
    by_file = found(a_node("n", port={"Ref": "P"}), parameters={"t.json:P": "7070"}, **sections)  # type: ignore[arg-type]

    assert [read.nodes[0].listeners[0].port for read in (by_default, given, by_file)] == [8080, 9090, 7070]


def test_a_number_that_no_file_knows_is_refused_with_the_place_and_the_way_out() -> None:
    with pytest.raises(BadInput) as refused:
        found(a_node("n", port={"Ref": "P"}), Parameters={"P": {"Type": "Number"}})  # type: ignore[arg-type]

    assert str(refused.value) == (
        "t.json: Resources/Noden/spec/listeners/0/portMapping/port: a number is needed here; "
        "t.json: the parameter P has no value; give --param 't.json:P=VALUE'"
    )


def test_a_parameter_that_no_template_knows_is_a_mistake() -> None:
    with pytest.raises(BadInput, match="--param Nope: no template given"):
        found(a_mesh(), parameters={"Nope": "1"})


def test_a_generated_name_is_unknown_until_it_is_given() -> None:
    service = a_service("web")
    del service["Serviceweb"]["Properties"]["ServiceName"]

    unknown, given = found(service), found(service, parameters={"Serviceweb": "web-1X"})

    assert given.services[0].name == "web-1X"
    with pytest.raises(
        BadInput, match=r"CloudFormation makes up the name of Serviceweb .* --param 't\.json:Serviceweb"
    ):
        unknown.known(unknown.services[0].name)


def test_the_meshs_own_generated_names_need_not_be_known() -> None:
    node = a_node("n")
    del node["Noden"]["Properties"]["VirtualNodeName"]
    name = a_name("n.m.local", node="x")
    provider = {"VirtualNode": {"VirtualNodeName": {"Fn::GetAtt": ["Noden", "VirtualNodeName"]}}}
    name["Namenmlocal"]["Properties"]["Spec"]["Provider"] = provider

    read = found(node, name)

    assert read.virtual_services[0].node == read.nodes[0].name == "Noden"


def test_a_resource_whose_condition_does_not_hold_is_not_there() -> None:
    node = a_node("n")
    node["Noden"]["Condition"] = "Big"
    conditions = {"Conditions": {"Big": {"Fn::Equals": [{"Ref": "Size"}, "big"]}}}
    sections: dict[str, Any] = {**conditions, "Parameters": {"Size": {"Type": "String", "Default": "small"}}}

    assert found(node, **sections).nodes == ()
    assert len(found(node, parameters={"Size": "big"}, **sections).nodes) == 1


def test_a_condition_on_an_unknown_value_is_refused() -> None:
    node = a_node("n")
    node["Noden"]["Condition"] = "Big"
    conditions = {"Big": {"Fn::Equals": [{"Ref": "Size"}, "big"]}}

    with pytest.raises(
        BadInput, match=r"t\.json: Resources/Noden: whether it exists depends on .*--param 't\.json:Size"
    ):
        found(node, Conditions=conditions, Parameters={"Size": {"Type": "String"}})


def test_if_may_stand_around_a_whole_spec() -> None:
    node = a_node("n", 9090)
    spec = node["Noden"]["Properties"]["Spec"]
    node["Noden"]["Properties"]["Spec"] = {"Fn::If": ["Big", {"Ref": "Nothing"}, spec]}

    read = found(node, Conditions={"Big": {"Fn::Equals": ["a", "b"]}})

    assert read.nodes[0].listeners[0].port == 9090


def test_references_lead_from_a_service_to_its_task_target_group_and_balancer() -> None:
    read = found(a_service("web", LoadBalancers=behind()), an_edge("web-targets"))

    assert read.services[0].task_definition == read.task_definitions[0].family == "web"
    assert read.services[0].targets[0].target_group == read.target_groups[0].name == "web-targets"
    assert [(rule.load_balancer, rule.listener_port, rule.priority) for rule in read.rules] == [("lb", 80, "default")]


def test_a_rule_knows_its_listeners_port_and_every_group_it_forwards_to() -> None:
    forward = {"TargetGroups": [{"TargetGroupArn": {"Ref": "Targets"}, "Weight": 1}]}
    rule = {
        "Type": "AWS::ElasticLoadBalancingV2::ListenerRule",
        "Properties": {
            "ListenerArn": {"Ref": "Listener"},
            "Priority": 5,
            "Actions": [{"Type": "forward", "ForwardConfig": forward}],
        },
    }

    read = found(an_edge(), {"Rule": rule})

    [chosen] = [each for each in read.rules if each.priority != "default"]
    assert (chosen.listener_port, chosen.priority, chosen.target_groups) == (80, "5", ("web",))


def test_a_route_is_read_with_its_targets_and_milliseconds_as_seconds() -> None:
    timeout = {"PerRequest": {"Unit": "ms", "Value": 1500}}

    read = found(a_router("r"), a_route("all", "r", {"a": 3, "b": 1}, Timeout=timeout, priority=4))

    route = read.routes[0]
    assert route.targets == (WeightedTarget("a", 3), WeightedTarget("b", 1))
    assert (route.protocol, route.priority, route.timeouts.per_request_seconds) == (Protocol.HTTP, 4, 1.5)
    assert route.catches_all


def test_a_mesh_without_a_spec_drops_what_no_name_covers() -> None:
    read = found({"Mesh": {"Type": "AWS::AppMesh::Mesh", "Properties": {"MeshName": "m"}}})

    assert read.meshes[0].egress == "DROP_ALL"


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ({"A": []}, "a resource must be a mapping"),
        ({"Fn::ForEach::A": ["x", [], {}]}, "expand this transform first"),
        (a_node("n", listener={"PortMapping": {"Port": "x", "Protocol": "http"}}), "a number is needed"),
        (a_node("n", listener={"PortMapping": {"Port": 1, "Protocol": "udp"}}), "udp is no protocol"),
        (a_node("n", Backends="x"), "a list is needed"),
        (a_node("n", ServiceDiscovery=["x"]), "a mapping is needed"),
        (
            {"R": {"Type": "AWS::AppMesh::Route", "Properties": {"MeshName": "m", "VirtualRouterName": "r"}}},
            "httpRoute",
        ),
        ({"V": {"Type": "AWS::AppMesh::VirtualNode", "Properties": {}}}, "meshName: a text is needed"),
    ],
)
def test_a_template_that_is_not_as_it_should_be_is_one_clear_refusal(resources: Any, said: str) -> None:
    with pytest.raises(BadInput, match=said) as refused:
        found(resources)

    assert str(refused.value).startswith("t.json: ")


def test_names_that_refer_to_each_other_in_a_circle_are_unknown_and_end() -> None:
    one, two = a_service("one"), a_service("two")
    one["Taskone"]["Properties"]["Family"] = {"Fn::GetAtt": ["Tasktwo", "Family"]}
    two["Tasktwo"]["Properties"]["Family"] = {"Fn::GetAtt": ["Taskone", "Family"]}

    read = found(one, two)

    with pytest.raises(BadInput, match="refers to itself"):
        read.known(read.task_definitions[0].family)


def test_files_of_one_name_are_told_apart_by_their_folders() -> None:
    texts = [SourceText(f"{folder}/t.json", json.dumps({"Resources": a_mesh(folder)})) for folder in ("a", "b")]

    read = read_sources(texts, {})

    assert [mesh.place.file for mesh in read.meshes] == ["a/t.json", "b/t.json"]


def test_an_attribute_written_as_a_reference_is_asked_for_as_one() -> None:
    counted = {"Type": "Custom::Counter", "Properties": {"ServiceToken": "arn:aws:lambda:eu-west-1:1:function:f"}}
    service = a_service("web", DesiredCount={"Ref": "Counter.Wanted"})

    with pytest.raises(BadInput, match=r"give --param 't.json:Counter.Wanted=VALUE'"):
        found(a_mesh(), a_node("web"), service, {"Counter": counted})
    asked = found(a_mesh(), a_node("web"), service, {"Counter": counted}, parameters={"Counter.Wanted": "3"})
    assert [each.desired_count for each in asked.services] == [3]
