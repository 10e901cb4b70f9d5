"""Reads CloudWatch Logs: what green's proxies wrote about ejections; and has it delivered."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from crossfade.errors import EcsBusy, LogsBusy
from crossfade.judge.feeds import LogRead
from crossfade.judge.proxylog import LogLine
from crossfade.judge.proxylog_feed import DELIVERED, ENFORCED, SUBSCRIPTION, StreamsRead, ejection_alarm
from crossfade.throttles import asking

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_logs.type_defs import FilteredLogEventTypeDef

_OUTLIER_LINES = '"upstream_url"'  # a field of Envoy's outlier events, and of nothing else a proxy writes

_MOST_PAGES: Final = 20
"""Of a megabyte or 10,000 lines each. More is not read: FilterLogEvents is answered ten times a second at most."""


class CloudWatchProxyLogs:
    """`ProxyLogs` from FilterLogEvents, all its pages; an empty page is not the last one."""

    def __init__(self, client: CloudWatchLogsClient) -> None:
        self._client = client

    def read(self, group: str, *, since: datetime, until: datetime) -> LogRead:
        """See `ProxyLogs`."""
        pages = self._client.get_paginator("filter_log_events").paginate(
            logGroupName=group,
            startTime=int(since.timestamp() * 1000),
            endTime=int(until.timestamp() * 1000),
            filterPattern=_OUTLIER_LINES,
        )
        try:
            with asking("FilterLogEvents", LogsBusy):
                return LogRead(tuple(_line(event) for page in pages for event in page["events"]))
        except self._client.exceptions.ResourceNotFoundException:
            return LogRead((), (f"there is no log group {group}, so ejections cannot be seen",))


def _line(event: FilteredLogEventTypeDef) -> LogLine:
    return LogLine(datetime.fromtimestamp(event["timestamp"] / 1000, UTC), event["message"])


class CloudWatchProxyStreams:
    """`ProxyStreams` from FilterLogEvents without a filter, a bounded number of pages."""

    def __init__(self, client: CloudWatchLogsClient) -> None:
        self._client = client

    def read(self, group: str, *, since: datetime, until: datetime) -> StreamsRead:
        """See `ProxyStreams`."""
        pages = self._client.get_paginator("filter_log_events").paginate(
            logGroupName=group, startTime=int(since.timestamp() * 1000), endTime=int(until.timestamp() * 1000) - 1
        )
        streams: dict[str, list[str]] = defaultdict(list)
        try:
            with asking("FilterLogEvents", LogsBusy):
                for number, page in enumerate(pages):
                    if number == _MOST_PAGES:
                        return StreamsRead({}, (f"{group} holds more than {_MOST_PAGES} pages of this time",))
                    for event in page["events"]:
                        streams[event["logStreamName"]].append(event["message"])
        except self._client.exceptions.ResourceNotFoundException:
            return StreamsRead({}, (f"there is no log group {group}",))
        except LogsBusy as busy:
            return StreamsRead({}, (str(busy),))
        return StreamsRead({stream: tuple(lines) for stream, lines in streams.items()})


class CloudWatchProxyFeed:
    """`ProxyFeed` by a subscription filter that calls our function, and a metric filter that an alarm watches."""

    def __init__(self, logs: CloudWatchLogsClient, alarms: CloudWatchClient, *, function: str) -> None:
        self._logs = logs
        self._alarms = alarms
        self._function = function

    def subscribe(self, group: str, migration: str) -> str | None:
        """See `ProxyFeed`. The alarm is put first: it needs no code of ours."""
        metric = f"LoggedEjections-{migration}"
        try:
            with asking("PutMetricFilter", EcsBusy):
                self._logs.put_metric_filter(
                    logGroupName=group,
                    filterName=SUBSCRIPTION,
                    filterPattern=ENFORCED,
                    metricTransformations=[{"metricNamespace": "Crossfade", "metricName": metric, "metricValue": "1"}],
                )
            with asking("PutMetricAlarm", EcsBusy):
                self._alarms.put_metric_alarm(
                    AlarmName=ejection_alarm(migration),
                    AlarmDescription=f"A green proxy of {migration} ejected a task; made by Crossfade",
                    Namespace="Crossfade",
                    MetricName=metric,
                    Statistic="Sum",
                    Period=60,
                    EvaluationPeriods=1,
                    Threshold=1,
                    ComparisonOperator="GreaterThanOrEqualToThreshold",
                    TreatMissingData="notBreaching",
                )
            with asking("PutSubscriptionFilter", EcsBusy):
                self._logs.put_subscription_filter(
                    logGroupName=group, filterName=SUBSCRIPTION, filterPattern=DELIVERED, destinationArn=self._function
                )
        except ClientError as refused:
            return f"the proxies' log is not delivered: {refused}"
        return None

    def unsubscribe(self, group: str) -> None:
        """See `ProxyFeed`."""
        with suppress(self._logs.exceptions.ResourceNotFoundException), asking("DeleteSubscriptionFilter", EcsBusy):
            self._logs.delete_subscription_filter(logGroupName=group, filterName=SUBSCRIPTION)
        with suppress(self._logs.exceptions.ResourceNotFoundException), asking("DeleteMetricFilter", EcsBusy):
            self._logs.delete_metric_filter(logGroupName=group, filterName=SUBSCRIPTION)
