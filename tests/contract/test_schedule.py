"""The rule that wakes `watch`, the queue of what was not delivered, and notices on the bus."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from crossfade.errors import NoticesBusy
from crossfade.events.eventbridge import EventBridgeNotices, EventBridgeSchedule
from crossfade.events.memory import MemoryNotices, MemorySchedule, MemoryUndelivered
from crossfade.events.outbound import EveryNotice, Notice
from crossfade.events.sqs import SqsUndelivered
from crossfade.phases import Phase
from crossfade.rollout.watching import Schedule, Undelivered
from rehearsal.aws import in_process
from tests.aws import a_client
from tests.traffic import NOON

NOTICE = Notice(migration="shop", what="held", phase=Phase.CLIMBING, reason="blue lost a task", at=NOON)


def on_eventbridge() -> tuple[Schedule, Callable[[], bool]]:
    client = a_client("events")
    client.put_rule(Name="watch", ScheduleExpression="rate(1 minute)", State="DISABLED")
    return EventBridgeSchedule(client, "watch"), lambda: client.describe_rule(Name="watch")["State"] == "ENABLED"


def in_memory() -> tuple[Schedule, Callable[[], bool]]:
    schedule = MemorySchedule()
    return schedule, lambda: schedule.on


@pytest.mark.parametrize("made", [on_eventbridge, in_memory])
def test_the_schedule_runs_from_when_it_is_enabled_until_it_is_disabled(
    made: Callable[[], tuple[Schedule, Callable[[], bool]]],
) -> None:
    with in_process():
        schedule, runs = made()
        states = [runs()]
        for change in (schedule.enable, schedule.enable, schedule.disable, schedule.disable):
            change()
            states.append(runs())

    assert states == [False, True, True, False, False]


def in_a_queue(waiting: int) -> Undelivered:
    client = a_client("sqs")
    url = client.create_queue(QueueName="undelivered")["QueueUrl"]
    for number in range(waiting):
        client.send_message(QueueUrl=url, MessageBody=str(number))
    return SqsUndelivered(client, url)


@pytest.mark.parametrize("made", [in_a_queue, MemoryUndelivered])
@pytest.mark.parametrize("waiting", [0, 3])
def test_what_waits_is_counted(made: Callable[[int], Undelivered], waiting: int) -> None:
    with in_process():
        counted = made(waiting).count()

    assert counted == waiting


def test_a_notice_is_an_event_that_rules_can_match() -> None:
    sent: list[dict[str, Any]] = []

    class Bus:
        def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 — boto3's
            sent.extend(Entries)
            return {"FailedEntryCount": 0, "Entries": []}

    EventBridgeNotices(Bus()).tell(NOTICE)  # type: ignore[arg-type]

    [event] = sent
    assert (event["Source"], event["DetailType"]) == ("crossfade", "Crossfade Migration State Change")
    assert Notice.model_validate(json.loads(event["Detail"])) == NOTICE


def test_an_event_the_bus_did_not_take_is_sent_again() -> None:
    class Bus:
        def put_events(self, **_: Any) -> dict[str, Any]:
            return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException"}]}

    with pytest.raises(NoticesBusy, match="ThrottlingException"):
        EventBridgeNotices(Bus()).tell(NOTICE)  # type: ignore[arg-type]


def test_all_places_are_told_also_when_one_is_busy() -> None:
    class Busy:
        def tell(self, notice: Notice) -> None:
            raise NoticesBusy(notice.migration)

    heard = MemoryNotices()

    with pytest.raises(NoticesBusy):
        EveryNotice(Busy(), heard).tell(NOTICE)

    assert heard.told == [NOTICE]
