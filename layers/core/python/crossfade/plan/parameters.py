"""
The stack's parameters that follow from a plan: what it may touch, and nothing else.

Pure. IAM is fixed when the stack is deployed and edges are known when the plan is drawn, so
this stands between the two. Account, Region and the ids that AWS adds to names are wildcards
where the sources do not know them.

Source: Service Authorization Reference, resource types of Amazon ECS and Elastic Load
Balancing V2.
"""

from __future__ import annotations

from collections.abc import Iterable

from crossfade.plan.document import MigrationPlan
from crossfade.plan.edges import EdgePlan


def parameters(plan: MigrationPlan, pass_roles: Iterable[str] = ()) -> dict[str, str]:
    """
    Return `sam deploy --parameter-overrides` for a plan, by parameter name.

    Args:
        plan: The plan.
        pass_roles: ARNs of the roles that blue's task definitions name, where known; the
            parameter is left out when none is, since a wrong role would be worse.
    """
    region = plan.region or "*"
    elb = f"arn:aws:elasticloadbalancing:{region}:*"
    ecs = f"arn:aws:ecs:{region}:*"
    paths = {"alb": "app", "nlb": "net"}
    balancers = sorted({f"{paths[e.kind]}/{rule.load_balancer}" for e in plan.edges for rule in e.rules})
    balancers = sorted({*balancers, *filter(None, map(_detoured, plan.edges))})
    zones = [edge.dns for edge in plan.edges if edge.dns is not None]
    detours = {edge.detour.name for edge in plan.edges if edge.detour is not None}
    groups = sorted({*(edge.green.name for edge in plan.edges), *detours})
    services = sorted({service.green.service_name for service in plan.services})
    blues = sorted({service.blue.service_name for service in plan.services})
    families = sorted({service.green.task_definition.family for service in plan.services})
    found = {
        "EdgeArns": [f"{elb}:{kind}/{name}/*" for name in balancers for kind in ("listener", "listener-rule")],
        "HostedZoneArns": [f"arn:aws:route53:::hostedzone/{zone}" for zone in sorted({dns.zone_id for dns in zones})],
        "RecordNames": sorted({normalized_name(record.name) for dns in zones for record in dns.records}),
        "DistributionArns": sorted(
            {f"arn:aws:cloudfront::*:distribution/{edge.cdn.distribution_id}" for edge in plan.edges if edge.cdn}
        ),
        "TargetGroupArns": [f"{elb}:targetgroup/{name}/*" for name in groups],
        "ServiceArns": [f"{ecs}:service/{plan.cluster}/{name}" for name in services],
        "BlueServiceArns": [f"{ecs}:service/{plan.cluster}/{name}" for name in blues],
        "BlueTaskArns": [f"{ecs}:task/{plan.cluster}/*"] if blues else [],
        "TaskDefinitionArns": [f"{ecs}:task-definition/{name}:*" for name in families],
        "PassRoleArns": sorted(pass_roles),
    }
    return {name: ",".join(values) for name, values in found.items() if values}


def _detoured(edge: EdgePlan) -> str | None:
    """Return the load balancer whose rules a detour changes, as ARNs have it; None of an edge without a detour."""
    lever = edge.dns or edge.cdn
    if edge.detour is None or lever is None:
        return None
    name = lever.green_load_balancer
    return "/".join(name.split("/")[1:3]) if name.startswith("arn:") else f"app/{name}"


def forwarding_parameters(plan: MigrationPlan) -> dict[str, str]:
    """
    Return the parameters of `template-us-east-1.yaml`, by which the stack hears of CloudFront's alarms.

    Nothing where no edge is CloudFront's or the plan names no alarm, or where the stack is in
    us-east-1 and hears of them itself.
    """
    if all(edge.cdn is None for edge in plan.edges) or not plan.alarms or plan.region in {None, "us-east-1"}:
        return {}
    return {"HomeRegion": str(plan.region), "AlarmNames": ",".join(plan.alarms)}


def normalized_name(name: str) -> str:
    """Return a name as Route 53's condition keys have it: lower case, no dot at its end, a wildcard escaped."""
    return name.lower().rstrip(".").replace("*", "\\052")
