"""The feed of the proxies' log, and the log read whole: CloudWatch's and the one in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest
from botocore.stub import Stubber

from crossfade.errors import EcsBusy
from crossfade.judge.logs import CloudWatchProxyFeed, CloudWatchProxyStreams
from crossfade.judge.proxylog_feed import DELIVERED, ENFORCED, ProxyFeed, ProxyStreams, ejection_alarm
from crossfade.judge.proxylog_memory import MemoryProxyFeed, MemoryProxyStreams
from rehearsal.aws import EmbeddedAws
from rehearsal.aws.filter_pattern import compiled
from tests.aws import a_client

GROUP = "/crossfade/shop"
FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:on-proxy-log:live"


class World(Protocol):
    """Both ports, and a way to write what they read."""

    feed: ProxyFeed
    streams: ProxyStreams

    def write(self, stream: str, at: datetime, text: str) -> None: ...


class InMemory:
    def __init__(self) -> None:
        self.feed: ProxyFeed = MemoryProxyFeed()
        self._streams = MemoryProxyStreams(GROUP)
        self.streams: ProxyStreams = self._streams

    def write(self, stream: str, at: datetime, text: str) -> None:
        self._streams.write(GROUP, stream, at, text)


class OnAws:
    def __init__(self, aws: EmbeddedAws) -> None:
        self.logs, self.alarms = aws.client("logs"), aws.client("cloudwatch")
        self.logs.create_log_group(logGroupName=GROUP)
        self.feed: ProxyFeed = CloudWatchProxyFeed(self.logs, self.alarms, function=a_function(aws))
        self.streams: ProxyStreams = CloudWatchProxyStreams(self.logs)
        self._known: set[str] = set()

    def write(self, stream: str, at: datetime, text: str) -> None:
        if stream not in self._known:
            self.logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
            self._known.add(stream)
        event = {"timestamp": int(at.timestamp() * 1000), "message": text}
        self.logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=[event])


def a_function(aws: EmbeddedAws) -> str:
    role = aws.client("iam").create_role(RoleName="any", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    made = aws.client("lambda").create_function(
        FunctionName="on-proxy-log", Role=role, Code={"ZipFile": b""}, Runtime="python3.13", Handler="app.handler"
    )
    return str(made["FunctionArn"])


@pytest.fixture(scope="module", params=["memory", "aws"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "memory":
        yield InMemory()
        return
    with EmbeddedAws() as aws:
        yield OnAws(aws)


def test_the_log_is_read_whole_by_stream_up_to_its_end(world: World) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    for second, stream in ((-70, "a"), (-50, "a"), (-40, "b"), (-40, "a"), (0, "b")):
        world.write(stream, now + timedelta(seconds=second), f"{stream} at {second}")

    read = world.streams.read(GROUP, since=now - timedelta(seconds=60), until=now)

    assert read.streams == {"a": ("a at -50", "a at -40"), "b": ("b at -40",)}
    assert read.faults == ()


def test_a_group_that_does_not_exist_is_a_fault(world: World) -> None:
    now = datetime.now(UTC)

    read = world.streams.read("/crossfade/none", since=now - timedelta(seconds=60), until=now)

    assert (read.streams, read.faults) == ({}, ("there is no log group /crossfade/none",))


def test_subscribing_twice_is_subscribing_once(world: World) -> None:
    assert [world.feed.subscribe(GROUP, "shop") for _ in range(2)] == [None, None]


@pytest.mark.parametrize("world", ["aws"], indirect=True)
def test_on_aws_it_is_a_subscription_a_metric_filter_and_an_alarm(world: OnAws) -> None:
    world.feed.subscribe(GROUP, "shop")

    [subscription] = world.logs.describe_subscription_filters(logGroupName=GROUP)["subscriptionFilters"]
    [counted] = world.logs.describe_metric_filters(logGroupName=GROUP)["metricFilters"]
    [alarm] = world.alarms.describe_alarms(AlarmNames=[ejection_alarm("shop")])["MetricAlarms"]
    assert subscription["filterPattern"] == DELIVERED
    assert counted["filterPattern"] == ENFORCED
    assert alarm["MetricName"] == counted["metricTransformations"][0]["metricName"]


@pytest.mark.parametrize("world", ["aws"], indirect=True)
def test_what_is_over_is_delivered_and_counted_no_more_however_often_it_is_ended(world: OnAws) -> None:
    world.feed.subscribe(GROUP, "shop")

    for _ in range(2):
        world.feed.unsubscribe(GROUP)

    assert world.logs.describe_subscription_filters(logGroupName=GROUP)["subscriptionFilters"] == []
    assert world.logs.describe_metric_filters(logGroupName=GROUP)["metricFilters"] == []


def test_a_log_group_that_is_gone_needs_no_end(world: World) -> None:
    world.feed.unsubscribe("/crossfade/none")


def test_a_third_subscription_is_refused_in_words_and_stops_nothing() -> None:
    logs, alarms = a_client("logs"), a_client("cloudwatch")
    with Stubber(logs) as stub, Stubber(alarms) as other:
        stub.add_response("put_metric_filter", {})
        other.add_response("put_metric_alarm", {})
        stub.add_client_error("put_subscription_filter", "LimitExceededException")

        refusal = CloudWatchProxyFeed(logs, alarms, function=FUNCTION).subscribe(GROUP, "shop")

    assert refusal is not None
    assert "LimitExceededException" in refusal


def test_a_throttled_subscription_is_asked_for_again() -> None:
    logs = a_client("logs")
    with Stubber(logs) as stub:
        stub.add_client_error("put_metric_filter", "ThrottlingException")

        with pytest.raises(EcsBusy):
            CloudWatchProxyFeed(logs, a_client("cloudwatch"), function=FUNCTION).subscribe(GROUP, "shop")


def test_a_throttled_read_is_a_fault() -> None:
    logs = a_client("logs")
    now = datetime.now(UTC)
    with Stubber(logs) as stub:
        stub.add_client_error("filter_log_events", "ThrottlingException")

        read = CloudWatchProxyStreams(logs).read(GROUP, since=now - timedelta(seconds=9), until=now)

    assert (read.streams, read.faults) == ({}, ("FilterLogEvents: ThrottlingException",))


def test_a_stretch_too_long_to_be_read_is_a_fault_and_no_part_of_it_is_taken() -> None:
    logs = a_client("logs")
    now = datetime.now(UTC)
    with Stubber(logs) as stub:
        for page in range(21):
            stub.add_response("filter_log_events", {"events": [], "nextToken": f"to-{page}"})

        read = CloudWatchProxyStreams(logs).read(GROUP, since=now - timedelta(seconds=9), until=now)

    assert read.streams == {}
    assert read.faults == ("/crossfade/shop holds more than 20 pages of this time",)


@pytest.mark.parametrize(
    ("line", "delivered", "counted"),
    [
        ({"action": "EJECT", "enforced": True}, True, True),
        ({"action": "EJECT", "enforced": False}, True, False),
        ({"action": "UNEJECT", "enforced": False}, False, False),
        ({"response_code": 503}, True, False),
        ({"response_code": 200}, False, False),
        ({"response_code": 200, "grpc_status": "Unavailable"}, True, False),
        ({"response_code": 200, "grpc_status": "DataLoss"}, True, False),
        ({"response_code": 200, "grpc_status": "NotFound"}, False, False),
    ],
)
def test_the_filters_let_pass_what_matters(line: dict[str, Any], *, delivered: bool, counted: bool) -> None:
    text = json.dumps(line)

    assert (compiled(DELIVERED)(text), compiled(ENFORCED)(text)) == (delivered, counted)
