"""CloudWatch Logs: the group into which green's proxies write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from crossfade.errors import EcsBusy, GreenFailed
from crossfade.throttles import is_busy

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient


class CloudWatchLogGroups:
    """`LogGroups` on CloudWatch Logs."""

    def __init__(self, client: CloudWatchLogsClient) -> None:
        self._client = client

    def ensure(self, name: str, tags: Mapping[str, str]) -> None:
        """See `LogGroups`."""
        try:
            self._client.create_log_group(logGroupName=name, tags=dict(tags))
        except self._client.exceptions.ResourceAlreadyExistsException:
            return
        except (HTTPClientError, NoConnection) as cut:
            raise EcsBusy(f"CreateLogGroup: no answer: {cut}") from cut
        except ClientError as refused:
            if is_busy(refused.response):
                raise EcsBusy(f"CreateLogGroup: {refused.response['Error']['Code']}") from refused
            raise GreenFailed(f"CloudWatch Logs does not make {name}: {refused}") from refused
