"""Amazon ECS in the embedded AWS: task definitions, tasks and their protection."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from moto.ecs.models import ecs_backends

from rehearsal.aws.clock import clock
from rehearsal.aws.ecs_described import describe_task
from rehearsal.aws.ecs_fleets import MOST_DESCRIBED_TASKS, cluster_of, fleet_of, page_of, service_of
from rehearsal.aws.ecs_model import Task
from rehearsal.aws.fleet import Fleet
from rehearsal.aws.registry import Call, operation

MOST_PROTECTED_TASKS: Final = 10


@operation("ecs", "RegisterTaskDefinition")
def register_task_definition(call: Call) -> Any:
    """Let moto keep a task definition, and fill in what AWS fills in: host ports, protocols, who and when."""
    answer = call.next()
    definition = answer["taskDefinition"]
    for container in definition.container_definitions:
        for mapping in container.get("portMappings") or container.get("port_mappings") or []:
            mapping.setdefault("protocol", "tcp")
            if definition.network_mode in ("awsvpc", "host"):
                mapping.setdefault("hostPort", mapping["containerPort"])
            else:
                mapping.setdefault("hostPort", 0)
    definition.registered_at = clock.now()
    definition.registered_by = f"arn:aws:iam::{call.account}:root"
    return answer


@operation("ecs", "ListTasks")
def list_tasks(call: Call) -> dict[str, Any]:
    """Answer the ARNs of tasks, those that shall run unless asked for stopped ones."""
    params = call.params
    cluster = cluster_of(call, params.get("cluster"))
    if "serviceName" in params:
        service_of(call, params.get("cluster"), params["serviceName"])
    here = fleet_of(call)
    with here.lock:
        arns = [
            task.arn
            for service in here.services.values()
            if service.cluster == cluster.name
            and params.get("serviceName", service.name).rpartition("/")[2] == service.name
            for task in service.tasks
            if task.desired == params.get("desiredStatus", "RUNNING")
            and params.get("startedBy") in (None, task.deployment.id)
            and params.get("family") in (None, task.deployment.task_definition["family"])
            and params.get("launchType") in (None, task.deployment.settings.get("launchType"))
        ]
    if "serviceName" not in params and ecs_backends[call.account][call.region].tasks:
        arns += call.next()["taskArns"]
    return page_of(call, "taskArns", arns, MOST_DESCRIBED_TASKS)


@operation("ecs", "DescribeTasks")
def describe_tasks(call: Call) -> Any:
    """Answer up to a hundred tasks, stopped ones too."""
    params = call.params
    cluster = cluster_of(call, params.get("cluster"))
    asked = params["tasks"]
    if len(asked) > MOST_DESCRIBED_TASKS:
        raise call.error("InvalidParameterException", "Tasks cannot have more than 100 elements.")
    here = fleet_of(call)
    with here.lock:
        known = _tasks(here, cluster.name)
        found = [describe_task(known[each.rpartition("/")[2]]) for each in asked if each.rpartition("/")[2] in known]
        missing = [each for each in asked if each.rpartition("/")[2] not in known]
    if asked and not found and ecs_backends[call.account][call.region].tasks:
        return call.next()
    return {
        "tasks": found,
        "failures": [{"arn": _task_arn(call, cluster, each), "reason": "MISSING"} for each in missing],
    }


@operation("ecs", "StopTask")
def stop_task(call: Call) -> Any:
    """Stop a task of a service; the service replaces it."""
    cluster = cluster_of(call, call.params.get("cluster"))
    here = fleet_of(call)
    with here.lock:
        task = _tasks(here, cluster.name).get(call.params["task"].rpartition("/")[2])
        if task is None:
            if ecs_backends[call.account][call.region].tasks:
                return call.next()
            raise call.error("InvalidParameterException", "The referenced task was not found.")
        here.stop_task(task, call.params.get("reason", "Task stopped by user"))
        return {"task": describe_task(task)}


@operation("ecs", "UpdateTaskProtection", "GetTaskProtection")
def task_protection(call: Call) -> dict[str, Any]:
    """Set or read which tasks scale-in and deployments leave alone, and until when."""
    params = call.params
    cluster = cluster_of(call, params.get("cluster"))
    here = fleet_of(call)
    with here.lock:
        known = _tasks(here, cluster.name)
        asked = params.get("tasks", [])
        if call.action == "UpdateTaskProtection":
            if len(asked) > MOST_PROTECTED_TASKS:
                raise call.error("InvalidParameterException", "Tasks cannot have more than 10 elements.")
            minutes = params.get("expiresInMinutes", 120)
            if not 1 <= minutes <= 2880:  # noqa: PLR2004  (AWS: two days)
                raise call.error("InvalidParameterException", "expiresInMinutes must be between 1 and 2880.")
            until = clock.now() + timedelta(minutes=minutes) if params["protectionEnabled"] else None
        protected, failures = [], []
        for each in asked:
            task = known.get(each.rpartition("/")[2])
            if task is None or task.unwanted:
                failures.append(
                    {"arn": _task_arn(call, cluster, each), "reason": "TASK_NOT_VALID" if task else "MISSING"}
                )
                continue
            if call.action == "UpdateTaskProtection":
                task.protected_until = until
            protected.append(
                {
                    "taskArn": task.arn,
                    "protectionEnabled": task.protected,
                    **({"expirationDate": task.protected_until} if task.protected else {}),
                }
            )
    return {"protectedTasks": protected, "failures": failures}


def _tasks(here: Fleet, cluster: str) -> dict[str, Task]:
    return {task.id: task for each in here.services.values() if each.cluster == cluster for task in each.tasks}


def _task_arn(call: Call, cluster: Any, task: str) -> str:
    return f"arn:aws:ecs:{call.region}:{call.account}:task/{cluster.name}/{task.rpartition('/')[2]}"
