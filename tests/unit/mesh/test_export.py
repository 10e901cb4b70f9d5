"""`crossfade export`: only reads, goes on where a service is silent, and keeps secrets to itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from crossfade.errors import BadInput
from crossfade.mesh.export import HIDDEN, export_document
from crossfade_cli.export import read_account

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Account:
    """An account with one of nearly everything; some of its services may be silent."""

    def __init__(self, *silent: str) -> None:
        self.silent = silent
        self.asked: list[str] = []

    def client(self, service: str) -> Any:
        return _Client(self, service)


class _Client:
    def __init__(self, account: Account, service: str) -> None:
        self._account, self._service = account, service

    def get_paginator(self, operation: str) -> Any:
        return _Pages(self, operation)

    def __getattr__(self, operation: str) -> Any:
        return lambda **_arguments: self.answer(operation)

    def answer(self, operation: str) -> Any:
        self._account.asked.append(operation)
        if self._service in self._account.silent:
            raise EndpointConnectionError(endpoint_url=self._service)
        return _ANSWERS[operation]


class _Pages:
    def __init__(self, client: _Client, operation: str) -> None:
        self._client, self._operation = client, operation

    def paginate(self, **_arguments: object) -> Iterator[Any]:
        yield self._client.answer(self._operation)


_ANSWERS: dict[str, Any] = {
    "list_meshes": {"meshes": [{"meshName": "m", "meshOwner": "1"}]},
    "describe_mesh": {"mesh": {"meshName": "m", "spec": {}}, "ResponseMetadata": {}},
    "list_virtual_nodes": {"virtualNodes": []},
    "list_virtual_services": {"virtualServices": []},
    "list_virtual_routers": {"virtualRouters": []},
    "list_virtual_gateways": {"virtualGateways": []},
    "list_clusters": {"clusterArns": ["c"]},
    "list_services": {"serviceArns": ["s"], "Services": [{"Id": "srv-1"}]},
    "describe_services": {"services": [{"serviceName": "web", "status": "ACTIVE", "taskDefinition": "web:1"}]},
    "describe_task_definition": {"taskDefinition": {"family": "web", "containerDefinitions": []}},
    "list_namespaces": {"Namespaces": []},
    "get_service": {"Service": {"Id": "srv-1", "Name": "web"}},
    "describe_load_balancers": {"LoadBalancers": [{"LoadBalancerArn": "b"}]},
    "describe_listeners": {"Listeners": [{"ListenerArn": "l"}]},
    "describe_rules": {"Rules": []},
    "describe_target_groups": {"TargetGroups": [{"TargetGroupArn": "t"}, {"TargetGroupArn": "n", "TargetType": "alb"}]},
    "describe_target_group_attributes": {"Attributes": []},
    "describe_target_health": {"TargetHealthDescriptions": [{"Target": {"Id": "loadbalancer/app/lb/1", "Port": 80}}]},
    "describe_alarms": {"MetricAlarms": [{"AlarmName": "a", "Dimensions": []}]},
    "list_hosted_zones": {"HostedZones": [{"Id": "z"}]},
    "list_resource_record_sets": {"ResourceRecordSets": [{"Name": "a.b.", "Type": "NS"}]},
    "list_distributions": {"DistributionList": {}},
}


def test_it_only_reads() -> None:
    account = Account()

    read_account(account.client, [])

    assert set(account.asked) == set(_ANSWERS)
    assert [operation for operation in account.asked if not re.match(r"(list|describe|get)_", operation)] == []


def test_an_app_mesh_that_no_longer_answers_is_a_remark() -> None:
    answers, notes = read_account(Account("appmesh", "route53").client, [])

    assert [note.partition(" ")[0] for note in notes] == ["appmesh", "route53"]
    assert any("taskDefinition" in answer for answer in answers)


def test_a_load_balancer_behind_another_is_written_down_with_it() -> None:
    answers, _notes = read_account(Account().client, [])

    groups = next(answer["TargetGroups"] for answer in answers if "TargetGroups" in answer)
    assert [each.get("Targets") for each in groups] == [None, [{"Id": "loadbalancer/app/lb/1", "Port": 80}]]


def test_without_ecs_there_is_nothing_to_export() -> None:
    with pytest.raises(BadInput, match="ECS does not answer"):
        read_account(Account("ecs").client, [])


def test_secrets_in_environments_are_left_out_and_addresses_stay() -> None:
    environment = [
        {"name": "DB_PASSWORD", "value": "hunter2"},
        {"name": "ORDERS_URL", "value": "http://me:hunter2@orders.local:8080"},
        {"name": "AUTH_HOST", "value": "auth.local:8080"},
    ]
    answer = {"taskDefinition": {"containerDefinitions": [{"environment": environment}], "registeredAt": NOON}}

    text = export_document([answer], region="eu-west-1", now=NOON, notes=["a note"])

    kept = json.loads(text)["answers"][0]["taskDefinition"]
    assert "hunter2" not in text
    assert [each["value"] for each in kept["containerDefinitions"][0]["environment"]] == [
        HIDDEN,
        "http://orders.local:8080",
        "auth.local:8080",
    ]
    assert kept["registeredAt"] == "2026-11-22T12:00:00+00:00"
