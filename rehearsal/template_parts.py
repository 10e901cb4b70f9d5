"""The parts of which a template for stand-ins is put together: resources under names of their own, and references."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Final

_HEALTH: Final[Mapping[str, Any]] = {
    "HealthCheckProtocol": "HTTP",
    "HealthCheckPath": "/health",
    "HealthCheckIntervalSeconds": 10,
    "HealthCheckTimeoutSeconds": 5,
    "HealthyThresholdCount": 2,
    "UnhealthyThresholdCount": 2,
    "TargetGroupAttributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}],
}

Template = dict[str, Any]


class Resources:
    """Resources under names of their own; the same thing asked for twice is made once."""

    def __init__(self) -> None:
        self.made: Template = {}
        self._known: dict[tuple[str, ...], str] = {}
        self._numbers = itertools.count(1)

    def add(self, label: str, kind: str, *, after: Sequence[str] = (), **properties: Any) -> str:
        """Add a resource and return its logical id: `label`, with a number where that is taken."""
        name = label if label not in self.made else f"{label}{next(self._numbers)}"
        self.made[name] = {"Type": kind, "Properties": properties}
        if after:
            self.made[name]["DependsOn"] = list(after)
        return name

    def once(self, key: tuple[str, ...], label: str, kind: str, **properties: Any) -> str:
        """Return the logical id of what `key` means, adding it the first time."""
        if key not in self._known:
            self._known[key] = self.add(label, kind, **properties)
        return self._known[key]


def ref(name: str) -> Template:
    """Return a reference to a resource."""
    return {"Ref": name}


def attribute(name: str, of: str) -> Template:
    """Return a reference to an attribute of a resource."""
    return {"Fn::GetAtt": [name, of]}


def balancer(resources: Resources, name: str, *, scheme: str, kind: str = "application") -> str:
    """Return the load balancer of this name, in the stand-ins' own network."""
    return resources.once(
        ("balancer", name),
        "Balancer",
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        Name=name,
        Type=kind,
        Scheme=scheme,
        Subnets=[ref("SubnetA"), ref("SubnetB")],
        SecurityGroups=[attribute("Access", "GroupId")],
    )


def target_group(resources: Resources, label: str, port: int | None, *, protocol: str = "HTTP", **named: Any) -> str:
    """Add a target group of addresses, whose health is asked over HTTP whatever it carries."""
    return resources.add(
        label,
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        VpcId=ref("Vpc"),
        TargetType="ip",
        Protocol=protocol,
        Port=port,
        **_HEALTH,
        **named,
    )


def forward(group: str) -> list[Template]:
    """Return the actions that send everything to one target group."""
    return [{"Type": "forward", "TargetGroupArn": ref(group)}]


def alias(resources: Resources, zone: str, name: str, kind: str, to: str) -> str:
    """Return a record that stands for a load balancer, its health left alone."""
    return resources.once(
        ("record", zone, name, kind),
        "Record",
        "AWS::Route53::RecordSet",
        HostedZoneId=ref(zone),
        Name=name,
        Type=kind,
        AliasTarget={
            "DNSName": attribute(to, "DNSName"),
            "HostedZoneId": attribute(to, "CanonicalHostedZoneID"),
            "EvaluateTargetHealth": False,
        },
    )
