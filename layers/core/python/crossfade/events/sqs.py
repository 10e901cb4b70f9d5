"""SQS: the queue of events that no guard could take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from crossfade.errors import NoticesBusy
from crossfade.throttles import is_busy

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class SqsUndelivered:
    """`Undelivered` in a dead-letter queue."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def count(self) -> int:
        """See `Undelivered`."""
        try:
            answer = self._client.get_queue_attributes(
                QueueUrl=self._url, AttributeNames=["ApproximateNumberOfMessages"]
            )
        except (HTTPClientError, NoConnection) as cut:
            raise NoticesBusy(f"{self._url} did not answer: {cut}") from cut
        except ClientError as refused:
            if is_busy(refused.response):
                raise NoticesBusy(f"{self._url}: {refused.response['Error']['Code']}") from refused
            raise
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])
