"""What is rehearsed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from crossfade.plan.document import MigrationPlan


@dataclass(frozen=True, slots=True)
class Application:
    """Its stacks by name, in the order they are deployed, and its plan as an operator would hold it."""

    stacks: tuple[tuple[str, Path], ...]
    plan: MigrationPlan
