"""Verify Green: green is whole and answers before it gets any share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from pydantic import Field

from crossfade.connect.services import MIGRATION_TAG, Namespaces, Services, ServiceState
from crossfade.connect.sizing import SINGLE_TASK, serves_alone_unasked, single_task_place
from crossfade.errors import GreenFailed, GreenNotReady
from crossfade.frozen import Frozen
from crossfade.green.creation import CREATE
from crossfade.journal.fence import read_fenced
from crossfade.journal.journal import Journal
from crossfade.journal.model import MigrationRecord, bounded_reason
from crossfade.journal.note import note
from crossfade.judge.probing import Prober
from crossfade.phases import Phase
from crossfade.plan.document import MigrationPlan
from crossfade.plan.services import ServicePlan
from crossfade.plan.store import PlanStore, read_plan
from crossfade.request import Request
from crossfade.shift.share import NONE
from crossfade.shift.shifter import Edges
from crossfade.shift.staging import staging_probe

_EJECTABLE_FROM = 2


class VerifyRequest(Request):
    """See that green is ready for its first share."""

    migration: str
    fence: int


class VerifiedService(Frozen):
    """
    A green service as it was found. `remark` is what an operator should know of it, empty when nothing.

    `discovered` is how many of its tasks its callers' proxies find, by discovery name.
    """

    name: str
    running: int
    healthy_targets: int | None
    remark: str = ""
    discovered: dict[str, int] = Field(default_factory=dict)


class Verified(Frozen):
    """Every green service, found whole. `remarks` are what people are told with it, before green gets its share."""

    services: tuple[VerifiedService, ...]
    remarks: tuple[str, ...] = ()


def verify(
    request: VerifyRequest,
    *,
    journal: Journal,
    plans: PlanStore,
    services: Services,
    namespaces: Namespaces,
    edges: Edges,
    prober: Prober,
    now: datetime,
) -> Verified:
    """
    Look at every green service, and enter READY when all are whole.

    Whole means: deployment complete, all tasks running and none unhealthy; Service Connect enabled with
    its proxies' log configured; each discovery name answered for by all its tasks in Cloud
    Map, where its callers' proxies look; every target behind an edge healthy; what was made
    before an edge for green at work everywhere (CloudFront takes minutes); our own requests
    answered, to green's own entry and through staging, where the plan has such a probe. What
    others call runs two tasks, or the plan holds a person's consent to one. Safe to repeat,
    since it only looks, and entering the phase one is in changes nothing.

    A function outside the VPC may not get to an entry: one that answers nothing at all is
    remarked on, and no evidence. Nobody outside the namespace can call an endpoint inside it.

    Raises:
        Fenced: a rollback has begun.
        GreenNotReady: something is still coming up.
        GreenFailed: something never will.
        EcsBusy, EdgeBusy: AWS throttles.
    """
    record = read_fenced(journal, request.migration, request.fence)
    plan = read_plan(plans, record.plan)
    found = tuple(_verify_one(plan, service, journal, services, edges) for service in plan.services)
    found = _discovered(plan, found, namespaces)
    _refuse_spreading(request.migration, journal, edges)
    unasked = tuple(_ask_entries(plan, prober))
    _refuse_failing(plan, journal, edges, prober)
    remarks = (*unasked, *(each.remark for each in found if each.remark), *_of_scaling(record, journal))
    seen = {
        "services": [service.model_dump(mode="json") for service in found],
        **({"remarks": list(remarks)} if remarks else {}),
    }
    journal.append(note(request.migration, "verify", seen, fence=request.fence, at=now), fence=request.fence)
    told = bounded_reason("; ".join(remarks))
    journal.enter(request.migration, Phase.READY, fence=request.fence, at=now, why=told)
    return Verified(services=found, remarks=remarks)


def _verify_one(
    plan: MigrationPlan, service: ServicePlan, journal: Journal, services: Services, edges: Edges
) -> VerifiedService:
    name = service.green.service_name
    green = services.describe(plan.cluster, name)
    if green is None or green.migration != plan.migration:
        raise GreenFailed(f"green service {name} is not in {plan.cluster}, or has lost its tag {MIGRATION_TAG}")
    if green.failure is not None:
        raise GreenFailed(f"the deployment of {name} failed: {green.failure}")
    if serves_alone_unasked(plan, service, green.desired):
        raise GreenFailed(
            f"{name} serves with one task, which its callers' proxies can never eject: give it two in the plan, or "
            f"accept there the gap {SINGLE_TASK} of {single_task_place(service)}"
        )
    if not green.is_complete:
        raise GreenNotReady(f"{name}: {green.progress}")
    _refuse_mute(green)
    sick = services.unhealthy(plan.cluster, name)
    if sick:
        raise GreenNotReady(
            f"{name}: ECS calls {len(sick)} of its {green.running} tasks unhealthy, {sick[0]} among them"
        )
    healthy = _healthy_targets(plan, service, green, journal, edges)
    alone = 0 < green.desired < _EJECTABLE_FROM
    remark = f"{name}: one task only, which its callers' proxies can never eject" if alone else ""
    return VerifiedService(name=service.name, running=green.running, healthy_targets=healthy, remark=remark)


def _of_scaling(record: MigrationRecord, journal: Journal) -> tuple[str, ...]:
    """Return what was said of green's scaling when its services were made in this attempt, each once."""
    said = (
        remark
        for entry in journal.entries(record.migration)
        if (entry.what, entry.kind) == (CREATE, "result") and entry.at >= record.opened_at
        for remark in entry.detail.get("scaling", ())
    )
    return tuple(dict.fromkeys(said))


def _discovered(
    plan: MigrationPlan, found: Sequence[VerifiedService], namespaces: Namespaces
) -> tuple[VerifiedService, ...]:
    """Return the services with what Cloud Map knows of them; refuse one of whose tasks callers would not find all."""
    wanted = {
        endpoint.discovery_name: (service, each)
        for service, each in zip(plan.services, found, strict=True)
        for endpoint in service.endpoints
        if each.running
    }
    healthy = namespaces.healthy(plan.namespace.arn or plan.namespace.name, list(wanted)) if wanted else {}
    for name, (service, each) in wanted.items():
        if healthy[name] < each.running:
            raise GreenNotReady(
                f"{service.green.service_name}: {healthy[name]} of its {each.running} tasks answer to {name} in the "
                f"namespace {plan.namespace.name}, where its callers look for them"
            )
    mine = {service.name: [endpoint.discovery_name for endpoint in service.endpoints] for service in plan.services}
    return tuple(
        each.model_copy(update={"discovered": {name: healthy[name] for name in mine[each.name] if name in healthy}})
        for each in found
    )


def _ask_entries(plan: MigrationPlan, prober: Prober) -> Iterator[str]:
    """Ask green at its own entries; yield which of them nothing answered at, refuse one where something went wrong."""
    for planned in plan.edges:
        if planned.probe is None:
            continue
        count = prober.ask(planned.probe)
        said = f"edge {planned.name}: of {planned.probe.per_look} requests to green at {planned.probe.url}"
        if not count.requests:
            yield f"{said} none was answered: it cannot be reached from here, or green is silent there"
        elif count.requests < planned.probe.per_look or count.errors:
            raise GreenNotReady(f"{said} {count.requests} were answered, {count.errors} of them with 5xx")


def _refuse_spreading(migration: str, journal: Journal, edges: Edges) -> None:
    told = [said for edge in journal.edges(migration) if (said := edges.shifter(edge).spreading())]
    if told:
        raise GreenNotReady("; ".join(told))


def _refuse_failing(plan: MigrationPlan, journal: Journal, edges: Edges, prober: Prober) -> None:
    """Ask green alone through staging, while it is the header that leads there: a weight leads to blue as well."""
    for planned in plan.edges:
        probe = staging_probe(planned)
        if probe is None:
            continue
        if any(share > NONE for share in edges.shifter(journal.edge(plan.migration, planned.name)).shares()):
            continue
        count = prober.ask(probe)
        if count.requests < probe.per_look or count.errors:
            raise GreenNotReady(
                f"edge {planned.name}: of {probe.per_look} requests through staging to {probe.url} "
                f"{count.requests} were answered, {count.errors} of them with 5xx"
            )


def _refuse_mute(green: ServiceState) -> None:
    connect = (green.primary.service_connect if green.primary else None) or {}
    if not connect.get("enabled"):
        raise GreenFailed(f"{green.name} runs without Service Connect")
    if not connect.get("logConfiguration"):
        raise GreenFailed(f"{green.name} has no log configuration for its proxies, so ejections could not be seen")


def _healthy_targets(
    plan: MigrationPlan, service: ServicePlan, green: ServiceState, journal: Journal, edges: Edges
) -> int | None:
    least: int | None = None
    for planned in plan.edges:
        if planned.service != service.name:
            continue
        target_group = journal.edge(plan.migration, planned.name).resolved.green_arn
        if target_group is None:
            raise GreenFailed(f"edge {planned.name} has no green end")
        healthy = edges.healthy_targets(target_group)
        if healthy < max(1, green.desired):
            raise GreenNotReady(f"{healthy} of {green.desired} targets of {green.name} are healthy at {planned.name}")
        least = healthy if least is None else min(least, healthy)
    return least
