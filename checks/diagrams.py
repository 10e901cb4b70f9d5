"""
The diagrams in the docs, drawn from the definitions they show.

A document holds `<!-- drawn: NAME -->`, the drawing, `<!-- end -->`. NAME is a state
machine's or `phases`. `make docs` redraws what stands between; `make check` compares.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from checks.finding import Finding
from checks.machine import Machine, Scope, State, exits, inner_definitions
from crossfade.phases import BEYOND_RETURN, CLOSED, MOVES, Phase

_DRAWN = re.compile(r"(<!-- drawn: ([a-z_]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
_SHAPES = {
    "Choice": ("{", "}"),
    "Wait": ("([", "])"),
    "Pass": ("[/", "/]"),
    "Succeed": ("(((", ")))"),
    "Fail": ("[[", "]]"),
}


def draw(folder: Path, machines: Mapping[str, Machine]) -> Iterator[tuple[Path, str, str]]:
    """Yield (document, its text now, its text redrawn) for each document that holds a drawing."""
    drawings = _drawings(machines)
    for path in _documents(folder):
        text = path.read_text(encoding="utf-8")

        def redrawn(found: re.Match[str]) -> str:
            drawing = drawings.get(found[2])
            return found[0] if drawing is None else f"{found[1]}{drawing()}{found[4]}"

        if _DRAWN.search(text):
            yield path, text, _DRAWN.sub(redrawn, text)


def stale(folder: Path, machines: Mapping[str, Machine]) -> Iterator[Finding]:
    """Yield each drawing that is not what its definition would give now, and each definition without a drawing."""
    asked: set[str] = set()
    for path, text, redrawn in draw(folder, machines):
        asked |= {found[2] for found in _DRAWN.finditer(text)}
        if text != redrawn:
            yield Finding(str(path.relative_to(folder)), "a diagram is stale: run `make docs`")
    known = set(_drawings(machines))
    yield from (Finding(name, "is drawn in no document") for name in sorted(known - asked))
    yield from (Finding(name, "is asked for by a document, and nothing draws it") for name in sorted(asked - known))


def _documents(folder: Path) -> list[Path]:
    return [path for path in [folder / "README.md", *sorted((folder / "docs").rglob("*.md"))] if path.is_file()]


def _drawings(machines: Mapping[str, Machine]) -> dict[str, Callable[[], str]]:
    drawings: dict[str, Callable[[], str]] = {
        name: lambda machine=machine: flowchart(machine)  # type: ignore[misc]
        for name, machine in machines.items()
    }
    return drawings | {"phases": phase_chart}


# -- state machines -------------------------------------------------------------


def flowchart(machine: Machine) -> str:
    """Return a Mermaid flowchart: choices with their conditions, ways taken after an error dashed."""
    lines = ["```mermaid", "flowchart TD"]
    lines += [f"  start((start)) --> {_id(str(machine.definition.get('StartAt')))}"]
    lines += _scope(machine.root, "  ")
    lines += [
        "  classDef choice fill:#fff4d6,stroke:#8a6d00,color:#222",
        "  classDef succeed fill:#d9f2e0,stroke:#1b7f3b,color:#222",
        "  classDef fail fill:#fde0dc,stroke:#b3261e,color:#222",
        "```",
    ]
    return "\n".join(lines) + "\n"


def _scope(scope: Scope, indent: str) -> Iterator[str]:
    for name, state in scope.states.items():
        inner = list(inner_definitions(state))
        if not inner:
            yield f"{indent}{_node(name, state)}"
        else:
            yield f"{indent}subgraph {_id(name)} [{_quoted(_title(name, state))}]"
            for label, definition in inner:
                yield from _scope(Scope(f"{scope.place} / {name}{label}", definition, (scope, name)), indent + "  ")
            yield f"{indent}end"
    for name, state in scope.states.items():
        yield from (f"{indent}{line}" for line in _arrows(name, state))


def _title(name: str, state: State) -> str:
    return f"{name}: for each" if state.get("Type") == "Map" else name


def _node(name: str, state: State) -> str:
    kind = str(state.get("Type"))
    left, right = _SHAPES.get(kind, ("[", "]"))
    mark = f":::{kind.lower()}" if kind in ("Choice", "Succeed", "Fail") else ""
    return f"{_id(name)}{left}{_quoted(name)}{right}{mark}"


def _arrows(name: str, state: State) -> Iterator[str]:
    here = _id(name)
    for kind, target, block in exits(state):
        there = _id(target)
        if kind == "choice":
            yield f"{here} -->|{_quoted(_condition(str(block.get('Condition'))))}| {there}"
        elif kind == "default":
            yield f"{here} -->|else| {there}"
        elif kind == "catch":
            errors = ["any error" if error == "States.ALL" else str(error) for error in block.get("ErrorEquals", [])]
            label = ", ".join(errors[:2]) + (" …" if len(errors) > 2 else "")  # noqa: PLR2004 - two fit an arrow
            yield f"{here} -.->|{_quoted(label)}| {there}"
        else:
            yield f"{here} --> {there}"


def _condition(text: str) -> str:
    bare = re.sub(r"\s+", " ", text.strip().removeprefix("{%").removesuffix("%}")).strip()
    return bare.replace("$states.input.", "").replace("$", "")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', "'").replace("<", "&lt;").replace(">", "&gt;") + '"'


def _id(name: str) -> str:
    """Return a name for Mermaid. State names are unique in a machine; a question is not the state it asks about."""
    return "s_" + re.sub(r"\W+", "_", name.replace("?", " asked")).strip("_").lower()


# -- phases ---------------------------------------------------------------------


def phase_chart() -> str:
    """Return a Mermaid state diagram of the phase table."""
    lines = ["```mermaid", "stateDiagram-v2", f"  [*] --> {Phase.PLANNED}"]
    for start, finishes in MOVES.items():
        lines += [
            f"  {start} --> {finish}" for finish in Phase if finish in finishes and finish is not Phase.ROLLING_BACK
        ]
    back = [phase for phase in Phase if Phase.ROLLING_BACK in MOVES[phase]]
    lines += [f"  {start} --> {Phase.ROLLING_BACK}" for start in back]
    lines += [f"  {phase} --> [*]" for phase in Phase if phase in CLOSED]
    lines += ["```", "", "| from | to |", "|---|---|"]
    for start, finishes in MOVES.items():
        then = ", ".join(f"`{finish}`" for finish in Phase if finish in finishes) or "nowhere: it is the end"
        lines.append(f"| `{start}`{' (no way back)' if start in BEYOND_RETURN else ''} | {then} |")
    return "\n".join(lines) + "\n"
