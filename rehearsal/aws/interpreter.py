"""
The states of a state machine, gone through one after the other: what each does, and what becomes of its errors.

Tasks are in `task_states`, Parallel and Map in `branch_states`.

Source: https://states-language.net/spec.html.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import datetime
from typing import Any

from rehearsal.aws.branch_states import attempt_map, attempt_parallel
from rehearsal.aws.clock import clock
from rehearsal.aws.execution import FAILED, LARGEST_PAYLOAD, SUCCEEDED, Branch, Ended, Execution, JsonObject, compact
from rehearsal.aws.integrations import TaskError
from rehearsal.aws.jsonata import QueryFailed, resolve
from rehearsal.aws.task_states import TIMEOUTS, attempt_task
from rehearsal.aws.visit import Visit

LONGEST_SECONDS = 99_999_999  # of a Wait, a timeout or a heartbeat
_UNCATCHABLE = ("States.DataLimitExceeded", "States.Runtime")  # not matched by States.ALL


class Interpreter:
    """Goes through the states of one execution."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution

    def run(self) -> None:
        """Go through the states, and end the execution with what comes of it."""
        try:
            output = self.run_states(
                self.execution.root, self.execution.origin.machine, json.loads(self.execution.given)
            )
        except Ended:
            return
        except TaskError as failed:
            self.execution.end(FAILED, error=failed.error, cause=failed.cause)
        except Exception as broken:  # a fault of this interpreter must not leave an execution running for ever
            self.execution.end(FAILED, error="States.Runtime", cause=f"{type(broken).__name__}: {broken}")
            raise
        else:
            self.execution.end(SUCCEEDED, output=compact(output))

    def run_states(self, branch: Branch, machine: JsonObject, given: Any) -> Any:
        """Go through the states of a machine, or of one of its branches, and return its output."""
        name: str | None = machine["StartAt"]
        while name is not None:
            given, name = self._run_state(branch, name, machine["States"][name], given)
        return given

    def _run_state(self, branch: Branch, name: str, state: JsonObject, given: Any) -> tuple[Any, str | None]:
        kind = state["Type"]
        visit = Visit(branch, name, state, given, _now())
        details: JsonObject = {"name": name, "input": compact(given), "inputDetails": {"truncated": False}}
        self.execution.record(branch, f"{kind}StateEntered", "stateEnteredEventDetails", details)
        self.execution.enter(branch, name)
        output, following = getattr(self, f"_{kind.lower()}")(visit)
        text = compact(output)
        if len(text.encode()) > LARGEST_PAYLOAD:
            raise TaskError("States.DataLimitExceeded", f"The state/task '{name}' returned a result that is too large.")
        details = {"name": name, "output": text, "outputDetails": {"truncated": False}}
        if visit.assigned:
            details["assignedVariables"] = {key: compact(value) for key, value in visit.assigned.items()}
            details["assignedVariablesDetails"] = {"truncated": False}
        self.execution.record(branch, f"{kind}StateExited", "stateExitedEventDetails", details)
        return output, following

    # -- the states -------------------------------------------------------

    def _pass(self, visit: Visit) -> tuple[Any, str | None]:
        return self._leave(visit, visit.state, visit.given), visit.state.get("Next")

    def _succeed(self, visit: Visit) -> tuple[Any, str | None]:
        return self._leave(visit, visit.state, visit.given), None

    def _fail(self, visit: Visit) -> tuple[Any, str | None]:
        said = {key: self.evaluate(visit, visit.state.get(key), key) for key in ("Error", "Cause")}
        raise TaskError(said["Error"] or "", said["Cause"] or "")

    def _wait(self, visit: Visit) -> tuple[Any, str | None]:
        if "Seconds" in visit.state:
            seconds = self.whole(visit, "Seconds", least=0) * clock.wait_scale
        else:
            moment = datetime.fromisoformat(str(self.evaluate(visit, visit.state["Timestamp"], "Timestamp")))
            seconds = (moment - clock.now()).total_seconds()
        self.execution.wait_until(visit.branch, lambda: False, seconds)
        return self._leave(visit, visit.state, visit.given), visit.state.get("Next")

    def _choice(self, visit: Visit) -> tuple[Any, str | None]:
        for number, rule in enumerate(visit.state["Choices"]):
            holds = self.evaluate(visit, rule["Condition"], f"Choices[{number}]/Condition")
            if not isinstance(holds, bool):
                raise self.not_evaluated(visit, "Condition", f"The Condition of rule {number} is not a boolean.")
            if holds:
                return self._leave(visit, rule, visit.given), rule["Next"]
        if "Default" not in visit.state:
            raise TaskError("States.NoChoiceMatched", f"No rule of the Choice state '{visit.name}' matched.")
        return self._leave(visit, visit.state, visit.given), visit.state["Default"]

    def _task(self, visit: Visit) -> tuple[Any, str | None]:
        return self._guarded(visit, lambda: attempt_task(self, visit))

    def _parallel(self, visit: Visit) -> tuple[Any, str | None]:
        return self._guarded(visit, lambda: attempt_parallel(self, visit))

    def _map(self, visit: Visit) -> tuple[Any, str | None]:
        return self._guarded(visit, lambda: attempt_map(self, visit))

    # -- errors -----------------------------------------------------------

    def _guarded(self, visit: Visit, attempt: Callable[[], Any]) -> tuple[Any, str | None]:
        tried = [0] * len(visit.state.get("Retry", []))
        while True:
            try:
                result = attempt()
                return self._leave(visit, visit.state, result, result=result), visit.state.get("Next")
            except TaskError as failed:
                delay = _retry_delay(visit.state.get("Retry", []), tried, failed.error)
                if delay is not None:
                    self.execution.wait_until(visit.branch, lambda: False, delay * clock.wait_scale)
                    visit.retries += 1
                    continue
                for rule in visit.state.get("Catch", []):
                    if _matches(rule["ErrorEquals"], failed.error):
                        told = {"Error": failed.error, "Cause": failed.cause}
                        return self._leave(visit, rule, told, errorOutput=told), rule["Next"]
                raise

    def _leave(self, visit: Visit, rule: JsonObject, default: Any, **known: Any) -> Any:
        # Assign and Output both see the variables as they were before.
        output = self.evaluate(visit, rule["Output"], "Output", **known) if "Output" in rule else default
        if "Assign" in rule:
            visit.assigned = self.evaluate(visit, rule["Assign"], "Assign", **known)
            visit.branch.assign(visit.assigned)
        return output

    def evaluate(self, visit: Visit, template: Any, location: str, **known: Any) -> Any:
        """Return what a template says in this state. Raises TaskError, States.QueryEvaluationError."""
        states = {"input": visit.given, "context": self._context(visit), **known}
        try:
            return resolve(template, {**visit.branch.variables(), "states": states})
        except QueryFailed as failed:
            raise self.not_evaluated(visit, location, str(failed)) from failed

    def not_evaluated(self, visit: Visit, location: str, cause: str) -> TaskError:
        """Record that something could not be evaluated, and return the error to raise."""
        error = "States.QueryEvaluationError"
        said = {"error": error, "cause": cause, "location": location, "state": visit.name}
        self.execution.record(visit.branch, "EvaluationFailed", "evaluationFailedEventDetails", said)
        return TaskError(error, cause)

    def _context(self, visit: Visit) -> JsonObject:
        origin = self.execution.origin
        context: JsonObject = {
            "Execution": {
                "Id": origin.arn,
                "Input": json.loads(self.execution.given),
                "Name": origin.name,
                "RoleArn": origin.role_arn,
                "StartTime": _iso(self.execution.started),
                "RedriveCount": 0,
            },
            "StateMachine": {"Id": origin.machine_arn, "Name": origin.machine_name},
            "State": {"Name": visit.name, "EnteredTime": visit.entered, "RetryCount": visit.retries},
        }
        if visit.token is not None:
            context["Task"] = {"Token": visit.token}
        if visit.branch.item is not None:
            context["Map"] = {"Item": visit.branch.item}
        return context

    def seconds(self, visit: Visit, name: str) -> int | None:
        """Return a duration of this state, one second or more; None where it says none."""
        return self.whole(visit, name, least=1) if name in visit.state else None

    def whole(self, visit: Visit, name: str, *, least: int) -> int:
        """Return a number of seconds of this state. Raises TaskError for what is none."""
        seconds = self.evaluate(visit, visit.state[name], name)
        if not isinstance(seconds, int) or isinstance(seconds, bool) or not least <= seconds <= LONGEST_SECONDS:
            raise self.not_evaluated(visit, name, f"{name} is {seconds!r}, not an integer of {least} or more.")
        return seconds


def _retry_delay(retriers: list[JsonObject], tried: list[int], error: str) -> float | None:
    for number, retrier in enumerate(retriers):
        if _matches(retrier["ErrorEquals"], error):
            if tried[number] >= retrier.get("MaxAttempts", 3):
                return None
            delay = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** tried[number]
            delay = min(delay, retrier.get("MaxDelaySeconds", delay))
            tried[number] += 1
            return random.uniform(0, delay) if retrier.get("JitterStrategy") == "FULL" else float(delay)
    return None


def _matches(names: list[str], error: str) -> bool:
    if error in names:
        return True
    if "States.Timeout" in names and error in TIMEOUTS:
        return True
    if "States.TaskFailed" in names and error not in (*TIMEOUTS, *_UNCATCHABLE):
        return True
    return "States.ALL" in names and error not in _UNCATCHABLE


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _now() -> str:
    return _iso(clock.now())
