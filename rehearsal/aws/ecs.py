"""
Amazon ECS in the embedded AWS: services that keep what they are given, roll out, and run their tasks.

moto keeps clusters and task definitions; services, their tasks and their deployments are answered here, by the
engine in `fleet`. What AWS refuses at the door of a service is refused here by AWS's error names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, Final

import botocore.session
from moto.core.utils import camelcase_to_underscores
from moto.ec2.exceptions import InvalidSubnetIdError
from moto.ec2.models import ec2_backends
from moto.ecs.models import ecs_backends
from moto.elbv2.models import elbv2_backends
from moto.servicediscovery.models import servicediscovery_backends

from rehearsal.aws import elbv2, fleet
from rehearsal.aws.clock import clock, every
from rehearsal.aws.fleet import Deployment, Fleet, Namespace, Service, Task
from rehearsal.aws.registry import Call, on_reset, operation

LOOK_SECONDS: Final = 0.25  # how often running tasks are asked how they are
MOST_DESCRIBED_SERVICES: Final = 10
MOST_DESCRIBED_TASKS: Final = 100
MOST_PROTECTED_TASKS: Final = 10
MOST_TOKEN: Final = 36
_PORTS: Final = range(1, 65_536)
LONGEST_TIMEOUT: Final = 2_147_483_647
FARGATE_VERSION: Final = "1.4.0"  # what LATEST means

# Members of a request that DescribeServices answers as they are.
_KEPT: Final = (
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
_DEPLOYED: Final = (
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

_fleets: dict[str, Fleet] = {}
_model = botocore.session.get_session().get_service_model("ecs")


@on_reset
def forget() -> None:
    """Stop all tasks and forget all services."""
    fleets = list(_fleets.values())
    _fleets.clear()
    for each in fleets:
        each.close()


def _look_after() -> None:
    for each in list(_fleets.values()):
        each.look_after()


every(LOOK_SECONDS, _look_after)


def _fleet(call: Call) -> Fleet:
    return _fleets.setdefault(call.region, Fleet(call.region))


# -- services -----------------------------------------------------------------


@operation("ecs", "CreateService")
def create_service(call: Call) -> dict[str, Any]:
    """Create a service and start its first deployment; the same request with the same client token answers the same."""
    params = call.params
    cluster = _cluster(call, params.get("cluster"))
    name = params["serviceName"]
    here = _fleet(call)
    with here.lock:
        if (existing := _existing(call, here.services.get((cluster.name, name)))) is not None:
            return {"service": _describe(existing)}
        _check_request(call, params)
        definition = _task_definition(call, params["taskDefinition"])
        settings = _settings(cluster, params)
        _check_network(call, settings, definition)
        _check_balancers(call, settings, definition)
        service = Service(
            arn=f"arn:aws:ecs:{call.region}:{call.account}:service/{cluster.name}/{name}",
            name=name,
            cluster=cluster.name,
            cluster_arn=cluster.arn,
            region=call.region,
            settings=settings,
            desired=params.get("desiredCount", 0),
            created_at=clock.now(),
            request=params,
            tags={each["key"]: each.get("value", "") for each in params.get("tags", [])},
        )
        connect, namespace = _connect(
            call, here, service, cluster, definition, given=params.get("serviceConnectConfiguration")
        )
        here.services[cluster.name, name] = service
        _make_known_to_moto(call, service)
        _discover(call, connect, namespace)
        here.deploy(
            service,
            task_definition=definition,
            settings=_deployment_settings(settings),
            service_connect=connect,
            namespace=namespace,
        )
        return {"service": _describe(service)}


def _existing(call: Call, service: Service | None) -> Service | None:
    """Answer the service a repeated request created; None where a new one may be created."""
    if service is None or service.status == "INACTIVE":
        return None
    if service.status == "DRAINING":
        raise call.error("InvalidParameterException", "Unable to Start a service that is still Draining.")
    if "clientToken" in call.params and service.request == call.params:
        return service
    raise call.error("InvalidParameterException", "Creation of service was not idempotent.")


@operation("ecs", "UpdateService")
def update_service(call: Call) -> dict[str, Any]:
    """Change a service; what changes its tasks starts a deployment, the rest does not."""
    params = call.params
    here = _fleet(call)
    with here.lock:
        service = _service(call, params.get("cluster"), params["service"])
        if service.status != "ACTIVE":
            raise call.error("ServiceNotActiveException", "Service was not ACTIVE.")
        cluster = _cluster(call, params.get("cluster"))
        before = service.primary
        settings: dict[str, Any] = {**service.settings, **{each: params[each] for each in _KEPT if each in params}}
        settings["deploymentConfiguration"] = {
            **service.settings["deploymentConfiguration"],
            **params.get("deploymentConfiguration", {}),
        }
        if "capacityProviderStrategy" in params:
            settings.pop("launchType", None)
        definition = before.task_definition
        if "taskDefinition" in params:
            definition = _task_definition(call, params["taskDefinition"])
        _check_network(call, settings, definition)
        _check_balancers(call, settings, definition)
        connect, namespace = before.service_connect, before.namespace
        if "serviceConnectConfiguration" in params:
            connect, namespace = _connect(
                call, here, service, cluster, definition, given=params["serviceConnectConfiguration"]
            )
        _check_protocols(call, before, definition, connect)
        rolls = (
            params.get("forceNewDeployment", False)
            or "serviceConnectConfiguration" in params
            or definition["taskDefinitionArn"] != before.task_definition["taskDefinitionArn"]
            or any(member in params and params[member] != service.settings.get(member) for member in _DEPLOYED)
        )
        service.settings = settings
        service.desired = params.get("desiredCount", service.desired)
        if rolls:
            _discover(call, connect, namespace)
            here.deploy(
                service,
                task_definition=definition,
                settings=_deployment_settings(settings),
                service_connect=connect,
                namespace=namespace,
            )
        else:
            here.reconcile(service)
        return {"service": _describe(service)}


@operation("ecs", "DeleteService")
def delete_service(call: Call) -> dict[str, Any]:
    """Drain a service; one that is scaled above 0 only when forced."""
    here = _fleet(call)
    with here.lock:
        service = _service(call, call.params.get("cluster"), call.params["service"])
        if service.status == "INACTIVE":
            raise call.error("ServiceNotFoundException", "Service not found.")
        if service.desired > 0 and not call.params.get("force"):
            raise call.error("InvalidParameterException", "The service cannot be stopped while it is scaled above 0.")
        _undiscover(call, service.primary)
        here.drain(service)
        ecs_backends[call.account][call.region].services.pop(f"{service.cluster}:{service.name}", None)
        return {"service": _describe(service)}


@operation("ecs", "DescribeServices")
def describe_services(call: Call) -> dict[str, Any]:
    """Answer up to ten services of a cluster; tags only when included."""
    params = call.params
    cluster = _cluster(call, params.get("cluster"))
    asked = params["services"]
    if len(asked) > MOST_DESCRIBED_SERVICES:
        raise call.error("InvalidParameterException", "Services cannot have more than 10 elements.")
    here = _fleet(call)
    found, failures = [], []
    with here.lock:
        for each in asked:
            service = here.services.get((cluster.name, each.rpartition("/")[2]))
            if service is not None:
                found.append(_describe(service, tags="TAGS" in params.get("include", [])))
            else:
                arn = f"arn:aws:ecs:{call.region}:{call.account}:service/{cluster.name}/{each.rpartition('/')[2]}"
                failures.append({"arn": arn, "reason": "MISSING"})
    return {"services": found, "failures": failures}


@operation("ecs", "ListServices")
def list_services(call: Call) -> dict[str, Any]:
    """Answer the ARNs of a cluster's services, ten a page unless asked otherwise."""
    params = call.params
    cluster = _cluster(call, params.get("cluster"))
    here = _fleet(call)
    with here.lock:
        arns = sorted(
            service.arn
            for service in here.services.values()
            if service.cluster == cluster.name
            and service.status != "INACTIVE"
            and params.get("launchType") in (None, service.settings.get("launchType"))
            and params.get("schedulingStrategy") in (None, service.settings["schedulingStrategy"])
        )
    return _page(call, "serviceArns", arns, 10)


@operation("ecs", "ListServicesByNamespace")
def list_services_by_namespace(call: Call) -> dict[str, Any]:
    """Answer the ARNs of the services that are in a Service Connect namespace, as clients or servers."""
    namespace = _namespace(call, call.params["namespace"])
    here = _fleet(call)
    with here.lock:
        arns = sorted(
            service.arn
            for service in here.services.values()
            if service.status == "ACTIVE" and service.primary.namespace == namespace
        )
    return _page(call, "serviceArns", arns, 10)


def _describe(service: Service, *, tags: bool = True) -> dict[str, Any]:
    latest = service.past[0] if service.past else None
    return {
        "serviceArn": service.arn,
        "serviceName": service.name,
        "clusterArn": service.cluster_arn,
        "status": service.status,
        "desiredCount": service.desired,
        "runningCount": service.running(),
        "pendingCount": service.pending(),
        **service.settings,
        **({"platformFamily": "Linux"} if _on_fargate(service.settings) else {}),
        **({"taskDefinition": latest.task_definition["taskDefinitionArn"]} if latest else {}),
        **({"currentServiceDeployment": latest.arn} if latest and latest.state == "IN_PROGRESS" else {}),
        "deployments": [_describe_deployment(service, each) for each in service.deployments],
        "currentServiceRevisions": [_revision_counts(service, each) for each in service.deployments],
        "events": list(service.events),
        "createdAt": service.created_at,
        "createdBy": f"arn:aws:iam::{service.arn.split(':')[4]}:root",
        "roleArn": f"arn:aws:iam::{service.arn.split(':')[4]}:role/aws-service-role/ecs.amazonaws.com/"
        "AWSServiceRoleForECS",
        **({"tags": [{"key": key, "value": value} for key, value in service.tags.items()]} if tags else {}),
    }


def _describe_deployment(service: Service, deployment: Deployment) -> dict[str, Any]:
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
            {"discoveryName": fleet.discovery_name(entry), "discoveryArn": entry_arn}
            for entry in deployment.service_connect.get("services", [])
            if (entry_arn := _discovery_arn(service, deployment, fleet.discovery_name(entry)))
        ]
    return described


def _revision_counts(service: Service, deployment: Deployment) -> dict[str, Any]:
    return {
        "arn": deployment.revision_arn,
        "requestedTaskCount": service.desired if deployment.primary else 0,
        "runningTaskCount": service.running(deployment),
        "pendingTaskCount": service.pending(deployment),
    }


def _settings(cluster: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    settings = {**_DEFAULTS, **{member: params[member] for member in _KEPT if member in params}}
    settings["deploymentConfiguration"] = {**_DEPLOYMENT_DEFAULTS, **params.get("deploymentConfiguration", {})}
    if "launchType" not in settings and "capacityProviderStrategy" not in settings:
        if cluster.default_capacity_provider_strategy:
            settings["capacityProviderStrategy"] = cluster.default_capacity_provider_strategy
        else:
            settings["launchType"] = "EC2"
    if _on_fargate(settings):
        settings.setdefault("platformVersion", "LATEST")
    return settings


def _deployment_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Pick what a deployment says of itself; its platform version is the one LATEST stands for."""
    own = {
        member: settings[member]
        for member in ("launchType", "capacityProviderStrategy", "networkConfiguration", "platformVersion")
        if member in settings
    }
    if _on_fargate(settings):
        own["platformFamily"] = "Linux"
        if own["platformVersion"] == "LATEST":
            own["platformVersion"] = FARGATE_VERSION
    return own


def _on_fargate(settings: Mapping[str, Any]) -> bool:
    providers = {each["capacityProvider"] for each in settings.get("capacityProviderStrategy", [])}
    return settings.get("launchType") == "FARGATE" or bool(providers & {"FARGATE", "FARGATE_SPOT"})


# -- what is refused ----------------------------------------------------------


def _check_request(call: Call, params: Mapping[str, Any]) -> None:
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


def _check_network(call: Call, settings: Mapping[str, Any], definition: Mapping[str, Any]) -> None:
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


def _check_balancers(call: Call, settings: Mapping[str, Any], definition: Mapping[str, Any]) -> None:
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


def _check_protocols(
    call: Call, before: Deployment, definition: Mapping[str, Any], connect: Mapping[str, Any] | None
) -> None:
    """Refuse another appProtocol or protocol for a port that Service Connect serves already."""
    for entry in (connect or {}).get("services", []):
        old = fleet.port_mapping(before.task_definition, entry["portName"])
        new = fleet.port_mapping(definition, entry["portName"])
        served = any(
            each["portName"] == entry["portName"] for each in (before.service_connect or {}).get("services", [])
        )
        if served and old and new and any(old.get(kind) != new.get(kind) for kind in ("appProtocol", "protocol")):
            raise call.error(
                "InvalidParameterException",
                f"The appProtocol or protocol of port {entry['portName']} cannot change while Service Connect serves.",
            )


# -- Service Connect ----------------------------------------------------------


def _connect(
    call: Call,
    here: Fleet,
    service: Service,
    cluster: Any,
    definition: Mapping[str, Any],
    *,
    given: Mapping[str, Any] | None,
) -> tuple[Mapping[str, Any] | None, Namespace | None]:
    """Check a Service Connect configuration and find its namespace; nothing where it is off."""
    if given is None or not given["enabled"]:
        return given, None
    name = given.get("namespace") or (cluster.service_connect_defaults or {}).get("namespace")
    if not name:
        raise call.error(
            "InvalidParameterException",
            "A namespace must be specified: the Service Connect configuration and the cluster name none.",
        )
    namespace = _namespace(call, name)
    if problem := _connect_problem(given, definition) or _clash(here, service, namespace, definition, given):
        raise call.error("InvalidParameterException", problem)
    _check_discovery_names(call, namespace, given)
    return {**given, "namespace": name}, namespace


def _connect_problem(given: Mapping[str, Any], definition: Mapping[str, Any]) -> str | None:
    if "accessLogConfiguration" in given and "logConfiguration" not in given:
        return "accessLogConfiguration needs a logConfiguration."
    for entry in given.get("services", []):
        name = fleet.discovery_name(entry)
        if fleet.port_mapping(definition, entry["portName"]) is None:
            return f"The portName {entry['portName']} is not defined in the task definition's port mappings."
        if not re.fullmatch(r"[a-z0-9_-]{1,64}", name):
            return f"The discoveryName {name} must be 1 to 64 lowercase letters, numbers, underscores and hyphens."
        if len(entry.get("clientAliases", [])) > 1:
            return "A Service Connect service has at most 1 client alias."
        for alias in entry.get("clientAliases", []):
            name = alias.get("dnsName", "default")
            if not re.fullmatch(r"[a-z0-9_.-]{1,127}", name) or alias["port"] not in _PORTS:
                return f"The client alias {alias} is not valid."
        if any(not 0 <= seconds <= LONGEST_TIMEOUT for seconds in entry.get("timeout", {}).values()):
            return f"The timeout of {entry['portName']} is out of range."
    names = [fleet.discovery_name(entry) for entry in given.get("services", [])]
    return None if len(set(names)) == len(names) else "Each discoveryName must be unique in the namespace."


def _clash(
    here: Fleet, service: Service, namespace: Namespace, definition: Mapping[str, Any], given: Mapping[str, Any]
) -> str | None:
    """Answer which name or alias another service of the namespace has already."""
    taken_names, taken_aliases = {}, {}
    for other, _, entry in here.connected(namespace.arn):
        if other is service or (other.cluster, other.name) == (service.cluster, service.name):
            continue
        taken_names[fleet.discovery_name(entry)] = other.name
        mapping = fleet.port_mapping(other.primary.task_definition, entry["portName"])
        for dialled in fleet.names_of(entry, namespace.name, mapping or {"containerPort": 0}):
            taken_aliases[dialled] = other.name
    own: set[tuple[str, int]] = set()
    for entry in given.get("services", []):
        name = fleet.discovery_name(entry)
        if name in taken_names:
            return f"The discoveryName {name} is already used by service {taken_names[name]} in the namespace."
        mapping = fleet.port_mapping(definition, entry["portName"])
        for dialled in fleet.names_of(entry, namespace.name, mapping or {"containerPort": 0}):
            if dialled in taken_aliases or dialled in own:
                return f"The client alias {dialled[0]}:{dialled[1]} is already used in the namespace."
            own.add(dialled)
    return None


def _namespace(call: Call, name: str) -> Namespace:
    """Find a namespace by ARN or name. An ARN must exist; so must a name."""
    for namespace in servicediscovery_backends[call.account][call.region].namespaces.values():
        if name in (namespace.arn, namespace.name):
            return Namespace(namespace.arn, namespace.name)
    raise call.error("NamespaceNotFoundException", f"The specified namespace was not found: {name}.")


_MANAGED: Final = "Managed by Amazon ECS"  # the description of a Cloud Map service that ECS made


def _check_discovery_names(call: Call, namespace: Namespace, given: Mapping[str, Any]) -> None:
    """Refuse a discovery name that a Cloud Map service not made by ECS has already."""
    for entry in given.get("services", []):
        known = _discovered(call.account, call.region, namespace, fleet.discovery_name(entry))
        if known is not None and known.description != _MANAGED:
            raise call.error(
                "InvalidParameterException",
                f"A Cloud Map service {fleet.discovery_name(entry)} exists in the namespace and is not ECS's.",
            )


def _discovered(account: str, region: str, namespace: Namespace, name: str) -> Any:
    identity = namespace.arn.rpartition("/")[2]
    services = servicediscovery_backends[account][region].services.values()
    return next((each for each in services if each.namespace_id == identity and each.name == name), None)


def _discover(call: Call, connect: Mapping[str, Any] | None, namespace: Namespace | None) -> None:
    """Make a Cloud Map service for every discovery name, as ECS does."""
    if connect is None or namespace is None:
        return
    for entry in connect.get("services", []):
        name = fleet.discovery_name(entry)
        if _discovered(call.account, call.region, namespace, name) is None:
            servicediscovery_backends[call.account][call.region].create_service(
                name=name,
                namespace_id=namespace.arn.rpartition("/")[2],
                description=_MANAGED,
                creator_request_id=name,
                dns_config=None,
                health_check_config=None,
                health_check_custom_config=None,
                tags=[{"Key": "AmazonECSManaged", "Value": "true"}],
                service_type="HTTP",
            )


def _undiscover(call: Call, deployment: Deployment) -> None:
    if deployment.namespace is None:
        return
    for entry in (deployment.service_connect or {}).get("services", []):
        known = _discovered(call.account, call.region, deployment.namespace, fleet.discovery_name(entry))
        if known is not None:
            servicediscovery_backends[call.account][call.region].delete_service(known.id)


def _discovery_arn(service: Service, deployment: Deployment, name: str) -> str | None:
    if deployment.namespace is None:
        return None
    known = _discovered(service.arn.split(":")[4], service.region, deployment.namespace, name)
    return None if known is None else str(known.arn)


# -- task definitions ---------------------------------------------------------


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


# -- tasks --------------------------------------------------------------------


@operation("ecs", "ListTasks")
def list_tasks(call: Call) -> dict[str, Any]:
    """Answer the ARNs of tasks, those that shall run unless asked for stopped ones."""
    params = call.params
    cluster = _cluster(call, params.get("cluster"))
    if "serviceName" in params:
        _service(call, params.get("cluster"), params["serviceName"])
    here = _fleet(call)
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
    return _page(call, "taskArns", arns, MOST_DESCRIBED_TASKS)


@operation("ecs", "DescribeTasks")
def describe_tasks(call: Call) -> Any:
    """Answer up to a hundred tasks, stopped ones too."""
    params = call.params
    cluster = _cluster(call, params.get("cluster"))
    asked = params["tasks"]
    if len(asked) > MOST_DESCRIBED_TASKS:
        raise call.error("InvalidParameterException", "Tasks cannot have more than 100 elements.")
    here = _fleet(call)
    with here.lock:
        known = _tasks(here, cluster.name)
        found = [
            fleet.describe_task(known[each.rpartition("/")[2]]) for each in asked if each.rpartition("/")[2] in known
        ]
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
    cluster = _cluster(call, call.params.get("cluster"))
    here = _fleet(call)
    with here.lock:
        task = _tasks(here, cluster.name).get(call.params["task"].rpartition("/")[2])
        if task is None:
            if ecs_backends[call.account][call.region].tasks:
                return call.next()
            raise call.error("InvalidParameterException", "The referenced task was not found.")
        here.stop_task(task, call.params.get("reason", "Task stopped by user"))
        return {"task": fleet.describe_task(task)}


@operation("ecs", "UpdateTaskProtection", "GetTaskProtection")
def task_protection(call: Call) -> dict[str, Any]:
    """Set or read which tasks scale-in and deployments leave alone, and until when."""
    params = call.params
    cluster = _cluster(call, params.get("cluster"))
    here = _fleet(call)
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


# -- deployments and revisions ------------------------------------------------


@operation("ecs", "ListServiceDeployments")
def list_service_deployments(call: Call) -> dict[str, Any]:
    """Answer a service's deployments, newest first."""
    params = call.params
    here = _fleet(call)
    with here.lock:
        service = _service(call, params.get("cluster"), params["service"])
        briefs = [
            {member: value for member, value in _service_deployment(service, each).items() if member in _BRIEF}
            | {"targetServiceRevisionArn": each.revision_arn}
            for each in service.past
        ]
    wanted = [each for each in briefs if not params.get("status") or each["status"] in params["status"]]
    return _page(call, "serviceDeployments", wanted, 20)


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


@operation("ecs", "DescribeServiceDeployments")
def describe_service_deployments(call: Call) -> dict[str, Any]:
    """Answer service deployments by ARN."""
    here = _fleet(call)
    with here.lock:
        known = {each.arn: (service, each) for service, each in _past(here)}
        asked = call.params["serviceDeploymentArns"]
        return {
            "serviceDeployments": [_service_deployment(*known[arn]) for arn in asked if arn in known],
            "failures": [{"arn": arn, "reason": "MISSING"} for arn in asked if arn not in known],
        }


@operation("ecs", "DescribeServiceRevisions")
def describe_service_revisions(call: Call) -> dict[str, Any]:
    """Answer service revisions by ARN, with the Service Connect configuration each was made with."""
    here = _fleet(call)
    with here.lock:
        known = {each.revision_arn: (service, each) for service, each in _past(here)}
        asked = call.params["serviceRevisionArns"]
        return {
            "serviceRevisions": [_service_revision(*known[arn]) for arn in asked if arn in known],
            "failures": [{"arn": arn, "reason": "MISSING"} for arn in asked if arn not in known],
        }


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
        "targetServiceRevision": _revision_counts(service, deployment),
        "deploymentConfiguration": service.settings["deploymentConfiguration"],
        "deploymentCircuitBreaker": {
            "status": state,
            "failureCount": deployment.failures,
            "threshold": fleet.breaker_threshold(service),
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


# -- clusters, tags, pages ----------------------------------------------------


@operation("ecs", "DescribeClusters")
def describe_clusters(call: Call) -> Any:
    """Answer clusters with true counts of services and tasks."""
    here = _fleet(call)
    answer = call.next()
    with here.lock:
        for cluster in answer["clusters"]:
            services = [each for each in here.services.values() if each.cluster == cluster.name]
            cluster.active_services_count = sum(each.status == "ACTIVE" for each in services)
            cluster.running_tasks_count = sum(each.running() for each in services)
            cluster.pending_tasks_count = sum(each.pending() for each in services)
    return answer


@operation("ecs", "DeleteCluster")
def delete_cluster(call: Call) -> Any:
    """Delete a cluster without services."""
    cluster = _cluster(call, call.params["cluster"])
    here = _fleet(call)
    with here.lock:
        if any(each.cluster == cluster.name and each.status != "INACTIVE" for each in here.services.values()):
            raise call.error(
                "ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active."
            )
    return call.next()


def tags_of(region: str, arn: str) -> dict[str, str]:
    """Return what a service is tagged with now; nothing for what is none."""
    here = _fleets.get(region)
    if here is None:
        return {}
    with here.lock:
        return next((dict(each.tags) for each in here.services.values() if each.arn == arn), {})


@operation("ecs", "TagResource", "UntagResource", "ListTagsForResource")
def tags(call: Call) -> Any:
    """Keep the tags of services; those of anything else are moto's."""
    arn = call.params["resourceArn"]
    here = _fleet(call)
    with here.lock:
        service = next((each for each in here.services.values() if each.arn == arn), None)
        if service is None:
            return call.next()
        if call.action == "TagResource":
            service.tags |= {each["key"]: each.get("value", "") for each in call.params["tags"]}
        elif call.action == "UntagResource":
            service.tags = {key: value for key, value in service.tags.items() if key not in call.params["tagKeys"]}
        else:
            return {"tags": [{"key": key, "value": value} for key, value in service.tags.items()]}
    return {}


def _cluster(call: Call, name: str | None) -> Any:
    cluster = ecs_backends[call.account][call.region].clusters.get((name or "default").rpartition("/")[2])
    if cluster is None:
        raise call.error("ClusterNotFoundException", "Cluster not found.")
    return cluster


def _service(call: Call, cluster: str | None, name: str) -> Service:
    service = _fleet(call).services.get((_cluster(call, cluster).name, name.rpartition("/")[2]))
    if service is None:
        raise call.error("ServiceNotFoundException", "Service not found.")
    return service


def _task_definition(call: Call, name: str) -> Mapping[str, Any]:
    """Answer an active task definition as DescribeTaskDefinition does."""
    definition = ecs_backends[call.account][call.region].describe_task_definition(name)
    if definition.status != "ACTIVE":
        raise call.error("ClientException", "TaskDefinition is inactive")
    shaped: Mapping[str, Any] = _shaped(definition, _model.shape_for("TaskDefinition"))
    return {**shaped, "taskDefinitionArn": definition.arn}


def _shaped(value: Any, shape: Any) -> Any:
    """Read one of moto's objects, or a dict in either spelling, as the dict botocore knows."""
    if shape.type_name == "structure":
        members = {}
        for name, member in shape.members.items():
            held = _held(value, name)
            if held is not None:
                members[name] = _shaped(held, member)
        return members
    if shape.type_name == "list":
        return [_shaped(each, shape.member) for each in value]
    return dict(value) if shape.type_name == "map" else value


def _held(value: Any, name: str) -> Any:
    for spelling in (name, camelcase_to_underscores(name)):
        held = value.get(spelling) if isinstance(value, Mapping) else getattr(value, spelling, None)
        if held is not None:
            return held
    return None


def _make_known_to_moto(call: Call, service: Service) -> None:
    """Leave moto a note of the service: Application Auto Scaling and the tagging API look for it there."""
    ecs_backends[call.account][call.region].services[f"{service.cluster}:{service.name}"] = SimpleNamespace(
        arn=service.arn,
        physical_resource_id=service.arn,
        name=service.name,
        cluster_name=service.cluster,
        tags=[{"key": key, "value": value} for key, value in service.tags.items()],
    )


def _page(call: Call, member: str, found: Sequence[Any], size: int) -> dict[str, Any]:
    most = call.params.get("maxResults", size)
    token = call.params.get("nextToken", "0")
    if not token.isdigit() or not 1 <= most <= MOST_DESCRIBED_TASKS:
        raise call.error("InvalidParameterException", "nextToken or maxResults is not valid.")
    start = int(token)
    more = start + most < len(found)
    return {member: list(found[start : start + most]), **({"nextToken": str(start + most)} if more else {})}
