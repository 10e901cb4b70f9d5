"""
Blue, frozen while a migration is open: these are the only things ever done to it.

Scale-in and scheduled scaling are suspended, so that blue keeps the tasks that the way
back needs while its traffic leaves; scaling out stays on, since a blue that may grow is
never the worse for it. Rebalancing between Availability Zones is switched off and tasks
are protected, so that ECS stops none of its own accord. None of it starts a deployment.
All is written down as found first, and put back as found.

Source: Amazon ECS API reference, UpdateService (which parameters start a deployment) and
UpdateTaskProtection; Application Auto Scaling API reference, SuspendedState.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from crossfade.errors import BlueChanged, Fenced, TryAgain
from crossfade.frozen import Frozen
from crossfade.journal.blue import BlueFound, ScalingFound
from crossfade.journal.fence import read_fenced
from crossfade.journal.journal import Journal
from crossfade.journal.model import entry_of
from crossfade.plan.store import PlanStore, read_plan
from crossfade.request import Request
from crossfade.resources import service_resource

PROTECTED_MINUTES = 120
"""Protection of tasks ends by itself after this long; `watch` renews it every minute while a migration is open."""

REBALANCES, STAYS = "ENABLED", "DISABLED"
"""The two values of `availabilityZoneRebalancing`."""


class Scaling(Protocol):
    """
    Application Auto Scaling of ECS services.

    Every implementation must pass `tests/contract/test_blue.py`. Both methods raise
    EcsBusy when they are throttled.
    """

    def found(self, cluster: str, service: str) -> tuple[ScalingFound, ...]:
        """Return the service's scalable targets with what is suspended now; none where it does not scale."""
        ...

    def suspend(self, wanted: ScalingFound) -> None:
        """
        Suspend exactly what is true in `wanted` and nothing else of this scalable target.

        A target that is gone meanwhile is not made again.
        """
        ...


class Blues(Protocol):
    """
    The verbs allowed on a blue service; none of them starts a deployment.

    Every implementation must pass `tests/contract/test_blue.py`. Every method raises
    EcsBusy when ECS throttles it, and BlueChanged when the service is gone.
    """

    def rebalancing(self, cluster: str, service: str) -> str | None:
        """Return `availabilityZoneRebalancing` as it is now; None where the service has none."""
        ...

    def rebalance(self, cluster: str, service: str, wanted: str) -> None:
        """Set `availabilityZoneRebalancing`, and nothing else."""
        ...

    def tasks(self, cluster: str, service: str) -> dict[str, bool]:
        """Return the service's running tasks by ARN, and whether each is protected from scale-in."""
        ...

    def protect(self, cluster: str, tasks: Sequence[str], minutes: int) -> tuple[str, ...]:
        """Protect these tasks for so many minutes, or lift their protection (0); return those that could not be."""
        ...

    def scale(self, cluster: str, service: str, desired: int) -> None:
        """Set the desired count, and nothing else."""
        ...


class FreezeRequest(Request):
    """Freeze, or thaw, the blue services of a migration."""

    migration: str
    fence: int


class FrozenBlue(Frozen):
    """The blue services that were frozen or thawed, and what could not be done, in words."""

    services: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def freeze(
    request: FreezeRequest, *, journal: Journal, plans: PlanStore, scaling: Scaling, blues: Blues, now: datetime
) -> FrozenBlue:
    """
    Freeze every blue service of the plan, each written down as found before it is touched.

    Safe to repeat: what was found first stays written down. If a rollback began
    meanwhile, what was frozen here is thawed again before giving up.

    Raises:
        Fenced: a rollback has begun.
        BlueChanged: a blue service is not there.
        EcsBusy, JournalBusy: AWS throttles.
    """
    record = read_fenced(journal, request.migration, request.fence)
    plan = read_plan(plans, record.plan)
    remarks: list[str] = []
    for service in plan.services:
        name = service.blue.service_name
        found = BlueFound(
            migration=request.migration,
            cluster=plan.cluster,
            service=name,
            scaling=scaling.found(plan.cluster, name),
            rebalancing=blues.rebalancing(plan.cluster, name),
            protected=tuple(task for task, held in blues.tasks(plan.cluster, name).items() if held),
        )
        kept = journal.keep_blue(found, fence=request.fence)
        subject = service_resource(kept.cluster, kept.service)
        said = kept.model_dump(mode="json", include={"scaling", "rebalancing", "protected"})
        intent = journal.append(
            entry_of(request, "intent", "freeze", subject, at=now, detail=said), fence=request.fence
        )
        remarks += _freeze(kept, scaling=scaling, blues=blues)
        try:
            journal.append(entry_of(request, "result", "freeze", subject, at=now, of=intent), fence=request.fence)
        except Fenced:
            _thaw(kept, scaling=scaling, blues=blues)
            journal.drop_blue(kept.migration, kept.service)
            raise
    return FrozenBlue(services=tuple(each.service for each in journal.blues(request.migration)), remarks=tuple(remarks))


def thaw(
    request: FreezeRequest,
    *,
    journal: Journal,
    scaling: Scaling,
    blues: Blues,
    now: datetime,
    keep_scaling: bool = False,
) -> FrozenBlue:
    """
    Put back what was found on every blue service that is frozen; needs no plan.

    Safe to repeat: a service is forgotten once it is as it was found, and one that is
    gone has nothing to put back. One that fails does not keep the others from it. With
    `keep_scaling`, scaling stays suspended: that of a service at zero tasks must not begin again.

    Raises:
        Fenced: a later rollback or opening has taken over.
        EcsBusy, JournalBusy: AWS throttles; the rest is thawed already.
    """
    read_fenced(journal, request.migration, request.fence)
    thawed: list[str] = []
    remarks: list[str] = []
    busy: list[TryAgain] = []
    for kept in journal.blues(request.migration):
        try:
            undone = kept.model_copy(update={"scaling": ()}) if keep_scaling else kept
            remarks += _thaw(undone, scaling=scaling, blues=blues)
        except TryAgain as later:
            busy.append(later)
            continue
        subject = service_resource(kept.cluster, kept.service)
        journal.append(entry_of(request, "result", "thaw", subject, at=now))
        journal.drop_blue(kept.migration, kept.service)
        thawed.append(kept.service)
    if busy:
        raise busy[0]
    return FrozenBlue(services=tuple(thawed), remarks=tuple(remarks))


def protect_again(journal: Journal, migration: str, blues: Blues) -> tuple[str, ...]:
    """Renew the protection of the tasks of every frozen blue service; return what could not be done, in words."""
    remarks: list[str] = []
    for kept in journal.blues(migration):
        remarks += _protect(kept, blues)
    return tuple(remarks)


def _freeze(kept: BlueFound, *, scaling: Scaling, blues: Blues) -> list[str]:
    for target in kept.scaling:
        scaling.suspend(target.model_copy(update={"scaling_in": True, "scheduled": True}))
    if kept.rebalancing == REBALANCES:
        blues.rebalance(kept.cluster, kept.service, STAYS)
    return _protect(kept, blues)


def _protect(kept: BlueFound, blues: Blues) -> list[str]:
    tasks = _ours(kept, blues)
    return [f"{task} could not be protected" for task in blues.protect(kept.cluster, tasks, PROTECTED_MINUTES)]


def _thaw(kept: BlueFound, *, scaling: Scaling, blues: Blues) -> list[str]:
    try:
        for target in kept.scaling:
            scaling.suspend(target)
        if kept.rebalancing == REBALANCES:
            blues.rebalance(kept.cluster, kept.service, REBALANCES)
        blues.protect(kept.cluster, _ours(kept, blues), 0)
    except BlueChanged as gone:
        return [str(gone)]
    return []


def _ours(kept: BlueFound, blues: Blues) -> list[str]:
    return [task for task in blues.tasks(kept.cluster, kept.service) if task not in kept.protected]
