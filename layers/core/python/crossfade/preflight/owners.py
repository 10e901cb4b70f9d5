"""
Who else sets the weights of an edge: a controller of Kubernetes, CodeDeploy, or ECS's own deployments.

Two who write the same rule undo each other, and there is no lock that both would take.

Source: AWS Load Balancer Controller, "Resource tags"; CodeDeploy API reference, LoadBalancerInfo; Amazon ECS API
reference, AdvancedConfiguration.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crossfade.journal.edges import AlbEdge, EdgeRecord, NlbEdge
from crossfade.plan.document import MigrationPlan
from crossfade.plan.finding import Finding
from crossfade.preflight.surroundings import DeploymentGroup, ShiftedService, Surroundings

KUBERNETES_TAGS = (
    "elbv2.k8s.aws/cluster",
    "ingress.k8s.aws/stack",
    "ingress.k8s.aws/resource",
    "service.k8s.aws/stack",
    "service.k8s.aws/resource",
    "ingress.k8s.aws/cluster",
)
"""Tags by which the AWS Load Balancer Controller knows what it reconciles."""


def owners(plan: MigrationPlan, edges: Sequence[EdgeRecord], surroundings: Surroundings) -> Iterator[Finding]:
    """
    Yield a finding for each edge and kind of owner; refused where somebody else sets its weights.

    Raises:
        EcsBusy: AWS throttles.
    """
    groups = surroundings.deployment_groups.that_shift() if edges else ()
    services = surroundings.shifted_services.that_shift(plan.cluster) if edges else ()
    for edge in edges:
        planned = plan.edge(edge.name)
        names = {planned.blue.name, planned.green.name, *map(_name_of, _target_groups(edge))}
        yield _kubernetes(edge, surroundings)
        yield _codedeploy(edge, names, groups)
        yield _ecs(edge, services)


def _kubernetes(edge: EdgeRecord, surroundings: Surroundings) -> Finding:
    finding = Finding(check="no controller of Kubernetes reconciles it", subject=f"edge {edge.name}")
    found = surroundings.balancer_tags.tags([*_balanced(edge), *_target_groups(edge)])
    for arn, tags in found.items():
        named = [tag for tag in KUBERNETES_TAGS if tag in tags]
        if named:
            return finding.refuse(
                f"{arn} carries the tag {named[0]} = {tags[named[0]]!r}: its controller would set the weights back",
                "divide this edge from Kubernetes, or take the load balancer out of the controller's hands first",
            )
    return finding


def _codedeploy(edge: EdgeRecord, names: set[str], groups: Sequence[DeploymentGroup]) -> Finding:
    finding = Finding(check="no deployment group of CodeDeploy moves it", subject=f"edge {edge.name}")
    listeners = set(_listeners(edge))
    for group in groups:
        if group.target_groups & names or group.listeners & listeners:
            return finding.refuse(
                f"deployment group {group.name} of CodeDeploy's application {group.application} moves its traffic",
                "let blue deploy by a rolling deployment and delete the deployment group first",
            )
    return finding


def _ecs(edge: EdgeRecord, services: Sequence[ShiftedService]) -> Finding:
    finding = Finding(check="no deployment of ECS moves it", subject=f"edge {edge.name}")
    ours = {*_balanced(edge), *_target_groups(edge)}
    for service in services:
        if service.arns & ours:
            return finding.refuse(
                f"ECS service {service.name} names it in its advancedConfiguration and moves its traffic itself",
                "give that service a rolling deployment without advancedConfiguration first",
            )
    return finding


def _balanced(edge: EdgeRecord) -> tuple[str, ...]:
    """Return the load balancer, listeners and rules of an edge that has them, by ARN."""
    if not isinstance(edge.resolved, AlbEdge | NlbEdge):
        detoured = edge.resolved.detour.rules if edge.resolved.detour else ()
        return (edge.resolved.load_balancer_arn, *(rule.arn for rule in detoured))
    return (edge.resolved.load_balancer_arn, *(rule.arn for rule in edge.resolved.rules))


def _listeners(edge: EdgeRecord) -> Iterator[str]:
    """Yield the listeners of an edge's rules: a rule's ARN holds its listener's, and its own id after it."""
    if isinstance(edge.resolved, AlbEdge | NlbEdge):
        for rule in edge.resolved.rules:
            whole = rule.arn.replace(":listener-rule/", ":listener/")
            yield rule.arn if rule.is_default else whole.rpartition("/")[0]


def _target_groups(edge: EdgeRecord) -> tuple[str, ...]:
    return tuple(filter(None, (edge.resolved.blue_arn, edge.resolved.green_arn)))


def _name_of(target_group_arn: str) -> str:
    return target_group_arn.rpartition(":targetgroup/")[2].partition("/")[0]
