"""Service Connect in Amazon ECS: what a configuration may say, which names are taken, its services in Cloud Map."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from moto.servicediscovery.models import servicediscovery_backends

from rehearsal.aws.ecs_dialled import discovery_name, names_of, port_mapping
from rehearsal.aws.ecs_model import Deployment, Namespace, Service
from rehearsal.aws.fleet import Fleet
from rehearsal.aws.registry import Call

_PORTS: Final = range(1, 65_536)
LONGEST_TIMEOUT: Final = 2_147_483_647
_MANAGED: Final = "Managed by Amazon ECS"  # the description of a Cloud Map service that ECS made


def connected(
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
    namespace = namespace_of(call, name)
    if problem := _connect_problem(given, definition) or _clash(here, service, namespace, definition, given):
        raise call.error("InvalidParameterException", problem)
    _check_discovery_names(call, namespace, given)
    return {**given, "namespace": name}, namespace


def _connect_problem(given: Mapping[str, Any], definition: Mapping[str, Any]) -> str | None:
    if "accessLogConfiguration" in given and "logConfiguration" not in given:
        return "accessLogConfiguration needs a logConfiguration."
    for entry in given.get("services", []):
        name = discovery_name(entry)
        if port_mapping(definition, entry["portName"]) is None:
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
    names = [discovery_name(entry) for entry in given.get("services", [])]
    return None if len(set(names)) == len(names) else "Each discoveryName must be unique in the namespace."


def _clash(
    here: Fleet, service: Service, namespace: Namespace, definition: Mapping[str, Any], given: Mapping[str, Any]
) -> str | None:
    """Answer which name or alias another service of the namespace has already."""
    taken_names, taken_aliases = {}, {}
    for other, _, entry in here.connected(namespace.arn):
        if other is service or (other.cluster, other.name) == (service.cluster, service.name):
            continue
        taken_names[discovery_name(entry)] = other.name
        mapping = port_mapping(other.primary.task_definition, entry["portName"])
        for dialled in names_of(entry, namespace.name, mapping or {"containerPort": 0}):
            taken_aliases[dialled] = other.name
    own: set[tuple[str, int]] = set()
    for entry in given.get("services", []):
        name = discovery_name(entry)
        if name in taken_names:
            return f"The discoveryName {name} is already used by service {taken_names[name]} in the namespace."
        mapping = port_mapping(definition, entry["portName"])
        for dialled in names_of(entry, namespace.name, mapping or {"containerPort": 0}):
            if dialled in taken_aliases or dialled in own:
                return f"The client alias {dialled[0]}:{dialled[1]} is already used in the namespace."
            own.add(dialled)
    return None


def namespace_of(call: Call, name: str) -> Namespace:
    """Find a namespace by ARN or name. An ARN must exist; so must a name."""
    for namespace in servicediscovery_backends[call.account][call.region].namespaces.values():
        if name in (namespace.arn, namespace.name):
            return Namespace(namespace.arn, namespace.name)
    raise call.error("NamespaceNotFoundException", f"The specified namespace was not found: {name}.")


def _check_discovery_names(call: Call, namespace: Namespace, given: Mapping[str, Any]) -> None:
    """Refuse a discovery name that a Cloud Map service not made by ECS has already."""
    for entry in given.get("services", []):
        known = _discovered(call.account, call.region, namespace, discovery_name(entry))
        if known is not None and known.description != _MANAGED:
            raise call.error(
                "InvalidParameterException",
                f"A Cloud Map service {discovery_name(entry)} exists in the namespace and is not ECS's.",
            )


def _discovered(account: str, region: str, namespace: Namespace, name: str) -> Any:
    identity = namespace.arn.rpartition("/")[2]
    services = servicediscovery_backends[account][region].services.values()
    return next((each for each in services if each.namespace_id == identity and each.name == name), None)


def discover(call: Call, connect: Mapping[str, Any] | None, namespace: Namespace | None) -> None:
    """Make a Cloud Map service for every discovery name, as ECS does."""
    if connect is None or namespace is None:
        return
    for entry in connect.get("services", []):
        name = discovery_name(entry)
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


def undiscover(call: Call, deployment: Deployment) -> None:
    """Remove the Cloud Map services of a deployment."""
    if deployment.namespace is None:
        return
    for entry in (deployment.service_connect or {}).get("services", []):
        known = _discovered(call.account, call.region, deployment.namespace, discovery_name(entry))
        if known is not None:
            servicediscovery_backends[call.account][call.region].delete_service(known.id)


def discovery_arn(service: Service, deployment: Deployment, name: str) -> str | None:
    """Return the ARN of a discovery name's Cloud Map service; None where there is none."""
    if deployment.namespace is None:
        return None
    known = _discovered(service.arn.split(":")[4], service.region, deployment.namespace, name)
    return None if known is None else str(known.arn)
