"""Counts what one migration uses: transitions, events, invocations and calls, by whoever makes them."""

from __future__ import annotations

import json
import math
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from rehearsal.aws.execution import Execution, watch_states
from rehearsal.aws.functions import Invocation, invocation_of
from rehearsal.aws.registry import Call, intercept
from rehearsal.chaos.watcher import watcher

Used = Counter[str]
"""Units by the names of `prices.PRICES`, and `call` for calls of AWS."""

_WRITES = {"PutItem", "UpdateItem", "DeleteItem"}
_READS = {"GetItem", "Query"}


@dataclass
class Count:
    """
    What was used since it was begun.

    Attributes:
        used: by function, and by `states` for Step Functions' own calls.
        invocations: by function.
        milliseconds: by function, on this machine.
        executions: all that have entered a state, and how often they did.
    """

    used: dict[str, Used] = field(default_factory=dict)
    invocations: Counter[str] = field(default_factory=Counter)
    milliseconds: Counter[str] = field(default_factory=Counter)
    executions: dict[str, tuple[Execution, int]] = field(default_factory=dict)
    seen: dict[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    is_over: bool = False

    def end(self) -> None:
        """Count no more."""
        self.is_over = True

    def call(self, call: Call) -> None:
        """See a call that was answered."""
        by = None if self.is_over else _caller(call)
        if by is None:
            return
        name, invocation = by
        with self.lock:
            used = self.used.setdefault(name, Counter())
            used["call"] += 1
            used.update(_units(call))
            if invocation is not None and invocation.request_id not in self.seen:
                self.seen[invocation.request_id] = time.monotonic()
                self.invocations[name] += 1
            if invocation is not None:
                now = time.monotonic()
                self.milliseconds[name] += round(1000 * (now - self.seen[invocation.request_id]))
                self.seen[invocation.request_id] = now

    def state(self, execution: Execution, _: str) -> None:
        """See a state entered: one transition."""
        if self.is_over:
            return
        with self.lock:
            times = self.executions.get(execution.origin.arn, (execution, 0))[1]
            self.executions[execution.origin.arn] = execution, times + 1


def begin() -> Count:
    """Begin to count."""
    count = Count()
    intercept(after=count.call)
    watch_states(count.state)
    return count


def _caller(call: Call) -> tuple[str, Invocation | None] | None:
    if call.headers.get("X-Embedded-Caller"):
        return "states", None
    invocation = invocation_of(call.headers)
    return None if invocation is None else (watcher.functions.get(invocation.function, invocation.function), invocation)


def _units(call: Call) -> Used:
    if call.service == "dynamodb":
        return _dynamodb(call)
    if call.service == "s3":
        return Counter({"S3 GET": 1})
    if call.service == "sns" and call.action == "Publish":
        return Counter({"SNS publish": 1})
    if call.service == "events" and call.action == "PutEvents":
        return Counter({"EventBridge event put": 1})
    if call.service == "cloudwatch" and call.action == "GetMetricData":
        asked = [query for query in call.params.get("MetricDataQueries", []) if "MetricStat" in query]
        return Counter({"CloudWatch metric read": len(asked)})
    return Counter()


def _dynamodb(call: Call) -> Used:
    if call.action in _READS:
        return Counter({"DynamoDB read unit": 1})  # strongly consistent; our items are below 4 KB
    if call.action in _WRITES:
        return Counter({"DynamoDB write unit": _kilobytes(call.params)})
    items = call.params.get("TransactItems", [])
    return Counter({"DynamoDB write unit": sum(2 * _kilobytes(item) for item in items)})


def _kilobytes(item: Any) -> int:
    return math.ceil(len(json.dumps(item, default=str)) / 1024)
