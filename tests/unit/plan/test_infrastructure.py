from __future__ import annotations

import json

import cfnlint.api
import hcl2
import pytest

from crossfade.plan.document import MigrationPlan
from crossfade.plan.infrastructure import cloudformation, terraform
from crossfade.plan.services import ClientAlias, Timeout, Tls
from tests.meshes import a_name, a_node, a_service, drawn, two_services

CA = "arn:aws:acm-pca:eu-west-1:111122223333:certificate-authority/11111111-2222-3333-4444-555555555555"
ROLE = "arn:aws:iam::111122223333:role/tls"


def a_full_plan() -> MigrationPlan:
    """A plan with an edge, timeouts, TLS, a client alone and names that look alike."""
    alike = {**a_node("api.2"), **a_service("api-2"), **a_name("api2.m.local", node="api-2"), **a_node("api-2")}
    plan = drawn({**two_services(), **alike})
    api = plan.service("api")
    endpoint = api.endpoints[0].model_copy(
        update={
            "timeout": Timeout(idle_seconds=60, per_request_seconds=8),
            "tls": Tls(authority_arn=CA, role_arn=ROLE),
            "client_alias": ClientAlias(dns_name="api.m.local", port=80),
        }
    )
    services = [
        each if each is not api else api.model_copy(update={"endpoints": (endpoint,)}) for each in plan.services
    ]
    return plan.model_copy(update={"services": tuple(services)})


def test_the_template_passes_cfn_lint() -> None:
    found = cfnlint.api.lint_all(cloudformation(a_full_plan()))

    assert [str(each) for each in found if not each.rule.id.startswith("I")] == []


def test_the_terraform_file_parses_and_holds_every_service() -> None:
    parsed = hcl2.loads(terraform(a_full_plan()))

    kinds = [kind.strip('"') for block in parsed["resource"] for kind in block]
    assert sorted(kinds) == [
        "aws_cloudwatch_log_group",
        *["aws_ecs_service"] * 3,
        "aws_service_discovery_http_namespace",
    ]


def test_a_service_waits_for_those_it_calls() -> None:
    resources = json.loads(cloudformation(drawn(two_services())))["Resources"]

    assert resources["WebService"]["DependsOn"] == ["ApiService"]
    assert "DependsOn" not in resources["ApiService"]


@pytest.mark.parametrize("side", [cloudformation, terraform])
def test_a_namespace_that_is_there_is_not_made_again(side: object) -> None:
    assert callable(side)
    arn = "arn:aws:servicediscovery:eu-west-1:111122223333:namespace/ns-1"
    plan = drawn(two_services())
    shared = plan.model_copy(update={"namespace": plan.namespace.model_copy(update={"arn": arn})})

    said = side(shared)

    assert arn in said
    assert "HttpNamespace" not in said
    assert "http_namespace" not in said


def test_green_as_code_writes_the_access_log_that_the_migration_sets_up() -> None:
    """The same format as the request that makes green, so that owning it by code changes nothing."""
    plan = a_full_plan()

    resources = json.loads(cloudformation(plan))["Resources"]
    services = [each for each in resources.values() if each["Type"] == "AWS::ECS::Service"]
    blocks = [
        next(iter(block.values()))
        for each in hcl2.loads(terraform(plan))["resource"]
        for kind, block in each.items()
        if kind.strip('"') == "aws_ecs_service"
    ]
    logs = [each["service_connect_configuration"][0]["access_log_configuration"][0] for each in blocks]

    assert [each["Properties"]["ServiceConnectConfiguration"]["AccessLogConfiguration"] for each in services] == [
        {"Format": "JSON", "IncludeQueryParameters": "DISABLED"}
    ] * 3
    assert [(log["format"].strip('"'), log["include_query_parameters"].strip('"')) for log in logs] == [
        ("JSON", "DISABLED")
    ] * 3
