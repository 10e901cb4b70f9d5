"""
Draws a plan from what the sources hold.

Pure: the same sources, options and time give the same document. The drawing knows no
format; every reader of `mesh` produces what it takes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from crossfade.connect.gaps import gap
from crossfade.connect.taskdef import draw_change
from crossfade.connect.translate import Member, Translation, serving_container, translate
from crossfade.errors import BadInput, MeshNotFound
from crossfade.mesh.model import Found, ListenerRule, TargetAttachment
from crossfade.plan.document import (
    BlueService,
    EdgePlan,
    Gap,
    GreenService,
    LogPlan,
    MigrationPlan,
    NamespacePlan,
    RuleRef,
    Rung,
    RungKind,
    ServicePlan,
    Severity,
    SourceFile,
    TargetGroupRef,
    TaskDefinitionChange,
)
from crossfade.plan.waves import Order, order

_LONGEST_MIGRATION: Final = 40
_LONGEST_TARGET_GROUP: Final = 32
_MIGRATION: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")
_SUFFIX: Final = re.compile(r"-[a-z0-9]{1,8}")
_WHOLE_BP: Final = 10_000


@dataclass(frozen=True, slots=True)
class DrawOptions:
    """
    What an operator may choose. None leaves the choice to the drawing.

    `suffix` ends every name made for green. The ladder climbs by `climb_bp`, each share
    held `climb_soak_seconds`; it bakes at `control_share_bp`, where blue is still a live
    control, and is watched at 100 %.
    """

    migration: str | None = None
    mesh: str | None = None
    region: str | None = None
    suffix: str = "-sc"
    climb_bp: tuple[int, ...] = (500, 2_500, 5_000)
    control_share_bp: int = 9_500
    climb_soak_seconds: int = 300
    bake_soak_seconds: int = 900
    watch_soak_seconds: int = 900

    def ladder(self) -> tuple[Rung, ...]:
        """Return the rungs from the first share to 100 %."""
        climb = (Rung(share_bp=share, soak_seconds=self.climb_soak_seconds) for share in self.climb_bp)
        bake = Rung(share_bp=self.control_share_bp, soak_seconds=self.bake_soak_seconds, kind=RungKind.BAKE)
        watch = Rung(share_bp=_WHOLE_BP, soak_seconds=self.watch_soak_seconds, kind=RungKind.WATCH)
        return (*climb, bake, watch)


def draw(
    found: Found,
    options: DrawOptions,
    now: datetime,
    *,
    sources: Sequence[SourceFile] = (),
    drawn_by: str = "crossfade",
) -> MigrationPlan:
    """
    Return the plan that moves one mesh's ECS services to Service Connect.

    Args:
        found: What the sources hold.
        options: The operator's choices.
        now: The time of the drawing, aware.
        sources: The files behind `found`, for the record.
        drawn_by: The program and its version, for the record.

    Raises:
        MeshNotFound: the sources hold a mesh that no ECS service runs in: there is
            nothing to migrate.
        BadInput: the sources are not enough to draw a plan from, or something the plan
            needs is not known from files; the message says what and how to supply it.
    """
    found.refuse_duplicates()
    mesh = _mesh(found, options)
    migration = _migration(options.migration or mesh)
    if not _SUFFIX.fullmatch(options.suffix):
        raise BadInput(f"the suffix {options.suffix} must be a hyphen and 1 to 8 of a-z and 0-9")
    logs = LogPlan(group=f"/crossfade/{migration}", stream_prefix="proxy")
    namespace = f"{migration}{options.suffix}"
    translation = translate(found, mesh, suffix=options.suffix, namespace=namespace, log_group=logs.group)
    if not translation.members:
        if not found.services:
            raise BadInput(f"the sources hold the mesh {mesh} and no ECS service; add the template that holds them")
        raise MeshNotFound(f"nothing to migrate: no ECS service among the sources runs an Envoy of the mesh {mesh}")
    edges, edge_gaps = _edges(found, translation.members, options)
    services = tuple(_service(member, edges, options) for member in translation.members)
    creation = order(
        {each.name: {call.service for call in each.calls if call.service is not None} for each in services}
    )
    gaps = (
        *translation.gaps,
        *edge_gaps,
        *_task_gaps(translation, services),
        *_background(translation.members),
        *_cycles(creation, mesh),
    )
    plan = MigrationPlan(
        migration=migration,
        drawn_at=now,
        drawn_by=drawn_by,
        sources=tuple(sources),
        region=options.region,
        cluster=_cluster(found, translation.members),
        mesh=mesh,
        namespace=NamespacePlan(name=namespace),
        services=services,
        waves=creation.waves,
        edges=edges,
        gaps=tuple(sorted(gaps, key=lambda each: list(Severity).index(each.severity))),
        alarms=_alarms(found, edges),
        proxy_logs=logs,
    )
    found.known(plan.model_copy(update={"gaps": (), "sources": ()}).model_dump_json())
    return plan


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
        raise BadInput(
            "the sources hold ECS services and no App Mesh mesh; add the template that defines the mesh (services "
            "without one cannot be read yet)"
        )
    raise BadInput("the sources hold neither a mesh nor an ECS service")


def _or_nothing(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _migration(name: str) -> str:
    """Return a legal id made of `name`."""
    legal = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:_LONGEST_MIGRATION].rstrip("-")
    if not _MIGRATION.fullmatch(legal):
        raise BadInput(f"{name} cannot name a migration; give --migration NAME: a letter, then a-z, 0-9 and hyphens")
    return legal


def _cluster(found: Found, members: Sequence[Member]) -> str:
    clusters = sorted({found.known(member.service.cluster) for member in members})
    if len(clusters) > 1:
        raise BadInput(f"the mesh's services run in several clusters ({', '.join(clusters)}); one is moved at a time")
    return clusters[0]


# ------------------------------------------------------------------------------- services


def _service(member: Member, edges: Sequence[EdgePlan], options: DrawOptions) -> ServicePlan:
    blue = member.service
    edge = next((each for each in edges if each.service == blue.name), None)
    attachment = next((each for each in blue.targets if edge and each.target_group == edge.blue.name), None)
    return ServicePlan(
        name=blue.name,
        role=member.role,
        blue=BlueService(
            service_name=blue.name,
            task_definition=blue.task_definition,
            desired_count=blue.desired_count,
            target_group=edge.blue if edge else None,
            virtual_node=member.node.name if member.node else None,
        ),
        green=GreenService(
            service_name=f"{blue.name}{options.suffix}",
            task_definition=_change(member, options),
            desired_count=blue.desired_count,
            health_check_grace_seconds=blue.grace_seconds,
            target_group=edge.green if edge else None,
            container_name=_container(member, attachment) if attachment else None,
            container_port=attachment.port if attachment else None,
        ),
        endpoints=member.endpoints,
        calls=member.calls,
    )


def _change(member: Member, options: DrawOptions) -> TaskDefinitionChange:
    family = f"{member.task.family}{options.suffix}"
    return draw_change(member.task, member.ports, family=family, health_path=member.health_path)


def _container(member: Member, attachment: TargetAttachment) -> str | None:
    """Return the container behind green's target group: blue's, or the application where blue's is Envoy."""
    if attachment.container in member.task.proxies() and attachment.port is not None:
        return serving_container(attachment.port, member.task).name
    return attachment.container


def _task_gaps(translation: Translation, services: Sequence[ServicePlan]) -> Iterator[Gap]:
    """Yield what must be known of the task definitions as they will be."""
    for member, service in zip(translation.members, services, strict=True):
        change = service.green.task_definition
        place = f"taskDefinition/{member.task.family}"
        if change.memory is not None:
            yield gap("TASK_MEMORY", place, memory=change.memory)
        for name in dict.fromkeys(port.container for port in change.name_ports):
            container = member.task.container(name)
            if container is None or container.has_health_check:
                continue
            if name in change.health_checks:
                answer = "Green's gets one made of the mesh's own, which needs a shell with curl or wget in the image."
            else:
                answer = "Give it one before it moves."
            yield gap("CONTAINER_HEALTH_CHECK", place, container=name, answer=answer)


def _background(members: Sequence[Member]) -> Iterator[Gap]:
    for member in members:
        if not (member.endpoints or member.service.targets or member.is_target):
            yield gap("BACKGROUND_WORK", f"ecsService/{member.service.name}")


def _cycles(creation: Order, mesh: str) -> Iterator[Gap]:
    for cycle in creation.cycles:
        yield gap("CALL_CYCLE", f"mesh/{mesh}", services=", ".join(cycle))


# ---------------------------------------------------------------------------------- edges


def _edges(
    found: Found, members: Sequence[Member], options: DrawOptions
) -> tuple[tuple[EdgePlan, ...], tuple[Gap, ...]]:
    """Return an edge for each target group that users reach, and what stands in the way."""
    edges: list[EdgePlan] = []
    gaps: list[Gap] = []
    kinds = {each.name: each.kind for each in found.load_balancers}
    for member in members:
        for attachment in member.service.targets:
            rules = [rule for rule in found.rules if attachment.target_group in rule.target_groups]
            place = f"targetgroup/{attachment.target_group}"
            if not rules:
                gaps.append(gap("EDGE_MISSING", place))
                continue
            owner = rules[0].load_balancer
            kind = kinds.get(owner, "application")
            if kind != "application":
                gaps.append(gap("EDGE_KIND", place, load_balancer=owner, kind=kind))
                continue
            edges.append(_edge(member.service.name, attachment.target_group, rules, edges, options))
    if not edges and not gaps:
        gaps.append(gap("EDGE_MISSING", f"mesh/{members[0].node.mesh}" if members[0].node else "mesh"))
    return tuple(edges), tuple(gaps)


def _edge(
    service: str, group: str, rules: Sequence[ListenerRule], others: Sequence[EdgePlan], options: DrawOptions
) -> EdgePlan:
    name = service if all(each.name != service for each in others) else f"{service}-{group}"
    return EdgePlan(
        name=name,
        kind="alb",
        service=service,
        blue=TargetGroupRef(name=group),
        green=TargetGroupRef(name=_green_target_group(group, options.suffix)),
        rules=tuple(
            RuleRef(load_balancer=rule.load_balancer, listener_port=rule.listener_port, priority=rule.priority)
            for rule in sorted(rules, key=lambda each: (each.load_balancer, each.listener_port, _priority(each)))
        ),
        ladder=options.ladder(),
        control_share_bp=options.control_share_bp,
    )


def _priority(rule: ListenerRule) -> int:
    return int(rule.priority) if rule.priority.isdigit() else 0


def _green_target_group(blue: str, suffix: str) -> str:
    """Return a name of at most 32 characters; one that must be cut keeps a digest of the whole, to stay unique."""
    if len(blue) + len(suffix) <= _LONGEST_TARGET_GROUP:
        return f"{blue}{suffix}"
    mark = hashlib.sha256(blue.encode()).hexdigest()[:5]
    return f"{blue[: _LONGEST_TARGET_GROUP - len(suffix) - len(mark) - 1].rstrip('-')}-{mark}{suffix}"


def _alarms(found: Found, edges: Sequence[EdgePlan]) -> tuple[str, ...]:
    """Return the operator's alarms on an edge's load balancer or on blue's target group."""
    balancers = {rule.load_balancer for edge in edges for rule in edge.rules}
    full_names = {each.full_name for each in found.load_balancers if each.name in balancers}
    groups = {edge.blue.name for edge in edges}
    names = []
    for alarm in found.alarms:
        for name, value in alarm.dimensions:
            watches_group = name == "TargetGroup" and value.removeprefix("targetgroup/").partition("/")[0] in groups
            if watches_group or (name == "LoadBalancer" and value in full_names):
                names.append(alarm.name)
    return tuple(sorted(set(names)))
