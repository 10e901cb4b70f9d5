"""
Publishes metrics in the embedded metric format: a line of our own log each, and no call.

Source: CloudWatch user guide, "Specification: Embedded metric format". The dimensions are
those said here and no others, since who reads a metric must name all of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from crossfade.judge.meter import Measures
from crossfade.judge.proxylog_report import Counts

_NAMESPACE = "Crossfade"
_EVERY_SECOND = 1  # StorageResolution: kept by the second, so that ten seconds can be told apart


def publish(at: int, dimensions: Mapping[str, str], metrics: Mapping[str, tuple[float, str]]) -> None:
    """Write one line: metrics by name, as value and CloudWatch's unit, at a time in milliseconds since 1970."""
    directive = {
        "Namespace": _NAMESPACE,
        "Dimensions": [list(dimensions)],
        "Metrics": [
            {"Name": name, "Unit": unit, "StorageResolution": _EVERY_SECOND} for name, (_, unit) in metrics.items()
        ],
    }
    values = {name: value for name, (value, _) in metrics.items()}
    line = {"_aws": {"Timestamp": at, "CloudWatchMetrics": [directive]}, **dimensions, **values}
    print(json.dumps(line), flush=True)  # noqa: T201 -- standard output is what Lambda's log is made of


class EmbeddedProxyMeter:
    """`ProxyMeter` on standard output, which CloudWatch Logs makes metrics of, to the second."""

    def publish(self, migration: str, counts: Mapping[int, Counts]) -> None:
        """See `ProxyMeter`."""
        for at, count in sorted(counts.items()):
            publish(
                at,
                {"Migration": migration},
                {
                    "EnforcedEjections": (count.ejected, "Count"),
                    "SuppressedEjections": (count.suppressed, "Count"),
                    "ProxyErrors": (count.errors, "Count"),
                    "AttemptErrors": (count.attempts, "Count"),
                    "GrpcErrors": (count.grpc, "Count"),
                },
            )


class EmbeddedLookMeter:
    """`LookMeter` on standard output."""

    def publish(self, migration: str, edge: str, at: datetime, measures: Measures) -> None:
        """See `LookMeter`."""
        publish(int(at.timestamp() * 1000), {"Migration": migration, "Edge": edge}, measures)
