"""Elastic Load Balancing: load balancers, listeners, rules and target groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearsal.deploy.making import Made, Maker, New, only
from rehearsal.deploy.request import as_text

_LOAD_BALANCER_NAME = 32
_TARGET_GROUP_NAME = 32


def load_balancer(new: New) -> Made:
    """Make a load balancer."""
    name = new.name("Name", longest=_LOAD_BALANCER_NAME)
    settings = _attributes(new, "LoadBalancerAttributes")
    [made] = new.call("elbv2", "create_load_balancer", Name=name)["LoadBalancers"]
    arn = made["LoadBalancerArn"]
    client = new.client("elbv2")
    if settings:
        client.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=settings)

    def active() -> bool:
        [found] = client.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
        return bool(found["State"]["Code"] == "active")

    return Made(
        arn,
        {
            "LoadBalancerArn": arn,
            "LoadBalancerName": name,
            "LoadBalancerFullName": arn.partition("loadbalancer/")[2],
            "DNSName": made["DNSName"],
            "CanonicalHostedZoneID": made.get("CanonicalHostedZoneId", ""),
            "SecurityGroups": made.get("SecurityGroups", []),
        },
        active,
    )


def target_group(new: New) -> Made:
    """Make a target group, and register the targets it names."""
    name = new.name("Name", longest=_TARGET_GROUP_NAME)
    settings = _attributes(new, "TargetGroupAttributes")
    targets = new.shaped("elbv2", "register_targets", "Targets", new.take("Targets", []))
    [made] = new.call("elbv2", "create_target_group", Name=name)["TargetGroups"]
    arn, client = made["TargetGroupArn"], new.client("elbv2")
    if settings:
        client.modify_target_group_attributes(TargetGroupArn=arn, Attributes=settings)
    if targets:
        client.register_targets(TargetGroupArn=arn, Targets=targets)
    return Made(
        arn,
        {
            "TargetGroupArn": arn,
            "TargetGroupName": name,
            "TargetGroupFullName": arn.rpartition(":")[2],
            "LoadBalancerArns": made.get("LoadBalancerArns", []),
        },
    )


def listener(new: New) -> Made:
    """Make a listener."""
    settings = _attributes(new, "ListenerAttributes")
    [made] = new.call("elbv2", "create_listener")["Listeners"]
    if settings:
        new.client("elbv2").modify_listener_attributes(ListenerArn=made["ListenerArn"], Attributes=settings)
    return Made(made["ListenerArn"], {"ListenerArn": made["ListenerArn"]})


def listener_rule(new: New) -> Made:
    """Make a rule of a listener."""
    [made] = new.call("elbv2", "create_rule")["Rules"]
    return Made(made["RuleArn"], {"RuleArn": made["RuleArn"], "IsDefault": False})


def _attributes(new: New, name: str) -> list[dict[str, Any]]:
    pairs = [only(each, name, "Key", "Value") for each in new.take(name, [])]
    return [{"Key": pair["Key"], "Value": as_text(pair["Value"])} for pair in pairs]


MAKERS: Mapping[str, Maker] = {
    "AWS::ElasticLoadBalancingV2::Listener": listener,
    "AWS::ElasticLoadBalancingV2::ListenerRule": listener_rule,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": load_balancer,
    "AWS::ElasticLoadBalancingV2::TargetGroup": target_group,
}
