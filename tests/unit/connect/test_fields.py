from __future__ import annotations

from collections.abc import Iterator

import botocore.session
import pytest
from botocore.model import ListShape, Shape, StructureShape

from crossfade.connect.fields import LEDGER, NOBODY_PLAYS_IT, Resource, account, expand, leaves
from crossfade.connect.gaps import TABLE, gap
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


def test_no_row_speaks_for_a_subtree() -> None:
    rows = [row for kind in LEDGER.values() for row in kind]

    assert [row for row in rows if "*" in row or row.endswith(".")] == []


def test_every_row_gives_an_answer_and_every_answer_stands_in_the_table_or_names_its_page() -> None:
    rows = [leaf for kind in LEDGER.values() for leaf in kind.values()]

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
