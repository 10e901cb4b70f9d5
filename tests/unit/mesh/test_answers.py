from __future__ import annotations

import json
from typing import Any

import pytest

from crossfade.errors import BadInput
from crossfade.mesh.model import Found
from crossfade.mesh.sources import SourceText, read_sources

SPEC = {
    "listeners": [{"portMapping": {"port": 80, "protocol": "http"}}],
    "serviceDiscovery": {"dns": {"hostname": "a"}},
}


def read(*bodies: Any, **parameters: str) -> Found:
    names = ((f"s{at}.json" if isinstance(body, dict | list) else body[0]) for at, body in enumerate(bodies))
    texts = [
        SourceText(name, json.dumps(body) if isinstance(body, dict | list) else body[1])
        for name, body in zip(names, bodies, strict=True)
    ]
    return read_sources(texts, parameters)


def described(name: str = "web") -> dict[str, Any]:
    return {"meshName": "m", "virtualNodeName": name, "spec": SPEC, "status": {"status": "ACTIVE"}}


@pytest.mark.parametrize(
    "body",
    [
        {"virtualNode": described()},
        {"status_code": 200, "data": {"ResponseMetadata": {}, "virtualNode": described()}},
        [{"virtualNode": described()}],
        described(),
        {"crossfade_export": 1, "answers": [{"virtualNode": described()}]},
    ],
    ids=["bare", "wrapped", "list", "unwrapped", "export"],
)
def test_an_answer_is_read_however_it_was_kept(body: Any) -> None:
    assert [(node.mesh, node.name, node.host) for node in read(body).nodes] == [("m", "web", "a")]


def test_what_a_list_names_and_nothing_describes_is_refused_with_the_command() -> None:
    listed = {"virtualNodes": [{"meshName": "m", "virtualNodeName": "web"}, {"meshName": "m", "virtualNodeName": "b"}]}

    with pytest.raises(BadInput, match=r"describe-virtual-node --mesh-name m --virtual-node-name b`"):
        read({"virtualNode": described()}, listed)


def test_the_same_answer_twice_counts_once() -> None:
    assert len(read({"virtualNode": described()}, {"virtualNode": described()}).nodes) == 1


def test_what_an_export_could_not_read_is_said_again() -> None:
    export = {"crossfade_export": 1, "notes": ["appmesh is silent"], "answers": [{"virtualNode": described()}]}

    assert "s0.json: appmesh is silent" in read(export).notes


def test_a_deleted_resource_is_history() -> None:
    gone = {**described("old"), "status": {"status": "DELETED"}}

    assert [node.name for node in read({"virtualNode": gone}, {"virtualNode": described()}).nodes] == ["web"]


def test_the_revision_that_a_service_runs_is_the_one_that_counts() -> None:
    def revision(number: int) -> dict[str, Any]:
        arn = f"arn:aws:ecs:eu-west-1:1:task-definition/web:{number}"
        containers = [{"name": "app", "image": f"app:{number}"}]
        return {"family": "web", "revision": number, "taskDefinitionArn": arn, "containerDefinitions": containers}

    service = {"serviceName": "web", "clusterArn": "c", "taskDefinition": revision(2)["taskDefinitionArn"]}
    answers = [{"taskDefinition": revision(number)} for number in (1, 2, 3)]

    running, newest = read(*answers, {"services": [service]}), read({"virtualNode": described()}, *answers)

    assert running.task_definitions[0].containers[0].image == "app:2"
    assert newest.task_definitions[0].containers[0].image == "app:3"


def test_an_input_takes_its_name_from_its_file_and_the_rest_from_the_operator() -> None:
    text = json.dumps({"spec": SPEC}).replace('"a"', "$HOST")

    found = read(("web-vn.json", text), meshName="m", HOST="a.local")

    assert [(node.mesh, node.name, node.host) for node in found.nodes] == [("m", "web-vn", "a.local")]


def test_an_input_that_omits_its_router_says_how_to_give_it() -> None:
    action = {"weightedTargets": [{"virtualNode": "web", "weight": 1}]}
    body = {"meshName": "m", "routeName": "r", "spec": {"httpRoute": {"match": {"prefix": "/"}, "action": action}}}

    with pytest.raises(BadInput, match=r"omits virtualRouterName.*--param 's0.json:virtualRouterName=NAME'"):
        read(body)


def test_a_text_that_stands_for_a_container_is_refused_with_the_way_to_give_it() -> None:
    with pytest.raises(BadInput, match=r"0: \$ENVOY stands for a container.*--param 's0.json:ENVOY=JSON'"):
        read({"family": "web", "containerDefinitions": ["$ENVOY"]})


def test_a_task_definition_that_scripts_fill_in_takes_what_the_operator_gives() -> None:
    envoy = '{"name": "envoy", "environment": [{"name": "APPMESH_RESOURCE_ARN", "value": "mesh/m/virtualNode/web"}]}'
    text = '{"family": $NAME, "containerDefinitions": [{"name": "app", "image": $IMAGE, "command": "$HOME"}, $ENVOY]}'

    (task,) = read(("web.json", text), NAME="web", ENVOY=envoy).task_definitions

    assert (task.family, task.mesh_resource) == ("web", "mesh/m/virtualNode/web")
    assert task.containers[0].image == "$IMAGE"


def test_a_container_that_is_given_as_something_else_is_refused() -> None:
    with pytest.raises(BadInput, match="--param ENVOY: a container in JSON is needed"):
        read({"family": "web", "containerDefinitions": ["$ENVOY"]}, ENVOY="[1]")


def test_a_rule_finds_its_listener_by_its_own_arn() -> None:
    arn = "arn:aws:elasticloadbalancing:eu-west-1:1:{}/app/shop/1/2"
    balancer = "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/shop/1"
    group = "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/web/9"
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    listener = {
        "ListenerArn": arn.format("listener"),
        "LoadBalancerArn": balancer,
        "Port": 80,
        "DefaultActions": forward,
    }
    rules = [
        {"RuleArn": arn.format("listener-rule") + "/3", "Priority": "5", "Actions": forward, "IsDefault": False},
        {"RuleArn": arn.format("listener-rule") + "/4", "Priority": "default", "Actions": forward, "IsDefault": True},
    ]

    found = read({"Listeners": [listener]}, {"Rules": rules})

    assert [(each.load_balancer, each.listener_port, each.priority) for each in found.rules] == [
        ("shop", 80, "5"),
        ("shop", 80, "default"),
    ]
