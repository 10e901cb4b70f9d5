"""One stay in one state, and what may be asked of whoever goes through the states."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from rehearsal.aws.execution import Branch, Execution, JsonObject
from rehearsal.aws.integrations import TaskError


@dataclass
class Visit:
    """One stay in one state."""

    branch: Branch
    name: str
    state: JsonObject
    given: Any
    entered: str
    retries: int = 0
    token: str | None = None
    assigned: JsonObject = field(default_factory=dict)


class Run(Protocol):
    """What the attempts at a state ask of the interpreter."""

    execution: Execution

    def run_states(self, branch: Branch, machine: JsonObject, given: Any) -> Any:
        """Go through the states of a machine, or of one of its branches, and return its output."""

    def evaluate(self, visit: Visit, template: Any, location: str, **known: Any) -> Any:
        """Return what a template says in this state. Raises TaskError, States.QueryEvaluationError."""

    def not_evaluated(self, visit: Visit, location: str, cause: str) -> TaskError:
        """Record that something could not be evaluated, and return the error to raise."""

    def seconds(self, visit: Visit, name: str) -> int | None:
        """Return a duration of this state, one second or more; None where it says none."""
