"""
The green side as code: a CloudFormation template and a Terraform file for whoever will own it after the move.

Pure; the same plan gives the same bytes. Both describe what the migration makes: namespace, proxy log and the ECS
services with Service Connect. What only a live account knows (networks, target groups, the registered task
definitions) is a parameter.

Sources: AWS CloudFormation resource reference, AWS::ECS::Service; Terraform AWS provider, `aws_ecs_service`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from crossfade.plan.document import MigrationPlan
from crossfade.plan.services import Endpoint, ServicePlan, TargetGroupRef

_LOG_DAYS = 30
_PROVIDER = "6.34.0"  # the first whose service_connect_configuration has access_log_configuration
_NO_WORD = re.compile(r"[^A-Za-z0-9]+")

# --------------------------------------------------------------------------- CloudFormation


def cloudformation(plan: MigrationPlan) -> str:
    """Return a template of green, in JSON."""
    ids = _logical_ids(plan)
    resources: dict[str, Any] = {}
    parameters = _parameters(plan, ids)
    if plan.namespace.arn is None:
        resources["Namespace"] = {
            "Type": "AWS::ServiceDiscovery::HttpNamespace",
            "Properties": {"Name": plan.namespace.name},
        }
    resources["ProxyLogs"] = {
        "Type": "AWS::Logs::LogGroup",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {"LogGroupName": plan.proxy_logs.group, "RetentionInDays": _LOG_DAYS},
    }
    before = _created_before(plan)
    for service in plan.services:
        resources[ids[service.name]] = _cloudformation_service(plan, service, ids, before[service.name])
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"Green of {plan.migration}: its services on ECS Service Connect",
        "Parameters": parameters,
        "Resources": resources,
    }
    return json.dumps(template, indent=2) + "\n"


def _logical_ids(plan: MigrationPlan) -> dict[str, str]:
    """Return a logical id for each service: its name in letters and digits, with a number where two are alike."""
    ids: dict[str, str] = {}
    taken: set[str] = set()  # as Terraform writes them, since that tells fewer apart
    for service in plan.services:
        stem = "".join(part[:1].upper() + part[1:] for part in _NO_WORD.split(service.name) if part) or "Service"
        stem = f"{stem}Service"[:200]
        name, number = stem, 2
        while _snake(name) in taken:
            name, number = f"{stem}{number}", number + 1
        taken.add(_snake(name))
        ids[service.name] = name
    return ids


def _parameters(plan: MigrationPlan, ids: Mapping[str, str]) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "Cluster": {"Type": "String", "Default": plan.cluster, "Description": "The ECS cluster"},
        "Subnets": {"Type": "List<AWS::EC2::Subnet::Id>", "Description": "Where blue's tasks run"},
        "SecurityGroups": {"Type": "List<AWS::EC2::SecurityGroup::Id>", "Description": "Blue's"},
        "LaunchType": {"Type": "String", "Default": "FARGATE", "AllowedValues": ["FARGATE", "EC2"]},
    }
    for service in plan.services:
        parameters[f"{ids[service.name]}TaskDefinition"] = {
            "Type": "String",
            "Default": service.green.task_definition.family,
            "Description": "The family the migration registered, or an ARN",
        }
        for number, end in _ends(plan, service):
            parameters[f"{ids[service.name]}TargetGroup{number}"] = {
                "Type": "String",
                "Description": f"ARN of the target group {end.name}",
            }
    return parameters


def _ends(plan: MigrationPlan, service: ServicePlan) -> list[tuple[str, TargetGroupRef]]:
    """Return green's target groups, each once, with what tells it from the first."""
    found = {edge.green.name: edge.green for edge in plan.edges if edge.service == service.name}
    return [("" if at == 1 else str(at), end) for at, end in enumerate(found.values(), start=1)]


def _created_before(plan: MigrationPlan) -> dict[str, list[str]]:
    """Return, for each service, those it calls that come in an earlier wave."""
    wave_of = {name: number for number, wave in enumerate(plan.waves) for name in wave}
    return {
        service.name: sorted(
            {call.service for call in service.calls if call.service and wave_of[call.service] < wave_of[service.name]}
        )
        for service in plan.services
    }


def _cloudformation_service(
    plan: MigrationPlan, service: ServicePlan, ids: Mapping[str, str], before: list[str]
) -> dict[str, Any]:
    green, name = service.green, ids[service.name]
    connect: dict[str, Any] = {
        "Enabled": True,
        "Namespace": plan.namespace.arn or {"Fn::GetAtt": ["Namespace", "Arn"]},
        "LogConfiguration": {
            "LogDriver": "awslogs",
            "Options": {
                "awslogs-group": {"Ref": "ProxyLogs"},
                "awslogs-region": {"Ref": "AWS::Region"},
                "awslogs-stream-prefix": plan.proxy_logs.stream_prefix,
                "mode": "non-blocking",
            },
        },
        "AccessLogConfiguration": {"Format": "JSON", "IncludeQueryParameters": "DISABLED"},
    }
    if service.endpoints:
        connect["Services"] = [_cloudformation_endpoint(endpoint) for endpoint in service.endpoints]
    properties: dict[str, Any] = {
        "ServiceName": green.service_name,
        "Cluster": {"Ref": "Cluster"},
        "TaskDefinition": {"Ref": f"{name}TaskDefinition"},
        "DesiredCount": green.desired_count,
        "LaunchType": {"Ref": "LaunchType"},
        "NetworkConfiguration": {
            "AwsvpcConfiguration": {"Subnets": {"Ref": "Subnets"}, "SecurityGroups": {"Ref": "SecurityGroups"}}
        },
        "DeploymentConfiguration": {
            "MinimumHealthyPercent": 100,
            "MaximumPercent": 200,
            "DeploymentCircuitBreaker": {"Enable": True, "Rollback": True},
        },
        "ServiceConnectConfiguration": connect,
    }
    ends = _ends(plan, service)
    if ends:
        properties["HealthCheckGracePeriodSeconds"] = green.health_check_grace_seconds
        properties["LoadBalancers"] = [
            {
                "TargetGroupArn": {"Ref": f"{name}TargetGroup{number}"},
                "ContainerName": end.container_name or green.container_name,
                "ContainerPort": end.container_port or green.container_port,
            }
            for number, end in ends
        ]
    made: dict[str, Any] = {"Type": "AWS::ECS::Service", "Properties": properties}
    if before:
        made["DependsOn"] = [ids[callee] for callee in before]
    return made


def _cloudformation_endpoint(endpoint: Endpoint) -> dict[str, Any]:
    made: dict[str, Any] = {
        "PortName": endpoint.port_name,
        "DiscoveryName": endpoint.discovery_name,
        "ClientAliases": [{"Port": endpoint.port, "DnsName": endpoint.dns_name}],
    }
    if endpoint.timeout is not None:
        said = {
            "IdleTimeoutSeconds": endpoint.timeout.idle_seconds,
            "PerRequestTimeoutSeconds": endpoint.timeout.per_request_seconds,
        }
        made["Timeout"] = {name: seconds for name, seconds in said.items() if seconds is not None}
    if endpoint.tls is not None:
        named = (("RoleArn", endpoint.tls.role_arn), ("KmsKey", endpoint.tls.kms_key))
        made["Tls"] = {
            "IssuerCertificateAuthority": {"AwsPcaAuthorityArn": endpoint.tls.authority_arn},
            **{name: value for name, value in named if value is not None},
        }
    return made


# ------------------------------------------------------------------------------- Terraform


def terraform(plan: MigrationPlan) -> str:
    """Return green as a Terraform file."""
    return "\n\n".join(_terraform_blocks(plan)) + "\n"


def _terraform_blocks(plan: MigrationPlan) -> Iterator[str]:
    labels = {name: _snake(logical) for name, logical in _logical_ids(plan).items()}
    yield f"# Green of {plan.migration}: its services on ECS Service Connect."
    yield _block(
        "terraform",
        _nested("required_providers", [f'aws = {{ source = "hashicorp/aws", version = ">= {_PROVIDER}" }}']),
    )
    yield _variable("cluster", "string", plan.cluster)
    yield _variable("region", "string", plan.region)
    yield _variable("subnets", "list(string)", None)
    yield _variable("security_groups", "list(string)", None)
    yield _variable("launch_type", "string", "FARGATE")
    for service in plan.services:
        label = labels[service.name]
        yield _variable(f"{label}_task_definition", "string", service.green.task_definition.family)
        for number, _end in _ends(plan, service):
            yield _variable(f"{label}_target_group{number}", "string", None)
    if plan.namespace.arn is None:
        yield _block(
            'resource "aws_service_discovery_http_namespace" "green"', [f"name = {_text(plan.namespace.name)}"]
        )
    yield _block(
        'resource "aws_cloudwatch_log_group" "proxies"',
        [f"name              = {_text(plan.proxy_logs.group)}", f"retention_in_days = {_LOG_DAYS}"],
    )
    before = _created_before(plan)
    for service in plan.services:
        yield _terraform_service(plan, service, labels, before[service.name])


def _terraform_service(plan: MigrationPlan, service: ServicePlan, labels: Mapping[str, str], before: list[str]) -> str:
    green, label = service.green, labels[service.name]
    lines = [
        f"name            = {_text(green.service_name)}",
        "cluster         = var.cluster",
        f"task_definition = var.{label}_task_definition",
        f"desired_count   = {green.desired_count}",
        "launch_type     = var.launch_type",
    ]
    ends = _ends(plan, service)
    if ends:
        lines.append(f"health_check_grace_period_seconds = {green.health_check_grace_seconds}")
    lines += [
        "",
        *_nested("network_configuration", ["subnets         = var.subnets", "security_groups = var.security_groups"]),
    ]
    lines += ["", *_nested("deployment_circuit_breaker", ["enable   = true", "rollback = true"])]
    for number, end in ends:
        balanced = [
            f"target_group_arn = var.{label}_target_group{number}",
            f"container_name   = {_text(end.container_name or green.container_name or '')}",
            f"container_port   = {end.container_port or green.container_port}",
        ]
        lines += ["", *_nested("load_balancer", balanced)]
    lines += ["", *_nested("service_connect_configuration", _terraform_connect(plan, service))]
    if before:
        lines += ["", f"depends_on = [{', '.join(f'aws_ecs_service.{labels[callee]}' for callee in before)}]"]
    return _block(f'resource "aws_ecs_service" "{label}"', lines)


def _terraform_connect(plan: MigrationPlan, service: ServicePlan) -> list[str]:
    namespace = plan.namespace.arn
    said = _text(namespace) if namespace else "aws_service_discovery_http_namespace.green.arn"
    options = [
        "awslogs-group         = aws_cloudwatch_log_group.proxies.name",
        "awslogs-region        = var.region",
        f"awslogs-stream-prefix = {_text(plan.proxy_logs.stream_prefix)}",
        'mode                  = "non-blocking"',
    ]
    log = ['log_driver = "awslogs"', "options = {", *(f"  {line}" for line in options), "}"]
    access = ['format                   = "JSON"', 'include_query_parameters = "DISABLED"']
    lines = [
        "enabled   = true",
        f"namespace = {said}",
        "",
        *_nested("log_configuration", log),
        "",
        *_nested("access_log_configuration", access),
    ]
    for endpoint in service.endpoints:
        lines += ["", *_nested("service", _terraform_endpoint(endpoint))]
    return lines


def _terraform_endpoint(endpoint: Endpoint) -> list[str]:
    alias = [f"port     = {endpoint.port}", f"dns_name = {_text(endpoint.dns_name)}"]
    lines = [
        f"port_name      = {_text(endpoint.port_name)}",
        f"discovery_name = {_text(endpoint.discovery_name)}",
        "",
        *_nested("client_alias", alias),
    ]
    if endpoint.timeout is not None:
        said = {
            "idle_timeout_seconds": endpoint.timeout.idle_seconds,
            "per_request_timeout_seconds": endpoint.timeout.per_request_seconds,
        }
        limits = [f"{name} = {seconds}" for name, seconds in said.items() if seconds is not None]
        lines += ["", *_nested("timeout", limits)]
    if endpoint.tls is not None:
        authority = _nested("issuer_cert_authority", [f"aws_pca_authority_arn = {_text(endpoint.tls.authority_arn)}"])
        named = (("role_arn", endpoint.tls.role_arn), ("kms_key", endpoint.tls.kms_key))
        lines += ["", *_nested("tls", [*authority, *(f"{name} = {_text(value)}" for name, value in named if value)])]
    return lines


def _variable(name: str, kind: str, default: str | None) -> str:
    lines = [f"type = {kind}"]
    if default is not None:
        lines.append(f"default = {_text(default)}")
    return _block(f'variable "{name}"', lines)


def _block(head: str, lines: list[str]) -> str:
    return "\n".join(_nested(head, lines))


def _nested(head: str, lines: list[str]) -> list[str]:
    return [f"{head} {{", *(f"  {line}" if line else "" for line in lines), "}"]


def _text(value: str) -> str:
    """Return a text as HCL writes it, interpolation signs doubled."""
    return json.dumps(value, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")


def _snake(logical: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", logical).lower()
