"""CloudWatch in the embedded AWS: alarms, from their put to their end; `cloudwatch_evaluation` rings them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from rehearsal.aws import alarms
from rehearsal.aws.clock import clock
from rehearsal.aws.cloudwatch_evaluation import (
    ACTIONS,
    ALARM_PERIODS,
    alarm_period,
    alarm_queries,
    enter,
    evaluate_composites,
    remember,
)
from rehearsal.aws.cloudwatch_queries import check_query, epoch_of, metric_key, offset_of, series_of
from rehearsal.aws.cloudwatch_regions import Alarm, region_of
from rehearsal.aws.metric_math import BadExpression
from rehearsal.aws.metric_store import MINUTE, MetricStore
from rehearsal.aws.registry import Call, operation

MOST_ALARM_SECONDS: Final = 7 * 24 * 3600


@operation("cloudwatch", "PutMetricAlarm")
def put_metric_alarm(call: Call) -> dict[str, Any]:
    """Create an alarm in INSUFFICIENT_DATA, or change one and keep its state until it is next evaluated."""
    params = call.params
    _check_alarm(call, params)
    _put_alarm(call, params)
    return {}


@operation("cloudwatch", "PutCompositeAlarm")
def put_composite_alarm(call: Call) -> dict[str, Any]:
    """Create or change an alarm over alarms; its state is decided at once."""
    params = call.params
    region = region_of(call.region)
    try:
        children = alarms.named_in(params["AlarmRule"])
    except alarms.BadRule as refused:
        raise call.error("ValidationError", f"AlarmRule is not valid: {refused}") from refused
    with region.lock:
        if unknown := sorted(children - region.alarms.keys()):
            raise call.error(
                "ValidationError",
                f"Could not save the composite alarm as alarms [{', '.join(unknown)}] in the alarm rule do not exist",
            )
        _put_alarm(call, params)
        evaluate_composites(region)
    return {}


def _check_alarm(call: Call, params: Mapping[str, Any]) -> None:
    if params["ComparisonOperator"] not in alarms.COMPARISONS:
        raise call.error("ValidationError", f"ComparisonOperator {params['ComparisonOperator']} is not supported.")
    if params.get("TreatMissingData", "missing") not in ("missing", "notBreaching", "breaching", "ignore"):
        raise call.error("ValidationError", "Option not supported for TreatMissingData")
    if "Threshold" not in params:
        raise call.error("MissingParameter", "The parameter Threshold is required.")
    periods = params["EvaluationPeriods"]
    if periods < 1 or not 1 <= params.get("DatapointsToAlarm", periods) <= periods:
        raise call.error("ValidationError", "DatapointsToAlarm must be between 1 and EvaluationPeriods.")
    _check_alarm_metric(call, params)
    queries = alarm_queries(params)
    if sum(query.get("ReturnData", True) for query in queries) != 1:
        raise call.error("ValidationError", "Exactly one element of Metrics must have ReturnData set to true.")
    for query in queries:
        check_query(call, query, ALARM_PERIODS)
    try:
        series_of(MetricStore(), queries, 0, MINUTE, aligned=False)
    except BadExpression as refused:
        raise call.error("ValidationError", str(refused)) from refused
    if alarm_period(params) * periods > MOST_ALARM_SECONDS:
        raise call.error("ValidationError", "Metrics cannot be checked across more than seven days.")


def _check_alarm_metric(call: Call, params: Mapping[str, Any]) -> None:
    if ("MetricName" in params) == ("Metrics" in params):
        raise call.error("InvalidParameterCombination", "Exactly one of MetricName and Metrics must be given.")
    if "Metrics" in params:
        return
    if ("Statistic" in params) == ("ExtendedStatistic" in params):
        raise call.error("MissingParameter", "Exactly one of Statistic and ExtendedStatistic must be given.")
    if "Namespace" not in params or "Period" not in params:
        raise call.error("MissingParameter", "The parameters Namespace and Period are required.")


def _put_alarm(call: Call, params: Mapping[str, Any]) -> None:
    region = region_of(call.region)
    name = params["AlarmName"]
    now = clock.now()
    with region.lock:
        old = region.alarms.get(name)
        tags = {each["Key"]: each["Value"] for each in params.get("Tags", [])}
        region.alarms[name] = Alarm(
            name=name,
            arn=f"arn:aws:cloudwatch:{call.region}:{call.account}:alarm:{name}",
            request=dict(params),
            state=old.state if old else "INSUFFICIENT_DATA",
            reason=old.reason if old else "Unchecked: Initial alarm creation",
            reason_data=old.reason_data if old else "{}",
            state_at=old.state_at if old else now,
            configured_at=now,
            tags=old.tags if old else tags,
        )
        remember(
            region, region.alarms[name], "ConfigurationUpdate", f'Alarm "{name}" {"updated" if old else "created"}', {}
        )


@operation("cloudwatch", "DescribeAlarms")
def describe_alarms(call: Call) -> dict[str, Any]:
    """Answer alarms by name, prefix, state and type; metric alarms only, unless types are given."""
    params = call.params
    types = params.get("AlarmTypes", ["MetricAlarm"])
    region = region_of(call.region)
    with region.lock:
        found = [
            alarm
            for alarm in sorted(region.alarms.values(), key=lambda each: each.name)
            if ("AlarmNames" not in params or alarm.name in params["AlarmNames"])
            and alarm.name.startswith(params.get("AlarmNamePrefix", ""))
            and params.get("StateValue") in (None, alarm.state)
            and ("CompositeAlarm" if alarm.composite else "MetricAlarm") in types
        ]
        offset = offset_of(call, params.get("NextToken"))
        most = params.get("MaxRecords", 50 if "AlarmNames" not in params else 100)
        page = found[offset : offset + most]
        return {
            "MetricAlarms": [alarm.describe() for alarm in page if not alarm.composite],
            "CompositeAlarms": [alarm.describe() for alarm in page if alarm.composite],
            **({"NextToken": str(offset + most)} if offset + most < len(found) else {}),
        }


def calling(region: str, action: str) -> list[tuple[str, str]]:
    """Return the names and ARNs of the alarms of a Region that have this action in any state."""
    found = region_of(region)
    with found.lock:
        return [
            (alarm.name, alarm.arn)
            for alarm in found.alarms.values()
            if any(action in alarm.request.get(actions, ()) for actions in ACTIONS.values())
        ]


@operation("cloudwatch", "DescribeAlarmsForMetric")
def describe_alarms_for_metric(call: Call) -> dict[str, Any]:
    """Answer the metric alarms that watch exactly this metric."""
    params = call.params
    wanted = metric_key(call, params["Namespace"], params)
    region = region_of(call.region)
    with region.lock:
        return {
            "MetricAlarms": [
                alarm.describe()
                for alarm in region.alarms.values()
                if "MetricName" in alarm.request
                and metric_key(call, alarm.request["Namespace"], alarm.request) == wanted
            ]
        }


@operation("cloudwatch", "DeleteAlarms")
def delete_alarms(call: Call) -> dict[str, Any]:
    """Delete alarms; one that a remaining composite alarm depends on is refused."""
    region = region_of(call.region)
    going = set(call.params["AlarmNames"])
    with region.lock:
        for alarm in region.alarms.values():
            if (
                alarm.composite
                and alarm.name not in going
                and (used := alarms.named_in(alarm.request["AlarmRule"]) & going)
            ):
                raise call.error(
                    "ValidationError",
                    f"Cannot delete {min(used)} as there are composite alarm(s) that depend on it: {alarm.name}.",
                )
        for name in going:
            region.alarms.pop(name, None)
    return {}


@operation("cloudwatch", "EnableAlarmActions", "DisableAlarmActions")
def switch_alarm_actions(call: Call) -> dict[str, Any]:
    """Switch the actions of alarms on or off; states and events go on."""
    region = region_of(call.region)
    with region.lock:
        for name in call.params["AlarmNames"]:
            if name in region.alarms:
                region.alarms[name].request["ActionsEnabled"] = call.action == "EnableAlarmActions"
    return {}


@operation("cloudwatch", "SetAlarmState")
def set_alarm_state(call: Call) -> dict[str, Any]:
    """Put an alarm into a state until its next evaluation says otherwise."""
    region = region_of(call.region)
    params = call.params
    with region.lock:
        alarm = region.alarms.get(params["AlarmName"])
        if alarm is None:
            raise call.error("ResourceNotFound", f"Alarm {params['AlarmName']} does not exist")
        if params["StateValue"] not in ACTIONS:
            raise call.error("ValidationError", "StateValue must be OK, ALARM or INSUFFICIENT_DATA.")
        enter(region, alarm, params["StateValue"], params["StateReason"], params.get("StateReasonData", "{}"))
        evaluate_composites(region)
    return {}


@operation("cloudwatch", "DescribeAlarmHistory")
def describe_alarm_history(call: Call) -> dict[str, Any]:
    """Answer what alarms went through, newest first unless asked otherwise."""
    params = call.params
    region = region_of(call.region)
    with region.lock:
        items = [
            item
            for item in region.history
            if params.get("AlarmName") in (None, item["AlarmName"])
            and params.get("HistoryItemType") in (None, item["HistoryItemType"])
            and item["AlarmType"] in params.get("AlarmTypes", ["MetricAlarm", "CompositeAlarm"])
            and epoch_of(params.get("StartDate", 0)) <= item["Timestamp"].timestamp()
            and item["Timestamp"].timestamp() <= epoch_of(params.get("EndDate", math.inf))
        ]
    if params.get("ScanBy", "TimestampDescending") == "TimestampDescending":
        items.reverse()
    offset, most = offset_of(call, params.get("NextToken")), params.get("MaxRecords", 100)
    return {
        "AlarmHistoryItems": items[offset : offset + most],
        **({"NextToken": str(offset + most)} if offset + most < len(items) else {}),
    }


@operation("cloudwatch", "ListTagsForResource", "TagResource", "UntagResource")
def tag_alarm(call: Call) -> Any:
    """Keep the tags of alarms; those of anything else are moto's."""
    name = call.params["ResourceARN"].rpartition(":alarm:")[2]
    region = region_of(call.region)
    with region.lock:
        alarm = region.alarms.get(name)
        if alarm is None:
            return call.next()
        if call.action == "TagResource":
            alarm.tags |= {each["Key"]: each["Value"] for each in call.params["Tags"]}
        elif call.action == "UntagResource":
            alarm.tags = {key: value for key, value in alarm.tags.items() if key not in call.params["TagKeys"]}
        else:
            return {"Tags": [{"Key": key, "Value": value} for key, value in alarm.tags.items()]}
    return {}
