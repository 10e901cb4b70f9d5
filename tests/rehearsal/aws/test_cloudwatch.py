"""CloudWatch of the embedded AWS, in both modes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.aws.clock import clock
from tests.rehearsal.aws.lab import MODES, Lab, labs, until

ALARMS = {"source": ["aws.cloudwatch"], "detail-type": ["CloudWatch Alarm State Change"]}


@pytest.fixture(scope="module", params=MODES)
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    yield from labs(request.param, leaping=True)


class Metrics:
    """A namespace of one test, and a minute in the recent past to put values in."""

    def __init__(self, lab: Lab) -> None:
        self.cloudwatch = lab.client("cloudwatch")
        self.namespace = lab.name("Shop")
        self.start = int(clock.time()) // 60 * 60 - 600

    def put(self, *data: dict[str, Any], name: str = "Requests") -> None:
        given = [
            {"MetricName": name, "Timestamp": datetime.fromtimestamp(self.start + each["at"], UTC)}
            | {member: value for member, value in each.items() if member != "at"}
            for each in data
        ]
        self.cloudwatch.put_metric_data(Namespace=self.namespace, MetricData=given)

    def query(self, stat: str = "Sum", period: int = 60, name: str = "Requests", **more: Any) -> dict[str, Any]:
        metric = {"Namespace": self.namespace, "MetricName": name, "Dimensions": more.pop("dimensions", [])}
        return {"Id": "m1", "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}, **more}

    def get(self, *queries: dict[str, Any], length: int = 60, **more: Any) -> dict[str, Any]:
        return dict(
            self.cloudwatch.get_metric_data(
                MetricDataQueries=list(queries),
                StartTime=datetime.fromtimestamp(self.start, UTC),
                EndTime=datetime.fromtimestamp(self.start + length, UTC),
                ScanBy="TimestampAscending",
                **more,
            )
        )

    def series(self, *queries: dict[str, Any], length: int = 60) -> dict[int, float]:
        [result] = self.get(*queries, length=length)["MetricDataResults"]
        times = [int(each.timestamp()) - self.start for each in result["Timestamps"]]
        return dict(zip(times, result["Values"], strict=True))


@pytest.fixture
def metrics(lab: Lab) -> Metrics:
    return Metrics(lab)


def code_of(act: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as refused:
        act(**request)
    return str(refused.value.response["Error"]["Code"])


# -- metrics ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("period", "wanted"),
    [(1, {0: 1, 4: 2, 5: 3, 59: 4}), (5, {0: 3, 5: 3, 55: 4}), (10, {0: 6, 50: 4}), (60, {0: 10})],
)
def test_values_put_by_the_second_are_read_by_any_legal_period(
    metrics: Metrics, period: int, wanted: dict[int, float]
) -> None:
    values = {0: 1, 4: 2, 5: 3, 59: 4}

    metrics.put(*({"at": at, "Value": value, "StorageResolution": 1} for at, value in values.items()))

    assert metrics.series(metrics.query(period=period)) == wanted


def test_a_standard_metric_is_kept_by_the_minute(metrics: Metrics) -> None:
    metrics.put({"at": 5, "Value": 1}, {"at": 59, "Value": 2})

    assert metrics.series(metrics.query(period=10)) == {0: 3.0}


def test_the_end_of_a_query_is_not_part_of_it(metrics: Metrics) -> None:
    metrics.put({"at": 59, "Value": 1, "StorageResolution": 1}, {"at": 60, "Value": 2, "StorageResolution": 1})

    assert metrics.series(metrics.query()) == {0: 1.0}


@pytest.mark.parametrize(
    ("stat", "value"),
    [("Sum", 111), ("Average", 1.11), ("Minimum", 1), ("Maximum", 12), ("SampleCount", 100), ("p99", 1), ("p99.9", 12)],
)
def test_values_with_counts_give_every_statistic(metrics: Metrics, stat: str, value: float) -> None:
    metrics.put({"at": 0, "Values": [1, 12], "Counts": [99, 1]})

    assert metrics.series(metrics.query(stat)) == pytest.approx({0: value})


def test_a_statistic_set_counts_as_its_samples(metrics: Metrics) -> None:
    metrics.put({"at": 0, "StatisticValues": {"SampleCount": 4, "Sum": 8, "Minimum": 1, "Maximum": 3}})

    found = {stat: metrics.series(metrics.query(stat))[0] for stat in ("Sum", "Average", "Maximum", "SampleCount")}

    assert found == {"Sum": 8, "Average": 2, "Maximum": 3, "SampleCount": 4}


def test_only_exactly_these_dimensions_and_this_namespace_match(metrics: Metrics) -> None:
    group, balancer = {"Name": "TargetGroup", "Value": "g"}, {"Name": "LoadBalancer", "Value": "l"}
    metrics.put({"at": 0, "Value": 1, "Dimensions": [group, balancer]}, {"at": 0, "Value": 10, "Dimensions": [group]})
    metrics.put({"at": 0, "Value": 100})

    found = [metrics.series(metrics.query(dimensions=each)) for each in ([balancer, group], [group], [], [balancer])]

    assert found == [{0: 1.0}, {0: 10.0}, {0: 100.0}, {}]


def test_metrics_are_listed_with_their_dimensions(metrics: Metrics) -> None:
    metrics.put({"at": 0, "Value": 1, "Dimensions": [{"Name": "Service", "Value": "web"}]})

    listed = metrics.cloudwatch.list_metrics(Namespace=metrics.namespace)["Metrics"]

    assert [(each["MetricName"], each["Dimensions"][0]["Value"]) for each in listed] == [("Requests", "web")]


def test_an_expression_reads_other_queries(metrics: Metrics) -> None:
    metrics.put({"at": 0, "Value": 200})
    metrics.put({"at": 0, "Value": 3}, name="Errors")
    errors = {**metrics.query(name="Errors", ReturnData=False), "Id": "m2"}

    ratio = metrics.series(
        metrics.query(ReturnData=False), errors, {"Id": "ratio", "Expression": "100 * FILL(m2, 0) / m1"}
    )

    assert ratio == {0: 1.5}


def test_a_long_answer_comes_in_pages(metrics: Metrics) -> None:
    metrics.put(*({"at": at, "Value": at, "StorageResolution": 1} for at in range(50)))
    found: list[float] = []
    states: list[str] = []
    token: dict[str, Any] = {}

    while True:
        page = metrics.get(metrics.query(period=1), MaxDatapoints=20, **token)
        [result] = page["MetricDataResults"]
        found += result["Values"]
        states.append(result["StatusCode"])
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}

    assert found == [float(each) for each in range(50)]
    assert states == ["PartialData", "PartialData", "Complete"]


@pytest.mark.parametrize("change", [{"period": 7}, {"period": 90}, {"stat": "Median"}, {"Id": "Upper"}])
def test_a_query_aws_refuses_is_refused(metrics: Metrics, change: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as refused:
        metrics.get(metrics.query(**change))

    assert refused.value.response["Error"]["Code"] == "ValidationError"


@pytest.mark.parametrize(
    "datum",
    [
        {"at": 0},
        {"at": 0, "Value": 1, "Values": [1]},
        {"at": 0, "Values": [1, 2], "Counts": [1]},
        {"at": 0, "Value": 1, "StorageResolution": 5},
    ],
)
def test_data_aws_refuses_is_refused(metrics: Metrics, datum: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as refused:
        metrics.put(datum)

    assert refused.value.response["Error"]["Code"].startswith("InvalidParameter")


def test_the_older_call_answers_the_same(metrics: Metrics) -> None:
    metrics.put({"at": 0, "Values": [1, 3]})

    found = metrics.cloudwatch.get_metric_statistics(
        Namespace=metrics.namespace,
        MetricName="Requests",
        StartTime=datetime.fromtimestamp(metrics.start, UTC),
        EndTime=datetime.fromtimestamp(metrics.start + 60, UTC),
        Period=60,
        Statistics=["Sum", "Average"],
    )

    [point] = found["Datapoints"]
    assert (point["Sum"], point["Average"]) == (4, 2)


# -- alarms -------------------------------------------------------------------


def recent(lab: Lab, namespace: str, **values: float) -> None:
    """Put a value of each metric into the last two minutes, by fives of seconds, all at the same ones."""
    now = int(clock.time())
    data = [
        {
            "MetricName": name,
            "Value": value,
            "StorageResolution": 1,
            "Timestamp": datetime.fromtimestamp(now - back, UTC),
        }
        for back in range(0, 120, 5)
        for name, value in values.items()
    ]
    lab.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=data)


def an_alarm(lab: Lab, namespace: str, **changes: Any) -> str:
    name = lab.name("alarm")
    asked = {
        "AlarmName": name,
        "Namespace": namespace,
        "MetricName": "Errors",
        "Statistic": "Sum",
        "Period": 10,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "ignore",
        **changes,
    }
    lab.client("cloudwatch").put_metric_alarm(**{member: value for member, value in asked.items() if value is not None})
    return name


def state(lab: Lab, name: str) -> dict[str, Any]:
    kinds = {"AlarmTypes": ["MetricAlarm", "CompositeAlarm"]}
    found = lab.client("cloudwatch").describe_alarms(AlarmNames=[name], **kinds)
    alarms: list[dict[str, Any]] = found["MetricAlarms"] + found["CompositeAlarms"]
    return alarms[0]


def reaches(lab: Lab, name: str, wanted: str) -> dict[str, Any]:
    return until(lambda: found if (found := state(lab, name))["StateValue"] == wanted else None)


def test_a_new_alarm_has_not_enough_data(lab: Lab) -> None:
    name = an_alarm(lab, lab.name("Nothing"))

    found = state(lab, name)

    assert found["StateValue"] == "INSUFFICIENT_DATA"
    assert found["StateReason"] == "Unchecked: Initial alarm creation"


def test_an_alarm_sees_its_metric_cross_the_threshold(lab: Lab) -> None:
    namespace = lab.name("Shop")
    name = an_alarm(lab, namespace, DatapointsToAlarm=2, EvaluationPeriods=3)

    recent(lab, namespace, Errors=5)

    found = reaches(lab, name, "ALARM")
    data = json.loads(found["StateReasonData"])
    assert found["StateReason"].startswith("Threshold Crossed: 3 out of the last 3 datapoints")
    assert (data["threshold"], data["period"], len(data["recentDatapoints"])) == (1.0, 10, 3)


def test_an_alarm_below_its_threshold_is_ok(lab: Lab) -> None:
    namespace = lab.name("Shop")
    recent(lab, namespace, Errors=0)

    name = an_alarm(lab, namespace)

    assert reaches(lab, name, "OK")["StateReason"].startswith("Threshold Crossed")


def test_an_alarm_over_an_expression_evaluates_it(lab: Lab) -> None:
    namespace = lab.name("Shop")
    recent(lab, namespace, Errors=3, Requests=100)

    def metric(name: str, identity: str) -> dict[str, Any]:
        stat = {"Metric": {"Namespace": namespace, "MetricName": name}, "Period": 10, "Stat": "Sum"}
        return {"Id": identity, "MetricStat": stat, "ReturnData": False}

    ratio = {"Id": "ratio", "Expression": "100*e/r", "ReturnData": True}
    plain = dict.fromkeys(("Namespace", "MetricName", "Statistic", "Period"))
    name = an_alarm(lab, namespace, **plain, Metrics=[metric("Errors", "e"), metric("Requests", "r"), ratio])

    assert json.loads(reaches(lab, name, "ALARM")["StateReasonData"])["recentDatapoints"] == [pytest.approx(3)]


def test_a_change_of_state_reaches_the_event_bus_as_aws_tells_it(lab: Lab) -> None:
    queue = lab.hear(ALARMS)
    namespace = lab.name("Shop")
    name = an_alarm(lab, namespace, AlarmDescription="too many errors")

    lab.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="by hand")

    event = json.loads(lab.messages(queue, 1, of=f'"{name}"')[0])  # alarms of tests before may tell of theirs
    detail = event["detail"]
    assert event["resources"] == [state(lab, name)["AlarmArn"]]
    assert (detail["alarmName"], detail["state"]["value"], detail["state"]["reason"]) == (name, "ALARM", "by hand")
    assert detail["previousState"]["value"] == "INSUFFICIENT_DATA"
    assert detail["state"]["timestamp"].endswith("+0000")
    [metric] = detail["configuration"]["metrics"]
    assert detail["configuration"]["description"] == "too many errors"
    assert metric["metricStat"]["metric"] == {"namespace": namespace, "name": "Errors", "dimensions": {}}
    assert (metric["metricStat"]["period"], metric["metricStat"]["stat"], metric["returnData"]) == (10, "Sum", True)


def test_an_alarm_that_stays_in_its_state_tells_nothing(lab: Lab) -> None:
    cloudwatch, name = lab.client("cloudwatch"), an_alarm(lab, lab.name("Nothing"))
    for value in ("ALARM", "ALARM", "OK"):
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=value, StateReason="by hand")

    history = cloudwatch.describe_alarm_history(
        AlarmName=name, HistoryItemType="StateUpdate", ScanBy="TimestampAscending"
    )

    told = [each["HistorySummary"] for each in history["AlarmHistoryItems"]]
    assert told == ["Alarm updated from INSUFFICIENT_DATA to ALARM", "Alarm updated from ALARM to OK"]


def test_a_composite_alarm_follows_the_alarms_it_names(lab: Lab) -> None:
    cloudwatch = lab.client("cloudwatch")
    one, other = an_alarm(lab, lab.name("Nothing")), an_alarm(lab, lab.name("Nothing"))
    name = lab.name("both")
    cloudwatch.put_composite_alarm(AlarmName=name, AlarmRule=f'ALARM("{one}") OR ALARM("{other}")')
    before = state(lab, name)["StateValue"]

    cloudwatch.set_alarm_state(AlarmName=other, StateValue="ALARM", StateReason="by hand")

    found = state(lab, name)
    [triggering] = json.loads(found["StateReasonData"])["triggeringAlarms"]
    assert (before, found["StateValue"]) == ("OK", "ALARM")
    assert triggering["arn"].endswith(f":alarm:{other}")
    assert code_of(cloudwatch.delete_alarms, AlarmNames=[one]) == "ValidationError"


def test_a_composite_alarm_over_unknown_alarms_is_refused(lab: Lab) -> None:
    refused = code_of(lab.client("cloudwatch").put_composite_alarm, AlarmName="over-nobody", AlarmRule="ALARM(nobody)")

    assert refused == "ValidationError"


def test_only_metric_alarms_are_described_unless_types_are_given(lab: Lab) -> None:
    cloudwatch, child = lab.client("cloudwatch"), an_alarm(lab, lab.name("Nothing"))
    name = lab.name("composite")
    cloudwatch.put_composite_alarm(AlarmName=name, AlarmRule=f"ALARM({child})")

    found = cloudwatch.describe_alarms(AlarmNames=[name, child])

    assert [each["AlarmName"] for each in found["MetricAlarms"]] == [child]
    assert found["CompositeAlarms"] == []


def test_an_alarm_tells_its_topic(lab: Lab) -> None:
    url, queue = lab.queue()
    sns = lab.client("sns")
    topic = sns.create_topic(Name=lab.name("topic"))["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"})
    name = an_alarm(lab, lab.name("Nothing"), AlarmActions=[topic])

    lab.client("cloudwatch").set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="by hand")

    [message] = map(json.loads, lab.messages(url, 1))
    assert (message["AlarmName"], message["NewStateValue"], message["OldStateValue"]) == (
        name,
        "ALARM",
        "INSUFFICIENT_DATA",
    )


def test_an_alarm_whose_actions_are_off_tells_no_topic(lab: Lab) -> None:
    cloudwatch = lab.client("cloudwatch")
    name = an_alarm(lab, lab.name("Nothing"), AlarmActions=["arn:aws:sns:eu-west-1:123456789012:nobody"])
    cloudwatch.disable_alarm_actions(AlarmNames=[name])

    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="by hand")

    history = cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="Action")
    assert history["AlarmHistoryItems"] == []
    assert state(lab, name)["StateValue"] == "ALARM"


@pytest.mark.parametrize(
    "change",
    [
        {"Period": 5},
        {"Period": 90},
        {"DatapointsToAlarm": 2},
        {"TreatMissingData": "sometimes"},
        {"Statistic": None},
        {"ExtendedStatistic": "p99"},
        {"Namespace": None},
    ],
)
def test_an_alarm_aws_refuses_is_refused(lab: Lab, change: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as refused:
        an_alarm(lab, lab.name("Nothing"), **change)

    assert refused.value.response["Error"]["Code"] in ("ValidationError", "MissingParameter")


def test_alarms_keep_their_tags(lab: Lab) -> None:
    name = an_alarm(lab, lab.name("Nothing"), Tags=[{"Key": "crossfade:migration", "Value": "m-1"}])

    tags = lab.client("cloudwatch").list_tags_for_resource(ResourceARN=state(lab, name)["AlarmArn"])["Tags"]

    assert tags == [{"Key": "crossfade:migration", "Value": "m-1"}]
