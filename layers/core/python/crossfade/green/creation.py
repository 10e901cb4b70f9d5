"""Create Service and Check Service: a green service made whole, beside its blue one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from crossfade.connect.greenscaling import GreenScaling, Twin
from crossfade.connect.services import MIGRATION_TAG, JsonObject, LogGroups, Namespaces, Services, ServiceState
from crossfade.connect.sizing import tasks_of_green
from crossfade.connect.taskdef import rewrite
from crossfade.errors import BadInput, BlueChanged, EcsBusy, GreenFailed, ServiceExists
from crossfade.executions.executions import Executions
from crossfade.frozen import Frozen
from crossfade.journal.fence import read_fenced
from crossfade.journal.journal import Journal
from crossfade.journal.model import Token, entry_of
from crossfade.judge.proxylog_feed import ProxyFeed, ejection_alarm
from crossfade.plan.document import LogPlan, MigrationPlan
from crossfade.plan.services import Endpoint, ServicePlan, TaskDefinitionChange, Timeout, Tls
from crossfade.plan.store import PlanStore, read_plan
from crossfade.request import Request
from crossfade.resources import (
    alarm_resource,
    log_group_resource,
    namespace_resource,
    service_resource,
    target_group_resource,
)
from crossfade.shift.shifter import Edges

CREATE = "create"
"""`what` of the entries about a service's making."""

DIGEST_TAG = "crossfade:digest"
"""On a task definition: the digest of what was registered, by which a retry knows its own work."""


class CreateRequest(Request):
    """Make the green twin of a service of the plan. `token` resumes the state that asks."""

    migration: str
    fence: int
    service: str
    token: str


class Created(Frozen):
    """The green service; unless `complete`, its deployment is under way and ECS's event will resume the state."""

    service_arn: str
    complete: bool


class CheckRequest(Request):
    """Look how far a green service is."""

    migration: str
    fence: int
    service: str


class Checked(Frozen):
    """Whether a green service is complete, and how far it is in words."""

    complete: bool
    reason: str


def create(
    request: CreateRequest,
    *,
    journal: Journal,
    plans: PlanStore,
    services: Services,
    namespaces: Namespaces,
    log_groups: LogGroups,
    feed: ProxyFeed,
    edges: Edges,
    scaling: GreenScaling,
    executions: Executions,
    now: datetime,
) -> Created:
    """
    Make the namespace, the proxies' log group, green's end of the edge, the task definition and the service.

    Safe to repeat from wherever it was cut short, since every part is looked for before
    it is made: the namespace and the log group by name, the end and the service by name and tag, the task
    definition by its digest; and ECS takes a repeated CreateService for the first one by
    its client token. The state's task token is kept before the service is created, so
    that no event of ECS can come too early. A service that its owner made of the plan's own
    template is taken when it is what this would make. Blue is only read; its scaling is
    copied, in which green may grow and not shrink. That the proxies' log cannot be delivered
    is noted and stops nothing: the judge reads it by itself.

    Raises:
        Fenced: a rollback has begun.
        BlueChanged: blue is not as the plan says.
        ServiceExists: a service of green's name exists that another migration made, or that
            is not what the plan says; the message names in what.
        GreenFailed: AWS does not take green, or its deployment failed.
        EcsBusy: AWS throttles, or is still making the namespace.
    """
    record = read_fenced(journal, request.migration, request.fence)
    plan = read_plan(plans, record.plan)
    service = planned_service(plan, request.service)
    blue = services.describe(plan.cluster, service.blue.service_name)
    if blue is None:
        raise BlueChanged(f"blue service {service.blue.service_name} is not in {plan.cluster}; draw the plan again")
    name = service.green.service_name
    found = services.describe(plan.cluster, name)
    definition = rewrite(services.task_definition(blue.task_definition), service.green.task_definition)
    if found is not None:
        refuse_others(found, request.migration)
        connect = _service_connect(service.endpoints, plan.namespace.name, plan.proxy_logs, blue.region)
        _refuse_different(found, services.task_definition(found.task_definition), definition, connect)
    resource = service_resource(plan.cluster, name)
    intent = journal.append(
        entry_of(request, "intent", CREATE, resource, at=now, detail={"found": found.arn if found else None}),
        fence=request.fence,
    )
    tags = {MIGRATION_TAG: request.migration}
    namespace = plan.namespace.arn or namespaces.ensure(plan.namespace.name, tags)
    log_groups.ensure(plan.proxy_logs.group, tags)
    for news in (
        log_group_resource(plan.proxy_logs.group),
        alarm_resource(ejection_alarm(request.migration)),
        namespace_resource(namespace),
    ):
        journal.index(news, request.migration)
    undelivered = feed.subscribe(plan.proxy_logs.group, request.migration)
    target_groups = _make_ends(request, plan, service, tags, journal=journal, edges=edges)
    if found is not None and found.migration is None:
        services.adopt(found.arn, tags)
    registered = (
        services.register(definition, {**tags, DIGEST_TAG: _digest(definition)})
        if found is None
        else found.task_definition
    )
    journal.index(resource, request.migration)
    journal.keep_token(Token(migration=request.migration, resource=resource, token=request.token, at=now))
    wanted = creation_request(
        plan,
        service,
        blue,
        task_definition=registered,
        namespace=namespace,
        target_groups=target_groups,
        client_token=_client_token(request, name),
    )
    green = found or services.create(wanted)
    refuse_failed(green)
    least, labels = tasks_of_green(service, blue), _labels(plan, service, journal)
    twin = Twin(plan.cluster, service.blue.service_name, name, *labels)
    remarks = scaling.copy(twin, least=least, tags=tags) if least else ()
    made: dict[str, Any] = {"service_arn": green.arn}
    made |= {"undelivered": undelivered} if undelivered else {}
    made |= {"scaling": list(remarks)} if remarks else {}
    journal.append(entry_of(request, "result", CREATE, resource, at=now, detail=made, of=intent), fence=request.fence)
    if green.is_complete:
        executions.succeed_task(request.token, {"service": service.name, "service_arn": green.arn})
        journal.drop_token(resource, request.token)
    return Created(service_arn=green.arn, complete=green.is_complete)


def check(request: CheckRequest, *, journal: Journal, plans: PlanStore, services: Services, now: datetime) -> Checked:
    """
    Return how far a green service is, read from ECS; for when its event is late or lost.

    Safe to repeat: it changes nothing but the journal, and that only once green is complete.

    Raises:
        Fenced: a rollback has begun.
        GreenFailed: its deployment failed, or the service is gone.
        EcsBusy: ECS throttles.
    """
    record = read_fenced(journal, request.migration, request.fence)
    plan = read_plan(plans, record.plan)
    name = planned_service(plan, request.service).green.service_name
    green = services.describe(plan.cluster, name)
    if green is None:
        raise GreenFailed(f"green service {name} is not in {plan.cluster} any more")
    refuse_foreign(green, request.migration)
    refuse_failed(green)
    if green.is_complete:
        resource = service_resource(plan.cluster, name)
        token = journal.token(resource)
        if token is not None:  # nobody waits with it: the state that did has fallen back to looking
            journal.drop_token(resource, token.token)
        found = {"service_arn": green.arn, "seen": "by looking"}
        journal.append(entry_of(request, "note", CREATE, resource, at=now, detail=found), fence=request.fence)
    return Checked(complete=green.is_complete, reason=f"{name}: {green.progress}")


def creation_request(
    plan: MigrationPlan,
    service: ServicePlan,
    blue: ServiceState,
    *,
    task_definition: str,
    namespace: str,
    target_groups: Sequence[str],
    client_token: str,
) -> JsonObject:
    """
    Return CreateService's input for a green service.

    Where it runs and how is blue's own (`ServiceState.settings`); its least number of
    tasks is what blue runs, unless the plan wants none. Blue's service registries are
    left out on purpose: through them green would answer blue's callers.

    Source:
        Amazon ECS API reference, CreateService.
    """
    green = service.green
    settings: dict[str, Any] = dict(blue.settings)
    if settings.get("capacityProviderStrategy"):
        settings.pop("launchType", None)
    request: dict[str, Any] = {
        **settings,
        "cluster": plan.cluster,
        "serviceName": green.service_name,
        "taskDefinition": task_definition,
        "desiredCount": tasks_of_green(service, blue),
        "clientToken": client_token,
        "deploymentController": {"type": "ECS"},
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": {"enable": True, "rollback": True},
            "minimumHealthyPercent": 100,
            "maximumPercent": 200,
        },
        "serviceConnectConfiguration": _service_connect(service.endpoints, namespace, plan.proxy_logs, blue.region),
        "tags": [
            {"key": key, "value": value} for key, value in {**_own(blue.tags), MIGRATION_TAG: plan.migration}.items()
        ],
    }
    if target_groups:
        if green.container_name is None or green.container_port is None:
            raise BadInput(f"the plan puts {service.name} behind an edge and names no container of it; draw it again")
        request["loadBalancers"] = [
            {"targetGroupArn": arn, "containerName": container, "containerPort": port}
            for arn in target_groups
            for container, port in [_behind(arn, plan, service)]
        ]
        request["healthCheckGracePeriodSeconds"] = green.health_check_grace_seconds
    return request


def _behind(arn: str, plan: MigrationPlan, service: ServicePlan) -> tuple[str | None, int | None]:
    """Return the container and port of green's that answer a target group."""
    for edge in plan.edges:
        own = edge.green
        if edge.service == service.name and own.container_port is not None and f":targetgroup/{own.name}/" in arn:
            return own.container_name, own.container_port
    return service.green.container_name, service.green.container_port


def _service_connect(endpoints: Sequence[Endpoint], namespace: str, logs: LogPlan, region: str) -> dict[str, Any]:
    configuration: dict[str, Any] = {
        "enabled": True,
        "namespace": namespace,
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": logs.group,
                "awslogs-region": region,
                "awslogs-stream-prefix": logs.stream_prefix,
                "mode": "non-blocking",
            },
        },
        "accessLogConfiguration": {"format": "JSON", "includeQueryParameters": "DISABLED"},
    }
    if endpoints:  # without them the service is a client only
        configuration["services"] = [_connect_service(endpoint) for endpoint in endpoints]
    return configuration


def _connect_service(endpoint: Endpoint) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "portName": endpoint.port_name,
        "discoveryName": endpoint.discovery_name,
        "clientAliases": [{"port": endpoint.port, "dnsName": endpoint.dns_name}],
    }
    timeout = _timeout(endpoint.timeout) if endpoint.timeout is not None else {}
    if timeout:
        answer["timeout"] = timeout
    if endpoint.tls is not None:
        answer["tls"] = _tls(endpoint.tls)
    return answer


def _tls(tls: Tls) -> dict[str, Any]:
    said = {"roleArn": tls.role_arn, "kmsKey": tls.kms_key}
    members = {name: value for name, value in said.items() if value is not None}
    return {"issuerCertificateAuthority": {"awsPcaAuthorityArn": tls.authority_arn}, **members}


def _timeout(timeout: Timeout) -> dict[str, int]:
    members = {
        "idleTimeoutSeconds": timeout.idle_seconds,
        "perRequestTimeoutSeconds": timeout.per_request_seconds,
    }
    return {name: seconds for name, seconds in members.items() if seconds is not None}


def _make_ends(
    request: CreateRequest,
    plan: MigrationPlan,
    service: ServicePlan,
    tags: dict[str, str],
    *,
    journal: Journal,
    edges: Edges,
) -> list[str]:
    target_groups = []
    for planned in plan.edges:
        if planned.service != service.name:
            continue
        edge = journal.edge(request.migration, planned.name)
        made = edges.make_green_end(edge, planned.green.name, tags)
        journal.put_edge(made, fence=request.fence)
        for end in filter(None, (made.resolved.blue_arn, made.resolved.green_arn)):
            journal.index(target_group_resource(end), request.migration)
        assert made.resolved.green_arn is not None
        target_groups.append(made.resolved.green_arn)
    return list(dict.fromkeys(target_groups))  # a public and a private zone lead to the same one


def _labels(plan: MigrationPlan, service: ServicePlan, journal: Journal) -> tuple[str | None, str | None]:
    """Return green's and blue's target groups as scaling names them, where the service is at an edge."""
    for planned in plan.edges:
        resolved = journal.edge(plan.migration, planned.name).resolved if planned.service == service.name else None
        if resolved is not None and resolved.green_arn is not None:
            green = _label(resolved.green_balancer_arn, resolved.green_arn)
            return green, _label(resolved.load_balancer_arn, resolved.blue_arn)
    return None, None


def _label(balancer: str, group: str) -> str:
    return f"{balancer.partition(':loadbalancer/')[2]}/{group.rpartition(':')[2]}"


def _refuse_different(
    found: ServiceState, runs: JsonObject, definition: JsonObject, connect: Mapping[str, Any]
) -> None:
    """Raise ServiceExists for a service that is not what would be made, naming in what it differs."""
    there = (found.primary.service_connect if found.primary else None) or {}
    family = TaskDefinitionChange(family=str(definition["family"]))
    differs = [] if rewrite(runs, family) == definition else [f"its task definition {found.task_definition}"]
    differs += [] if _endpoints(there) == _endpoints(connect) else ["its endpoints of Service Connect"]
    group, wanted = _log_group(there), _log_group(connect)
    differs += [] if group == wanted else [f"the log group of its proxies, {group} and not {wanted}"]
    if differs:
        whose = "was made by an earlier attempt" if found.migration else f"carries no tag {MIGRATION_TAG}"
        raise ServiceExists(
            f"a service named {found.name} exists, {whose}, and is not what the plan says: {'; '.join(differs)}; "
            "delete it and start again"
        )


def _endpoints(connect: Mapping[str, Any]) -> list[str]:
    named = ("portName", "discoveryName", "clientAliases", "timeout", "tls")
    services = connect.get("services") or []
    return sorted(json.dumps({name: each.get(name) or None for name in named}, sort_keys=True) for each in services)


def _log_group(connect: Mapping[str, Any]) -> str | None:
    group: str | None = ((connect.get("logConfiguration") or {}).get("options") or {}).get("awslogs-group")
    return group


def refuse_others(found: ServiceState, migration: str) -> None:
    """Raise ServiceExists for a service of another migration, EcsBusy for one that is being deleted."""
    if found.migration not in {None, migration}:
        raise ServiceExists(
            f"a service named {found.name} exists and is of migration {found.migration}; choose another name, "
            "or delete it"
        )
    if found.status != "ACTIVE":
        raise EcsBusy(f"{found.name} is {found.status}: an earlier one is still being deleted")


def refuse_foreign(found: ServiceState, migration: str) -> None:
    """Raise ServiceExists for a service this migration did not make, EcsBusy for one that is being deleted."""
    if found.migration != migration:
        whose = f"is of migration {found.migration}" if found.migration else f"carries no tag {MIGRATION_TAG}"
        raise ServiceExists(f"a service named {found.name} exists and {whose}; choose another name or delete it")
    if found.status != "ACTIVE":
        raise EcsBusy(f"{found.name} is {found.status}: an earlier one is still being deleted")


def refuse_failed(green: ServiceState) -> None:
    """Raise GreenFailed where the newest deployment has failed."""
    if green.failure is not None:
        raise GreenFailed(f"the deployment of {green.name} failed: {green.failure}")


def planned_service(plan: MigrationPlan, name: str) -> ServicePlan:
    """Return a service of the plan; BadInput when it has none of this name."""
    try:
        return plan.service(name)
    except KeyError as unknown:
        raise BadInput(f"the plan of {plan.migration} has no service named {name}") from unknown


def _own(tags: Any) -> dict[str, str]:
    return {key: value for key, value in tags.items() if not key.startswith(("aws:", "crossfade:"))}


def _digest(definition: JsonObject) -> str:
    return hashlib.sha256(json.dumps(definition, sort_keys=True, default=str).encode()).hexdigest()


def _client_token(request: CreateRequest, name: str) -> str:
    # The same for every retry, another for every attempt: ECS takes 36 characters.
    return hashlib.sha256(f"{request.migration}/{request.fence}/{name}".encode()).hexdigest()[:32]
