"""
CloudWatch's alarms in the embedded AWS, as they are evaluated, act and are heard on the event bus.

An alarm is evaluated as on AWS: every ten seconds when its period is shorter than a minute, else every minute, over
complete periods only.
"""

from __future__ import annotations

import json
import logging
import math
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from moto.awslambda.models import lambda_backends
from moto.sns.models import sns_backends

from rehearsal.aws import alarms
from rehearsal.aws.clock import clock, every, soon
from rehearsal.aws.cloudwatch_queries import series_of
from rehearsal.aws.cloudwatch_regions import Alarm, Region, every_region
from rehearsal.aws.events import emit
from rehearsal.aws.metric_store import MINUTE
from rehearsal.aws.registry import ACCOUNT

ALARM_PERIODS: Final = (10, 20, 30)
LOOK_SECONDS: Final = 0.5  # how often it is asked whether an alarm is due
LAG_SECONDS: Final = 2.0  # data of a period may arrive this long after its end
ACTIONS: Final = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}

logger = logging.getLogger(__name__)


def evaluate_alarms(now: float | None = None) -> None:
    """Evaluate every alarm that is due at `now` (epoch seconds; the clock's time when left out)."""
    at = clock.time() - LAG_SECONDS if now is None else now
    for region in every_region():
        with region.lock:
            for alarm in list(region.alarms.values()):
                if not alarm.composite:
                    _evaluate_if_due(region, alarm, at)
            evaluate_composites(region)


def _evaluate_if_due(region: Region, alarm: Alarm, now: float) -> None:
    period = alarm_period(alarm.request)
    step = min(ALARM_PERIODS) if period < MINUTE else MINUTE
    end = math.floor(now / step) * step
    if end <= alarm.due:
        return
    alarm.due = end
    bound = _bound(alarm.request)
    span = bound.periods + alarms.EXTRA_PERIODS
    start = end - span * period
    queries = alarm_queries(alarm.request)
    series = series_of(region.metrics, queries, start, end, aligned=False)
    [watched] = [query["Id"] for query in queries if query.get("ReturnData", True)]
    begins = range(start, end, period)
    values = [series[watched].get(begin) for begin in begins]
    state = alarms.decide(values, bound)
    if state is not None and state != alarm.state:
        seen = [(begin, value) for begin, value in zip(begins, values, strict=True) if value is not None]
        enter(region, alarm, state, _reason(alarm, state, bound, seen), _reason_data(alarm, bound, seen, start))


def evaluate_composites(region: Region) -> None:
    """Evaluate the alarms over alarms of a Region, until none changes."""
    for _ in range(len(region.alarms)):  # a composite over composites settles within as many rounds
        before = [alarm.state for alarm in region.alarms.values()]
        for alarm in region.alarms.values():
            if alarm.composite:
                _evaluate_composite(region, alarm)
        if before == [alarm.state for alarm in region.alarms.values()]:
            return


def _evaluate_composite(region: Region, alarm: Alarm) -> None:
    spoken: list[Alarm] = []

    def is_in(name: str, state: alarms.State) -> bool:
        child = region.alarms.get(name)
        if child is None or child.state != state:
            return False
        spoken.append(child)
        return True

    state: alarms.State = "ALARM" if alarms.holds(alarm.request["AlarmRule"], is_in) else "OK"
    if state == alarm.state:
        return
    spoken.sort(key=lambda child: child.state_at)
    because = (
        f"{spoken[-1].arn} transitioned to {spoken[-1].state} at {_worded(spoken[-1].state_at)}"
        if spoken
        else f"{alarm.arn} was created and its alarm rule evaluates to {state}"
    )
    triggering = [
        {"arn": child.arn, "state": {"value": child.state, "timestamp": _stamp(child.state_at)}} for child in spoken
    ]
    enter(region, alarm, state, because, json.dumps({"triggeringAlarms": triggering}))


def enter(region: Region, alarm: Alarm, state: alarms.State, reason: str, data: str) -> None:
    """Change an alarm's state, remember it, tell the event bus and act; a state it is already in changes nothing."""
    if state == alarm.state:
        return
    before = {"value": alarm.state, "reason": alarm.reason, "timestamp": _stamp(alarm.state_at)}
    if alarm.reason_data != "{}":
        before["reasonData"] = alarm.reason_data
    alarm.state, alarm.reason, alarm.reason_data, alarm.state_at = state, reason, data, clock.now()
    after = {"value": state, "reason": reason, "timestamp": _stamp(alarm.state_at)}
    if data != "{}":
        after["reasonData"] = data
    remember(
        region,
        alarm,
        "StateUpdate",
        f"Alarm updated from {before['value']} to {state}",
        {
            "version": "1.0",
            "oldState": {"stateValue": before["value"], "stateReason": before["reason"]},
            "newState": {"stateValue": state, "stateReason": reason},
        },
    )
    detail = {
        "alarmName": alarm.name,
        "configuration": _event_configuration(alarm.request),
        "previousState": before,
        "state": after,
    }
    emit("aws.cloudwatch", "CloudWatch Alarm State Change", detail, [alarm.arn], region=region.name)
    if alarm.request.get("ActionsEnabled", True):
        for target in alarm.request.get(ACTIONS[state], []):
            _act(region, alarm, target, detail, str(before["value"]))


def _act(region: Region, alarm: Alarm, target: str, detail: dict[str, Any], old: str) -> None:
    remember(region, alarm, "Action", f"Successfully executed action {target}", {"actionState": "Succeeded"})
    service = target.split(":")[2]
    if service == "sns":
        message = json.dumps(_notification(region, alarm, old))
        subject = f'{alarm.state}: "{alarm.name}" in {region.name}'
        soon(lambda: sns_backends[ACCOUNT][region.name].publish(message, arn=target, subject=subject[:100]))
    elif service == "lambda":
        payload = json.dumps(
            {
                "source": "aws.cloudwatch",
                "alarmArn": alarm.arn,
                "accountId": ACCOUNT,
                "time": _stamp(alarm.state_at),
                "region": region.name,
                "alarmData": detail,
            }
        )
        soon(lambda: lambda_backends[ACCOUNT][region.name].get_function(target).invoke(payload, {}, {}))
    else:
        logger.warning("an alarm action is not carried out here", extra={"alarm": alarm.name, "action": target})


def _notification(region: Region, alarm: Alarm, old: str) -> dict[str, Any]:
    request = alarm.request
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": request.get("AlarmDescription"),
        "AWSAccountId": ACCOUNT,
        "AlarmConfigurationUpdatedTimestamp": _stamp(alarm.configured_at),
        "NewStateValue": alarm.state,
        "NewStateReason": alarm.reason,
        "StateChangeTime": _stamp(alarm.state_at),
        "Region": region.name,
        "AlarmArn": alarm.arn,
        "OldStateValue": old,
        **{name: request.get(name, []) for name in ("OKActions", "AlarmActions", "InsufficientDataActions")},
    }


def remember(region: Region, alarm: Alarm, kind: str, summary: str, data: Mapping[str, Any]) -> None:
    """Add a line to an alarm's history."""
    region.history.append(
        {
            "AlarmName": alarm.name,
            "AlarmType": "CompositeAlarm" if alarm.composite else "MetricAlarm",
            "Timestamp": clock.now(),
            "HistoryItemType": kind,
            "HistorySummary": summary,
            "HistoryData": json.dumps(data),
        }
    )


def alarm_queries(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the queries an alarm evaluates; one over a single metric has one."""
    if "Metrics" in request:
        return list(request["Metrics"])
    return [
        {
            "Id": "m1",
            "MetricStat": {
                "Metric": {
                    "Namespace": request["Namespace"],
                    "MetricName": request["MetricName"],
                    "Dimensions": request.get("Dimensions", []),
                },
                "Period": request["Period"],
                "Stat": request.get("Statistic") or request["ExtendedStatistic"],
                **({"Unit": request["Unit"]} if "Unit" in request else {}),
            },
            "ReturnData": True,
        }
    ]


def alarm_period(request: Mapping[str, Any]) -> int:
    """Return the period in seconds an alarm looks at."""
    periods = [query["MetricStat"]["Period"] for query in alarm_queries(request) if "MetricStat" in query]
    periods += [query["Period"] for query in alarm_queries(request) if "Period" in query]
    return max(periods, default=MINUTE)


def _bound(request: Mapping[str, Any]) -> alarms.Bound:
    return alarms.Bound(
        comparison=request["ComparisonOperator"],
        threshold=float(request["Threshold"]),
        periods=request["EvaluationPeriods"],
        datapoints=request.get("DatapointsToAlarm", request["EvaluationPeriods"]),
        treatment=request.get("TreatMissingData", "missing"),
    )


def _reason(alarm: Alarm, state: alarms.State, bound: alarms.Bound, seen: Sequence[tuple[int, float]]) -> str:
    newest = list(reversed(seen[-bound.periods :]))
    if not newest:
        unknown = f"{bound.periods} datapoint{'s were' if bound.periods > 1 else ' was'} unknown"
        if state == "INSUFFICIENT_DATA":
            return f"Insufficient Data: {unknown}."
        return (
            f"Threshold Crossed: no datapoints were received for {bound.periods} period{'s'[: bound.periods > 1]} "
            f"and {bound.periods} missing datapoint{'s were' if bound.periods > 1 else ' was'} treated as "
            f"[{'Breaching' if state == 'ALARM' else 'NonBreaching'}]."
        )
    against = [(begin, value) for begin, value in newest if bound.breached(value) == (state == "ALARM")] or newest
    listed = ", ".join(f"{value} ({datetime.fromtimestamp(begin, UTC):%d/%m/%y %H:%M:%S})" for begin, value in against)
    was = "were" if len(against) > 1 else "was"
    negation = "" if state == "ALARM" else "not "
    return (
        f"Threshold Crossed: {len(against)} out of the last {bound.periods} datapoints [{listed}] {was} {negation}"
        f"{alarms.WORDS[bound.comparison]} ({bound.threshold}) (minimum {bound.datapoints} "
        f"datapoint{'s'[: bound.datapoints > 1]} for {alarm.state} -> {state} transition)."
    )


def _reason_data(alarm: Alarm, bound: alarms.Bound, seen: Sequence[tuple[int, float]], start: int) -> str:
    request = alarm.request
    statistic = (
        {"statistic": request.get("Statistic") or request["ExtendedStatistic"]} if "MetricName" in request else {}
    )
    return json.dumps(
        {
            "version": "1.0",
            "queryDate": _stamp(clock.now()),
            "startDate": _stamp(datetime.fromtimestamp(seen[0][0] if seen else start, UTC)),
            **statistic,
            "period": alarm_period(request),
            "recentDatapoints": [value for _, value in seen[-bound.periods :]],
            "threshold": bound.threshold,
            "evaluatedDatapoints": [
                {"timestamp": _stamp(datetime.fromtimestamp(begin, UTC)), "value": value}
                for begin, value in reversed(seen[-bound.periods :])
            ],
        }
    )


def _event_configuration(request: Mapping[str, Any]) -> dict[str, Any]:
    described = {"description": request["AlarmDescription"]} if "AlarmDescription" in request else {}
    if "AlarmRule" in request:
        return {**described, "alarmRule": request["AlarmRule"]}
    return {**described, "metrics": list(_event_metrics(request))}


def _event_metrics(request: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    for query in alarm_queries(request):
        identity = query["Id"] if "Metrics" in request else str(uuid.uuid5(uuid.NAMESPACE_OID, request["AlarmName"]))
        entry: dict[str, Any] = {"id": identity, "returnData": query.get("ReturnData", True)}
        if "Label" in query:
            entry["label"] = query["Label"]
        if "Expression" in query:
            entry["expression"] = query["Expression"]
        else:
            stat = query["MetricStat"]
            entry["metricStat"] = {
                "metric": {
                    "namespace": stat["Metric"]["Namespace"],
                    "name": stat["Metric"]["MetricName"],
                    "dimensions": {each["Name"]: each["Value"] for each in stat["Metric"].get("Dimensions", [])},
                },
                "period": stat["Period"],
                "stat": stat["Stat"],
            }
        yield entry


def _stamp(moment: datetime) -> str:
    """Write a time as CloudWatch does in its events: milliseconds and `+0000`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}+0000"


def _worded(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%A %d %B, %Y %H:%M:%S UTC")


every(LOOK_SECONDS, evaluate_alarms)
