"""What notices promise, asked of SNS and of the ones in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from crossfade.errors import NoticesBusy
from crossfade.events.memory import MemoryNotices
from crossfade.events.outbound import Notice, Notices
from crossfade.events.sns import SnsNotices
from crossfade.phases import Phase
from tests.aws import a_client
from tests.traffic import NOON

NOTICE = Notice(migration="shop", what="stuck", phase=Phase.ROLLING_BACK, reason="web is not restored", at=NOON)


class World(Protocol):
    """Notices, and somebody who listens."""

    notices: Notices

    def heard(self) -> list[str]: ...


class MemoryWorld:
    def __init__(self) -> None:
        self.account = MemoryNotices()
        self.notices: Notices = self.account

    def heard(self) -> list[str]:
        return [notice.text for notice in self.account.told]


class SnsWorld:
    """A topic with a queue behind it."""

    def __init__(self) -> None:
        sns, self._sqs = a_client("sns"), a_client("sqs")
        topic = sns.create_topic(Name="notices")["TopicArn"]
        self._queue = self._sqs.create_queue(QueueName="listener")["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])["Attributes"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=attributes["QueueArn"])
        self.notices: Notices = SnsNotices(sns, topic)

    def envelopes(self) -> list[dict[str, Any]]:
        received = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in received]

    def heard(self) -> list[str]:
        return [envelope["Message"] for envelope in self.envelopes()]


WORLDS: dict[str, Callable[[], World]] = {"memory": MemoryWorld, "sns": SnsWorld}


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with mock_aws():
        yield WORLDS[request.param]()


def test_who_listens_reads_what_happened_where_and_why(world: World) -> None:
    world.notices.tell(NOTICE)

    [heard] = world.heard()
    assert heard == (
        "Crossfade: shop stuck\n\nweb is not restored\n\nphase: rolling_back\nat: 2026-11-22T12:00:00.123456+00:00\n"
    )


def test_a_topic_carries_a_subject_and_what_filters_need() -> None:
    with mock_aws():
        world = SnsWorld()

        world.notices.tell(NOTICE)

        [envelope] = world.envelopes()
    assert envelope["Subject"] == "Crossfade: shop stuck"
    assert {name: value["Value"] for name, value in envelope["MessageAttributes"].items()} == {
        "migration": "shop",
        "what": "stuck",
    }


@pytest.mark.parametrize(("code", "error"), [("Throttled", NoticesBusy), ("AuthorizationError", ClientError)])
def test_a_throttled_topic_is_told_again_and_a_forbidden_one_is_not(code: str, error: type[Exception]) -> None:
    class Refusing:
        def publish(self, **_: object) -> None:
            raise ClientError({"Error": {"Code": code, "Message": code}}, "Publish")

    with pytest.raises(error):
        SnsNotices(Refusing(), "topic").tell(NOTICE)  # type: ignore[arg-type]
