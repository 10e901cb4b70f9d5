"""
Draws a plan from what the sources hold.

Pure: the same sources and options give the same document. The drawing knows no
format; every reader of `mesh` produces what it takes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from crossfade.connect.choices import Choices
from crossfade.connect.endpoints import serving_container
from crossfade.connect.gaps import gap
from crossfade.connect.seats import NO_ENVOY
from crossfade.connect.taskdef import draw_change, runs_on_fargate
from crossfade.connect.translate import Member, Translation, translate
from crossfade.draw.alarms import alarms_on
from crossfade.draw.background import background_gaps, background_of
from crossfade.draw.edges import edges_of
from crossfade.draw.gateways import Door, doors
from crossfade.draw.options import DrawOptions
from crossfade.errors import BadInput, MeshNotFound
from crossfade.mesh.assumed import assume_services
from crossfade.mesh.model import EcsService, Found, Origin, TargetAttachment
from crossfade.mesh.sources import SourceText
from crossfade.plan.document import (
    Gap,
    LogPlan,
    MigrationPlan,
    NamespacePlan,
    NotMigrated,
    OutsideName,
    Severity,
    SourceFile,
)
from crossfade.plan.edges import EdgePlan
from crossfade.plan.services import BackgroundAnswer, BlueService, GreenService, ServicePlan, TaskDefinitionChange
from crossfade.plan.waves import Order, order

_LONGEST_MIGRATION: Final = 40
_MIGRATION: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")
_SUFFIX: Final = re.compile(r"-[a-z0-9]{1,8}")
_NAMESPACE_ARN: Final = re.compile(r"arn:[a-z-]+:servicediscovery:[a-z0-9-]+:\d{12}:namespace/ns-[a-z0-9]+")
_ECS_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,255}")
_LEAVE_OUT: Final = "leave_out"


def draw(
    found: Found,
    options: DrawOptions,
    now: datetime | None,
    *,
    sources: Sequence[SourceText] = (),
    drawn_by: str = "crossfade",
) -> MigrationPlan:
    """
    Return the plan that moves one mesh's ECS services to Service Connect.

    Args:
        found: What the sources hold.
        options: The operator's choices.
        now: The time of the drawing, aware; None leaves it out, so that the same sources give the same bytes.
        sources: What `found` was read from, for the record.
        drawn_by: The program and its version, for the record.

    Raises:
        MeshNotFound: the sources hold a mesh that no ECS service runs in: there is
            nothing to migrate.
        BadInput: the sources are not enough to draw a plan from, or something the plan
            needs is not known from files; the message says what and how to supply it.
    """
    found.refuse_duplicates()
    mesh = _mesh(found, options)
    found = assume_services(found, mesh)
    origins = {each.origin for each in found.meshes if each.name == mesh}
    migration = _migration(options.migration or mesh)
    if not _SUFFIX.fullmatch(options.suffix):
        raise BadInput(f"the suffix {options.suffix} must be a hyphen and 1 to 8 of a-z and 0-9")
    logs = LogPlan(group=f"/crossfade/{migration}", stream_prefix="proxy")
    namespace = _namespace(options, migration)
    choices = Choices(
        suffix=options.suffix,
        namespace=namespace.arn or namespace.name,
        log_group=logs.group,
        authority=options.tls_authority,
        tls_role=options.tls_role,
        tls_key=options.tls_key,
    )
    whole = translate(found, mesh, choices)
    if not whole.members:
        if not found.services:
            raise BadInput(f"the sources hold the mesh {mesh} and no ECS service; add the template that holds them")
        raise MeshNotFound(f"nothing to migrate: no ECS service among the sources runs an Envoy of the mesh {mesh}")
    left_out = _left_out(whole.members, options)
    translation = replace(whole, members=tuple(each for each in whole.members if each.service.name not in left_out))
    if not translation.members:
        raise MeshNotFound("nothing to migrate: every service is left out")
    through, door_gaps = doors(found.in_mesh(mesh), translation.members)
    if strangers := sorted(set(options.edges) - {each.service.name for each in translation.members}):
        raise BadInput(f"an edge is given for {', '.join(strangers)}, which is no service of the plan")
    edges, edge_gaps = edges_of(found, translation.members, through, options)
    has_mesh = Origin.NONE not in origins
    services = tuple(_service(member, edges, through, options, has_mesh=has_mesh) for member in translation.members)
    _refuse_taken(found, services)
    by_name = {each.name: (each, member) for each, member in zip(services, translation.members, strict=True)}
    edges = tuple(_on_its_port(edge, *by_name[edge.service], through) for edge in edges)
    creation = order(
        {each.name: {call.service for call in each.calls if call.service is not None} for each in services}
    )
    gaps = (
        *translation.gaps,
        *door_gaps,
        *(edge_gaps if edges or not any(each.id == "EDGE_MISSING" for each in door_gaps) else ()),
        *_task_gaps(translation, services),
        *background_gaps(services),
        *_cycles(creation, mesh),
        *([gap("MESH_REBUILT", f"mesh/{mesh}")] if Origin.REBUILT in origins else []),
    )
    plan = MigrationPlan(
        migration=migration,
        drawn_at=now,
        drawn_by=drawn_by,
        sources=_recorded(sources),
        region=options.region,
        cluster=_cluster(found, translation.members),
        mesh=mesh if has_mesh else None,
        namespace=namespace,
        services=services,
        waves=creation.waves,
        redeploy=tuple(sorted(name for cycle in creation.cycles for name in cycle)),
        edges=edges,
        gaps=tuple(sorted(dict.fromkeys(gaps), key=lambda each: list(Severity).index(each.severity))),
        not_migrated=tuple(_not_migrated(found.in_mesh(mesh), translation, left_out)),
        outside_names=tuple(_outside_names(found, translation.members)),
        ledger=translation.ledger,
        bounds=options.bounds(),
        alarms=alarms_on(found, edges),
        proxy_logs=logs,
    )
    found.known(plan.model_copy(update={"gaps": (), "sources": ()}).model_dump_json())
    return plan


def _recorded(sources: Sequence[SourceText]) -> tuple[SourceFile, ...]:
    return tuple(SourceFile(path=text.path, sha256=text.digest()) for text in sources)


def draw_nothing(
    found: Found,
    options: DrawOptions,
    now: datetime | None,
    *,
    sources: Sequence[SourceText] = (),
    drawn_by: str = "crossfade",
) -> MigrationPlan:
    """
    Return the plan of sources for which `draw` raises MeshNotFound: no service, and why each of them stays.

    It takes the place of a plan that was drawn before there was nothing left to migrate.
    """
    names = found.mesh_names() if options.mesh is None else (options.mesh,)
    real = {each.name for each in found.meshes if each.origin is not Origin.NONE}
    mesh = names[0] if names and names[0] in real else None
    clusters = sorted({each.cluster for each in found.services if "${" not in each.cluster})
    left = {name for name, answer in options.background.items() if answer == _LEAVE_OUT}
    migration = _migration(options.migration or _first_legal([*names, *clusters]))
    return MigrationPlan(
        migration=migration,
        drawn_at=now,
        drawn_by=drawn_by,
        sources=_recorded(sources),
        region=options.region,
        cluster=next(iter(clusters), "default"),
        mesh=mesh,
        namespace=_namespace(options, migration),
        services=(),
        waves=(),
        edges=(),
        gaps=(gap("VESTIGIAL_MESH", f"mesh/{mesh}"),) if mesh is not None and not left else (),
        not_migrated=tuple(
            NotMigrated(what=f"ecsService/{each.name}", why=_why_it_stays(each, left)) for each in found.services
        ),
        proxy_logs=LogPlan(group=f"/crossfade/{migration}", stream_prefix="proxy"),
    )


def _first_legal(names: Sequence[str]) -> str:
    return next((each for each in names if re.match(r"[^A-Za-z0-9]*[A-Za-z]", each)), "nothing")


def _why_it_stays(service: EcsService, left: Collection[str]) -> str:
    if service.name in left:
        return "left out by choice"
    return "it is on Service Connect already" if service.has_service_connect else NO_ENVOY


def _mesh(found: Found, options: DrawOptions) -> str:
    names = found.mesh_names()
    if options.mesh is not None:
        if options.mesh not in names:
            raise BadInput(f"the sources hold no mesh named {options.mesh}; they hold {_or_nothing(names)}")
        return options.mesh
    for name in names:
        found.known(name)
    if len(names) == 1:
        return names[0]
    if names:
        raise BadInput(f"the sources hold several meshes ({', '.join(names)}); choose one with --mesh NAME")
    if found.services:
        raise MeshNotFound("nothing to migrate: every ECS service among the sources is on Service Connect already")
    raise BadInput("the sources hold neither a mesh nor an ECS service")


def _or_nothing(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _migration(name: str) -> str:
    """Return a legal id made of `name`."""
    legal = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:_LONGEST_MIGRATION].rstrip("-")
    if not _MIGRATION.fullmatch(legal):
        raise BadInput(f"{name} cannot name a migration; give --migration NAME: a letter, then a-z, 0-9 and hyphens")
    return legal


def _namespace(options: DrawOptions, migration: str) -> NamespacePlan:
    said = options.namespace
    if said is None:
        return NamespacePlan(name=f"{migration}{options.suffix}")
    if not said.startswith("arn:"):
        return NamespacePlan(name=said)
    if not _NAMESPACE_ARN.fullmatch(said):
        raise BadInput(f"{said} is no Cloud Map namespace: arn:aws:servicediscovery:REGION:ACCOUNT:namespace/ns-ID")
    return NamespacePlan(name=said.rpartition("/")[2], arn=said)


def _green_name(service: str, options: DrawOptions) -> str:
    """Return green's name in ECS, from the operator's template where there is one."""
    name = f"{service}{options.suffix}"
    if options.green_name is not None:
        if "{service}" not in options.green_name:
            raise BadInput(f"the template {options.green_name} must hold {{service}}, or all of green has one name")
        name = options.green_name.replace("{service}", service)
    if "${" in name:
        return name  # the plan is refused for it, with the way to supply it
    if name == service or not _ECS_NAME.fullmatch(name):
        raise BadInput(
            f"{name} cannot be the name of green's {service}: 1 to 255 letters, digits, _ and -, and another"
        )
    return name


def _refuse_taken(found: Found, services: Sequence[ServicePlan]) -> None:
    """Refuse a name for green that another service of the sources has already."""
    taken = {each.name: each.place for each in found.services}
    for service in services:
        if (place := taken.get(service.green.service_name)) is not None:
            raise BadInput(
                f"green's {service.name} would be called {service.green.service_name}, as the service at {place} is; "
                "name green otherwise (--green-name), or leave that source out"
            )


def _left_out(members: Sequence[Member], options: DrawOptions) -> frozenset[str]:
    names = {member.service.name for member in members}
    for name, answer in options.background.items():
        if name not in names:
            raise BadInput(f"an answer is given for {name}, which is no service of the plan")
        if answer not in (*BackgroundAnswer, _LEAVE_OUT):
            raise BadInput(f"{name}: {answer} is no answer; say share, create_at_zero or leave_out")
    left = frozenset(name for name, answer in options.background.items() if answer == _LEAVE_OUT)
    for member in members:
        for call in member.calls:
            if call.service in left and member.service.name not in left:
                raise BadInput(f"{call.service} cannot be left out: {member.service.name} calls it")
    return left


def _not_migrated(found: Found, translation: Translation, left_out: Collection[str]) -> Iterator[NotMigrated]:
    """Yield what of the sources stays behind, and why."""
    moving = {member.service.name for member in translation.members}
    outside = {each.resource: each.detail for each in translation.gaps if each.id == "OUTSIDE_THE_MESH"}
    nodes = {member.node.name for member in translation.members if member.node}
    for service in found.services:
        if service.name in left_out:
            yield NotMigrated(what=f"ecsService/{service.name}", why="left out by choice")
        elif service.name not in moving:
            why = outside.get(f"ecsService/{service.name}", "it plays no part in this mesh")
            yield NotMigrated(what=f"ecsService/{service.name}", why=why)
    for node in found.nodes:
        if node.name not in nodes:
            why = f"no ECS service of the sources plays it; it stands for {node.host or 'nothing named'}"
            yield NotMigrated(what=f"virtualNode/{node.name}", why=why)
    for gateway in found.gateways:
        yield NotMigrated(what=f"virtualGateway/{gateway.name}", why="Service Connect has no gateway")
    for router in found.routers:
        why = "Service Connect has no routes; who answers by default owns the name"
        yield NotMigrated(what=f"virtualRouter/{router.name}", why=why)
    if any(member.task.proxies() for member in translation.members):
        why = "only Envoy needs it; detach it from the task roles once blue is retired"
        yield NotMigrated(what="the policy AWSAppMeshEnvoyAccess of the task roles", why=why)


def _outside_names(found: Found, members: Sequence[Member]) -> Iterator[OutsideName]:
    """Yield the names under which DNS knows blue, for whoever dials them from outside the plan."""
    resolvable = {(each.dns_name or "").lower() for each in found.load_balancers} | {
        each.name for each in found.records
    }
    for member in members:
        names: dict[str, None] = {}
        if member.node is not None and member.node.host and member.service.registries:
            names[member.node.host.lower()] = None
        names.update((each.dns_name, None) for each in member.endpoints if each.dns_name in resolvable)
        for name in names:
            yield OutsideName(name=name, service=member.service.name)


def _cluster(found: Found, members: Sequence[Member]) -> str:
    clusters = sorted({found.known(member.service.cluster) for member in members})
    if len(clusters) > 1:
        raise BadInput(f"the mesh's services run in several clusters ({', '.join(clusters)}); one is moved at a time")
    return clusters[0]


# ------------------------------------------------------------------------------- services


def _service(
    member: Member, edges: Sequence[EdgePlan], through: Sequence[Door], options: DrawOptions, *, has_mesh: bool
) -> ServicePlan:
    blue = member.service
    edge = next((each for each in edges if each.service == blue.name), None)
    attachment = next((each for each in blue.targets if edge and each.target_group == edge.blue.name), None)
    front = next((door.endpoint for door in through if edge and door.target_group == edge.blue.name), None)
    background = background_of(member, options)
    at_zero = background is not None and background.answer is BackgroundAnswer.CREATE_AT_ZERO
    return ServicePlan(
        name=blue.name,
        role=member.role,
        blue=BlueService(
            service_name=blue.name,
            task_definition=blue.task_definition,
            desired_count=blue.desired_count,
            target_group=edge.blue if edge else None,
            virtual_node=member.node.name if member.node and has_mesh else None,
            is_assumed=blue.is_assumed,
        ),
        green=GreenService(
            service_name=_green_name(blue.name, options),
            task_definition=_change(member, options),
            desired_count=0 if at_zero else blue.desired_count,
            health_check_grace_seconds=blue.grace_seconds,
            target_group=edge.green if edge else None,
            container_name=_container(member, attachment) if attachment else front.container if front else None,
            container_port=attachment.port if attachment else front.container_port if front else None,
        ),
        endpoints=member.endpoints,
        calls=member.calls,
        background=background,
    )


def _on_its_port(edge: EdgePlan, service: ServicePlan, member: Member, through: Sequence[Door]) -> EdgePlan:
    """Return an edge with the container and port behind it, where they are not the ones green's service names."""
    attachment = next((each for each in member.service.targets if each.target_group == edge.blue.name), None)
    front = next((door.endpoint for door in through if door.target_group == edge.blue.name), None)
    if attachment is not None:
        behind = (_container(member, attachment), attachment.port)
    else:
        behind = (front.container, front.container_port) if front is not None else (None, None)
    if None in behind or behind == (service.green.container_name, service.green.container_port):
        return edge
    said = {"container_name": behind[0], "container_port": behind[1]}
    return edge.model_copy(update={"green": edge.green.model_copy(update=said)})


def _change(member: Member, options: DrawOptions) -> TaskDefinitionChange:
    family = f"{member.task.family}{options.suffix}"
    if member.task.is_assumed:
        return TaskDefinitionChange(family=family, name_ports=member.ports)
    return draw_change(member.task, member.ports, family=family, health_path=member.health_path)


def _container(member: Member, attachment: TargetAttachment) -> str | None:
    """Return the container behind green's target group: blue's, or the application where blue's is Envoy."""
    if attachment.container in member.task.proxies() and attachment.port is not None:
        return serving_container(attachment.port, member.task).name
    return attachment.container


def _task_gaps(translation: Translation, services: Sequence[ServicePlan]) -> Iterator[Gap]:
    """Yield what must be known of the task definitions as they will be."""
    for member, service in zip(translation.members, services, strict=True):
        if member.task.is_assumed:
            continue
        change = service.green.task_definition
        place = f"taskDefinition/{member.task.family}"
        if change.memory is not None and member.task.memory is None:
            yield gap("TASK_MEMORY", place, memory=change.memory)
        elif change.memory is not None or change.cpu is not None:
            before = f"{member.task.cpu or 'no'} CPU units and {member.task.memory} MiB"
            launch = "Fargate" if runs_on_fargate(member.task) else "EC2"
            cpu, memory = change.cpu or member.task.cpu or "no", change.memory or member.task.memory
            yield gap("TASK_SIZE", place, cpu=cpu, memory=memory, before=before, launch=launch)
        for name in dict.fromkeys(port.container for port in change.name_ports):
            container = member.task.container(name)
            if container is None or container.has_health_check:
                continue
            if name in change.health_checks:
                answer = "Green's gets one made of the mesh's own, which needs a shell with curl or wget in the image."
            else:
                answer = "Give it one before it moves."
            yield gap("CONTAINER_HEALTH_CHECK", place, container=name, answer=answer)


def _cycles(creation: Order, mesh: str) -> Iterator[Gap]:
    for cycle in creation.cycles:
        yield gap("CALL_CYCLE", f"mesh/{mesh}", services=", ".join(cycle))
