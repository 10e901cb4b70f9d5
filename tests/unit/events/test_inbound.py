"""What is read of AWS's events, and that everything else may be there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from crossfade.events.inbound import AlarmStateChanged, DeploymentStateChanged, ExecutionStatusChanged

SAMPLES = Path(__file__).parents[3] / "events"


def sample(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text())
    return read


def a_deployment(arn: str) -> DeploymentStateChanged:
    return DeploymentStateChanged.model_validate({**sample("deployment_state_changed"), "resources": [arn]})


def test_an_alarm_says_its_name_and_its_state() -> None:
    event = AlarmStateChanged.model_validate(sample("alarm_state_changed"))

    assert (event.detail.alarm_name, event.detail.state.value) == ("crossfade-shop-ejections", "ALARM")
    assert event.detail.state.timestamp is not None
    assert event.detail.state.timestamp.isoformat() == "2026-11-22T17:04:40.989000+00:00"
    assert event.resource == "alarm:crossfade-shop-ejections"


def test_a_composite_alarm_is_read_like_any_other() -> None:
    raw = sample("alarm_state_changed")
    raw["detail"]["configuration"] = {"alarmRule": "ALARM(a) OR ALARM(b)", "actionsSuppressor": "c"}
    raw["detail"]["state"] |= {"actionsSuppressedBy": "Alarm", "reasonData": '{"triggeringAlarms":[]}'}

    assert AlarmStateChanged.model_validate(raw).detail.state.value == "ALARM"


def test_a_deployment_says_its_service_by_its_first_resource_alone() -> None:
    event = DeploymentStateChanged.model_validate(sample("deployment_state_changed"))

    assert (event.cluster, event.service) == ("shop", "web-green")
    assert event.resource == "service:shop/web-green"
    assert event.detail.event_name == "SERVICE_DEPLOYMENT_COMPLETED"
    assert event.detail.deployment_id == "ecs-svc/1234567890123456789"


def test_a_service_arn_of_the_old_form_names_no_cluster() -> None:
    event = a_deployment("arn:aws:ecs:eu-west-1:123456789012:service/web")

    assert (event.cluster, event.service, event.resource) == (None, "web", None)


def test_an_execution_says_its_arn_and_its_end() -> None:
    event = ExecutionStatusChanged.model_validate(sample("execution_status_changed"))

    assert event.detail.execution_arn.endswith(":crossfade-migrate:shop-1")
    assert (event.detail.status, event.detail.error) == ("ABORTED", None)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (AlarmStateChanged, "alarm_state_changed"),
        (DeploymentStateChanged, "deployment_state_changed"),
        (ExecutionStatusChanged, "execution_status_changed"),
    ],
)
def test_what_is_new_in_an_event_is_no_error_and_what_is_missing_is(
    model: type[AlarmStateChanged | DeploymentStateChanged | ExecutionStatusChanged], name: str
) -> None:
    raw = sample(name)
    model.model_validate({**raw, "new": 1, "detail": {**raw["detail"], "new": {"deep": []}}})

    with pytest.raises(ValidationError):
        model.model_validate({**raw, "detail": {}})


def test_a_deployment_of_no_resource_is_no_event_of_ours() -> None:
    with pytest.raises(ValidationError):
        DeploymentStateChanged.model_validate({**sample("deployment_state_changed"), "resources": []})
