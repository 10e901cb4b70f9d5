"""
What the template allows and nothing ever asked for: each action of each statement, held against a ledger.

The embedded AWS writes the ledger while tests and rehearsals run with CROSSFADE_IAM_LEDGER naming its file. What is
left over is either too wide or never tried; a person decides which.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from checks import templates, translation
from checks.finding import Finding

LEDGER = "CROSSFADE_IAM_LEDGER"
_TAIL = re.compile(r"-[A-Z2-7]{12}$")


@dataclass(frozen=True, slots=True)
class Use:
    """One action that a statement allowed: the policy by its physical name, the statement by its Sid or number."""

    policy: str
    statement: str
    action: str


def read(text: str) -> set[Use]:
    """Read a ledger."""
    return {Use(*line.split(" ")) for line in text.splitlines() if line}


def unused(translated: Mapping[str, Any], uses: set[Use]) -> Iterator[Finding]:
    """Yield each action that a statement of the template allows and that no use is of."""
    for logical, resource in translated["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            documents = [("", properties["PolicyDocument"])]
        elif resource["Type"] == "AWS::IAM::Role":
            documents = [(each["PolicyName"], each["PolicyDocument"]) for each in properties.get("Policies", [])]
        else:
            continue
        for name, document in documents:
            for number, statement in enumerate(_listed(document["Statement"]), start=1):
                sid = str(statement.get("Sid") or number)
                mine = {use.action.lower() for use in uses if use.statement == sid and _is(use.policy, logical, name)}
                for action in _listed(statement["Action"]):
                    if not any(fnmatchcase(used, action.lower()) for used in mine):
                        place = f"{logical}{'/' * bool(name)}{name} [{sid}]"
                        yield Finding(place, f"{action}: nothing ever asked for it")


def _is(policy: str, logical: str, name: str) -> bool:
    holder, _, inline = policy.partition("/")
    return inline == name and _TAIL.sub("", holder).endswith(f"-{logical}")


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def against_ledger(root: Path) -> Iterator[Finding]:
    """Yield what the project's template allows and the ledger does not hold."""
    path = os.environ.get(LEDGER, "")
    if not path or not Path(path).is_file():
        yield Finding(LEDGER, "names no ledger; run tests with it first, then this")
        return
    translated = translation.translate(templates.load(root / "template.yaml"))
    yield from unused(translated, read(Path(path).read_text("utf-8")))
