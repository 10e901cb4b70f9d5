"""A task of the emulated ECS, as DescribeTasks answers it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from rehearsal.aws.ecs_model import Task


def describe_task(task: Task) -> dict[str, Any]:
    """Answer a task as DescribeTasks does."""
    service, definition = task.service, task.deployment.task_definition
    health = task.health if task.reports_health else "UNKNOWN"
    containers = [
        {
            "containerArn": f"{task.arn.replace(':task/', ':container/')}/{container['name']}",
            "taskArn": task.arn,
            "name": container["name"],
            "image": container["image"],
            "lastStatus": _container_status(task),
            "networkBindings": _bindings(task, container),
            "networkInterfaces": _interfaces(task),
            "healthStatus": health if "healthCheck" in container else "UNKNOWN",
            "cpu": str(container.get("cpu", 0)),
            **({"exitCode": 0} if task.status == "STOPPED" and task.stop_code != "TaskFailedToStart" else {}),
        }
        for container in definition["containerDefinitions"]
    ]
    if task.proxy:
        containers.append(
            {
                "containerArn": f"{task.arn.replace(':task/', ':container/')}/{task.proxy}",
                "taskArn": task.arn,
                "name": task.proxy,
                "lastStatus": _container_status(task),
                "networkBindings": [],
                "networkInterfaces": _interfaces(task),
                "healthStatus": health,
                "cpu": "0",
            }
        )
    optional = {
        "startedAt": task.started_at,
        "stoppingAt": task.stopping_at,
        "stoppedAt": task.stopped_at,
        "stopCode": task.stop_code,
        "stoppedReason": task.stopped_reason,
        "cpu": definition.get("cpu"),
        "memory": definition.get("memory"),
        "launchType": task.deployment.settings.get("launchType"),
        "platformVersion": task.deployment.settings.get("platformVersion"),
        "platformFamily": task.deployment.settings.get("platformFamily"),
        "connectivity": "CONNECTED" if task.started_at else None,
        "connectivityAt": task.started_at,
    }
    return {
        "taskArn": task.arn,
        "clusterArn": service.cluster_arn,
        "taskDefinitionArn": definition["taskDefinitionArn"],
        "group": f"service:{service.name}",
        "startedBy": task.deployment.id,
        "availabilityZone": task.zone,
        "lastStatus": task.status,
        "desiredStatus": task.desired,
        "healthStatus": health,
        "createdAt": task.created_at,
        "version": task.version,
        "containers": containers,
        "attachments": _attachments(task),
        "overrides": {"containerOverrides": [{"name": each["name"]} for each in containers]},
        "enableExecuteCommand": bool(service.settings.get("enableExecuteCommand", False)),
        **{name: value for name, value in optional.items() if value is not None},
    }


def _container_status(task: Task) -> str:
    if task.status in ("PROVISIONING", "PENDING"):
        return "PENDING"
    return "STOPPED" if task.status == "STOPPED" else "RUNNING"


def _bindings(task: Task, container: Mapping[str, Any]) -> list[dict[str, Any]]:
    if task.placement is None:
        return []
    return [
        {
            "bindIP": task.placement.ip,
            "containerPort": mapping["containerPort"],
            "hostPort": task.placement.ports.get(mapping["containerPort"], mapping["containerPort"]),
            "protocol": mapping.get("protocol", "tcp"),
        }
        for mapping in container.get("portMappings", [])
    ]


def _interfaces(task: Task) -> list[dict[str, str]]:
    if task.placement is None:
        return []
    return [{"attachmentId": _attachment_id(task), "privateIpv4Address": task.placement.ip}]


def _attachments(task: Task) -> list[dict[str, Any]]:
    details = [] if task.placement is None else [{"name": "privateIPv4Address", "value": task.placement.ip}]
    attachments: list[dict[str, Any]] = [
        {
            "id": _attachment_id(task),
            "type": "ElasticNetworkInterface",
            "status": "DELETED" if task.status == "STOPPED" else "ATTACHED" if details else "PRECREATED",
            "details": details,
        }
    ]
    if task.proxy:
        attachments.append(
            {
                "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{task.id}/connect")),
                "type": "Service Connect",
                "status": "DELETED" if task.status == "STOPPED" else "ATTACHED",
                "details": [{"name": "ContainerName", "value": task.proxy}],
            }
        )
    return attachments


def _attachment_id(task: Task) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, task.id))
