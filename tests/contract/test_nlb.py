"""What flows need beyond what every edge promises."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crossfade.errors import EdgeChanged, PreflightRefused
from crossfade.journal.edges import EdgeRecord
from crossfade.plan.edges import RuleRef
from crossfade.plan.services import TargetGroupRef
from crossfade.shift.share import NONE, Share
from rehearsal.aws import in_process
from tests.load_balancer import LoadBalancer, NetworkLoadBalancer, forward
from tests.traffic import an_edge_plan

PLAN = an_edge_plan(
    kind="nlb",
    settle_seconds=350,
    rules=tuple(RuleRef(load_balancer="flows", listener_port=port, priority="default") for port in (80, 443)),
)
TAGS = {"crossfade:migration": "shop"}


@pytest.fixture
def flows() -> Iterator[NetworkLoadBalancer]:
    with in_process():
        yield NetworkLoadBalancer()


def an_edge(flows: NetworkLoadBalancer) -> EdgeRecord:
    made = flows.edges.make_green_end(flows.edges.find(PLAN).owned_by("shop"), "web-green", TAGS)
    flows.set_healthy(str(made.resolved.green_arn), 2)
    return made


def attributes(flows: NetworkLoadBalancer, target_group: str) -> dict[str, str]:
    answer = flows.client.describe_target_group_attributes(TargetGroupArn=target_group)
    return {each["Key"]: each["Value"] for each in answer["Attributes"]}


def test_a_rollback_ends_the_connections_that_green_still_has(flows: NetworkLoadBalancer) -> None:
    edge = an_edge(flows)
    green = str(edge.resolved.green_arn)
    shifter = flows.edges.shifter(edge)
    shifter.set_green(Share(5_000))

    assert shifter.withdraw() == NONE

    assert flows.edges.healthy_targets(green) == 0
    assert attributes(flows, green)["deregistration_delay.connection_termination.enabled"] == "true"
    assert attributes(flows, green)["deregistration_delay.timeout_seconds"] == "0"


def test_connections_are_ended_when_an_earlier_attempt_gave_back_the_weights_alone(flows: NetworkLoadBalancer) -> None:
    edge = an_edge(flows)
    green = str(edge.resolved.green_arn)
    flows.edges.shifter(edge).set_green(Share(5_000))
    for listener in flows.listeners:
        flows.put(listener, forward({flows.blue: 1, green: 0}))

    flows.edges.shifter(edge).withdraw()

    assert flows.edges.healthy_targets(green) == 0


def test_the_way_back_without_a_function_ends_connections_once_the_weights_are_given_back(
    flows: NetworkLoadBalancer,
) -> None:
    edge = an_edge(flows)

    assert [call.action for call in edge.way_back] == ["modifyListener", "modifyListener", "deregisterTargets"]
    assert edge.way_back[-1].arguments == {
        "TargetGroupArn": edge.resolved.green_arn,
        "Attributes": [
            {"Key": "deregistration_delay.connection_termination.enabled", "Value": "true"},
            {"Key": "deregistration_delay.timeout_seconds", "Value": "0"},
        ],
    }


def test_blues_connections_are_left_alone(flows: NetworkLoadBalancer) -> None:
    edge = an_edge(flows)
    before = attributes(flows, flows.blue)
    shifter = flows.edges.shifter(edge)
    shifter.set_green(Share(5_000))

    shifter.withdraw()

    assert flows.edges.healthy_targets(flows.blue) == 2
    assert attributes(flows, flows.blue) == before


def test_an_edge_settles_when_the_plans_longest_connection_has_ended(flows: NetworkLoadBalancer) -> None:
    assert flows.edges.shifter(an_edge(flows)).settle.total_seconds() == 350


@pytest.mark.parametrize(
    ("settle_seconds", "scaled", "refused"), [(350, False, False), (349, False, True), (1, True, False)]
)
def test_an_edge_that_settles_before_a_connection_may_end_is_refused_but_in_a_rehearsal(
    flows: NetworkLoadBalancer, settle_seconds: int, *, scaled: bool, refused: bool
) -> None:
    edge = flows.edges.find(PLAN.model_copy(update={"settle_seconds": settle_seconds}))

    [finding] = flows.edges.check(edge, scaled=scaled)

    assert ("keeps an idle connection for 350 s" in finding.refused) is refused


def test_the_longest_of_an_edges_listeners_counts(flows: NetworkLoadBalancer) -> None:
    flows.client.modify_listener_attributes(
        ListenerArn=flows.listeners[1], Attributes=[{"Key": "tcp.idle_timeout.seconds", "Value": "6000"}]
    )

    [finding] = flows.edges.check(flows.edges.find(PLAN), scaled=False)

    assert "set settle_seconds of the edge to the longest a connection lasts, 6000 at least" in finding.mend


def test_a_load_balancer_of_the_other_kind_is_refused() -> None:
    plan = an_edge_plan(rules=(RuleRef(load_balancer="front", listener_port=80, priority="default"),))
    with in_process():
        front = LoadBalancer()

        with pytest.raises(EdgeChanged, match="the plan says nlb"):
            front.edges.find(plan.model_copy(update={"kind": "nlb"}))


def test_a_rule_that_forwards_to_as_many_target_groups_as_aws_allows_is_refused() -> None:
    with in_process():
        front = LoadBalancer()
        others = [front.target_group(f"other-{place}") for place in range(4)]
        front.put(front.rule, forward({front.blue: 1, **dict.fromkeys(others, 0)}))
        rules = tuple(RuleRef(load_balancer="front", listener_port=80, priority=each) for each in ("default", "10"))

        with pytest.raises(PreflightRefused, match="5 target groups already"):
            front.edges.find(an_edge_plan(rules=rules))


@pytest.mark.parametrize("name", ["-green", "green-", "web_green", "internal-green", "x" * 33, ""])
def test_a_name_that_no_target_group_can_have_is_refused_before_anything_is_made(
    flows: NetworkLoadBalancer, name: str
) -> None:
    with pytest.raises(PreflightRefused, match="no name for a target group"):
        flows.edges.find(PLAN.model_copy(update={"green": TargetGroupRef(name=name, arn=flows.blue[:-1])}))
