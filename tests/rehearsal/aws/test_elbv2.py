"""Elastic Load Balancing of the embedded AWS, in both modes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.aws import elbv2
from tests.rehearsal.aws.ground import Ground, grounds
from tests.rehearsal.aws.lab import MODES, until


@pytest.fixture(scope="module", params=MODES)
def ground(request: pytest.FixtureRequest) -> Iterator[Ground]:
    yield from grounds(request.param)


@pytest.fixture
def edge(ground: Ground) -> tuple[str, str, str]:
    """A listener, its blue and its green target group."""
    blue, green = ground.group(), ground.group()
    return ground.listener(blue, green), blue, green


def forward(*weights: tuple[str, int], **config: Any) -> list[dict[str, Any]]:
    groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights]
    return [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups, **config}}]


def code_of(act: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as refused:
        act(**request)
    return str(refused.value.response["Error"]["Code"])


# -- weights ------------------------------------------------------------------


@pytest.mark.parametrize("green", [0, 1, 500, 999])
def test_weights_written_are_the_weights_read(ground: Ground, edge: tuple[str, str, str], green: int) -> None:
    listener, blue, other = edge

    ground.elbv2.modify_listener(ListenerArn=listener, DefaultActions=forward((blue, 999 - green), (other, green)))

    [read] = ground.elbv2.describe_listeners(ListenerArns=[listener])["Listeners"]
    [rule] = ground.elbv2.describe_rules(ListenerArn=listener)["Rules"]
    written = [{"TargetGroupArn": blue, "Weight": 999 - green}, {"TargetGroupArn": other, "Weight": green}]
    assert read["DefaultActions"][0]["ForwardConfig"]["TargetGroups"] == written
    assert rule["Actions"] == read["DefaultActions"]


@pytest.mark.parametrize("weight", [-1, 1000])
def test_a_weight_out_of_range_is_refused_and_changes_nothing(
    ground: Ground, edge: tuple[str, str, str], weight: int
) -> None:
    listener, blue, green = edge
    before = ground.elbv2.describe_rules(ListenerArn=listener)["Rules"]

    actions = forward((blue, 1), (green, weight))

    assert code_of(ground.elbv2.modify_listener, ListenerArn=listener, DefaultActions=actions) == "ValidationError"
    assert ground.elbv2.describe_rules(ListenerArn=listener)["Rules"] == before


def test_an_action_forwards_to_five_target_groups_at_most(ground: Ground) -> None:
    groups = [ground.group() for _ in range(6)]
    listener = ground.listener(*groups[:5])

    actions = forward(*((arn, 1) for arn in groups))

    assert code_of(ground.elbv2.modify_listener, ListenerArn=listener, DefaultActions=actions) == "TooManyTargetGroups"


def test_an_unknown_target_group_is_refused(ground: Ground, edge: tuple[str, str, str]) -> None:
    listener, blue, _ = edge

    actions = forward((blue, 1), (blue + "0", 1))

    assert code_of(ground.elbv2.modify_listener, ListenerArn=listener, DefaultActions=actions) == "TargetGroupNotFound"


def test_a_target_group_belongs_to_one_load_balancer(ground: Ground, edge: tuple[str, str, str]) -> None:
    _, blue, _ = edge
    other = ground.listener(ground.group())

    refused = code_of(ground.elbv2.modify_listener, ListenerArn=other, DefaultActions=forward((blue, 1)))

    assert refused == "TargetGroupAssociationLimit"


def test_naming_one_target_group_beside_several_is_refused(ground: Ground, edge: tuple[str, str, str]) -> None:
    listener, blue, green = edge
    [action] = forward((blue, 1), (green, 1))

    refused = code_of(
        ground.elbv2.modify_listener, ListenerArn=listener, DefaultActions=[{**action, "TargetGroupArn": blue}]
    )

    assert refused == "InvalidLoadBalancerAction"


def test_a_single_target_group_is_answered_in_both_forms(ground: Ground) -> None:
    group = ground.group()
    listener = ground.listener(group)

    ground.elbv2.modify_listener(ListenerArn=listener, DefaultActions=[{"Type": "forward", "TargetGroupArn": group}])

    [read] = ground.elbv2.describe_listeners(ListenerArns=[listener])["Listeners"]
    [action] = read["DefaultActions"]
    assert action["TargetGroupArn"] == group
    assert action["ForwardConfig"]["TargetGroups"] == [{"TargetGroupArn": group, "Weight": 1}]
    assert action["ForwardConfig"]["TargetGroupStickinessConfig"] == {"Enabled": False}


@pytest.mark.parametrize("stickiness", [{"Enabled": True}, {"Enabled": True, "DurationSeconds": 604_801}])
def test_stickiness_needs_a_legal_duration(
    ground: Ground, edge: tuple[str, str, str], stickiness: dict[str, Any]
) -> None:
    listener, blue, _ = edge

    actions = forward((blue, 1), TargetGroupStickinessConfig=stickiness)

    assert code_of(ground.elbv2.modify_listener, ListenerArn=listener, DefaultActions=actions) == "ValidationError"


def test_the_whole_action_list_of_a_rule_is_kept(ground: Ground, edge: tuple[str, str, str]) -> None:
    listener, blue, green = edge
    made = ground.elbv2.create_rule(
        ListenerArn=listener,
        Conditions=[{"Field": "path-pattern", "Values": ["/api/*"]}],
        Priority=5,
        Actions=forward((blue, 1), TargetGroupStickinessConfig={"Enabled": True, "DurationSeconds": 60}),
        Tags=[{"Key": "owner", "Value": "team"}],
    )["Rules"][0]
    wanted = forward((blue, 90), (green, 10), TargetGroupStickinessConfig={"Enabled": True, "DurationSeconds": 60})

    ground.elbv2.modify_rule(RuleArn=made["RuleArn"], Actions=wanted)

    [read] = ground.elbv2.describe_rules(RuleArns=[made["RuleArn"]])["Rules"]
    assert (read["Actions"], read["Conditions"], read["Priority"]) == (wanted, made["Conditions"], "5")


def test_rules_come_by_priority_and_the_default_last(ground: Ground, edge: tuple[str, str, str]) -> None:
    listener, blue, _ = edge
    for priority in (20, 3, 100):
        path = [{"Field": "path-pattern", "Values": [f"/{priority}"]}]
        ground.elbv2.create_rule(ListenerArn=listener, Conditions=path, Priority=priority, Actions=forward((blue, 1)))

    rules = ground.elbv2.describe_rules(ListenerArn=listener)["Rules"]

    assert [rule["Priority"] for rule in rules] == ["3", "20", "100", "default"]


def test_the_default_rule_changes_through_its_listener_only(ground: Ground, edge: tuple[str, str, str]) -> None:
    listener, blue, _ = edge
    [default] = ground.elbv2.describe_rules(ListenerArn=listener)["Rules"]

    modified = code_of(ground.elbv2.modify_rule, RuleArn=default["RuleArn"], Actions=forward((blue, 1)))
    deleted = code_of(ground.elbv2.delete_rule, RuleArn=default["RuleArn"])

    assert (modified, deleted) == ("OperationNotPermitted", "OperationNotPermitted")


def test_what_is_deleted_is_gone(ground: Ground, edge: tuple[str, str, str]) -> None:
    listener, _, green = edge
    path = [{"Field": "path-pattern", "Values": ["/api/*"]}]
    other = ground.group()
    actions = forward((other, 1), (green, 1))
    made = ground.elbv2.create_rule(ListenerArn=listener, Conditions=path, Priority=7, Actions=actions)["Rules"][0]

    ground.elbv2.delete_rule(RuleArn=made["RuleArn"])
    ground.elbv2.delete_target_group(TargetGroupArn=other)

    assert code_of(ground.elbv2.describe_rules, RuleArns=[made["RuleArn"]]) == "RuleNotFound"
    assert code_of(ground.elbv2.describe_target_health, TargetGroupArn=other) == "TargetGroupNotFound"


def test_every_change_of_weights_is_written_down_with_its_caller(ground: Ground, edge: tuple[str, str, str]) -> None:
    listener, blue, green = edge

    ground.elbv2.modify_listener(ListenerArn=listener, DefaultActions=forward((blue, 0), (green, 0)))

    mine = [change for change in elbv2.weight_changes() if change.resource == listener]
    assert [change.operation for change in mine] == ["CreateListener", "ModifyListener"]
    assert mine[-1].weights == {blue: 0, green: 0}
    assert "Boto3" in mine[-1].caller
    assert mine[-1].access_key


# -- target groups ------------------------------------------------------------


def test_a_copy_of_a_target_group_is_its_equal(ground: Ground) -> None:
    blue = ground.group(HealthCheckPath="/ready", HealthCheckIntervalSeconds=7, HealthCheckTimeoutSeconds=3)
    ground.elbv2.modify_target_group_attributes(
        TargetGroupArn=blue, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "5"}]
    )
    [found] = ground.elbv2.describe_target_groups(TargetGroupArns=[blue])["TargetGroups"]
    attributes = ground.elbv2.describe_target_group_attributes(TargetGroupArn=blue)["Attributes"]
    own = {"TargetGroupArn", "TargetGroupName", "LoadBalancerArns"}

    green = ground.group(**{member: value for member, value in found.items() if member not in own})
    ground.elbv2.modify_target_group_attributes(TargetGroupArn=green, Attributes=attributes)

    [copied] = ground.elbv2.describe_target_groups(TargetGroupArns=[green])["TargetGroups"]
    assert {m: v for m, v in copied.items() if m not in own} == {m: v for m, v in found.items() if m not in own}
    assert ground.elbv2.describe_target_group_attributes(TargetGroupArn=green)["Attributes"] == attributes


def test_a_target_group_has_every_attribute_aws_gives_it(ground: Ground) -> None:
    attributes = ground.elbv2.describe_target_group_attributes(TargetGroupArn=ground.group())["Attributes"]

    held = {each["Key"]: each["Value"] for each in attributes}
    assert len(held) == 14
    assert held["stickiness.enabled"] == "false"
    assert held["load_balancing.algorithm.anomaly_mitigation"] == "off"


def test_an_unknown_attribute_is_refused(ground: Ground) -> None:
    attributes = [{"Key": "no.such", "Value": "1"}]

    refused = code_of(ground.elbv2.modify_target_group_attributes, TargetGroupArn=ground.group(), Attributes=attributes)

    assert refused == "InvalidConfigurationRequest"


def test_the_same_target_group_is_created_once(ground: Ground) -> None:
    name = ground.name("same")
    first = ground.group(Name=name, HealthCheckPath="/ready")

    second = ground.group(Name=name, HealthCheckPath="/ready")

    other = {"Name": name, "Protocol": "HTTP", "Port": 81, "VpcId": ground.vpc, "TargetType": "ip"}
    assert second == first
    assert code_of(ground.elbv2.create_target_group, **other) == "DuplicateTargetGroupName"


def test_a_target_group_knows_the_load_balancer_that_uses_it_now(ground: Ground) -> None:
    balancer, blue, green = ground.balancer(), ground.group(), ground.group()
    listener = ground.listener(blue, balancer=balancer)

    ground.elbv2.modify_listener(ListenerArn=listener, DefaultActions=forward((green, 1)))

    found = ground.elbv2.describe_target_groups(TargetGroupArns=[blue, green])["TargetGroups"]
    used = {each["TargetGroupArn"]: each.get("LoadBalancerArns", []) for each in found}
    assert used == {blue: [], green: [balancer]}
    assert code_of(ground.elbv2.delete_target_group, TargetGroupArn=green) == "ResourceInUse"


def test_tags_are_kept(ground: Ground) -> None:
    group = ground.group()

    ground.elbv2.add_tags(ResourceArns=[group], Tags=[{"Key": "crossfade:migration", "Value": "m-1"}])

    [found] = ground.elbv2.describe_tags(ResourceArns=[group])["TagDescriptions"]
    assert found["Tags"] == [{"Key": "crossfade:migration", "Value": "m-1"}]


# -- target health ------------------------------------------------------------


def test_a_target_nobody_forwards_to_is_unused(ground: Ground) -> None:
    group = ground.group()

    ground.elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": "10.0.0.9", "Port": 80}])

    [found] = ground.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert (found["TargetHealth"]["State"], found["TargetHealth"]["Reason"]) == ("unused", "Target.NotInUse")


def test_targets_with_one_address_differ_by_port(ground: Ground, edge: tuple[str, str, str]) -> None:
    _, blue, _ = edge
    targets = [{"Id": "127.0.0.1", "Port": 1001}, {"Id": "127.0.0.1", "Port": 1002}]
    ground.elbv2.register_targets(TargetGroupArn=blue, Targets=targets)

    ground.elbv2.deregister_targets(TargetGroupArn=blue, Targets=targets[:1])

    [found] = ground.elbv2.describe_target_health(TargetGroupArn=blue)["TargetHealthDescriptions"]
    assert found["Target"] == targets[1]


def test_a_target_is_as_healthy_as_its_task(ground: Ground, edge: tuple[str, str, str]) -> None:
    _, blue, _ = edge
    balancers = [{"targetGroupArn": blue, "containerName": "app", "containerPort": 8080}]
    name = ground.service(loadBalancers=balancers, healthCheckGracePeriodSeconds=1_000_000)
    ground.rolled(name)
    before = ground.health(blue)

    ground.runtime.sicken(name)

    until(lambda: ground.health(blue) == ["unhealthy", "unhealthy"])
    ground.runtime.heal(name)
    until(lambda: ground.health(blue) == ["healthy", "healthy"])
    assert before == ["healthy", "healthy"]
