"""EventBridge of the embedded AWS, in both modes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from rehearsal.aws.events import emit, transformed
from tests.rehearsal.aws.lab import MODES, Lab, labs, until

DEPLOYMENT = "ECS Deployment State Change"
LOG = "import json\ndef handler(event, context):\n    print(json.dumps(event))\n"


@pytest.fixture(scope="module", params=MODES)
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    yield from labs(request.param)


def pattern(source: str) -> dict[str, Any]:
    return {"source": [source], "detail-type": [DEPLOYMENT]}


def tell(source: str, name: str = "SERVICE_DEPLOYMENT_COMPLETED") -> None:
    emit(source, DEPLOYMENT, {"eventName": name}, ["arn:aws:ecs:eu-west-1:123456789012:service/shop/web"])


def heard(lab: Lab, group: str) -> list[dict[str, Any]]:
    """Wait until a function has logged an event, and return what it logged."""

    def look() -> list[dict[str, Any]]:
        groups = lab.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        if not groups:
            return []
        events = lab.client("logs").filter_log_events(logGroupName=group)["events"]
        return [json.loads(event["message"]) for event in events if event["message"].startswith("{")]

    return until(look)


# -- targets ------------------------------------------------------------------


def test_an_event_reaches_a_function_whole(lab: Lab) -> None:
    function, source = lab.function(LOG), lab.name("source")
    lab.rule(pattern(source), {"Id": "function", "Arn": function})

    tell(source)

    [event] = heard(lab, f"/aws/lambda/{function.rpartition(':')[2]}")
    assert (event["source"], event["detail-type"], event["region"]) == (source, DEPLOYMENT, "eu-west-1")
    assert event["detail"] == {"eventName": "SERVICE_DEPLOYMENT_COMPLETED"}
    assert event["resources"] == ["arn:aws:ecs:eu-west-1:123456789012:service/shop/web"]
    assert set(event) == {
        "version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail",
    }  # fmt: skip


def test_an_event_starts_an_execution(lab: Lab) -> None:
    machine = lab.machine({"Say": {"Type": "Pass", "End": True}})
    source = lab.name("source")
    lab.rule(pattern(source), {"Id": "machine", "Arn": machine, "RoleArn": lab.role})

    tell(source)

    sfn = lab.client("stepfunctions")
    [execution] = until(lambda: sfn.list_executions(stateMachineArn=machine)["executions"])
    said = lab.ended(execution["executionArn"])
    assert json.loads(said["output"])["detail"] == {"eventName": "SERVICE_DEPLOYMENT_COMPLETED"}


def test_an_event_reaches_topic_log_group_and_other_bus(lab: Lab) -> None:
    source, url = lab.name("source"), lab.hear(pattern(lab.name("unheard")))
    topic = lab.client("sns").create_topic(Name=lab.name("topic"))["TopicArn"]
    url, queue = lab.queue()
    lab.client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"}
    )
    group = lab.name("group")
    lab.client("logs").create_log_group(logGroupName=group)
    bus = lab.client("events").create_event_bus(Name=lab.name("bus"))["EventBusArn"]
    beyond_url, beyond = lab.queue()
    rule = lab.name("rule")
    bus_name = bus.rpartition("/")[2]
    lab.client("events").put_rule(Name=rule, EventBusName=bus_name, EventPattern=json.dumps(pattern(source)))
    lab.client("events").put_targets(Rule=rule, EventBusName=bus_name, Targets=[{"Id": "queue", "Arn": beyond}])
    lab.rule(
        pattern(source),
        {"Id": "topic", "Arn": topic},
        {"Id": "logs", "Arn": f"arn:aws:logs:eu-west-1:123456789012:log-group:{group}"},
        {"Id": "bus", "Arn": bus, "RoleArn": lab.role},
    )

    tell(source)

    sources = [json.loads(lab.messages(where, 1)[0])["source"] for where in (url, beyond_url)]
    assert sources == [source, source]
    assert heard(lab, group)[0]["source"] == source


def test_an_event_passed_on_to_another_regions_bus_says_still_where_it_happened(lab: Lab) -> None:
    name, elsewhere = lab.name("alarm"), lab.aws.client("events", "us-east-1")
    url = lab.hear(
        {"source": ["aws.cloudwatch"], "region": [{"anything-but": "eu-west-1"}], "detail": {"name": [name]}}
    )
    elsewhere.put_rule(Name=name, EventPattern=json.dumps({"detail": {"name": [name]}}))
    bus = "arn:aws:events:eu-west-1:123456789012:event-bus/default"
    elsewhere.put_targets(Rule=name, Targets=[{"Id": "home", "Arn": bus, "RoleArn": lab.role}])

    emit("aws.cloudwatch", "CloudWatch Alarm State Change", {"name": name}, ["alarm"], region="us-east-1")

    [told] = [json.loads(body) for body in lab.messages(url, 1)]
    assert (told["region"], told["detail"], told["resources"]) == ("us-east-1", {"name": name}, ["alarm"])


def test_put_events_takes_the_same_way(lab: Lab) -> None:
    url = lab.hear({"source": ["crossfade"], "detail": {"migration": ["m-1"]}})
    entries = [
        {"Source": "crossfade", "DetailType": "TrafficShifted", "Detail": json.dumps({"migration": migration})}
        for migration in ("m-0", "m-1")
    ]

    answer = lab.client("events").put_events(Entries=entries)

    assert answer["FailedEntryCount"] == 0
    assert [json.loads(body)["detail"] for body in lab.messages(url, 1)] == [{"migration": "m-1"}]


def test_a_disabled_rule_delivers_nothing(lab: Lab) -> None:
    source = lab.name("source")
    disabled_url, disabled = lab.queue()
    lab.rule(pattern(source), {"Id": "queue", "Arn": disabled}, State="DISABLED")
    url = lab.hear(pattern(source))

    tell(source)

    lab.messages(url, 1)
    assert "Messages" not in lab.client("sqs").receive_message(QueueUrl=disabled_url)


# -- failures -----------------------------------------------------------------


def test_what_cannot_be_delivered_goes_to_the_dead_letter_queue(lab: Lab) -> None:
    url, queue = lab.queue()
    source = lab.name("source")
    gone = "arn:aws:lambda:eu-west-1:123456789012:function:gone"
    policy = {"MaximumRetryAttempts": 1, "MaximumEventAgeInSeconds": 60}
    target = {"Id": "gone", "Arn": gone, "RetryPolicy": policy, "DeadLetterConfig": {"Arn": queue}}
    lab.rule(pattern(source), target)

    tell(source)

    sqs = lab.client("sqs")
    asked = {"QueueUrl": url, "MessageAttributeNames": ["All"]}
    [message] = until(lambda: sqs.receive_message(**asked).get("Messages"))
    said = {key: value["StringValue"] for key, value in message["MessageAttributes"].items()}
    assert json.loads(message["Body"])["source"] == source
    assert (said["TARGET_ARN"], said["ERROR_CODE"]) == (gone, "ResourceNotFoundException")
    assert said["RETRY_ATTEMPTS"] == "1"


def test_a_target_that_recovers_gets_its_event(lab: Lab) -> None:
    function, source = lab.function(LOG), lab.name("source")
    lab.rule(pattern(source), {"Id": "function", "Arn": function})

    def refused(call: Any) -> None:
        raise call.error("ResourceNotReadyException", "not yet")

    lab.aws.faults.before_call("lambda", "Invoke", refused, times=2)
    tell(source)

    assert heard(lab, f"/aws/lambda/{function.rpartition(':')[2]}")[0]["source"] == source


# -- what a test may order ----------------------------------------------------


def test_a_lost_event_reaches_nobody_and_the_next_one_does(lab: Lab) -> None:
    source = lab.name("source")
    url = lab.hear(pattern(source))
    lab.aws.events.lose(DEPLOYMENT, times=1)

    tell(source, "first")
    until(lambda: not lab.aws.events._orders[DEPLOYMENT])
    tell(source, "second")

    assert [json.loads(body)["detail"]["eventName"] for body in lab.messages(url, 1)] == ["second"]


def test_a_duplicated_event_arrives_twice(lab: Lab) -> None:
    source = lab.name("source")
    url = lab.hear(pattern(source))
    lab.aws.events.duplicate(DEPLOYMENT)

    tell(source)

    assert [json.loads(body)["source"] for body in lab.messages(url, 2)] == [source, source]


# -- schedules and transformers -----------------------------------------------


def test_a_schedule_that_would_never_fire_is_refused(lab: Lab) -> None:
    events = lab.client("events")

    with pytest.raises(events.exceptions.ClientError, match="only rate"):
        events.put_rule(Name="nightly", ScheduleExpression="cron(0 3 * * ? *)")


EVENT = {
    "detail-type": DEPLOYMENT,
    "source": "aws.ecs",
    "time": "2026-11-22T12:00:00Z",
    "resources": ["arn:one", "arn:two"],
    "detail": {"reason": 'a "quoted" word', "count": 2},
}


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ({"Input": '{"constant":1}'}, '{"constant":1}'),
        ({"InputPath": "$.detail.count"}, "2"),
        ({"InputPath": "$.resources[1]"}, '"arn:two"'),
        (
            {"InputTransformer": {"InputPathsMap": {"n": "$.detail.count"}, "InputTemplate": '{"n": <n>, "s": "<n>"}'}},
            '{"n": 2, "s": "2"}',
        ),
        (
            {"InputTransformer": {"InputPathsMap": {"r": "$.detail.reason"}, "InputTemplate": '"because: <r>"'}},
            '"because: a \\"quoted\\" word"',
        ),
        ({"InputTransformer": {"InputTemplate": '{"rule": "<aws.events.rule-name>"}'}}, '{"rule": "watch"}'),
    ],
)
def test_a_target_gets_the_text_it_asked_for(target: dict[str, Any], text: str) -> None:
    assert transformed(target, EVENT, "arn:aws:events:eu-west-1:123456789012:rule/watch") == text
