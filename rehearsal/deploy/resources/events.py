"""EventBridge: rules with their targets, and buses."""

from __future__ import annotations

from collections.abc import Mapping

from rehearsal.deploy.errors import NeverSteady
from rehearsal.deploy.making import Made, Maker, New


def rule(new: New) -> Made:
    """Make a rule and its targets."""
    name = new.name("Name", longest=64)
    targets = new.shaped("events", "put_targets", "Targets", new.take("Targets", []))
    bus = new.look("EventBusName")
    arn = new.call("events", "put_rule", Name=name)["RuleArn"]
    if targets:
        on = {"EventBusName": bus} if bus else {}
        answer = new.client("events").put_targets(Rule=name, Targets=targets, **on)
        if answer.get("FailedEntryCount"):
            raise NeverSteady(f"targets were refused: {answer['FailedEntries']}")
    return Made(f"{bus}|{name}" if bus and bus != "default" else name, {"Arn": arn})


def event_bus(new: New) -> Made:
    """Make an event bus."""
    name = new.need("Name")
    arn = new.call("events", "create_event_bus", Name=name)["EventBusArn"]
    return Made(name, {"Arn": arn, "Name": name})


MAKERS: Mapping[str, Maker] = {
    "AWS::Events::EventBus": event_bus,
    "AWS::Events::Rule": rule,
}
