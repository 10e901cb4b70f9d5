"""
What a person has answered to a plan: gaps accepted, and what becomes of background work.

Pure. Answers are written in a file of their own or taken from an earlier plan, so that they outlive a new drawing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import Field, ValidationError

from crossfade.errors import BadInput
from crossfade.frozen import Frozen
from crossfade.mesh.template import load_yaml
from crossfade.plan.document import Acceptance, Gap, MigrationPlan


class AcceptedGap(Frozen):
    """
    A gap that a person takes as it is. Without `resource` it is every gap of the kind; without `at`, now.

    `detail` is set where the answer comes from an earlier plan: a gap that says something else now is asked again.
    """

    id: str
    resource: str | None = None
    detail: str | None = None
    who: str = Field(min_length=1)
    why: str = Field(min_length=1)
    at: datetime | None = None


class Answers(Frozen):
    """A file of answers: gaps accepted, and by service what green does with work that no request brings."""

    accept: tuple[AcceptedGap, ...] = ()
    background: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answered:
    """A plan with its answers, and the ones that met no gap."""

    plan: MigrationPlan
    unmet: tuple[AcceptedGap, ...]


def read_answers(text: str, path: str) -> Answers:
    """
    Return the answers of a file, YAML or JSON; those of an earlier plan where it is one.

    Raises:
        BadInput: it is neither.
    """
    data = load_yaml(text, path)
    if isinstance(data, Mapping) and "migration" in data and "waves" in data:
        try:
            return earlier_answers(MigrationPlan.from_json(text))
        except ValidationError as wrong:
            raise BadInput(f"{path}: no plan this version reads: {_first(wrong)}") from wrong
    try:
        return Answers.model_validate({"accept": data} if isinstance(data, list) else data)
    except ValidationError as wrong:
        raise BadInput(
            f"{path}: no answers ({_first(wrong)}); write accept: [{{id, resource, who, why}}] and "
            "background: {SERVICE: share}"
        ) from wrong


def _first(wrong: ValidationError) -> str:
    found = wrong.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in found['loc']) or 'the whole'}: {found['msg']}"


def earlier_answers(plan: MigrationPlan) -> Answers:
    """Return what was answered to an earlier plan."""
    accepted = (
        AcceptedGap(id=gap.id, resource=gap.resource, detail=gap.detail, **gap.accepted.model_dump())
        for gap in plan.gaps
        if gap.accepted is not None
    )
    answers = {
        service.name: service.background.answer.value
        for service in plan.services
        if service.background is not None and service.background.answer is not None
    }
    return Answers(accept=tuple(accepted), background=answers)


def together(answers: Iterable[Answers]) -> Answers:
    """Return several answers as one; a later one comes first where both speak of the same."""
    every = list(answers)
    background: dict[str, str] = {}
    for each in every:
        background.update(each.background)
    return Answers(accept=tuple(one for each in reversed(every) for one in each.accept), background=background)


def accept(plan: MigrationPlan, answers: Answers, now: datetime) -> Answered:
    """Return the plan with every gap accepted that the answers speak of; the first that fits a gap counts."""
    met: set[AcceptedGap] = set()
    gaps = []
    for gap in plan.gaps:
        answer = next((each for each in answers.accept if _fits(each, gap)), None)
        if answer is not None:
            met.add(answer)
            accepted = Acceptance(who=answer.who, why=answer.why, at=answer.at or now)
            gap = gap.model_copy(update={"accepted": accepted})  # noqa: PLW2901 — the same gap, answered
        gaps.append(gap)
    unmet = tuple(each for each in answers.accept if each not in met)
    return Answered(plan=plan.model_copy(update={"gaps": tuple(gaps)}), unmet=unmet)


def _fits(answer: AcceptedGap, gap: Gap) -> bool:
    return answer.id == gap.id and answer.resource in (None, gap.resource) and answer.detail in (None, gap.detail)
