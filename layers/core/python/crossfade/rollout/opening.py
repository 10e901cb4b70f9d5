"""Open a migration: read the plan, find its edges, write the way back down, take them."""

from __future__ import annotations

from crossfade.journal.model import PlanRef
from crossfade.plan.document import Frozen, Timings
from crossfade.rollout.request import Request
from crossfade.shift.action import RungRef


class OpenRequest(Request):
    """Open the migration of a stored plan. `execution` is the ARN of the `migrate` that asks."""

    migration: str
    plan: PlanRef
    execution: str


class OpenedEdge(Frozen):
    """An edge and the rungs by which green climbs it."""

    edge: str
    rungs: tuple[RungRef, ...]


class Opened(Frozen):
    """All that the state machines need of the plan; small, however large the plan is."""

    migration: str
    fence: int
    waves: tuple[tuple[str, ...], ...]
    edges: tuple[OpenedEdge, ...]
    timings: Timings
    gaps: int
