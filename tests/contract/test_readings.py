"""What every source of readings promises, asked of CloudWatch's and of the ones in memory; and how pages are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, Protocol

import boto3
import pytest
from botocore.exceptions import ConnectTimeoutError
from botocore.stub import ANY, Stubber

from crossfade.errors import LogsBusy, MetricsBusy
from crossfade.journal.edges import AlbEdge
from crossfade.judge.alarms import Alarms
from crossfade.judge.cloudwatch import CloudWatchAlarms, CloudWatchMetrics, CloudWatchViewers
from crossfade.judge.feeds import EdgeMetrics, ProxyLogs, ViewerMetrics
from crossfade.judge.inside import Series, Source, dimensions
from crossfade.judge.logs import CloudWatchProxyLogs
from crossfade.judge.memory import MemoryAlarms, MemoryMetrics, MemoryProxyLogs, MemoryViewers
from crossfade.judge.reading import AlarmState, Row
from crossfade.judge.signal import FINAL_5XX, SIGNALS, SUPPRESSED_EJECTION, Metric, Place
from rehearsal.aws import in_process

PREFIX = "arn:aws:elasticloadbalancing:eu-west-1:123456789012"
EDGE = AlbEdge(
    load_balancer_arn=f"{PREFIX}:loadbalancer/app/front/50dc6c495c0c9188",
    blue_arn=f"{PREFIX}:targetgroup/web/73e2d6bc24d8a067",
    green_arn=f"{PREFIX}:targetgroup/web-green/ab5e6cf1d3a3c2f1",
    rules=(),
)
BLUE, GREEN = EDGE.blue_arn, str(EDGE.green_arn)
GROUP = "/crossfade/shop"
CALLED = ("TargetDiscoveryName", "ServiceName", "ClusterName")
START = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=1)


class MetricsWorld(Protocol):
    @property
    def feed(self) -> EdgeMetrics: ...

    def record(
        self,
        group: str,
        at: datetime,
        *,
        requests: float | None = None,
        errors: float | None = None,
        answers: Mapping[float, int] | None = None,
    ) -> None: ...

    def count(self, series: Series, at: datetime, value: float) -> None: ...


class InMemory:
    def __init__(self) -> None:
        self.feed = MemoryMetrics()
        self.record = self.feed.record
        self.count = self.feed.count


class InCloudWatch:
    def __init__(self) -> None:
        self.client = boto3.client("cloudwatch", region_name="eu-west-1")
        self.feed = CloudWatchMetrics(self.client)

    def record(
        self,
        group: str,
        at: datetime,
        *,
        requests: float | None = None,
        errors: float | None = None,
        answers: Mapping[float, int] | None = None,
    ) -> None:
        names = {"TargetGroup": group.split(":")[5], "LoadBalancer": "app/front/50dc6c495c0c9188"}
        for name, value in (("RequestCount", requests), ("HTTPCode_Target_5XX_Count", errors)):
            if value is not None:
                self.put(name, value, at, **names)
        for seconds, count in (answers or {}).items():
            for _ in range(count):
                self.put("TargetResponseTime", seconds, at, **names)

    def count(self, series: Series, at: datetime, value: float) -> None:
        self.put(series.metric.name, value, at, series.metric.namespace, **dimensions(series))

    def put(
        self, name: str, value: float, at: datetime, namespace: str = "AWS/ApplicationELB", **dimensions: str
    ) -> None:
        self.client.put_metric_data(
            Namespace=namespace,
            MetricData=[
                {
                    "MetricName": name,
                    "Dimensions": [{"Name": each, "Value": text} for each, text in dimensions.items()],
                    "Timestamp": at,
                    "Value": value,
                    "Unit": "Count",
                    "StorageResolution": 1,  # without it, nothing below a minute is told apart
                }
            ],
        )


METRICS: dict[str, Callable[[], MetricsWorld]] = {"memory": InMemory, "cloudwatch": InCloudWatch}


@pytest.fixture(params=METRICS)
def metrics(request: pytest.FixtureRequest) -> Iterator[MetricsWorld]:
    with nullcontext() if request.param == "memory" else in_process():
        yield METRICS[request.param]()


# -- inside green ----------------------------------------------------------------

PLACE = ("orders-sc", "web-green", "shop")
CALLS = Source(
    FINAL_5XX,
    "web-green to orders-sc",
    Series(Metric("AWS/ECS", "HTTPCode_Target_5XX_Count", CALLED), PLACE),
    tuple(Series(Metric("AWS/ECS", f"HTTPCode_Target_{code}XX_Count", CALLED), PLACE) for code in (2, 5)),
)
ONE_TOO_MANY = Source(
    SUPPRESSED_EJECTION, "green", Series(Metric("Crossfade", "SuppressedEjections", ("Migration",)), ("shop",))
)


def inside(world: MetricsWorld, periods: int, *asked: Source) -> tuple[tuple[Row, ...], ...]:
    return world.feed.inside(asked, start=START, periods=periods, period_seconds=60).rows


def test_inside_green_requests_are_added_up_and_each_source_has_its_own_rows(metrics: MetricsWorld) -> None:
    well, failed = CALLS.requests
    metrics.count(well, START, 90)
    metrics.count(failed, START, 10)
    metrics.count(well, START + timedelta(seconds=60), 50)
    metrics.count(ONE_TOO_MANY.errors, START + timedelta(seconds=61), 2)

    assert inside(metrics, 3, CALLS, ONE_TOO_MANY) == (((100, 10), (50, 0), None), (None, (0, 2), None))


def test_inside_green_errors_without_requests_are_no_count(metrics: MetricsWorld) -> None:
    metrics.count(CALLS.errors, START, 4)

    assert inside(metrics, 1, Source(CALLS.signal, CALLS.subject, CALLS.errors, CALLS.requests[:1])) == ((None,),)


def test_inside_green_a_number_that_is_no_count_is_a_fault(metrics: MetricsWorld) -> None:
    metrics.count(CALLS.requests[0], START, 90)
    metrics.count(CALLS.errors, START, 0.5)

    read = metrics.feed.inside([CALLS], start=START, periods=1, period_seconds=60)

    assert (read.rows, read.faults) == (((None,),), ("HTTPCode_Target_5XX_Count inside green is no count",))


def test_inside_green_nothing_is_asked_for_nothing(metrics: MetricsWorld) -> None:
    assert inside(metrics, 0, CALLS) == ((),)
    assert inside(metrics, 3) == ()


def test_inside_green_another_callers_answers_are_anothers() -> None:
    with in_process():
        world = InCloudWatch()
        world.count(Series(CALLS.errors.metric, ("orders-sc", "admin-green", "shop")), START, 9)
        world.count(CALLS.requests[0], START, 90)

        assert inside(world, 1, CALLS) == (((90, 0),),)


def test_more_series_than_one_call_takes_are_asked_in_several() -> None:
    many = [
        Source(CALLS.signal, str(number), Series(CALLS.errors.metric, (f"orders-{number}", "web-green", "shop")))
        for number in range(501)
    ]
    with in_process():
        world = InCloudWatch()
        world.count(many[500].errors, START, 3)

        assert inside(world, 1, *many)[-2:] == ((None,), ((0, 3),))


# -- an edge's metrics -----------------------------------------------------------


def rows(world: MetricsWorld, periods: int, period_seconds: int = 60) -> list[tuple[int | None, ...]]:
    return list(world.feed.read(EDGE, start=START, periods=periods, period_seconds=period_seconds).window.rows)


def test_each_period_has_its_own_sums_by_colour(metrics: MetricsWorld) -> None:
    for second, requests in ((0, 100), (59, 20), (60, 30)):
        metrics.record(BLUE, START + timedelta(seconds=second), requests=requests)
        metrics.record(GREEN, START + timedelta(seconds=second), requests=requests / 10, errors=1)

    assert rows(metrics, 2) == [(120, 0, 12, 2), (30, 0, 3, 1)]


def test_a_period_without_a_datapoint_is_empty_rather_than_zero(metrics: MetricsWorld) -> None:
    metrics.record(BLUE, START, requests=100)
    metrics.record(GREEN, START + timedelta(seconds=120), requests=0)

    assert rows(metrics, 3) == [(100, 0, None, None), (None, None, None, None), (None, None, 0, 0)]


def test_errors_without_requests_are_no_count(metrics: MetricsWorld) -> None:
    metrics.record(GREEN, START, errors=4)

    assert rows(metrics, 1) == [(None, None, None, None)]


def test_neither_what_came_before_nor_what_came_after_is_counted(metrics: MetricsWorld) -> None:
    metrics.record(BLUE, START - timedelta(seconds=1), requests=7)
    metrics.record(BLUE, START, requests=100)
    metrics.record(BLUE, START + timedelta(seconds=60), requests=9)

    assert rows(metrics, 1) == [(100, 0, None, None)]


def test_a_rehearsals_shorter_periods_are_told_apart(metrics: MetricsWorld) -> None:
    for second in (0, 10, 20):
        metrics.record(BLUE, START + timedelta(seconds=second), requests=second + 1)

    assert [row[0] for row in rows(metrics, 3, period_seconds=10)] == [1, 11, 21]


def test_without_a_closed_period_nothing_is_asked(metrics: MetricsWorld) -> None:
    read = metrics.feed.read(EDGE, start=START, periods=0, period_seconds=60)

    assert (read.window.rows, read.faults) == ((), ())


def test_an_edge_without_a_green_end_has_blue_alone(metrics: MetricsWorld) -> None:
    metrics.record(BLUE, START, requests=100)

    read = metrics.feed.read(EDGE.model_copy(update={"green_arn": None}), start=START, periods=1, period_seconds=60)

    assert read.window.rows == ((100, 0, None, None),)


def test_the_same_target_group_behind_another_load_balancer_is_not_counted() -> None:
    group = BLUE.split(":")[5]
    with in_process():
        world = InCloudWatch()
        world.put("RequestCount", 100, START, TargetGroup=group, LoadBalancer="app/other/1")
        world.put("RequestCount", 100, START, TargetGroup=group)

        found = rows(world, 1)

    assert found == [(None, None, None, None)]


def test_what_was_not_answered_within_the_bar_is_slow_and_so_is_what_was_never_answered(metrics: MetricsWorld) -> None:
    metrics.record(BLUE, START, requests=6, answers={0.1: 3, 0.3: 2, 0.31: 1})
    metrics.record(GREEN, START, requests=4, answers={0.1: 1})
    metrics.record(GREEN, START + timedelta(seconds=60), requests=2)

    window = metrics.feed.read(EDGE, start=START, periods=2, period_seconds=60, slow_over=0.3).window

    assert (window.slow_over, window.slow) == (0.3, ((1, 3), (None, 2)))


def test_nobody_who_did_not_ask_is_told_what_was_slow(metrics: MetricsWorld) -> None:
    metrics.record(BLUE, START, requests=6, answers={0.1: 3})

    window = metrics.feed.read(EDGE, start=START, periods=1, period_seconds=60).window

    assert (window.slow_over, window.slow) == (None, ())


def test_blues_percentile_is_known_for_each_period_in_which_it_answered(metrics: MetricsWorld) -> None:
    metrics.record(BLUE, START, answers={0.1: 50, 0.7: 1})
    metrics.record(BLUE, START + timedelta(seconds=120), answers={0.2: 3})
    metrics.record(GREEN, START, answers={9.0: 3})

    p99 = metrics.feed.blue_p99(EDGE, start=START, end=START + timedelta(seconds=180), period_seconds=60)

    assert {at - START: seconds for at, seconds in p99.items()} == {timedelta(0): 0.7, timedelta(seconds=120): 0.2}


def test_connections_refused_and_handshakes_failed_are_errors_too() -> None:
    with in_process():
        world = InCloudWatch()
        names = {"TargetGroup": BLUE.split(":")[5], "LoadBalancer": "app/front/50dc6c495c0c9188"}
        world.record(BLUE, START, requests=10, errors=1)
        world.put("TargetConnectionErrorCount", 2, START, **names)
        world.put("TargetTLSNegotiationErrorCount", 3, START, **names)

        found = rows(world, 1)

    assert found == [(10, 6, None, None)]


# -- how GetMetricData is read -----------------------------------------------------


def cloudwatch() -> Any:
    return boto3.client("cloudwatch", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="a")  # noqa: S106


def a_page(
    series: dict[str, dict[int, float]], *, status: str = "Complete", following: str | None = None
) -> dict[str, Any]:
    page: dict[str, Any] = {
        "MetricDataResults": [
            {
                "Id": name,
                "Timestamps": [START + timedelta(seconds=60 * at) for at in values],
                "Values": list(values.values()),
                "StatusCode": status,
            }
            for name, values in series.items()
        ]
    }
    return {**page, "NextToken": following} if following else page


WHOLE: dict[str, dict[int, float]] = {
    "blue_requests": {0: 100.0, 1: 90.0},
    "blue_edge_5xx": {},
    "blue_edge_refused": {},
    "blue_edge_tls": {},
    "green_requests": {0: 10.0, 1: 9.0},
    "green_edge_5xx": {1: 2.0},
    "green_edge_refused": {1: 1.0},
    "green_edge_tls": {},
}


def read_from(*pages: dict[str, Any]) -> Any:
    client = cloudwatch()
    with Stubber(client) as stub:
        for page in pages:
            stub.add_response("get_metric_data", page)
        read = CloudWatchMetrics(client).read(EDGE, start=START, periods=2, period_seconds=60)
        stub.assert_no_pending_responses()
    return read


def test_all_pages_are_read_and_a_page_before_the_last_may_be_partial() -> None:
    first = {name: {at: value for at, value in values.items() if at == 0} for name, values in WHOLE.items()}
    second = {name: {at: value for at, value in values.items() if at == 1} for name, values in WHOLE.items()}

    read = read_from(a_page(first, status="PartialData", following="more"), a_page(second))

    assert read.faults == ()
    assert read.window.rows == ((100, 0, 10, 0), (90, 0, 9, 3))


@pytest.mark.parametrize("status", ["PartialData", "InternalError", "Forbidden"])
def test_an_answer_in_part_is_a_fault_and_counts_for_nothing(status: str) -> None:
    read = read_from(a_page(WHOLE, status=status))

    assert read.window.rows == ((None, None, None, None),) * 2
    assert f"CloudWatch says {status} of green requests" in read.faults


def test_a_series_that_is_not_answered_is_a_fault() -> None:
    read = read_from(a_page({name: values for name, values in WHOLE.items() if name != "blue_edge_5xx"}))

    assert read.faults == ("CloudWatch says nothing of blue edge 5xx",)
    assert read.window.rows == ((None, None, None, None),) * 2


def test_every_metric_of_the_table_of_signals_is_asked_for_of_both_colours() -> None:
    client = cloudwatch()
    asked: list[dict[str, Any]] = []
    client.meta.events.register(
        "provide-client-params.cloudwatch.GetMetricData",
        lambda params, **_: asked.extend(query["MetricStat"]["Metric"] for query in params["MetricDataQueries"]),
    )
    client.meta.events.register(
        "before-call.cloudwatch.GetMetricData",
        lambda **_: (SimpleNamespace(status_code=200), {"MetricDataResults": []}),
    )

    CloudWatchMetrics(client).read(EDGE, start=START, periods=1, period_seconds=60, slow_over=0.3)

    for signal in (each for each in SIGNALS if each.place is Place.EDGE or each.in_time is not None):
        for metric in (signal.errors, signal.requests, signal.in_time):
            if metric is None:
                continue
            found = [
                each for each in asked if (each["Namespace"], each["MetricName"]) == (metric.namespace, metric.name)
            ]
            names = [tuple(dimension["Name"] for dimension in each["Dimensions"]) for each in found]
            assert names == [metric.dimensions] * 2, signal.name


def test_all_series_are_asked_for_in_one_call() -> None:
    client = cloudwatch()
    with Stubber(client) as stub:
        stub.add_response(
            "get_metric_data",
            a_page(WHOLE),
            {"MetricDataQueries": [ANY] * 8, "StartTime": ANY, "EndTime": ANY, "ScanBy": ANY},
        )

        CloudWatchMetrics(client).read(EDGE, start=START, periods=2, period_seconds=60)

        stub.assert_no_pending_responses()


def test_percentiles_answered_in_part_are_asked_for_again() -> None:
    client = cloudwatch()
    with Stubber(client) as stub:
        stub.add_response("get_metric_data", a_page({"blue_p99": {0: 0.3}}, status="PartialData"))

        with pytest.raises(MetricsBusy, match="PartialData of blue p99"):
            CloudWatchMetrics(client).blue_p99(EDGE, start=START, end=START + timedelta(hours=1), period_seconds=60)


@pytest.mark.parametrize("code", ["Throttling", "ThrottlingException", "InternalServiceError"])
def test_a_throttled_cloudwatch_asks_for_patience(code: str) -> None:
    client = cloudwatch()
    with Stubber(client) as stub:
        stub.add_client_error("get_metric_data", code)
        stub.add_client_error("describe_alarms", code)

        with pytest.raises(MetricsBusy, match=code):
            CloudWatchMetrics(client).read(EDGE, start=START, periods=2, period_seconds=60)
        with pytest.raises(MetricsBusy, match=code):
            CloudWatchAlarms(client).states(["shop-errors"])


# -- alarms ------------------------------------------------------------------------


def memory_alarms() -> MemoryAlarms:
    return MemoryAlarms(
        {"rings": "ALARM", "calm": "OK", "blind": "INSUFFICIENT_DATA", "all": "ALARM", "other": "ALARM"}
    )


def cloudwatch_alarms() -> CloudWatchAlarms:
    client = boto3.client("cloudwatch", region_name="eu-west-1")
    _make(client, {"rings": "ALARM", "calm": "OK", "blind": "INSUFFICIENT_DATA", "other": "ALARM"})
    client.put_composite_alarm(AlarmName="all", AlarmRule='ALARM("rings")')
    client.set_alarm_state(AlarmName="all", StateValue="ALARM", StateReason="for a test")
    return CloudWatchAlarms(client)


def alarms_of_two_regions() -> CloudWatchAlarms:
    """Return alarms of which some are CloudFront's, and so in another Region; `calm` is in both, and calm at home."""
    home = boto3.client("cloudwatch", region_name="eu-west-1")
    cloudfronts = boto3.client("cloudwatch", region_name="us-east-1")
    _make(home, {"calm": "OK", "blind": "INSUFFICIENT_DATA"})
    _make(cloudfronts, {"rings": "ALARM", "calm": "ALARM", "other": "ALARM"})
    cloudfronts.put_composite_alarm(AlarmName="all", AlarmRule='ALARM("rings")')
    cloudfronts.set_alarm_state(AlarmName="all", StateValue="ALARM", StateReason="for a test")
    return CloudWatchAlarms(home, further=lambda: cloudfronts)


def _make(client: Any, alarms: dict[str, str]) -> None:
    for name, state in alarms.items():
        client.put_metric_alarm(
            AlarmName=name,
            Namespace="shop",
            MetricName=name,
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="ignore",  # so that the state stays as it is set
        )
        client.set_alarm_state(AlarmName=name, StateValue=state, StateReason="for a test")


ALARMS: dict[str, Callable[[], Alarms]] = {
    "memory": memory_alarms,
    "cloudwatch": cloudwatch_alarms,
    "cloudwatch of two regions": alarms_of_two_regions,
}


@pytest.fixture(params=ALARMS)
def alarms(request: pytest.FixtureRequest) -> Iterator[Alarms]:
    with nullcontext() if request.param == "memory" else in_process():
        yield ALARMS[request.param]()


def test_every_named_alarm_has_a_state_and_one_that_is_not_there_is_missing(alarms: Alarms) -> None:
    states = alarms.states(["calm", "gone", "blind", "rings", "all"])

    assert list(states.items()) == [
        ("calm", AlarmState.OK),
        ("gone", AlarmState.MISSING),
        ("blind", AlarmState.INSUFFICIENT_DATA),
        ("rings", AlarmState.ALARM),
        ("all", AlarmState.ALARM),
    ]


def test_only_the_named_alarms_that_ring_are_told(alarms: Alarms) -> None:
    assert alarms.in_alarm(["rings", "calm", "gone", "all"]) == {"rings", "all"}


def test_of_no_alarm_nothing_is_said(alarms: Alarms) -> None:
    assert alarms.states([]) == {}
    assert alarms.in_alarm([]) == frozenset()


def test_another_region_is_asked_only_for_what_this_one_does_not_have() -> None:
    asked: list[str] = []

    def further() -> None:
        asked.append("us-east-1")

    with in_process():
        client = boto3.client("cloudwatch", region_name="eu-west-1")
        _make(client, {"calm": "OK"})
        alarms = CloudWatchAlarms(client, further=further)

        assert alarms.states(["calm"]) == {"calm": AlarmState.OK}
        assert asked == []
        assert alarms.states(["calm", "gone"])["gone"] is AlarmState.MISSING
        assert asked == ["us-east-1"]


def test_more_alarms_than_one_call_takes_are_asked_for_in_parts() -> None:
    client = cloudwatch()
    names = [f"alarm-{number}" for number in range(150)]
    with Stubber(client) as stub:
        for part in (names[:100], names[100:]):
            stub.add_response(
                "describe_alarms",
                {"MetricAlarms": [{"AlarmName": name, "StateValue": "OK"} for name in part]},
                {"AlarmNames": part, "AlarmTypes": ANY},
            )

        states = CloudWatchAlarms(client).states(names)

    assert set(states.values()) == {AlarmState.OK}


# -- what CloudFront answered ----------------------------------------------------------------


def viewers_in_memory() -> ViewerMetrics:
    found = MemoryViewers()
    found.record("E2", START, requests=400, percent=2.5)
    found.record("E2", START + timedelta(minutes=2), requests=100)
    found.record("E1", START, requests=9_000, percent=50)
    return found


def viewers_in_cloudwatch() -> ViewerMetrics:
    client = boto3.client("cloudwatch", region_name="us-east-1")
    for name, distribution, minutes, value in (
        ("Requests", "E2", 0, 400),
        ("5xxErrorRate", "E2", 0, 2.5),
        ("Requests", "E2", 2, 100),
        ("Requests", "E1", 0, 9_000),
        ("5xxErrorRate", "E1", 0, 50),
    ):
        client.put_metric_data(
            Namespace="AWS/CloudFront",
            MetricData=[
                {
                    "MetricName": name,
                    "Dimensions": [
                        {"Name": "DistributionId", "Value": distribution},
                        {"Name": "Region", "Value": "Global"},
                    ],
                    "Timestamp": START + timedelta(minutes=minutes),
                    "Value": value,
                }
            ],
        )
    return CloudWatchViewers(lambda: client)


VIEWERS: dict[str, Callable[[], ViewerMetrics]] = {"memory": viewers_in_memory, "cloudwatch": viewers_in_cloudwatch}


@pytest.mark.parametrize("where", VIEWERS)
def test_what_users_of_a_distribution_were_answered_is_counted_by_period(where: str) -> None:
    with nullcontext() if where == "memory" else in_process():
        viewers = VIEWERS[where]()

        read = viewers.viewers("E2", start=START, periods=3, period_seconds=60)
        nothing = viewers.viewers("E2", start=START, periods=0, period_seconds=60)

    assert (read.rows, read.faults) == ((((400, 10), None, (100, 0)),), ())
    assert (nothing.rows, nothing.faults) == (((),), ())


def test_viewers_that_cannot_be_read_are_a_matter_of_patience() -> None:
    client = cloudwatch()
    with Stubber(client) as stub:
        stub.add_client_error("get_metric_data", service_error_code="Throttling")
        with pytest.raises(MetricsBusy):
            CloudWatchViewers(lambda: client).viewers("E2", start=START, periods=1, period_seconds=60)
    with pytest.raises(MetricsBusy):
        MemoryViewers(busy="throttled").viewers("E2", start=START, periods=1, period_seconds=60)


# -- the proxies' log ----------------------------------------------------------------


class LogsWorld(Protocol):
    @property
    def feed(self) -> ProxyLogs: ...

    def write(self, group: str, at: datetime, text: str) -> None: ...


class LinesInMemory:
    def __init__(self) -> None:
        self.feed = MemoryProxyLogs(GROUP)
        self.write = self.feed.write


class LinesInCloudWatch:
    def __init__(self) -> None:
        self.client = boto3.client("logs", region_name="eu-west-1")
        self.client.create_log_group(logGroupName=GROUP)
        self.feed = CloudWatchProxyLogs(self.client)
        self.streams = 0

    def write(self, group: str, at: datetime, text: str) -> None:
        self.streams += 1
        stream = f"proxy/web/{self.streams}"
        self.client.create_log_stream(logGroupName=group, logStreamName=stream)
        self.client.put_log_events(
            logGroupName=group,
            logStreamName=stream,
            logEvents=[{"timestamp": int(at.timestamp() * 1000), "message": text}],
        )


LOGS: dict[str, Callable[[], LogsWorld]] = {"memory": LinesInMemory, "cloudwatch": LinesInCloudWatch}
LINE = '{"cluster_name":"orders","upstream_url":"10.0.0.1:8080","action":"EJECT","enforced":true}'


@pytest.fixture(params=LOGS)
def logs(request: pytest.FixtureRequest) -> Iterator[LogsWorld]:
    with nullcontext() if request.param == "memory" else in_process():
        yield LOGS[request.param]()


def test_lines_of_every_stream_in_the_time_asked_for_are_read_with_their_time(logs: LogsWorld) -> None:
    for second in (-1, 0, 30):
        logs.write(GROUP, START + timedelta(seconds=second), LINE)
    logs.write(GROUP, START + timedelta(seconds=10), '{"response_code":200}')

    read = logs.feed.read(GROUP, since=START, until=START + timedelta(seconds=60))

    assert sorted(read.lines) == [(START, LINE), (START + timedelta(seconds=30), LINE)]
    assert read.faults == ()


def test_a_log_group_that_is_not_there_is_a_fault_and_no_empty_log(logs: LogsWorld) -> None:
    read = logs.feed.read("/crossfade/gone", since=START, until=START + timedelta(seconds=60))

    assert read.lines == ()
    assert read.faults == ("there is no log group /crossfade/gone, so ejections cannot be seen",)


def log_client() -> Any:
    return boto3.client("logs", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="a")  # noqa: S106


def test_an_empty_page_of_a_log_is_not_its_last() -> None:
    client = log_client()
    with Stubber(client) as stub:
        stub.add_response("filter_log_events", {"events": [], "nextToken": "more"})
        stub.add_response("filter_log_events", {"events": [{"timestamp": 1000, "message": LINE}]})

        read = CloudWatchProxyLogs(client).read(GROUP, since=START, until=START + timedelta(seconds=60))

        stub.assert_no_pending_responses()
    assert [line.text for line in read.lines] == [LINE]


def test_a_throttled_log_asks_for_patience() -> None:
    client = log_client()
    with Stubber(client) as stub:
        stub.add_client_error("filter_log_events", "ThrottlingException")

        with pytest.raises(LogsBusy):
            CloudWatchProxyLogs(client).read(GROUP, since=START, until=START)


def test_a_connection_that_is_cut_asks_for_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    client = cloudwatch()

    def cut(*_: object, **__: object) -> None:
        raise ConnectTimeoutError(endpoint_url="https://monitoring")

    monkeypatch.setattr(client._endpoint, "make_request", cut)

    with pytest.raises(MetricsBusy):
        CloudWatchMetrics(client).read(EDGE, start=START, periods=1, period_seconds=60)
