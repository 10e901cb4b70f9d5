"""
Resources as AWS's APIs describe them, whatever format they came in, and the mesh model made of them.

Pure. Readers of dumps, of Terraform and of a live account all bring what they find into the shape the APIs describe it
in (lowerCamel keys); this is the one place that turns it into the model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from crossfade.errors import BadInput
from crossfade.mesh import shape
from crossfade.mesh.model import CloudMapService, Found, Namespace, TargetGroup
from crossfade.mesh.tree import Tree


class Kind(StrEnum):
    """What a resource is; the mesh's own kinds are called as the App Mesh API calls them."""

    MESH = "mesh"
    NODE = "virtualNode"
    ROUTER = "virtualRouter"
    ROUTE = "route"
    VIRTUAL_SERVICE = "virtualService"
    GATEWAY = "virtualGateway"
    GATEWAY_ROUTE = "gatewayRoute"
    ECS_SERVICE = "ECS service"
    TASK_DEFINITION = "task definition"
    TARGET_GROUP = "target group"
    LOAD_BALANCER = "load balancer"
    LISTENER = "listener"
    RULE = "rule"
    TARGET = "target"
    ALARM = "alarm"
    NAMESPACE = "namespace"
    CLOUD_MAP_SERVICE = "Cloud Map service"
    RECORD = "record"
    ZONE = "hosted zone"
    DISTRIBUTION = "distribution"


@dataclass(frozen=True, slots=True)
class Item:
    """One resource, its body in the API's shape."""

    kind: Kind
    body: Tree


MESH_NAMES: Final[Mapping[Kind, str]] = {
    Kind.MESH: "meshName",
    Kind.NODE: "virtualNodeName",
    Kind.ROUTER: "virtualRouterName",
    Kind.ROUTE: "routeName",
    Kind.VIRTUAL_SERVICE: "virtualServiceName",
    Kind.GATEWAY: "virtualGatewayName",
    Kind.GATEWAY_ROUTE: "gatewayRouteName",
}
"""The field that holds the name of each of the mesh's own resources."""

_GONE: Final = frozenset({"INACTIVE", "DELETED"})
_REVISION: Final = re.compile(r".*:(\d+)")


def found_of(items: Iterable[Item]) -> Found:
    """
    Return the mesh model of the resources; one that is given twice and the same counts once.

    Raises:
        BadInput: a resource lacks what its API always tells, or a rule's listener is not among them.
    """
    kept = _live(_once(items))
    revisions = {
        (each.body / "taskDefinition").text()
        for each in kept
        if each.kind is Kind.ECS_SERVICE and each.body / "taskDefinition"
    }
    kept = _one_revision(kept, revisions)
    listeners = {
        (each.body / "listenerArn").text(): each.body
        for each in kept
        if each.kind is Kind.LISTENER and each.body / "listenerArn"
    }
    groups: dict[str, list[object]] = {}
    targets = [each.body for each in kept if each.kind is Kind.TARGET]
    for each in kept:
        if each.kind is Kind.TARGET:
            continue  # said with the group it belongs to
        if each.kind is Kind.RULE:
            if (each.body / "isDefault").truth(default=False):
                continue  # the listener says it too
            groups.setdefault("rules", []).append(_rule(each.body, listeners))
        else:
            field, read = _READERS[each.kind]
            made = read(each.body)
            if isinstance(made, TargetGroup):
                made = _with_targets(made, targets)
            if each.kind in MESH_NAMES:
                made = replace(made, beside=shape.beside(each.body))  # type: ignore[type-var]  # one of the mesh's own
            groups.setdefault(field, []).append(made)
    return Found(**{field: tuple(found) for field, found in groups.items()})  # type: ignore[arg-type]


def _with_targets(group: TargetGroup, targets: Iterable[Tree]) -> TargetGroup:
    """Return a target group with the load balancers that are registered in it one by one."""
    own = [each for each in targets if shape.target_group_name((each / "targetGroupArn").text()) == group.name]
    return replace(group, leads_to=(*group.leads_to, *shape.leading_to(each / "targetId" for each in own)))


def _once(items: Iterable[Item]) -> list[Item]:
    kept: list[Item] = []
    seen: dict[tuple[Kind, tuple[str, ...]], list[object]] = {}
    for each in items:
        same = seen.setdefault((each.kind, _identity(each)), [])
        if each.body.value not in same:
            same.append(each.body.value)
            kept.append(each)
    return kept


def _identity(item: Item) -> tuple[str, ...]:
    names = [*MESH_NAMES.values(), "serviceArn", "serviceName", "taskDefinitionArn", "family", "targetGroupArn"]
    names += ["loadBalancerArn", "listenerArn", "ruleArn", "alarmName", "id", "name"]
    found = item.body.mapping()
    return tuple(str(found.get(name, "")) for name in names)


def _live(items: Iterable[Item]) -> list[Item]:
    """Return what still exists; a service that drains or a resource that is deleted is history."""
    kept = []
    for each in items:
        status = each.body / "status"
        if isinstance(status.value, Mapping):
            status = status / "status"
        if status.text_or_none() not in _GONE or each.kind is Kind.TASK_DEFINITION:
            kept.append(each)
    return kept


def _one_revision(items: Sequence[Item], wanted: set[str]) -> list[Item]:
    """Return the items with one revision of each task definition: the one a service runs, otherwise the newest."""
    best: dict[str, tuple[bool, int]] = {}
    for each in items:
        if each.kind is Kind.TASK_DEFINITION:
            name, rank = shape.family((each.body / "family").text()), _rank(each.body, wanted)
            best[name] = max(best.get(name, (False, -1)), rank)
    return [
        each
        for each in items
        if each.kind is not Kind.TASK_DEFINITION
        or _rank(each.body, wanted) == best[shape.family((each.body / "family").text())]
    ]


def _rank(body: Tree, wanted: set[str]) -> tuple[bool, int]:
    arn = (body / "taskDefinitionArn").text_or_none() or ""
    match = _REVISION.fullmatch(arn)
    revision = (body / "revision").number_or_none() or (int(match[1]) if match else 0)
    names = {arn, arn.rpartition("/")[2], f"{(body / 'family').text()}:{revision}"} - {""}
    return bool(names & wanted), revision


# ------------------------------------------------------------------------------ one by one


def _mesh_name(body: Tree) -> str:
    return (body / "meshName").text().rpartition("/")[2].partition("@")[0]


def _mesh(body: Tree) -> object:
    return shape.mesh(_mesh_name(body), body / "spec")


def _node(body: Tree) -> object:
    return shape.virtual_node((body / "virtualNodeName").text(), _mesh_name(body), body / "spec")


def _router(body: Tree) -> object:
    return shape.virtual_router((body / "virtualRouterName").text(), _mesh_name(body), body / "spec")


def _route(body: Tree) -> object:
    router = (body / "virtualRouterName").text()
    return shape.route((body / "routeName").text(), router, _mesh_name(body), body / "spec")


def _virtual_service(body: Tree) -> object:
    return shape.virtual_service((body / "virtualServiceName").text(), _mesh_name(body), body / "spec")


def _gateway(body: Tree) -> object:
    return shape.virtual_gateway((body / "virtualGatewayName").text(), _mesh_name(body), body / "spec")


def _gateway_route(body: Tree) -> object:
    gateway = (body / "virtualGatewayName").text()
    return shape.gateway_route((body / "gatewayRouteName").text(), gateway, _mesh_name(body), body / "spec")


def _ecs_service(body: Tree) -> object:
    given = dict(body.mapping())
    given.setdefault("cluster", given.get("clusterArn"))
    for deployment in body / "deployments":
        if deployment / "serviceConnectConfiguration":
            given.setdefault("serviceConnectConfiguration", (deployment / "serviceConnectConfiguration").value)
    return shape.ecs_service((body / "serviceName").text(), Tree(given, body.place))


def _task_definition(body: Tree) -> object:
    return shape.task_definition(shape.family((body / "family").text()), body)


def _target_group(body: Tree) -> object:
    return shape.target_group((body / "targetGroupName").text(), body)


def _load_balancer(body: Tree) -> object:
    arn, name = (body / "loadBalancerArn").text(), (body / "loadBalancerName").text()
    full_name = arn.partition("loadbalancer/")[2] or name
    return shape.load_balancer(name, full_name, body, (body / "dnsName").text_or_none())


def _listener(body: Tree) -> object:
    owner = shape.load_balancer_name((body / "loadBalancerArn").text())
    return shape.listener_rule(owner, (body / "port").number(), "default", body / "defaultActions")


def _rule(body: Tree, listeners: Mapping[str, Tree]) -> object:
    arn = (body / "listenerArn").text_or_none()
    if arn is None:  # a rule's ARN is its listener's with one part more
        arn = (body / "ruleArn").text().replace(":listener-rule/", ":listener/").rpartition("/")[0]
    listener = listeners.get(arn)
    if listener is None:
        raise BadInput(
            f"{body.place}: a rule of the listener {arn}, which no source given holds; add the answer of "
            "`aws elbv2 describe-listeners`"
        )
    owner = shape.load_balancer_name((listener / "loadBalancerArn").text())
    priority = (body / "priority").text()
    return shape.listener_rule(owner, (listener / "port").number(), priority, body / "actions", body / "conditions")


def _alarm(body: Tree) -> object:
    return shape.alarm((body / "alarmName").text(), body)


def _namespace(body: Tree) -> object:
    return Namespace((body / "name").text(), (body / "id").text(), body.place)


def _cloud_map_service(body: Tree) -> object:
    config = body / "dnsConfig"
    namespace = (body / "namespaceId").text_or_none() or (config / "namespaceId").text_or_none()
    reference = (body / "arn").text_or_none() or (body / "id").text_or_none()
    return CloudMapService((body / "name").text(), namespace, body.place, reference)


def _record(body: Tree) -> object:
    return shape.dns_record((body / "name").text(), body)


def _zone(body: Tree) -> object:
    return shape.hosted_zone((body / "id").text(), body)


def _distribution(body: Tree) -> object:
    config = body / "distributionConfig"
    return shape.distribution((body / "id").text(), config or body, (body / "domainName").text_or_none())


_READERS: Final[Mapping[Kind, tuple[str, Callable[[Tree], object]]]] = {
    Kind.MESH: ("meshes", _mesh),
    Kind.NODE: ("nodes", _node),
    Kind.ROUTER: ("routers", _router),
    Kind.ROUTE: ("routes", _route),
    Kind.VIRTUAL_SERVICE: ("virtual_services", _virtual_service),
    Kind.GATEWAY: ("gateways", _gateway),
    Kind.GATEWAY_ROUTE: ("gateway_routes", _gateway_route),
    Kind.ECS_SERVICE: ("services", _ecs_service),
    Kind.TASK_DEFINITION: ("task_definitions", _task_definition),
    Kind.TARGET_GROUP: ("target_groups", _target_group),
    Kind.LOAD_BALANCER: ("load_balancers", _load_balancer),
    Kind.LISTENER: ("rules", _listener),
    Kind.ALARM: ("alarms", _alarm),
    Kind.NAMESPACE: ("namespaces", _namespace),
    Kind.CLOUD_MAP_SERVICE: ("cloud_map_services", _cloud_map_service),
    Kind.RECORD: ("records", _record),
    Kind.ZONE: ("zones", _zone),
    Kind.DISTRIBUTION: ("distributions", _distribution),
}
