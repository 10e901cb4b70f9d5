"""How many tasks green runs, whether one is enough, and how large they are: pure."""

from __future__ import annotations

from crossfade.connect.services import JsonObject, ServiceState
from crossfade.plan.document import MigrationPlan
from crossfade.plan.services import ServicePlan

SINGLE_TASK = "SINGLE_TASK"
"""The gap whose acceptance consents to a service of one task."""

_UNITS_OF_A_VCPU = 1024


def tasks_of_green(service: ServicePlan, blue: ServiceState) -> int:
    """Return green's least number of tasks: as planned, or what blue runs if that is more; none if none is planned."""
    planned = service.green.desired_count
    return max(planned, blue.running) if planned else 0


def single_task_place(service: ServicePlan) -> str:
    """Return the resource under which a plan holds the gap SINGLE_TASK of a service."""
    return f"ecsService/{service.blue.service_name}"


def serves_alone_unasked(plan: MigrationPlan, service: ServicePlan, tasks: int) -> bool:
    """
    Return whether green would answer its callers with one task, and nobody has consented in the plan.

    A lone task is never ejected by its callers' proxies, so its errors reach them. The consent is the acceptance of
    the gap SINGLE_TASK of this service; a plan without the gap holds none.
    """
    if tasks != 1 or not service.endpoints:
        return False
    place = single_task_place(service)
    return not any(gap.id == SINGLE_TASK and gap.resource == place and gap.accepted is not None for gap in plan.gaps)


def vcpus_of_a_task(definition: JsonObject) -> float:
    """
    Return a task definition's vCPUs, 0 where it says none.

    Source: Amazon ECS API reference, TaskDefinition: `cpu` is in units, 1,024 of a vCPU, or as "1 vCPU".
    """
    said = str(definition.get("cpu") or "0").strip()
    number, _, unit = said.partition(" ")
    return float(number) if unit.lower() == "vcpu" else float(number) / _UNITS_OF_A_VCPU
