"""What CloudWatch answers: the operator's own alarms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_KEPT = ("AlarmName", "Namespace", "MetricName", "Dimensions", "Metrics")


def read_alarms(client: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the name and the dimensions of every metric alarm."""
    for page in client.get_paginator("describe_alarms").paginate(AlarmTypes=["MetricAlarm"]):
        found = [{key: each[key] for key in _KEPT if key in each} for each in page.get("MetricAlarms", ())]
        yield {"MetricAlarms": found}
