"""The port to Step Functions: starting `roll_back`, and answering a task that waits."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

from crossfade.request import Request


class ExecutionStatus(StrEnum):
    """The status of an execution, in Step Functions' own words."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    ABORTED = "ABORTED"
    PENDING_REDRIVE = "PENDING_REDRIVE"


class RollbackInput(Request):
    """All that `roll_back` is told; the reason stands in the journal."""

    migration: str
    fence: int


class Executions(Protocol):
    """
    Executions of our state machines.

    Every implementation must pass `tests/contract/test_executions.py`. Every method
    raises ExecutionsBusy when Step Functions throttles it.
    """

    def start_rollback(self, name: str, given: RollbackInput) -> str | None:
        """
        Start `roll_back` under this name and return its ARN; do not wait for it.

        Starting again while it runs returns the same ARN or None. None means that an
        execution of this name exists already: ask for its status.
        """
        ...

    def rollback_status(self, name: str) -> ExecutionStatus | None:
        """Return the status of the rollback of this name; None when there is none."""
        ...

    def status(self, arn: str) -> ExecutionStatus | None:
        """Return the status of any execution; None when there is none."""
        ...

    def succeed_task(self, token: str, output: Mapping[str, object]) -> bool:
        """Resume the task that waits with this token; False when nobody waits with it any more."""
        ...

    def fail_task(self, token: str, error: str, cause: str) -> bool:
        """Fail the task that waits with this token; False when nobody waits with it any more."""
        ...
