"""CloudWatch: alarms, whose periods a rehearsal divides, and dashboards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearsal.deploy.making import Made, Maker, New

_SHORT_SECONDS = (10, 30)
_MINUTE_SECONDS = 60


def scaled_period(seconds: int, scale: float) -> int:
    """
    Return the longest period CloudWatch allows that is no longer than `seconds / scale`, at least 10 s.

    Allowed are 10, 30 and multiples of 60 seconds (API reference, PutMetricAlarm, Period).
    """
    wanted = seconds / scale
    if wanted >= _MINUTE_SECONDS:
        return int(wanted // _MINUTE_SECONDS) * _MINUTE_SECONDS
    return max([period for period in _SHORT_SECONDS if period <= wanted], default=_SHORT_SECONDS[0])


def alarm(new: New) -> Made:
    """Make a metric alarm, every period in it divided by the rehearsal's factor."""
    name = new.name("AlarmName", longest=255)
    fixed: dict[str, Any] = {}
    scale = new.place.period_scale
    if scale != 1:
        if (period := new.take("Period")) is not None:
            fixed["Period"] = scaled_period(int(period), scale)
        if (metrics := new.take("Metrics")) is not None:
            fixed["Metrics"] = new.shaped("cloudwatch", "put_metric_alarm", "Metrics", _scaled(metrics, scale))
    new.call("cloudwatch", "put_metric_alarm", AlarmName=name, **fixed)
    return Made(name, {"Arn": new.arn("cloudwatch", f"alarm:{name}")})


def _scaled(value: Any, scale: float) -> Any:
    if isinstance(value, list):
        return [_scaled(item, scale) for item in value]
    if isinstance(value, Mapping):
        return {
            key: scaled_period(int(item), scale) if key == "Period" else _scaled(item, scale)
            for key, item in value.items()
        }
    return value


def composite_alarm(new: New) -> Made:
    """Make an alarm over other alarms."""
    name = new.name("AlarmName", longest=255)
    new.call("cloudwatch", "put_composite_alarm", AlarmName=name)
    return Made(name, {"Arn": new.arn("cloudwatch", f"alarm:{name}")})


def dashboard(new: New) -> Made:
    """Make a dashboard."""
    name = new.name("DashboardName", longest=255)
    new.call("cloudwatch", "put_dashboard", DashboardName=name)
    return Made(name)


MAKERS: Mapping[str, Maker] = {
    "AWS::CloudWatch::Alarm": alarm,
    "AWS::CloudWatch::CompositeAlarm": composite_alarm,
    "AWS::CloudWatch::Dashboard": dashboard,
}
