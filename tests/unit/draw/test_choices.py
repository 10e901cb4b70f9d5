"""What the drawing chooses where nobody says otherwise: green's namespace and names, and who works unasked."""

from __future__ import annotations

from typing import Any

import pytest

from crossfade.draw.options import DrawOptions
from crossfade.errors import BadInput
from crossfade.plan.document import MigrationPlan, NamespacePlan
from tests.meshes import a_node, a_service, drawn, two_services

SHARED = "arn:aws:servicediscovery:eu-west-1:222222222222:namespace/ns-abc"


@pytest.mark.parametrize(
    ("said", "namespace"),
    [
        (None, NamespacePlan(name="m-sc")),
        ("shop", NamespacePlan(name="shop")),
        (SHARED, NamespacePlan(name="ns-abc", arn=SHARED)),
    ],
)
def test_green_meets_in_a_namespace_of_its_own_unless_told_otherwise(
    said: str | None, namespace: NamespacePlan
) -> None:
    assert drawn(two_services(), options=DrawOptions(namespace=said)).namespace == namespace


def test_calls_that_cross_two_namespaces_meet_in_one_and_that_is_said() -> None:
    elsewhere = {"AWSCloudMap": {"NamespaceName": "other.local", "ServiceName": "api"}}

    plan = drawn({**two_services(), **a_node("api", ServiceDiscovery=elsewhere)})

    assert plan.namespace == NamespacePlan(name="m-sc")
    assert "NAMESPACE_MERGE" in {each.id for each in plan.gaps}


def test_a_name_that_another_service_has_is_not_given_to_green() -> None:
    taken = {**two_services(), **a_node("web-sc"), **a_service("web-sc")}

    with pytest.raises(BadInput, match="green's web would be called web-sc"):
        drawn(taken)

    assert (
        drawn(taken, options=DrawOptions(green_name="{service}-next")).service("web").green.service_name == "web-next"
    )


def work_of(plan: MigrationPlan, name: str) -> str:
    background = plan.service(name).background
    return background.why if background else ""


@pytest.mark.parametrize(
    ("environment", "is_evidence"),
    [
        ({"ORDERS_QUEUE": "orders"}, True),
        ({"KINESIS_STREAM": "clicks"}, True),
        ({"KAFKA_BROKERS": "b-1:9092"}, True),
        ({"UPSTREAM": "http://api.m.local:8080"}, False),
        ({"INBOX": "https://sqs.eu-west-1.amazonaws.com/1/orders"}, True),
        ({"EVENTS": "arn:aws:kinesis:eu-west-1:1:stream/clicks"}, True),
        ({"BROKER_URL": "amqps://broker:5671"}, True),
        ({"BROKER_URL": "https://broker:8443"}, False),
    ],
)
def test_a_queue_or_stream_in_the_environment_is_evidence_of_work(
    environment: dict[str, str], *, is_evidence: bool
) -> None:
    plan = drawn({**two_services(), **a_service("api", environment=environment)})

    assert ("queue or stream" in work_of(plan, "api")) is is_evidence


@pytest.mark.parametrize(
    ("name", "is_scheduler"),
    [("nightly-cron", True), ("scheduler", True), ("celery-beat", True), ("heartbeats", False)],
)
def test_a_name_tells_of_a_schedule(name: str, *, is_scheduler: bool) -> None:
    plan = drawn({**two_services(), **a_node(name), **a_service(name)})

    assert ("to a schedule" in work_of(plan, name)) is is_scheduler


@pytest.mark.parametrize(("desired", "maximum", "is_alone"), [(1, 100, True), (1, 200, False), (2, 100, False)])
def test_one_task_that_is_never_two_at_once_is_alone_on_purpose(desired: int, maximum: int, *, is_alone: bool) -> None:
    more: dict[str, Any] = {"DesiredCount": desired, "DeploymentConfiguration": {"MaximumPercent": maximum}}

    plan = drawn({**two_services(), **a_service("api", **more)})

    assert ("never run twice" in work_of(plan, "api")) is is_alone
