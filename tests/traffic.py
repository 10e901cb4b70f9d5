"""What tests of traffic and memory start from: one migration, its edges, its plan."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from crossfade.connect.memory import MemoryServices
from crossfade.journal.edges import AlbEdge, AlbRule, EdgeRecord, StoredRequest
from crossfade.journal.model import MigrationRecord
from crossfade.phases import Phase
from crossfade.plan.document import LogPlan, MigrationPlan, NamespacePlan
from crossfade.plan.edges import EdgePlan, RuleRef, Rung, RungKind
from crossfade.plan.services import BlueService, GreenService, Role, ServicePlan, TargetGroupRef, TaskDefinitionChange
from crossfade.plan.store import PlanRef

NOON = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
MIGRATE = "arn:aws:states:eu-west-1:123456789012:execution:crossfade-migrate:shop-1"
CLIMB = "arn:aws:states:eu-west-1:123456789012:execution:crossfade-climb:rung-1"


def a_record(migration: str = "shop", *, phase: Phase = Phase.CREATING, **changes: Any) -> MigrationRecord:
    return MigrationRecord(
        **{
            "migration": migration,
            "phase": phase,
            "fence": 1,
            "plan": PlanRef(bucket="plans", key=f"{migration}.json", sha256="0" * 64),
            "opened_at": NOON,
            "execution": MIGRATE.replace("shop", migration),
            "settle_seconds": 30,
            **changes,
        }
    )


def an_edge(migration: str = "shop", name: str = "web", *, rules: tuple[str, ...] = ("rule-1",)) -> EdgeRecord:
    actions = [{"Type": "forward", "TargetGroupArn": "blue"}]
    return EdgeRecord(
        migration=migration,
        name=name,
        resolved=AlbEdge(
            load_balancer_arn="load-balancer",
            blue_arn="blue",
            rules=tuple(AlbRule(arn=rule, is_default=False, found_actions=tuple(actions)) for rule in rules),
        ),
        way_back=tuple(
            StoredRequest(action="modifyRule", arguments={"RuleArn": rule, "Actions": actions}) for rule in rules
        ),
    )


def an_edge_plan(name: str = "web", **changes: Any) -> EdgePlan:
    return EdgePlan(
        **{
            "name": name,
            "kind": "alb",
            "service": "web",
            "blue": TargetGroupRef(name="web-blue"),
            "green": TargetGroupRef(name="web-green"),
            "rules": (RuleRef(load_balancer="front", listener_port=80, priority="default"),),
            "ladder": (
                Rung(share_bp=500, soak_seconds=60),
                Rung(share_bp=9_500, soak_seconds=120, kind=RungKind.BAKE),
                Rung(share_bp=10_000, soak_seconds=300, kind=RungKind.WATCH),
            ),
            **changes,
        }
    )


def green_services(*names: str, cluster: str = "shop") -> MemoryServices:
    """Green's services, each with the two tasks that it wants."""
    services = MemoryServices(cluster, eager=True)
    for name in names or ("web-green",):
        definition = services.register({"family": name, "containerDefinitions": [{"name": name}]}, {})
        services.create({"cluster": cluster, "serviceName": name, "taskDefinition": definition, "desiredCount": 2})
    return services


def a_plan(**changes: Any) -> MigrationPlan:
    return MigrationPlan(
        **{
            "migration": "shop",
            "drawn_at": NOON,
            "drawn_by": "crossfade 0.1.0",
            "sources": (),
            "cluster": "shop",
            "namespace": NamespacePlan(name="shop-green"),
            "services": (
                ServicePlan(
                    name="web",
                    role=Role.CLIENT,
                    blue=BlueService(service_name="web", task_definition="web", desired_count=2),
                    green=GreenService(
                        service_name="web-green",
                        task_definition=TaskDefinitionChange(family="web-green"),
                        desired_count=2,
                    ),
                ),
            ),
            "waves": (("web",),),
            "edges": (an_edge_plan(),),
            "alarms": ("shop-errors",),
            "proxy_logs": LogPlan(group="/crossfade/shop", stream_prefix="proxy"),
            **changes,
        }
    )
