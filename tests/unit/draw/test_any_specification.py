"""Whatever App Mesh's API takes as a specification ends in a plan whose ledger closes."""

from __future__ import annotations

import json
from typing import Any

import botocore.session
from botocore.model import ListShape, Shape, StructureShape
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossfade.connect.fields import leaves
from crossfade.draw.draw import draw
from crossfade.draw.options import DrawOptions
from crossfade.mesh.sources import SourceText, read_sources
from crossfade.plan.document import MigrationPlan
from tests.meshes import NOON, a_service, an_edge, behind, text_of

MODEL = botocore.session.get_session().get_service_model("appmesh")
KINDS = {
    "mesh": {"meshName": "m"},
    "virtualNode": {"virtualNodeName": "api"},
    "virtualRouter": {"virtualRouterName": "api"},
    "route": {"virtualRouterName": "api", "routeName": "all"},
    "virtualService": {"virtualServiceName": "api.m.local"},
    "virtualGateway": {"virtualGatewayName": "door"},
    "gatewayRoute": {"virtualGatewayName": "door", "gatewayRouteName": "in"},
}
SAID = {
    "virtualNode": st.sampled_from(["api", "web", "elsewhere"]),
    "virtualNodeName": st.just("api"),
    "virtualRouterName": st.just("api"),
    "virtualServiceName": st.sampled_from(["api.m.local", "other.m.local"]),
    "port": st.integers(1, 65_535),
    "prefix": st.sampled_from(["/", "/a"]),
    "unit": st.sampled_from(["s", "ms"]),
}
ONE_OF = frozenset({"httpRoute", "http2Route", "grpcRoute", "tcpRoute"})


def values(shape: Shape, name: str = "") -> st.SearchStrategy[Any]:
    """Anything that the API takes for a shape, its required members always there."""
    if isinstance(shape, StructureShape):
        members = {each: values(member, each) for each, member in shape.members.items()}
        if getattr(shape, "is_tagged_union", False):
            return st.sampled_from(sorted(members)).flatmap(
                lambda chosen: st.fixed_dictionaries({chosen: members[chosen]})
            )
        whole = shape.name == "Duration"  # the model requires neither number nor unit; App Mesh does
        required = {each: members[each] for each in (members if whole else shape.required_members)}
        routes = {each: members[each] for each in members if each in ONE_OF}
        optional = {each: members[each] for each in members if each not in required and each not in routes}
        made = st.fixed_dictionaries(required, optional=optional)
        if not routes:
            return made
        kind = st.sampled_from(sorted(routes)).flatmap(lambda chosen: st.fixed_dictionaries({chosen: routes[chosen]}))
        return st.tuples(made, kind).map(lambda both: {**both[0], **both[1]})
    if isinstance(shape, ListShape):
        least = shape.metadata.get("min", 0)
        return st.lists(values(shape.member, name), min_size=least, max_size=max(least, 2))
    if name in SAID:
        return SAID[name]
    if shape.metadata.get("enum"):
        return st.sampled_from(shape.metadata["enum"])
    return {"boolean": st.booleans(), "string": st.sampled_from(["x", "a.b"])}.get(shape.type_name, st.integers(1, 900))


def specification(kind: str) -> st.SearchStrategy[Any]:
    return values(MODEL.shape_for(f"{kind[:1].upper()}{kind[1:]}Spec"))


SPECIFICATIONS = st.fixed_dictionaries({kind: specification(kind) for kind in KINDS})


def drawn_with(specs: dict[str, Any]) -> MigrationPlan:
    ecs = text_of({**an_edge(), **a_service("web", LoadBalancers=behind()), **a_service("api")})
    answers = [{kind: {"meshName": "m", **KINDS[kind], "spec": spec}} for kind, spec in specs.items()]
    caller = {"listeners": [], "backends": [{"virtualService": {"virtualServiceName": "api.m.local"}}]}
    answers.append({"virtualNode": {"meshName": "m", "virtualNodeName": "web", "spec": caller}})
    return draw(read_sources([ecs, SourceText("mesh.json", json.dumps(answers))], {}), DrawOptions(), NOON)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(SPECIFICATIONS)
def test_every_field_of_any_specification_is_answered_for(specs: dict[str, Any]) -> None:
    plan = drawn_with(specs)

    fields = sum(1 for spec in specs.values() for _leaf in leaves(spec)) + 1  # web's backend
    ledger = plan.ledger
    assert ledger.used + ledger.named_in_a_gap + ledger.without_effect == fields
    assert [gap.detail for gap in plan.gaps if gap.id == "FIELD_NOT_READ"] == []
    assert MigrationPlan.from_json(plan.to_json()) == plan
