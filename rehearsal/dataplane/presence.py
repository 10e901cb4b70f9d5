"""What Service Connect publishes while tasks run, whether anybody calls them or not."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable

from rehearsal.dataplane.metrics import Meter, connect_series
from rehearsal.dataplane.task import Task


class Presence:
    """Counts on `meter`: request counts of 0 rather than none, and connections once a period."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._connections_due = 0.0

    def measure(self, tasks: Iterable[Task], now: float) -> None:
        """Count what holds of these tasks at a moment, in seconds since the epoch."""
        due = now >= self._connections_due
        if due:
            self._connections_due = (now // self._meter.period_seconds + 1) * self._meter.period_seconds
        for task in tasks:
            counted = [("RequestCount", name) for name in task.served]
            counted += [("GrpcRequestCount", name) for name in task.grpc_served]
            for metric, name in counted:
                self._count(metric, name, task, now, 0)
            if due:
                with contextlib.suppress(OSError):
                    self._count_connections(task, now)

    def _count_connections(self, task: Task, now: float) -> None:
        if task.admin is None:
            return
        stats = task.admin.stats(r"^http\.ingress_.*downstream_cx_(total|active)$")
        total = sum(value for name, value in stats.items() if name.endswith("total"))
        active = sum(value for name, value in stats.items() if name.endswith("active"))
        new, task.connections = total - task.connections, total
        for discovery in itertools.islice(task.served, 1):
            for metric, count in (("NewConnectionCount", new), ("ActiveConnectionCount", active)):
                self._count(metric, discovery, task, now, count)

    def _count(self, metric: str, discovery: str, task: Task, now: float, amount: float) -> None:
        for series in connect_series(metric, "Count", "DiscoveryName", discovery, task.owner):
            self._meter.count(series, now, amount)
