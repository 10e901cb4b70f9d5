"""Reads CloudWatch Logs: what green's proxies wrote about ejections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from crossfade.errors import LogsBusy
from crossfade.judge.feeds import LogRead
from crossfade.judge.proxylog import LogLine
from crossfade.throttles import is_busy

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_logs.type_defs import FilteredLogEventTypeDef

_OUTLIER_LINES = '"upstream_url"'  # a field of Envoy's outlier events, and of nothing else a proxy writes


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
            with _asking():
                return LogRead(tuple(_line(event) for page in pages for event in page["events"]))
        except self._client.exceptions.ResourceNotFoundException:
            return LogRead((), (f"there is no log group {group}, so ejections cannot be seen",))


def _line(event: FilteredLogEventTypeDef) -> LogLine:
    return LogLine(datetime.fromtimestamp(event["timestamp"] / 1000, UTC), event["message"])


@contextmanager
def _asking() -> Iterator[None]:
    try:
        yield
    except (HTTPClientError, NoConnection) as cut:
        raise LogsBusy(f"FilterLogEvents: no answer: {cut}") from cut
    except ClientError as refused:
        if is_busy(refused.response):
            raise LogsBusy(f"FilterLogEvents: {refused.response['Error']['Code']}") from refused
        raise
