"""CloudWatch Logs: the group into which green's proxies write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from crossfade.errors import EcsBusy, GreenFailed
from crossfade.throttles import asking

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient


class CloudWatchLogGroups:
    """`LogGroups` on CloudWatch Logs."""

    def __init__(self, client: CloudWatchLogsClient) -> None:
        self._client = client

    def ensure(self, name: str, tags: Mapping[str, str]) -> None:
        """See `LogGroups`."""
        try:
            with asking("CreateLogGroup", EcsBusy):
                self._client.create_log_group(logGroupName=name, tags=dict(tags))
        except self._client.exceptions.ResourceAlreadyExistsException:
            return
        except ClientError as refused:
            raise GreenFailed(f"CloudWatch Logs does not make {name}: {refused}") from refused
