"""
The detour: green's own load balancer leads to blue, while what lies before it takes its minutes to lead there.

A record or a distribution changes for every user within a minute or many, a load balancer's rule within seconds. So
beside green's target group, in each rule of its load balancer that leads to it, stands another that holds blue's
targets, at weight 0. A rollback gives it green's weight first, and takes it back when nobody is led there any more.

A target group belongs to one load balancer. So the detour is a copy of blue's target group, in which blue's targets are
registered as well and which is kept so while the migration is open; it is blue's own only where both are on one load
balancer. Blue's service is not touched by it: it is ECS that would deploy it anew for a second target group.

Source: Elastic Load Balancing API 2015-12-01, RegisterTargets (targets by IP address lie in the target group's VPC) and
TargetGroupAssociationLimit; Application Load Balancer guide, "Health checks": a target group is checked once a rule
names it, whatever its weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from crossfade.connect.services import MIGRATION_TAG
from crossfade.errors import BlueUnhealthy, EdgeChanged, NotConfirmed, UnknownEdge
from crossfade.journal.edges import AlbEdge, AlbRule, Detour, EdgeRecord, FoundEdge, StoredRequest
from crossfade.plan.edges import EdgePlan
from crossfade.plan.finding import Finding
from crossfade.plan.services import TargetGroupRef
from crossfade.shift.alb import AlbShifter, Rule, copy_of, scan_rules, write_actions
from crossfade.shift.elbv2 import (
    TwoBalancerEdges,
    TwoBalancers,
    TwoBalancerShifter,
    busy,
    healthy_targets,
    tags_of,
    target_group,
)
from crossfade.shift.limits import MOST_TARGET_GROUPS, of_target_group
from crossfade.shift.rule import Split, is_sticky, named, split, with_weights, without
from crossfade.shift.share import ALL, NONE, Share

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_elbv2.type_defs import TargetGroupTypeDef

_REGISTERED = frozenset({"ip", "instance"})
"""The kinds of targets that a second target group can hold as well."""

_LEAVING = "draining"


class DetouredEdges(TwoBalancerEdges):
    """What is alike in `Edges` whose green has a load balancer of its own, the detour on it included."""

    def tend(self, edge: EdgeRecord) -> str:
        """See `Edges`."""
        detour = edge.resolved.detour
        if detour is None or detour.arn is None:
            return ""
        with busy(edge.name):
            _fill(self._balancers, edge.resolved.blue_arn, detour)
            ready = healthy_targets(self._balancers, detour.arn) > 0
        return "" if ready else f"edge {edge.name}: no target of blue answers in {detour.name}, its way back is slow"

    def end_detour(self, edge: EdgeRecord) -> EdgeRecord:
        """See `Edges`."""
        detour, green = edge.resolved.detour, edge.resolved.green_arn
        if detour is not None and detour.arn is not None and green is not None:
            with busy(edge.name):
                _detach(self._balancers, edge, detour.arn, green)
                if detour.copied:
                    _delete(self._balancers, detour.arn, edge.migration)
        ended = edge.resolved.model_copy(update={"detour": None})
        return edge.model_copy(update={"resolved": ended, "way_back": slow_way_back(edge)})


class DetouredShifter(TwoBalancerShifter):
    """What is alike in the `TrafficShifter` of such an edge."""

    def detour(self) -> bool:
        """See `TrafficShifter`."""
        rules = _as_rules(self._balancers, self._edge)
        if rules is None:
            return False
        try:
            rules.withdraw()
        except BlueUnhealthy:
            return False
        except ClientError as refused:
            raise NotConfirmed(f"edge {self._edge.name}: the detour was refused: {refused}") from refused
        return True

    def _refuse_unhealthy(self, share: Share) -> None:
        super()._refuse_unhealthy(share)
        rules = _as_rules(self._balancers, self._edge)
        if share > NONE and rules is not None and any(held != ALL for held in rules.shares()):
            raise EdgeChanged(f"edge {self._edge.name}: green's load balancer leads to blue, by a detour of a rollback")


def find_detour(client: ElasticLoadBalancingv2Client, plan: EdgePlan, ends: TwoBalancers) -> Detour | None:
    """
    Return the detour that a plan asks for, with the reason where there can be none; None where it asks for none.

    Raises:
        UnknownEdge: green's target group is gone.
    """
    if plan.detour is None:
        return None
    is_one = ends.blue["LoadBalancerArn"] == ends.green["LoadBalancerArn"]
    blue, green = target_group(client, plan.blue), target_group(client, plan.green)
    if blue is None or green is None:
        raise UnknownEdge(f"edge {plan.name}: target group {plan.blue.name} or {plan.green.name} is gone")
    left = blue if is_one else target_group(client, TargetGroupRef(name=plan.detour.name))
    leading = [
        rule
        for rule in scan_rules(client, ends.green["LoadBalancerArn"])
        if _pair(rule, green["TargetGroupArn"], None if left is None else left["TargetGroupArn"])
    ]
    return Detour(
        name=plan.blue.name if is_one else plan.detour.name,
        copied=not is_one,
        arn=ends.blue_arn if is_one else None,
        rules=tuple(AlbRule(arn=rule.arn, is_default=rule.is_default, found_actions=rule.actions) for rule in leading),
        hindered=_hindrance(ends, blue, leading, plan.detour.name, None if left is None else left["TargetGroupArn"]),
    )


def _pair(rule: Rule, green: str, detour: str | None) -> int:
    found = split(rule.actions, blue=green, green=detour)
    return 0 if found is None or found.blue is None else found.pair


def _hindrance(
    ends: TwoBalancers, blue: TargetGroupTypeDef, leading: list[Rule], detour_name: str, detour: str | None
) -> str:
    """Return why green's load balancer cannot lead to blue; empty where it can."""
    name = ends.green["LoadBalancerName"]
    if ends.green["Type"] != "application":
        return f"{name} keeps the connections it has, whatever its weights"
    if ends.green["VpcId"] != blue["VpcId"]:
        return f"{name} is in another VPC than blue's targets"
    if blue["TargetType"] not in _REGISTERED:
        return f"blue's targets are of type {blue['TargetType']}"
    for beyond in of_target_group(detour_name):
        return beyond
    for rule in leading:
        groups = named(rule.actions)
        if is_sticky(rule.actions):
            return f"rule {rule.priority} of port {rule.port} of {name} keeps users on the target group they first met"
        if detour not in groups and len(groups) >= MOST_TARGET_GROUPS:
            return f"rule {rule.priority} of port {rule.port} of {name} takes no more than {MOST_TARGET_GROUPS} groups"
    return "" if leading else f"no rule of {name} leads to green"


def lay_detour(
    client: ElasticLoadBalancingv2Client, edge: EdgeRecord, green: str, tags: Mapping[str, str]
) -> EdgeRecord:
    """
    Make the detour of an edge at weight 0, with blue's targets; return the edge with it and its way back. Idempotent.

    One that was left leading to blue leads to green again.

    Raises:
        EdgeOwned: a target group of its name is somebody else's.
        EdgeChanged: a rule that led to green is gone.
        NotConfirmed: a rule does not yet name it.
    """
    detour = edge.resolved.detour
    if detour is None or detour.hindered:
        return edge
    arn = detour.arn
    if detour.copied:
        arn = copy_of(client, edge.resolved.blue_arn, edge.name, detour.name, tags)
    laid = detour.model_copy(update={"arn": arn})
    resolved = edge.resolved.model_copy(update={"detour": laid, "green_arn": green})
    made = edge.model_copy(update={"resolved": resolved})
    assert arn is not None
    for rule in _known(client, made, laid):
        now = split(rule.actions, blue=arn, green=green)
        if now is not None and now.blue != 0:
            at_rest = replace(now, blue=0, green=max(now.pair, 1))
            write_actions(client, rule, with_weights(rule.actions, at_rest, blue=arn, green=green))
    _fill(client, edge.resolved.blue_arn, laid)
    rules = _as_rules(client, made)
    assert rules is not None
    if any(arn not in named(rule.actions) for rule in _known(client, made, laid)):
        raise NotConfirmed(f"edge {edge.name}: a rule of green's load balancer does not yet name {laid.name}")
    fast = tuple(request.model_copy(update={"behind": arn}) for request in rules.way_back())
    return made.model_copy(update={"way_back": (*fast, *slow_way_back(edge))})


def slow_way_back(edge: FoundEdge) -> tuple[StoredRequest, ...]:
    """Return the calls that lead an edge back without its detour."""
    return tuple(request for request in edge.way_back if request.behind is None)


def fast_way_back(edge: FoundEdge) -> tuple[StoredRequest, ...]:
    """Return the calls that take an edge's detour."""
    return tuple(request for request in edge.way_back if request.behind is not None)


def way_back_finding(edge: FoundEdge) -> Finding:
    """Return how an edge goes back, as the preflight says it."""
    detour = edge.resolved.detour
    settles = f"goes back when {edge.kind} has: its last users within {edge.settle_seconds} s after"
    if detour is None:
        return Finding(check=f"{settles}; its plan has no detour", subject=f"edge {edge.name}")
    if detour.hindered:
        return Finding(check=f"{settles}; there is no detour: {detour.hindered}", subject=f"edge {edge.name}")
    return Finding(
        check=f"goes back by green's load balancer first: {len(detour.rules)} rules there shall lead to {detour.name}",
        subject=f"edge {edge.name}",
    )


def _as_rules(client: ElasticLoadBalancingv2Client, edge: FoundEdge) -> AlbShifter | None:
    """Return what divides users at green's load balancer, between the detour as blue and green; None without one."""
    resolved, detour = edge.resolved, edge.resolved.detour
    if detour is None or detour.arn is None or resolved.green_arn is None:
        return None
    rules = AlbEdge(
        load_balancer_arn=resolved.green_balancer_arn,
        blue_arn=detour.arn,
        green_arn=resolved.green_arn,
        rules=detour.rules,
    )
    return AlbShifter(client, FoundEdge(name=edge.name, resolved=rules, way_back=()))


def _known(client: ElasticLoadBalancingv2Client, edge: EdgeRecord, detour: Detour) -> list[Rule]:
    known = {rule.arn for rule in detour.rules}
    found = [rule for rule in scan_rules(client, edge.resolved.green_balancer_arn) if rule.arn in known]
    if len(found) < len(known):
        raise EdgeChanged(f"edge {edge.name}: of green's {len(known)} rules {len(found)} are left")
    return found


def _fill(client: ElasticLoadBalancingv2Client, blue_arn: str, detour: Detour) -> None:
    """Let a copy have the targets that blue's target group has now, and no others; of an empty blue, all it had."""
    if not detour.copied or detour.arn is None:
        return
    blues, there = _targets(client, blue_arn), _targets(client, detour.arn)
    missing = [target for key, target in blues.items() if key not in there]
    gone = [target for key, target in there.items() if key not in blues]
    if missing:
        client.register_targets(TargetGroupArn=detour.arn, Targets=missing)
    if gone and blues:
        client.deregister_targets(TargetGroupArn=detour.arn, Targets=gone)


def _targets(client: ElasticLoadBalancingv2Client, arn: str) -> dict[tuple[str, int], Any]:
    described = client.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    return {
        (each["Target"]["Id"], each["Target"].get("Port", 0)): each["Target"]
        for each in described
        if each["TargetHealth"]["State"] != _LEAVING
    }


def _detach(client: ElasticLoadBalancingv2Client, edge: EdgeRecord, detour: str, green: str) -> None:
    """Give green what the detour has, and take the detour out of every rule of green's load balancer that led there."""
    ours = {rule.arn for rule in edge.resolved.detour.rules} if edge.resolved.detour else set()
    try:
        scanned = scan_rules(client, edge.resolved.green_balancer_arn)
    except client.exceptions.LoadBalancerNotFoundException:
        return
    for rule in scanned:
        if rule.arn not in ours or detour not in named(rule.actions):
            continue
        now = split(rule.actions, blue=detour, green=green)
        if now is None or now.green is None:
            raise EdgeChanged(f"edge {edge.name}: rule {rule.arn} leads to the detour alone, and no more to green")
        at_rest = Split(0, max(now.pair, 1), now.others)
        given = with_weights(rule.actions, at_rest, blue=detour, green=green)
        write_actions(client, rule, without(given, detour))


def _delete(client: ElasticLoadBalancingv2Client, arn: str, migration: str) -> None:
    try:
        if tags_of(client, arn).get(MIGRATION_TAG) == migration:
            client.delete_target_group(TargetGroupArn=arn)
    except client.exceptions.TargetGroupNotFoundException:
        return
    except client.exceptions.ResourceInUseException as used:
        raise NotConfirmed(f"{arn}: a rule still names it") from used
