"""
Edges on Network Load Balancers: weighted target groups of listeners, which divide flows and not requests.

A change of weights reaches new connections only. So an edge settles when its longest
connection has ended, and a rollback ends green's connections itself: it deregisters
green's targets, with connection termination and without a delay.

Source: Elastic Load Balancing API 2015-12-01; Network Load Balancer guide, "Target group
attributes": with `deregistration_delay.connection_termination.enabled`, connections to a
deregistered target are closed at the end of the deregistration delay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crossfade.journal.edges import AlbEdge, EdgeRecord, FoundEdge, NlbEdge, StoredRequest
from crossfade.plan.edges import EdgePlan
from crossfade.plan.finding import Finding
from crossfade.shift.alb import AlbEdges, AlbShifter
from crossfade.shift.elbv2 import busy
from crossfade.shift.share import Share

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client

_END_CONNECTIONS: list[Any] = [
    {"Key": "deregistration_delay.connection_termination.enabled", "Value": "true"},
    {"Key": "deregistration_delay.timeout_seconds", "Value": "0"},
]
_LEAVING = frozenset({"draining", "unused"})


class NlbEdges(AlbEdges):
    """`Edges` of the account's Network Load Balancers."""

    resolves_to: type[AlbEdge | NlbEdge] = NlbEdge

    def find(self, plan: EdgePlan) -> FoundEdge:
        found = super().find(plan)
        return found.model_copy(update={"way_back": _with_end(found, found.way_back)})

    def make_green_end(self, edge: EdgeRecord, name: str, tags: Mapping[str, str]) -> EdgeRecord:
        made = super().make_green_end(edge, name, tags)
        return made.model_copy(update={"way_back": _with_end(made, made.way_back)})

    def check(self, edge: FoundEdge, *, scaled: bool) -> tuple[Finding, ...]:
        with busy(edge.name):
            idle = [_idle_seconds(self._client, rule.arn) for rule in edge.resolved.rules]
        longest = max(idle, default=0)
        finding = Finding(check="settles no sooner than a connection may end", subject=f"edge {edge.name}")
        if scaled or edge.settle_seconds >= longest:
            return (finding,)
        return (
            finding.refuse(
                f"settles in {edge.settle_seconds} s, and its listener keeps an idle connection for {longest} s: the "
                "judge would look at a split that users do not have yet",
                f"set settle_seconds of the edge to the longest a connection lasts, {longest} at least",
            ),
        )

    def shifter(self, edge: FoundEdge) -> NlbShifter:
        return NlbShifter(self._client, edge)


class NlbShifter(AlbShifter):
    """`TrafficShifter` of one edge on one Network Load Balancer."""

    def withdraw(self) -> Share:
        """
        See `TrafficShifter.withdraw`; then end the connections that green still has.

        Green's targets stay deregistered. ECS registers those of new tasks, so a green
        that shall be tried again is deployed again.
        """
        held = super().withdraw()
        if self._green is not None:
            with busy(self._edge.name):
                _end_connections(self._client, self._green)
        return held

    def way_back(self) -> tuple[StoredRequest, ...]:
        return _with_end(self._edge, super().way_back())


def _with_end(edge: FoundEdge, weights: tuple[StoredRequest, ...]) -> tuple[StoredRequest, ...]:
    """Return the calls that lead back: those that give the weights back, and then the end of green's connections."""
    green = edge.resolved.green_arn
    if green is None:
        return weights
    arguments = {"TargetGroupArn": green, "Attributes": _END_CONNECTIONS}
    return (*weights, StoredRequest(action="deregisterTargets", arguments=arguments))


def _idle_seconds(client: ElasticLoadBalancingv2Client, listener: str) -> int:
    """Return after how long a listener forgets an idle connection; 0 where it knows none, as one of UDP."""
    attributes = client.describe_listener_attributes(ListenerArn=listener)["Attributes"]
    return next((int(each["Value"]) for each in attributes if each["Key"] == "tcp.idle_timeout.seconds"), 0)


def _end_connections(client: ElasticLoadBalancingv2Client, target_group: str) -> None:
    try:
        described = client.describe_target_health(TargetGroupArn=target_group)["TargetHealthDescriptions"]
    except client.exceptions.TargetGroupNotFoundException:
        return
    targets: Any = [each["Target"] for each in described if each["TargetHealth"]["State"] not in _LEAVING]
    if not targets:
        return
    client.modify_target_group_attributes(TargetGroupArn=target_group, Attributes=_END_CONNECTIONS)
    client.deregister_targets(TargetGroupArn=target_group, Targets=targets)
