"""
What the stack's IAM may not touch, by name, before AWS would say AccessDenied in the middle of a move.

Pure. IAM is fixed at deployment by the parameters that `parameters.json` holds; the
template hands them to the state machine, and so they come here with the request.

Source: IAM User Guide, "IAM JSON policy elements: Resource": `*` and `?` in an ARN.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from pydantic import Field

from crossfade.connect.services import JsonObject
from crossfade.frozen import Frozen
from crossfade.journal.edges import EdgeRecord
from crossfade.plan.document import MigrationPlan
from crossfade.plan.finding import Finding
from crossfade.plan.parameters import normalized_name
from crossfade.plan.services import ServicePlan

PROXY_LOGS = "/crossfade/"
"""The template lets log groups be made and read below this name only."""


class May(Frozen):
    """What the stack was deployed to touch: its parameters, each ARN patterns or names with commas between."""

    edges: str
    zones: str
    records: str
    distributions: str
    target_groups: str
    services: str
    blue_services: str
    blue_tasks: str
    task_definitions: str
    roles: str
    least_period_seconds: int = Field(default=60, ge=1, description="Shorter metric periods are for rehearsals")


_PARAMETERS = {
    "edges": "EdgeArns",
    "zones": "HostedZoneArns",
    "records": "RecordNames",
    "distributions": "DistributionArns",
    "target_groups": "TargetGroupArns",
    "services": "ServiceArns",
    "blue_services": "BlueServiceArns",
    "blue_tasks": "BlueTaskArns",
    "task_definitions": "TaskDefinitionArns",
    "roles": "PassRoleArns",
}


def permits(
    may: May,
    plan: MigrationPlan,
    *,
    edges: Sequence[EdgeRecord],
    blues: Sequence[tuple[ServicePlan, str, JsonObject]],
) -> Iterator[Finding]:
    """
    Yield a finding for everything the plan will touch; refused where no parameter of the stack allows it.

    Args:
        may: The stack's parameters.
        plan: The plan.
        edges: Its edges as they were found.
        blues: Its services, each with the ARN and the task definition that blue has.
    """
    for edge in edges:
        yield from _edge(may, plan, edge)
    for service, arn, definition in blues:
        yield from _service(may, service, arn, definition)
    logs = Finding(check="the stack may make and read it", subject=f"log group {plan.proxy_logs.group}")
    if plan.proxy_logs.group.startswith(PROXY_LOGS):
        yield logs
    else:
        yield logs.refuse("the stack may not make it", f"give it a name below {PROXY_LOGS} in the plan")


def _edge(may: May, plan: MigrationPlan, edge: EdgeRecord) -> Iterator[Finding]:
    resolved, planned = edge.resolved, plan.edge(edge.name)
    beside = resolved.blue_arn.partition(":targetgroup/")[0]
    yield _allowed(may, "target_groups", "target group", f"{beside}:targetgroup/{planned.green.name}/0123456789abcdef")
    if resolved.detour is not None and not resolved.detour.hindered:
        for rule in resolved.detour.rules:
            yield _allowed(may, "edges", "listener" if rule.is_default else "rule", rule.arn)
        if resolved.detour.copied:
            detour = f"{beside}:targetgroup/{resolved.detour.name}/0123456789abcdef"
            yield _allowed(may, "target_groups", "target group", detour)
    if resolved.kind == "route53":
        zone = f"arn:aws:route53:::hostedzone/{resolved.zone_id}"
        yield _allowed(may, "zones", "hosted zone", zone)
        for name in sorted({normalized_name(record.name) for record in resolved.rules}):
            finding = Finding(check="the stack may change it", subject=f"record {name}")
            listed = name in may.records.split(",")
            yield finding if listed else finding.refuse(*_missing("records", name))
    elif resolved.kind == "cloudfront":
        yield _allowed(may, "distributions", "distribution", resolved.rules[0].arn)
    else:
        for rule in resolved.rules:
            yield _allowed(may, "edges", "listener" if rule.is_default else "rule", rule.arn)


def _service(may: May, service: ServicePlan, blue_arn: str, definition: JsonObject) -> Iterator[Finding]:
    beside, _, _ = blue_arn.rpartition("/")
    account, _, cluster = beside.partition(":service/")
    green = service.green
    yield _allowed(may, "blue_services", "blue service", blue_arn)
    yield _allowed(may, "blue_tasks", "a task of blue", f"{account}:task/{cluster}/0123456789abcdef")
    yield _allowed(may, "services", "green service", f"{beside}/{green.service_name}")
    family = f"{account}:task-definition/{green.task_definition.family}:1"
    yield _allowed(may, "task_definitions", "task definition", family)
    tls = {endpoint.tls.role_arn for endpoint in service.endpoints if endpoint.tls and endpoint.tls.role_arn}
    roles = {role for name in ("taskRoleArn", "executionRoleArn") if (role := definition.get(name))}
    for role in sorted(roles | tls):
        yield _allowed(may, "roles", "role", str(role))


def _allowed(may: May, field: str, what: str, arn: str) -> Finding:
    finding = Finding(check="the stack may touch it", subject=f"{what} {arn}")
    patterns = str(getattr(may, field)).split(",")
    if any(matches(pattern.strip(), arn) for pattern in patterns):
        return finding
    return finding.refuse(*_missing(field, arn))


def _missing(field: str, name: str) -> tuple[str, str]:
    parameter = _PARAMETERS[field]
    return (
        f"the stack was deployed without it: its parameter {parameter} does not name it",
        f"deploy the stack with this plan's parameters.json, in which {parameter} holds {name}",
    )


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    wild = {"*": ".*", "?": "."}
    return re.compile("".join(wild.get(letter, re.escape(letter)) for letter in pattern), re.DOTALL)


def matches(pattern: str, arn: str) -> bool:
    """Return whether IAM takes an ARN for a pattern's."""
    return _pattern(pattern).fullmatch(arn) is not None
