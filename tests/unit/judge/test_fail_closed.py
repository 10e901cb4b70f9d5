"""
No fault of what is measured promotes green: each ends in a hold or a rollback, and its reason is named.

The judge runs with its real adapters; CloudWatch, its alarms and its logs answer in AWS's
own shapes. One healthy rung is varied, fault by fault.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf, nan
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from crossfade.connect.ecs import EcsServices
from crossfade.errors import Fenced, PlanChanged
from crossfade.journal.memory import MemoryJournal
from crossfade.judge.action import Judged, JudgeRequest, judge_green
from crossfade.judge.cloudwatch import CloudWatchAlarms, CloudWatchMetrics
from crossfade.judge.logs import CloudWatchProxyLogs
from crossfade.judge.memory import MemoryLookMeter
from crossfade.judge.sight import Sight
from crossfade.judge.verdict import Answer
from crossfade.plan.document import Bounds, MigrationPlan
from crossfade.plan.edges import RungKind
from crossfade.plan.memory import MemoryPlanStore
from crossfade.plan.services import Call, ClientAlias, Endpoint, Tls
from crossfade.shift.action import RungRef
from tests.traffic import NOON, a_plan, a_record, an_edge

SETTLED = NOON.replace(microsecond=0)
MINUTES = 6
LOOKS = (0, 1, 5, 30, 240)
"""Minutes after the soak at which it is looked at; by the last, any hold is four hours old."""

HEALTHY = {
    "blue_p99": 0.3,
    "blue_requests": 900.0,
    "blue_edge_5xx": 1.0,
    "blue_edge_refused": None,
    "blue_edge_tls": None,
    "blue_in_time": 893.0,
    "green_requests": 300.0,
    "green_edge_5xx": None,
    "green_edge_refused": None,
    "green_edge_tls": None,
    "green_in_time": 298.0,
    "HTTPCode_Target_2XX_Count": 290.0,
    "HTTPCode_Target_3XX_Count": None,
    "HTTPCode_Target_4XX_Count": 9.0,
    "HTTPCode_Target_5XX_Count": 1.0,
    "TargetTLSNegotiationErrorCount": None,
    "RequestCount": 300.0,
    "AttemptErrors": 2.0,
    "GrpcRequestCount": 50.0,
    "GrpcErrors": None,
    "EnforcedEjections": None,
    "SuppressedEjections": None,
}
"""A minute's sums: at the edge by colour, and inside green by the metrics' own names."""

ORDERS = Endpoint(
    port_name="http",
    container_port=8080,
    discovery_name="orders-sc",
    client_alias=ClientAlias(dns_name="orders", port=80),
    app_protocol="http",
    tls=Tls(authority_arn="arn:aws:acm-pca:eu-west-1:1:certificate-authority/1"),
)
STOCK = ORDERS.model_copy(
    update={
        "discovery_name": "stock-sc",
        "client_alias": ClientAlias(dns_name="stock", port=80),
        "app_protocol": "grpc",
    }
)
WELL = {"web-green": (2, 2, "COMPLETED"), "orders-green": (2, 2, "COMPLETED")}
"""Green's services: tasks wanted, tasks that run, and how the newest deployment went."""


def a_plan_with_calls() -> MigrationPlan:
    plan = a_plan(bounds=Bounds(lost_data_seconds=180))
    [web] = plan.services
    orders = web.model_copy(
        update={
            "name": "orders",
            "green": web.green.model_copy(update={"service_name": "orders-green"}),
            "endpoints": (ORDERS, STOCK),
        }
    )
    calls = (Call(dns_name="orders", port=80, service="orders"), Call(dns_name="stock", port=80, service="orders"))
    return plan.model_copy(update={"services": (web.model_copy(update={"calls": calls}), orders)})


EJECTION = {
    "type": "CONSECUTIVE_5XX",
    "cluster_name": "orders",
    "upstream_url": "10.0.1.5:8080",
    "action": "EJECT",
    "enforced": True,
    "timestamp": "2026-11-22T12:02:00Z",
}

Value = Callable[[int], float | None]


def steady(value: float | None) -> Value:
    return lambda _: value


@dataclass
class Aws:
    """What AWS answers, and how it fails; minutes count from where the rung had settled."""

    series: dict[str, Value] = field(default_factory=lambda: {name: steady(value) for name, value in HEALTHY.items()})
    status: dict[str, str] = field(default_factory=dict)
    unanswered: set[str] = field(default_factory=set)
    skew: dict[str, int] = field(default_factory=dict)
    extra_timestamp: bool = False
    fails: dict[str, str] = field(default_factory=dict)
    fails_on_page_2: str = ""
    cut: set[str] = field(default_factory=set)
    alarms: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {"shop-errors": {"StateValue": "OK", "ActionsEnabled": True}}
    )
    composite: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    look_at: Callable[[datetime], datetime] = lambda at: at
    rung: dict[str, Any] = field(default_factory=dict)
    services: dict[str, tuple[int, int, str]] = field(default_factory=lambda: dict(WELL))
    _asked: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """Return a real client whose calls are answered here."""
        client: Any = boto3.client(service, region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="a")  # type: ignore[call-overload]  # noqa: S106
        client.meta.events.register(f"provide-client-params.{service}", self._remember)
        client.meta.events.register(f"before-call.{service}", self._answer)
        return client

    def _remember(self, params: dict[str, Any], **_: object) -> None:
        self._asked = params

    def _answer(self, model: Any, **_: object) -> tuple[Any, dict[str, Any]]:
        name = model.name
        if name in self.cut:
            raise ConnectTimeoutError(endpoint_url="https://aws")
        code = self.fails.get(name)
        if self.fails_on_page_2 and self._asked.get("NextToken"):
            code = self.fails_on_page_2
        if code:
            return SimpleNamespace(status_code=400), {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {}}
        return SimpleNamespace(status_code=200), getattr(self, f"_{name}")()

    def _GetMetricData(self) -> dict[str, Any]:  # noqa: N802 — AWS's names
        results = [
            {**self._series(_called(query)), "Id": query["Id"]}
            for query in self._asked["MetricDataQueries"]
            if _called(query) not in self.unanswered
        ]
        answer = {"MetricDataResults": results}
        return {**answer, "NextToken": "more"} if self.fails_on_page_2 else answer

    def _series(self, name: str) -> dict[str, Any]:
        first, last = (int((self._asked[end] - SETTLED).total_seconds()) // 60 for end in ("StartTime", "EndTime"))
        points = [(minute, value) for minute in range(first, last) if (value := self.series[name](minute)) is not None]
        late = timedelta(seconds=self.skew.get(name, 0))
        at = [SETTLED + timedelta(minutes=minute) + late for minute, _ in points]
        if self.extra_timestamp:
            at = [*at, SETTLED]
        status = self.status.get(name, "Complete")
        return {"Label": name, "Timestamps": at, "Values": [v for _, v in points], "StatusCode": status}

    def _DescribeServices(self) -> dict[str, Any]:  # noqa: N802
        arn = "arn:aws:ecs:eu-west-1:1:service/shop/"
        found = [
            {
                "serviceArn": arn + name,
                "serviceName": name,
                "status": "ACTIVE",
                "desiredCount": wanted,
                "runningCount": running,
                "taskDefinition": name,
                "deployments": [{"id": "1", "status": "PRIMARY", "rolloutState": rollout, "taskDefinition": name}],
            }
            for name, (wanted, running, rollout) in self.services.items()
        ]
        return {"services": [each for each in found if each["serviceName"] in self._asked["services"]]}

    def _DescribeAlarms(self) -> dict[str, Any]:  # noqa: N802
        def kept(alarms: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
            return [{"AlarmName": name, **alarm} for name, alarm in alarms.items() if name in self._asked["AlarmNames"]]

        return {"MetricAlarms": kept(self.alarms), "CompositeAlarms": kept(self.composite)}

    def _FilterLogEvents(self) -> dict[str, Any]:  # noqa: N802
        at = int((SETTLED + timedelta(minutes=2)).timestamp() * 1000)
        return {"events": [{"timestamp": at, "message": line} for line in self.log], "searchedLogStreams": []}


def _called(query: dict[str, Any]) -> str:
    """Return what a query asks for: by its own name at the edge, by the metric's inside green."""
    inside = query["Id"].startswith("inside_")
    return str(query["MetricStat"]["Metric"]["MetricName"] if inside else query["Id"])


def answers(aws: Aws, prepare: Callable[[MemoryJournal], MemoryPlanStore | None] | None = None) -> list[Judged]:
    """Look at every minute of LOOKS, and return what was answered until green was given back."""
    plans, journal = MemoryPlanStore(), MemoryJournal()
    ref = plans.put("plans", "shop.json", a_plan_with_calls())
    edge = an_edge()
    names = {
        "load_balancer_arn": "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/front/1",
        "blue_arn": "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/blue/1",
        "green_arn": "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/green/1",
    }
    edge = edge.model_copy(update={"resolved": edge.resolved.model_copy(update=names)})
    journal.open(a_record(plan=ref, opened_at=NOON - timedelta(hours=1)), [edge])
    if prepare:
        plans = prepare(journal) or plans
    cloudwatch, logs, ecs = aws.client("cloudwatch"), aws.client("logs"), aws.client("ecs")
    said: list[Judged] = []
    for look, minute in enumerate(LOOKS):
        request = JudgeRequest(
            migration="shop",
            fence=1,
            edge="web",
            rung=RungRef(
                **{"index": 0, "share_bp": 2_500, "kind": RungKind.CLIMB, "soak_seconds": 60 * MINUTES, **aws.rung}
            ),
            since=SETTLED,
            look=look,
        )
        said.append(
            judge_green(
                request,
                journal=journal,
                plans=plans,
                sight=Sight(
                    metrics=CloudWatchMetrics(cloudwatch),
                    proxy_logs=CloudWatchProxyLogs(logs),
                    alarms=CloudWatchAlarms(cloudwatch),
                    services=EcsServices(ecs),
                ),
                meter=MemoryLookMeter(),
                now=aws.look_at(SETTLED + timedelta(minutes=MINUTES + 1 + minute)),
            )
        )
        if said[-1].answer is Answer.ROLL_BACK:
            break
    return said


def test_without_a_fault_green_may_have_more() -> None:
    assert answers(Aws())[0].answer is Answer.ADVANCE


# -- the faults ----------------------------------------------------------------------


def every(*names: str, value: float | None) -> Callable[[Aws], None]:
    """These series hold this value, or no data, throughout."""
    return lambda aws: aws.series.update({name: steady(value) for name in names})


def from_minute(minute: int, *names: str, value: float | None) -> Callable[[Aws], None]:
    """These series hold this value from a minute of the rung on."""

    def change(aws: Aws) -> None:
        for name in names:
            before = aws.series[name]
            aws.series[name] = lambda at, before=before: value if at >= minute else before(at)  # type: ignore[misc]

    return change


def at_minute(minute: int, name: str, value: float | None) -> Callable[[Aws], None]:
    def change(aws: Aws) -> None:
        before = aws.series[name]
        aws.series[name] = lambda at: value if at == minute else before(at)

    return change


def with_(**changes: Any) -> Callable[[Aws], None]:
    def change(aws: Aws) -> None:
        for name, value in changes.items():
            setattr(aws, name, value)

    return change


def both(*changes: Callable[[Aws], None]) -> Callable[[Aws], None]:
    def change(aws: Aws) -> None:
        for each in changes:
            each(aws)

    return change


BOTH = ("blue_requests", "green_requests")
WATCHED = {"share_bp": 10_000, "kind": RungKind.WATCH}
ALONE = every("blue_requests", "blue_edge_5xx", "blue_in_time", value=None)
BACK, HOLD = Answer.ROLL_BACK, Answer.HOLD
ONCE = at_minute

FAULTS: dict[str, tuple[Callable[[Aws], None], Answer, str]] = {
    # what is not there
    "no data at all": (every(*HEALTHY, value=None), HOLD, "nothing to judge while traffic is absent"),
    "no data on green": (every("green_requests", value=None), BACK, "lost data: no requests counted on green"),
    "blue gone": (every("blue_requests", value=None), BACK, "lost data: no requests counted on blue"),
    "green went silent": (from_minute(4, "green_requests", value=None), BACK, "no requests counted on green"),
    "traffic moved away": (from_minute(4, *BOTH, value=None), HOLD, "nothing to judge while traffic is absent"),
    "zero traffic, published": (every(*BOTH, value=0.0), HOLD, "green served 0 of the 200 requests"),
    "renamed request metric": (every(*BOTH, value=None), HOLD, "nothing to judge while traffic is absent"),
    "renamed response times": (
        every("blue_in_time", "green_in_time", value=None),
        HOLD,
        "response times are lost, or blue is",
    ),
    "no response times before the climb, nor since": (
        every("blue_p99", value=None),
        HOLD,
        "blue's response times before the climb are not known",
    ),
    "wrong dimension on green": (
        every("green_requests", "green_in_time", value=None),
        BACK,
        "lost data: no requests counted on green",
    ),
    "green hardly served": (every("green_requests", "green_in_time", value=1.0), HOLD, "of the 200 requests needed"),
    # stale, early, skewed
    "stale since a minute": (ONCE(MINUTES - 1, "green_requests", None), HOLD, "no data on green in the period"),
    "half-filled bucket": (
        both(from_minute(MINUTES - 1, "green_requests", value=140.0), with_(look_at=lambda _: SETTLED)),
        HOLD,
        "no metric period has closed",
    ),
    "looked at before the lag is over": (
        with_(look_at=lambda _: SETTLED + timedelta(seconds=100)),
        HOLD,
        "no metric period has closed",
    ),
    "a clock that is behind": (
        with_(look_at=lambda at: at - timedelta(days=1)),
        HOLD,
        "no metric period has closed",
    ),
    "timestamps off by half a minute": (
        with_(skew=dict.fromkeys(HEALTHY, 30)),
        HOLD,
        "nothing to judge while traffic is absent",
    ),
    "green's timestamps off by half a minute": (
        with_(skew={"green_requests": 30}),
        BACK,
        "lost data: no requests counted on green",
    ),
    "only the future has data": (
        with_(skew=dict.fromkeys(HEALTHY, 86_400)),
        HOLD,
        "nothing to judge while traffic is absent",
    ),
    # numbers that are none
    "NaN requests": (every("green_requests", value=nan), BACK, "lost data: no requests counted on green"),
    "NaN errors": (every("green_edge_5xx", value=nan), BACK, "lost data: no requests counted on green"),
    "one NaN": (ONCE(MINUTES - 1, "green_edge_5xx", nan), HOLD, "no data on green in the period"),
    "NaN on blue": (every("blue_requests", value=nan), BACK, "lost data: no requests counted on blue"),
    "NaN response times": (every("green_in_time", value=nan), HOLD, "not yet shown to be slow within 5 % of blue"),
    "NaN percentiles": (every("blue_p99", value=nan), HOLD, "response times before the climb are not known"),
    "negative requests": (every("green_requests", value=-300.0), BACK, "lost data: no requests counted on green"),
    "negative errors": (every("green_edge_refused", value=-1.0), BACK, "lost data: no requests counted on green"),
    "a counter that was reset": (ONCE(MINUTES - 1, "green_requests", -2_700.0), HOLD, "no data on green"),
    "infinite requests": (every("green_requests", value=inf), BACK, "lost data: no requests counted on green"),
    "infinite errors": (every("green_edge_tls", value=inf), BACK, "lost data: no requests counted on green"),
    "requests per second instead of requests": (
        every("green_requests", "green_in_time", value=4.97),
        BACK,
        "lost data: no requests counted on green",
    ),
    "response times in milliseconds": (
        from_minute(0, "blue_in_time", "green_in_time", value=0.0),
        HOLD,
        "response times are lost, or blue is",
    ),
    "more errors than requests": (every("green_edge_5xx", value=3_000.0), BACK, "green is worse than blue"),
    "connections refused beside a 200 rate of 100 %": (
        every("green_edge_refused", value=60.0),
        BACK,
        "green is worse than blue",
    ),
    "handshakes failed": (every("green_edge_tls", value=60.0), BACK, "green is worse than blue"),
    "green never answers": (every("green_in_time", value=None), BACK, "green is slow more often than 3 times blue"),
    # answers in part, and none
    "metrics throttled": (with_(fails={"GetMetricData": "Throttling"}), BACK, "the metrics could not be read"),
    "metrics out of order": (with_(fails={"GetMetricData": "InternalServiceError"}), BACK, "could not be read"),
    "the second page throttled": (with_(fails_on_page_2="ThrottlingException"), BACK, "could not be read"),
    "metrics unreachable": (with_(cut={"GetMetricData"}), BACK, "GetMetricData: no answer"),
    "partial page": (with_(status={"green_requests": "PartialData"}), BACK, "PartialData of green requests"),
    "a series in error": (with_(status={"green_edge_5xx": "InternalError"}), BACK, "InternalError of green edge 5xx"),
    "a series forbidden": (with_(status={"blue_requests": "Forbidden"}), BACK, "Forbidden of blue requests"),
    "a series not answered": (with_(unanswered={"green_edge_5xx"}), BACK, "nothing of green edge 5xx"),
    "percentiles in part": (with_(status={"blue_p99": "PartialData"}), BACK, "PartialData of blue p99"),
    # alarms
    "alarm already in ALARM": (with_(alarms={"shop-errors": {"StateValue": "ALARM"}}), BACK, "in ALARM: shop-errors"),
    "alarm muted and in ALARM": (
        with_(alarms={"shop-errors": {"StateValue": "ALARM", "ActionsEnabled": False}}),
        BACK,
        "in ALARM: shop-errors",
    ),
    "composite alarm in ALARM": (
        with_(alarms={}, composite={"shop-errors": {"StateValue": "ALARM"}}),
        BACK,
        "in ALARM: shop-errors",
    ),
    "alarm deleted": (with_(alarms={}), BACK, "the alarm shop-errors does not exist"),
    "alarm renamed": (with_(alarms={"web-errors": {"StateValue": "OK"}}), BACK, "shop-errors does not exist"),
    "alarm with insufficient data": (
        with_(alarms={"shop-errors": {"StateValue": "INSUFFICIENT_DATA"}}),
        HOLD,
        "insufficient data for shop-errors",
    ),
    "alarms throttled": (with_(fails={"DescribeAlarms": "Throttling"}), BACK, "the alarms could not be read"),
    "alarms unreachable": (with_(cut={"DescribeAlarms"}), BACK, "DescribeAlarms: no answer"),
    # logs
    "log throttled": (with_(fails={"FilterLogEvents": "ThrottlingException"}), BACK, "log could not be read"),
    "log unreachable": (with_(cut={"FilterLogEvents"}), BACK, "FilterLogEvents: no answer"),
    "log group missing": (with_(fails={"FilterLogEvents": "ResourceNotFoundException"}), BACK, "there is no log group"),
    "repeated batch": (with_(log=[json.dumps(EJECTION)] * 3), BACK, "green's proxies ejected 1 task"),
    "an ejection among foreign lines": (
        with_(log=['{"upstream_url":', "GET / 200", json.dumps(EJECTION), '{"upstream_url": 5}']),
        BACK,
        "green's proxies ejected 1 task",
    ),
    # blue
    "an outage that blue shares": (
        both(from_minute(2, "blue_edge_5xx", value=200.0), from_minute(2, "green_edge_5xx", value=66.0)),
        HOLD,
        "blue itself failed 200 of 900 requests",
    ),
    # inside green
    "final 5xx that the edge does not show": (
        every("HTTPCode_Target_5XX_Count", value=30.0),
        BACK,
        "final_5xx of web-green to orders-sc is above 2 %",
    ),
    "attempts that retries hide": (every("AttemptErrors", value=60.0), BACK, "attempt_5xx of green is above 5 %"),
    "gRPC errors inside a 200": (every("GrpcErrors", value=20.0), BACK, "grpc_status of green is above 5 %"),
    "handshakes that fail between proxies": (
        every("TargetTLSNegotiationErrorCount", value=40.0),
        BACK,
        "connect_tls of web-green to orders-sc is above 2 %",
    ),
    "an ejection that was suppressed": (ONCE(2, "SuppressedEjections", 1.0), BACK, "suppressed ejection 1 times"),
    "an ejection that was rebuilt": (ONCE(2, "EnforcedEjections", 2.0), BACK, "enforced ejection 2 times in green"),
    "final 5xx in an outage that blue shares": (
        both(
            from_minute(2, "blue_edge_5xx", value=200.0),
            from_minute(2, "green_edge_5xx", value=66.0),
            from_minute(2, "HTTPCode_Target_5XX_Count", value=66.0),
            from_minute(2, "AttemptErrors", value=66.0),
            from_minute(2, "SuppressedEjections", value=1.0),
        ),
        HOLD,
        "blue itself failed 200 of 900 requests",
    ),
    "NaN inside green": (every("AttemptErrors", value=nan), BACK, "AttemptErrors inside green is no count"),
    "negative counts inside green": (
        ONCE(2, "HTTPCode_Target_2XX_Count", -1.0),
        BACK,
        "HTTPCode_Target_2XX_Count inside green is no count",
    ),
    "halves inside green": (every("RequestCount", value=0.5), BACK, "RequestCount inside green is no count"),
    "inside green in part": (
        with_(status={"AttemptErrors": "PartialData"}),
        BACK,
        "PartialData of AttemptErrors inside green",
    ),
    "inside green forbidden": (
        with_(status={"HTTPCode_Target_5XX_Count": "Forbidden"}),
        BACK,
        "Forbidden of HTTPCode_Target_5XX_Count inside green",
    ),
    "inside green not answered": (with_(unanswered={"RequestCount"}), BACK, "nothing of RequestCount inside green"),
    # green's services
    "too few tasks for too long": (
        with_(services={**WELL, "orders-green": (4, 3, "COMPLETED")}),
        BACK,
        "orders-green runs 3 of the 4 tasks that ECS wants",
    ),
    "no task at all, for a moment": (
        with_(services={**WELL, "orders-green": (2, 0, "IN_PROGRESS")}),
        HOLD,
        "orders-green runs 0 of the 2 tasks that ECS wants, for 0 s",
    ),
    "a deployment that failed": (
        with_(services={**WELL, "web-green": (2, 2, "FAILED")}),
        BACK,
        "the deployment of web-green failed: ECS gives no reason",
    ),
    "a green service that is gone": (
        with_(services={"web-green": (2, 2, "COMPLETED")}),
        BACK,
        "green service orders-green is not there",
    ),
    "services throttled": (with_(fails={"DescribeServices": "ThrottlingException"}), BACK, "could not be read"),
    "services unreachable": (with_(cut={"DescribeServices"}), BACK, "DescribeServices: no answer"),
    # without a live control
    "no data at 100 %": (
        both(every(*HEALTHY, value=None), every("blue_p99", value=0.3), with_(rung=WATCHED)),
        HOLD,
        "traffic is absent",
    ),
    "stale at 100 %": (
        both(ALONE, from_minute(5, "green_requests", value=None), with_(rung=WATCHED)),
        HOLD,
        "traffic is absent",
    ),
    "NaN at 100 %": (both(ALONE, every("green_requests", value=nan), with_(rung=WATCHED)), HOLD, "traffic is absent"),
    "throttled at 100 %": (with_(fails={"GetMetricData": "Throttling"}, rung=WATCHED), BACK, "could not be read"),
    "never answered at 100 %": (
        both(ALONE, every("green_in_time", value=None), with_(rung=WATCHED)),
        BACK,
        "green is slow more often than 6 %",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_promotes_and_each_names_its_reason(fault: str) -> None:
    break_, ends, reason = FAULTS[fault]
    aws = Aws()
    break_(aws)

    said = answers(aws)[: 1 if fault in _PASSING else None]

    assert Answer.ADVANCE not in {each.answer for each in said}
    assert said[-1].answer is ends
    assert any(reason in each.reason for each in said)


_PASSING = frozenset({"stale since a minute", "one NaN", "a counter that was reset", "no task at all, for a moment"})
"""Faults of one minute: the look in them holds, and once a whole soak came after them green may have more."""


def test_there_are_at_least_forty_faults() -> None:
    assert len(FAULTS) >= 40


# -- faults that end the climb by their name ----------------------------------------------


@pytest.mark.parametrize("operation", ["GetMetricData", "DescribeAlarms", "FilterLogEvents", "DescribeServices"])
def test_what_may_not_be_read_is_an_error_and_no_answer(operation: str) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        answers(Aws(fails={operation: "AccessDenied"}))


def test_values_without_timestamps_are_an_error_and_no_answer() -> None:
    with pytest.raises(ValueError, match="zip"):
        answers(Aws(extra_timestamp=True))


def test_a_plan_that_was_exchanged_is_an_error_and_no_answer() -> None:
    def exchange(journal: MemoryJournal) -> MemoryPlanStore:
        record, exchanged = journal.read("shop"), MemoryPlanStore()
        exchanged.put(record.plan.bucket, record.plan.key, a_plan(bounds=Bounds(alpha=0.9)))
        return exchanged

    with pytest.raises(PlanChanged):
        answers(Aws(), exchange)


def test_an_executor_that_was_overtaken_is_an_error_and_no_answer() -> None:
    def overtake(journal: MemoryJournal) -> None:
        journal.raise_fence("shop", seen=1, reason="an alarm", at=NOON)

    with pytest.raises(Fenced):
        answers(Aws(), overtake)
