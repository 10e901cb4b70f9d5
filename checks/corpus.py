"""
Real meshes, as people published them: what becomes of each when a plan is asked for.

The inputs are other projects' and lie beside the repository, not in it; `docs/corpus.md` keeps the table. A unit is one
application or module, with the files that `SOURCES.md` lists for it. Whatever a refusal asks for is given, as an
operator would give it, and of two variants of one thing the later file is left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from checks.finding import Finding
from checks.known import KNOWN, Known
from crossfade.draw.draw import draw
from crossfade.draw.options import DrawOptions
from crossfade.errors import CrossfadeError, MeshNotFound
from crossfade.mesh.sources import SUFFIXES, SourceText, read_sources
from crossfade.plan.document import MigrationPlan

CORPUS: Final = Path(__file__).resolve().parents[1].parent / "shared" / "corpus"
"""Where the inputs are, seen from the repository."""

PAGE: Final = Path("docs") / "corpus.md"
REHEARSED_BEGIN: Final = "<!-- rehearsed: begin -->\n"
REHEARSED_END: Final = "<!-- rehearsed: end -->\n"
_WHEN: Final = datetime(2026, 11, 22, tzinfo=UTC)
_MOST_ANSWERS: Final = 150
_HINT: Final = re.compile(r"--param '([^']+)=(?:VALUE|NAME|virtualNode)'")
_TWICE: Final = re.compile(r"defined twice, at (\S+): .* and (\S+): ")
_SEVERAL: Final = re.compile(r"several meshes \(([^)]+)\)")
_LONGEST: Final = 230
_LONGEST_NAME: Final = 32  # of a load balancer or target group


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a unit: a plan, or the sentence that refused it; and what had to be given or left out."""

    unit: str
    files: int
    plan: MigrationPlan | None
    said: str
    answers: Mapping[str, str]
    kept: tuple[str, ...]

    @property
    def given(self) -> int:
        """How many parameters had to be given."""
        return len(self.answers)

    @property
    def left_out(self) -> int:
        """How many files had to be left out."""
        return self.files - len(self.kept)


def units(corpus: Path) -> Mapping[str, tuple[SourceText, ...]]:
    """Return the files of every unit that a plan may be drawn from, by the unit's name."""
    found: dict[str, list[SourceText]] = {}
    name = ""
    for line in (corpus / "SOURCES.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("### "):
            name = line.removeprefix("### ").strip()
        elif name and (match := re.match(r"\s+- (\S+)", line)):
            path = corpus / match[1]
            if path.is_file() and path.name.endswith(SUFFIXES):
                text = path.read_text(encoding="utf-8", errors="replace")
                found.setdefault(name, []).append(SourceText(match[1], text, by_chance=True))
    return {each: tuple(texts) for each, texts in found.items()}


def attempt(
    unit: str,
    sources: Sequence[SourceText],
    given: Mapping[str, str] | None = None,
    *,
    background: Mapping[str, str] | None = None,
) -> Outcome:
    """
    Return what becomes of a unit.

    Args:
        unit: Its name.
        sources: Its files.
        given: Parameters from the start; more are given as refusals ask for them.
        background: What green does with work that no request brings, by service.
    """
    answers = dict(given or {})
    kept = list(sources)
    options = DrawOptions(background=background or {})
    meshes: list[str] = []
    plan: MigrationPlan | None = None
    said = ""
    for _ in range(_MOST_ANSWERS):
        try:
            plan = draw(read_sources(kept, answers), options, _WHEN)
            break
        except MeshNotFound as nothing:
            said = str(nothing)
            if not meshes:
                break
            options = replace(options, mesh=meshes.pop(0))
        except CrossfadeError as refused:
            said = str(refused)
            if twice := _TWICE.search(said):
                later = [each for each in kept if each.path.endswith(twice[2])]
                kept = [each for each in kept if each not in later]
                answers = {key: value for key, value in answers.items() if not key.startswith(f"{twice[2]}:")}
                if later:
                    continue
            if (several := _SEVERAL.search(said)) and options.mesh is None:
                meshes = several[1].split(", ")
                options = replace(options, mesh=meshes.pop(0))
                continue
            hint = _HINT.search(said)
            if hint is None or hint[1] in answers:
                break
            answers[hint[1]] = _answer(hint[1])
    return Outcome(unit, len(sources), plan, "" if plan else said, answers, tuple(each.path for each in kept))


def _answer(asked: str) -> str:
    """Return a value for what a refusal asks for, by its name."""
    label, _, name = asked.rpartition(":")
    name = name.lower()
    if "mesh" in name and "name" in name:
        return "mesh"
    if name == "virtualservicename":
        return label.rpartition("/")[2].partition(".")[0]
    if name.endswith("protocol"):
        return "http"
    if "port" in name:
        return "8080"
    if re.search(r"count|cpu|memory|capacity|size", name):
        return "2"
    return re.sub(r"[^a-z0-9-]", "-", name)[-_LONGEST_NAME:].strip("-")


def outcomes(corpus: Path) -> Iterator[Outcome]:
    """Yield what becomes of each unit, in the order of the corpus, with what its operator knows."""
    for unit, sources in units(corpus).items():
        yield told(unit, sources)


def told(unit: str, sources: Sequence[SourceText], *, background: Mapping[str, str] | None = None) -> Outcome:
    """Return what becomes of a unit whose operator gives what `known` holds of it."""
    known = KNOWN.get(unit, Known())
    kept = [each for each in sources if not each.path.endswith(known.superseded)] if known.superseded else sources
    outcome = attempt(unit, kept, known.given, background=background)
    return replace(outcome, files=len(sources))


_HEAD: Final = """# Real meshes

What `crossfade plan` makes of inputs that others have published: applications and modules on App Mesh, and some on
Service Connect already. The inputs themselves are not part of this repository. Names and ports that no file tells were
given as the refusals ask for them; of two variants of one thing in a unit, the later file was left out. A draft is the
plan of a mesh whose ECS services are in no file: it shows names, order and losses, and nothing is migrated by it.

This page is written by `python -m checks corpus`, where the inputs are at hand. Nothing here was run against AWS.

"""


_REHEARSED: Final = """
## Rehearsed

`python -m checks.rehearsed` plays some of these plans with stand-ins and real Envoy proxies, and writes what follows.
The commands are given in the unit's own folder; `yes.yaml` accepts every gap.

"""


def page(found: Sequence[Outcome], rehearsed: str = "") -> str:
    """Return the page of the table: each unit, then the gaps by id, then `rehearsed`, the section of rehearsals."""
    planned = [each for each in found if each.plan is not None]
    others = len(found) - len(planned)
    lines = [
        _HEAD,
        f"{len(found)} units: {len(planned)} planned, {others} refused by name or with nothing to migrate.\n\n",
        "| unit | files | given | left out | outcome |\n|---|---|---|---|---|\n",
    ]
    lines += [f"| {each.unit} | {each.files} | {each.given} | {each.left_out} | {_outcome(each)} |\n" for each in found]
    counted = Counter(gap.id for each in planned if each.plan for gap in each.plan.gaps)
    in_units = Counter(gap for each in planned if each.plan for gap in {gap.id for gap in each.plan.gaps})
    lines += ["\n## Gaps found\n\n| gap | units | findings |\n|---|---|---|\n"]
    lines += [f"| `{gap}` | {in_units[gap]} | {counted[gap]} |\n" for gap in sorted(counted)]
    lines += [_REHEARSED, REHEARSED_BEGIN, rehearsed, REHEARSED_END]
    return "".join(lines)


def _outcome(each: Outcome) -> str:
    if each.plan is None:
        said = re.sub(r"(?:files|derived)/\S+/", "", each.said).replace("|", "/")
        return said if len(said) <= _LONGEST else f"{said[:_LONGEST].rsplit(' ', 1)[0]} …"
    blocking = len(each.plan.open_blocking_gaps())
    kind = "draft" if each.plan.unready() else "plan"
    return (
        f"**{kind}**: {len(each.plan.services)} services, {len(each.plan.waves)} waves, {len(each.plan.edges)} edges, "
        f"{len(each.plan.gaps)} gaps ({blocking} blocking)"
    )


def write(root: Path) -> Iterator[Finding]:
    """Write the page anew; where the inputs are not at hand there is nothing to do, and it says so."""
    if not CORPUS.is_dir():
        print(f"{PAGE} stays as it is: the inputs are not at hand")
        return
    found = list(outcomes(CORPUS))
    path = root / PAGE
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    rehearsed = before.partition(REHEARSED_BEGIN)[2].partition(REHEARSED_END)[0]
    path.write_text(page(found, rehearsed), encoding="utf-8")
    for each in found:
        print(f"{each.unit}: {_outcome(each)}")
    yield from ()
