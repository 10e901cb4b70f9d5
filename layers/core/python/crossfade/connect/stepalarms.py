"""
Green's copies of the alarms by which blue's step scaling is called. Pure.

A step scaling policy does nothing by itself: an alarm of its owner's calls it. So where such a
policy is copied, its alarms are too: each watches green where it watched blue, and calls green's
policies alone. Whoever else the alarm tells, by SNS for one, hears of blue only.

Source: Application Auto Scaling user guide, "Step scaling policies"; CloudWatch API reference,
PutMetricAlarm.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from crossfade.connect.greenscaling import Twin

PREFIX: Final = "crossfade.scaling/"
"""What the names of the copies begin with: not `crossfade-`, by which alarms that roll back are heard."""

_MOST: Final = 255  # characters of an alarm's name
_WATCHES: Final = (
    "ActionsEnabled",
    "AlarmDescription",
    "ComparisonOperator",
    "DatapointsToAlarm",
    "Dimensions",
    "EvaluateLowSampleCountPercentile",
    "EvaluationPeriods",
    "ExtendedStatistic",
    "MetricName",
    "Metrics",
    "Namespace",
    "Period",
    "Statistic",
    "Threshold",
    "ThresholdMetricId",
    "TreatMissingData",
    "Unit",
)
_CALLS: Final = ("AlarmActions", "OKActions", "InsufficientDataActions")


def family(cluster: str, green: str) -> str:
    """Return what the names of all copies for one green service begin with, and of no other's."""
    return f"{PREFIX}{cluster.rsplit('/', 1)[-1]}/{green}/"  # ECS takes no slash in a service's name


def copied_name(twin: Twin, alarm: str) -> str:
    """Return the name of green's copy of an alarm."""
    name = f"{family(twin.cluster, twin.green)}{alarm}"
    if len(name) <= _MOST:
        return name
    digest = hashlib.sha256(alarm.encode()).hexdigest()[:16]
    return f"{name[: _MOST - len(digest) - 1]}-{digest}"


def copied_alarm(alarm: Mapping[str, Any], twin: Twin, policies: Mapping[str, str]) -> dict[str, Any] | str:
    """
    Return PutMetricAlarm's input for green's copy of an alarm, or why there can be none, in words.

    Args:
        alarm: As DescribeAlarms answers it.
        twin: Blue and green.
        policies: Green's scaling policies by blue's, by ARN.
    """
    name = alarm["AlarmName"]
    if any(twin.blue in expression for expression in _expressions(alarm)):
        return f"alarm {name} names {twin.blue} in an expression, which is not rewritten: make one for {twin.green}"
    stranger = next(iter(_strangers(alarm, twin)), None)
    if stranger is not None:
        return f"alarm {name} watches {stranger}, to which nothing of {twin.green} corresponds: make one for it"
    watches = {member: alarm[member] for member in _WATCHES if alarm.get(member) not in (None, "", [], {})}
    calls = {
        member: called
        for member in _CALLS
        if (called := [policies[arn] for arn in alarm.get(member, ()) if arn in policies])
    }
    return {**of_green(watches, twin), **calls, "AlarmName": copied_name(twin, name)}


def watches_blue(alarm: Mapping[str, Any], twin: Twin) -> bool:
    """Return whether an alarm names blue, so that its copy watches something else than it does."""
    return bool(of_green(alarm, twin) != alarm)


def of_green(part: Any, twin: Twin) -> Any:
    """Return a part of a configuration in which dimensions that name blue name green."""
    if isinstance(part, Mapping):
        renamed = _named_anew(part.get("Name"), part.get("Value"), twin)
        if renamed is not None:
            return {**part, "Value": renamed}
        return {name: of_green(inner, twin) for name, inner in part.items()}
    return [of_green(inner, twin) for inner in part] if isinstance(part, list) else part


def _named_anew(dimension: Any, value: Any, twin: Twin) -> str | None:
    """Return what a dimension that names blue, its target group or its load balancer says for green."""
    named = {"ServiceName": (twin.blue, twin.green)}
    if twin.blue_label is not None and twin.label is not None:
        blue, green = twin.blue_label.partition("/targetgroup/"), twin.label.partition("/targetgroup/")
        named["LoadBalancer"] = (blue[0], green[0])
        named["TargetGroup"] = (f"targetgroup/{blue[2]}", f"targetgroup/{green[2]}")
    was, becomes = named.get(dimension, (None, None))
    return becomes if value is not None and value == was else None


def _strangers(alarm: Mapping[str, Any], twin: Twin) -> Iterator[str]:
    """Yield the target groups that an alarm watches and that are not the one by which blue is reached."""
    for dimensions in _dimensions(alarm):
        for each in dimensions:
            if each["Name"] == "TargetGroup" and _named_anew("TargetGroup", each["Value"], twin) is None:
                yield str(each["Value"])


def _dimensions(alarm: Mapping[str, Any]) -> Iterator[list[Any]]:
    yield alarm.get("Dimensions") or []
    for query in alarm.get("Metrics") or ():
        yield query.get("MetricStat", {}).get("Metric", {}).get("Dimensions") or []


def _expressions(alarm: Mapping[str, Any]) -> Iterator[str]:
    for query in alarm.get("Metrics") or ():
        if "Expression" in query:
            yield str(query["Expression"])
