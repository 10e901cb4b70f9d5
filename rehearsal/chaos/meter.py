"""What the lanes' edges would have counted, published as AWS would."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rehearsal.aws import EmbeddedAws
from rehearsal.aws.clock import clock, later
from rehearsal.chaos.lane import Lane

REQUESTS_PER_SECOND = 400
_ENOUGH_FOR_THE_ALARM = 100  # the shop's own rings at more than 25
_ANSWER_SECONDS = 0.02
_FAILING = 0.2  # of the requests of a green that fails


class Meter:
    """Counts, once a second, what every lane's edge with its present weights would have counted."""

    def __init__(self, aws: EmbeddedAws, lanes: Sequence[Lane]) -> None:
        self._metrics = aws.client("cloudwatch")
        self._lanes = lanes
        self._counts = False

    def start(self) -> None:
        """Count from the next full second on."""
        self._counts = True
        later(1 - clock.time() % 1, self._count)

    def stop(self) -> None:
        """Count no more."""
        self._counts = False

    def _count(self) -> None:
        if not self._counts:
            return
        second = datetime.fromtimestamp(int(clock.time()) - 1, UTC)
        data = [datum for lane in self._lanes for datum in _counted(lane, second)]
        if data:
            self._metrics.put_metric_data(Namespace="AWS/ApplicationELB", MetricData=data)
        later(1 - clock.time() % 1, self._count)


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
