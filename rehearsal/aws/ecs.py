"""
Amazon ECS in the embedded AWS: services that keep what they are given and roll out, clusters and tags.

moto keeps clusters and task definitions; services, their tasks and their deployments are answered here and beside
here (`ecs_tasks`, `ecs_deployments`), by the engine in `fleet`. What AWS refuses at the door of a service is refused
by AWS's error names (`ecs_refusals`, `ecs_connect`).
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Final

from moto.ecs.models import ecs_backends

from rehearsal.aws.clock import clock
from rehearsal.aws.ecs_connect import connected, discover, namespace_of, undiscover
from rehearsal.aws.ecs_deployments import describe_deployment, revision_counts
from rehearsal.aws.ecs_fleets import cluster_of, fleet_of, page_of, service_of, task_definition_of
from rehearsal.aws.ecs_model import Service
from rehearsal.aws.ecs_refusals import check_balancers, check_network, check_protocols, check_request
from rehearsal.aws.ecs_settings import DEPLOYED, KEPT, deployment_settings, on_fargate, settings_of
from rehearsal.aws.registry import Call, operation

MOST_DESCRIBED_SERVICES: Final = 10


# -- services -----------------------------------------------------------------


@operation("ecs", "CreateService")
def create_service(call: Call) -> dict[str, Any]:
    """Create a service and start its first deployment; the same request with the same client token answers the same."""
    params = call.params
    cluster = cluster_of(call, params.get("cluster"))
    name = params["serviceName"]
    here = fleet_of(call)
    with here.lock:
        if (existing := _existing(call, here.services.get((cluster.name, name)))) is not None:
            return {"service": _describe(existing)}
        check_request(call, params)
        definition = task_definition_of(call, params["taskDefinition"])
        settings = settings_of(cluster, params)
        check_network(call, settings, definition)
        check_balancers(call, settings, definition)
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
        connect, namespace = connected(
            call, here, service, cluster, definition, given=params.get("serviceConnectConfiguration")
        )
        here.services[cluster.name, name] = service
        _make_known_to_moto(call, service)
        discover(call, connect, namespace)
        here.deploy(
            service,
            task_definition=definition,
            settings=deployment_settings(settings),
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
    here = fleet_of(call)
    with here.lock:
        service = service_of(call, params.get("cluster"), params["service"])
        if service.status != "ACTIVE":
            raise call.error("ServiceNotActiveException", "Service was not ACTIVE.")
        cluster = cluster_of(call, params.get("cluster"))
        before = service.primary
        settings: dict[str, Any] = {**service.settings, **{each: params[each] for each in KEPT if each in params}}
        settings["deploymentConfiguration"] = {
            **service.settings["deploymentConfiguration"],
            **params.get("deploymentConfiguration", {}),
        }
        if "capacityProviderStrategy" in params:
            settings.pop("launchType", None)
        definition = before.task_definition
        if "taskDefinition" in params:
            definition = task_definition_of(call, params["taskDefinition"])
        check_network(call, settings, definition)
        check_balancers(call, settings, definition)
        connect, namespace = before.service_connect, before.namespace
        if "serviceConnectConfiguration" in params:
            connect, namespace = connected(
                call, here, service, cluster, definition, given=params["serviceConnectConfiguration"]
            )
        check_protocols(call, before, definition, connect)
        rolls = (
            params.get("forceNewDeployment", False)
            or "serviceConnectConfiguration" in params
            or definition["taskDefinitionArn"] != before.task_definition["taskDefinitionArn"]
            or any(member in params and params[member] != service.settings.get(member) for member in DEPLOYED)
        )
        service.settings = settings
        service.desired = params.get("desiredCount", service.desired)
        if rolls:
            discover(call, connect, namespace)
            here.deploy(
                service,
                task_definition=definition,
                settings=deployment_settings(settings),
                service_connect=connect,
                namespace=namespace,
            )
        else:
            here.reconcile(service)
        return {"service": _describe(service)}


@operation("ecs", "DeleteService")
def delete_service(call: Call) -> dict[str, Any]:
    """Drain a service; one that is scaled above 0 only when forced."""
    here = fleet_of(call)
    with here.lock:
        service = service_of(call, call.params.get("cluster"), call.params["service"])
        if service.status == "INACTIVE":
            raise call.error("ServiceNotFoundException", "Service not found.")
        if service.desired > 0 and not call.params.get("force"):
            raise call.error("InvalidParameterException", "The service cannot be stopped while it is scaled above 0.")
        undiscover(call, service.primary)
        here.drain(service)
        ecs_backends[call.account][call.region].services.pop(f"{service.cluster}:{service.name}", None)
        return {"service": _describe(service)}


@operation("ecs", "DescribeServices")
def describe_services(call: Call) -> dict[str, Any]:
    """Answer up to ten services of a cluster; tags only when included."""
    params = call.params
    cluster = cluster_of(call, params.get("cluster"))
    asked = params["services"]
    if len(asked) > MOST_DESCRIBED_SERVICES:
        raise call.error("InvalidParameterException", "Services cannot have more than 10 elements.")
    here = fleet_of(call)
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
    cluster = cluster_of(call, params.get("cluster"))
    here = fleet_of(call)
    with here.lock:
        arns = sorted(
            service.arn
            for service in here.services.values()
            if service.cluster == cluster.name
            and service.status != "INACTIVE"
            and params.get("launchType") in (None, service.settings.get("launchType"))
            and params.get("schedulingStrategy") in (None, service.settings["schedulingStrategy"])
        )
    return page_of(call, "serviceArns", arns, 10)


@operation("ecs", "ListServicesByNamespace")
def list_services_by_namespace(call: Call) -> dict[str, Any]:
    """Answer the ARNs of the services that are in a Service Connect namespace, as clients or servers."""
    namespace = namespace_of(call, call.params["namespace"])
    here = fleet_of(call)
    with here.lock:
        arns = sorted(
            service.arn
            for service in here.services.values()
            if service.status == "ACTIVE" and service.primary.namespace == namespace
        )
    return page_of(call, "serviceArns", arns, 10)


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
        **({"platformFamily": "Linux"} if on_fargate(service.settings) else {}),
        **({"taskDefinition": latest.task_definition["taskDefinitionArn"]} if latest else {}),
        **({"currentServiceDeployment": latest.arn} if latest and latest.state == "IN_PROGRESS" else {}),
        "deployments": [describe_deployment(service, each) for each in service.deployments],
        "currentServiceRevisions": [revision_counts(service, each) for each in service.deployments],
        "events": list(service.events),
        "createdAt": service.created_at,
        "createdBy": f"arn:aws:iam::{service.arn.split(':')[4]}:root",
        "roleArn": f"arn:aws:iam::{service.arn.split(':')[4]}:role/aws-service-role/ecs.amazonaws.com/"
        "AWSServiceRoleForECS",
        **({"tags": [{"key": key, "value": value} for key, value in service.tags.items()]} if tags else {}),
    }


# -- clusters, tags, pages ----------------------------------------------------


@operation("ecs", "DescribeClusters")
def describe_clusters(call: Call) -> Any:
    """Answer clusters with true counts of services and tasks."""
    here = fleet_of(call)
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
    cluster = cluster_of(call, call.params["cluster"])
    here = fleet_of(call)
    with here.lock:
        if any(each.cluster == cluster.name and each.status != "INACTIVE" for each in here.services.values()):
            raise call.error(
                "ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active."
            )
    return call.next()


@operation("ecs", "TagResource", "UntagResource", "ListTagsForResource")
def tags(call: Call) -> Any:
    """Keep the tags of services; those of anything else are moto's."""
    arn = call.params["resourceArn"]
    here = fleet_of(call)
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


def _make_known_to_moto(call: Call, service: Service) -> None:
    """Leave moto a note of the service: Application Auto Scaling and the tagging API look for it there."""
    ecs_backends[call.account][call.region].services[f"{service.cluster}:{service.name}"] = SimpleNamespace(
        arn=service.arn,
        physical_resource_id=service.arn,
        name=service.name,
        cluster_name=service.cluster,
        tags=[{"key": key, "value": value} for key, value in service.tags.items()],
    )
