"""Notices by SNS: a line for the subject, a paragraph for people, attributes for filters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from crossfade.errors import NoticesBusy

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

    from crossfade.events.outbound import Notice

_BUSY = frozenset({"InternalError", "KMSThrottling", "ServiceUnavailable", "Throttled", "ThrottlingException"})
_MOST_SUBJECT = 99  # characters; SNS takes fewer than 100


class SnsNotices:
    """`Notices` to everybody who subscribes to a topic."""

    def __init__(self, client: SNSClient, topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def tell(self, notice: Notice) -> None:
        try:
            self._client.publish(
                TopicArn=self._topic_arn,
                Subject=notice.headline[:_MOST_SUBJECT],
                Message=notice.text,
                MessageAttributes={
                    "migration": {"DataType": "String", "StringValue": notice.migration},
                    "what": {"DataType": "String", "StringValue": notice.what},
                },
            )
        except (HTTPClientError, NoConnection) as cut:
            raise NoticesBusy(f"{self._topic_arn} did not answer: {cut}") from cut
        except ClientError as refused:
            code = refused.response["Error"]["Code"]
            if code in _BUSY:
                raise NoticesBusy(f"{self._topic_arn}: {code}") from refused
            raise
