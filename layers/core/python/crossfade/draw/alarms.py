"""
The operator's own alarms that watch an edge, whatever divides users there. Pure.

An alarm speaks of an edge where it watches a load balancer that blue or green stands behind, blue's target group, or
the distribution before them. One on green's target group does not: until green is there it has nothing to be well.
"""

from __future__ import annotations

from collections.abc import Sequence

from crossfade.mesh.model import Alarm, Found
from crossfade.plan.edges import EdgePlan


def alarms_on(found: Found, edges: Sequence[EdgePlan]) -> tuple[str, ...]:
    """Return the names of the alarms of the sources that watch one of these edges."""
    blues, greens = {edge.blue.name for edge in edges}, {edge.green.name for edge in edges}
    watched = {
        ("LoadBalancer", each.full_name) for each in found.load_balancers if each.name in _balancers(found, edges)
    }
    watched |= {("DistributionId", edge.cdn.distribution_id) for edge in edges if edge.cdn is not None}
    names = {
        alarm.name
        for alarm in found.alarms
        if (_groups(alarm) & blues or alarm.dimensions & watched) and not _groups(alarm) & greens
    }
    return tuple(sorted(names))


def _balancers(found: Found, edges: Sequence[EdgePlan]) -> set[str]:
    """Return the names of the load balancers of these edges: those that divide users, and those behind what does."""
    rules = {rule.load_balancer for edge in edges for rule in edge.rules}
    behind = [edge for edge in edges if not edge.rules]
    blues = {edge.blue.name for edge in behind}
    before_blue = {rule.load_balancer for rule in found.rules if blues.intersection(rule.target_groups)}
    before_green = {lever.green_load_balancer for edge in behind for lever in (edge.dns, edge.cdn) if lever is not None}
    return rules | before_blue | before_green


def _groups(alarm: Alarm) -> set[str]:
    """Return the names of the target groups that an alarm watches."""
    full_names = [value for name, value in alarm.dimensions if name == "TargetGroup"]
    return {value.removeprefix("targetgroup/").partition("/")[0] for value in full_names}
