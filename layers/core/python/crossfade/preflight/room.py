"""
Whether there is room for green beside blue: addresses, vCPUs, executions of functions, subscription filters.

The first three end in tasks or functions that do not start, in the middle of the move;
without the last, ejections are heard of later.

Source: Amazon ECS Developer Guide, "Fargate task networking" (one address a task); CloudWatch Logs quotas (two
subscription filters a group); AWS Lambda quotas.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from crossfade.connect.services import JsonObject, ServiceState
from crossfade.connect.sizing import tasks_of_green, vcpus_of_a_task
from crossfade.judge.proxylog_feed import SUBSCRIPTION
from crossfade.plan.document import MigrationPlan
from crossfade.plan.finding import Finding
from crossfade.plan.services import ServicePlan
from crossfade.preflight.surroundings import Surroundings

MOST_SUBSCRIPTIONS = 2
"""Subscription filters that a log group takes."""

AT_ONCE = 10
"""Green services that `migrate` makes at once."""

GUARDS = 6
"""Functions that may run beside them without a reservation: the other guards, `watch`, and a look at green."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A service of the plan, with blue as it is and the task definition that it runs."""

    service: ServicePlan
    blue: ServiceState
    definition: JsonObject

    @property
    def tasks(self) -> int:
        """How many tasks green will run."""
        return tasks_of_green(self.service, self.blue)

    @property
    def subnets(self) -> frozenset[str]:
        """The subnets in which each task takes an address; none where tasks share their host's."""
        network = self.blue.settings.get("networkConfiguration") or {}
        return frozenset(network.get("awsvpcConfiguration", {}).get("subnets", ()))

    @property
    def on_fargate(self) -> bool:
        """Whether its tasks count against Fargate's On-Demand quota."""
        strategy = self.blue.settings.get("capacityProviderStrategy") or ()
        return self.blue.settings.get("launchType") == "FARGATE" or any(
            each.get("capacityProvider") == "FARGATE" for each in strategy
        )

    @property
    def vcpus(self) -> float:
        """How many vCPUs green's tasks take."""
        changed = self.service.green.task_definition.cpu
        return self.tasks * vcpus_of_a_task({"cpu": changed} if changed else self.definition)


def room(
    plan: MigrationPlan, beside: Sequence[Beside], surroundings: Surroundings, *, now: datetime
) -> Iterator[Finding]:
    """
    Yield a finding for everything green needs room in; refused where there is too little.

    Raises:
        EcsBusy: AWS throttles.
    """
    yield from _addresses(beside, surroundings)
    yield from _vcpus(beside, surroundings, now)
    yield _concurrency(plan, surroundings)
    yield _subscriptions(plan, surroundings)


def _addresses(beside: Sequence[Beside], surroundings: Surroundings) -> Iterator[Finding]:
    wanted = {each.subnets for each in beside if each.subnets and each.tasks}
    free = surroundings.subnets.free_addresses(sorted({name for subnets in wanted for name in subnets}))
    for subnets in sorted(wanted, key=sorted):
        needed = sum(each.tasks for each in beside if each.subnets and each.subnets <= subnets)
        there = sum(free.get(name, 0) for name in subnets)
        finding = Finding(check=f"hold {needed} tasks more", subject=f"subnets {', '.join(sorted(subnets))}")
        if there < needed:
            yield finding.refuse(
                f"have {there} free addresses, and green needs {needed}",
                "free some, or add a subnet to blue's services",
            )
        else:
            yield finding


def _vcpus(beside: Sequence[Beside], surroundings: Surroundings, now: datetime) -> Iterator[Finding]:
    needed = sum(each.vcpus for each in beside if each.on_fargate)
    if not needed:
        return
    found = surroundings.vcpus.found(now)
    finding = Finding(check=f"holds {needed:g} vCPUs more", subject="Fargate's On-Demand quota")
    if found.quota is None:
        yield finding.model_copy(update={"check": "is not known to AWS here"})
    elif (found.used or 0) + needed > found.quota:
        yield finding.refuse(
            f"is {found.quota:g} vCPUs, {found.used or 0:g} run, and green needs {needed:g} more",
            f"have it raised to {math.ceil((found.used or 0) + needed)} in Service Quotas",
        )
    else:
        yield finding


def _concurrency(plan: MigrationPlan, surroundings: Surroundings) -> Finding:
    needed = min(AT_ONCE, max((len(wave) for wave in plan.waves), default=0)) + GUARDS
    there = surroundings.concurrency.unreserved()
    finding = Finding(check=f"leaves {needed} executions at once", subject="Lambda's concurrency")
    if there >= needed:
        return finding
    return finding.refuse(
        f"leaves {there} executions at once to functions without a reservation, and a move needs {needed}",
        "have the account's quota of concurrent executions raised, or reserve less for other functions",
    )


def _subscriptions(plan: MigrationPlan, surroundings: Surroundings) -> Finding:
    group = plan.proxy_logs.group
    others = [name for name in surroundings.subscriptions.names(group) if name != SUBSCRIPTION]
    finding = Finding(check="takes one more subscription filter", subject=f"log group {group}")
    if len(others) < MOST_SUBSCRIPTIONS:
        return finding
    return finding.refuse(
        f"has the subscription filters {', '.join(sorted(others))} and takes no more, so ejections would come late",
        "delete one of them, or give the plan's proxy_logs another group",
    )
