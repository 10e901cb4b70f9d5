"""Writes what AWS answers as Terraform's provider would keep it in its state: snake_case, every block a list."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_SINGULAR = {
    "backends": "backend",
    "listeners": "listener",
    "weightedTargets": "weighted_target",
}
_MESH = {
    "mesh": ("aws_appmesh_mesh", "meshName"),
    "virtualNode": ("aws_appmesh_virtual_node", "virtualNodeName"),
    "virtualRouter": ("aws_appmesh_virtual_router", "virtualRouterName"),
    "route": ("aws_appmesh_route", "routeName"),
    "virtualService": ("aws_appmesh_virtual_service", "virtualServiceName"),
}
Resource = tuple[str, dict[str, Any]]


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)[A-Z]", lambda upper: "_" + upper[0].lower(), name)


def _blocks(value: Any) -> Any:
    if isinstance(value, dict):
        said: dict[str, Any] = {}
        for key, item in value.items():
            inner = _blocks(item)
            said[_SINGULAR.get(key, _snake(key))] = [inner] if isinstance(item, dict) else inner
        return said
    return [_blocks(each) for each in value] if isinstance(value, list) else value


def resources(answers: list[Any]) -> Iterator[Resource]:
    """Yield (type, attributes) of every resource that the answers hold."""
    for answer in answers:
        for key, value in answer.items():
            if key in _MESH:
                yield _of_mesh(*_MESH[key], value)
            elif key == "taskDefinition":
                yield "aws_ecs_task_definition", _task_definition(value)
            elif key == "services":
                for each in value:
                    yield "aws_ecs_service", _service(each)
            elif key in _OTHERS:
                kind, shape = _OTHERS[key]
                for each in value:
                    if not each.get("IsDefault"):
                        yield kind, shape(each)


def _of_mesh(kind: str, name: str, value: dict[str, Any]) -> Resource:
    attributes = {"name": value[name], "mesh_name": value["meshName"], "spec": [_blocks(value.get("spec", {}))]}
    if "virtualRouterName" in value:
        attributes["virtual_router_name"] = value["virtualRouterName"]
    for spec in attributes["spec"]:
        for listener in spec.get("listener", ()):  # the provider writes 0 and "" for what is not said
            listener.setdefault("tls", [])
            listener.setdefault("connection_pool", [])
    if kind == "aws_appmesh_route":
        attributes["spec"][0].setdefault("priority", 0)
    return kind, {**attributes, "arn": value["metadata"]["arn"]}


def _task_definition(value: dict[str, Any]) -> dict[str, Any]:
    proxy = value.get("proxyConfiguration", {})
    return {
        "family": value["family"],
        "revision": value["revision"],
        "arn": value["taskDefinitionArn"],
        "container_definitions": json.dumps(value["containerDefinitions"]),
        "network_mode": value["networkMode"],
        "cpu": value["cpu"],
        "memory": value["memory"],
        "requires_compatibilities": value["requiresCompatibilities"],
        "proxy_configuration": [
            {
                "type": proxy.get("type", "APPMESH"),
                "container_name": proxy["containerName"],
                "properties": {each["name"]: each["value"] for each in proxy["properties"]},
            }
        ]
        if proxy
        else [],
        "runtime_platform": [],
    }


def _service(value: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": value["serviceName"],
        "cluster": value["clusterArn"],
        "task_definition": value["taskDefinition"],
        "desired_count": value["desiredCount"],
        "launch_type": value["launchType"],
        "health_check_grace_period_seconds": value.get("healthCheckGracePeriodSeconds", 0),
        "deployment_maximum_percent": value["deploymentConfiguration"]["maximumPercent"],
        "load_balancer": [
            {
                "target_group_arn": each["targetGroupArn"],
                "container_name": each["containerName"],
                "container_port": each["containerPort"],
                "elb_name": "",
            }
            for each in value.get("loadBalancers", ())
        ],
        "service_registries": [{"registry_arn": each["registryArn"]} for each in value.get("serviceRegistries", ())],
        "service_connect_configuration": [],
    }


def _load_balancer(value: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": value["LoadBalancerName"],
        "arn": value["LoadBalancerArn"],
        "load_balancer_type": value["Type"],
        "internal": value["Scheme"] == "internal",
        "dns_name": value["DNSName"],
    }


def _listener(value: dict[str, Any]) -> dict[str, Any]:
    actions = [
        {"type": "forward", "target_group_arn": "", "forward": [{"target_group": _groups(each)}]}
        for each in value["DefaultActions"]
    ]
    return {
        "arn": value["ListenerArn"],
        "load_balancer_arn": value["LoadBalancerArn"],
        "port": value["Port"],
        "default_action": actions,
    }


def _groups(action: dict[str, Any]) -> list[dict[str, Any]]:
    groups = action.get("ForwardConfig", {}).get("TargetGroups") or [{"TargetGroupArn": action["TargetGroupArn"]}]
    return [{"arn": each["TargetGroupArn"], "weight": each.get("Weight", 1)} for each in groups]


def _target_group(value: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": value["TargetGroupName"],
        "arn": value["TargetGroupArn"],
        "port": value["Port"],
        "protocol": value["Protocol"],
        "health_check": [{"path": value["HealthCheckPath"], "port": value["HealthCheckPort"]}],
        "stickiness": [{"enabled": False, "type": "lb_cookie"}],
    }


def _alarm(value: dict[str, Any]) -> dict[str, Any]:
    dimensions = {each["Name"]: each["Value"] for each in value["Dimensions"]}
    return {"alarm_name": value["AlarmName"], "dimensions": dimensions, "metric_query": []}


def _namespace(value: dict[str, Any]) -> dict[str, Any]:
    return {"name": value["Name"], "id": value["Id"], "arn": value["Arn"]}


def _registered(value: dict[str, Any]) -> dict[str, Any]:
    config = [{"namespace_id": value["DnsConfig"].get("NamespaceId", value.get("NamespaceId"))}]
    return {"name": value["Name"], "id": value["Id"], "arn": value["Arn"], "dns_config": config}


def _record(value: dict[str, Any]) -> dict[str, Any]:
    alias = value["AliasTarget"]
    return {"name": value["Name"].rstrip("."), "type": value["Type"], "alias": [{"name": alias["DNSName"].rstrip(".")}]}


_OTHERS: dict[str, tuple[str, Any]] = {
    "LoadBalancers": ("aws_lb", _load_balancer),
    "Listeners": ("aws_lb_listener", _listener),
    "TargetGroups": ("aws_lb_target_group", _target_group),
    "MetricAlarms": ("aws_cloudwatch_metric_alarm", _alarm),
    "Namespaces": ("aws_service_discovery_private_dns_namespace", _namespace),
    "Services": ("aws_service_discovery_service", _registered),
    "ResourceRecordSets": ("aws_route53_record", _record),
}


def state(answers: list[Any]) -> str:
    """Return a state of version 4."""
    made = [
        {"mode": "managed", "type": kind, "name": f"r{at}", "instances": [{"attributes": attributes}]}
        for at, (kind, attributes) in enumerate(resources(answers))
    ]
    return json.dumps({"version": 4, "terraform_version": "1.9.8", "serial": 7, "outputs": {}, "resources": made})


def shown(answers: list[Any]) -> str:
    """Return what `terraform show -json` prints, the ECS side in a module."""
    root: list[dict[str, Any]] = []
    inner: list[dict[str, Any]] = []
    for at, (kind, attributes) in enumerate(resources(answers)):
        address = f"{kind}.r{at}"
        resource = {"address": address, "mode": "managed", "type": kind, "name": f"r{at}", "values": attributes}
        (inner if kind.startswith("aws_ecs") else root).append(resource)
    module = {"resources": root, "child_modules": [{"address": "module.services", "resources": inner}]}
    return json.dumps({"format_version": "1.0", "terraform_version": "1.9.8", "values": {"root_module": module}})
