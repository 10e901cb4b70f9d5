"""What a load balancer's rules need beyond what every edge promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from crossfade.errors import BlueUnhealthy, EdgeBusy, EdgeChanged, NotConfirmed, PreflightRefused, UnreachableGoal
from crossfade.journal.edges import AlbRule, EdgeRecord
from crossfade.plan.edges import RuleRef
from crossfade.plan.services import TargetGroupRef, TargetHealthCheck
from crossfade.shift.alb import AlbEdges, AlbShifter
from crossfade.shift.share import ALL, NONE, Share
from rehearsal.aws import in_process
from tests.load_balancer import LoadBalancer, forward
from tests.traffic import an_edge_plan

DEFAULT = RuleRef(load_balancer="front", listener_port=80, priority="default")
PLAN = an_edge_plan(rules=(DEFAULT, RuleRef(load_balancer="front", listener_port=80, priority="10")))
TAGS = {"crossfade:migration": "shop"}


@pytest.fixture
def front() -> Iterator[LoadBalancer]:
    with in_process():
        yield LoadBalancer()


def an_edge(front: LoadBalancer) -> EdgeRecord:
    made = front.edges.make_green_end(front.edges.find(PLAN).owned_by("shop"), "web-green", TAGS)
    front.set_healthy(front.arn_of("web-green"), 2)
    return made


def test_greens_end_asks_the_application_where_blues_asked_envoy(front: LoadBalancer) -> None:
    asked = TargetHealthCheck(path="/ready")
    plan = PLAN.model_copy(update={"green": PLAN.green.model_copy(update={"health_check": asked})})

    front.edges.make_green_end(front.edges.find(plan).owned_by("shop"), "web-green", TAGS)

    [made] = front.client.describe_target_groups(Names=["web-green"])["TargetGroups"]
    assert (made["HealthCheckPort"], made["HealthCheckPath"]) == ("traffic-port", "/ready")


class Meddling:
    """A client with somebody else's hands: `before` and `after` a call of one name, or instead of it."""

    def __init__(self, client: Any, name: str, **hands: Callable[..., Any]) -> None:
        self._client, self._name, self._hands = client, name, hands
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._client, name)
        if name in {"exceptions", "get_paginator"}:
            return real

        def call(**arguments: Any) -> Any:
            self.calls.append(name)
            if name != self._name:
                return real(**arguments)
            if "instead" in self._hands:
                return self._hands["instead"](**arguments)
            answer = real(**arguments)
            self._hands["after"](**arguments)
            return answer

        return call


# -- what is found ---------------------------------------------------------------------


def test_rules_that_lead_elsewhere_are_left_alone(front: LoadBalancer) -> None:
    before = front.actions(front.elsewhere)
    edge = an_edge(front)

    front.edges.shifter(edge).set_green(ALL)

    assert front.elsewhere not in [rule.arn for rule in edge.resolved.rules]
    assert front.actions(front.elsewhere) == before


def test_listeners_and_rules_are_told_apart(front: LoadBalancer) -> None:
    found = front.edges.find(PLAN)

    by_arn = {rule.arn: rule.is_default for rule in found.resolved.rules if isinstance(rule, AlbRule)}
    assert by_arn == {front.rule: False, front.listener: True}
    assert {request.action: request.arguments for request in found.way_back} == {
        "modifyRule": {"RuleArn": front.rule, "Actions": [_on_blue(front)]},
        "modifyListener": {"ListenerArn": front.listener, "DefaultActions": [_on_blue(front)]},
    }


def _on_blue(front: LoadBalancer) -> dict[str, Any]:
    return {
        "Type": "forward",
        "ForwardConfig": {
            "TargetGroups": [{"TargetGroupArn": front.blue, "Weight": 1}],
            "TargetGroupStickinessConfig": {"Enabled": False},
        },
    }


def test_the_way_back_that_was_kept_can_be_sent_as_it_is(front: LoadBalancer) -> None:
    edge = an_edge(front)
    shifter = front.edges.shifter(edge)
    shifter.set_green(Share(5_000))

    for request in edge.way_back:
        send = {"modifyRule": front.client.modify_rule, "modifyListener": front.client.modify_listener}
        send[request.action](**request.arguments)

    assert shifter.green() == NONE
    assert front.weights(front.rule) == {front.blue: 1, edge.resolved.green_arn: 0}


def test_a_rule_that_keeps_users_on_one_side_is_refused(front: LoadBalancer) -> None:
    front.put(front.rule, forward({front.blue: 1}, sticky=True))

    with pytest.raises(PreflightRefused, match="rule 10 of port 80 keeps users"):
        front.edges.find(PLAN)


def test_a_target_group_is_found_by_its_arn_where_the_plan_knows_it(front: LoadBalancer) -> None:
    by_arn = PLAN.model_copy(update={"blue": TargetGroupRef(name="renamed", arn=front.blue)})

    assert front.edges.find(by_arn).resolved.blue_arn == front.blue


def test_a_rule_on_which_blue_has_no_weight_does_not_lead_to_blue(front: LoadBalancer) -> None:
    front.put(front.elsewhere, forward({front.other: 1, front.blue: 0}))

    assert len(front.edges.find(PLAN).resolved.rules) == 2


# -- green's end -----------------------------------------------------------------------


def test_greens_target_group_is_blues_copy_in_every_attribute(front: LoadBalancer) -> None:
    attributes = [
        {"Key": "deregistration_delay.timeout_seconds", "Value": "17"},
        {"Key": "slow_start.duration_seconds", "Value": "31"},
        {"Key": "load_balancing.algorithm.type", "Value": "least_outstanding_requests"},
    ]
    front.client.modify_target_group_attributes(TargetGroupArn=front.blue, Attributes=attributes)

    green = str(an_edge(front).resolved.green_arn)

    described = front.client.describe_target_groups(TargetGroupArns=[front.blue, green])["TargetGroups"]
    own = {"TargetGroupArn", "TargetGroupName", "LoadBalancerArns"}
    blue_is, green_is = ({k: v for k, v in group.items() if k not in own} for group in described)
    assert blue_is == green_is
    held = [
        {a["Key"]: a["Value"] for a in front.client.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]}
        for arn in (front.blue, green)
    ]
    assert held[0] == held[1]
    assert held[1]["slow_start.duration_seconds"] == "31"


def test_greens_target_group_carries_its_migration(front: LoadBalancer) -> None:
    green = str(an_edge(front).resolved.green_arn)

    [described] = front.client.describe_tags(ResourceArns=[green])["TagDescriptions"]

    assert described["Tags"] == [{"Key": "crossfade:migration", "Value": "shop"}]


def test_a_green_end_half_made_is_finished(front: LoadBalancer) -> None:
    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": "Throttling", "Message": ""}}, "ModifyListener")

    found = front.edges.find(PLAN).owned_by("shop")
    with pytest.raises(EdgeBusy):
        AlbEdges(Meddling(front.client, "modify_listener", instead=refuse)).make_green_end(  # type: ignore[arg-type]
            found, "web-green", TAGS
        )

    made = front.edges.make_green_end(found, "web-green", TAGS)

    assert front.edges.shifter(made).green() == NONE


def test_a_rule_changed_since_the_opening_gets_no_green_end(front: LoadBalancer) -> None:
    found = front.edges.find(PLAN).owned_by("shop")
    front.put(front.rule, forward({front.blue: 1, front.other: 1}))

    with pytest.raises(EdgeChanged):
        front.edges.make_green_end(found, "web-green", TAGS)


# -- what is kept ---------------------------------------------------------------------


def test_others_in_the_action_keep_their_part(front: LoadBalancer) -> None:
    front.put(front.rule, forward({front.other: 1, front.blue: 3}))
    edge = an_edge(front)
    green = str(edge.resolved.green_arn)

    for bp in (500, 5_000, 9_500, 10_000):
        front.edges.shifter(edge).set_green(Share(bp))

        weights = front.weights(front.rule)
        assert weights[front.other] * 3 == weights[front.blue] + weights[green]
    front.edges.shifter(edge).withdraw()
    weights = front.weights(front.rule)
    assert (weights[front.other] * 3, weights[green]) == (weights[front.blue], 0)


def test_others_too_heavy_for_the_share_are_said_so_before_anything_is_written(front: LoadBalancer) -> None:
    front.put(front.rule, forward({front.other: 999, front.blue: 1}))
    edge = an_edge(front)
    before = [front.actions(rule.arn) for rule in edge.resolved.rules]

    with pytest.raises(UnreachableGoal):
        front.edges.shifter(edge).set_green(Share(100))

    assert [front.actions(rule.arn) for rule in edge.resolved.rules] == before


def test_logins_and_their_order_are_kept(front: LoadBalancer) -> None:
    login = {
        "Type": "authenticate-oidc",
        "Order": 1,
        "AuthenticateOidcConfig": {
            "Issuer": "https://id.example",
            "AuthorizationEndpoint": "https://id.example/authorize",
            "TokenEndpoint": "https://id.example/token",
            "UserInfoEndpoint": "https://id.example/user",
            "ClientId": "shop",
            "ClientSecret": "kept by AWS",
        },
    }
    front.put(front.rule, login, {**forward({front.blue: 1}), "Order": 2})
    edge = an_edge(front)
    shifter = front.edges.shifter(edge)

    shifter.set_green(Share(5_000))
    shifter.withdraw()

    first, second = front.actions(front.rule)
    assert (first["Type"], first["Order"], second["Type"], second["Order"]) == ("authenticate-oidc", 1, "forward", 2)
    assert first["AuthenticateOidcConfig"]["TokenEndpoint"] == "https://id.example/token"


# -- other hands ----------------------------------------------------------------------


def meddled(front: LoadBalancer, edge: EdgeRecord, name: str, **hands: Callable[..., Any]) -> AlbShifter:
    return AlbShifter(Meddling(front.client, name, **hands), edge)  # type: ignore[arg-type]


def test_a_write_that_did_not_take_is_not_confirmed(front: LoadBalancer) -> None:
    edge = an_edge(front)
    shifter = meddled(front, edge, "modify_rule", instead=lambda **_: {})

    with pytest.raises(EdgeChanged):  # one of two rules took it
        shifter.set_green(Share(5_000))
    front.give(front.rule, str(edge.resolved.green_arn), Share(1_000))
    with pytest.raises(NotConfirmed):
        shifter.withdraw()


def test_a_listener_that_does_not_show_the_write_yet_is_asked_again(front: LoadBalancer) -> None:
    front.client.delete_rule(RuleArn=front.rule)
    found = front.edges.find(PLAN.model_copy(update={"rules": (DEFAULT,)})).owned_by("shop")
    edge = front.edges.make_green_end(found, "web-green", TAGS)
    front.set_healthy(str(edge.resolved.green_arn), 1)

    with pytest.raises(NotConfirmed):
        meddled(front, edge, "modify_listener", instead=lambda **_: {}).set_green(Share(5_000))


def test_a_write_that_somebody_overwrites_at_once_is_noticed(front: LoadBalancer) -> None:
    edge = an_edge(front)
    green = str(edge.resolved.green_arn)

    def overwrite(**_: object) -> None:
        front.put(front.listener, forward({front.blue: 1, green: 2}))

    with pytest.raises(EdgeChanged):
        meddled(front, edge, "modify_listener", after=overwrite).set_green(Share(5_000))


def test_a_new_rule_that_leads_to_blue_stops_the_climb(front: LoadBalancer) -> None:
    edge = an_edge(front)
    front.add_rule(30, forward({front.blue: 1}))

    with pytest.raises(EdgeChanged, match="has come to lead there"):
        front.edges.shifter(edge).set_green(Share(100))


def test_a_rule_that_was_replaced_under_green_is_given_back_too(front: LoadBalancer) -> None:
    edge = an_edge(front)
    green = str(edge.resolved.green_arn)
    shifter = front.edges.shifter(edge)
    shifter.set_green(Share(5_000))
    front.client.delete_rule(RuleArn=front.rule)
    replaced = front.add_rule(10, forward({green: 5}))

    assert shifter.shares() == (ALL, Share(5_000))
    shifter.withdraw()

    assert front.weights(replaced) == {green: 0, front.blue: 5}
    assert front.weights(front.listener)[green] == 0


def test_a_rule_left_without_any_weight_gets_blue_back(front: LoadBalancer) -> None:
    edge = an_edge(front)
    green = str(edge.resolved.green_arn)
    front.put(front.rule, forward({front.blue: 0, green: 0}))

    front.edges.shifter(edge).withdraw()

    assert front.weights(front.rule) == {front.blue: 1, green: 0}


def test_one_rule_that_refuses_does_not_keep_the_others_from_blue(front: LoadBalancer) -> None:
    edge = an_edge(front)
    green = str(edge.resolved.green_arn)
    front.edges.shifter(edge).set_green(Share(5_000))

    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": ""}}, "ModifyRule")

    with pytest.raises(ClientError):
        meddled(front, edge, "modify_rule", instead=refuse).withdraw()

    assert front.weights(front.listener)[green] == 0
    assert front.weights(front.rule)[green] > 0


def test_a_load_balancer_that_is_gone_has_nothing_to_give_back(front: LoadBalancer) -> None:
    edge = an_edge(front)
    front.client.delete_load_balancer(LoadBalancerArn=front.arn)

    assert front.edges.shifter(edge).withdraw() == NONE
    assert front.edges.shifter(edge).shares() == ()


def test_a_blue_target_group_that_is_gone_cannot_take_it_back(front: LoadBalancer) -> None:
    edge = an_edge(front)
    green = str(edge.resolved.green_arn)
    for rule in (front.rule, front.listener):
        front.put(rule, forward({green: 1}))
    front.client.delete_target_group(TargetGroupArn=front.blue)

    with pytest.raises(BlueUnhealthy):
        front.edges.shifter(edge).withdraw()


@pytest.mark.parametrize("code", ["Throttling", "RequestLimitExceeded", "ServiceUnavailable"])
def test_a_throttled_load_balancer_is_asked_again(front: LoadBalancer, code: str) -> None:
    edge = an_edge(front)

    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": code, "Message": ""}}, "DescribeTargetHealth")

    with pytest.raises(EdgeBusy):
        meddled(front, edge, "describe_target_health", instead=refuse).set_green(Share(100))


@pytest.mark.parametrize("silence", [ReadTimeoutError, ConnectTimeoutError])
def test_a_load_balancer_that_does_not_answer_is_asked_again(
    front: LoadBalancer, silence: type[ReadTimeoutError | ConnectTimeoutError]
) -> None:
    edge = an_edge(front)

    def silent(**_: object) -> None:
        raise silence(endpoint_url="elasticloadbalancing")

    with pytest.raises(EdgeBusy):
        meddled(front, edge, "modify_listener", instead=silent).set_green(Share(100))
