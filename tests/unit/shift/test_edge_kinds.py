"""Edges of several kinds in one plan and one journal, and the documents from before there were several."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from pydantic import ValidationError

from crossfade.errors import UnknownEdge
from crossfade.journal.edges import AlbEdge, EdgeRecord, FoundEdge, NlbEdge, StoredRequest
from crossfade.plan.edges import DnsRef, EdgeKind, EdgePlan, RecordRef
from crossfade.shift.edges import EdgesOfKinds
from crossfade.shift.memory import MemoryEdges
from crossfade.shift.share import Share
from crossfade.shift.shifter import Edges
from tests.traffic import an_edge, an_edge_plan

DNS = DnsRef(zone_id="Z1", records=(RecordRef(name="shop.example", type="A"),), green_load_balancer="front-green")


def test_an_edge_kept_before_there_were_kinds_is_read_as_a_load_balancers() -> None:
    kept = json.loads(an_edge().model_dump_json())
    del kept["resolved"]["kind"]
    for request in kept["way_back"]:
        del request["service"]

    edge = EdgeRecord.model_validate(kept)

    assert edge == an_edge()
    assert isinstance(edge.resolved, AlbEdge)


def test_an_edge_is_read_back_as_the_kind_it_is() -> None:
    found = an_edge().resolved
    network = NlbEdge(load_balancer_arn="net", blue_arn="blue", rules=found.rules)
    edge = FoundEdge(name="tcp", kind="nlb", resolved=network, way_back=())

    assert FoundEdge.model_validate_json(edge.model_dump_json()) == edge


def test_an_edge_that_was_found_to_be_of_another_kind_is_refused() -> None:
    with pytest.raises(ValidationError, match="nlb is said and alb was found"):
        FoundEdge(name="web", kind="nlb", resolved=an_edge().resolved, way_back=())


def test_a_plan_drawn_before_there_were_kinds_reads_and_writes_as_it_was() -> None:
    plan = an_edge_plan()

    assert "dns" not in plan.model_dump(mode="json")
    assert EdgePlan.model_validate_json(plan.model_dump_json()) == plan


@pytest.mark.parametrize(
    "changes",
    [
        {"rules": ()},
        {"dns": DNS},
        {"kind": "route53"},
        {"kind": "route53", "rules": ()},
        {"kind": "nlb", "rules": (), "dns": DNS},
    ],
)
def test_an_edge_says_where_users_are_divided_in_the_way_of_its_kind(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="is described by"):
        an_edge_plan(**changes)


def test_a_request_says_which_service_takes_it() -> None:
    assert StoredRequest(action="modifyRule", arguments={}).service == "elasticloadbalancingv2"


class Counted:
    """Makers of edges in memory, which say how often they were asked."""

    def __init__(self, *plans: EdgePlan) -> None:
        self.accounts = {plan.kind: MemoryEdges.of(plan) for plan in plans}
        self.made: list[str] = []

    def makers(self) -> dict[EdgeKind, Callable[[], Edges]]:
        return {kind: partial(self._make, kind) for kind in self.accounts}

    def _make(self, kind: EdgeKind) -> Edges:
        self.made.append(kind)
        return self.accounts[kind]


def test_each_edge_is_asked_of_its_own_kind_and_no_other_kind_is_made() -> None:
    web, flows = an_edge_plan(), an_edge_plan("flows", kind="nlb")
    counted = Counted(web, flows)
    edges = EdgesOfKinds(counted.makers())

    edge = edges.make_green_end(edges.find(web).owned_by("shop"), "web-green", {"crossfade:migration": "shop"})
    counted.accounts["alb"].healthy[str(edge.resolved.green_arn)] = 1
    held = edges.shifter(edge).set_green(Share(500))

    assert (held, counted.accounts["alb"].laid["web"].shifts) == (Share(500), [Share(500)])
    assert edges.healthy_targets(edge.resolved.blue_arn) == 2
    assert counted.made == ["alb"]


def test_an_edge_of_a_kind_that_the_stack_does_not_have_is_unknown() -> None:
    edges = EdgesOfKinds(Counted(an_edge_plan()).makers())

    with pytest.raises(UnknownEdge, match="kind nlb"):
        edges.find(an_edge_plan("flows", kind="nlb"))
