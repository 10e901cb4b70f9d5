"""Executions in memory: the promises of the real ones, for tests and for trying things out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from crossfade.executions.executions import ExecutionStatus, RollbackInput


@dataclass
class MemoryExecutions:
    """
    An `Executions` that starts nothing.

    `others` are the statuses of executions that are no rollbacks, by ARN; `waiting`
    are the tokens somebody waits with; `answers` what they were answered.
    """

    rollbacks: dict[str, ExecutionStatus] = field(default_factory=dict)
    started: list[tuple[str, RollbackInput]] = field(default_factory=list)
    others: dict[str, ExecutionStatus] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    answers: dict[str, dict[str, object]] = field(default_factory=dict)

    def start_rollback(self, name: str, given: RollbackInput) -> str | None:
        if name in self.rollbacks:
            return None
        self.rollbacks[name] = ExecutionStatus.RUNNING
        self.started.append((name, given))
        return f"execution:roll-back:{name}"

    def rollback_status(self, name: str) -> ExecutionStatus | None:
        return self.rollbacks.get(name)

    def status(self, arn: str) -> ExecutionStatus | None:
        return self.others.get(arn)

    def succeed_task(self, token: str, output: Mapping[str, object]) -> bool:
        return self._answer(token, dict(output))

    def fail_task(self, token: str, error: str, cause: str) -> bool:
        return self._answer(token, {"error": error, "cause": cause})

    def _answer(self, token: str, answer: dict[str, object]) -> bool:
        if token not in self.waiting:
            return False
        self.waiting.remove(token)
        self.answers[token] = answer
        return True
