"""What Amazon ECS keeps of a service's settings: what is defaulted, what is answered, what starts a deployment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

FARGATE_VERSION: Final = "1.4.0"  # what LATEST means

# Members of a request that DescribeServices answers as they are.
KEPT: Final = (
    "loadBalancers",
    "serviceRegistries",
    "launchType",
    "capacityProviderStrategy",
    "platformVersion",
    "placementConstraints",
    "placementStrategy",
    "networkConfiguration",
    "healthCheckGracePeriodSeconds",
    "schedulingStrategy",
    "deploymentController",
    "deploymentConfiguration",
    "enableECSManagedTags",
    "propagateTags",
    "enableExecuteCommand",
    "availabilityZoneRebalancing",
)

# Members whose change starts a deployment (besides the task definition and Service Connect).
DEPLOYED: Final = (
    "loadBalancers",
    "serviceRegistries",
    "capacityProviderStrategy",
    "platformVersion",
    "networkConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
)
_DEFAULTS: Final[Mapping[str, Any]] = {
    "loadBalancers": [],
    "serviceRegistries": [],
    "placementConstraints": [],
    "placementStrategy": [],
    "schedulingStrategy": "REPLICA",
    "deploymentController": {"type": "ECS"},
    "enableECSManagedTags": False,
    "propagateTags": "NONE",
    "enableExecuteCommand": False,
    "availabilityZoneRebalancing": "ENABLED",
}
_DEPLOYMENT_DEFAULTS: Final[Mapping[str, Any]] = {
    "deploymentCircuitBreaker": {"enable": False, "rollback": False},
    "maximumPercent": 200,
    "minimumHealthyPercent": 100,
    "strategy": "ROLLING",
    "bakeTimeInMinutes": 0,
}


def settings_of(cluster: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a new service: what was asked for over what AWS defaults."""
    settings = {**_DEFAULTS, **{member: params[member] for member in KEPT if member in params}}
    settings["deploymentConfiguration"] = {**_DEPLOYMENT_DEFAULTS, **params.get("deploymentConfiguration", {})}
    if "launchType" not in settings and "capacityProviderStrategy" not in settings:
        if cluster.default_capacity_provider_strategy:
            settings["capacityProviderStrategy"] = cluster.default_capacity_provider_strategy
        else:
            settings["launchType"] = "EC2"
    if on_fargate(settings):
        settings.setdefault("platformVersion", "LATEST")
    return settings


def deployment_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Pick what a deployment says of itself; its platform version is the one LATEST stands for."""
    own = {
        member: settings[member]
        for member in ("launchType", "capacityProviderStrategy", "networkConfiguration", "platformVersion")
        if member in settings
    }
    if on_fargate(settings):
        own["platformFamily"] = "Linux"
        if own["platformVersion"] == "LATEST":
            own["platformVersion"] = FARGATE_VERSION
    return own


def on_fargate(settings: Mapping[str, Any]) -> bool:
    """Return whether these settings run tasks on Fargate."""
    providers = {each["capacityProvider"] for each in settings.get("capacityProviderStrategy", [])}
    return settings.get("launchType") == "FARGATE" or bool(providers & {"FARGATE", "FARGATE_SPOT"})
