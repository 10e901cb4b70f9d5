"""
From Terraform's resources to the shape AWS's APIs describe them in.

Pure. Configuration, state and `terraform show -json` name attributes alike: snake_case, every block a list. What the
APIs call by a plural, a list of names and values, or by a deeper structure is put back here.

Source: the Terraform AWS provider's documentation, resources named in `_KINDS`; App Mesh API reference, spec types.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final

from crossfade.errors import BadInput
from crossfade.mesh.hcl import JsonText
from crossfade.mesh.intrinsics import Unknown
from crossfade.mesh.items import MESH_NAMES, Item, Kind
from crossfade.mesh.model import Place
from crossfade.mesh.tfcomputed import INSTEAD
from crossfade.mesh.tree import Tree

Attributes = Mapping[str, object]

_PLURALS: Final = {
    "backend": "backends",
    "header": "headers",
    "listener": "listeners",
    "metadata": "metadata",
    "query_parameter": "queryParameters",
    "weighted_target": "weightedTargets",
}
"""Blocks of App Mesh's that the API holds in a list, under a plural."""

_LISTS: Final = frozenset({"json"})
_NOTHING: Final[tuple[object, ...]] = (None, "", [], {})
_ZERO_IS_NONE: Final = frozenset({"port", "priority", "max_pending_requests"})
"""Numbers that the provider's state writes as 0 where nothing is said."""


def item(kind: str, attributes: Attributes, place: Place) -> Item | None:
    """
    Return a resource in the API's shape; None for a type that no plan needs.

    Args:
        kind: The provider's type: `aws_ecs_service`.
        attributes: As configuration, evaluated, or state have them.
        place: Where the resource stands.

    Raises:
        BadInput: container definitions are no JSON.
    """
    found = _KINDS.get(kind)
    if found is None:
        return None
    what, shape = found
    return Item(what, Tree(_without_nothing(shape(attributes, place)), place))


def is_known(kind: str) -> bool:
    """Return whether a plan needs resources of this type."""
    return kind in _KINDS


def _without_nothing(body: Attributes) -> Attributes:
    return {key: value for key, value in body.items() if value is not None}


# --------------------------------------------------------------------------------- App Mesh


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _spec(value: object, key: str = "") -> object:
    """Return blocks as the API nests them."""
    if isinstance(value, Mapping):
        said: dict[str, object] = {}
        for name, inner in value.items():
            is_unsaid = inner in _NOTHING or (name in _ZERO_IS_NONE and inner == 0 and inner is not False)
            if is_unsaid:
                continue
            if name == "attributes" and isinstance(inner, Mapping):
                said[name] = [{"key": each, "value": inner[each]} for each in sorted(inner)]
            else:
                said[_PLURALS.get(name, _camel(name))] = _spec(inner, name)
        return said
    if isinstance(value, list):
        is_block = any(isinstance(each, Mapping) for each in value)
        if is_block and key not in _PLURALS and key not in _LISTS:
            return _spec(value[0], key)
        return [_spec(each) for each in value]
    return value


def _first(value: object) -> Attributes:
    """Return the one block of a list of blocks; empty when there is none."""
    if isinstance(value, list):
        value = value[0] if value else {}
    return value if isinstance(value, Mapping) else {}


def _blocks(value: object) -> list[Attributes]:
    if isinstance(value, Mapping):
        return [value]
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _of_mesh(kind: Kind) -> Callable[[Attributes, Place], Attributes]:
    def shape(found: Attributes, _place: Place) -> Attributes:
        names = {
            "meshName": found.get("mesh_name"),
            "virtualRouterName": found.get("virtual_router_name"),
            "virtualGatewayName": found.get("virtual_gateway_name"),
            MESH_NAMES[kind]: found.get("name"),
        }
        metadata = {
            "arn": found.get("arn"),
            "createdAt": found.get("created_date"),
            "lastUpdatedAt": found.get("last_updated_date"),
            "meshOwner": found.get("mesh_owner"),
            "resourceOwner": found.get("resource_owner"),
        }
        tags = found.get("tags")
        return {
            **{name: value for name, value in names.items() if value},
            "metadata": {name: value for name, value in metadata.items() if value},
            "tags": [{"key": key, "value": value} for key, value in tags.items()] if isinstance(tags, Mapping) else [],
            "spec": _spec(_first(found.get("spec"))),
        }

    return shape


# -------------------------------------------------------------------------------------- ECS


def _ecs_service(found: Attributes, _place: Place) -> Attributes:
    connect = _first(found.get("service_connect_configuration"))
    return {
        "serviceName": found.get("name"),
        "cluster": found.get("cluster") or None,
        "taskDefinition": found.get("task_definition") or None,
        "desiredCount": found.get("desired_count"),
        "launchType": found.get("launch_type") or None,
        "schedulingStrategy": found.get("scheduling_strategy") or None,
        "healthCheckGracePeriodSeconds": found.get("health_check_grace_period_seconds"),
        "deploymentConfiguration": {"maximumPercent": found.get("deployment_maximum_percent")},
        "deploymentController": {"type": _first(found.get("deployment_controller")).get("type")},
        "loadBalancers": [
            {
                "targetGroupArn": each.get("target_group_arn") or None,
                "containerName": each.get("container_name"),
                "containerPort": each.get("container_port"),
            }
            for each in _blocks(found.get("load_balancer"))
        ],
        "serviceRegistries": [
            {"registryArn": each.get("registry_arn")} for each in _blocks(found.get("service_registries"))
        ],
        "serviceConnectConfiguration": {"enabled": connect.get("enabled")} if connect else None,
    }


def _task_definition(found: Attributes, place: Place) -> Attributes:
    proxy = _first(found.get("proxy_configuration"))
    found_properties = proxy.get("properties")
    properties: Attributes = found_properties if isinstance(found_properties, Mapping) else {}
    platform = _first(found.get("runtime_platform"))
    return {
        "family": found.get("family"),
        "revision": found.get("revision") if isinstance(found.get("revision"), int) else None,
        "taskDefinitionArn": found.get("arn"),
        "containerDefinitions": _containers(found.get("container_definitions"), place),
        "networkMode": found.get("network_mode") or None,
        "cpu": found.get("cpu") or None,
        "memory": found.get("memory") or None,
        "requiresCompatibilities": found.get("requires_compatibilities") or None,
        "runtimePlatform": {"operatingSystemFamily": platform.get("operating_system_family")} if platform else None,
        "proxyConfiguration": {
            "type": proxy.get("type") or None,
            "containerName": proxy.get("container_name"),
            "properties": [{"name": name, "value": properties[name]} for name in sorted(properties)],
        }
        if proxy
        else None,
    }


def _containers(value: object, place: Place) -> object:
    if isinstance(value, JsonText):
        return value.data
    if isinstance(value, Unknown):
        text = str(value)
        try:
            return json.loads(text)  # its holes stand inside texts
        except ValueError:
            raise BadInput(f"{place}: its container definitions cannot be told: {value.why}; {INSTEAD}") from None
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise BadInput(f"{place}: its container definitions are no JSON: {error}; {INSTEAD}") from error


# ---------------------------------------------------------------------------- load balancing


def _target_group(found: Attributes, _place: Place) -> Attributes:
    check, sticky = _first(found.get("health_check")), _first(found.get("stickiness"))
    enabled = bool(sticky) and sticky.get("enabled", True) not in (False, "false")
    return {
        "targetGroupName": found.get("name"),
        "targetGroupArn": found.get("arn"),
        "port": found.get("port"),
        "protocol": found.get("protocol") or None,
        "protocolVersion": found.get("protocol_version") or None,
        "healthCheckPath": check.get("path") or None,
        "healthCheckPort": check.get("port") or None,
        "targetGroupAttributes": [{"key": "stickiness.enabled", "value": "true"}] if enabled else [],
    }


def _target(found: Attributes, _place: Place) -> Attributes:
    return {"targetGroupArn": found.get("target_group_arn"), "targetId": found.get("target_id")}


def _load_balancer(found: Attributes, _place: Place) -> Attributes:
    return {
        "loadBalancerName": found.get("name"),
        "loadBalancerArn": found.get("arn"),
        "type": found.get("load_balancer_type") or "application",
        "scheme": "internal" if found.get("internal") in (True, "true") else "internet-facing",
        "dnsName": found.get("dns_name"),
    }


def _actions(value: object) -> list[Attributes]:
    actions: list[Attributes] = []
    for each in _blocks(value):
        groups = [
            {"targetGroupArn": group.get("arn"), "weight": group.get("weight")}
            for group in _blocks(_first(each.get("forward")).get("target_group"))
        ]
        action: dict[str, object] = {"type": each.get("type")}
        if each.get("target_group_arn"):
            action["targetGroupArn"] = each["target_group_arn"]
        if groups:
            action["forwardConfig"] = {"targetGroups": groups}
        actions.append(action)
    return actions


def _listener(found: Attributes, _place: Place) -> Attributes:
    return {
        "listenerArn": found.get("arn"),
        "loadBalancerArn": found.get("load_balancer_arn"),
        "port": found.get("port"),
        "defaultActions": _actions(found.get("default_action")),
    }


_CONDITIONS: Final = {
    "host_header": "host-header",
    "path_pattern": "path-pattern",
    "http_header": "http-header",
    "http_request_method": "http-request-method",
    "query_string": "query-string",
    "source_ip": "source-ip",
}


def _rule(found: Attributes, _place: Place) -> Attributes:
    conditions: list[Attributes] = []
    for each in _blocks(found.get("condition")):
        for name, field in _CONDITIONS.items():
            asked = _first(each.get(name))
            if name == "query_string":
                pairs = [{"key": pair.get("key"), "value": pair.get("value")} for pair in _blocks(each.get(name))]
                conditions += [{"field": field, "values": pairs}] if pairs else []
            elif name == "http_header" and asked:
                said = {"httpHeaderName": asked.get("http_header_name"), "values": asked.get("values") or []}
                conditions.append({"field": field, "httpHeaderConfig": said})
            elif asked:
                conditions.append({"field": field, "values": asked.get("values") or []})
        if each.get("field"):
            conditions.append({"field": each["field"], "values": each.get("values") or []})
    return {
        "ruleArn": found.get("arn"),
        "listenerArn": found.get("listener_arn"),
        "priority": found.get("priority"),
        "actions": _actions(found.get("action")),
        "conditions": conditions,
    }


# ------------------------------------------------------------------------ names and alarms


def _dimensions(value: object) -> list[Attributes]:
    return [{"name": name, "value": value[name]} for name in sorted(value)] if isinstance(value, Mapping) else []


def _alarm(found: Attributes, _place: Place) -> Attributes:
    metrics = []
    for query in _blocks(found.get("metric_query")):
        metric = _first(query.get("metric"))
        if metric:
            metrics.append({"metricStat": {"metric": {"dimensions": _dimensions(metric.get("dimensions"))}}})
    return {
        "alarmName": found.get("alarm_name"),
        "dimensions": _dimensions(found.get("dimensions")),
        "metrics": metrics,
    }


def _namespace(found: Attributes, _place: Place) -> Attributes:
    return {"name": found.get("name"), "id": found.get("id")}


def _cloud_map_service(found: Attributes, _place: Place) -> Attributes:
    return {
        "name": found.get("name"),
        "id": found.get("id"),
        "arn": found.get("arn"),
        "namespaceId": found.get("namespace_id") or None,
        "dnsConfig": {"namespaceId": _first(found.get("dns_config")).get("namespace_id")},
    }


def _record(found: Attributes, _place: Place) -> Attributes:
    alias = _first(found.get("alias"))
    return {
        "name": found.get("fqdn") or found.get("name"),
        "type": found.get("type"),
        "aliasTarget": {"dnsName": alias.get("name")} if alias else None,
        "resourceRecords": [{"value": each} for each in _list(found.get("records"))],
        "hostedZoneId": found.get("zone_id"),
        "setIdentifier": found.get("set_identifier") or None,
    }


def _zone(found: Attributes, _place: Place) -> Attributes:
    return {
        "id": found.get("zone_id") or found.get("id"),
        "name": found.get("name"),
        "config": {"privateZone": bool(found.get("vpc"))},
    }


def _distribution(found: Attributes, _place: Place) -> Attributes:
    origins = [_first([each]) for each in _list(found.get("origin"))]
    return {
        "id": found.get("id"),
        "domainName": found.get("domain_name"),
        "aliases": _list(found.get("aliases")),
        "origins": [{"id": each.get("origin_id"), "domainName": each.get("domain_name")} for each in origins],
    }


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


_Shape = Callable[[Attributes, Place], Attributes]

_KINDS: Final[Mapping[str, tuple[Kind, _Shape]]] = {
    "aws_appmesh_mesh": (Kind.MESH, _of_mesh(Kind.MESH)),
    "aws_appmesh_virtual_node": (Kind.NODE, _of_mesh(Kind.NODE)),
    "aws_appmesh_virtual_router": (Kind.ROUTER, _of_mesh(Kind.ROUTER)),
    "aws_appmesh_route": (Kind.ROUTE, _of_mesh(Kind.ROUTE)),
    "aws_appmesh_virtual_service": (Kind.VIRTUAL_SERVICE, _of_mesh(Kind.VIRTUAL_SERVICE)),
    "aws_appmesh_virtual_gateway": (Kind.GATEWAY, _of_mesh(Kind.GATEWAY)),
    "aws_appmesh_gateway_route": (Kind.GATEWAY_ROUTE, _of_mesh(Kind.GATEWAY_ROUTE)),
    "aws_ecs_service": (Kind.ECS_SERVICE, _ecs_service),
    "aws_ecs_task_definition": (Kind.TASK_DEFINITION, _task_definition),
    "aws_lb": (Kind.LOAD_BALANCER, _load_balancer),
    "aws_alb": (Kind.LOAD_BALANCER, _load_balancer),
    "aws_lb_target_group": (Kind.TARGET_GROUP, _target_group),
    "aws_alb_target_group": (Kind.TARGET_GROUP, _target_group),
    "aws_lb_target_group_attachment": (Kind.TARGET, _target),
    "aws_alb_target_group_attachment": (Kind.TARGET, _target),
    "aws_lb_listener": (Kind.LISTENER, _listener),
    "aws_alb_listener": (Kind.LISTENER, _listener),
    "aws_lb_listener_rule": (Kind.RULE, _rule),
    "aws_alb_listener_rule": (Kind.RULE, _rule),
    "aws_cloudwatch_metric_alarm": (Kind.ALARM, _alarm),
    "aws_service_discovery_private_dns_namespace": (Kind.NAMESPACE, _namespace),
    "aws_service_discovery_public_dns_namespace": (Kind.NAMESPACE, _namespace),
    "aws_service_discovery_http_namespace": (Kind.NAMESPACE, _namespace),
    "aws_service_discovery_service": (Kind.CLOUD_MAP_SERVICE, _cloud_map_service),
    "aws_route53_record": (Kind.RECORD, _record),
    "aws_route53_zone": (Kind.ZONE, _zone),
    "aws_cloudfront_distribution": (Kind.DISTRIBUTION, _distribution),
}
