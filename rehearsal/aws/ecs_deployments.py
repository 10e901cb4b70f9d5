"""Amazon ECS in the embedded AWS: deployments and revisions of services, as they are described."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from rehearsal.aws.ecs_connect import discovery_arn
from rehearsal.aws.ecs_dialled import discovery_name
from rehearsal.aws.ecs_fleets import fleet_of, page_of, service_of
from rehearsal.aws.ecs_model import Deployment, Service, breaker_threshold
from rehearsal.aws.fleet import Fleet
from rehearsal.aws.registry import Call, operation

_BRIEF: Final = (
    "serviceDeploymentArn",
    "serviceArn",
    "clusterArn",
    "startedAt",
    "createdAt",
    "finishedAt",
    "status",
    "statusReason",
)


@operation("ecs", "ListServiceDeployments")
def list_service_deployments(call: Call) -> dict[str, Any]:
    """Answer a service's deployments, newest first."""
    params = call.params
    here = fleet_of(call)
    with here.lock:
        service = service_of(call, params.get("cluster"), params["service"])
        briefs = [
            {member: value for member, value in _service_deployment(service, each).items() if member in _BRIEF}
            | {"targetServiceRevisionArn": each.revision_arn}
            for each in service.past
        ]
    wanted = [each for each in briefs if not params.get("status") or each["status"] in params["status"]]
    return page_of(call, "serviceDeployments", wanted, 20)


@operation("ecs", "DescribeServiceDeployments")
def describe_service_deployments(call: Call) -> dict[str, Any]:
    """Answer service deployments by ARN."""
    asked = call.params["serviceDeploymentArns"]
    found, failures = _by_arn(call, asked, lambda each: each.arn, _service_deployment)
    return {"serviceDeployments": found, "failures": failures}


@operation("ecs", "DescribeServiceRevisions")
def describe_service_revisions(call: Call) -> dict[str, Any]:
    """Answer service revisions by ARN, with the Service Connect configuration each was made with."""
    asked = call.params["serviceRevisionArns"]
    found, failures = _by_arn(call, asked, lambda each: each.revision_arn, _service_revision)
    return {"serviceRevisions": found, "failures": failures}


def _by_arn(
    call: Call,
    asked: Sequence[str],
    arn_of: Callable[[Deployment], str],
    described: Callable[[Service, Deployment], dict[str, Any]],
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Describe what is there of what was asked for, and name what is missing."""
    here = fleet_of(call)
    with here.lock:
        known = {arn_of(each): (service, each) for service, each in _past(here)}
        found = [described(*known[arn]) for arn in asked if arn in known]
    return found, [{"arn": arn, "reason": "MISSING"} for arn in asked if arn not in known]


def _past(here: Fleet) -> Iterable[tuple[Service, Deployment]]:
    return [(service, each) for service in here.services.values() for each in service.past]


def _service_deployment(service: Service, deployment: Deployment) -> dict[str, Any]:
    status = {"IN_PROGRESS": "IN_PROGRESS", "COMPLETED": "SUCCESSFUL", "FAILED": "STOPPED"}[deployment.state]
    heir = next((each for each in service.past if each.rollback_of is deployment), None)
    rollback = {}
    if heir is not None:
        status = "ROLLBACK_SUCCESSFUL" if heir.state == "COMPLETED" else "ROLLBACK_IN_PROGRESS"
        rollback = {
            "rollback": {
                "reason": deployment.reason,
                "startedAt": heir.created_at,
                "serviceRevisionArn": heir.revision_arn,
            }
        }
    elif not deployment.primary and deployment.state == "IN_PROGRESS":
        status = "STOPPED"
    breaker = service.settings["deploymentConfiguration"].get("deploymentCircuitBreaker", {})
    watching = "MONITORING" if deployment.state == "IN_PROGRESS" else "MONITORING_COMPLETE"
    state = ("TRIGGERED" if deployment.state == "FAILED" else watching) if breaker.get("enable") else "DISABLED"
    return {
        "serviceDeploymentArn": deployment.arn,
        "serviceArn": service.arn,
        "clusterArn": service.cluster_arn,
        "createdAt": deployment.created_at,
        "startedAt": deployment.created_at,
        "updatedAt": deployment.updated_at,
        **({"finishedAt": deployment.finished_at} if deployment.finished_at else {}),
        "status": status,
        "statusReason": deployment.reason,
        "targetServiceRevision": revision_counts(service, deployment),
        "deploymentConfiguration": service.settings["deploymentConfiguration"],
        "deploymentCircuitBreaker": {
            "status": state,
            "failureCount": deployment.failures,
            "threshold": breaker_threshold(service),
        },
        **rollback,
    }


def _service_revision(service: Service, deployment: Deployment) -> dict[str, Any]:
    connect = deployment.service_connect
    return {
        "serviceRevisionArn": deployment.revision_arn,
        "serviceArn": service.arn,
        "clusterArn": service.cluster_arn,
        "taskDefinition": deployment.task_definition["taskDefinitionArn"],
        **deployment.settings,
        "loadBalancers": service.settings.get("loadBalancers", []),
        **({"serviceConnectConfiguration": connect} if connect is not None else {}),
        "createdAt": deployment.created_at,
    }


def describe_deployment(service: Service, deployment: Deployment) -> dict[str, Any]:
    """Answer a deployment as DescribeServices does, among its service's."""
    described = {
        "id": deployment.id,
        "status": "PRIMARY" if deployment.primary else "ACTIVE",
        "taskDefinition": deployment.task_definition["taskDefinitionArn"],
        "desiredCount": service.desired if deployment.primary else len(service.live(deployment)),
        "pendingCount": service.pending(deployment),
        "runningCount": service.running(deployment),
        "failedTasks": deployment.failed_tasks,
        "createdAt": deployment.created_at,
        "updatedAt": deployment.updated_at,
        "rolloutState": deployment.state,
        "rolloutStateReason": deployment.reason,
        **deployment.settings,
    }
    if deployment.service_connect is not None:
        described["serviceConnectConfiguration"] = deployment.service_connect
        described["serviceConnectResources"] = [
            {"discoveryName": discovery_name(entry), "discoveryArn": entry_arn}
            for entry in deployment.service_connect.get("services", [])
            if (entry_arn := discovery_arn(service, deployment, discovery_name(entry)))
        ]
    return described


def revision_counts(service: Service, deployment: Deployment) -> dict[str, Any]:
    """Answer how many tasks of a deployment's revision shall run, run, and are on their way."""
    return {
        "arn": deployment.revision_arn,
        "requestedTaskCount": service.desired if deployment.primary else 0,
        "runningTaskCount": service.running(deployment),
        "pendingTaskCount": service.pending(deployment),
    }
