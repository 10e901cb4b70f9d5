"""What is rehearsed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossfade.plan.document import EdgeKind, MigrationPlan
from rehearsal.blue import blue_template
from rehearsal.staging import Staging, stage


@dataclass(frozen=True, slots=True)
class Application:
    """
    Its stacks by name, in the order they are deployed, and its plan as an operator would hold it.

    A stack is a template's file, or the template itself where it was made of the plan; then `staging` says how.
    `door` is the kind of edge that users come in by. Where a plan needs ids that only an account knows, those of `plan`
    are nobody's; `redrawn` draws it anew with those that the account gave, by source and logical id.
    """

    stacks: tuple[tuple[str, Path | Mapping[str, Any]], ...]
    plan: MigrationPlan
    staging: Staging | None = None
    door: EdgeKind = "alb"
    redrawn: Callable[[Mapping[str, str]], MigrationPlan] | None = None


def stand_ins(plan: MigrationPlan, *, edge_of: str | None, most_tasks: int) -> Application:
    """
    Return the application that any plan describes, as stand-ins, cut to what a machine holds.

    Raises:
        BadInput: the plan cannot be rehearsed; see `staging.stage` and `blue.blue_template`.
    """
    staged = stage(plan, edge_of=edge_of, most_tasks=most_tasks)
    return Application(stacks=(("blue", blue_template(staged.plan)),), plan=staged.plan, staging=staged.staging)
