from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.model import ListShape, Shape, StructureShape

from crossfade.connect.fields import BESIDE, LEDGER, NOBODY_PLAYS_IT, Resource, account, expand, leaves
from crossfade.connect.gaps import TABLE, gap
from crossfade.draw.options import DrawOptions
from crossfade.mesh.sources import SourceText, read_sources
from crossfade.plan.document import MigrationPlan
from tests.meshes import Resources, a_mesh, a_name, a_node, a_route, a_router, drawn, found, two_services

SPECS = {
    "mesh": "MeshSpec",
    "virtualNode": "VirtualNodeSpec",
    "virtualRouter": "VirtualRouterSpec",
    "virtualService": "VirtualServiceSpec",
    "route": "RouteSpec",
    "virtualGateway": "VirtualGatewaySpec",
    "gatewayRoute": "GatewayRouteSpec",
}


def api_leaves(shape: Shape, path: str = "") -> Iterator[str]:
    if isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            yield from api_leaves(member, f"{path}.{name}" if path else name)
    elif isinstance(shape, ListShape):
        yield from api_leaves(shape.member, f"{path}[]")
    else:
        yield path


@pytest.mark.parametrize("kind", SPECS)
def test_every_field_of_app_meshs_api_has_a_row_and_every_row_is_such_a_field(kind: str) -> None:
    model = botocore.session.get_session().get_service_model("appmesh")

    assert set(LEDGER[kind]) == set(api_leaves(model.shape_for(SPECS[kind])))


def test_every_field_beside_a_specification_has_a_row_and_every_row_is_such_a_field() -> None:
    model = botocore.session.get_session().get_service_model("appmesh")
    kinds = [kind[:1].upper() + kind[1:] for kind in SPECS]
    names = [name for kind in kinds for name in (f"{kind}Data", f"Create{kind}Input")]
    shapes = [model.shape_for(name) for name in names]

    said = {leaf for shape in shapes for leaf in api_leaves(shape) if leaf.partition(".")[0] != "spec"}

    assert set(BESIDE) == said


def test_no_row_speaks_for_a_subtree() -> None:
    rows = [row for kind in (*LEDGER.values(), BESIDE) for row in kind]

    assert [row for row in rows if "*" in row or row.endswith(".")] == []


def test_every_row_gives_an_answer_and_every_answer_stands_in_the_table_or_names_its_page() -> None:
    rows = [leaf for kind in (*LEDGER.values(), BESIDE) for leaf in kind.values()]

    assert [leaf for leaf in rows if not (leaf.used or leaf.gaps or leaf.without)] == []
    assert {name for leaf in rows for name in leaf.gaps} <= set(TABLE)
    assert all(leaf.without.source.startswith("https://") for leaf in rows if leaf.without)


def test_alternatives_are_written_out() -> None:
    assert expand("a.{b,c}.{d,e}") == ("a.b.d", "a.b.e", "a.c.d", "a.c.e")


def test_a_field_nobody_knows_is_named() -> None:
    plan = drawn({**two_services(), **a_node("web", backends=["api.m.local"], Surprise={"Depth": 3})})

    (named,) = [each for each in plan.gaps if each.id == "FIELD_NOT_READ"]
    assert (named.resource, "surprise.depth" in named.detail) == ("virtualNode/web", True)


def test_a_field_whose_gap_was_not_found_stays_open() -> None:
    spec = {"listeners": [{"outlierDetection": {"maxServerErrors": 5}}]}
    node = Resource("virtualNode", "virtualNode/a", spec)
    other = gap("OUTLIER_DETECTION", "virtualNode/b", errors=5, interval="1 s", ejection="1 s", percent=1)

    kept = account([node], [other])

    assert [name for _node, name, _value in kept.open] == ["listeners[].outlierDetection.maxServerErrors"]


def test_what_is_not_in_force_says_why() -> None:
    spec = {"listeners": [{"outlierDetection": {"maxServerErrors": 5}}]}

    kept = account([Resource("virtualNode", "virtualNode/a", spec, idle=NOBODY_PLAYS_IT)], [])

    assert (kept.ledger().without_effect, kept.open) == (1, [])
    assert kept.ledger().reasons[0].reason == NOBODY_PLAYS_IT.text


def leaves_of(*resources: Resources) -> int:
    here = found(*resources)
    groups = (here.meshes, here.nodes, here.routers, here.routes, here.virtual_services)
    return sum(1 for group in groups for each in group for _leaf in leaves(each.spec))


def counted(plan: MigrationPlan) -> int:
    return plan.ledger.used + plan.ledger.named_in_a_gap + plan.ledger.without_effect


def test_every_field_is_counted_once() -> None:
    resources = {
        **two_services(),
        **a_mesh(egress="DROP_ALL"),
        **a_name("api.m.local", router="r"),
        **a_router("r"),
        **a_route("all", "r", {"api": 1}, RetryPolicy={"MaxRetries": 2, "HttpRetryEvents": ["server-error"]}),
        **a_router("unused"),
        **a_route("lost", "unused", {"api": 1}),
    }

    plan = drawn(resources)

    assert counted(plan) == leaves_of(resources)
    assert plan.ledger.named_in_a_gap == 1 + 2 + 2 + 3
    assert "FIELD_NOT_READ" not in {each.id for each in plan.gaps}


def beside_of(*resources: Resources) -> int:
    here = found(*resources)
    groups = (here.meshes, here.nodes, here.routers, here.routes, here.virtual_services)
    return sum(1 for group in groups for each in group for _leaf in leaves(each.beside.said))


def with_tags(resources: Resources, **more: Any) -> Resources:
    tags = [{"Key": "team", "Value": "checkout"}]
    return {
        name: {**each, "Properties": {**each["Properties"], "Tags": tags, **more}}
        if each["Type"].startswith("AWS::AppMesh::")
        else each
        for name, each in resources.items()
    }


def test_what_stands_beside_a_specification_is_counted_once_too() -> None:
    resources = with_tags(two_services())

    metadata = drawn(resources).ledger.metadata

    assert metadata.used + metadata.named_in_a_gap + metadata.without_effect == beside_of(resources)
    assert (metadata.named_in_a_gap, metadata.without_effect) == (0, 2 * 4)


def test_a_field_nobody_knows_beside_a_specification_is_named() -> None:
    plan = drawn(with_tags(two_services(), Surprise={"Depth": 3}))

    named = {each.resource for each in plan.gaps if each.id == "FIELD_NOT_READ" and "surprise.depth" in each.detail}
    assert named == {"mesh/m", "virtualNode/api", "virtualNode/web", "virtualService/api.m.local"}
    assert plan.ledger.metadata.named_in_a_gap == len(named)


def test_a_mesh_of_another_account_is_named_once_and_answered_by_a_shared_namespace() -> None:
    resources = with_tags(two_services(), MeshOwner="222222222222")
    shared = DrawOptions(namespace="arn:aws:servicediscovery:eu-west-1:222222222222:namespace/ns-abc")

    alone, answered = drawn(resources), drawn(resources, options=shared)

    [gap_of_it] = [each for each in alone.gaps if each.id == "CROSS_ACCOUNT"]
    assert (gap_of_it.resource, gap_of_it.severity) == ("mesh/m", "blocking")
    assert "222222222222" in gap_of_it.detail
    assert [each.severity for each in answered.gaps if each.id == "CROSS_ACCOUNT"] == ["degrading"]
    assert alone.ledger.metadata.named_in_a_gap == 4


def test_a_mesh_of_ones_own_account_is_no_gap() -> None:
    resources = with_tags(two_services(), MeshOwner={"Ref": "AWS::AccountId"})

    plan = drawn(resources)

    assert "CROSS_ACCOUNT" not in {each.id for each in plan.gaps}
    assert plan.ledger.metadata.named_in_a_gap == 0


@pytest.mark.parametrize(("owner", "is_another"), [("111111111111", False), ("222222222222", True)])
def test_the_owner_that_app_mesh_describes_is_another_only_where_the_resources_is(
    owner: str, *, is_another: bool
) -> None:
    body = {
        "mesh": {
            "meshName": "m",
            "metadata": {"arn": "arn:m", "meshOwner": owner, "resourceOwner": "111111111111", "uid": "u", "version": 1},
            "spec": {},
            "status": {"status": "ACTIVE"},
        }
    }

    [mesh] = read_sources([SourceText("mesh.json", json.dumps(body))], {}).meshes

    assert mesh.beside.owner == (owner if is_another else None)
    assert {name for name, _value in leaves(mesh.beside.said)} <= set(BESIDE)
