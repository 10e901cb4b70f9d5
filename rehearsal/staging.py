"""
What of a plan one machine can rehearse: cut to what it holds, and made whole where the plan leans on something absent.

Pure. Whatever differs from the plan is said in one sentence each, printed and kept with the result: nothing is left
out in silence.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from pydantic import Field

from crossfade.connect.gaps import gap
from crossfade.connect.sizing import SINGLE_TASK, serves_alone_unasked, single_task_place
from crossfade.draw.options import DrawOptions
from crossfade.errors import BadInput
from crossfade.frozen import Frozen
from crossfade.plan.document import Acceptance, Gap, MigrationPlan
from crossfade.plan.edges import EdgePlan, RuleRef
from crossfade.plan.services import BackgroundAnswer, ServicePlan, TargetGroupRef, TaskDefinitionChange
from crossfade.plan.waves import order

STAND_IN: Final = "stand-in-edge"
"""Name of the load balancer and of blue's target group where a plan has none."""

_TASKS_PER_CORE: Final = 8
"""Of each colour: a task is a proxy of some 40 MB, and 80 requests a second through ten of them take half a core."""
_ENOUGH_TASKS: Final = 2
_PORT: Final = 8080
_MESH_PROXY: Final = "envoy"
_BEFORE: Final = datetime.fromtimestamp(0, UTC)
"""When a rehearsal consents on an operator's behalf to a plan that names no time."""
_LISTED: Final = 6


class Staging(Frozen):
    """How what is rehearsed came of a plan. `differences` are sentences; `left_out` names services of the plan."""

    edge: str
    stand_in_edge: bool = False
    services: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    tasks: int = Field(description="Of each colour")
    differences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Staged:
    """A plan that one machine can hold, and how it came of the operator's."""

    plan: MigrationPlan
    staging: Staging


def machine_holds() -> int:
    """Return how many tasks of each colour this machine holds."""
    return _TASKS_PER_CORE * (os.cpu_count() or 1)


def stage(plan: MigrationPlan, *, edge_of: str | None = None, most_tasks: int) -> Staged:
    """
    Return what of a plan is rehearsed.

    One edge carries the load, since an edge without requests is held for want of evidence. A plan without one gets a
    load balancer in front of the service that reaches the most others. Services leave when there are more tasks than
    `most_tasks` of each colour: first those that the edge does not lead to, then those furthest from it.

    Args:
        plan: As `crossfade plan` drew it.
        edge_of: The edge, by its name or its service's; the one that leads to the most services by default.
        most_tasks: Of each colour.

    Raises:
        BadInput: the plan cannot be rehearsed, or has no such edge; the message says why and what to do.
    """
    _refuse_unanswered(plan)
    said: list[str] = []
    edge, entry = _chosen(plan, edge_of)
    if edge is not None:
        _say_other_edges(plan, edge, said)
    names, counts = _within(plan, entry, most_tasks, said)
    answered = {
        (service.name, each.dns_name)
        for service in plan.services
        if service.name in names
        for each in service.endpoints
    }
    services = tuple(
        _staged(service, counts[service.name], answered=answered, edge=edge, entry=entry, plan=plan, said=said)
        for service in plan.services
        if service.name in names
    )
    creation = order(
        {each.name: {call.service for call in each.calls if call.service is not None} for each in services}
    )
    if edge is None:
        said.append(
            f"the plan has no edge: a stand-in load balancer before {entry} takes its place; who divides real users "
            "is still to be decided"
        )
        edge = _stand_in(entry)
    else:
        edge = _made_anew(edge, said)
    if plan.alarms:
        said.append(f"alarms of your own are not rehearsed: {_listed(plan.alarms)}")
    if plan.namespace.arn is not None:
        said.append(f"the shared namespace {plan.namespace.name} is made anew")
    if any(each.tls is not None for service in services for each in service.endpoints):
        said.append("nothing is encrypted between the stand-ins: TLS is asked for and not done")
    kept = plan.model_copy(
        update={
            "services": services,
            "waves": creation.waves,
            "redeploy": tuple(name for name in plan.redeploy if any(name in cycle for cycle in creation.cycles)),
            "edges": (edge,),
            "gaps": _consented(plan, services, said),
            "alarms": (),
            "namespace": plan.namespace.model_copy(update={"arn": None}),
        }
    )
    staging = Staging(
        edge=edge.name,
        stand_in_edge=not plan.edges,
        services=tuple(each.name for each in services),
        left_out=tuple(each.name for each in plan.services if each.name not in names),
        tasks=sum(each.blue.desired_count for each in services),
        differences=tuple(dict.fromkeys(said)),
    )
    return Staged(plan=kept, staging=staging)


def _refuse_unanswered(plan: MigrationPlan) -> None:
    """Refuse what the stack would refuse, before anything is started."""
    if not plan.services:
        raise BadInput(f"the plan of {plan.migration} holds no service: there is nothing to rehearse")
    if gaps := plan.open_blocking_gaps():
        rows = "\n".join(f"- {{id: {gap.id}, resource: {gap.resource}, who: NAME, why: REASON}}" for gap in gaps)
        raise BadInput(
            f"{len(gaps)} blocking gaps are open; the stack refuses such a plan, and so does its rehearsal. Read what "
            f"they say with `crossfade plan`, then accept them with --accept FILE, where FILE holds:\naccept:\n{rows}"
        )
    waiting = [each.name for each in plan.services if each.background is not None and each.background.answer is None]
    if waiting:
        answers = " ".join(f"--background {name}=share" for name in waiting)
        raise BadInput(
            f"nobody has said what becomes of the work that no request brings; the stack refuses such a plan. Draw it "
            f"with an answer (share, create_at_zero or leave_out) for each: {answers}"
        )


def _chosen(plan: MigrationPlan, edge_of: str | None) -> tuple[EdgePlan | None, str]:
    """Return the edge, None where a stand-in takes its place, and the service users reach first."""
    if not plan.edges:
        names = {each.name for each in plan.services}
        if edge_of is not None and edge_of not in names:
            raise BadInput(f"--edge-of {edge_of}: the plan has no edge and no such service; it has {_listed(names)}")
        return None, edge_of or _widest(plan, sorted(names))
    by_service = {each.service: each for each in reversed(plan.edges)}
    named = {**by_service, **{each.name: each for each in plan.edges}}
    if edge_of is not None and edge_of not in named:
        raise BadInput(f"--edge-of {edge_of}: the plan has no such edge; it has {_listed(sorted(named))}")
    edge = named[edge_of] if edge_of is not None else by_service[_widest(plan, list(dict.fromkeys(by_service)))]
    return edge, edge.service


def _widest(plan: MigrationPlan, names: Sequence[str]) -> str:
    """Return the service from which most others are reached; the first by name among equals."""
    called = {call.service for each in plan.services for call in each.calls}
    return min(names, key=lambda name: (-len(_reached(plan, name)), name in called, name))


def _reached(plan: MigrationPlan, entry: str) -> list[str]:
    """Return the services that requests to `entry` reach, itself first, nearest first."""
    calls = {each.name: [call.service for call in each.calls if call.service is not None] for each in plan.services}
    reached = [entry]
    for name in reached:
        reached += [called for called in dict.fromkeys(calls[name]) if called not in reached]
    return reached


def _made_anew(edge: EdgePlan, said: list[str]) -> EdgePlan:
    """
    Return an edge of the same kind without what only the plan's account has.

    Raises:
        BadInput: users cannot be led to it here.
    """
    changed: dict[str, object] = {
        "blue": edge.blue.model_copy(update={"arn": None}),
        "green": edge.green.model_copy(update={"arn": None}),
    }
    if edge.dns is not None:
        names = ", ".join(f"{each.name} {each.type}" for each in edge.dns.records)
        if all(each.type == "AAAA" for each in edge.dns.records):
            raise BadInput(
                f"the edge {edge.name} divides {names} alone, and the rehearsal's users ask for A: rehearse "
                f"another with --edge-of, or a plan in which it has no such records"
            )
        said.append(f"the hosted zone of {names} is made anew, with nothing else in it")
        if any(each.green_values or each.set_identifier for each in edge.dns.records):
            said.append(f"{names}: addresses and records of others beside blue's are an alias to a load balancer here")
        records = (each.model_copy(update={"set_identifier": None, "green_values": ()}) for each in edge.dns.records)
        changed["dns"] = edge.dns.model_copy(update={"records": tuple(records)})
    if edge.cdn is not None:
        said.append(
            f"the distribution {edge.cdn.distribution_id} is made anew, with the one origin {edge.cdn.origin_id} and "
            "no cache"
        )
    if edge.probe is not None:
        gone = "go to this machine" if edge.dns is not None or edge.cdn is not None else "are not sent"
        said.append(f"requests of our own to {edge.probe.url} {gone}")
    return edge.model_copy(update=changed)


def _say_other_edges(plan: MigrationPlan, edge: EdgePlan, said: list[str]) -> None:
    others = [each.name for each in plan.edges if each.name != edge.name]
    if others:
        said.append(
            f"of {len(plan.edges)} edges only {edge.name} is climbed, since the load goes there; choose another with "
            f"--edge-of: {_listed(others)}"
        )


def _within(plan: MigrationPlan, entry: str, most_tasks: int, said: list[str]) -> tuple[frozenset[str], dict[str, int]]:
    """Return the services that are rehearsed, and how many tasks each runs."""
    counts = {each.name: max(1, each.blue.desired_count) for each in plan.services}
    none = sorted(each.name for each in plan.services if each.blue.desired_count == 0)
    if none:
        said.append(f"blue runs no task of {_listed(none)}: one is run here")
    many = sorted(name for name, count in counts.items() if count > _ENOUGH_TASKS)
    if many and sum(counts.values()) > most_tasks:
        said.append(f"two tasks stand for more of {_listed(many)}")
        counts = {name: min(count, _ENOUGH_TASKS) for name, count in counts.items()}
    names = [each.name for each in plan.services]
    if sum(counts.values()) > most_tasks and len(reached := _reached(plan, entry)) < len(names):
        said.append(
            f"cut to the call graph of {entry}: {len(reached)} of {len(names)} services, since this machine holds "
            f"{most_tasks} tasks of each colour and the plan has {sum(counts.values())}"
        )
        names = reached
    if sum(counts[name] for name in names) > most_tasks and any(counts[name] > 1 for name in names):
        said.append(f"one task stands for more of each service, since this machine holds {most_tasks} of each colour")
        counts = dict.fromkeys(counts, 1)
    if len(names) > most_tasks:
        nearest = _reached(plan, entry)[:most_tasks]
        said.append(
            f"cut to the {len(nearest)} services nearest to {entry} of the {len(names)} it leads to, since this "
            f"machine holds {most_tasks} tasks of each colour; calls that lead further are not made"
        )
        names = nearest
    return frozenset(names), counts


def _staged(
    service: ServicePlan,
    count: int,
    *,
    answered: Collection[tuple[str | None, str]],
    edge: EdgePlan | None,
    entry: str,
    plan: MigrationPlan,
    said: list[str],
) -> ServicePlan:
    calls = tuple(call for call in service.calls if (call.service, call.dns_name) in answered)
    outside = sorted({f"{call.dns_name}:{call.port}" for call in service.calls if call.service is None})
    if outside:
        said.append(f"calls of {service.name} that leave ECS are not made: {_listed(outside)}")
    at_zero = service.background is not None and service.background.answer is BackgroundAnswer.CREATE_AT_ZERO
    change = service.green.task_definition
    if plan.mesh is not None and not (change.remove_containers and change.remove_proxy_configuration):
        said.append(f"{service.name}'s traffic goes through an Envoy here, as App Mesh means it")
        change = _with_proxy(change)
    is_entry = service.name == entry
    blue_end = (edge.blue if edge is not None else TargetGroupRef(name=STAND_IN)) if is_entry else None
    green_end = (edge.green if edge is not None else _stand_in(entry).green) if is_entry else None
    port = service.green.container_port or _serving_port(service)
    if service.blue.is_assumed:
        said.append(f"no source holds the ECS service behind {service.name}; one of its name stands in for it")
    blue = service.blue.model_copy(update={"desired_count": count, "target_group": blue_end, "is_assumed": False})
    green = service.green.model_copy(
        update={
            "desired_count": 0 if at_zero else count,
            "task_definition": change,
            "target_group": green_end,
            "container_name": (service.green.container_name or _serving_container(service)) if is_entry else None,
            "container_port": port if is_entry else None,
        }
    )
    return service.model_copy(update={"blue": blue, "green": green, "calls": calls})


def _consented(plan: MigrationPlan, services: Sequence[ServicePlan], said: list[str]) -> tuple[Gap, ...]:
    """Return the plan's gaps, with consent to every service of which one task serves here without anyone's."""
    alone = [each for each in services if serves_alone_unasked(plan, each, each.green.desired_count)]
    planned = [each.name for each in alone if plan.service(each.name).green.desired_count == 1]
    if planned:
        said.append(
            f"one task is planned of {_listed(planned)}, and callers' proxies never eject a lone one: the rehearsal "
            f"accepts that on your behalf, the stack only where the plan accepts the gap {SINGLE_TASK}"
        )
    if only_here := [each.name for each in alone if each.name not in planned]:
        said.append(f"callers' proxies cannot eject the one task that runs here of {_listed(only_here)}")
    taken = Acceptance(who="rehearsal", why="one task is enough for a rehearsal", at=plan.drawn_at or _BEFORE)
    places = {single_task_place(each) for each in alone}
    others = (each for each in plan.gaps if not (each.id == SINGLE_TASK and each.resource in places))
    consents = (gap(SINGLE_TASK, place).model_copy(update={"accepted": taken}) for place in sorted(places))
    return (*others, *consents)


def _with_proxy(change: TaskDefinitionChange) -> TaskDefinitionChange:
    leave = change.remove_containers or (_MESH_PROXY,)
    return change.model_copy(update={"remove_containers": leave, "remove_proxy_configuration": True})


def _serving_container(service: ServicePlan) -> str:
    named = [port.container for port in service.green.task_definition.name_ports]
    return next(iter((*named, *(each.container for each in service.endpoints if each.container))), "app")


def _serving_port(service: ServicePlan) -> int:
    return next((each.container_port for each in service.endpoints), _PORT)


def _stand_in(entry: str) -> EdgePlan:
    options = DrawOptions()
    return EdgePlan(
        name=STAND_IN,
        kind="alb",
        service=entry,
        blue=TargetGroupRef(name=STAND_IN),
        green=TargetGroupRef(name=f"{STAND_IN}{options.suffix}"),
        rules=(RuleRef(load_balancer=STAND_IN, listener_port=80, priority="default"),),
        ladder=options.ladder(),
        control_share_bp=options.control_share_bp,
    )


def _listed(names: Collection[str]) -> str:
    every = sorted(names)
    more = f" and {len(every) - _LISTED} more" if len(every) > _LISTED else ""
    return ", ".join(every[:_LISTED]) + more
