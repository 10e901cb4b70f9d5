"""CloudWatch: the alarm that gathers a migration's, and who has silenced which."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from crossfade.connect.services import MIGRATION_TAG
from crossfade.errors import MetricsBusy
from crossfade.rollout.gathered import composite_alarm
from crossfade.throttles import asking

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

_NAMES_AT_ONCE = 100  # DescribeAlarms takes no more
_MEMBER = re.compile(r'ALARM\("((?:[^"\\]|\\.)*)"\)')


class CloudWatchGatheredAlarms:
    """`GatheredAlarms` as composite alarms."""

    def __init__(self, client: CloudWatchClient) -> None:
        self._client = client

    def gather(self, migration: str, names: Sequence[str]) -> str | None:
        """See `GatheredAlarms`."""
        here = {alarm["AlarmName"] for alarm in self._described(names)}
        gathered = [name for name in names if name in here]
        if not gathered:
            self.remove([composite_alarm(migration)])
            return None
        try:
            with asking("PutCompositeAlarm", MetricsBusy):
                self._client.put_composite_alarm(
                    AlarmName=composite_alarm(migration),
                    AlarmDescription=f"One of the alarms of migration {migration} rings; made by Crossfade",
                    AlarmRule=" OR ".join(f'ALARM("{_quoted(name)}")' for name in gathered),
                    Tags=[{"Key": MIGRATION_TAG, "Value": migration}],
                )
        except ClientError as refused:
            if refused.response["Error"]["Code"] not in {"ValidationError", "LimitExceeded"}:
                raise
            return str(refused.response["Error"].get("Message", refused))
        return None

    def members(self, name: str) -> tuple[str, ...]:
        """See `GatheredAlarms`."""
        rules = [str(alarm.get("AlarmRule", "")) for alarm in self._described([name]) if alarm["AlarmName"] == name]
        return tuple(member.replace('\\"', '"') for rule in rules for member in _MEMBER.findall(rule))

    def silenced(self, names: Iterable[str]) -> Mapping[str, str]:
        """See `GatheredAlarms`."""
        by = {alarm["AlarmName"]: self._silenced_by(alarm) for alarm in self._described(sorted(set(names)))}
        return {name: silencer for name, silencer in by.items() if silencer is not None}

    def remove(self, names: Sequence[str]) -> None:
        """See `GatheredAlarms`."""
        there = {alarm["AlarmName"] for alarm in self._described(names)}
        for name in names:
            if name in there:  # one at a time: a composite alarm may not be deleted among others
                with asking("DeleteAlarms", MetricsBusy):
                    self._client.delete_alarms(AlarmNames=[name])

    def _silenced_by(self, alarm: Any) -> str | None:
        if alarm.get("ActionsSuppressedBy"):
            return str(alarm["ActionsSuppressedBy"])
        request: Any = {"AlarmName": alarm["AlarmName"], "Statuses": ["ACTIVE"]}
        client: Any = self._client  # newer than the stubs
        with asking("ListAlarmMuteRules", MetricsBusy):
            rules = client.list_alarm_mute_rules(**request).get("AlarmMuteRuleSummaries", [])
        return str(rules[0]["AlarmMuteRuleArn"]) if rules else None

    def _described(self, names: Sequence[str]) -> list[Any]:
        found: list[Any] = []
        for first in range(0, len(names), _NAMES_AT_ONCE):
            with asking("DescribeAlarms", MetricsBusy):
                for page in self._client.get_paginator("describe_alarms").paginate(
                    AlarmNames=names[first : first + _NAMES_AT_ONCE],
                    AlarmTypes=["MetricAlarm", "CompositeAlarm"],  # without this, no composite ones
                ):
                    found += [*page.get("MetricAlarms", []), *page.get("CompositeAlarms", [])]
        return found


def _quoted(name: str) -> str:
    return name.replace('"', '\\"')
