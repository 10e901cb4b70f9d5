"""EventBridge: notices on the default bus, and the rule that wakes `watch`."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from crossfade.errors import NoticesBusy
from crossfade.throttles import asking

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

    from crossfade.events.outbound import Notice

SOURCE = "crossfade"
DETAIL_TYPE = "Crossfade Migration State Change"

_asking = partial(asking, busy=NoticesBusy, also={"ConcurrentModificationException"})


class EventBridgeNotices:
    """`Notices` as events on the account's default bus; `events/crossfade_notice.json` is one."""

    def __init__(self, client: EventBridgeClient) -> None:
        self._client = client

    def tell(self, notice: Notice) -> None:
        with _asking("PutEvents"):
            answer = self._client.put_events(
                Entries=[
                    {
                        "Source": SOURCE,
                        "DetailType": DETAIL_TYPE,
                        "Time": notice.at,
                        "Detail": json.dumps(notice.model_dump(mode="json")),
                    }
                ]
            )
        if answer["FailedEntryCount"]:
            raise NoticesBusy(f"EventBridge did not take the event: {answer['Entries'][0].get('ErrorCode')}")


class EventBridgeSchedule:
    """`Schedule` as a rule that is enabled while a migration is open."""

    def __init__(self, client: EventBridgeClient, rule: str) -> None:
        self._client = client
        self._rule = rule

    def enable(self) -> None:
        """See `Schedule`."""
        with _asking("EnableRule"):
            self._client.enable_rule(Name=self._rule)

    def disable(self) -> None:
        """See `Schedule`."""
        with _asking("DisableRule"):
            self._client.disable_rule(Name=self._rule)
