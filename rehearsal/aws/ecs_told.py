"""The events of Amazon ECS: how deployments, services and tasks are, told on the bus."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rehearsal.aws.clock import clock
from rehearsal.aws.ecs_described import describe_task
from rehearsal.aws.ecs_model import Deployment, RolloutState, Service, Task
from rehearsal.aws.events import emit


def roll(service: Service, deployment: Deployment, state: RolloutState, reason: str) -> None:
    """Say how far a deployment is, and why; and tell it on the bus."""
    deployment.state, deployment.reason, deployment.updated_at = state, reason, clock.now()
    emit(
        "aws.ecs",
        "ECS Deployment State Change",
        {
            "eventType": "ERROR" if state == "FAILED" else "INFO",
            "eventName": f"SERVICE_DEPLOYMENT_{state}",
            "deploymentId": deployment.id,
            "updatedAt": f"{deployment.updated_at:%Y-%m-%dT%H:%M:%SZ}",
            "reason": reason,
        },
        [service.arn],
        region=service.region,
    )


def act(service: Service, kind: str, name: str) -> None:
    """Tell of a service's action: steady state, start impaired."""
    detail = {
        "eventType": kind,
        "eventName": name,
        "clusterArn": service.cluster_arn,
        "createdAt": _zulu(clock.now()),
    }
    emit("aws.ecs", "ECS Service Action", detail, [service.arn], region=service.region)


def tell(task: Task) -> None:
    """Tell how a task is now."""
    described = describe_task(task)
    described["attachments"] = [{**each, "type": "eni"} for each in described["attachments"]]
    described["updatedAt"] = clock.now()
    emit("aws.ecs", "ECS Task State Change", _plain(described), [task.arn], region=task.service.region)


def _zulu(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _plain(value: Any) -> Any:
    """Make a described thing JSON: times as ECS writes them in its events."""
    if isinstance(value, datetime):
        return _zulu(value)
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    return [_plain(member) for member in value] if isinstance(value, list) else value
