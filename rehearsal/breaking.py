"""
What can be broken in a rehearsal, and how the migration should end then.

A fault strikes tasks of one green service once green has a share. `shared-outage` strikes
the service at the edge, blue's and green's alike, and is mended after a while: users of
both sides see it alike, so it is nobody's fault, and green should wait. Deeper in they do
not: App Mesh may be told to retry what Service Connect does not, and a dependency's
failures that blue hides and green shows are green's to answer for. Nor is it every outage:
one in which five requests in a row fail ejects tasks of green before a metric period has
closed in which blue was seen to fail, and rolls back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from crossfade.plan.document import MigrationPlan
from crossfade.plan.edges import EdgeKind
from rehearsal.dataplane.task import Fault

Ending = Literal["rolled_back", "completed"]


@dataclass(frozen=True, slots=True)
class Breaking:
    """
    Which tasks fail, and how.

    Args:
        service: The green ECS service.
        name: The fault's name in `FAULTS`; empty for the plain `sick`.
        which: One of its tasks or all of them.
        mode: What a struck request meets; see `DataPlane.break_tasks`.
        code: The answer's status, for `error`.
        probability: The part of requests struck.
        milliseconds: How long a struck request waits, for `delay`.
        twin: Blue's service that fails alike, in a shared outage.
        mended_after_seconds: When it ends by itself, in plan time; None for never.
        dies: The task ends, and ECS replaces it.
        busy_cdn: Nothing fails: CloudFront sends every request to the primary distribution, whatever the policy says.
        unalarmed: The plan names no alarm of the operator's, who would have been the one to stop it.
        ends: How the migration should end.
    """

    service: str
    name: str = ""
    which: Literal["one", "all"] = "one"
    mode: Fault = "error"
    code: int = 500
    probability: float = 1.0
    milliseconds: float = 0.0
    twin: str | None = None
    mended_after_seconds: float | None = None
    dies: bool = False
    busy_cdn: bool = False
    unalarmed: bool = False
    ends: Ending = "rolled_back"


_PATTERN = Breaking(service="")
FAULTS: dict[str, Breaking] = {
    "one-500": _PATTERN,
    "one-503": replace(_PATTERN, code=503),
    "one-30-percent": replace(_PATTERN, probability=0.3),
    "all-500": replace(_PATTERN, which="all"),
    "all-20-percent": replace(_PATTERN, which="all", probability=0.2),
    "hang": replace(_PATTERN, mode="hang"),
    "slow": replace(_PATTERN, which="all", mode="delay", milliseconds=2_000),
    "refused": replace(_PATTERN, mode="refuse"),
    "task-death": replace(_PATTERN, dies=True, ends="completed"),
    "shared-outage": replace(
        _PATTERN, which="all", probability=0.2, twin="", mended_after_seconds=180, unalarmed=True, ends="completed"
    ),
    "cdn-busy": replace(_PATTERN, busy_cdn=True, mended_after_seconds=180, ends="completed"),
    "none": replace(_PATTERN, probability=0.0, ends="completed"),
}
"""By name. `one-503` is hidden by Service Connect's retries; `none` must not be rolled back."""


def faults_at(kind: EdgeKind) -> list[str]:
    """Return the names of the faults that can strike where users come in by this kind of edge."""
    return [name for name, pattern in FAULTS.items() if kind == "cloudfront" or not pattern.busy_cdn]


def fault(name: str, plan: MigrationPlan, service: str) -> Breaking:
    """Return a fault of this name for a service of the plan; KeyError if there is no such fault or service."""
    pattern = FAULTS[name]
    struck = plan.service(plan.edges[0].service if pattern.twin is not None else service)
    twin = struck.blue.service_name if pattern.twin is not None else None
    return replace(pattern, name=name, service=struck.green.service_name, twin=twin)
