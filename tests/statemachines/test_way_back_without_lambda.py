"""`roll_back` over every kind of edge at once, also when the function that restores edges is throttled."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from crossfade.journal.edges import CloudFrontEdge, EdgeRecord, Route53Edge
from crossfade.phases import Phase
from crossfade.plan.edges import EdgePlan, RuleRef, RungKind
from crossfade.plan.services import TargetGroupRef
from crossfade.plan.store import PlanRef
from crossfade.resources import alarm_resource
from crossfade.shift.share import ALL, NONE, Share
from crossfade.shift.shifter import Edges
from rehearsal.aws.clock import clock
from rehearsal.aws.cloudfront import policy_changes, spread_slowly
from rehearsal.aws.elbv2 import weight_changes
from rehearsal.aws.registry import Call
from rehearsal.aws.route53 import record_changes
from rehearsal.deploy import Deployer
from rehearsal.rehearsal import TEMPLATE
from tests.cdn import Cdn
from tests.load_balancer import NetworkLoadBalancer
from tests.traffic import MIGRATE, NOON, a_record, an_edge_plan
from tests.zone import Zone

from .world import World

FORWARDING = TEMPLATE.with_name("template-us-east-1.yaml")
TAGS = {"crossfade:migration": "kinds"}
FLOWS = an_edge_plan(
    "flows",
    kind="nlb",
    blue=TargetGroupRef(name="flows-blue"),
    green=TargetGroupRef(name="flows-green"),
    rules=tuple(RuleRef(load_balancer="flows", listener_port=port, priority="default") for port in (80, 443)),
)


@dataclass
class Kinds:
    """An account with an edge of each kind, and one more whose distribution is promoted."""

    world: World
    zone: Zone
    cdn: Cdn
    promoted: Cdn
    flows: NetworkLoadBalancer
    edges: dict[str, EdgeRecord]

    def begin(self) -> None:
        """Open a migration of all of them, each half way or, where it is promoted, all the way to green."""
        made = [
            self._half_way(self.zone.edges, self.zone.plan, "web-green", Share(5_000)),
            self._half_way(self.cdn.edges, self.cdn.plan.model_copy(update={"name": "cdn"}), "web-green", Share(500)),
            self._half_way(
                self.promoted.edges, self.promoted.plan.model_copy(update={"name": "promoted"}), "web-green", ALL
            ),
            self._half_way(self.flows.edges, FLOWS, "flows-green", Share(5_000)),
        ]
        self.edges = {edge.name: edge for edge in made}
        record = a_record(
            "kinds",
            plan=PlanRef(bucket=self.world.outputs["PlanBucket"], key="kinds.json", sha256="0" * 64),
            execution=f"{MIGRATE}-{uuid.uuid4()}",
            opened_at=clock.now(),
            confirm_seconds=1,
            restore_retry_seconds=1,
        )
        opened = self.world.journal.open(record, made)
        self.world.journal.enter("kinds", Phase.READY, fence=opened.fence, at=NOON)

    def _half_way(self, edges: Edges, plan: EdgePlan, green: str, share: Share) -> EdgeRecord:
        edge = edges.make_green_end(edges.find(plan).owned_by("kinds"), green, TAGS)
        self.flows.set_healthy(str(edge.resolved.green_arn), 2)
        edges.shifter(edge).set_green(share)
        return edge

    def roll_back(self) -> str:
        states = self.world.states
        started = states.start_execution(
            stateMachineArn=self.world.outputs["RollBackArn"], input=json.dumps({"migration": "kinds"})
        )
        return str(started["executionArn"])

    def of_kinds(self) -> dict[str, Edges]:
        return {
            "web": self.zone.edges,
            "cdn": self.cdn.edges,
            "promoted": self.promoted.edges,
            "flows": self.flows.edges,
        }

    def held(self) -> dict[str, Share]:
        """Return what green holds on each edge."""
        return {name: max(edges.shifter(self.edges[name]).shares()) for name, edges in self.of_kinds().items()}

    def policy(self, name: str) -> dict[str, Any]:
        resolved = self.edges[name].resolved
        assert isinstance(resolved, CloudFrontEdge)
        client = self.cdn.client
        return dict(
            client.get_continuous_deployment_policy(Id=resolved.policy_id)["ContinuousDeploymentPolicy"][
                "ContinuousDeploymentPolicyConfig"
            ]
        )


@pytest.fixture(scope="module")
def laid(deployed: World) -> Kinds:
    client = deployed.aws.client
    zone = Zone(client)
    cdn = Cdn(client, front=zone.front)
    promoted = Cdn(client, front=zone.front, CallerReference="other", Aliases={"Quantity": 0})
    return Kinds(deployed, zone, cdn, promoted, NetworkLoadBalancer(client, blue="flows-blue"), {})


@pytest.fixture
def kinds(laid: Kinds) -> Iterator[Kinds]:
    """Every edge on its way, before the test; the account as it was, after it."""
    laid.begin()
    yield laid
    laid.world.aws.faults.clear()
    spread_slowly(0)
    for cdn in (laid.cdn, laid.promoted):
        cdn.change(Comment="the shop")  # what was still spreading has spread
    if laid.world.journal.read("kinds").phase is not Phase.ROLLED_BACK:
        laid.world.ended(laid.roll_back())
    for name, edges in laid.of_kinds().items():
        edges.shifter(laid.edges[name]).withdraw()  # what goes without a function leaves records at weight 0
    laid.flows.set_healthy(str(laid.edges["flows"].resolved.green_arn), 2)
    laid.world.until(laid.world.is_quiet, "every execution has ended")
    refused = laid.world.aws.iam.take_refused()
    assert not refused, f"IAM refused the way back: {refused[0]}"


def without_lambda(kinds: Kinds) -> None:
    kinds.world.aws.faults.throttle(kinds.world.physical["RestoreEdge"], times=1_000)


def test_every_kind_of_edge_is_blues_again_without_a_function(kinds: Kinds) -> None:
    assert kinds.held() == {"web": Share(5_000), "cdn": Share(500), "promoted": ALL, "flows": Share(5_000)}
    without_lambda(kinds)

    ended = kinds.world.ended(kinds.roll_back())

    assert ended["outcome"] == "rolled_back"
    assert set(kinds.held().values()) == {NONE}
    for change in (weight_changes()[-1], record_changes()[-1], policy_changes()[-1]):
        assert "AWS_Lambda" not in change.caller or change is policy_changes()[-1]  # what clears away is a function
    assert kinds.world.journal.read("kinds").phase is Phase.ROLLED_BACK


def test_records_get_the_weight_they_were_found_with_and_green_gets_none(kinds: Kinds) -> None:
    without_lambda(kinds)

    kinds.world.ended(kinds.roll_back())
    edge = kinds.edges["web"].resolved
    assert isinstance(edge, Route53Edge)
    for rule in edge.rules:
        assert kinds.zone.weights(rule.type) == {rule.blue_identifier: 250, rule.green["SetIdentifier"]: 0}


def test_a_batch_that_has_nothing_to_give_back_is_not_sent(kinds: Kinds) -> None:
    kinds.zone.edges.shifter(kinds.edges["web"]).withdraw()
    before = len(record_changes())
    without_lambda(kinds)

    ended = kinds.world.ended(kinds.roll_back())

    assert ended["outcome"] == "rolled_back"
    assert len(record_changes()) == before


def test_a_promoted_distribution_leads_to_blue_and_keeps_what_others_changed_since(kinds: Kinds) -> None:
    kinds.promoted.change(Comment="changed since")  # by other hands, while green holds everything
    without_lambda(kinds)

    kinds.world.ended(kinds.roll_back())

    config = kinds.promoted.primary()
    assert [origin["DomainName"] for origin in config["Origins"]["Items"]] == ["blue.shop.example", "s.example"]
    assert config["Comment"] == "changed since"


def test_connections_to_green_end_once_no_weight_leads_there(kinds: Kinds) -> None:
    without_lambda(kinds)
    order: list[str] = []
    for action in ("ModifyListener", "DeregisterTargets"):
        kinds.world.aws.faults.before_call("elbv2", action, lambda call: order.append(call.action), times=None)

    kinds.world.ended(kinds.roll_back())

    assert order == ["ModifyListener", "ModifyListener", "DeregisterTargets"]
    assert kinds.flows.edges.healthy_targets(str(kinds.edges["flows"].resolved.green_arn)) == 0


def test_connections_stay_while_a_weight_still_leads_to_green(kinds: Kinds) -> None:
    without_lambda(kinds)
    refused: list[str] = []

    def refuse(call: Call) -> None:
        refused.append(call.action)
        raise call.error("AccessDenied", "ordered by a test")

    kinds.world.aws.faults.before_call("elbv2", "ModifyListener", refuse, times=None)
    execution = kinds.roll_back()
    kinds.world.until(lambda: kinds.held()["promoted"] == NONE and len(refused) > 2, "the others are blue's")

    green = str(kinds.edges["flows"].resolved.green_arn)
    assert kinds.flows.edges.healthy_targets(green) == 2
    kinds.world.aws.faults.clear()
    assert kinds.world.ended(execution)["outcome"] == "rolled_back"


def test_one_edge_that_cannot_be_restored_keeps_no_other_waiting(kinds: Kinds) -> None:
    def refuse(call: Call) -> None:
        raise call.error("AccessDenied", "ordered by a test")

    for action in ("GetDistributionConfig", "GetDistribution"):
        kinds.world.aws.faults.before_call("cloudfront", action, refuse, times=None)
    execution = kinds.roll_back()

    zone, flows = kinds.zone.edges.shifter(kinds.edges["web"]), kinds.flows.edges.shifter(kinds.edges["flows"])
    kinds.world.until(lambda: {*zone.shares(), *flows.shares()} == {NONE}, "records and flows are blue's")
    assert kinds.world.status(execution) == "RUNNING"
    kinds.world.aws.faults.clear()
    assert kinds.world.ended(execution)["outcome"] == "rolled_back"
    assert set(kinds.held().values()) == {NONE}


def _confirmations(kinds: Kinds) -> list[str]:
    opened = kinds.world.journal.read("kinds").opened_at
    found = [e for e in kinds.world.journal.entries("kinds") if e.what == "confirm" and e.subject == "cdn"]
    return [e.subject for e in found if e.at >= opened]


def test_a_rollback_is_recorded_when_the_last_edge_location_has_it(kinds: Kinds) -> None:
    spread_slowly(3_600)
    execution = kinds.roll_back()
    kinds.world.until(lambda: set(kinds.held().values()) == {NONE}, "everything is given back")
    kinds.world.until(lambda: len(_confirmations(kinds)) >= 3, "it is looked at again and again")

    assert kinds.world.status(execution) == "RUNNING"
    assert kinds.world.journal.read("kinds").phase is Phase.ROLLING_BACK
    spread_slowly(0)
    for cdn in (kinds.cdn, kinds.promoted):
        cdn.change(Comment="the shop")  # anything; this is everywhere at once
    assert kinds.world.ended(execution)["outcome"] == "rolled_back"
    events = kinds.world.states.get_execution_history(executionArn=execution, maxResults=1_000)["events"]
    entered = [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]
    assert entered.count("Restore Edges") == 1


def test_after_a_rollback_nothing_made_for_green_alone_is_left_at_cloudfront(kinds: Kinds) -> None:
    kinds.world.ended(kinds.roll_back())

    listed = kinds.cdn.client.list_distributions()["DistributionList"]
    assert {each["Id"] for each in listed["Items"]} == {kinds.cdn.id, kinds.promoted.id}
    assert kinds.cdn.client.list_continuous_deployment_policies()["ContinuousDeploymentPolicyList"]["Quantity"] == 0


def test_what_cannot_be_cleared_away_stays_and_the_rollback_is_over_all_the_same(kinds: Kinds) -> None:
    kinds.world.aws.faults.fail(kinds.world.physical["ClearEdge"], "Boom", times=1_000)

    ended = kinds.world.ended(kinds.roll_back())

    assert ended["outcome"] == "rolled_back"
    assert kinds.policy("cdn")["StagingDistributionDnsNames"]["Quantity"] == 1
    assert kinds.held()["cdn"] == NONE


class Virginia:
    """The same account in us-east-1, where CloudFront's alarms live."""

    def __init__(self, world: World) -> None:
        self._aws = world.aws

    def client(self, service: str) -> Any:
        return self._aws.client(service, "us-east-1")


def test_an_alarm_of_cloudfronts_own_region_gives_everything_back(kinds: Kinds) -> None:
    virginia = Virginia(kinds.world)
    home = kinds.world.aws.client("sts").meta.region_name
    given = {"HomeRegion": home, "AlarmNames": "cdn-errors"}
    Deployer(virginia).deploy(FORWARDING, "crossfade-cloudfront", given)
    alarms = virginia.client("cloudwatch")
    alarms.put_metric_alarm(
        AlarmName="cdn-errors",
        Namespace="AWS/CloudFront",
        MetricName="5xxErrorRate",
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        Threshold=5,
        ComparisonOperator="GreaterThanThreshold",
    )
    kinds.world.journal.index(alarm_resource("cdn-errors"), "kinds")

    alarms.set_alarm_state(AlarmName="cdn-errors", StateValue="ALARM", StateReason="for a test")

    journal = kinds.world.journal
    kinds.world.until(lambda: journal.read("kinds").phase is Phase.ROLLED_BACK, "it is rolled back")
    assert journal.read("kinds").reason == "alarm cdn-errors is in ALARM"
    assert set(kinds.held().values()) == {NONE}


def climb(kinds: Kinds, share: Share, **timings: int) -> dict[str, Any]:
    """Start the climb of one rung at the distribution that is not promoted, and return how it ended."""
    kinds.cdn.edges.shifter(kinds.edges["cdn"]).withdraw()
    record = kinds.world.journal.read("kinds")
    rung = {"index": 0, "share_bp": share.bp, "kind": RungKind.CLIMB, "soak_seconds": 1}
    asked = {"schema": 1, "migration": "kinds", "fence": record.fence, "edge": "cdn", "rung": rung}
    started = kinds.world.states.start_execution(
        stateMachineArn=kinds.world.outputs["ClimbArn"],
        input=json.dumps({**asked, **({"timings": timings} if timings else {})}),
    )
    return kinds.world.ended(started["executionArn"])


def test_a_rung_waits_as_long_as_the_plan_says_until_its_shift_has_spread(kinds: Kinds) -> None:
    kinds.cdn.edges.shifter(kinds.edges["cdn"]).withdraw()
    spread_slowly(5)

    ended = climb(kinds, Share(300), look_seconds=1, spread_seconds=60)

    assert "EdgeSpreading" not in ended["reason"]  # there is no plan to judge by, so it ends there
    shifts = [(e.kind, e.what) for e in kinds.world.journal.entries("kinds") if (e.what, e.subject) == ("shift", "cdn")]
    assert shifts[-1] == ("result", "shift")
    assert kinds.held()["cdn"] == Share(300)


@pytest.mark.parametrize("timings", [{"look_seconds": 1, "spread_seconds": 2}, {}])
def test_a_shift_that_does_not_spread_in_time_ends_the_rung(kinds: Kinds, timings: dict[str, int]) -> None:
    kinds.cdn.edges.shifter(kinds.edges["cdn"]).withdraw()
    spread_slowly(3_600)

    ended = climb(kinds, Share(300), **timings)

    assert ended["outcome"] == "broken"
    assert ended["reason"].startswith("EdgeSpreading")
