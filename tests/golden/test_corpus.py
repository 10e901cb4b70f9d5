"""Real templates, as people published them: each ends in a plan or in one clear sentence, never in a traceback."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from crossfade.errors import CrossfadeError
from crossfade.mesh.sources import SUFFIXES, SourceText, read_sources
from crossfade.plan.document import MigrationPlan
from crossfade.plan.draw import DrawOptions, draw
from tests.meshes import NOON

CORPUS = Path(__file__).resolve().parents[2].parent / "shared" / "corpus"
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"real inputs not present at {CORPUS}")
_MOST_HINTS = 60
_HINT = re.compile(r"--param '([^']+)=(?:VALUE|NAME)'")


def texts() -> Iterator[SourceText]:
    for path in sorted(CORPUS.rglob("*")):
        if path.suffix in SUFFIXES and path.is_file():
            yield SourceText(str(path.relative_to(CORPUS)), path.read_text(encoding="utf-8"))


def units() -> Iterator[list[SourceText]]:
    """The templates of each folder, as one would name them together."""
    folders: dict[str, list[SourceText]] = {}
    for text in texts():
        if "Resources" in text.text and "AWS::" in text.text:
            folders.setdefault(text.path.rpartition("/")[0], []).append(text)
    yield from folders.values()


def attempt(sources: list[SourceText]) -> MigrationPlan | str:
    """A plan, or the sentence that refuses it; every parameter a refusal asks for is given."""
    given: dict[str, str] = {}
    for _ in range(_MOST_HINTS):
        try:
            return draw(read_sources(sources, given), DrawOptions(), NOON)
        except CrossfadeError as refused:
            said = str(refused)
            hint = _HINT.search(said)
            if hint is None or hint[1] in given:
                return said
            name = hint[1].rpartition(":")[2].lower()
            given[hint[1]] = "8080" if "port" in name else re.sub(r"[^a-z0-9-]", "-", name)
    return said


@needs_corpus
def test_every_file_alone_ends_in_a_plan_or_one_sentence() -> None:
    refusals = [answer for text in texts() if isinstance(answer := attempt([text]), str)]

    assert refusals
    assert [said for said in refusals if not said.strip() or "\n" in said] == []


@needs_corpus
def test_every_folder_of_templates_ends_in_a_plan_or_one_sentence() -> None:
    answers = [attempt(unit) for unit in units()]

    plans = [answer for answer in answers if isinstance(answer, MigrationPlan)]
    assert len(plans) >= 6
    assert all(MigrationPlan.from_json(plan.to_json()) == plan for plan in plans)
    assert [said for said in answers if isinstance(said, str) and "\n" in said] == []
