"""How many tasks green runs, and how large they are: pure."""

from __future__ import annotations

from crossfade.connect.services import JsonObject, ServiceState
from crossfade.plan.document import ServicePlan

_UNITS_OF_A_VCPU = 1024


def tasks_of_green(service: ServicePlan, blue: ServiceState) -> int:
    """Return green's least number of tasks: as planned, or what blue runs if that is more; none if none is planned."""
    planned = service.green.desired_count
    return max(planned, blue.running) if planned else 0


def vcpus_of_a_task(definition: JsonObject) -> float:
    """
    Return a task definition's vCPUs, 0 where it says none.

    Source: Amazon ECS API reference, TaskDefinition: `cpu` is in units, 1,024 of a vCPU, or as "1 vCPU".
    """
    said = str(definition.get("cpu") or "0").strip()
    number, _, unit = said.partition(" ")
    return float(number) if unit.lower() == "vcpu" else float(number) / _UNITS_OF_A_VCPU
