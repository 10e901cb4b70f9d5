"""Amazon ECS: services whose own deployments move traffic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from crossfade.errors import EcsBusy
from crossfade.plan.surroundings import ShiftedService
from crossfade.throttles import is_busy

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

_DESCRIBED_AT_ONCE = 10  # services that one DescribeServices takes


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Say EcsBusy for what a later attempt may mend."""
    try:
        yield
    except (HTTPClientError, NoConnection) as cut:
        raise EcsBusy(f"{what}: no answer: {cut}") from cut
    except ClientError as refused:
        if is_busy(refused.response):
            raise EcsBusy(f"{what}: {refused.response['Error']['Code']}") from refused
        raise


class EcsShiftedServices:
    """`ShiftedServices` from DescribeServices of every service in the cluster."""

    def __init__(self, client: ECSClient) -> None:
        self._client = client

    def that_shift(self, cluster: str) -> tuple[ShiftedService, ...]:
        """See `ShiftedServices`."""
        try:
            with asking("ListServices"):
                pages = self._client.get_paginator("list_services").paginate(cluster=cluster)
                arns = [arn for page in pages for arn in page["serviceArns"]]
        except self._client.exceptions.ClusterNotFoundException:
            return ()
        found: list[Any] = []
        for start in range(0, len(arns), _DESCRIBED_AT_ONCE):
            with asking("DescribeServices"):
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
