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
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from crossfade.errors import BlueChanged
from crossfade.mesh.model import Container, TaskDefinition
from crossfade.plan.document import PortName, TaskDefinitionChange

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
    proxies = found.proxies()
    stay = [container for container in found.containers if container.name not in proxies]
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
        remove_containers=tuple(sorted(proxies)),
        remove_proxy_configuration=found.proxy_container is not None,
        remove_environment=tuple(sorted(_mesh_variables(stay))),
        name_ports=tuple(ports),
        health_checks=checks,
        memory=_task_memory(found, stay),
    )


def _mesh_variables(containers: Iterable[Container]) -> set[str]:
    return {name for container in containers for name in container.environment if name.startswith("APPMESH_")}


def _task_memory(found: TaskDefinition, stay: Sequence[Container]) -> str | None:
    """Return the task memory to set, in MiB, where blue has none; Service Connect requires it."""
    if found.memory is not None:
        return None
    limits = [container.memory_mib or 512 for container in stay]
    return str(sum(limits) + 128)


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
