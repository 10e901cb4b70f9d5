"""
State machines as data: load one, and walk its states in every scope.

A scope is the machine itself, one branch of a Parallel, or the processor of a Map:
its states can reach one another by `Next`, and no other scope's states.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

State = Mapping[str, Any]


class DuplicateKey(yaml.YAMLError):
    """A mapping names the same key twice; YAML would silently keep the last."""


class _Loader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise DuplicateKey(f"line {node.start_mark.line + 1}: {key!r} is given twice")
        return super().construct_mapping(node, deep)


@dataclass(frozen=True, slots=True)
class Machine:
    """A state machine as written: its file's name without endings, its text and its definition."""

    name: str
    text: str
    definition: Mapping[str, Any]

    @property
    def root(self) -> Scope:
        """The outermost scope."""
        return Scope(self.name, self.definition, None)

    def scopes(self) -> Iterator[Scope]:
        """Yield every scope, outer before inner."""
        yield from self.root.walk()

    def states(self) -> Iterator[tuple[str, str, State]]:
        """Yield (place, name, state) for every state in every scope."""
        for scope in self.scopes():
            for name, state in scope.states.items():
                yield f"{scope.place} / {name}", name, state

    def tasks(self) -> Iterator[tuple[str, str, State]]:
        """Yield (place, name, state) for every Task in every scope."""
        return (found for found in self.states() if found[2].get("Type") == "Task")


@dataclass(frozen=True, slots=True)
class Scope:
    """States that can reach one another, and the state of the outer scope that holds them."""

    place: str
    definition: Mapping[str, Any]
    outer: tuple[Scope, str] | None

    @property
    def states(self) -> Mapping[str, State]:
        """The scope's states by name."""
        states: Mapping[str, State] = self.definition.get("States") or {}
        return states

    def walk(self) -> Iterator[Scope]:
        """Yield this scope and all within it, outer before inner."""
        yield self
        for name, state in self.states.items():
            for label, definition in inner_definitions(state):
                yield from Scope(f"{self.place} / {name}{label}", definition, (self, name)).walk()


def inner_definitions(state: State) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (label, definition) for each scope that a Map or Parallel holds."""
    if "ItemProcessor" in state:
        yield "", state["ItemProcessor"]
    branches = state.get("Branches", [])
    for number, branch in enumerate(branches, 1):
        yield (f" [{number}]" if len(branches) > 1 else ""), branch


def exits(state: State) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield (kind, target, block) for each way out of a state: kind is next, choice, default or catch."""
    if "Next" in state:
        yield "next", state["Next"], state
    for choice in state.get("Choices", []):
        if "Next" in choice:
            yield "choice", choice["Next"], choice
    if "Default" in state:
        yield "default", state["Default"], state
    for catch in state.get("Catch", []):
        if "Next" in catch:
            yield "catch", catch["Next"], catch


def parse(name: str, text: str) -> Machine:
    """
    Parse a machine from YAML.

    Raises:
        yaml.YAMLError: it is no YAML, or a key is given twice.
    """
    return Machine(name, text, yaml.load(text, Loader=_Loader))  # noqa: S506 - a SafeLoader


def load(path: Path) -> Machine:
    """Parse the machine in this file."""
    return parse(path.name.removesuffix(".asl.yaml"), path.read_text(encoding="utf-8"))


def load_all(folder: Path) -> tuple[Machine, ...]:
    """Parse every `*.asl.yaml` of a folder, by name."""
    return tuple(load(path) for path in sorted(folder.glob("*.asl.yaml")))
