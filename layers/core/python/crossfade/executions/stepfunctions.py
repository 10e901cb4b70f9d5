"""Executions of our state machines in Step Functions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from crossfade.errors import ExecutionsBusy
from crossfade.executions.executions import ExecutionStatus, RollbackInput
from crossfade.throttles import asking

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

_MOST_ERROR, _MOST_CAUSE = 256, 32_768  # characters that SendTaskFailure takes

_asking = partial(asking, "Step Functions", ExecutionsBusy, also={"ExecutionLimitExceeded"})


class StepFunctionsExecutions:
    """`Executions` in Step Functions; `roll_back_arn` is the state machine's."""

    def __init__(self, client: SFNClient, roll_back_arn: str) -> None:
        self._client = client
        self._roll_back_arn = roll_back_arn

    def start_rollback(self, name: str, given: RollbackInput) -> str | None:
        try:
            with _asking():
                return self._client.start_execution(
                    stateMachineArn=self._roll_back_arn,
                    name=name,
                    input=json.dumps(given.model_dump(mode="json", by_alias=True)),
                )["executionArn"]
        except self._client.exceptions.ExecutionAlreadyExists:
            return None

    def rollback_status(self, name: str) -> ExecutionStatus | None:
        return self.status(f"{self._roll_back_arn.replace(':stateMachine:', ':execution:')}:{name}")

    def status(self, arn: str) -> ExecutionStatus | None:
        try:
            with _asking():
                return ExecutionStatus(self._client.describe_execution(executionArn=arn)["status"])
        except self._client.exceptions.ExecutionDoesNotExist:
            return None

    def succeed_task(self, token: str, output: Mapping[str, object]) -> bool:
        return self._answered(lambda: self._client.send_task_success(taskToken=token, output=json.dumps(output)))

    def fail_task(self, token: str, error: str, cause: str) -> bool:
        return self._answered(
            lambda: self._client.send_task_failure(
                taskToken=token, error=error[:_MOST_ERROR], cause=cause[:_MOST_CAUSE]
            )
        )

    def _answered(self, send: Callable[[], object]) -> bool:
        closed = self._client.exceptions
        try:
            with _asking():
                send()
        except (closed.TaskTimedOut, closed.TaskDoesNotExist, closed.InvalidToken):
            return False
        return True
