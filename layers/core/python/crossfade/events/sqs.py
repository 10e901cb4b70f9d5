"""SQS: the queue of events that no guard could take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossfade.errors import NoticesBusy
from crossfade.throttles import asking

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class SqsUndelivered:
    """`Undelivered` in a dead-letter queue."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def count(self) -> int:
        """See `Undelivered`."""
        with asking(self._url, NoticesBusy):
            answer = self._client.get_queue_attributes(
                QueueUrl=self._url, AttributeNames=["ApproximateNumberOfMessages"]
            )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])
