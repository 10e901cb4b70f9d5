"""One attempt at a Task: the call, and what it waits for by `.waitForTaskToken` and `.sync`."""

from __future__ import annotations

import json
from typing import Any

from rehearsal.aws import integrations
from rehearsal.aws.clock import clock
from rehearsal.aws.execution import RUNNING, SUCCEEDED, Branch, Ended, Execution, JsonObject, compact, left
from rehearsal.aws.integrations import SYNC, SYNC2, TOKEN, TaskError
from rehearsal.aws.task_tokens import Token, heard_again, tokens
from rehearsal.aws.visit import Run, Visit

TIMEOUTS = ("States.Timeout", "States.HeartbeatTimeout")


def attempt_task(run: Run, visit: Visit) -> Any:
    """Call what a Task names, once, and wait for what it waits for. Raises TaskError, and Ended."""
    execution = run.execution
    state, branch = visit.state, visit.branch
    try:
        found = integrations.resource(run.evaluate(visit, state["Resource"], "Resource"))
    except ValueError as wrong:
        raise TaskError("States.Runtime", str(wrong)) from wrong
    token = tokens.make(execution) if found.pattern == TOKEN else None
    visit.token = token.value if token else None
    try:
        default = visit.given if found.function else {}
        arguments = run.evaluate(visit, state["Arguments"], "Arguments") if "Arguments" in state else default
        timeout = run.seconds(visit, "TimeoutSeconds")
        heartbeat = run.seconds(visit, "HeartbeatSeconds")
    finally:
        visit.token = None
    about = {"resourceType": found.resource_type, "resource": found.label}
    scheduled: JsonObject = {**about, "region": execution.origin.region, "parameters": compact(arguments)}
    if timeout is not None:
        scheduled["timeoutInSeconds"] = timeout
    if heartbeat is not None:
        scheduled["heartbeatInSeconds"] = heartbeat
    execution.record(branch, "TaskScheduled", "taskScheduledEventDetails", scheduled)
    execution.record(branch, "TaskStarted", "taskStartedEventDetails", dict(about))
    deadline = None if timeout is None else clock.monotonic() + timeout
    try:
        output = _call(execution, branch, found, arguments, deadline)
        if found.pattern:
            said: JsonObject = {**about, "output": compact(output), "outputDetails": {"truncated": False}}
            execution.record(branch, "TaskSubmitted", "taskSubmittedEventDetails", said)
        if token is not None:
            output = _await_token(execution, branch, token, deadline, heartbeat)
        elif found.pattern in (SYNC, SYNC2):
            output = _await_child(execution, branch, output["ExecutionArn"], found.pattern, deadline)
    except TaskError as failed:
        said = {**about, "error": failed.error, "cause": failed.cause}
        kind = "TaskTimedOut" if failed.error in TIMEOUTS else "TaskFailed"
        execution.record(branch, kind, kind[0].lower() + kind[1:] + "EventDetails", said)
        raise
    finally:
        if token is not None:
            with execution.changed:
                token.closed = True
    said = {**about, "output": compact(output), "outputDetails": {"truncated": False}}
    execution.record(branch, "TaskSucceeded", "taskSucceededEventDetails", said)
    return output


def _call(
    execution: Execution, branch: Branch, found: integrations.Resource, arguments: Any, deadline: float | None
) -> Any:
    box: list[Any] = []
    abandoned: list[bool] = []

    def work() -> None:
        try:
            caller = f"{execution.origin.arn} {branch.state}"
            outcome: Any = integrations.call(found, arguments, execution.origin.region, caller=caller)
        except TaskError as failed:
            outcome = failed
        except Exception as broken:  # noqa: BLE001  whatever a client raises is the task's failure
            outcome = TaskError("States.Runtime", f"{type(broken).__name__}: {broken}")
        with execution.changed:
            box.append(outcome)
            late = bool(abandoned)
            execution.changed.notify_all()
        if late and found.pattern in (SYNC, SYNC2) and not isinstance(outcome, TaskError):
            execution.abort_child(outcome["ExecutionArn"])  # nobody is left to wait for it

    clock.thread(work, name=f"task-{found.label}")
    try:
        execution.wait_in_time(branch, lambda: bool(box), deadline)
    except (Ended, TaskError):
        with execution.changed:
            abandoned.append(True)
            outcome = box[0] if box else None
        if found.pattern in (SYNC, SYNC2) and isinstance(outcome, dict):
            execution.abort_child(outcome["ExecutionArn"])
        raise
    if isinstance(box[0], TaskError):
        raise box[0]
    return box[0]


def _await_token(
    execution: Execution, branch: Branch, token: Token, deadline: float | None, heartbeat: float | None
) -> Any:
    while not token.answered:
        limits = [deadline] if deadline is not None else []
        if heartbeat is not None:
            limits.append(token.heard + heartbeat)
        if execution.wait_until(branch, heard_again(token), left(min(limits, default=None))):
            continue
        if deadline is not None and clock.monotonic() >= deadline:
            raise TaskError("States.Timeout", "The task ran longer than its TimeoutSeconds.")
        raise TaskError("States.HeartbeatTimeout", "The task was not heard of within its HeartbeatSeconds.")
    if token.failure is not None:
        raise token.failure
    return token.output


def _await_child(execution: Execution, branch: Branch, arn: str, pattern: str, deadline: float | None) -> Any:
    child = execution.find(arn)
    if child is None:
        raise TaskError("States.Runtime", f"The execution {arn} is unknown.")

    def wake() -> None:
        with execution.changed:
            execution.changed.notify_all()

    child.whenever_ended(wake)
    try:
        execution.wait_in_time(branch, lambda: child.status != RUNNING, deadline)
    except (Ended, TaskError):
        execution.abort_child(arn)
        raise
    shown = integrations.started(child.describe())
    if pattern == SYNC2:
        for key in ("Input", "Output"):
            if key in shown:
                shown[key] = json.loads(shown[key])
    if child.status != SUCCEEDED:
        raise TaskError("States.TaskFailed", compact(shown))
    return shown
