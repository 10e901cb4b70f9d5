"""What is rehearsed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from crossfade.plan.document import MigrationPlan
from crossfade.plan.edges import EdgeKind
from rehearsal.blue import blue_template
from rehearsal.blue_edges import DISTRIBUTION, ZONE
from rehearsal.staging import Staging, stage

_STACK: Final = "blue"


class Described(Protocol):
    """Whoever deployed stacks."""

    def describe(self, name: str) -> Mapping[str, str]:
        """Return the physical ids of a stack by its logical ones."""
        ...


@dataclass(frozen=True, slots=True)
class Application:
    """
    Its stacks by name, in the order they are deployed, and its plan as an operator would hold it.

    A stack is a template's file, or the template itself where it was made of the plan; then `staging` says how.
    `door` is the kind of edge that users come in by. Where a plan needs ids that only an account knows, those of `plan`
    are nobody's; `redrawn` draws it anew with those that whoever deployed the stacks was given.
    """

    stacks: tuple[tuple[str, Path | Mapping[str, Any]], ...]
    plan: MigrationPlan
    staging: Staging | None = None
    door: EdgeKind = "alb"
    redrawn: Callable[[Described], MigrationPlan] | None = None


def stand_ins(plan: MigrationPlan, *, edge_of: str | None, most_tasks: int) -> Application:
    """
    Return the application that any plan describes, as stand-ins, cut to what a machine holds.

    Raises:
        BadInput: the plan cannot be rehearsed; see `staging.stage` and `blue.blue_template`.
    """
    staged = stage(plan, edge_of=edge_of, most_tasks=most_tasks)
    [edge] = staged.plan.edges
    return Application(
        stacks=((_STACK, blue_template(staged.plan)),),
        plan=staged.plan,
        staging=staged.staging,
        door=edge.kind,
        redrawn=None if edge.rules else lambda made: _given(staged.plan, made.describe(_STACK)),
    )


def _given(plan: MigrationPlan, ids: Mapping[str, str]) -> MigrationPlan:
    """Return a plan with the zone or the distribution that was made for it."""
    [edge] = plan.edges
    if edge.dns is not None:
        given = edge.model_copy(update={"dns": edge.dns.model_copy(update={"zone_id": ids[ZONE]})})
    elif edge.cdn is not None:
        made = edge.cdn.model_copy(update={"distribution_id": ids[DISTRIBUTION]})
        given = edge.model_copy(update={"cdn": made})
    else:
        return plan
    return plan.model_copy(update={"edges": (given,)})
