"""The edges of a plan: one for each target group through which users reach a service that migrates."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

from crossfade.connect.gaps import gap
from crossfade.connect.losses import checks_envoy
from crossfade.connect.translate import Member
from crossfade.draw.gateways import Door
from crossfade.draw.levers import Choice, lever_edges, reach, standing_ready
from crossfade.draw.options import DrawOptions
from crossfade.mesh.model import Found, ListenerRule
from crossfade.plan.document import Gap, Severity
from crossfade.plan.edges import EdgeKind, EdgePlan, RuleRef
from crossfade.plan.services import TargetGroupRef, TargetHealthCheck

_LONGEST_TARGET_GROUP: Final = 32
_EDGES: Final[Mapping[str, EdgeKind]] = {"application": "alb", "network": "nlb"}
_SETTLE_SECONDS: Final[Mapping[EdgeKind, int]] = {"alb": 30, "nlb": 350}
"""New weights are in force this long after they are set; a network load balancer keeps a flow that idles 350 s."""
_NO_LOAD_BALANCER: Final = "Add the source that holds the load balancer and its listeners."


def edges_of(
    found: Found, members: Sequence[Member], through: Sequence[Door], options: DrawOptions
) -> tuple[tuple[EdgePlan, ...], tuple[Gap, ...]]:
    """Return an edge for each target group that users reach, and what stands in the way."""
    edges: list[EdgePlan] = []
    gaps: list[Gap] = []
    balancers = {each.name: each for each in found.load_balancers}
    kinds = {each.name: each.kind for each in found.load_balancers}
    groups = {each.name: each for each in found.target_groups}
    rules_of: dict[str, list[ListenerRule]] = {}
    for each in found.rules:
        for name in each.target_groups:
            rules_of.setdefault(name, []).append(each)
    entries = [(member, each.target_group, False) for member in members for each in member.service.targets]
    entries += [(door.member, door.target_group, door.checks_envoy) for door in through]
    for member, target_group, asks_gateway in entries:
        rules = rules_of.get(target_group, [])
        place = f"targetgroup/{target_group}"
        if not rules:
            gaps.append(gap("EDGE_MISSING", place, why=_NO_LOAD_BALANCER))
            continue
        owner = rules[0].load_balancer
        kind = kinds.get(owner, "application")
        if kind not in _EDGES:
            gaps.append(
                gap(
                    "EDGE_KIND",
                    place,
                    load_balancer=owner,
                    kind=kind,
                    consequence="traffic cannot be divided there.",
                )
            )
            continue
        if kind == "network":
            consequence = (
                "it divides connections and counts no requests, so the judge has no live control and holds until "
                "your own alarms, or a plan that judges in shadow, let it on."
            )
            weight = Severity.DEGRADING
            gaps.append(
                gap("EDGE_KIND", place, severity=weight, load_balancer=owner, kind=kind, consequence=consequence)
            )
        balancer = balancers.get(owner)
        here = reach(found, balancer) if balancer is not None else None
        said = options.edges.get(member.service.name)
        choice = Choice.of(member.service.name, said) if said else (standing_ready(found, here) if here else None)
        if choice is not None and here is not None:
            more, past = lever_edges(
                found,
                member.service.name,
                here,
                choice,
                blue=target_group,
                ladder=options.ladder(),
                control_share_bp=options.control_share_bp,
            )
            edges.extend(more)
            gaps.extend(past)
            continue
        group = groups.get(target_group)
        mended = member.health_path if asks_gateway or (group and checks_envoy(group, member.task)) else None
        edges.append(
            _edge(
                member.service.name,
                target_group,
                rules,
                kind=_EDGES[kind],
                others=edges,
                options=options,
                health_path=mended,
                reached_by=here.in_words() if here is not None else (),
            )
        )
    if not edges and not gaps:
        place = f"mesh/{members[0].node.mesh}" if members[0].node else "mesh"
        gaps.append(gap("EDGE_MISSING", place, why=_NO_LOAD_BALANCER))
    return tuple(edges), tuple(gaps)


def _edge(
    service: str,
    group: str,
    rules: Sequence[ListenerRule],
    *,
    kind: EdgeKind,
    others: Sequence[EdgePlan],
    options: DrawOptions,
    health_path: str | None,
    reached_by: tuple[str, ...],
) -> EdgePlan:
    name = service if all(each.name != service for each in others) else f"{service}-{group}"
    return EdgePlan(
        name=name,
        kind=kind,
        service=service,
        blue=TargetGroupRef(name=group),
        green=TargetGroupRef(
            name=_green_target_group(group, options.suffix),
            health_check=TargetHealthCheck(path=health_path) if health_path else None,
        ),
        rules=tuple(
            RuleRef(load_balancer=rule.load_balancer, listener_port=rule.listener_port, priority=rule.priority)
            for rule in sorted(rules, key=lambda each: (each.load_balancer, each.listener_port, _priority(each)))
        ),
        ladder=options.ladder(),
        control_share_bp=options.control_share_bp,
        settle_seconds=_SETTLE_SECONDS[kind],
        reached_by=reached_by,
    )


def _priority(rule: ListenerRule) -> int:
    return int(rule.priority) if rule.priority.isdigit() else 0


def _green_target_group(blue: str, suffix: str) -> str:
    """Return a name of at most 32 characters; one that must be cut keeps a digest of the whole, to stay unique."""
    if len(blue) + len(suffix) <= _LONGEST_TARGET_GROUP:
        return f"{blue}{suffix}"
    mark = hashlib.sha256(blue.encode()).hexdigest()[:5]
    return f"{blue[: _LONGEST_TARGET_GROUP - len(suffix) - len(mark) - 1].rstrip('-')}-{mark}{suffix}"
