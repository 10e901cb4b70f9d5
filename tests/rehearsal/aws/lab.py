"""What the tests of the embedded AWS share: both ways of running it, waiting for things, functions and machines."""

from __future__ import annotations

import io
import itertools
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any, TypeVar

from rehearsal.aws import EmbeddedAws
from rehearsal.aws.clock import clock
from rehearsal.aws.server import InProcess
from rehearsal.timeless import HANDLERS_CLOCK
from tests.rehearsal.aws.shapes import watch

MODES = ("in-process", "server")
PATIENCE_SECONDS = 300.0
"""Longer than any machine needs: only what never comes is waited for in vain."""

Found = TypeVar("Found")
_numbers = itertools.count()


class Lab:
    """An embedded AWS with names of its own for each test, and clients whose answers are checked."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self.aws = aws
        self._role = ""

    def client(self, service: str) -> Any:
        return watch(self.aws.client(service))

    def name(self, what: str = "it") -> str:
        return f"{what}-{next(_numbers)}"

    @property
    def role(self) -> str:
        if not self._role:
            iam = self.aws.client("iam")
            name = self.name("role")
            self._role = iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
            everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
            document = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
            iam.put_role_policy(RoleName=name, PolicyName="everything", PolicyDocument=document)
        return self._role

    def function(self, code: str, **settings: Any) -> str:
        """Create a function of this code; `handler` in it answers."""
        asked = {"FunctionName": self.name("function"), "Timeout": 30, "Runtime": "python3.13", **settings}
        made = self.client("lambda").create_function(
            **asked, Role=self.role, Handler="app.handler", Code={"ZipFile": zipped({"app.py": code})}
        )
        return str(made["FunctionArn"])

    def invoke(self, function: str, event: Any = None, **settings: Any) -> tuple[Any, str | None]:
        """Invoke a function; its answer and how it failed, if it did."""
        answer = self.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event), **settings)
        text = answer["Payload"].read()
        return json.loads(text) if text else None, answer.get("FunctionError")

    def machine(self, states: dict[str, Any], **settings: Any) -> str:
        """Create a state machine of these states; the first one is where it starts."""
        definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states, **settings}
        made = self.client("stepfunctions").create_state_machine(
            name=self.name("machine"), roleArn=self.role, definition=json.dumps(definition)
        )
        return str(made["stateMachineArn"])

    def start(self, machine: str, given: Any = None, **settings: Any) -> str:
        text = json.dumps({} if given is None else given)
        started = self.client("stepfunctions").start_execution(stateMachineArn=machine, input=text, **settings)
        return str(started["executionArn"])

    def ended(self, execution: str) -> dict[str, Any]:
        """Wait until an execution has ended, and describe it."""

        def look() -> dict[str, Any] | None:
            said: dict[str, Any] = self.client("stepfunctions").describe_execution(executionArn=execution)
            return said if said["status"] != "RUNNING" else None

        return until(look)

    def run(self, states: dict[str, Any], given: Any = None, **settings: Any) -> dict[str, Any]:
        """Run a machine of these states to its end."""
        return self.ended(self.start(self.machine(states, **settings), given))

    def output(self, states: dict[str, Any], given: Any = None) -> Any:
        """Run a machine of these states to its good end, and return its output."""
        said = self.run(states, given)
        assert said["status"] == "SUCCEEDED", said
        return json.loads(said["output"])

    def history(self, execution: str) -> list[dict[str, Any]]:
        """Every event of an execution, oldest first."""
        pages = self.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=execution)
        return [event for page in pages for event in page["events"]]

    def queue(self) -> tuple[str, str]:
        """Create a queue: its URL and its ARN."""
        sqs = self.aws.client("sqs")
        url = sqs.create_queue(QueueName=self.name("queue"))["QueueUrl"]
        return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def messages(self, url: str, count: int, *, of: str = "") -> list[str]:
        """Wait for so many messages that have this text in them, and return their bodies."""
        found: list[str] = []

        def look() -> bool:
            for message in (
                self.aws.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
            ):
                self.aws.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                if of in message["Body"]:
                    found.append(message["Body"])
            return len(found) >= count

        until(look)
        return found

    def hear(self, pattern: dict[str, Any], **target: Any) -> str:
        """Let events of this pattern reach a queue of their own, and return its URL."""
        url, arn = self.queue()
        self.rule(pattern, {"Id": "queue", "Arn": arn, **target})
        return url

    def rule(self, pattern: dict[str, Any], *targets: dict[str, Any], **settings: Any) -> str:
        """Create a rule with these targets, and return its name."""
        name, events = self.name("rule"), self.client("events")
        events.put_rule(Name=name, EventPattern=json.dumps(pattern), **settings)
        events.put_targets(Rule=name, Targets=list(targets))
        return name


def labs(mode: str, *, leaping: bool = False) -> Iterator[Lab]:
    """
    Run the embedded AWS in this mode, and see that nothing went wrong inside it.

    Args:
        mode: One of MODES.
        leaping: Whether time stands still while anything works, the tests included, and leaps while they look in vain.
    """
    made = EmbeddedAws if mode == "server" else InProcess
    with (
        clock.working() if leaping else nullcontext(),
        made(wait_scale=0.2, handlers_clock=HANDLERS_CLOCK if leaping else "") as aws,
    ):
        yield Lab(aws)
        assert aws.troubles == []


def until(look: Callable[[], Found | None]) -> Found:
    """Look again and again until there is something to see."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < end, "waited in vain"
        clock.sleep(0.25 if clock.leaps else 0.02)


def zipped(files: dict[str, str]) -> bytes:
    """Zip these files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return made.getvalue()
