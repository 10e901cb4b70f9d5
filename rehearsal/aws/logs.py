"""
CloudWatch Logs in the embedded AWS: patterns that match, pages that end, filters that feed metrics and functions.

moto keeps groups and streams. Every event that reaches a stream, by PutLogEvents or from a Lambda function, passes
here: metric filters and embedded metrics become metrics, subscription filters call their Lambda functions.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from moto.awslambda.models import lambda_backends
from moto.logs.models import LogEvent, LogStream, logs_backends

from rehearsal.aws.cloudwatch import put_metric
from rehearsal.aws.filter_pattern import BadPattern, compiled, matches, value_at
from rehearsal.aws.functions import invoke_later
from rehearsal.aws.registry import Call, operation

MOST_EVENTS: Final = 10_000  # in one request, put or answered
MOST_BYTES: Final = 1_048_576  # of one PutLogEvents, each event counting 26 more than its message
EVENT_OVERHEAD: Final = 26
MOST_SUBSCRIPTIONS: Final = 2

_moto_store: Callable[[Any, list[dict[str, Any]]], str] = LogStream.put_log_events


def _store(stream: Any, log_events: list[dict[str, Any]]) -> str:
    """Keep events as moto does, without its unfiltered deliveries, and let the filters of the group see them."""
    group = stream.log_group
    subscriptions, group.subscription_filters = group.subscription_filters, {}
    first = len(stream.events)
    try:
        token = _moto_store(stream, log_events)
    finally:
        group.subscription_filters = subscriptions
    kept = list(stream.events[first:])
    _embedded_metrics(stream.region, kept)
    filters = logs_backends[stream.account_id][stream.region].filters.get_matching_filters(log_group_name=group.name)
    for each in filters:
        _filtered_metrics(stream.region, each, kept)
    for subscription in subscriptions.values():
        _subscribe(stream, subscription, kept)
    return token


LogStream.put_log_events = _store


# -- what events become -------------------------------------------------------


def _filtered_metrics(region: str, metric_filter: Mapping[str, Any], events: Iterable[LogEvent]) -> None:
    for transformation in metric_filter["metricTransformations"]:
        for event in events:
            value: Any = transformation.get("defaultValue")
            if matches(metric_filter["filterPattern"], event.message):
                value = transformation["metricValue"]
                if isinstance(value, str) and value.startswith("$"):
                    value = value_at(value, event.message)
            if value is None:
                continue
            dimensions = {
                name: str(value_at(selector, event.message))
                for name, selector in transformation.get("dimensions", {}).items()
            }
            put_metric(
                region,
                transformation["metricNamespace"],
                transformation["metricName"],
                {float(value): 1},
                dimensions=dimensions,
                at=event.timestamp / 1000,
                unit=transformation.get("unit", "None"),
            )


def _embedded_metrics(region: str, events: Iterable[LogEvent]) -> None:
    """Read the embedded metric format out of JSON events."""
    for event in events:
        if '"_aws"' not in event.message:
            continue
        try:
            document = json.loads(event.message)
            directives = document["_aws"]["CloudWatchMetrics"]
            at = document["_aws"]["Timestamp"] / 1000
        except (ValueError, KeyError, TypeError):
            continue
        for directive in directives:
            for names in directive.get("Dimensions") or [[]]:
                for metric in directive["Metrics"]:
                    held = document.get(metric["Name"], [])
                    values = held if isinstance(held, list) else [held]
                    put_metric(
                        region,
                        directive["Namespace"],
                        metric["Name"],
                        {float(value): values.count(value) for value in values},
                        dimensions={name: str(document.get(name)) for name in names},
                        at=at,
                        unit=metric.get("Unit", "None"),
                    )


def _subscribe(stream: Any, subscription: Any, events: Sequence[LogEvent]) -> None:
    passed = [event for event in events if matches(subscription.filter_pattern, event.message)]
    if not passed or subscription.destination_arn.split(":")[2] != "lambda":
        return
    data = {
        "messageType": "DATA_MESSAGE",
        "owner": stream.account_id,
        "logGroup": stream.log_group.name,
        "logStream": stream.log_stream_name,
        "subscriptionFilters": [subscription.name],
        "logEvents": [
            {"id": f"{event.event_id:056d}", "timestamp": event.timestamp, "message": event.message} for event in passed
        ],
    }
    packed = base64.b64encode(gzip.compress(json.dumps(data).encode())).decode()
    functions = lambda_backends[stream.account_id][stream.region]
    arn = subscription.destination_arn
    # In the background, as on AWS: a batch that finds Lambda throttled comes again.
    invoke_later(functions.get_function(arn), {"awslogs": {"data": packed}}, arn=arn)


# -- operations ---------------------------------------------------------------


@operation("logs", "PutLogEvents")
def put_log_events(call: Call) -> Any:
    """Keep events in order of time; more than AWS takes in one request is refused."""
    events = call.params["logEvents"]
    if not 1 <= len(events) <= MOST_EVENTS:
        raise call.error("InvalidParameterException", f"1 to {MOST_EVENTS} log events can be put in one request.")
    if sum(len(event["message"].encode()) + EVENT_OVERHEAD for event in events) > MOST_BYTES:
        raise call.error("InvalidParameterException", f"Upload too large: more than {MOST_BYTES} bytes.")
    return call.next()


@operation("logs", "FilterLogEvents")
def filter_log_events(call: Call) -> dict[str, Any]:
    """
    Answer matching events of a group in order of time, a page at a time.

    Times are milliseconds, both ends included, as on AWS. A page may be empty and still name a next one.
    """
    params = call.params
    name = params.get("logGroupName") or params.get("logGroupIdentifier", "").removesuffix(":*").rpartition(":")[2]
    group = logs_backends[call.account][call.region].groups.get(name)
    if group is None:
        raise call.error("ResourceNotFoundException", "The specified log group does not exist.")
    most = params.get("limit", MOST_EVENTS)
    if not 1 <= most <= MOST_EVENTS:
        raise call.error("InvalidParameterException", f"limit must be between 1 and {MOST_EVENTS}.")
    if "logStreamNames" in params and "logStreamNamePrefix" in params:
        raise call.error("InvalidParameterException", "logStreamNames and logStreamNamePrefix exclude each other.")
    test = _compiled(call, params.get("filterPattern", ""))
    start, end = params.get("startTime", 0), params.get("endTime")
    events = [
        (event.timestamp, int(event.event_id), stream_name, event)
        for stream_name, stream in group.streams.items()
        if stream_name in params.get("logStreamNames", [stream_name])
        and stream_name.startswith(params.get("logStreamNamePrefix", ""))
        for event in stream.events
        if start <= event.timestamp and (end is None or event.timestamp <= end)
    ]
    events.sort(key=lambda each: each[:2])
    after = _place(call, params.get("nextToken"))
    rest = [each for each in events if each[:2] > after]
    found = [each for each in rest if test(each[3].message)]
    page = found[:most]
    return {
        "events": [
            {
                "logStreamName": stream_name,
                "timestamp": event.timestamp,
                "message": event.message,
                "ingestionTime": event.ingestion_time,
                "eventId": f"{event.event_id:056d}",
            }
            for _, _, stream_name, event in page
        ],
        "searchedLogStreams": [],
        **({"nextToken": f"{page[-1][0]}/{page[-1][1]}"} if len(found) > most else {}),
    }


def _place(call: Call, token: str | None) -> tuple[int, int]:
    if token is None:
        return (-1, -1)
    at, _, identity = token.partition("/")
    if not (at.isdigit() and identity.isdigit()):
        raise call.error("InvalidParameterException", "The specified nextToken is invalid.")
    return (int(at), int(identity))


@operation("logs", "PutMetricFilter")
def put_metric_filter(call: Call) -> Any:
    """Create or replace a metric filter of a group that exists."""
    params = call.params
    backend = logs_backends[call.account][call.region]
    if params["logGroupName"] not in backend.groups:
        raise call.error("ResourceNotFoundException", "The specified log group does not exist.")
    _compiled(call, params["filterPattern"])
    for transformation in params["metricTransformations"]:
        if transformation.get("dimensions") and "defaultValue" in transformation:
            raise call.error("InvalidParameterException", "A metric filter with dimensions has no default value.")
    backend.filters.delete_filter(params["filterName"], params["logGroupName"])
    return call.next()


@operation("logs", "PutSubscriptionFilter")
def put_subscription_filter(call: Call) -> Any:
    """Create or replace a subscription filter; two at most for a group."""
    params = call.params
    group = logs_backends[call.account][call.region].groups.get(params["logGroupName"])
    _compiled(call, params["filterPattern"])
    if group is not None:
        others = [name for name in group.subscription_filters if name != params["filterName"]]
        if len(others) >= MOST_SUBSCRIPTIONS:
            raise call.error("LimitExceededException", "Resource limit exceeded.")
    return call.next()


@operation("logs", "TestMetricFilter")
def test_metric_filter(call: Call) -> dict[str, Any]:
    """Answer which of the sample messages a pattern passes."""
    test = _compiled(call, call.params["filterPattern"])
    samples = call.params["logEventMessages"]
    return {
        "matches": [
            {"eventNumber": number, "eventMessage": message, "extractedValues": {}}
            for number, message in enumerate(samples, 1)
            if test(message)
        ]
    }


def _compiled(call: Call, pattern: str) -> Callable[[str], bool]:
    try:
        return compiled(pattern)
    except BadPattern as refused:
        raise call.error("InvalidParameterException", f"Invalid filter pattern: {refused}") from refused
