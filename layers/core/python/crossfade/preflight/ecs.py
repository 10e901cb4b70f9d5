"""Amazon ECS: services whose own deployments move traffic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from crossfade.errors import EcsBusy
from crossfade.preflight.surroundings import ShiftedService
from crossfade.throttles import asking

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

_DESCRIBED_AT_ONCE = 10  # services that one DescribeServices takes


class EcsShiftedServices:
    """`ShiftedServices` from DescribeServices of every service in the cluster."""

    def __init__(self, client: ECSClient) -> None:
        self._client = client

    def that_shift(self, cluster: str) -> tuple[ShiftedService, ...]:
        """See `ShiftedServices`."""
        try:
            with asking("ListServices", EcsBusy):
                pages = self._client.get_paginator("list_services").paginate(cluster=cluster)
                arns = [arn for page in pages for arn in page["serviceArns"]]
        except self._client.exceptions.ClusterNotFoundException:
            return ()
        found: list[Any] = []
        for start in range(0, len(arns), _DESCRIBED_AT_ONCE):
            with asking("DescribeServices", EcsBusy):
                answer = self._client.describe_services(
                    cluster=cluster, services=arns[start : start + _DESCRIBED_AT_ONCE]
                )
            found += answer["services"]
        shifting = ((service["serviceName"], frozenset(_moved(service))) for service in found)
        return tuple(ShiftedService(name, moved) for name, moved in shifting if moved)


def _moved(service: Any) -> Iterator[str]:
    for balancer in service.get("loadBalancers", []):
        advanced = balancer.get("advancedConfiguration")
        if advanced:
            named = ("alternateTargetGroupArn", "productionListenerRule", "testListenerRule")
            yield from (advanced[name] for name in named if advanced.get(name))
            yield from filter(None, [balancer.get("targetGroupArn")])
