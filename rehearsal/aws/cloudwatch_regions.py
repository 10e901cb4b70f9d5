"""What CloudWatch holds in each Region of the embedded AWS: metrics, alarms and their history."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rehearsal.aws import alarms
from rehearsal.aws.metric_store import MetricStore
from rehearsal.aws.registry import on_reset


@dataclass(slots=True)
class Alarm:
    """One alarm: what was put, and the state it is in. `request` holds the members of the put, in AWS's names."""

    name: str
    arn: str
    request: dict[str, Any]
    state: alarms.State
    reason: str
    reason_data: str
    state_at: datetime
    configured_at: datetime
    tags: dict[str, str]
    due: int = 0  # the boundary it was last evaluated at, epoch seconds

    @property
    def composite(self) -> bool:
        """Whether other alarms decide its state."""
        return "AlarmRule" in self.request

    def describe(self) -> dict[str, Any]:
        """Answer what DescribeAlarms answers."""
        return {
            **{name: value for name, value in self.request.items() if name != "Tags"},
            "AlarmArn": self.arn,
            "ActionsEnabled": self.request.get("ActionsEnabled", True),
            "OKActions": self.request.get("OKActions", []),
            "AlarmActions": self.request.get("AlarmActions", []),
            "InsufficientDataActions": self.request.get("InsufficientDataActions", []),
            "AlarmConfigurationUpdatedTimestamp": self.configured_at,
            "StateValue": self.state,
            "StateReason": self.reason,
            "StateReasonData": self.reason_data,
            "StateUpdatedTimestamp": self.state_at,
            "StateTransitionedTimestamp": self.state_at,
            **({} if self.composite else {"Dimensions": self.request.get("Dimensions", [])}),
        }


@dataclass(slots=True)
class Region:
    """What CloudWatch knows in one region."""

    name: str
    metrics: MetricStore = field(default_factory=MetricStore)
    alarms: dict[str, Alarm] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)


_regions: dict[str, Region] = {}
_regions_lock = threading.Lock()


def region_of(name: str) -> Region:
    """Return what CloudWatch knows in a Region; nothing at first."""
    with _regions_lock:
        return _regions.setdefault(name, Region(name))


def every_region() -> list[Region]:
    """Return all Regions that were asked for something since the last reset."""
    with _regions_lock:
        return list(_regions.values())


def forget_metrics(namespace: str) -> None:
    """Forget what was counted in a namespace, so that what comes next is judged without it."""
    for region in every_region():
        region.metrics.forget(namespace)


@on_reset
def forget() -> None:
    """Forget all metrics and alarms."""
    with _regions_lock:
        _regions.clear()
