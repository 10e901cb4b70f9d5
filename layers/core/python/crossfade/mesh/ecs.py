"""What ECS answers of its clusters: services, and the task definitions they run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_AT_ONCE = 10  # DescribeServices takes no more


def read_clusters(client: Any, clusters: Sequence[str] = ()) -> Iterator[Mapping[str, Any]]:
    """
    Yield the services of clusters and every task definition they run, as the API describes them.

    Args:
        client: ECS's.
        clusters: Names or ARNs; every cluster of the Region when none is given.
    """
    names = list(clusters) or [arn for page in _pages(client, "list_clusters") for arn in page["clusterArns"]]
    definitions: dict[str, None] = {}
    for cluster in names:
        arns = [arn for page in _pages(client, "list_services", cluster=cluster) for arn in page["serviceArns"]]
        for start in range(0, len(arns), _AT_ONCE):
            services = client.describe_services(cluster=cluster, services=arns[start : start + _AT_ONCE])["services"]
            services = [each for each in services if each.get("status") == "ACTIVE"]
            definitions.update(dict.fromkeys(each["taskDefinition"] for each in services if "taskDefinition" in each))
            yield {"services": [_without_history(each) for each in services]}
    for arn in definitions:
        yield {"taskDefinition": client.describe_task_definition(taskDefinition=arn)["taskDefinition"]}


def _pages(client: Any, operation: str, **arguments: str) -> Iterator[Mapping[str, Any]]:
    yield from client.get_paginator(operation).paginate(**arguments)


def _without_history(service: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in service.items() if key != "events"}
