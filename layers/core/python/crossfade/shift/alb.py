"""
Edges on Application Load Balancers: weighted target groups of listeners and rules.

AWS offers no precondition on ModifyRule or ModifyListener, so a lost update is guarded
against by reading, comparing, writing the whole action list, and reading back. What
the load balancer holds is always read by a scan of all its rules, since rules come and
go under other hands.

Source: Elastic Load Balancing API 2015-12-01; a target group belongs to one load
balancer, and traffic does not fail over from a target group without healthy targets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from crossfade.errors import (
    BlueUnhealthy,
    EdgeChanged,
    EdgeOwned,
    GreenNotReady,
    NotConfirmed,
    PreflightRefused,
    UnknownEdge,
    UnreachableGoal,
)
from crossfade.journal.edges import AlbEdge, AlbRule, EdgeRecord, FoundEdge, NlbEdge, StoredRequest, is_network
from crossfade.plan.edges import EdgePlan
from crossfade.plan.finding import Finding
from crossfade.plan.services import TargetGroupRef
from crossfade.shift.elbv2 import busy, healthy_targets, tags_of, target_group
from crossfade.shift.limits import MOST_TARGET_GROUPS, of_actions, of_target_group
from crossfade.shift.rule import (
    ROUNDING_BP,
    Actions,
    Split,
    divide,
    is_sticky,
    split,
    with_weights,
    without_green,
    writable,
)
from crossfade.shift.share import ALL, NONE, Share
from crossfade.shift.shifter import OfThePlan

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client


_COPIED = (  # what CreateTargetGroup takes of what DescribeTargetGroups answers
    "Protocol",
    "ProtocolVersion",
    "Port",
    "VpcId",
    "HealthCheckProtocol",
    "HealthCheckPort",
    "HealthCheckEnabled",
    "HealthCheckPath",
    "HealthCheckIntervalSeconds",
    "HealthCheckTimeoutSeconds",
    "HealthyThresholdCount",
    "UnhealthyThresholdCount",
    "Matcher",
    "TargetType",
    "IpAddressType",
    "TargetControlPort",
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as it is now; `arn` is its listener's when it is the listener's default action."""

    arn: str
    is_default: bool
    port: int
    priority: str
    actions: Actions

    def request(self, actions: Actions) -> StoredRequest:
        """Return the call that gives the rule these actions."""
        if self.is_default:
            return StoredRequest(
                action="modifyListener", arguments={"ListenerArn": self.arn, "DefaultActions": list(actions)}
            )
        return StoredRequest(action="modifyRule", arguments={"RuleArn": self.arn, "Actions": list(actions)})


class AlbEdges:
    """`Edges` of the account's Application Load Balancers; `nlb` makes of it those of Network Load Balancers."""

    resolves_to: type[AlbEdge | NlbEdge] = AlbEdge

    def __init__(self, client: ElasticLoadBalancingv2Client) -> None:
        self._client = client

    def find(self, plan: EdgePlan) -> FoundEdge:
        with busy(plan.name):
            blue = target_group(self._client, plan.blue)
            if blue is None or not blue.get("LoadBalancerArns"):
                raise UnknownEdge(f"edge {plan.name}: no load balancer forwards to a target group {plan.blue.name}")
            green = target_group(self._client, plan.green)
            load_balancer, blue_arn = blue["LoadBalancerArns"][0], blue["TargetGroupArn"]
            green_arn = None if green is None else green["TargetGroupArn"]
            leading = [
                (rule, found)
                for rule in scan_rules(self._client, load_balancer)
                if (found := split(rule.actions, blue=blue_arn, green=green_arn)) is not None and found.pair
            ]
        _refuse_other_kind(plan, load_balancer)
        _refuse_other_rules(plan, [rule for rule, _ in leading])
        _refuse_full(plan, [found for _, found in leading])
        _refuse_green_in_use(plan, [found for _, found in leading])
        for rule, _ in leading:
            if is_sticky(rule.actions):
                raise PreflightRefused(
                    f"edge {plan.name}: rule {rule.priority} of port {rule.port} keeps users on the target group they "
                    "first met, so a rollback would not reach them; switch its target group stickiness off"
                )
        has_green_end = all(found.green is not None for _, found in leading)
        resolved = self.resolves_to(
            load_balancer_arn=load_balancer,
            blue_arn=blue_arn,
            green_arn=green_arn if has_green_end else None,
            green_health_path=plan.green.health_check.path if plan.green.health_check else None,
            rules=tuple(
                AlbRule(arn=rule.arn, is_default=rule.is_default, found_actions=rule.actions) for rule, _ in leading
            ),
        )
        return FoundEdge(
            name=plan.name,
            kind=resolved.kind,
            resolved=resolved,
            way_back=_way_back(resolved, [rule for rule, _ in leading]),
            ceiling_bp=plan.ceiling_bp,
            settle_seconds=plan.settle_seconds,
        )

    def make_green_end(self, edge: EdgeRecord, name: str, tags: Mapping[str, str]) -> EdgeRecord:
        with busy(edge.name):
            green_arn = self._copy_of_blue(edge, name, tags)
            resolved = _resolved(edge).model_copy(update={"green_arn": green_arn})
            rules = _known(edge, scan_rules(self._client, resolved.load_balancer_arn))
            for kept, rule in zip(resolved.rules, rules, strict=True):
                self._add_green(resolved, kept, rule)
            with_green = _known(edge, scan_rules(self._client, resolved.load_balancer_arn))
        for rule in with_green:
            now = split(rule.actions, blue=resolved.blue_arn, green=green_arn)
            if now is None or now.green is None:
                raise NotConfirmed(f"edge {edge.name}: rule {rule.arn} does not yet name green")
        return edge.model_copy(update={"resolved": resolved, "way_back": _way_back(resolved, with_green)})

    def _copy_of_blue(self, edge: EdgeRecord, name: str, tags: Mapping[str, str]) -> str:
        health_path = _resolved(edge).green_health_path
        return copy_of(self._client, edge.resolved.blue_arn, edge.name, name, tags, health_path=health_path)

    def _add_green(self, resolved: AlbEdge | NlbEdge, kept: AlbRule, rule: Rule) -> None:
        blue, green = resolved.blue_arn, resolved.green_arn
        before = split(kept.found_actions, blue=blue, green=green)
        now = split(rule.actions, blue=blue, green=green)
        if before is None or now is None or (now.blue, now.others) != (before.blue, before.others):
            raise EdgeChanged(f"rule {rule.arn} forwards otherwise than when the migration opened")
        if now.green is None:
            wanted = Split(now.blue, 0, now.others)
            write_actions(self._client, rule, with_weights(rule.actions, wanted, blue=blue, green=green))

    def check(self, edge: FoundEdge, *, scaled: bool) -> tuple[Finding, ...]:  # noqa: ARG002
        return ()  # its rules and weights, which `find` has looked at, are all there is

    def clear_away(self, edge: EdgeRecord) -> EdgeRecord:
        return edge

    def tend(self, edge: EdgeRecord) -> str:  # noqa: ARG002
        return ""

    def end_detour(self, edge: EdgeRecord) -> EdgeRecord:
        return edge

    def shifter(self, edge: FoundEdge) -> AlbShifter:
        return AlbShifter(self._client, edge)

    def healthy_targets(self, target_group_arn: str) -> int:
        with busy(target_group_arn):
            return healthy_targets(self._client, target_group_arn)


class AlbShifter(OfThePlan):
    """`TrafficShifter` of one edge on one Application Load Balancer."""

    def __init__(self, client: ElasticLoadBalancingv2Client, edge: FoundEdge) -> None:
        self._client = client
        self._edge = edge
        self._blue = edge.resolved.blue_arn
        self._green = edge.resolved.green_arn

    @property
    def change(self) -> str | None:
        return None

    def spreading(self) -> str:
        return ""  # a load balancer has its weights within seconds, and says nothing of it

    def detour(self) -> bool:
        return False  # there is no faster way

    def shares(self) -> tuple[Share, ...]:
        with busy(self._edge.name):
            return tuple(found.share for _, found in self._present())

    def green(self) -> Share:
        with busy(self._edge.name):
            shares = [found.share for _, found in self._intact()]
        if not _agree(shares):
            raise EdgeChanged(f"edge {self._edge.name}: its rules give green {_told(shares)}")
        return min(shares)

    def set_green(self, share: Share) -> Share:
        if share > self.ceiling:
            raise UnreachableGoal(f"{share} is above edge {self._edge.name}'s ceiling of {self.ceiling}")
        with busy(self._edge.name):
            found = self._intact()
            wanted = [(rule, now, divide(now, share)) for rule, now in found]
            left = [(rule, now, then) for rule, now, then in wanted if now.share != then.share]
            if not _agree([now.share for _, now, _ in left]):
                raise EdgeChanged(f"edge {self._edge.name}: its rules give green {_told([f.share for _, f in found])}")
            if left:
                self._refuse_unhealthy(share)
                for rule, _, then in left:
                    self._write(rule, then)
            held = [now.share for _, now in self._intact()]
        if held == [then.share for _, _, then in wanted]:
            return min(held)
        if held == [now.share for _, now, _ in wanted]:
            raise NotConfirmed(f"edge {self._edge.name} does not yet give green {share}")
        raise EdgeChanged(f"edge {self._edge.name}: {share} was written, its rules give green {_told(held)}")

    def withdraw(self) -> Share:
        with busy(self._edge.name):
            left = [(rule, now, without_green(now)) for rule, now in self._present()]
            left = [(rule, now, then) for rule, now, then in left if now != then and (now.green or not now.total)]
            if left:
                if healthy_targets(self._client, self._blue) == 0:
                    raise BlueUnhealthy(f"edge {self._edge.name}: blue has no healthy target to take green's share")
                self._write_all([(rule, then) for rule, _, then in left])
            held = [now for _, now in self._present()] if left else []
        if any(now.green or not now.total for now in held):
            raise NotConfirmed(f"edge {self._edge.name} does not yet give all to blue")
        return NONE

    def way_back(self) -> tuple[StoredRequest, ...]:
        with busy(self._edge.name):
            return _way_back(_resolved(self._edge), _known(self._edge, scan_rules(self._client, self._load_balancer)))

    @property
    def _load_balancer(self) -> str:
        return self._edge.resolved.load_balancer_arn

    def _present(self) -> list[tuple[Rule, Split]]:
        """Return the edge's rules that still forward to an end, and any other rule that gives green a share."""
        known = {rule.arn for rule in self._edge.resolved.rules}
        try:
            scanned = scan_rules(self._client, self._load_balancer)
        except self._client.exceptions.LoadBalancerNotFoundException:
            return []
        return [
            (rule, found)
            for rule in scanned
            if (found := self._split(rule)) is not None and (rule.arn in known or found.green)
        ]

    def _intact(self) -> list[tuple[Rule, Split]]:
        """Return the edge's rules, each with both ends; refuse an edge that is no longer so."""
        if self._green is None:
            raise EdgeChanged(f"edge {self._edge.name} has no green end yet")
        scanned = scan_rules(self._client, self._load_balancer)
        known = {rule.arn for rule in self._edge.resolved.rules}
        intact: list[tuple[Rule, Split]] = []
        for rule in scanned:
            found = self._split(rule)
            if rule.arn not in known and (found is None or not found.pair):
                continue
            if rule.arn not in known:
                raise EdgeChanged(f"edge {self._edge.name}: rule {rule.arn} has come to lead there")
            if found is None or found.blue is None or found.green is None or not found.pair:
                raise EdgeChanged(f"edge {self._edge.name}: rule {rule.arn} no longer divides between blue and green")
            intact.append((rule, found))
        if len(intact) != len(known):
            raise EdgeChanged(f"edge {self._edge.name}: of its {len(known)} rules {len(intact)} are left")
        return intact

    def _split(self, rule: Rule) -> Split | None:
        return split(rule.actions, blue=self._blue, green=self._green)

    def _refuse_unhealthy(self, share: Share) -> None:
        assert self._green is not None
        if share > NONE and healthy_targets(self._client, self._green) == 0:
            raise GreenNotReady(f"edge {self._edge.name}: green has no healthy target")
        if share < ALL and healthy_targets(self._client, self._blue) == 0:
            raise BlueUnhealthy(f"edge {self._edge.name}: blue has no healthy target")

    def _write_all(self, wanted: Sequence[tuple[Rule, Split]]) -> None:
        """Write every rule, also after one could not be written; a rule gone meanwhile needs nothing."""
        failures: list[ClientError] = []
        for rule, then in wanted:
            try:
                self._write(rule, then)
            except (self._client.exceptions.RuleNotFoundException, self._client.exceptions.ListenerNotFoundException):
                continue
            except ClientError as failed:
                failures.append(failed)
        if failures:
            raise failures[0]

    def _write(self, rule: Rule, wanted: Split) -> None:
        write_actions(self._client, rule, with_weights(rule.actions, wanted, blue=self._blue, green=self._green))


def copy_of(
    client: ElasticLoadBalancingv2Client,
    arn: str,
    edge: str,
    name: str,
    tags: Mapping[str, str],
    *,
    health_path: str | None = None,
) -> str:
    """
    Make a target group like another in every attribute, under these tags, and return its ARN. Idempotent.

    With `health_path` it asks the application there, by HTTP, in place of what the other asks.

    Raises:
        EdgeOwned: a target group of this name exists and does not carry these tags.
    """
    copied = client.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"][0]
    made = target_group(client, TargetGroupRef(name=name))
    if made is None:
        arguments: Any = {field: copied[field] for field in _COPIED if field in copied}  # type: ignore[literal-required]
        if health_path is not None:
            asked = {"HealthCheckProtocol": "HTTP", "HealthCheckPort": "traffic-port", "HealthCheckPath": health_path}
            arguments.update(asked)
        listed: Any = [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
        made = client.create_target_group(Name=name, Tags=listed, **arguments)["TargetGroups"][0]
    made_arn = made["TargetGroupArn"]
    if not tags.items() <= tags_of(client, made_arn).items():
        raise EdgeOwned(f"edge {edge}: a target group {name} exists and is not this migration's")
    wanted, held = _attributes(client, arn), _attributes(client, made_arn)
    missing: Any = [{"Key": key, "Value": value} for key, value in wanted.items() if held.get(key) != value]
    if missing:
        client.modify_target_group_attributes(TargetGroupArn=made_arn, Attributes=missing)
    return made_arn


def _attributes(client: ElasticLoadBalancingv2Client, arn: str) -> dict[str, str]:
    answer = client.describe_target_group_attributes(TargetGroupArn=arn)
    return {attribute["Key"]: attribute["Value"] for attribute in answer["Attributes"]}


def scan_rules(client: ElasticLoadBalancingv2Client, load_balancer: str) -> list[Rule]:
    """Return every rule of every listener, listeners by port, rules as AWS orders them; flows know no rules."""
    listeners = [
        listener
        for page in client.get_paginator("describe_listeners").paginate(LoadBalancerArn=load_balancer)
        for listener in page["Listeners"]
    ]
    if is_network(load_balancer):
        return [
            Rule(
                arn=listener["ListenerArn"],
                is_default=True,
                port=listener["Port"],
                priority="default",
                actions=tuple(dict(action) for action in listener["DefaultActions"]),
            )
            for listener in sorted(listeners, key=lambda listener: listener["Port"])
        ]
    return [
        Rule(
            arn=listener["ListenerArn"] if rule["IsDefault"] else rule["RuleArn"],
            is_default=rule["IsDefault"],
            port=listener["Port"],
            priority=rule["Priority"],
            actions=tuple(dict(action) for action in rule["Actions"]),
        )
        for listener in sorted(listeners, key=lambda listener: listener["Port"])
        for page in client.get_paginator("describe_rules").paginate(ListenerArn=listener["ListenerArn"])
        for rule in page["Rules"]
    ]


def _resolved(edge: FoundEdge) -> AlbEdge | NlbEdge:
    if isinstance(edge.resolved, AlbEdge | NlbEdge):
        return edge.resolved
    raise TypeError(f"edge {edge.name} is no load balancer's: {edge.kind}")


def _known(edge: FoundEdge, scanned: Sequence[Rule]) -> list[Rule]:
    """Return the edge's rules in the edge's order."""
    by_arn = {rule.arn: rule for rule in scanned}
    missing = [rule.arn for rule in edge.resolved.rules if rule.arn not in by_arn]
    if missing:
        raise EdgeChanged(f"edge {edge.name}: rules are gone: {', '.join(missing)}")
    return [by_arn[rule.arn] for rule in edge.resolved.rules]


def _way_back(resolved: AlbEdge | NlbEdge, rules: Sequence[Rule]) -> tuple[StoredRequest, ...]:
    """Return the calls that give each rule what it has now, with green's weight moved to blue."""
    requests = []
    for rule in rules:
        found = split(rule.actions, blue=resolved.blue_arn, green=resolved.green_arn)
        actions = (
            writable(rule.actions)
            if found is None
            else with_weights(rule.actions, without_green(found), blue=resolved.blue_arn, green=resolved.green_arn)
        )
        requests.append(rule.request(actions))
    return tuple(requests)


def write_actions(client: ElasticLoadBalancingv2Client, rule: Rule, actions: Actions) -> None:
    """
    Give a rule, or a listener's default action, its whole list of actions.

    Raises:
        UnreachableGoal: AWS takes no such list; nothing was written.
    """
    for beyond in of_actions(actions):
        raise UnreachableGoal(f"rule {rule.priority} of port {rule.port}: {beyond}")
    listed: Any = list(actions)
    if rule.is_default:
        client.modify_listener(ListenerArn=rule.arn, DefaultActions=listed)
    else:
        client.modify_rule(RuleArn=rule.arn, Actions=listed)


def _agree(shares: Sequence[Share]) -> bool:
    return not shares or max(shares).bp - min(shares).bp <= 2 * ROUNDING_BP


def _told(shares: Sequence[Share]) -> str:
    return ", ".join(str(share) for share in shares)


def _refuse_other_rules(plan: EdgePlan, found: Sequence[Rule]) -> None:
    if not found:
        raise UnknownEdge(f"edge {plan.name}: no rule forwards to {plan.blue.name}")
    planned = {(rule.listener_port, rule.priority) for rule in plan.rules}
    there = {(rule.port, rule.priority) for rule in found}
    if planned != there:
        raise EdgeChanged(
            f"edge {plan.name}: the plan names rules {sorted(planned)} (port, priority), {sorted(there)} lead to blue; "
            "draw the plan again"
        )


def _refuse_other_kind(plan: EdgePlan, load_balancer: str) -> None:
    if is_network(load_balancer) != (plan.kind == "nlb"):
        raise EdgeChanged(f"edge {plan.name}: the plan says {plan.kind}, and blue is behind {load_balancer}")


def _refuse_full(plan: EdgePlan, found: Sequence[Split]) -> None:
    if any(now.green is None and 1 + len(now.others) >= MOST_TARGET_GROUPS for now in found):
        raise PreflightRefused(
            f"edge {plan.name}: a rule forwards to {MOST_TARGET_GROUPS} target groups already, and takes no more; "
            "take one out that has no weight"
        )
    for beyond in of_target_group(plan.green.name):
        raise PreflightRefused(f"edge {plan.name}: {beyond}")


def _refuse_green_in_use(plan: EdgePlan, found: Sequence[Split]) -> None:
    if any(now.green for now in found):
        raise EdgeChanged(
            f"edge {plan.name}: {plan.green.name} holds a share already, and nobody says of which migration"
        )
