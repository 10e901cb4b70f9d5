"""The applications under `examples/` that can be rehearsed, and their plans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from pydantic import ValidationError

from crossfade.draw.draw import draw
from crossfade.draw.options import DrawOptions
from crossfade.errors import BadInput
from crossfade.mesh.sources import SourceText, read_sources
from crossfade.plan.document import MigrationPlan
from crossfade.plan.edges import EdgeKind
from rehearsal.application import Application
from rehearsal.doors import EDGES, choices, ids_of, parameters, stacks_before, with_door

_EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
_STACKS = {"shop": ("mesh", "services"), "bookings": ("network", "services")}
"""Each example's templates, in the order in which their stacks are deployed."""
_BESIDE = {"bookings": ("calls.yaml",)}
"""What else its plan is drawn from."""


def application(example: str, plan_file: Path | None = None, door: EdgeKind = "alb") -> Application:
    """
    Return an example with its plan: the one in `plan_file`, or one drawn now as `crossfade plan` draws it.

    Raises:
        BadInput: there is no such example or plan file, the file holds no plan, or the example has no such door.
        BlockedByGap: never; the stack itself refuses such a plan.
    """
    if example not in _STACKS:
        raise BadInput(f"there is no example {example!r} to rehearse; there is {', '.join(sorted(_STACKS))}")
    templates = [(f"{example}-{name}", _EXAMPLES / example / f"{name}.yaml") for name in _STACKS[example]]
    beside = [_EXAMPLES / example / name for name in _BESIDE.get(example, ())]
    if door != "alb" and example != "shop":
        raise BadInput(
            f"the example {example} is reached by its own load balancer alone; shop has an edge of each kind"
        )
    if plan_file is not None:
        return with_door(Application(stacks=tuple(templates), plan=read_plan(plan_file)), door)
    drawn_from = [*(path for _, path in templates), *beside, *(EDGES / f"{name}.yaml" for name in stacks_before(door))]

    def drawn(ids: Mapping[str, str]) -> MigrationPlan:
        return _drawn(drawn_from, {**parameters(door), **ids}, choices(door))

    unknown = ids_of(door)
    whole = with_door(Application(stacks=tuple(templates), plan=drawn(unknown)), door)
    return replace(whole, redrawn=lambda made: drawn(ids_of(door, made))) if unknown else whole


def _drawn(files: list[Path], values: Mapping[str, str], edges: Mapping[str, str]) -> MigrationPlan:
    texts = [SourceText(path=str(path.relative_to(_EXAMPLES.parent)), text=path.read_text("utf-8")) for path in files]
    now = datetime.now(UTC).replace(microsecond=0)
    return draw(
        read_sources(texts, values),
        DrawOptions(edges=edges),
        now,
        sources=texts,
        drawn_by=f"crossfade {version('crossfade')}",
    )


def read_plan(plan_file: Path) -> MigrationPlan:
    """
    Return the plan of a file.

    Raises:
        BadInput: it is missing, or holds none that this version reads.
    """
    try:
        return MigrationPlan.from_json(plan_file.read_bytes())
    except OSError as missing:
        raise BadInput(f"{plan_file}: {missing.strerror}; give a file that `crossfade plan` wrote") from missing
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{plan_file}: {place}: {first['msg']}; draw it again with `crossfade plan`") from wrong
