"""What every adapter makes of a call that AWS throttles, fails itself, never answers, or refuses for good."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

import boto3
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from crossfade.connect.autoscaling import AutoScaling
from crossfade.connect.cloudmap import CloudMapNamespaces
from crossfade.connect.ecs import EcsBlues, EcsServices
from crossfade.connect.logs import CloudWatchLogGroups
from crossfade.errors import (
    EcsBusy,
    EdgeBusy,
    ExecutionsBusy,
    JournalBusy,
    LogsBusy,
    MetricsBusy,
    NoticesBusy,
    TryAgain,
)
from crossfade.events.eventbridge import EventBridgeSchedule
from crossfade.events.sqs import SqsUndelivered
from crossfade.executions.stepfunctions import StepFunctionsExecutions
from crossfade.journal.dynamodb import DynamoDbJournal
from crossfade.judge.cloudwatch import CloudWatchAlarms
from crossfade.judge.logs import CloudWatchProxyFeed, CloudWatchProxyLogs
from crossfade.plan.s3 import S3PlanStore
from crossfade.plan.store import PlanRef
from crossfade.preflight.ecs import EcsShiftedServices
from crossfade.preflight.elbv2 import Elbv2Tags
from crossfade.rollout.cloudwatch import CloudWatchGatheredAlarms
from crossfade.shift.elbv2 import busy
from crossfade.throttles import asking

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
MIGRATION = "shop"
A_SERVICE = "arn:aws:ecs:eu-west-1:111122223333:service/shop/web"
GROUP = "/shop/proxies"
URL = "https://green.example"
CUT_OFF = {
    "no connection": EndpointConnectionError(endpoint_url=URL),
    "no connection in time": ConnectTimeoutError(endpoint_url=URL),
    "a connection that closes": ConnectionClosedError(endpoint_url=URL),
    "no answer in time": ReadTimeoutError(endpoint_url=URL),
}


class Adapter(NamedTuple):
    """One call of an adapter, the service it asks, and the error that the state machines know."""

    service: str
    busy: type[TryAgain]
    call: Callable[[Any], object]


def _described(client: Any) -> object:
    with busy("edge web"):
        return client.describe_rules()


ADAPTERS = {
    "AutoScaling": Adapter("application-autoscaling", EcsBusy, lambda client: AutoScaling(client).found("shop", "web")),
    "CloudMapNamespaces": Adapter(
        "servicediscovery", EcsBusy, lambda client: CloudMapNamespaces(client).ensure("shop", {})
    ),
    "CloudWatchAlarms": Adapter("cloudwatch", MetricsBusy, lambda client: CloudWatchAlarms(client).states(["bell"])),
    "CloudWatchGatheredAlarms": Adapter(
        "cloudwatch", MetricsBusy, lambda client: CloudWatchGatheredAlarms(client).members("bell")
    ),
    "CloudWatchLogGroups": Adapter("logs", EcsBusy, lambda client: CloudWatchLogGroups(client).ensure(GROUP, {})),
    "CloudWatchProxyFeed": Adapter(
        "logs",
        EcsBusy,
        lambda client: CloudWatchProxyFeed(client, client, function="on_proxy_log").subscribe(GROUP, MIGRATION),
    ),
    "CloudWatchProxyLogs": Adapter(
        "logs", LogsBusy, lambda client: CloudWatchProxyLogs(client).read(GROUP, since=NOON, until=NOON)
    ),
    "DynamoDbJournal": Adapter(
        "dynamodb", JournalBusy, lambda client: DynamoDbJournal(client, "table").read(MIGRATION)
    ),
    "EcsBlues": Adapter("ecs", EcsBusy, lambda client: EcsBlues(client).tasks("shop", "web")),
    "EcsServices": Adapter("ecs", EcsBusy, lambda client: EcsServices(client).describe("shop", "web")),
    "EcsShiftedServices": Adapter("ecs", EcsBusy, lambda client: EcsShiftedServices(client).that_shift("shop")),
    "Elbv2Tags": Adapter("elbv2", EcsBusy, lambda client: Elbv2Tags(client).tags([A_SERVICE])),
    "EventBridgeSchedule": Adapter("events", NoticesBusy, lambda client: EventBridgeSchedule(client, "watch").enable()),
    "S3PlanStore": Adapter(
        "s3",
        JournalBusy,
        lambda client: S3PlanStore(client).get(PlanRef(bucket="plans", key="plan.json", sha256="0" * 64)),
    ),
    "SqsUndelivered": Adapter("sqs", NoticesBusy, lambda client: SqsUndelivered(client, URL).count()),
    "StepFunctionsExecutions": Adapter(
        "stepfunctions", ExecutionsBusy, lambda client: StepFunctionsExecutions(client, A_SERVICE).status(A_SERVICE)
    ),
    "the shifters": Adapter("elbv2", EdgeBusy, _described),
}


def refusal(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "DescribeRules",
    )


@cache
def client_of(service: str) -> Any:
    return boto3.client(
        service,  # type: ignore[call-overload]
        region_name="eu-west-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",  # noqa: S106 -- nothing is sent
    )


@contextmanager
def failing(service: str, failure: Exception) -> Iterator[Any]:
    """Yield a client whose every call ends in `failure`, before anything is sent."""

    def fail(**_: object) -> None:
        raise failure

    client = client_of(service)
    client.meta.events.register("before-call.*", fail)
    yield client
    client.meta.events.unregister("before-call.*", fail)


@pytest.mark.parametrize("adapter", ADAPTERS.values(), ids=list(ADAPTERS))
@pytest.mark.parametrize("failure", [*CUT_OFF.values(), refusal("ThrottlingException")], ids=[*CUT_OFF, "throttled"])
def test_an_adapter_names_its_own_error_for_what_a_later_attempt_may_mend(adapter: Adapter, failure: Exception) -> None:
    with failing(adapter.service, failure) as client, pytest.raises(adapter.busy) as said:
        adapter.call(client)

    assert said.value.__cause__ is failure


@pytest.mark.parametrize("failure", CUT_OFF.values(), ids=list(CUT_OFF))
def test_a_call_without_an_answer_is_told_with_its_name_and_how_it_was_cut_off(failure: Exception) -> None:
    with pytest.raises(MetricsBusy) as said, asking("GetMetricData", MetricsBusy):
        raise failure

    assert str(said.value) == f"GetMetricData: no answer: {failure}"


@pytest.mark.parametrize(
    ("code", "status"),
    [("Throttling", 400), ("TooManyRequestsException", 429), ("RequestLimitExceeded", 400), ("InternalFailure", 500)],
)
def test_a_throttled_call_is_told_with_its_name_and_aws_own_code(code: str, status: int) -> None:
    with pytest.raises(LogsBusy) as said, asking("FilterLogEvents", LogsBusy):
        raise refusal(code, status)

    assert str(said.value) == f"FilterLogEvents: {code}"


def test_a_fault_of_aws_own_is_worth_a_later_attempt_whatever_it_is_called() -> None:
    with pytest.raises(EcsBusy), asking("DescribeServices", EcsBusy):
        raise refusal("NeverHeardOf", 503)


def test_a_service_may_have_a_spelling_of_its_own_for_being_busy() -> None:
    own = "ConcurrentUpdateException"

    with pytest.raises(EcsBusy), asking("PutScalingPolicy", EcsBusy, also={own}):
        raise refusal(own)
    with pytest.raises(ClientError), asking("PutScalingPolicy", EcsBusy):
        raise refusal(own)


@pytest.mark.parametrize("code", ["AccessDenied", "ValidationError", "ClusterNotFoundException"])
def test_what_aws_would_refuse_again_leaves_unchanged(code: str) -> None:
    refused = refusal(code)

    with pytest.raises(ClientError) as said, asking("DescribeServices", EcsBusy):
        raise refused

    assert said.value is refused


def test_an_answer_passes() -> None:
    with asking("DescribeServices", EcsBusy):
        answer = "answer"

    assert answer == "answer"
