"""AWS Cloud Map: the HTTP namespace in which green's services find each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from crossfade.errors import EcsBusy, GreenFailed
from crossfade.throttles import asking

if TYPE_CHECKING:
    from mypy_boto3_servicediscovery import ServiceDiscoveryClient


_MOST_INSTANCES: Final = 1000  # that DiscoverInstances answers, and that a service may have


class CloudMapNamespaces:
    """
    `Namespaces` on Cloud Map.

    Only HTTP namespaces are looked at: a DNS namespace of the same name is likely blue's,
    where green's names would collide with blue's.
    """

    def __init__(self, client: ServiceDiscoveryClient) -> None:
        self._client = client

    def ensure(self, name: str, tags: Mapping[str, str]) -> str:
        """See `Namespaces`."""
        with asking("ListNamespaces", EcsBusy):
            found = self._find(name)
        if found is not None:
            return str(found["Arn"])
        busy = (self._client.exceptions.NamespaceAlreadyExists, self._client.exceptions.DuplicateRequest)
        refusals = (self._client.exceptions.InvalidInput, self._client.exceptions.ResourceLimitExceeded)
        try:
            with asking("CreateHttpNamespace", EcsBusy):
                operation = self._client.create_http_namespace(
                    Name=name, Tags=[{"Key": key, "Value": value} for key, value in tags.items()]
                )["OperationId"]
                state = self._client.get_operation(OperationId=operation)["Operation"]
                found = self._find(name)
        except busy as early:
            raise EcsBusy(f"namespace {name} is being made") from early
        except refusals as refused:
            raise GreenFailed(f"Cloud Map does not make namespace {name}: {refused}") from refused
        if state.get("Status") == "FAIL":
            raise GreenFailed(
                f"Cloud Map could not make namespace {name}: {state.get('ErrorMessage', 'no reason given')}"
            )
        if found is None:
            raise EcsBusy(f"namespace {name} is being made ({state.get('Status', 'no status')})")
        return str(found["Arn"])

    def healthy(self, namespace: str, names: Sequence[str]) -> dict[str, int]:
        """
        See `Namespaces`.

        Cloud Map leaves a filter by health aside where a service has no health check, and counts all instances then.
        """
        found = self._look_up(namespace)
        if found is None:
            return dict.fromkeys(names, 0)
        owner = {"OwnerAccount": found["Arn"].split(":")[4]} if namespace.startswith("arn:") else {}
        called = found.get("Properties", {}).get("HttpProperties", {}).get("HttpName", found["Name"])
        return {name: self._healthy(called, name, owner) for name in names}

    def _healthy(self, namespace: str, name: str, owner: Mapping[str, str]) -> int:
        gone = (self._client.exceptions.ServiceNotFound, self._client.exceptions.NamespaceNotFound)
        request: Any = {"NamespaceName": namespace, "ServiceName": name, "HealthStatus": "HEALTHY", **owner}
        try:
            with asking("DiscoverInstances", EcsBusy):
                return len(self._client.discover_instances(**request, MaxResults=_MOST_INSTANCES)["Instances"])
        except gone:
            return 0

    def _look_up(self, namespace: str) -> Any:
        if not namespace.startswith("arn:"):
            with asking("ListNamespaces", EcsBusy):
                return self._find(namespace)
        try:
            with asking("GetNamespace", EcsBusy):
                return self._client.get_namespace(Id=namespace)["Namespace"]
        except self._client.exceptions.NamespaceNotFound:
            return None

    def _find(self, name: str) -> Any:
        # Filtered here too: not every emulation knows the filters, and TYPE and NAME are cheap to check.
        pages = self._client.get_paginator("list_namespaces").paginate(
            Filters=[{"Name": "TYPE", "Values": ["HTTP"]}, {"Name": "NAME", "Values": [name]}]
        )
        for page in pages:
            for namespace in page["Namespaces"]:
                if namespace.get("Name") == name and namespace.get("Type") == "HTTP":
                    return namespace
        return None
