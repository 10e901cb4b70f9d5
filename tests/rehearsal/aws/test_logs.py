"""CloudWatch Logs of the embedded AWS, in both modes."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.aws.clock import clock
from tests.rehearsal.aws.lab import MODES, Lab, labs, until

ENFORCED = '{ ($.action = "EJECT") && ($.enforced IS TRUE) }'
EJECT = json.dumps({"action": "EJECT", "enforced": True})
WOULD_EJECT = json.dumps({"action": "EJECT", "enforced": False})


@pytest.fixture(scope="module", params=MODES)
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    yield from labs(request.param, leaping=True)


class Group:
    """A log group of one test, with a stream."""

    def __init__(self, lab: Lab) -> None:
        self.logs = lab.client("logs")
        self.name = lab.name("/proxy")
        self.now = int(clock.time() * 1000)
        self.logs.create_log_group(logGroupName=self.name)
        self.stream("a")

    def stream(self, name: str) -> None:
        self.logs.create_log_stream(logGroupName=self.name, logStreamName=name)

    def put(self, *messages: str, stream: str = "a", after: int = 0) -> None:
        events = [{"timestamp": self.now + after + i, "message": message} for i, message in enumerate(messages)]
        self.logs.put_log_events(logGroupName=self.name, logStreamName=stream, logEvents=events)

    def found(self, **filters: Any) -> list[str]:
        answer = self.logs.filter_log_events(logGroupName=self.name, **filters)
        return [event["message"] for event in answer["events"]]


@pytest.fixture
def group(lab: Lab) -> Group:
    return Group(lab)


def code_of(act: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as refused:
        act(**request)
    return str(refused.value.response["Error"]["Code"])


def test_only_enforced_ejections_pass_their_pattern(group: Group) -> None:
    group.put("starting", WOULD_EJECT, EJECT)

    assert group.found(filterPattern=ENFORCED) == [EJECT]


def test_both_ends_of_the_time_asked_for_belong_to_it(group: Group) -> None:
    group.put("0", "1", "2", "3")

    assert group.found(startTime=group.now + 1, endTime=group.now + 2) == ["1", "2"]


def test_streams_are_read_as_one_in_order_of_time(group: Group) -> None:
    group.stream("b")
    group.put("first", "third", stream="a")
    group.put("second", stream="b", after=0)

    found = group.found()

    assert (found[0], set(found[:2])) == ("first", {"first", "second"})
    assert found[2] == "third"
    assert group.found(logStreamNames=["b"]) == ["second"]


def test_pages_give_every_event_once(group: Group) -> None:
    group.put(*(str(i) for i in range(25)))

    pages = list(
        group.logs.get_paginator("filter_log_events").paginate(
            logGroupName=group.name, PaginationConfig={"PageSize": 10}
        )
    )

    assert [len(page["events"]) for page in pages] == [10, 10, 5]
    assert [event["message"] for page in pages for event in page["events"]] == [str(i) for i in range(25)]


def test_what_comes_between_two_pages_disturbs_neither(group: Group) -> None:
    group.put("0", "1", "2")
    first = group.logs.filter_log_events(logGroupName=group.name, limit=2)

    group.put("late", after=-5)

    second = group.logs.filter_log_events(logGroupName=group.name, limit=2, nextToken=first["nextToken"])
    assert [event["message"] for event in second["events"]] == ["2"]


@pytest.mark.parametrize("filters", [{"filterPattern": "{ $.a = "}, {"limit": 10_001}, {"nextToken": "nonsense"}])
def test_a_filter_aws_refuses_is_refused(group: Group, filters: dict[str, Any]) -> None:
    code = code_of(group.logs.filter_log_events, logGroupName=group.name, **filters)

    assert code == "InvalidParameterException"


def test_an_unknown_group_is_refused(group: Group) -> None:
    assert code_of(group.logs.filter_log_events, logGroupName="/nobody") == "ResourceNotFoundException"


def test_more_than_aws_takes_at_once_is_refused(group: Group) -> None:
    events = [{"timestamp": group.now, "message": "x" * 200_000}] * 6

    code = code_of(group.logs.put_log_events, logGroupName=group.name, logStreamName="a", logEvents=events)

    assert code == "InvalidParameterException"


def total(lab: Lab, namespace: str, name: str) -> float:
    now = int(clock.time())
    found = lab.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        StartTime=datetime.fromtimestamp(now - 120, UTC),
        EndTime=datetime.fromtimestamp(now + 120, UTC),
        Period=60,
        Statistics=["Sum"],
    )
    return float(sum(point["Sum"] for point in found["Datapoints"]))


def test_a_metric_filter_counts_what_passes_it(lab: Lab, group: Group) -> None:
    namespace = lab.name("Crossfade")
    for value in ("7", "1"):  # the second replaces the first
        group.logs.put_metric_filter(
            logGroupName=group.name,
            filterName="ejections",
            filterPattern=ENFORCED,
            metricTransformations=[{"metricName": "Ejections", "metricNamespace": namespace, "metricValue": value}],
        )

    group.put(EJECT, WOULD_EJECT, EJECT)

    assert total(lab, namespace, "Ejections") == 2


def test_a_metric_filter_reads_its_value_from_the_event(lab: Lab, group: Group) -> None:
    namespace = lab.name("Crossfade")
    group.logs.put_metric_filter(
        logGroupName=group.name,
        filterName="duration",
        filterPattern="{ $.duration_ms > 0 }",
        metricTransformations=[
            {"metricName": "Duration", "metricNamespace": namespace, "metricValue": "$.duration_ms"}
        ],
    )

    group.put(json.dumps({"duration_ms": 12.5}), json.dumps({"duration_ms": 0}))

    assert total(lab, namespace, "Duration") == 12.5


def test_embedded_metrics_become_metrics(lab: Lab, group: Group) -> None:
    namespace = lab.name("Crossfade")
    directive = {"Namespace": namespace, "Dimensions": [[]], "Metrics": [{"Name": "Shifts", "Unit": "Count"}]}
    document = {"_aws": {"Timestamp": group.now, "CloudWatchMetrics": [directive]}, "Shifts": [1.0, 2.0]}

    group.put(json.dumps(document))

    assert total(lab, namespace, "Shifts") == 3


def test_a_subscribed_function_gets_what_passes_its_filter(lab: Lab, group: Group) -> None:
    url, _ = lab.queue()
    code = f"""
import json, boto3
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl={url!r}, MessageBody=json.dumps(event))
"""
    function = lab.function(code)
    group.logs.put_subscription_filter(
        logGroupName=group.name, filterName="ejections", filterPattern=ENFORCED, destinationArn=function
    )

    group.put(WOULD_EJECT, EJECT)

    [body] = lab.messages(url, 1)
    data = json.loads(gzip.decompress(base64.b64decode(json.loads(body)["awslogs"]["data"])))
    assert [event["message"] for event in data["logEvents"]] == [EJECT]
    assert (data["logGroup"], data["logStream"], data["subscriptionFilters"]) == (group.name, "a", ["ejections"])


def test_a_pattern_can_be_tried_before_it_is_used(group: Group) -> None:
    tried = group.logs.test_metric_filter(filterPattern=ENFORCED, logEventMessages=[EJECT, WOULD_EJECT])

    assert [match["eventMessage"] for match in tried["matches"]] == [EJECT]


def test_an_alarm_on_a_metric_filter_hears_an_ejection(lab: Lab, group: Group) -> None:
    namespace, alarm, cloudwatch = lab.name("Crossfade"), lab.name("ejections"), lab.client("cloudwatch")
    group.logs.put_metric_filter(
        logGroupName=group.name,
        filterName="ejections",
        filterPattern=ENFORCED,
        metricTransformations=[{"metricName": "Ejections", "metricNamespace": namespace, "metricValue": "1"}],
    )
    group.put(EJECT, after=-15_000)

    cloudwatch.put_metric_alarm(
        AlarmName=alarm,
        Namespace=namespace,
        MetricName="Ejections",
        Statistic="Sum",
        Period=10,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )

    until(lambda: cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"][0]["StateValue"] == "ALARM")
