"""Service Quotas: how many vCPUs Fargate may run in the account, and, from the usage metric it names, how many run."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from crossfade.errors import EcsBusy
from crossfade.preflight.surroundings import Vcpus
from crossfade.throttles import asking

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

FARGATE, ON_DEMAND_VCPUS = "fargate", "L-3032A538"
"""Service and quota code of "Fargate On-Demand vCPU resource count"."""

_HOUR = timedelta(hours=1)


class QuotaOfFargate:
    """`FargateVcpus` from GetServiceQuota and the metric in its `UsageMetric`."""

    def __init__(self, quotas: Any, metrics: CloudWatchClient) -> None:
        self._quotas = quotas
        self._metrics = metrics

    def found(self, now: datetime) -> Vcpus:
        """See `FargateVcpus`."""
        try:
            with asking("GetServiceQuota", EcsBusy):
                quota = self._quotas.get_service_quota(ServiceCode=FARGATE, QuotaCode=ON_DEMAND_VCPUS)["Quota"]
        except self._quotas.exceptions.NoSuchResourceException:
            return Vcpus(quota=None, used=None)
        usage = quota.get("UsageMetric")
        return Vcpus(quota=float(quota["Value"]), used=self._used(usage, now) if usage else None)

    def _used(self, usage: Any, now: datetime) -> float | None:
        with asking("GetMetricStatistics", EcsBusy):
            points = self._metrics.get_metric_statistics(
                Namespace=usage["MetricNamespace"],
                MetricName=usage["MetricName"],
                Dimensions=[{"Name": name, "Value": value} for name, value in usage["MetricDimensions"].items()],
                StartTime=now - _HOUR,
                EndTime=now,
                Period=300,
                Statistics=["Maximum"],
            )["Datapoints"]
        return max((point["Maximum"] for point in points), default=None)
