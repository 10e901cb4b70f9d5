"""AWS Cloud Map: the HTTP namespace in which green's services find each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from crossfade.errors import EcsBusy, GreenFailed
from crossfade.throttles import asking

if TYPE_CHECKING:
    from mypy_boto3_servicediscovery import ServiceDiscoveryClient


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
            return found
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
        return found

    def _find(self, name: str) -> str | None:
        # Filtered here too: not every emulation knows the filters, and TYPE and NAME are cheap to check.
        pages = self._client.get_paginator("list_namespaces").paginate(
            Filters=[{"Name": "TYPE", "Values": ["HTTP"]}, {"Name": "NAME", "Values": [name]}]
        )
        for page in pages:
            for namespace in page["Namespaces"]:
                if namespace.get("Name") == name and namespace.get("Type") == "HTTP":
                    return namespace["Arn"]
        return None
