"""Cloud Map: namespaces, services and instances. What makes a namespace answers with an operation to wait for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearsal.deploy.errors import NeverSteady
from rehearsal.deploy.making import Made, Maker, New


def http_namespace(new: New) -> Made:
    """Make a namespace that is asked by API only."""
    return _namespace(new, "create_http_namespace")


def private_dns_namespace(new: New) -> Made:
    """Make a namespace with a private zone in a VPC."""
    return _namespace(new, "create_private_dns_namespace")


def public_dns_namespace(new: New) -> Made:
    """Make a namespace with a public zone."""
    return _namespace(new, "create_public_dns_namespace")


_WAITS = 200  # times the operation is asked about before a namespace is given up


def _namespace(new: New, operation: str) -> Made:
    # the namespace's id comes with the end of its operation, so it is waited for here
    asked = new.call("servicediscovery", operation, CreatorRequestId=new.made_up(longest=64))["OperationId"]
    client = new.client("servicediscovery")
    for _ in range(_WAITS):
        done: dict[str, Any] = client.get_operation(OperationId=asked)["Operation"]
        if done["Status"] == "SUCCESS":
            return _described(client.get_namespace(Id=done["Targets"]["NAMESPACE"])["Namespace"])
        if done["Status"] == "FAIL":
            raise NeverSteady(f"{done.get('ErrorCode')}: {done.get('ErrorMessage')}")
    raise NeverSteady(f"operation {asked} does not end")


def _described(found: Mapping[str, Any]) -> Made:
    attributes = {"Id": found["Id"], "Arn": found["Arn"]}
    zone = found.get("Properties", {}).get("DnsProperties", {}).get("HostedZoneId")
    if zone:
        attributes["HostedZoneId"] = zone
    return Made(found["Id"], attributes)


def service(new: New) -> Made:
    """Make a service of a namespace."""
    name = new.name("Name", longest=63)
    made = new.call("servicediscovery", "create_service", Name=name)["Service"]
    return Made(made["Id"], {"Id": made["Id"], "Arn": made["Arn"], "Name": name})


def instance(new: New) -> Made:
    """Register an instance of a service."""
    name = new.name("InstanceId", longest=64)
    new.call("servicediscovery", "register_instance", renames={"InstanceAttributes": "Attributes"}, InstanceId=name)
    return Made(name)


MAKERS: Mapping[str, Maker] = {
    "AWS::ServiceDiscovery::HttpNamespace": http_namespace,
    "AWS::ServiceDiscovery::Instance": instance,
    "AWS::ServiceDiscovery::PrivateDnsNamespace": private_dns_namespace,
    "AWS::ServiceDiscovery::PublicDnsNamespace": public_dns_namespace,
    "AWS::ServiceDiscovery::Service": service,
}
