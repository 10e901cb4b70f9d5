"""What the lanes' edges would have counted, published as AWS would."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from rehearsal.aws import EmbeddedAws
from rehearsal.aws.clock import clock, later
from rehearsal.chaos.lane import Lane
from rehearsal.dataplane.metrics import connect_series

REQUESTS_PER_SECOND = 400
_ALB = "AWS/ApplicationELB"
_NLB = "AWS/NetworkELB"
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
        data: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for lane in self._lanes:
            count = _flows if lane.plan.edges[0].kind == "nlb" else _requests
            for namespace, datum in count(lane, second):
                data[namespace].append(datum)
        for namespace, some in data.items():
            self._metrics.put_metric_data(Namespace=namespace, MetricData=some)


def _requests(lane: Lane, second: datetime) -> Iterator[tuple[str, dict[str, Any]]]:
    """Count as an Application Load Balancer does."""
    balancers = {side: _balancer(end.balancer_arn) for side, end in lane.edge.ends.items()}
    if lane.rings:
        errors = _datum("HTTPCode_Target_5XX_Count", [balancers["blue"]], second)
        yield _ALB, {**errors, "Value": _ENOUGH_FOR_THE_ALARM, "Unit": "Count"}
    served = _served(lane)
    for side, end in lane.edge.ends.items():
        arn, requests = end.arn, served[side]
        if not arn:
            continue
        dimensions = [_dimension("TargetGroup", arn.rpartition(":")[2]), balancers[side]]
        failed = round(requests * _FAILING) if side == "green" and lane.green_fails else 0
        yield _ALB, {**_datum("RequestCount", dimensions, second), "Value": requests, "Unit": "Count"}
        if requests:
            answers = {"Values": [_ANSWER_SECONDS], "Counts": [float(requests)], "Unit": "Seconds"}
            yield _ALB, {**_datum("TargetResponseTime", dimensions, second), **answers}
        if failed:
            errors = _datum("HTTPCode_Target_5XX_Count", dimensions, second)
            yield _ALB, {**errors, "Value": failed, "Unit": "Count"}


def _flows(lane: Lane, second: datetime) -> Iterator[tuple[str, dict[str, Any]]]:
    """
    Count what is counted where a Network Load Balancer divides: no requests at the edge, and the calls of green behind.

    Each request that green serves makes one call of each kind that its first service makes; its proxy counts them.
    """
    if lane.rings:
        errors = _datum("TCP_Target_Reset_Count", [_balancer(lane.edge.blue.balancer_arn)], second)
        yield _NLB, {**errors, "Value": _ENOUGH_FOR_THE_ALARM, "Unit": "Count"}
    requests = _served(lane)["green"]
    failed = round(requests * _FAILING) if lane.green_fails else 0
    entry = lane.plan.service(lane.plan.edges[0].service)
    owner = (entry.green.service_name, lane.plan.cluster.rpartition("/")[2])
    served = {(each.dns_name, each.port): each for service in lane.plan.services for each in service.endpoints}
    for called in (served[call.dns_name, call.port] for call in entry.calls if (call.dns_name, call.port) in served):
        for name, count in (("HTTPCode_Target_2XX_Count", requests - failed), ("HTTPCode_Target_5XX_Count", failed)):
            for series in connect_series(name, "Count", "TargetDiscoveryName", called.discovery_name, owner):
                dimensions = [_dimension(*each) for each in series.dimensions]
                if count:
                    yield series.namespace, {**_datum(name, dimensions, second), "Value": count, "Unit": "Count"}


def _served(lane: Lane) -> dict[str, int]:
    """Return how many requests each side answers in a second, by the weights of now."""
    weights = {"blue": 1, "green": 0}
    track = lane.track
    if track is not None:
        with track.lock:
            if track.changes:
                weights = {"blue": track.changes[-1].blue, "green": track.changes[-1].green}
    total = sum(weights.values()) or 1
    return {side: round(REQUESTS_PER_SECOND * weight / total) for side, weight in weights.items()}


def _balancer(arn: str) -> dict[str, str]:
    return _dimension("LoadBalancer", arn.partition("loadbalancer/")[2])


def _dimension(name: str, value: str) -> dict[str, str]:
    return {"Name": name, "Value": value}


def _datum(name: str, dimensions: list[dict[str, str]], at: datetime) -> dict[str, Any]:
    return {"MetricName": name, "Dimensions": dimensions, "Timestamp": at, "StorageResolution": 1}
