"""Application Auto Scaling: what of a service's scaling is suspended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from crossfade.errors import EcsBusy
from crossfade.journal.blue import ScalingFound
from crossfade.throttles import is_busy

if TYPE_CHECKING:
    from mypy_boto3_application_autoscaling import ApplicationAutoScalingClient
    from mypy_boto3_application_autoscaling.literals import ScalableDimensionType


class AutoScaling:
    """`Scaling` on Application Auto Scaling."""

    def __init__(self, client: ApplicationAutoScalingClient) -> None:
        self._client = client

    def found(self, cluster: str, service: str) -> tuple[ScalingFound, ...]:
        """See `Scaling`."""
        resource = f"service/{cluster.rsplit('/', 1)[-1]}/{service}"
        with _asking("DescribeScalableTargets"):
            answer = self._client.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[resource])
        return tuple(
            ScalingFound(
                resource_id=target["ResourceId"],
                dimension=target["ScalableDimension"],
                scaling_in=suspended.get("DynamicScalingInSuspended", False),
                scaling_out=suspended.get("DynamicScalingOutSuspended", False),
                scheduled=suspended.get("ScheduledScalingSuspended", False),
            )
            for target in answer["ScalableTargets"]
            for suspended in [target.get("SuspendedState") or {}]
        )

    def suspend(self, wanted: ScalingFound) -> None:
        """See `Scaling`."""
        _, cluster, service = wanted.resource_id.split("/")
        now = {found.dimension: found for found in self.found(cluster, service)}
        if now.get(wanted.dimension, wanted) == wanted:
            return  # as wanted already, or gone
        dimension: ScalableDimensionType = wanted.dimension  # type: ignore[assignment]  # as AWS said it
        with _asking("RegisterScalableTarget"):
            self._client.register_scalable_target(  # on one that exists, it changes only what is given
                ServiceNamespace="ecs",
                ResourceId=wanted.resource_id,
                ScalableDimension=dimension,
                SuspendedState={
                    "DynamicScalingInSuspended": wanted.scaling_in,
                    "DynamicScalingOutSuspended": wanted.scaling_out,
                    "ScheduledScalingSuspended": wanted.scheduled,
                },
            )


@contextmanager
def _asking(what: str) -> Iterator[None]:
    try:
        yield
    except (HTTPClientError, NoConnection) as cut:
        raise EcsBusy(f"{what}: no answer: {cut}") from cut
    except ClientError as refused:
        if is_busy(refused.response) or refused.response["Error"]["Code"] == "ConcurrentUpdateException":
            raise EcsBusy(f"{what}: {refused.response['Error']['Code']}") from refused
        raise
