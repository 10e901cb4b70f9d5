"""One application with several edges: they climb in the plan's order or together, and go back together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from crossfade.journal.dynamodb import DynamoDbJournal
from crossfade.journal.model import Entry
from crossfade.plan.edges import CdnRef, DetourRef, DnsRef, EdgePlan, RecordRef
from rehearsal.aws import EmbeddedAws
from rehearsal.aws.cloudfront import policy_changes, spread_slowly
from rehearsal.aws.registry import Call
from rehearsal.aws.route53 import record_changes
from rehearsal.deploy import Deployer
from rehearsal.doors import EDGES
from rehearsal.examples import application
from rehearsal.pace import paced, quickened
from rehearsal.permits import stack_parameters
from rehearsal.rehearsal import STACK, TEMPLATE
from rehearsal.timeless import timeless_aws

from . import world
from .world import PACE, World

PUBLIC, PRIVATE, CDN = "users-of-the-public-zone", "users-of-the-public-zone-s-private-twin", "cdn"
ORDER = (PUBLIC, PRIVATE, CDN)
"""The first two are alike in more letters than the name of an execution has room for."""

NAME = "shop.example."
DETOUR = DetourRef(name="shop-web-detour")


class Meter(world.Meter):
    """Counts what the two load balancers behind three edges of one weight each would have counted."""

    def held(self) -> dict[str, float]:
        """Return the part of its users that each edge leads to green."""
        parts = dict.fromkeys(ORDER, 0.0)
        zones = {edge.dns.zone_id: edge.name for edge in self._plan.edges if edge.dns is not None}
        for batch in record_changes():
            weights = batch.weights.get((NAME, "A"), {})
            if batch.zone in zones and weights:
                name = zones[batch.zone]
                parts[name] = weights.get(f"crossfade-{name}-green", 0) / (sum(weights.values()) or 1)
        parts[CDN] = policy_changes()[-1].weight if policy_changes() else 0.0
        return parts

    def weights(self) -> dict[str, float]:
        edge, part = self._plan.edges[0], sum(self.held().values()) / len(ORDER)
        arns = [
            self._balancing.describe_target_groups(Names=[end.name])["TargetGroups"][0]["TargetGroupArn"]
            for end in (edge.blue, edge.green)
        ]
        return dict(zip(arns, (1 - part, part), strict=True))


@dataclass
class Crossing(World):
    """The shop behind a public name, a private one and a distribution."""

    meter: Meter

    def held(self) -> dict[str, float]:
        return self.meter.held()

    def shifts(self) -> list[Entry]:
        """Return every share that was given since the migration was opened."""
        opened = self.journal.read("shop").opened_at
        return [e for e in self.journal.entries("shop") if (e.kind, e.what) == ("result", "shift") and e.at >= opened]


def _zones(aws: EmbeddedAws, ids: Mapping[str, str]) -> dict[str, str]:
    """Return the public zone, and a private one of the same name that leads where it does."""
    client = aws.client("route53")
    listed = client.list_resource_record_sets(HostedZoneId=ids["Zone"])["ResourceRecordSets"]
    [alias] = [each for each in listed if (each["Name"], each["Type"]) == (NAME, "A")]
    vpc = aws.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    made = client.create_hosted_zone(
        Name=NAME,
        CallerReference="private",
        VPC={"VPCRegion": client.meta.region_name or "eu-west-1", "VPCId": vpc},
        HostedZoneConfig={"PrivateZone": True, "Comment": ""},
    )
    private = str(made["HostedZone"]["Id"].rpartition("/")[2])
    change = {"Action": "CREATE", "ResourceRecordSet": alias}
    client.change_resource_record_sets(HostedZoneId=private, ChangeBatch={"Changes": [change]})
    return {PUBLIC: ids["Zone"], PRIVATE: private}


def _edges(front: EdgePlan, zones: Mapping[str, str], distribution: str) -> tuple[EdgePlan, ...]:
    by_records = [
        {
            "name": name,
            "kind": "route53",
            "dns": DnsRef(zone_id=zone, records=(RecordRef(name=NAME, type="A"),), green_load_balancer="shop-sc"),
        }
        for name, zone in zones.items()
    ]
    by_distribution = {
        "name": CDN,
        "kind": "cloudfront",
        "cdn": CdnRef(
            distribution_id=distribution,
            origin_id="app",
            green_domain=f"green-origin.{NAME}",
            green_load_balancer="shop-sc",
        ),
    }
    return tuple(
        paced(front.model_copy(update={"rules": (), "detour": DETOUR, **members}), PACE)
        for members in (*by_records, by_distribution)
    )


@pytest.fixture(scope="module")
def crossing() -> Iterator[Crossing]:
    """The shop with its edges, and the product beside it."""
    shop = application("shop")
    with timeless_aws() as aws:
        deployer = Deployer(aws, period_scale=PACE.time_scale)
        for name, template in shop.stacks:
            deployer.deploy(template, name)
        for name in ("green", "route53", "cloudfront"):
            deployer.deploy(EDGES / f"{name}.yaml", f"shop-{name}")
        zones = _zones(aws, deployer.describe("shop-route53"))
        quick = quickened(shop.plan, PACE)
        edges = _edges(quick.edges[0], zones, deployer.describe("shop-cloudfront")["Distribution"])
        plan = quick.model_copy(update={"edges": edges})
        outputs = deployer.deploy_sam(TEMPLATE, STACK, stack_parameters(plan))
        meter = Meter(aws, plan)
        meter.start()
        journal = DynamoDbJournal(aws.client("dynamodb"), outputs["JournalTable"])
        yield Crossing(aws, plan, outputs, deployer.describe(STACK), meter, journal)
        meter.stop()


def test_edges_climb_together_and_one_that_fails_gives_all_of_them_back(crossing: Crossing) -> None:
    plan = crossing.plan.model_copy(update={"edges_climb": "together"})
    execution = crossing.migrate(plan)
    crossing.until(lambda: all(0 < part < 1 for part in crossing.held().values()), "all three are on their way at once")

    record = plan.edges[1].dns
    assert record is not None
    client = crossing.aws.client("route53")
    found = client.list_resource_record_sets(HostedZoneId=record.zone_id)["ResourceRecordSets"]
    [green] = [each for each in found if each.get("SetIdentifier") == f"crossfade-{PRIVATE}-green"]
    changes = [
        {"Action": "DELETE", "ResourceRecordSet": green},
        {"Action": "CREATE", "ResourceRecordSet": {**green, "Weight": 3}},
    ]
    client.change_resource_record_sets(HostedZoneId=record.zone_id, ChangeBatch={"Changes": changes})

    ended = crossing.ended(execution)
    assert (ended["status"], ended["error"]) == ("FAILED", "RolledBack")
    assert PRIVATE in ended["cause"]
    crossing.until(lambda: crossing.phase() == "rolled_back", "the rollback is over")
    assert crossing.held() == dict.fromkeys(ORDER, 0.0)
    story = crossing.journal.entries("shop")
    for name in ORDER:
        [*_, last] = [e for e in story if (e.what, e.subject) == ("confirm", name)]
        assert last.detail == {"found_bp": [0]}
    assert {e.subject for e in story if (e.kind, e.what) == ("result", "restore")} == set(ORDER)
    crossing.until(crossing.is_quiet, "every execution has ended")


def _behind_green(crossing: Crossing) -> dict[str, int]:
    """Return what green's load balancer leads to, by the names of target groups."""
    client = crossing.aws.client("elbv2")
    [balancer] = client.describe_load_balancers(Names=["shop-sc"])["LoadBalancers"]
    [listener] = client.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    groups = listener["DefaultActions"][0]["ForwardConfig"]["TargetGroups"]
    return {each["TargetGroupArn"].split("/")[1]: each["Weight"] for each in groups}


def _on_their_way(crossing: Crossing) -> None:
    crossing.migrate(crossing.plan.model_copy(update={"edges_climb": "together"}))
    crossing.until(lambda: all(0 < part < 1 for part in crossing.held().values()), "all three are on their way at once")


@pytest.mark.parametrize("by", ["functions", "the machine alone"])
def test_greens_load_balancer_leads_to_blue_first_the_slow_follow_and_then_it_is_undone(
    crossing: Crossing, by: str
) -> None:
    _on_their_way(crossing)
    if by == "the machine alone":
        crossing.aws.faults.throttle(crossing.physical["RestoreEdge"], times=1_000)
    spread_slowly(3_600)
    for refused in ("ChangeResourceRecordSets", "ListResourceRecordSets"):  # Route 53's control plane is down
        crossing.aws.faults.before_call("route53", refused, _down, times=None)

    crossing.states.start_execution(
        stateMachineArn=crossing.outputs["RollBackArn"], input=json.dumps({"migration": "shop"})
    )

    green = crossing.plan.edges[0].green.name
    crossing.until(lambda: _behind_green(crossing).get(green) == 0, "green's load balancer leads to blue")
    assert crossing.held()[PUBLIC] > 0
    assert _behind_green(crossing)[DETOUR.name] > 0
    assert crossing.phase() == "rolling_back"
    crossing.aws.faults.clear()
    crossing.until(lambda: set(crossing.held().values()) == {0.0}, "what lies before leads to blue")
    assert _behind_green(crossing)[green] == 0, "some users are still led there"
    spread_slowly(0)
    distribution = crossing.plan.edges[2].cdn
    assert distribution is not None
    client = crossing.aws.client("cloudfront")
    found = client.get_distribution_config(Id=distribution.distribution_id)
    client.update_distribution(  # anything; this is everywhere at once
        Id=distribution.distribution_id,
        IfMatch=found["ETag"],
        DistributionConfig={**found["DistributionConfig"], "Comment": "shop"},
    )
    crossing.until(lambda: crossing.phase() == "rolled_back", "the rollback is over")
    crossing.until(crossing.is_quiet, "every execution has ended")
    assert _behind_green(crossing) == {green: 1}
    refused_calls = crossing.aws.iam.take_refused()
    assert not refused_calls, f"IAM refused the way back: {refused_calls[0]}"


def _down(call: Call) -> None:
    raise call.error("ServiceUnavailable", "ordered by a test")


def test_edges_climb_in_the_plans_order_each_when_the_one_before_has_everything(crossing: Crossing) -> None:

    ended = crossing.ended(crossing.migrate())

    assert ended["outcome"] == "completed", ended
    assert crossing.held() == dict.fromkeys(ORDER, 1.0)
    climbed = [(e.subject, e.detail["held_bp"]) for e in crossing.shifts()]
    assert climbed == [(edge.name, rung.share_bp) for edge in crossing.plan.edges for rung in edge.ladder]
    refused = crossing.aws.iam.take_refused()
    assert not refused, f"IAM refused what the product must do: {refused[0]}"
