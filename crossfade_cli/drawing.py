"""Draws a plan from what an operator names on a command line: sources, parameters, answers."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from pydantic import ValidationError

from crossfade.draw.draw import draw, draw_nothing
from crossfade.draw.options import DrawOptions
from crossfade.errors import BadInput, MeshNotFound
from crossfade.mesh.model import Found
from crossfade.mesh.sources import read_parameters, read_sources
from crossfade.plan.answers import AcceptedGap, Answers, accept, earlier_answers, read_answers, together
from crossfade.plan.document import MigrationPlan
from crossfade.plan.probes import with_probes
from crossfade_cli.files import read_files
from crossfade_cli.probes import probes_of


@dataclass(frozen=True, slots=True)
class Given:
    """
    What an operator gives besides the sources.

    Attributes:
        params: NAME=VALUE each.
        params_file: Of parameters, as the AWS CLI or SAM writes it.
        background: SERVICE=ANSWER each.
        probes: EDGE=URL each, with `probe_headers` (EDGE=NAME:VALUE) and `probe_staging` (EDGE=URL).
        accept_file: Of answers, or an earlier plan.
        kept_from: An earlier plan whose answers are kept where it is there and is one.
    """

    params: Sequence[str] = ()
    params_file: Path | None = None
    background: Sequence[str] = ()
    probes: Sequence[str] = ()
    probe_headers: Sequence[str] = ()
    probe_staging: Sequence[str] = ()
    accept_file: Path | None = None
    kept_from: Path | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """
    A plan with its answers, what it was drawn from, and the answers that met no gap.

    `nothing` says why there is nothing to migrate, where that is so; the plan then holds no service.
    """

    plan: MigrationPlan
    found: Found
    unmet: tuple[AcceptedGap, ...]
    nothing: MeshNotFound | None = None


def draw_from(sources: Sequence[str], given: Given, options: DrawOptions) -> Drawn:
    """
    Return the plan of what the sources hold.

    Raises:
        BadInput: a source cannot be read, or is not enough; the message says what to do.
        MeshNotFound: there is nothing to migrate.
    """
    drawn = draw_any(sources, given, options)
    if drawn.nothing is not None:
        raise drawn.nothing
    return drawn


def draw_any(sources: Sequence[str], given: Given, options: DrawOptions) -> Drawn:
    """
    Return the plan of what the sources hold, one without services where there is nothing to migrate.

    Raises:
        BadInput: as draw_from.
    """
    probes = probes_of(given.probes, given.probe_headers, given.probe_staging)
    with uncollected():
        texts = read_files(sources)
        found = read_sources(texts, _parameters(given.params_file, given.params))
        answers = _answers(given, {service.name for service in found.services})
        chosen = replace(options, background=answers.background)
        drawn_by = f"crossfade {version('crossfade')}"
        try:
            plan = draw(found, chosen, fixed_time(), sources=texts, drawn_by=drawn_by)
        except MeshNotFound as nothing:
            empty = draw_nothing(found, chosen, fixed_time(), sources=texts, drawn_by=drawn_by)
            return Drawn(empty, found, (), nothing)
        answered = accept(with_probes(plan, probes), answers, written_at(given.accept_file))
        return Drawn(answered.plan, found, answered.unmet)


@contextmanager
def uncollected() -> Iterator[None]:
    """
    Leave the search for circles of references for afterwards.

    A drawing makes hundreds of thousands of objects and next to no circles; looking through all of them again and
    again takes a quarter of the time, and more with every service.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def fixed_time() -> datetime | None:
    """Return the time that SOURCE_DATE_EPOCH gives a plan; without it a plan names none, and is the same at any."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    return datetime.fromtimestamp(int(fixed), UTC) if fixed.isdigit() else None


def written_at(answers: Path | None) -> datetime:
    """Return when an answer was given that does not say so: when its file was written, in whole seconds."""
    if (fixed := fixed_time()) is not None:
        return fixed
    found = datetime.now(UTC) if answers is None else datetime.fromtimestamp(answers.stat().st_mtime, UTC)
    return found.replace(microsecond=0)


def answers_of(path: Path) -> Answers:
    """
    Return the answers in a file, or in an earlier plan.

    Raises:
        BadInput: it is neither.
    """
    (text,) = read_files([str(path)])
    return read_answers(text.text, text.path)


def _parameters(file: Path | None, given: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    if file is not None:
        (text,) = read_files([str(file)])
        found.update(read_parameters(text.text, text.path))
    return {**found, **_pairs("--param", given)}


def _pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    found = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise BadInput(f"{option} {pair}: write NAME=VALUE")
        found[name] = value
    return found


def _answers(given: Given, names: set[str]) -> Answers:
    """Return what is answered: in the plan that stands there, over it in a file, over that by options."""
    every = []
    if given.kept_from is not None and given.kept_from.is_file():
        with suppress(BadInput, ValidationError):  # what stands there may be anything; it is written anew
            (text,) = read_files([str(given.kept_from)])
            kept = earlier_answers(MigrationPlan.from_json(text.text))
            still = {name: answer for name, answer in kept.background.items() if name in names}
            every.append(kept.model_copy(update={"background": still}))
    if given.accept_file is not None:
        every.append(answers_of(given.accept_file))
    return together([*every, Answers(background=_pairs("--background", given.background))])
