"""Edges of several kinds in one plan and one journal, and the documents from before there were several."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from crossfade.journal.model import AlbEdge, EdgeRecord, FoundEdge, NlbEdge, StoredRequest
from crossfade.plan.document import DnsRef, EdgePlan, RecordRef
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
