"""The sample events are what AWS sends: each parses at its door, and a rule of the stack picks it up."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
from moto.events.models import EventPattern
from pydantic import BaseModel, ValidationError

from checks import templates
from crossfade.events import inbound
from crossfade.events.eventbridge import DETAIL_TYPE
from crossfade.events.outbound import Notice
from crossfade.rollout.opening import OpenRequest
from crossfade.rollout.operating import Do, OperatorRequest
from crossfade.rollout.retiring import RetireRequest

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = {
    "alarm_contributor_state_changed": "OnAlarm",
    "alarm_state_changed": "OnAlarm",
    "composite_alarm_state_changed": "OnAlarm",
    "deployment_state_changed": "OnDeployment",
    "execution_status_changed": "OnExecution",
    "task_state_changed": "OnTask",
}
READ_AS = {
    "alarm_contributor_state_changed": "AlarmStateChanged",
    "composite_alarm_state_changed": "AlarmStateChanged",
}
"""Samples that are read as another; the rest are named after their model."""
STACK = dict(templates.load(ROOT / "template.yaml").resources("AWS::Serverless::Function"))


def sample(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text(encoding="utf-8"))
    return event


def patterns(function: str) -> list[Mapping[str, Any]]:
    events = STACK[function]["Events"].values()
    return [_with_arns(event["Properties"]["Pattern"]) for event in events if event["Type"] == "EventBridgeRule"]


def _with_arns(part: Any) -> Any:
    """Give each state machine of the stack the ARN it would have."""
    if isinstance(part, Mapping):
        if part == {"Ref": "AWS::Region"}:
            return "eu-west-1"
        if set(part) == {"Ref"}:
            return f"arn:aws:states:eu-west-1:123456789012:stateMachine:crossfade-{part['Ref'].lower()}"
        return {name: _with_arns(inner) for name, inner in part.items()}
    return [_with_arns(inner) for inner in part] if isinstance(part, list) else part


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_parses_at_its_door(name: str) -> None:
    model = getattr(inbound, READ_AS.get(name, "".join(word.title() for word in name.split("_"))))

    event = model.model_validate(sample(name))

    assert event.source == sample(name)["source"]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_rule_of_the_stack_picks_the_sample_up(name: str) -> None:
    found = [EventPattern.load(json.dumps(pattern)) for pattern in patterns(SAMPLES[name])]

    assert [pattern.matches_event(sample(name)) for pattern in found].count(True) == 1


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("task_state_changed", ("detail", "lastStatus"), "RUNNING"),
        ("task_state_changed", ("detail", "group"), "family:batch"),
        ("alarm_state_changed", ("detail", "state", "value"), "OK"),
        ("alarm_state_changed", ("detail", "alarmName"), "shop-errors"),
        ("deployment_state_changed", ("detail", "eventName"), "SERVICE_DEPLOYMENT_IN_PROGRESS"),
        ("execution_status_changed", ("detail", "status"), "SUCCEEDED"),
        (
            "execution_status_changed",
            ("detail", "stateMachineArn"),
            "arn:aws:states:eu-west-1:123456789012:stateMachine:other",
        ),
    ],
)
def test_good_news_and_other_peoples_wake_nobody(name: str, path: tuple[str, ...], value: str) -> None:
    event = sample(name)
    place = event
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value

    woken = [EventPattern.load(json.dumps(pattern)).matches_event(event) for pattern in patterns(SAMPLES[name])]

    assert not any(woken)


def test_what_wakes_nobody_by_a_pattern_parses_too() -> None:
    assert inbound.Tick.model_validate(sample("tick")).source.startswith("aws.")


BY_HAND: dict[str, type[BaseModel]] = {
    "operator_approve": OperatorRequest,
    "operator_hold": OperatorRequest,
    "operator_reject": OperatorRequest,
    "operator_resume": OperatorRequest,
    "start_migration": OpenRequest,
    "start_retire": RetireRequest,
}
"""What a person gives in the console, and who takes it."""

ADDED = {
    "start_migration": {"execution": "arn:aws:states:eu-west-1:123456789012:execution:crossfade-migrate:shop-1"},
    "start_retire": {"drift": "clean"},
}
"""What the state machine adds to it."""

OTHERS = {"crossfade_notice", "proxy_log_delivered", "start_roll_back", "tick"}


def test_every_sample_is_held_against_who_takes_it() -> None:
    found = {path.stem for path in (ROOT / "events").glob("*.json")}

    assert found == SAMPLES.keys() | BY_HAND.keys() | OTHERS


@pytest.mark.parametrize("name", BY_HAND)
def test_what_a_person_gives_in_the_console_is_taken(name: str) -> None:
    taken = BY_HAND[name].model_validate({**sample(name), **ADDED.get(name, {})})

    assert taken.model_dump()["migration"] == "shop"


@pytest.mark.parametrize("name", BY_HAND)
def test_what_a_person_misspells_in_the_console_is_refused(name: str) -> None:
    given = {**sample(name), **ADDED.get(name, {})}
    given["migratoin"] = given.pop("migration")

    with pytest.raises(ValidationError, match="migration"):
        BY_HAND[name].model_validate(given)


def test_a_rollback_by_hand_gives_what_its_machine_reads() -> None:
    machine = (ROOT / "statemachines" / "roll_back.asl.yaml").read_text(encoding="utf-8")

    read = set(re.findall(r"\$states\.input\.(\w+)", machine))

    assert {"migration", "reason"} <= sample("start_roll_back").keys() <= read | {"schema"}
    assert "fence" not in sample("start_roll_back")  # with one, the machine takes it for raised


def test_each_word_of_an_operator_has_a_sample() -> None:
    words = {sample(name)["do"]: name for name in BY_HAND if name.startswith("operator_")}

    assert words == {word: f"operator_{word}" for word in get_args(Do)}


def test_the_proxies_log_is_delivered_as_the_sample_has_it() -> None:
    event = inbound.ProxyLogDelivered.model_validate(sample("proxy_log_delivered"))

    assert event.log_events


def test_a_notice_is_told_as_the_sample_has_it() -> None:
    given = sample("crossfade_notice")

    notice = Notice.model_validate_json(json.dumps(given["detail"]))

    assert (given["source"], given["detail-type"]) == ("crossfade", DETAIL_TYPE)
    assert json.loads(notice.model_dump_json()) == given["detail"]


def test_a_silenced_alarm_says_by_what() -> None:
    composite = inbound.AlarmStateChanged.model_validate(sample("composite_alarm_state_changed"))
    muted = sample("alarm_state_changed")
    muted["detail"]["muteDetail"] = {"mutedByArn": "arn:nightly"}

    assert composite.detail.silenced_by == "WaitPeriod"
    assert inbound.AlarmStateChanged.model_validate(muted).detail.silenced_by == "arn:nightly"
    assert inbound.AlarmStateChanged.model_validate(sample("alarm_state_changed")).detail.silenced_by is None
