"""
Blue's task definition turned into green's: what leaves, what comes, and nothing else.

Pure. `draw_change` decides from the source what will change; `rewrite` applies that to the
task definition blue really runs when green is created, so images, roles, secrets and
everything the plan does not name are blue's own, to the letter.

Source: Amazon ECS API reference, RegisterTaskDefinition and TaskDefinition; Developer
Guide, "Service Connect configuration overview" (named ports, task memory).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from crossfade.errors import BlueChanged
from crossfade.mesh.model import Container, TaskDefinition
from crossfade.plan.services import PortName, TaskDefinitionChange

READ_ONLY: Final = frozenset(
    {
        "taskDefinitionArn",
        "revision",
        "status",
        "requiresAttributes",
        "compatibilities",
        "registeredAt",
        "registeredBy",
        "deregisteredAt",
        "deleteRequestedAt",
    }
)
"""What DescribeTaskDefinition answers and RegisterTaskDefinition does not take."""

FARGATE_SIZES: Final[Mapping[int, Sequence[int]]] = {
    256: (512, 1_024, 2_048),
    512: range(1_024, 4_096 + 1, 1_024),
    1_024: range(2_048, 8_192 + 1, 1_024),
    2_048: range(4_096, 16_384 + 1, 1_024),
    4_096: range(8_192, 30_720 + 1, 1_024),
    8_192: range(16_384, 61_440 + 1, 4_096),
    16_384: range(32_768, 122_880 + 1, 8_192),
}
"""CPU units and the memory sizes, in MiB, that Fargate has with them."""

_PROXY_CPU: Final = 256
_PROXY_MEMORY: Final = 64
_NUMBER: Final = re.compile(r"(\d*\.?\d+)\s*(vcpu|gb|mb|mib)?", re.IGNORECASE)
_XRAY_DAEMON: Final = re.compile(r"x-?ray")
_CURL_OR_WGET: Final = "curl -fsS -o /dev/null {url} || wget -q -O /dev/null {url} || exit 1"


def draw_change(
    found: TaskDefinition, ports: Sequence[PortName], *, family: str, health_path: str | None = None
) -> TaskDefinitionChange:
    """
    Decide what turns `found` into green's task definition.

    The Envoy container leaves with its proxyConfiguration, the dependencies on it and the
    APPMESH_ variables of the containers that stay.

    Args:
        found: Blue's task definition as the source describes it.
        ports: The ports Service Connect shall serve; empty for a client.
        family: Green's family.
        health_path: Path at which the mesh checked the first port's health. A container
            that serves a port and has no health check of its own gets one made of it,
            for a shell with curl or wget. None adds nothing.
    """
    leave = found.proxies() | set(envoys_daemons(found))
    stay = [container for container in found.containers if container.name not in leave]
    cpu, memory = task_size(found, stay)
    checks = {}
    if health_path is not None and ports:
        port = ports[0]
        container = found.container(port.container)
        if container is not None and not container.has_health_check:
            url = f"http://localhost:{port.container_port}{health_path}"
            command = _CURL_OR_WGET.format(url=url)
            checks[port.container] = {
                "command": ["CMD-SHELL", command],
                "interval": 10,
                "timeout": 5,
                "retries": 3,
                "startPeriod": 30,
            }
    return TaskDefinitionChange(
        family=family,
        remove_containers=tuple(sorted(leave)),
        remove_proxy_configuration=found.proxy_container is not None,
        remove_environment=tuple(sorted(_mesh_variables(stay))),
        name_ports=tuple(ports),
        health_checks=checks,
        cpu=cpu,
        memory=memory,
    )


def envoys_daemons(task: TaskDefinition) -> tuple[str, ...]:
    """
    Return the X-Ray daemons that only Envoy sends segments to.

    A daemon that another container names (an AWS_XRAY_ variable, a dependency, a link) is the application's too.
    """
    proxies = task.proxies()
    tracing = (
        each.environment.get("ENABLE_ENVOY_XRAY_TRACING", "") for each in task.containers if each.name in proxies
    )
    if not any(said.strip().lower() in ("1", "true") for said in tracing):
        return ()
    daemons = [
        each.name
        for each in task.containers
        if each.name not in proxies and _XRAY_DAEMON.search(f"{each.name} {each.image}".lower())
    ]
    others = [each for each in task.containers if each.name not in proxies and each.name not in daemons]
    if any(name.startswith("AWS_XRAY_") for each in others for name in each.environment):
        return ()
    tied = {name for each in others for name in each.tied_to}
    return tuple(name for name in daemons if name not in tied)


def _mesh_variables(containers: Iterable[Container]) -> set[str]:
    return {name for container in containers for name in container.environment if name.startswith("APPMESH_")}


def task_size(found: TaskDefinition, stay: Sequence[Container]) -> tuple[str | None, str | None]:
    """
    Return the task's CPU units and memory in MiB that green needs, each None where blue's is right.

    Service Connect's proxy takes Envoy's room. Where blue has no Envoy, or its other containers may use up the task's
    memory, room is made, and on Fargate rounded up to a size that exists. Service Connect requires task memory, so
    green gets some where blue has none.

    Sources:
        Amazon ECS Developer Guide, "Service Connect proxy" (256 CPU units and at least 64 MiB) and "Fargate task
        definition differences" (task CPU and memory).
    """
    cpu, memory = _cpu_units(found.cpu), _mebibytes(found.memory)
    if found.memory is None:
        limits = [container.memory_mib or 512 for container in stay]
        return None, str(sum(limits) + 2 * _PROXY_MEMORY)
    if memory is None:
        return None, None
    had_envoy = bool(found.proxies())
    limits = [container.memory_limit_mib or 0 for container in stay]
    wanted_memory = max(memory if had_envoy else memory + _PROXY_MEMORY, sum(limits) + _PROXY_MEMORY)
    wanted_cpu = cpu if cpu is None or had_envoy else cpu + _PROXY_CPU
    if cpu is not None and wanted_cpu is not None and runs_on_fargate(found):
        wanted_cpu, wanted_memory = _on_fargate(wanted_cpu, wanted_memory) or (cpu, memory)
    return (
        None if wanted_cpu == cpu else str(wanted_cpu),
        None if wanted_memory == memory else str(wanted_memory),
    )


def runs_on_fargate(task: TaskDefinition) -> bool:
    """Whether the task definition is for Fargate."""
    return "FARGATE" in task.launch_types


def _on_fargate(cpu: int, memory: int) -> tuple[int, int] | None:
    """Return the smallest size Fargate has that is enough; None when none is."""
    for units, sizes in FARGATE_SIZES.items():
        fitting = next((size for size in sizes if size >= memory), None)
        if units >= cpu and fitting is not None:
            return units, fitting
    return None


def _cpu_units(said: str | None) -> int | None:
    """Return CPU units of `512`, `.5 vCPU` or `1 vcpu`; None of anything else."""
    match = _NUMBER.fullmatch((said or "").strip())
    if match is None:
        return None
    return round(float(match[1]) * (1_024 if "vcpu" in (match[2] or "").lower() else 1))


def _mebibytes(said: str | None) -> int | None:
    """Return MiB of `512`, `1GB` or `0.5 GB`; None of anything else."""
    match = _NUMBER.fullmatch((said or "").strip())
    if match is None:
        return None
    return round(float(match[1]) * (1_024 if "gb" in (match[2] or "").lower() else 1))


def rewrite(task_definition: Mapping[str, Any], change: TaskDefinitionChange) -> dict[str, Any]:
    """
    Return the RegisterTaskDefinition input for green.

    Args:
        task_definition: DescribeTaskDefinition's `taskDefinition` of what blue runs.
        change: The plan's change.

    Raises:
        BlueChanged: blue lacks something the change names, or would be left unable to
            run; the plan was drawn from another task definition.
    """
    green = copy.deepcopy({key: value for key, value in task_definition.items() if key not in READ_ONLY})
    blue = str(task_definition.get("taskDefinitionArn", task_definition.get("family", "blue")))
    containers = {str(each["name"]): each for each in green.get("containerDefinitions", [])}
    _check_named(containers, change, blue)
    green["family"] = change.family
    removed = set(change.remove_containers)
    for name in removed:
        del containers[name]
    for container in containers.values():
        _release(container, removed, set(change.remove_environment))
    if change.remove_proxy_configuration and green.pop("proxyConfiguration", None) is None:
        raise BlueChanged(f"{blue} has no proxyConfiguration to remove; draw the plan again")
    for port in change.name_ports:
        _name(containers[port.container], port, blue)
    for name, check in change.health_checks.items():
        containers[name].setdefault("healthCheck", copy.deepcopy(check))
    if not any(container.get("essential", True) for container in containers.values()):
        raise BlueChanged(f"{blue} would have no essential container left; draw the plan again")
    green["containerDefinitions"] = list(containers.values())
    green.update({key: value for key, value in (("cpu", change.cpu), ("memory", change.memory)) if value is not None})
    if not green.get("memory"):
        raise BlueChanged(f"{blue} has no task memory, which Service Connect requires; draw the plan again")
    return green


def _check_named(containers: Mapping[str, Any], change: TaskDefinitionChange, blue: str) -> None:
    named = {*change.remove_containers, *change.health_checks, *(port.container for port in change.name_ports)}
    if missing := sorted(named - set(containers)):
        raise BlueChanged(f"{blue} has no container named {', '.join(missing)}; draw the plan again")


def _release(container: dict[str, Any], removed: set[str], variables: set[str]) -> None:
    """Cut what ties a container to the ones that leave; a list left empty leaves too."""
    _filter(container, "dependsOn", lambda each: each["containerName"] not in removed)
    _filter(container, "links", lambda each: str(each).partition(":")[0] not in removed)
    _filter(container, "volumesFrom", lambda each: each.get("sourceContainer") not in removed)
    _filter(container, "environment", lambda each: each.get("name") not in variables)


def _filter(container: dict[str, Any], key: str, stays: Any) -> None:
    before = container.get(key)
    if not before:
        return
    after = [each for each in before if stays(each)]
    if after:
        container[key] = after
    elif len(after) != len(before):
        del container[key]


def _name(container: dict[str, Any], port: PortName, blue: str) -> None:
    mappings = container.setdefault("portMappings", [])
    for mapping in mappings:
        if mapping.get("containerPort") == port.container_port and mapping.get("protocol", "tcp") == "tcp":
            break
    else:
        mapping = {"containerPort": port.container_port, "protocol": "tcp"}
        mappings.append(mapping)
    if mapping.get("name", port.name) != port.name:
        raise BlueChanged(
            f"{blue}: port {port.container_port} of {port.container} is named {mapping['name']} and the plan "
            f"says {port.name}; draw the plan again"
        )
    mapping["name"] = port.name
    if port.app_protocol is None:
        mapping.pop("appProtocol", None)
    else:
        mapping["appProtocol"] = port.app_protocol
