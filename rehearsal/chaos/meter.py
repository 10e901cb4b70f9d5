"""What the lanes' edges would have counted, published as AWS would."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from rehearsal.aws import EmbeddedAws
from rehearsal.aws.clock import clock, later
from rehearsal.chaos.lane import Lane

REQUESTS_PER_SECOND = 400
_ENOUGH_FOR_THE_ALARM = 100  # the shop's own rings at more than 25
_ANSWER_SECONDS = 0.02
_FAILING = 0.2  # of the requests of a green that fails
_COUNTED_AT = 0.9  # of a second: whoever looks when it is over finds it counted, even where time stands still meanwhile


class EverySecond:
    """Calls a function with every second (UTC), shortly before it is over, until told to stop."""

    def __init__(self, count: Callable[[datetime], None]) -> None:
        self._count = count
        self._second = 0
        self._is_on = False

    def start(self) -> None:
        """Begin with the next full second."""
        self._second, self._is_on = math.ceil(clock.time()), True
        later(self._second + _COUNTED_AT - clock.time(), self._go)

    def stop(self) -> None:
        """Call no more."""
        self._is_on = False

    def _go(self) -> None:
        if not self._is_on:
            return
        self._count(datetime.fromtimestamp(self._second, UTC))
        self._second += 1
        later(max(0.0, self._second + _COUNTED_AT - clock.time()), self._go)


class Meter:
    """Counts, once a second, what every lane's edge with its present weights would have counted."""

    def __init__(self, aws: EmbeddedAws, lanes: Sequence[Lane]) -> None:
        self._metrics = aws.client("cloudwatch")
        self._lanes = lanes
        self._seconds = EverySecond(self._count)

    def start(self) -> None:
        """Count from the next full second on."""
        self._seconds.start()

    def stop(self) -> None:
        """Count no more."""
        self._seconds.stop()

    def _count(self, second: datetime) -> None:
        data = [datum for lane in self._lanes for datum in _counted(lane, second)]
        if data:
            self._metrics.put_metric_data(Namespace="AWS/ApplicationELB", MetricData=data)


def _counted(lane: Lane, second: datetime) -> list[dict[str, Any]]:
    weights = {"blue": 1, "green": 0}
    track = lane.track
    if track is not None:
        with track.lock:
            if track.changes:
                weights = {"blue": track.changes[-1].blue, "green": track.changes[-1].green}
    total = sum(weights.values()) or 1
    balancers = {
        side: [_dimension("LoadBalancer", end.balancer_arn, "loadbalancer/")] for side, end in lane.edge.ends.items()
    }
    arns = {side: end.arn for side, end in lane.edge.ends.items()}
    data: list[dict[str, Any]] = []
    if lane.rings:
        errors = _datum("HTTPCode_Target_5XX_Count", balancers["blue"], second)
        data.append({**errors, "Value": _ENOUGH_FOR_THE_ALARM, "Unit": "Count"})
    for side, arn in arns.items():
        if not arn:
            continue
        requests = round(REQUESTS_PER_SECOND * weights[side] / total)
        dimensions = [_dimension("TargetGroup", arn, ":", last=True), *balancers[side]]
        failed = round(requests * _FAILING) if side == "green" and lane.green_fails else 0
        data.append({**_datum("RequestCount", dimensions, second), "Value": requests, "Unit": "Count"})
        if requests:
            answers = {"Values": [_ANSWER_SECONDS], "Counts": [float(requests)], "Unit": "Seconds"}
            data.append({**_datum("TargetResponseTime", dimensions, second), **answers})
        if failed:
            errors = _datum("HTTPCode_Target_5XX_Count", dimensions, second)
            data.append({**errors, "Value": failed, "Unit": "Count"})
    return data


def _dimension(name: str, arn: str, behind: str, *, last: bool = False) -> dict[str, str]:
    return {"Name": name, "Value": (arn.rpartition(behind) if last else arn.partition(behind))[2]}


def _datum(name: str, dimensions: list[dict[str, str]], at: datetime) -> dict[str, Any]:
    return {"MetricName": name, "Dimensions": dimensions, "Timestamp": at, "StorageResolution": 1}
