"""
Names that tasks without a proxy dial: what Cloud Map registers them under, and the load balancers behind DNS names.

On AWS the resolver of the VPC answers these; here the emulated APIs are asked. A name that nobody answers is no error:
the application that dials it fails, as it would there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from botocore.exceptions import ClientError

from rehearsal.aws.runtime import TaskSpec


class Aws(Protocol):
    """Whoever makes clients of the emulated AWS."""

    def client(self, service_name: str) -> Any:
        """Return a boto3 client of a service."""
        ...


class Names:
    """Answers for names as the emulated AWS knows them; what was found once is not asked again."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._balancers: dict[str, str] = {}

    def registered(self, spec: TaskSpec) -> tuple[str, ...]:
        """Return the names under which Cloud Map knows the tasks of a service: `service.namespace`."""
        found = self._aws.client("ecs").describe_services(cluster=spec.cluster, services=[spec.service])["services"]
        return tuple(self._cloud_map_names(found[0])) if found else ()

    def _cloud_map_names(self, service: Mapping[str, Any]) -> Iterator[str]:
        cloud_map = self._aws.client("servicediscovery")
        for registry in service.get("serviceRegistries") or ():
            registered = cloud_map.get_service(Id=registry["registryArn"].rpartition("/")[2])["Service"]
            namespace = registered.get("NamespaceId") or registered["DnsConfig"]["NamespaceId"]
            yield f"{registered['Name']}.{cloud_map.get_namespace(Id=namespace)['Namespace']['Name']}"

    def balancer(self, name: str) -> str | None:
        """Return the ARN of the load balancer that a name leads to, its own or a record's; None when none does."""
        if name not in self._balancers:
            wanted = {name.lower(), *self._targets(name.lower())}
            for each in self._aws.client("elbv2").describe_load_balancers()["LoadBalancers"]:
                if each["DNSName"].lower() in wanted:
                    self._balancers[name] = each["LoadBalancerArn"]
        return self._balancers.get(name)

    def _targets(self, name: str) -> Iterator[str]:
        """Yield what the records of a name stand for."""
        route53 = self._aws.client("route53")
        try:
            for zone in route53.list_hosted_zones()["HostedZones"]:
                if not f".{name}.".endswith(f".{zone['Name']}"):  # the zone's own name has records, too
                    continue
                for record in route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]:
                    if record["Name"].rstrip(".").lower() == name and "AliasTarget" in record:
                        yield record["AliasTarget"]["DNSName"].rstrip(".").removeprefix("dualstack.").lower()
        except ClientError:
            return
