"""The fleets of the Regions, and what a call to Amazon ECS names in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import botocore.session
from moto.core.utils import camelcase_to_underscores
from moto.ecs.models import ecs_backends

from rehearsal.aws.clock import every
from rehearsal.aws.ecs_model import Service
from rehearsal.aws.fleet import Fleet
from rehearsal.aws.registry import Call, on_reset

LOOK_SECONDS: Final = 0.25  # how often running tasks are asked how they are
MOST_DESCRIBED_TASKS: Final = 100

_fleets: dict[str, Fleet] = {}
_model = botocore.session.get_session().get_service_model("ecs")


@on_reset
def forget() -> None:
    """Stop all tasks and forget all services."""
    fleets = list(_fleets.values())
    _fleets.clear()
    for each in fleets:
        each.close()


def _look_after() -> None:
    for each in list(_fleets.values()):
        each.look_after()


every(LOOK_SECONDS, _look_after)


def fleet_of(call: Call) -> Fleet:
    """Return the fleet of the Region that is called."""
    return _fleets.setdefault(call.region, Fleet(call.region))


def cluster_of(call: Call, name: str | None) -> Any:
    """Return the cluster that a call names, by name or ARN; the one called default where it names none."""
    cluster = ecs_backends[call.account][call.region].clusters.get((name or "default").rpartition("/")[2])
    if cluster is None:
        raise call.error("ClusterNotFoundException", "Cluster not found.")
    return cluster


def service_of(call: Call, cluster: str | None, name: str) -> Service:
    """Return the service that a call names, by name or ARN."""
    service = fleet_of(call).services.get((cluster_of(call, cluster).name, name.rpartition("/")[2]))
    if service is None:
        raise call.error("ServiceNotFoundException", "Service not found.")
    return service


def let_exit(region: str, cluster: str, name: str) -> bool:
    """Let the oldest running task of a service end of its own; False where it has none. The service replaces it."""
    here = _fleets.get(region)
    if here is None:
        return False
    with here.lock:
        service = here.services.get((cluster, name))
        running = [task for task in service.live() if task.status == "RUNNING"] if service else []
        if running:
            here.stop_task(running[0], "Essential container in task exited", "EssentialContainerExited")
        return bool(running)


def tags_of(region: str, arn: str) -> dict[str, str]:
    """Return what a service is tagged with now; nothing for what is none."""
    here = _fleets.get(region)
    if here is None:
        return {}
    with here.lock:
        return next((dict(each.tags) for each in here.services.values() if each.arn == arn), {})


def task_definition_of(call: Call, name: str) -> Mapping[str, Any]:
    """Answer an active task definition as DescribeTaskDefinition does."""
    definition = ecs_backends[call.account][call.region].describe_task_definition(name)
    if definition.status != "ACTIVE":
        raise call.error("ClientException", "TaskDefinition is inactive")
    shaped: Mapping[str, Any] = _shaped(definition, _model.shape_for("TaskDefinition"))
    return {**shaped, "taskDefinitionArn": definition.arn}


def _shaped(value: Any, shape: Any) -> Any:
    """Read one of moto's objects, or a dict in either spelling, as the dict botocore knows."""
    if shape.type_name == "structure":
        members = {}
        for name, member in shape.members.items():
            held = _held(value, name)
            if held is not None:
                members[name] = _shaped(held, member)
        return members
    if shape.type_name == "list":
        return [_shaped(each, shape.member) for each in value]
    return dict(value) if shape.type_name == "map" else value


def _held(value: Any, name: str) -> Any:
    for spelling in (name, camelcase_to_underscores(name)):
        held = value.get(spelling) if isinstance(value, Mapping) else getattr(value, spelling, None)
        if held is not None:
            return held
    return None


def page_of(call: Call, member: str, found: Sequence[Any], size: int) -> dict[str, Any]:
    """Answer one page of what was found, and the token of the next."""
    most = call.params.get("maxResults", size)
    token = call.params.get("nextToken", "0")
    if not token.isdigit() or not 1 <= most <= MOST_DESCRIBED_TASKS:
        raise call.error("InvalidParameterException", "nextToken or maxResults is not valid.")
    start = int(token)
    more = start + most < len(found)
    return {member: list(found[start : start + most]), **({"nextToken": str(start + most)} if more else {})}
