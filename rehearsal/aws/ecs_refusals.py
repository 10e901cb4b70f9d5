"""What Amazon ECS refuses of a service at the door, in AWS's words; Service Connect's own are in `ecs_connect`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from moto.ec2.exceptions import InvalidSubnetIdError
from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends

from rehearsal.aws import elbv2
from rehearsal.aws.ecs_dialled import port_mapping
from rehearsal.aws.ecs_model import Deployment
from rehearsal.aws.registry import Call

MOST_TOKEN: Final = 36


def check_request(call: Call, params: Mapping[str, Any]) -> None:
    """Refuse what CreateService takes in no account."""

    def refuse(message: str) -> None:
        raise call.error("InvalidParameterException", message)

    if not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", params["serviceName"]):
        refuse("Service name must be 1 to 255 letters, numbers, hyphens and underscores.")
    if len(params.get("clientToken", "")) > MOST_TOKEN:
        refuse(f"clientToken can have at most {MOST_TOKEN} characters.")
    if "launchType" in params and "capacityProviderStrategy" in params:
        refuse(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again."
        )
    if "desiredCount" not in params and params.get("schedulingStrategy", "REPLICA") == "REPLICA":
        refuse("The number of desired tasks must be specified for a REPLICA service.")
    if params.get("desiredCount", 0) < 0:
        refuse("desiredCount must not be negative.")
    if "taskDefinition" not in params:
        refuse("Task definition cannot be blank for the ECS deployment controller.")
    if params.get("deploymentController", {}).get("type", "ECS") != "ECS":
        raise call.error("UnsupportedFeatureException", "Only the ECS deployment controller is rehearsed here.")
    if params.get("deploymentConfiguration", {}).get("strategy", "ROLLING") != "ROLLING":
        raise call.error("UnsupportedFeatureException", "Only the ROLLING deployment strategy is rehearsed here.")


def check_network(call: Call, settings: Mapping[str, Any], definition: Mapping[str, Any]) -> None:
    """Refuse a network that does not suit the task definition, or has subnets that are not there."""
    network = settings.get("networkConfiguration", {}).get("awsvpcConfiguration")
    if definition.get("networkMode") != "awsvpc":
        return
    if network is None:
        raise call.error(
            "InvalidParameterException",
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        )
    if not network["subnets"]:
        raise call.error("InvalidParameterException", "subnets can not be empty.")
    try:
        ec2_backends[call.account][call.region].describe_subnets(subnet_ids=network["subnets"])
    except InvalidSubnetIdError as unknown:
        raise call.error(
            "InvalidParameterException",
            f"Error retrieving subnet information: {unknown.message} (ErrorCode: {unknown.code})",
        ) from unknown


def check_balancers(call: Call, settings: Mapping[str, Any], definition: Mapping[str, Any]) -> None:
    """Refuse target groups that cannot reach the service's containers."""
    balancers = settings.get("loadBalancers", [])
    if not balancers and "healthCheckGracePeriodSeconds" in settings:
        raise call.error(
            "InvalidParameterException",
            "Health check grace period is only valid for services configured to use load balancers",
        )
    groups = elbv2_backends[call.account][call.region].target_groups
    for balancer in balancers:
        arn = balancer.get("targetGroupArn", "")
        group = groups.get(arn)
        problem = None
        if group is None:
            problem = f"The target group with targetGroupArn {arn} does not exist."
        elif not elbv2.in_use(arn, call.region):
            problem = f"The target group with targetGroupArn {arn} does not have an associated load balancer."
        elif definition.get("networkMode") == "awsvpc" and group.target_type != "ip":
            problem = (
                f"The provided target group {arn} has target type {group.target_type}, which is incompatible with the "
                "awsvpc network mode specified in the task definition."
            )
        else:
            problem = _container_problem(balancer, definition)
        if problem:
            raise call.error("InvalidParameterException", problem)


def _container_problem(balancer: Mapping[str, Any], definition: Mapping[str, Any]) -> str | None:
    name, port = balancer.get("containerName"), balancer.get("containerPort")
    container = next((each for each in definition["containerDefinitions"] if each["name"] == name), None)
    if container is None:
        return f"The container {name} does not exist in the task definition."
    if not any(mapping["containerPort"] == port for mapping in container.get("portMappings", [])):
        return f"The container {name} did not have a container port {port} defined."
    return None


def check_protocols(
    call: Call, before: Deployment, definition: Mapping[str, Any], connect: Mapping[str, Any] | None
) -> None:
    """Refuse another appProtocol or protocol for a port that Service Connect serves already."""
    for entry in (connect or {}).get("services", []):
        old = port_mapping(before.task_definition, entry["portName"])
        new = port_mapping(definition, entry["portName"])
        served = any(
            each["portName"] == entry["portName"] for each in (before.service_connect or {}).get("services", [])
        )
        if served and old and new and any(old.get(kind) != new.get(kind) for kind in ("appProtocol", "protocol")):
            raise call.error(
                "InvalidParameterException",
                f"The appProtocol or protocol of port {entry['portName']} cannot change while Service Connect serves.",
            )
