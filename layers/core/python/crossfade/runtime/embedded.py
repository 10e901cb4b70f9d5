"""Publishes counts of the proxies' log in the embedded metric format: a line of our own log each, and no call."""

from __future__ import annotations

from collections.abc import Mapping

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricResolution, MetricUnit

from crossfade.judge.proxylog_report import Counts


class EmbeddedProxyMeter:
    """`ProxyMeter` on standard output, which CloudWatch Logs makes metrics of, to the second."""

    def publish(self, migration: str, counts: Mapping[int, Counts]) -> None:
        """See `ProxyMeter`."""
        for at, count in sorted(counts.items()):
            metrics = EphemeralMetrics()
            metrics.add_dimension(name="migration", value=migration)
            metrics.set_timestamp(at)
            for name, value in (
                ("EnforcedEjections", count.ejected),
                ("SuppressedEjections", count.suppressed),
                ("ProxyErrors", count.errors),
            ):
                metrics.add_metric(name=name, unit=MetricUnit.Count, value=value, resolution=MetricResolution.High)
            metrics.flush_metrics()
