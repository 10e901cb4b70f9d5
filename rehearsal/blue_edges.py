"""
The edge made of a plan: what leads users to blue's stand-ins, of the kind that the plan names. Pure.

A plan says of a name or a distribution no more than what is divided there. So each leads to a load balancer of its own
name before blue, and to the plan's own before green, as the owner of both would have made them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from crossfade.errors import BadInput
from crossfade.plan.edges import CdnRef, DnsRef, EdgePlan
from crossfade.plan.services import ServicePlan
from rehearsal.staging import STAND_IN
from rehearsal.template_parts import Resources, Template, alias, attribute, balancer, forward, ref, target_group

ZONE: Final = "EdgeZone"
DISTRIBUTION: Final = "Distribution"
"""Logical ids of what a plan names by an id that only the account knows."""

_PORT: Final = 80
_CNAME_TTL_SECONDS: Final = 60
_EVERY_PATH: Final = [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}]
_PUBLIC: Final = "internet-facing"


def add_edge(resources: Resources, edge: EdgePlan, entry: ServicePlan) -> None:
    """
    Add an edge and the target group before blue, `EdgeTargets`.

    Raises:
        BadInput: the edge's name has no domain that a zone could hold.
    """
    port = entry.green.container_port
    if edge.dns is None and edge.cdn is None:
        _divided_by_rules(resources, edge, port)
        return
    blue = target_group(resources, "EdgeTargets", port, Name=edge.blue.name)
    before_blue = _before(resources, STAND_IN, blue)
    green = target_group(resources, "GreenTargets", port, Name=edge.green.name)
    if edge.dns is not None:
        _before(resources, edge.dns.green_load_balancer, green)
        _named(resources, edge.dns, before_blue)
    elif edge.cdn is not None:
        before_green = _before(resources, edge.cdn.green_load_balancer, green)
        _distributed(resources, edge.cdn, before_blue, before_green)


def _divided_by_rules(resources: Resources, edge: EdgePlan, port: int | None) -> None:
    protocol, kind = ("TCP", "network") if edge.kind == "nlb" else ("HTTP", "application")
    group = target_group(resources, "EdgeTargets", port, protocol=protocol, Name=edge.blue.name)
    nothing = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain"}}]
    defaults = {(rule.load_balancer, rule.listener_port) for rule in edge.rules if rule.priority == "default"}
    for rule in edge.rules:
        where = (rule.load_balancer, str(rule.listener_port))
        before = balancer(resources, rule.load_balancer, scheme=_PUBLIC, kind=kind)
        listener = resources.once(
            ("listener", *where),
            "EdgeListener",
            "AWS::ElasticLoadBalancingV2::Listener",
            LoadBalancerArn=ref(before),
            Port=rule.listener_port,
            Protocol=protocol,
            DefaultActions=forward(group) if (rule.load_balancer, rule.listener_port) in defaults else nothing,
        )
        if rule.priority != "default":
            resources.add(
                "EdgeRule",
                "AWS::ElasticLoadBalancingV2::ListenerRule",
                ListenerArn=ref(listener),
                Priority=int(rule.priority),
                Conditions=_EVERY_PATH,
                Actions=forward(group),
            )


def _before(resources: Resources, name: str, group: str) -> str:
    """Return the load balancer of this name with a listener that sends everything to a target group."""
    made = balancer(resources, name, scheme=_PUBLIC)
    resources.add(
        "EdgeListener",
        "AWS::ElasticLoadBalancingV2::Listener",
        LoadBalancerArn=ref(made),
        Port=_PORT,
        Protocol="HTTP",
        DefaultActions=forward(group),
    )
    return made


def _named(resources: Resources, dns: DnsRef, before_blue: str) -> None:
    zone = resources.add(ZONE, "AWS::Route53::HostedZone", Name=zone_of([record.name for record in dns.records]))
    for record in dns.records:
        if record.type == "CNAME":
            resources.add(
                "Name",
                "AWS::Route53::RecordSet",
                HostedZoneId=ref(zone),
                Name=record.name,
                Type="CNAME",
                TTL=_CNAME_TTL_SECONDS,
                ResourceRecords=[attribute(before_blue, "DNSName")],
            )
        else:
            alias(resources, zone, record.name, record.type, before_blue)


def _distributed(resources: Resources, cdn: CdnRef, before_blue: str, before_green: str) -> None:
    zone = resources.add(ZONE, "AWS::Route53::HostedZone", Name=zone_of([cdn.green_domain]))
    alias(resources, zone, cdn.green_domain, "A", before_green)
    origin: Template = {
        "Id": cdn.origin_id,
        "DomainName": attribute(before_blue, "DNSName"),
        "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"},
    }
    resources.add(
        DISTRIBUTION,
        "AWS::CloudFront::Distribution",
        DistributionConfig={
            "Enabled": True,
            "HttpVersion": "http2",
            "Origins": [origin],
            "DefaultCacheBehavior": {"TargetOriginId": cdn.origin_id, "ViewerProtocolPolicy": "allow-all"},
        },
    )


def zone_of(names: Sequence[str]) -> str:
    """
    Return the domain that a zone of these names has: what they have in common, at least two labels.

    Raises:
        BadInput: they have less in common.
    """
    reversed_labels = [name.rstrip(".").lower().split(".")[::-1] for name in names]
    common: list[str] = []
    for labels in zip(*reversed_labels, strict=False):
        if len(set(labels)) > 1:
            break
        common.append(labels[0])
    kept = [label for label in common if label != "*"][::-1]
    if len(kept) < 2:  # noqa: PLR2004 - a name and its top-level domain
        raise BadInput(f"no one hosted zone holds {', '.join(names)}: the stand-ins cannot be led to by them")
    return ".".join(kept)
