"""CloudWatch Logs: subscription filters of a log group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossfade.errors import EcsBusy
from crossfade.throttles import asking

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient


class LogsSubscriptions:
    """`Subscriptions` from DescribeSubscriptionFilters."""

    def __init__(self, client: CloudWatchLogsClient) -> None:
        self._client = client

    def names(self, group: str) -> tuple[str, ...]:
        """See `Subscriptions`."""
        try:
            with asking("DescribeSubscriptionFilters", EcsBusy):
                found = self._client.describe_subscription_filters(logGroupName=group)["subscriptionFilters"]
        except self._client.exceptions.ResourceNotFoundException:
            return ()
        return tuple(each["filterName"] for each in found)
