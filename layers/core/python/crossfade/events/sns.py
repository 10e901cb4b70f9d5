"""Notices by SNS: a line for the subject, a paragraph for people, attributes for filters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossfade.errors import NoticesBusy
from crossfade.throttles import asking

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

    from crossfade.events.outbound import Notice

_BUSY = frozenset({"InternalError", "KMSThrottling", "Throttled"})
_MOST_SUBJECT = 99  # characters; SNS takes fewer than 100


class SnsNotices:
    """`Notices` to everybody who subscribes to a topic."""

    def __init__(self, client: SNSClient, topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def tell(self, notice: Notice) -> None:
        with asking(self._topic_arn, NoticesBusy, also=_BUSY):
            self._client.publish(
                TopicArn=self._topic_arn,
                Subject=notice.headline[:_MOST_SUBJECT],
                Message=notice.text,
                MessageAttributes={
                    "migration": {"DataType": "String", "StringValue": notice.migration},
                    "what": {"DataType": "String", "StringValue": notice.what},
                },
            )
