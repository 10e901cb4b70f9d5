"""
EventBridge: what happens in the embedded AWS reaches a bus, and from there the targets of its rules.

moto keeps buses, rules and patterns; delivery is made here. It is asynchronous and at least once, in no
promised order. A delivery that fails is tried again as the target's RetryPolicy says, then goes to its
dead-letter queue. A test may lose, duplicate or delay events by their detail type:

    aws.events.lose("ECS Deployment State Change", times=1)

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html and
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError
from moto.events.models import EventsBackend, Rule, events_backends

from rehearsal.aws.clock import clock, every, later, soon
from rehearsal.aws.registry import ACCOUNT, Call, on_reset, operation
from rehearsal.aws.wire import wire

_FIRST_RETRY_SECONDS = 0.2  # doubled each time, at most _SLOWEST_RETRY_SECONDS
_SLOWEST_RETRY_SECONDS = 10.0
_MOST_RETRIES = 185  # AWS's default
_OLDEST_SECONDS = 86_400  # AWS's default
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_SECONDS_OF = {"minute": 60, "hour": 3600, "day": 86_400}
_PLACEHOLDER = re.compile(r"<([A-Za-z0-9._-]+)>")

JsonObject = dict[str, Any]
Order: TypeAlias = tuple[str, float]  # lose, duplicate or delay; copies or seconds


def emit(source: str, detail_type: str, detail: JsonObject, resources: list[str], *, region: str | None = None) -> None:
    """Put an event of an AWS service on the default bus; delivery is asynchronous and at least once."""
    entry = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail), "Resources": resources}
    where = region or wire.region
    soon(lambda: events_backends[ACCOUNT][where].put_events([entry]))


# -- what a test may order ----------------------------------------------------


class EventOrders:
    """
    Events to be lost, duplicated or delayed, by detail type; each order is for so many events.

    `decide` sees every event, as PutEvents takes it, and may answer an order for this one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: dict[str, list[Order]] = {}
        self.decide: Callable[[JsonObject], Order | None] = lambda _: None

    def lose(self, detail_type: str, *, times: int = 1) -> None:
        """Let the next events of this type reach nobody."""
        self._order(detail_type, ("lose", 0), times)

    def duplicate(self, detail_type: str, *, times: int = 1, copies: int = 2) -> None:
        """Let the next events of this type arrive so many times."""
        self._order(detail_type, ("duplicate", copies), times)

    def delay(self, detail_type: str, seconds: float, *, times: int = 1) -> None:
        """Let the next events of this type arrive so many seconds late, behind those that come after them."""
        self._order(detail_type, ("delay", seconds), times)

    def clear(self) -> None:
        """Forget every order."""
        with self._lock:
            self._orders.clear()

    def next(self, event: JsonObject) -> Order | None:
        """Take the order for this event: what `decide` says of it, or else the next for its type."""
        decided = self.decide(event)
        if decided is not None:
            return decided
        with self._lock:
            orders = self._orders.get(str(event.get("DetailType")))
            return orders.pop(0) if orders else None

    def _order(self, detail_type: str, order: Order, times: int) -> None:
        with self._lock:
            self._orders.setdefault(detail_type, []).extend([order] * times)


orders = EventOrders()
on_reset(orders.clear)

_moto_put_events = EventsBackend.put_events


def _put_events(backend: Any, events: list[JsonObject]) -> Any:
    now, spared = [], [dict(event) for event in events]
    for event in spared:
        what, amount = orders.next(event) or ("", 0.0)
        if what == "delay":
            later(amount, partial(_moto_put_events, backend, [event]))
        elif what != "lose":
            now.extend([event] * (int(amount) if what == "duplicate" else 1))
    _moto_put_events(backend, now)
    return [{"EventId": str(uuid.uuid4())} for _ in events]


# -- delivering ---------------------------------------------------------------


def _send_to_targets(rule: Any, event: JsonObject, transform_input: bool = True) -> None:  # noqa: ARG001, FBT001, FBT002
    if rule.state == "DISABLED" or not rule.event_pattern.get_pattern():
        return
    if not rule.event_pattern.matches_event(event):
        return
    _send(rule, _envelope(event, rule.account_id, event.get("region") or rule.region_name))


def _send(rule: Any, envelope: JsonObject) -> None:
    for target in [dict(target) for target in rule.targets]:
        payload = transformed(target, envelope, rule.arn)
        soon(_delivery(rule.arn, target, payload, envelope))


def _delivery(
    rule_arn: str, target: JsonObject, payload: str, envelope: JsonObject, tried: int = 0
) -> Callable[[], None]:
    born = clock.monotonic()

    def deliver() -> None:
        try:
            _put(target, payload, envelope)
        except (ClientError, BotoCoreError) as failed:
            policy = target.get("RetryPolicy", {})
            most = policy.get("MaximumRetryAttempts", _MOST_RETRIES)
            oldest = policy.get("MaximumEventAgeInSeconds", _OLDEST_SECONDS)
            if tried < most and clock.monotonic() - born < oldest:
                wait = min(_FIRST_RETRY_SECONDS * 2**tried, _SLOWEST_RETRY_SECONDS)
                later(wait, _delivery(rule_arn, target, payload, envelope, tried + 1))
                return
            queue = target.get("DeadLetterConfig", {}).get("Arn")
            if queue:
                _put_dead_letter(queue, payload, rule_arn, target_arn=target["Arn"], failed=failed, tried=tried)

    return deliver


def _put(target: JsonObject, payload: str, envelope: JsonObject) -> None:
    arn = target["Arn"]
    _, _, service, region, _, name = arn.split(":", 5)
    client = wire.client
    if service == "lambda":
        client("lambda", region).invoke(FunctionName=arn, InvocationType="Event", Payload=payload.encode())
    elif service == "states":
        client("stepfunctions", region).start_execution(stateMachineArn=arn, input=payload)
    elif service == "sns":
        client("sns", region).publish(TopicArn=arn, Message=payload)
    elif service == "sqs":
        group = target.get("SqsParameters", {}).get("MessageGroupId")
        extra = {"MessageGroupId": group, "MessageDeduplicationId": str(uuid.uuid4())} if group else {}
        url = client("sqs", region).get_queue_url(QueueName=name)["QueueUrl"]
        client("sqs", region).send_message(QueueUrl=url, MessageBody=payload, **extra)
    elif service == "logs":
        group_name, stream = name.removeprefix("log-group:").removesuffix(":*"), str(uuid.uuid4())
        client("logs", region).create_log_stream(logGroupName=group_name, logStreamName=stream)
        said = [{"timestamp": int(clock.time() * 1000), "message": payload}]
        client("logs", region).put_log_events(logGroupName=group_name, logStreamName=stream, logEvents=said)
    elif service == "events":
        _pass_on(envelope, region, bus=name.removeprefix("event-bus/"))
    else:
        raise NotImplementedError(f"EventBridge target {arn}")


def _pass_on(envelope: JsonObject, region: str, *, bus: str) -> None:
    """Put an event on another bus as it is: it keeps its id, and says still in which Region it happened."""
    at = datetime.strptime(envelope["time"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    for rule in list(events_backends[ACCOUNT][region].describe_event_bus(bus).rules.values()):
        _send_to_targets(rule, {**envelope, "time": at})


def _put_dead_letter(
    queue: str, payload: str, rule_arn: str, *, target_arn: str, failed: Exception, tried: int
) -> None:
    code = failed.response["Error"]["Code"] if isinstance(failed, ClientError) else type(failed).__name__
    told = {
        "RULE_ARN": rule_arn,
        "TARGET_ARN": target_arn,
        "ERROR_CODE": code,
        "ERROR_MESSAGE": str(failed),
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
        "RETRY_ATTEMPTS": str(tried),
    }
    _send_message(queue, payload, {key: {"DataType": "String", "StringValue": value} for key, value in told.items()})


def deliver_failure(destination: str, payload: str) -> None:
    """Hand the record of a failed background invocation to its destination: a queue, a topic or a bus."""
    service = destination.split(":")[2]
    if service == "sqs":
        _send_message(destination, payload, {})
    else:
        envelope = {"source": "lambda", "detail-type": "Lambda Function Invocation Result - Failure", "resources": []}
        _put({"Arn": destination}, payload, {**envelope, "detail": json.loads(payload)})


def _send_message(queue: str, body: str, attributes: JsonObject) -> None:
    _, _, _, region, _, name = queue.split(":", 5)
    url = wire.client("sqs", region).get_queue_url(QueueName=name)["QueueUrl"]
    wire.client("sqs", region).send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)


# -- what a target gets -------------------------------------------------------


def _envelope(event: JsonObject, account: str, region: str) -> JsonObject:
    moment = event.get("time")
    at = datetime.fromtimestamp(moment, UTC) if isinstance(moment, (int, float)) else clock.now()
    return {
        "version": "0",
        "id": event["id"],
        "detail-type": event["detail-type"],
        "source": event["source"],
        "account": account,
        "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": event.get("resources") or [],
        "detail": event["detail"],
    }


def transformed(target: JsonObject, envelope: JsonObject, rule_arn: str) -> str:
    """Return the text a target gets: the event, a constant, a part of it, or what its InputTransformer makes."""
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        return json.dumps(_at(target["InputPath"], envelope))
    transformer = target.get("InputTransformer")
    if transformer is None:
        return json.dumps(envelope)
    values = {name: _at(path, envelope) for name, path in transformer.get("InputPathsMap", {}).items()}
    values |= {
        "aws.events.event.json": envelope,
        "aws.events.event": {key: value for key, value in envelope.items() if key != "detail"},
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_arn.rpartition("/")[2],
        "aws.events.event.ingestion-time": envelope["time"],
    }
    return _filled(transformer["InputTemplate"], values)


def _filled(template: str, values: JsonObject) -> str:
    made, position, quoted = "", 0, False
    while position < len(template):
        character = template[position]
        found = _PLACEHOLDER.match(template, position)
        if found and found[1] in values:
            made += _inserted(values[found[1]], quoted=quoted)
            position = found.end()
            continue
        if character == '"' and template[position - 1 : position] != "\\":
            quoted = not quoted
        made += character
        position += 1
    return made


def _inserted(value: Any, *, quoted: bool) -> str:
    text = json.dumps(value)
    if not quoted:
        return text
    return text[1:-1] if isinstance(value, str) else text.replace('"', '\\"')


def _at(path: str, envelope: JsonObject) -> Any:
    found: Any = envelope
    for part in re.findall(r"[^.\[\]]+", path.removeprefix("$")):
        if isinstance(found, list) and part.isdigit():
            found = found[int(part)] if int(part) < len(found) else None
        else:
            found = found.get(part.strip("'\"")) if isinstance(found, dict) else None
    return found


# -- scheduled rules ----------------------------------------------------------

_last: dict[str, float] = {}
on_reset(_last.clear)


def _tick() -> None:
    now = clock.monotonic()
    for account, region, backend in list(events_backends.iter_backends()):
        for bus in list(backend.event_buses.values()):
            for rule in list(bus.rules.values()):
                rate = _RATE.fullmatch(rule.scheduled_expression or "")
                if rate is None or rule.state == "DISABLED":
                    _last.pop(rule.arn, None)
                    continue
                seconds = int(rate[1]) * _SECONDS_OF[rate[2]] / clock.time_scale
                if now - _last.setdefault(rule.arn, now) >= seconds:
                    _last[rule.arn] = now
                    event = {
                        "id": str(uuid.uuid4()),
                        "detail-type": "Scheduled Event",
                        "source": "aws.events",
                        "resources": [rule.arn],
                        "detail": {},
                    }
                    _send(rule, _envelope(event, account, region))


every(0.5, _tick)


@operation("events", "PutRule")
def _put_rule(call: Call) -> Any:
    schedule = call.params.get("ScheduleExpression")
    if schedule and not _RATE.fullmatch(schedule):
        raise call.error("ValidationException", f"only rate(…) schedules are run here, not {schedule}")
    return call.next()


def install() -> None:
    """Deliver here, and not in moto."""
    Rule.send_to_targets = _send_to_targets
    EventsBackend.put_events = _put_events
