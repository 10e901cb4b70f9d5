"""
AWS Cloud Map in the embedded AWS: moto's, with filters that filter and names that can be taken.

Namespaces are asynchronous on AWS and done at once here; GetOperation answers SUCCESS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from moto.route53.models import route53_backends
from moto.servicediscovery.models import ServiceInstance, servicediscovery_backends

from rehearsal.aws.ecs_fleets import fleet_of
from rehearsal.aws.registry import Call, on_reset, operation

_MOST: Final = 100  # of a page
_started: dict[tuple[str, str], str] = {}  # (region, creator request id) to operation id


@on_reset
def forget() -> None:
    """Forget which requests were made."""
    _started.clear()


def _backend(call: Call) -> Any:
    return servicediscovery_backends[call.account][call.region]


# -- namespaces ---------------------------------------------------------------


@operation("servicediscovery", "CreateHttpNamespace", "CreatePrivateDnsNamespace")
def create_namespace(call: Call) -> Any:
    """Create a namespace; the same creator request again answers the same operation."""
    params = call.params
    request = (call.region, params.get("CreatorRequestId", ""))
    if request[1] and request in _started:
        return {"OperationId": _started[request]}
    backend = _backend(call)
    private = call.action == "CreatePrivateDnsNamespace"
    for known in backend.namespaces.values():
        same_vpc = known.vpc == params.get("Vpc") if private and known.type == "DNS_PRIVATE" else True
        if known.name == params["Name"] and same_vpc:
            raise call.error("NamespaceAlreadyExists", f"The namespace {params['Name']} exists already: {known.id}.")
    started = _create_private(call) if private else call.next()["OperationId"]
    if request[1]:
        _started[request] = started
    return {"OperationId": started}


def _create_private(call: Call) -> str:
    """Create a private namespace with a zone of its own name; a VPC may have several."""
    params = call.params
    backend = _backend(call)
    held = {known: known.vpc for known in backend.namespaces.values()}
    for known in held:
        known.vpc = None  # moto allows a VPC one namespace only
    try:
        started: str = call.next()["OperationId"]
    finally:
        for known, vpc in held.items():
            known.vpc = vpc
    created = backend.namespaces[backend.operations[started].targets["NAMESPACE"]]
    zone = route53_backends[call.account]["aws"].zones[created.dns_properties["HostedZoneId"].rpartition("/")[2]]
    zone.name = f"{params['Name']}."
    return started


@operation("servicediscovery", "ListNamespaces")
def list_namespaces(call: Call) -> dict[str, Any]:
    """Answer namespaces by NAME, HTTP_NAME or TYPE, in pages."""
    found = [_describe(call, each) for each in _backend(call).namespaces.values()]
    read: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
        "NAME": lambda each: str(each["Name"]),
        "HTTP_NAME": lambda each: str(each["Properties"]["HttpProperties"]["HttpName"]),
        "TYPE": lambda each: str(each["Type"]),
        "RESOURCE_OWNER": lambda _each: "SELF",
    }
    return _page(call, "Namespaces", _filtered(call, found, read))


@operation("servicediscovery", "GetNamespace")
def get_namespace(call: Call) -> dict[str, Any]:
    """Answer one namespace, by id or ARN."""
    found = _backend(call).namespaces.get(call.params["Id"].rpartition("/")[2])
    if found is None:
        raise call.error("NamespaceNotFound", f"The namespace {call.params['Id']} was not found.")
    request = {"CreatorRequestId": found.creator_request_id} if found.creator_request_id else {}
    return {"Namespace": {**_describe(call, found), **request}}


def _describe(call: Call, namespace: Any) -> dict[str, Any]:
    zone = namespace.dns_properties.get("HostedZoneId")
    soa = namespace.dns_properties.get("SOA", {})
    return {
        "Id": namespace.id,
        "Arn": namespace.arn,
        "ResourceOwner": call.account,
        "Name": namespace.name,
        "Type": namespace.type,
        **({"Description": namespace.description} if namespace.description else {}),
        "ServiceCount": sum(each.namespace_id == namespace.id for each in _backend(call).services.values()),
        "Properties": {
            **({"DnsProperties": {"HostedZoneId": zone, "SOA": {"TTL": soa.get("TTL", 15)}}} if zone else {}),
            "HttpProperties": {"HttpName": namespace.name},
        },
        "CreateDate": datetime.fromtimestamp(namespace.created, UTC),
    }


@operation("servicediscovery", "DeleteNamespace")
def delete_namespace(call: Call) -> Any:
    """Delete a namespace that holds no service."""
    if any(each.namespace_id == call.params["Id"] for each in _backend(call).services.values()):
        raise call.error("ResourceInUse", "The namespace has associated services; delete them first.")
    return call.next()


# -- services and instances ---------------------------------------------------


@operation("servicediscovery", "CreateService")
def create_service(call: Call) -> Any:
    """Create a service in a namespace that exists, under a name that is free."""
    params = call.params
    backend = _backend(call)
    namespace = params.get("NamespaceId") or params.get("DnsConfig", {}).get("NamespaceId")
    if namespace not in backend.namespaces:
        raise call.error("NamespaceNotFound", f"The namespace {namespace} was not found.")
    for known in backend.services.values():
        own = known.namespace_id or (known.dns_config or {}).get("NamespaceId")
        if own == namespace and known.name.lower() == params["Name"].lower():
            raise call.error("ServiceAlreadyExists", f"Service {params['Name']} exists already: {known.id}.")
    answer = call.next()
    backend.services[answer["Service"]["Id"]].namespace_id = namespace
    answer["Service"]["NamespaceId"] = namespace
    return answer


@operation("servicediscovery", "ListServices")
def list_services(call: Call) -> dict[str, Any]:
    """Answer services by NAMESPACE_ID, in pages."""
    found = [
        {
            "Id": each.id,
            "Arn": each.arn,
            "Name": each.name,
            "Type": each.service_type or ("HTTP" if each.dns_config is None else "DNS_HTTP"),
            **({"Description": each.description} if each.description else {}),
            "InstanceCount": len(each.instances),
            **({"DnsConfig": each.dns_config} if each.dns_config else {}),
            "CreateDate": datetime.fromtimestamp(each.created, UTC),
            "namespace": each.namespace_id or (each.dns_config or {}).get("NamespaceId", ""),
        }
        for each in _backend(call).services.values()
    ]
    chosen = _filtered(
        call, found, {"NAMESPACE_ID": lambda each: str(each["namespace"]), "RESOURCE_OWNER": lambda _each: "SELF"}
    )
    return _page(
        call, "Services", [{name: value for name, value in each.items() if name != "namespace"} for each in chosen]
    )


@operation("servicediscovery", "DeleteService")
def delete_service(call: Call) -> Any:
    """Delete a service without instances."""
    service = _backend(call).services.get(call.params["Id"])
    if service is None:
        raise call.error("ServiceNotFound", f"Service not found: {call.params['Id']}")
    if service.instances:
        raise call.error("ResourceInUse", "The service has registered instances; deregister them first.")
    return call.next()


@operation("servicediscovery", "RegisterInstance")
def register_instance(call: Call) -> Any:
    """Register an instance; the same id again replaces the one before."""
    service = _backend(call).services.get(call.params["ServiceId"])
    if service is not None:
        service.instances[:] = [each for each in service.instances if each.instance_id != call.params["InstanceId"]]
    return call.next()


@operation("servicediscovery", "DiscoverInstances", "GetInstancesHealthStatus", "ListInstances")
def read_instances(call: Call) -> Any:
    """Answer instances; behind a name of Service Connect those are the tasks that run now."""
    backend = _backend(call)
    known = {(each.namespace_id, each.name): each for each in backend.services.values()}
    for namespace in backend.namespaces.values():
        for service, _, entry in fleet_of(call).connected(namespace.arn):
            found = known.get((namespace.id, entry.get("discoveryName", entry["portName"])))
            if found is not None:
                running = [task for task in service.live() if task.status == "RUNNING" and task.placement is not None]
                found.instances[:] = [_instance(found.id, task) for task in running]
    return call.next()


def _instance(service: str, task: Any) -> ServiceInstance:
    attributes = {
        "AVAILABILITY_ZONE": task.zone,
        "AWS_INSTANCE_IPV4": task.placement.ip,
        "ECS_CLUSTER_NAME": task.service.cluster,
        "ECS_SERVICE_NAME": task.service.name,
    }
    instance = ServiceInstance(service_id=service, instance_id=task.id, attributes=attributes)
    instance.health_status = "UNHEALTHY" if task.health == "UNHEALTHY" else "HEALTHY"
    return instance


def _filtered(
    call: Call, found: Sequence[Mapping[str, Any]], read: Mapping[str, Callable[[Mapping[str, Any]], str]]
) -> list[Mapping[str, Any]]:
    chosen = list(found)
    for each in call.params.get("Filters", []):
        if each["Name"] not in read:
            raise call.error("InvalidInput", f"The filter {each['Name']} is not supported.")
        held, values = read[each["Name"]], each["Values"]
        if each.get("Condition", "EQ") == "BEGINS_WITH":
            chosen = [one for one in chosen if held(one).startswith(values[0])]
        else:
            chosen = [one for one in chosen if held(one) in values]
    return chosen


def _page(call: Call, member: str, found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    start, most = int(call.params.get("NextToken", "0")), call.params.get("MaxResults", _MOST)
    if not 1 <= most <= _MOST:
        raise call.error("InvalidInput", f"MaxResults must be between 1 and {_MOST}.")
    more = start + most < len(found)
    return {member: found[start : start + most], **({"NextToken": str(start + most)} if more else {})}
