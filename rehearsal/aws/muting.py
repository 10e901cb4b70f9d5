"""Mute rules of CloudWatch alarms: which alarms somebody has muted. A rule is active from the time it is put."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rehearsal.aws.clock import clock
from rehearsal.aws.registry import Call, on_reset, operation


@dataclass(frozen=True, slots=True)
class _Rule:
    arn: str
    alarms: frozenset[str]
    put_at: datetime


_rules: dict[tuple[str, str], _Rule] = {}


@on_reset
def forget() -> None:
    """Forget all mute rules."""
    _rules.clear()


@operation("cloudwatch", "PutAlarmMuteRule")
def put_alarm_mute_rule(call: Call) -> dict[str, Any]:
    """Mute alarms; actions are emulated nowhere else, so this is for who asks."""
    name = call.params["Name"]
    _rules[call.region, name] = _Rule(
        arn=f"arn:aws:cloudwatch:{call.region}:{call.account}:alarm-mute-rule:{name}",
        alarms=frozenset(call.params.get("MuteTargets", {}).get("AlarmNames", [])),
        put_at=datetime.fromtimestamp(clock.time(), UTC),
    )
    return {}


@operation("cloudwatch", "ListAlarmMuteRules")
def list_alarm_mute_rules(call: Call) -> dict[str, Any]:
    """Answer the rules that mute an alarm, or all of them; all are active."""
    wanted = call.params.get("AlarmName")
    statuses = call.params.get("Statuses", ["ACTIVE"])
    return {
        "AlarmMuteRuleSummaries": [
            {"AlarmMuteRuleArn": rule.arn, "Status": "ACTIVE", "LastUpdatedTimestamp": rule.put_at}
            for (region, _), rule in sorted(_rules.items())
            if region == call.region and "ACTIVE" in statuses and (wanted is None or wanted in rule.alarms)
        ]
    }


@operation("cloudwatch", "DeleteAlarmMuteRule")
def delete_alarm_mute_rule(call: Call) -> dict[str, Any]:
    """Mute no more."""
    _rules.pop((call.region, call.params["AlarmMuteRuleName"]), None)
    return {}
