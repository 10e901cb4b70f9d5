"""ECS: clusters, task definitions, and services that are made only once they are steady."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearsal.deploy.errors import NeverSteady
from rehearsal.deploy.making import Made, Maker, New


def cluster(new: New) -> Made:
    """Make a cluster."""
    name = new.name("ClusterName", longest=255)
    made = new.call("ecs", "create_cluster", renames={"ClusterSettings": "settings"}, clusterName=name)["cluster"]
    return Made(name, {"Arn": made["clusterArn"]})


def task_definition(new: New) -> Made:
    """Register a task definition."""
    family = new.name("Family", longest=255)
    made = new.call(
        "ecs",
        "register_task_definition",
        renames={"ProxyConfigurationProperties": "properties"},
        family=family,
    )["taskDefinition"]["taskDefinitionArn"]
    return Made(made, {"TaskDefinitionArn": made})


def service(new: New) -> Made:
    """
    Make a service; it is steady when its deployment is complete and all its tasks run.

    Raises:
        NeverSteady: later, from `steady`: its deployment failed.
    """
    name = new.name("ServiceName", longest=255)
    within = new.look("Cluster", "default")
    fixed: dict[str, Any] = {}
    if new.look("DesiredCount") is None and new.look("SchedulingStrategy") != "DAEMON":
        fixed["desiredCount"] = 1
    made = new.call("ecs", "create_service", serviceName=name, **fixed)["service"]["serviceArn"]
    client = new.client("ecs")

    def steady() -> bool:
        [found] = client.describe_services(cluster=within, services=[made])["services"]
        [primary] = [each for each in found["deployments"] if each["status"] == "PRIMARY"] or [{}]
        if primary.get("rolloutState") == "FAILED":
            raise NeverSteady(f"its deployment failed: {primary.get('rolloutStateReason') or _last_event(found)}")
        complete = primary.get("rolloutState", "COMPLETED") == "COMPLETED"
        return bool(complete and found["runningCount"] == found["desiredCount"])

    return Made(made, {"Name": name, "ServiceArn": made}, steady)


def _last_event(found: Mapping[str, Any]) -> str:
    events = found.get("events") or [{"message": "no reason given"}]
    return str(events[0]["message"])


MAKERS: Mapping[str, Maker] = {
    "AWS::ECS::Cluster": cluster,
    "AWS::ECS::Service": service,
    "AWS::ECS::TaskDefinition": task_definition,
}
