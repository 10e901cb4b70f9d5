"""Stand-ins made of a plan deploy as blue, and what the plan does to blue fits them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from crossfade.connect.taskdef import rewrite
from crossfade.errors import BadInput
from crossfade.plan.document import MigrationPlan
from crossfade.plan.edges import CdnRef, DnsRef, EdgeKind, RecordRef
from crossfade.plan.services import ClientAlias
from crossfade.shift.alb import AlbEdges
from crossfade.shift.cloudfront import CloudFrontEdges
from crossfade.shift.nlb import NlbEdges
from crossfade.shift.route53 import Route53Edges
from crossfade.shift.shifter import Edges
from rehearsal.application import stand_ins
from rehearsal.aws import EmbeddedAws
from rehearsal.blue import blue_template
from rehearsal.deploy import Deployer
from rehearsal.examples import application
from rehearsal.pace import BRIEF, quickened

GOLDEN = Path(__file__).resolve().parents[2] / "golden"


@pytest.mark.parametrize("example", ["shop", "bookings"])
def test_stand_ins_for_any_plan_run_as_the_plan_says_blue_does(aws: EmbeddedAws, example: str) -> None:
    plan = application(example).plan
    played = stand_ins(plan, edge_of=None, most_tasks=100)

    Deployer(aws).deploy(blue_template(played.plan), "blue")

    ecs, balancers = aws.client("ecs"), aws.client("elbv2")
    names = [each.blue.service_name for each in plan.services]
    found = {
        each["serviceName"]: each for each in ecs.describe_services(cluster=plan.cluster, services=names)["services"]
    }
    groups = {each["TargetGroupName"] for each in balancers.describe_target_groups()["TargetGroups"]}
    assert {name: each["runningCount"] for name, each in found.items()} == {
        each.blue.service_name: each.blue.desired_count for each in plan.services
    }
    assert plan.edges[0].blue.name in groups
    for service in plan.services:
        blue = found[service.blue.service_name]["taskDefinition"]
        definition = ecs.describe_task_definition(taskDefinition=blue)["taskDefinition"]
        assert definition["executionRoleArn"], "the preflight refuses a task without one: it could not log"
        green = rewrite(definition, service.green.task_definition)
        named = {each.get("name") for one in green["containerDefinitions"] for each in one.get("portMappings", ())}
        assert named >= {each.port_name for each in service.endpoints}


AT_A_NAME = {
    "dns": DnsRef(
        zone_id="Z1",
        records=(RecordRef(name="shop.example", type="A"), RecordRef(name="www.shop.example", type="CNAME")),
        green_load_balancer="green-lb",
    )
}
AT_A_DISTRIBUTION = {
    "cdn": CdnRef(
        distribution_id="E1", origin_id="app", green_domain="green.shop.example", green_load_balancer="green-lb"
    )
}


@pytest.mark.parametrize(
    ("kind", "ends"),
    [("alb", {}), ("nlb", {}), ("route53", AT_A_NAME), ("cloudfront", AT_A_DISTRIBUTION)],
)
def test_the_edge_of_a_plan_is_made_so_that_the_product_finds_it(
    aws: EmbeddedAws, kind: EdgeKind, ends: dict[str, DnsRef | CdnRef]
) -> None:
    plan = application("shop").plan
    [edge] = plan.edges
    shape = {"kind": kind, "rules": () if ends else edge.rules, **ends}
    played = stand_ins(
        plan.model_copy(update={"edges": (edge.model_copy(update=shape),)}), edge_of=None, most_tasks=100
    )
    deployer = Deployer(aws)
    for name, template in played.stacks:
        deployer.deploy(template, name)
    drawn = played.plan if played.redrawn is None else played.redrawn(deployer)
    paced = MigrationPlan.from_json(quickened(drawn, BRIEF).to_json())

    balancers = aws.client("elbv2")
    every: dict[EdgeKind, Callable[[], Edges]] = {
        "alb": lambda: AlbEdges(balancers),
        "nlb": lambda: NlbEdges(balancers),
        "route53": lambda: Route53Edges(aws.client("route53"), balancers),
        "cloudfront": lambda: CloudFrontEdges(aws.client("cloudfront"), balancers),
    }
    edges = every[kind]()
    found = edges.find(paced.edges[0])

    assert (played.door, found.kind) == (kind, kind)
    assert found.way_back
    assert [str(each) for each in edges.check(found, scaled=True) if each.refused] == []


def test_the_same_plan_makes_the_same_template() -> None:
    plan = MigrationPlan.from_json((GOLDEN / "shop.plan.json").read_text())

    first = stand_ins(plan, edge_of=None, most_tasks=100)
    second = stand_ins(plan, edge_of=None, most_tasks=100)

    assert first == second


def test_a_bare_name_that_no_mesh_answers_is_refused() -> None:
    plan = application("bookings").plan
    rooms = plan.service("rooms")
    bare = rooms.endpoints[0].model_copy(update={"client_alias": ClientAlias(dns_name="rooms", port=8080)})
    dialled = plan.model_copy(
        update={
            "services": tuple(
                each.model_copy(update={"endpoints": (bare,)}) if each.name == "rooms" else each
                for each in plan.services
            )
        }
    )

    with pytest.raises(BadInput, match="callers dial rooms, which has no domain"):
        stand_ins(dialled, edge_of=None, most_tasks=100)
