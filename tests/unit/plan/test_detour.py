"""What a plan says of a detour: where it may be, what the stack must be allowed for it, and that it is proposed."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from crossfade.journal.edges import AlbRule, Detour, EdgeRecord, Route53Edge, Route53Record
from crossfade.plan.edges import DetourRef, DnsRef, EdgePlan, RecordRef
from crossfade.plan.parameters import parameters
from crossfade.preflight.permits import May, permits
from tests.traffic import a_plan, an_edge_plan

ELB = "arn:aws:elasticloadbalancing:eu-west-1:123456789012"
LISTENER = f"{ELB}:listener/app/front-green/1/2"


def a_detoured(balancer: str = "front-green", **changes: Any) -> EdgePlan:
    dns = DnsRef(zone_id="Z1", records=(RecordRef(name="shop.example", type="A"),), green_load_balancer=balancer)
    return an_edge_plan(kind="route53", rules=(), dns=dns, **{"detour": DetourRef(name="web-detour"), **changes})


def an_edge(**detour: Any) -> EdgeRecord:
    record = Route53Record(zone_id="Z1", name="shop.example.", type="A", found={}, blue_identifier="blue", green={})
    rules = (AlbRule(arn=LISTENER, is_default=True, found_actions=()),)
    resolved = Route53Edge(
        zone_id="Z1",
        load_balancer_arn=f"{ELB}:loadbalancer/app/front/1",
        green_load_balancer_arn=f"{ELB}:loadbalancer/app/front-green/1",
        blue_arn=f"{ELB}:targetgroup/web-blue/1",
        detour=Detour(**{"name": "web-detour", "copied": True, "rules": rules, **detour}),
        rules=(record,),
    )
    return EdgeRecord(migration="shop", name="web", kind="route53", resolved=resolved, way_back=())


@pytest.mark.parametrize("balancer", ["front-green", f"{ELB}:loadbalancer/app/front-green/1"])
def test_the_stacks_parameters_name_greens_rules_and_the_detours_target_group(balancer: str) -> None:
    plan = a_plan(region="eu-west-1", edges=(a_detoured(balancer),))

    named = parameters(plan)

    anywhere = "arn:aws:elasticloadbalancing:eu-west-1:*"
    assert named["EdgeArns"].split(",") == [
        f"{anywhere}:listener/app/front-green/*",
        f"{anywhere}:listener-rule/app/front-green/*",
    ]
    assert f"{anywhere}:targetgroup/web-detour/*" in named["TargetGroupArns"].split(",")


def test_without_a_detour_greens_load_balancer_is_nobodys_business() -> None:
    named = parameters(a_plan(edges=(a_detoured(detour=None),)))

    assert "EdgeArns" not in named


def refused(edge: EdgeRecord, **may: str) -> set[str]:
    nothing = dict.fromkeys(
        ("zones", "distributions", "services", "blue_services", "blue_tasks", "task_definitions", "roles"), ""
    )
    allowed = May(**{**nothing, "edges": "", "target_groups": "", "records": "shop.example", **may})
    found = permits(allowed, a_plan(edges=(a_detoured(),)), edges=[edge], blues=[])
    return {finding.subject for finding in found if finding.refused}


def test_a_stack_that_may_not_touch_the_detour_is_told_before_the_start() -> None:
    missing = refused(an_edge())

    assert f"listener {LISTENER}" in missing
    assert f"target group {ELB}:targetgroup/web-detour/0123456789abcdef" in missing
    allowed = refused(an_edge(), edges=f"{ELB}:listener/*", target_groups=f"{ELB}:targetgroup/*")
    assert not {each for each in allowed if "listener" in each or "target group" in each}


@pytest.mark.parametrize("detour", [{"hindered": "another VPC"}, {"copied": False}])
def test_what_is_not_touched_for_a_detour_is_not_asked_for(detour: dict[str, Any]) -> None:
    assert f"target group {ELB}:targetgroup/web-detour/0123456789abcdef" not in refused(an_edge(**detour))


def test_an_edge_of_rules_has_no_detour_since_it_is_the_fastest_way_back() -> None:
    with pytest.raises(ValidationError, match="its own rules are the fastest way back"):
        an_edge_plan(detour=DetourRef(name="web-detour"))


@pytest.mark.parametrize("name", ["web-blue", "web-green"])
def test_a_detour_is_a_target_group_of_its_own(name: str) -> None:
    with pytest.raises(ValidationError, match="needs a target group of its own"):
        a_detoured(detour=DetourRef(name=name))
