"""
One execution of a state machine, from its start to its end.

An execution runs in a thread of its own, each branch of a Parallel or Map in another. All wait on one
condition, so that stopping an execution, cancelling a branch, a task token's answer or a deadline is
noticed at once: an aborted execution is ABORTED when StopExecution returns, and so are the executions
it was waiting for by `.sync`.

Source: https://states-language.net/spec.html; history events as in the API reference of HistoryEvent.
"""

from __future__ import annotations

import json
import random
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from rehearsal.aws import integrations
from rehearsal.aws.clock import clock
from rehearsal.aws.events import emit
from rehearsal.aws.integrations import SYNC, SYNC2, TOKEN, TaskError
from rehearsal.aws.jsonata import QueryFailed, resolve

LARGEST_PAYLOAD = 262_144  # bytes of input or output
LONGEST_HISTORY = 25_000  # events
LONGEST_SECONDS = 99_999_999  # of a Wait, a timeout or a heartbeat
RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED = "RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"
_UNCATCHABLE = ("States.DataLimitExceeded", "States.Runtime")  # not matched by States.ALL
_TIMEOUTS = ("States.Timeout", "States.HeartbeatTimeout")
_MAP_CONCURRENCY = 40  # of an inline Map without MaxConcurrency

JsonObject = dict[str, Any]


_watchers: list[Callable[[Execution, str], None]] = []


def watch_states(watcher: Callable[[Execution, str], None]) -> None:
    """Show this function every state that any execution enters, before the state does anything."""
    _watchers.append(watcher)


class Ended(Exception):
    """The branch that asks was cancelled, or its execution has ended; unwinds without a trace in the history."""


def compact(value: Any) -> str:
    """Render a JSON value as Step Functions does, without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


# -- task tokens --------------------------------------------------------------


@dataclass
class Token:
    """What waits for a task token: its answer, once there is one, and when it was last heard of."""

    value: str
    execution: Execution
    heard: float = field(default_factory=clock.monotonic)
    output: Any = None
    failure: TaskError | None = None
    answered: bool = False
    closed: bool = False


class Tokens:
    """Every task token handed out since the last reset; an unknown one is invalid, a used one has timed out."""

    def __init__(self) -> None:
        self._known: dict[str, Token] = {}
        self._lock = threading.Lock()

    def make(self, execution: Execution) -> Token:
        """Hand out a new token."""
        token = Token(f"AQ{uuid.uuid4().hex}{uuid.uuid4().hex}", execution)
        with self._lock:
            self._known[token.value] = token
        return token

    def find(self, value: str) -> Token | None:
        """Return the token of this text, or None if no such token was handed out."""
        return self._known.get(value)

    def clear(self) -> None:
        """Forget every token."""
        with self._lock:
            self._known.clear()


tokens = Tokens()


def answer(token: Token, *, output: Any = None, failure: TaskError | None = None, heartbeat: bool = False) -> bool:
    """Answer a token, or let it be heard of; False if its task is over already."""
    with token.execution.changed:
        if token.closed or token.answered or token.execution.status != RUNNING:
            return False
        token.heard = clock.monotonic()
        if not heartbeat:
            token.answered, token.output, token.failure = True, output, failure
        token.execution.changed.notify_all()
        return True


# -- what runs ----------------------------------------------------------------


class Branch:
    """A line of states inside an execution: its variables, its place in the history, whether it shall go on."""

    def __init__(self, parent: Branch | None = None, *, item: JsonObject | None = None) -> None:
        self._parent = parent
        self._variables: JsonObject = {}
        self._cancelled = False
        self.state = ""
        self.previous_event: int = parent.previous_event if parent else 0
        self.item: JsonObject | None = item if item is not None else (parent.item if parent else None)

    @property
    def cancelled(self) -> bool:
        """Whether this branch, or one it is part of, was cancelled."""
        return self._cancelled or (self._parent is not None and self._parent.cancelled)

    def cancel(self) -> None:
        """Let this branch and all within it stop. The caller holds the execution's condition."""
        self._cancelled = True

    def variables(self) -> JsonObject:
        """Return what `$name` means here, the inner scope last."""
        outer = self._parent.variables() if self._parent else {}
        return {**outer, **self._variables}

    def assign(self, values: JsonObject) -> None:
        """Set variables of this scope. Raises TaskError for one that belongs to an outer scope, as AWS does."""
        outer = self._parent.variables() if self._parent else {}
        for name in values:
            if name in outer:
                raise TaskError("States.Runtime", f"The variable '{name}' belongs to an outer scope.")
        self._variables.update(values)


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


@dataclass(frozen=True)
class Origin:
    """What an execution was started from."""

    arn: str
    name: str
    account: str
    region: str
    machine_arn: str
    machine_name: str
    role_arn: str
    definition: str
    machine: JsonObject
    version_arn: str | None = None
    alias_arn: str | None = None


class Execution:
    """A running or ended execution. `changed` guards its status, its history and all that waits."""

    def __init__(self, origin: Origin, given: str, *, find: Callable[[str], Execution | None]) -> None:
        self.origin = origin
        self.given = given
        self.status = RUNNING
        self.output: str | None = None
        self.error: str | None = None
        self.cause: str | None = None
        self.started = clock.now()
        self.stopped: datetime | None = None
        self.changed = clock.condition()
        self.history: list[JsonObject] = []
        self._find = find
        self._whenever_ended: list[Callable[[], None]] = []
        self._root = Branch()

    def start(self) -> None:
        """Begin in the background."""
        self._record(
            self._root,
            "ExecutionStarted",
            "executionStartedEventDetails",
            {"input": self.given, "inputDetails": {"truncated": False}, "roleArn": self.origin.role_arn},
        )
        self._tell()
        seconds = self.origin.machine.get("TimeoutSeconds")
        if seconds is not None:
            clock.later(seconds, lambda: self.end(TIMED_OUT))
        clock.thread(self._run, name=f"execution-{self.origin.name}")

    def end(
        self, status: str, *, output: str | None = None, error: str | None = None, cause: str | None = None
    ) -> None:
        """End with this status, unless it has ended already; what it waits for by `.sync` is aborted with it."""
        with self.changed:
            if self.status != RUNNING:
                return
            endings: dict[str, tuple[str, JsonObject]] = {
                SUCCEEDED: ("ExecutionSucceeded", {"output": output, "outputDetails": {"truncated": False}}),
                FAILED: ("ExecutionFailed", {"error": error, "cause": cause}),
                TIMED_OUT: ("ExecutionTimedOut", {"error": error, "cause": cause}),
                ABORTED: ("ExecutionAborted", {"error": error, "cause": cause}),
            }
            name, details = endings[status]
            said = {key: value for key, value in details.items() if value is not None}
            self._record(self._root, name, name[0].lower() + name[1:] + "EventDetails", said, last=True)
            self.status, self.output, self.error, self.cause = status, output, error, cause
            self.stopped = clock.now()
            self.changed.notify_all()
            callbacks = list(self._whenever_ended)
        self._tell()
        for callback in callbacks:
            callback()

    def whenever_ended(self, callback: Callable[[], None]) -> None:
        """Call back once this execution has ended, at once if it has."""
        with self.changed:
            if self.status == RUNNING:
                self._whenever_ended.append(callback)
                return
        callback()

    # -- running ----------------------------------------------------------

    def _run(self) -> None:
        try:
            output = self._run_states(self._root, self.origin.machine, json.loads(self.given))
        except Ended:
            return
        except TaskError as failed:
            self.end(FAILED, error=failed.error, cause=failed.cause)
        except Exception as broken:  # a fault of this interpreter must not leave an execution running for ever
            self.end(FAILED, error="States.Runtime", cause=f"{type(broken).__name__}: {broken}")
            raise
        else:
            self.end(SUCCEEDED, output=compact(output))

    def _run_states(self, branch: Branch, machine: JsonObject, given: Any) -> Any:
        name: str | None = machine["StartAt"]
        while name is not None:
            given, name = self._run_state(branch, name, machine["States"][name], given)
        return given

    def _run_state(self, branch: Branch, name: str, state: JsonObject, given: Any) -> tuple[Any, str | None]:
        kind = state["Type"]
        visit = Visit(branch, name, state, given, _now())
        details: JsonObject = {"name": name, "input": compact(given), "inputDetails": {"truncated": False}}
        self._record(branch, f"{kind}StateEntered", "stateEnteredEventDetails", details)
        branch.state = name
        for watcher in _watchers:
            watcher(self, name)
        output, following = getattr(self, f"_{kind.lower()}")(visit)
        text = compact(output)
        if len(text.encode()) > LARGEST_PAYLOAD:
            raise TaskError("States.DataLimitExceeded", f"The state/task '{name}' returned a result that is too large.")
        details = {"name": name, "output": text, "outputDetails": {"truncated": False}}
        if visit.assigned:
            details["assignedVariables"] = {key: compact(value) for key, value in visit.assigned.items()}
            details["assignedVariablesDetails"] = {"truncated": False}
        self._record(branch, f"{kind}StateExited", "stateExitedEventDetails", details)
        return output, following

    # -- the states -------------------------------------------------------

    def _pass(self, visit: Visit) -> tuple[Any, str | None]:
        return self._leave(visit, visit.state, visit.given), visit.state.get("Next")

    def _succeed(self, visit: Visit) -> tuple[Any, str | None]:
        return self._leave(visit, visit.state, visit.given), None

    def _fail(self, visit: Visit) -> tuple[Any, str | None]:
        said = {key: self._evaluate(visit, visit.state.get(key), key) for key in ("Error", "Cause")}
        raise TaskError(said["Error"] or "", said["Cause"] or "")

    def _wait(self, visit: Visit) -> tuple[Any, str | None]:
        if "Seconds" in visit.state:
            seconds = self._whole(visit, "Seconds", least=0) * clock.wait_scale
        else:
            moment = datetime.fromisoformat(str(self._evaluate(visit, visit.state["Timestamp"], "Timestamp")))
            seconds = (moment - clock.now()).total_seconds()
        self._wait_until(visit.branch, lambda: False, seconds)
        return self._leave(visit, visit.state, visit.given), visit.state.get("Next")

    def _choice(self, visit: Visit) -> tuple[Any, str | None]:
        for number, rule in enumerate(visit.state["Choices"]):
            holds = self._evaluate(visit, rule["Condition"], f"Choices[{number}]/Condition")
            if not isinstance(holds, bool):
                raise self._not_evaluated(visit, "Condition", f"The Condition of rule {number} is not a boolean.")
            if holds:
                return self._leave(visit, rule, visit.given), rule["Next"]
        if "Default" not in visit.state:
            raise TaskError("States.NoChoiceMatched", f"No rule of the Choice state '{visit.name}' matched.")
        return self._leave(visit, visit.state, visit.given), visit.state["Default"]

    def _task(self, visit: Visit) -> tuple[Any, str | None]:
        return self._guarded(visit, lambda: self._attempt_task(visit))

    def _parallel(self, visit: Visit) -> tuple[Any, str | None]:
        return self._guarded(visit, lambda: self._attempt_parallel(visit))

    def _map(self, visit: Visit) -> tuple[Any, str | None]:
        return self._guarded(visit, lambda: self._attempt_map(visit))

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
                    self._wait_until(visit.branch, lambda: False, delay * clock.wait_scale)
                    visit.retries += 1
                    continue
                for rule in visit.state.get("Catch", []):
                    if _matches(rule["ErrorEquals"], failed.error):
                        told = {"Error": failed.error, "Cause": failed.cause}
                        return self._leave(visit, rule, told, errorOutput=told), rule["Next"]
                raise

    def _leave(self, visit: Visit, rule: JsonObject, default: Any, **known: Any) -> Any:
        # Assign and Output both see the variables as they were before.
        output = self._evaluate(visit, rule["Output"], "Output", **known) if "Output" in rule else default
        if "Assign" in rule:
            visit.assigned = self._evaluate(visit, rule["Assign"], "Assign", **known)
            visit.branch.assign(visit.assigned)
        return output

    def _evaluate(self, visit: Visit, template: Any, location: str, **known: Any) -> Any:
        states = {"input": visit.given, "context": self._context(visit), **known}
        try:
            return resolve(template, {**visit.branch.variables(), "states": states})
        except QueryFailed as failed:
            raise self._not_evaluated(visit, location, str(failed)) from failed

    def _not_evaluated(self, visit: Visit, location: str, cause: str) -> TaskError:
        error = "States.QueryEvaluationError"
        said = {"error": error, "cause": cause, "location": location, "state": visit.name}
        self._record(visit.branch, "EvaluationFailed", "evaluationFailedEventDetails", said)
        return TaskError(error, cause)

    def _context(self, visit: Visit) -> JsonObject:
        origin = self.origin
        context: JsonObject = {
            "Execution": {
                "Id": origin.arn,
                "Input": json.loads(self.given),
                "Name": origin.name,
                "RoleArn": origin.role_arn,
                "StartTime": _iso(self.started),
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

    # -- tasks ------------------------------------------------------------

    def _attempt_task(self, visit: Visit) -> Any:
        state, branch = visit.state, visit.branch
        try:
            found = integrations.resource(self._evaluate(visit, state["Resource"], "Resource"))
        except ValueError as wrong:
            raise TaskError("States.Runtime", str(wrong)) from wrong
        token = tokens.make(self) if found.pattern == TOKEN else None
        visit.token = token.value if token else None
        try:
            default = visit.given if found.function else {}
            arguments = self._evaluate(visit, state["Arguments"], "Arguments") if "Arguments" in state else default
            timeout = self._seconds(visit, "TimeoutSeconds")
            heartbeat = self._seconds(visit, "HeartbeatSeconds")
        finally:
            visit.token = None
        about = {"resourceType": found.resource_type, "resource": found.label}
        scheduled: JsonObject = {**about, "region": self.origin.region, "parameters": compact(arguments)}
        if timeout is not None:
            scheduled["timeoutInSeconds"] = timeout
        if heartbeat is not None:
            scheduled["heartbeatInSeconds"] = heartbeat
        self._record(branch, "TaskScheduled", "taskScheduledEventDetails", scheduled)
        self._record(branch, "TaskStarted", "taskStartedEventDetails", dict(about))
        deadline = None if timeout is None else clock.monotonic() + timeout
        try:
            output = self._call(branch, found, arguments, deadline)
            if found.pattern:
                said: JsonObject = {**about, "output": compact(output), "outputDetails": {"truncated": False}}
                self._record(branch, "TaskSubmitted", "taskSubmittedEventDetails", said)
            if token is not None:
                output = self._await_token(branch, token, deadline, heartbeat)
            elif found.pattern in (SYNC, SYNC2):
                output = self._await_child(branch, output["ExecutionArn"], found.pattern, deadline)
        except TaskError as failed:
            said = {**about, "error": failed.error, "cause": failed.cause}
            kind = "TaskTimedOut" if failed.error in _TIMEOUTS else "TaskFailed"
            self._record(branch, kind, kind[0].lower() + kind[1:] + "EventDetails", said)
            raise
        finally:
            if token is not None:
                with self.changed:
                    token.closed = True
        said = {**about, "output": compact(output), "outputDetails": {"truncated": False}}
        self._record(branch, "TaskSucceeded", "taskSucceededEventDetails", said)
        return output

    def _seconds(self, visit: Visit, name: str) -> int | None:
        return self._whole(visit, name, least=1) if name in visit.state else None

    def _whole(self, visit: Visit, name: str, *, least: int) -> int:
        seconds = self._evaluate(visit, visit.state[name], name)
        if not isinstance(seconds, int) or isinstance(seconds, bool) or not least <= seconds <= LONGEST_SECONDS:
            raise self._not_evaluated(visit, name, f"{name} is {seconds!r}, not an integer of {least} or more.")
        return seconds

    def _call(self, branch: Branch, found: integrations.Resource, arguments: Any, deadline: float | None) -> Any:
        box: list[Any] = []
        abandoned: list[bool] = []

        def work() -> None:
            try:
                caller = f"{self.origin.arn} {branch.state}"
                outcome: Any = integrations.call(found, arguments, self.origin.region, caller=caller)
            except TaskError as failed:
                outcome = failed
            except Exception as broken:  # noqa: BLE001  whatever a client raises is the task's failure
                outcome = TaskError("States.Runtime", f"{type(broken).__name__}: {broken}")
            with self.changed:
                box.append(outcome)
                late = bool(abandoned)
                self.changed.notify_all()
            if late and found.pattern in (SYNC, SYNC2) and not isinstance(outcome, TaskError):
                self._abort_child(outcome["ExecutionArn"])  # nobody is left to wait for it

        clock.thread(work, name=f"task-{found.label}")
        try:
            self._wait_in_time(branch, lambda: bool(box), deadline)
        except (Ended, TaskError):
            with self.changed:
                abandoned.append(True)
                outcome = box[0] if box else None
            if found.pattern in (SYNC, SYNC2) and isinstance(outcome, dict):
                self._abort_child(outcome["ExecutionArn"])
            raise
        if isinstance(box[0], TaskError):
            raise box[0]
        return box[0]

    def _await_token(self, branch: Branch, token: Token, deadline: float | None, heartbeat: float | None) -> Any:
        while not token.answered:
            limits = [deadline] if deadline is not None else []
            if heartbeat is not None:
                limits.append(token.heard + heartbeat)
            if self._wait_until(branch, _heard_again(token), _left(min(limits, default=None))):
                continue
            if deadline is not None and clock.monotonic() >= deadline:
                raise TaskError("States.Timeout", "The task ran longer than its TimeoutSeconds.")
            raise TaskError("States.HeartbeatTimeout", "The task was not heard of within its HeartbeatSeconds.")
        if token.failure is not None:
            raise token.failure
        return token.output

    def _await_child(self, branch: Branch, arn: str, pattern: str, deadline: float | None) -> Any:
        child = self._find(arn)
        if child is None:
            raise TaskError("States.Runtime", f"The execution {arn} is unknown.")

        def wake() -> None:
            with self.changed:
                self.changed.notify_all()

        child.whenever_ended(wake)
        try:
            self._wait_in_time(branch, lambda: child.status != RUNNING, deadline)
        except (Ended, TaskError):
            self._abort_child(arn)
            raise
        shown = integrations.started(child.describe())
        if pattern == SYNC2:
            for key in ("Input", "Output"):
                if key in shown:
                    shown[key] = json.loads(shown[key])
        if child.status != SUCCEEDED:
            raise TaskError("States.TaskFailed", compact(shown))
        return shown

    def _abort_child(self, arn: str) -> None:
        child = self._find(arn)
        if child is not None:
            child.end(ABORTED)

    # -- branches ---------------------------------------------------------

    def _attempt_parallel(self, visit: Visit) -> Any:
        given = self._evaluate(visit, visit.state["Arguments"], "Arguments") if "Arguments" in visit.state else None
        value = visit.given if given is None else given
        self._record(visit.branch, "ParallelStateStarted", None, {})
        lines = [(Branch(visit.branch), machine, value) for machine in visit.state["Branches"]]
        try:
            results = self._run_lines(visit.branch, lines, len(lines))
        except TaskError:
            self._record(visit.branch, "ParallelStateFailed", None, {})
            raise
        self._record(visit.branch, "ParallelStateSucceeded", None, {})
        return results

    def _attempt_map(self, visit: Visit) -> Any:
        state = visit.state
        items = self._evaluate(visit, state["Items"], "Items") if "Items" in state else visit.given
        if not isinstance(items, list):
            raise self._not_evaluated(visit, "Items", "The Items of a Map are an array.")
        most = int(self._evaluate(visit, state.get("MaxConcurrency", 0), "MaxConcurrency")) or _MAP_CONCURRENCY
        started = {"length": len(items)}
        self._record(visit.branch, "MapStateStarted", "mapStateStartedEventDetails", started)
        lines = []
        for index, item in enumerate(items):
            branch = Branch(visit.branch, item={"Index": index, "Value": item})
            inner = Visit(branch, visit.name, state, visit.given, visit.entered)
            selector = state.get("ItemSelector")
            value = item if selector is None else self._evaluate(inner, selector, "ItemSelector")
            lines.append((branch, state["ItemProcessor"], value))
        try:
            results = self._run_lines(visit.branch, lines, most, iterations_of=visit.name)
        except TaskError:
            self._record(visit.branch, "MapStateFailed", None, {})
            raise
        self._record(visit.branch, "MapStateSucceeded", None, {})
        return results

    def _run_lines(
        self,
        parent: Branch,
        lines: list[tuple[Branch, JsonObject, Any]],
        most: int,
        *,
        iterations_of: str | None = None,
    ) -> list[Any]:
        results: dict[int, Any] = {}
        failures: list[TaskError] = []
        over: list[int] = []
        begun: list[threading.Thread] = []

        def tell(branch: Branch, what: str, index: int) -> None:
            if iterations_of is not None:
                said = {"name": iterations_of, "index": index}
                self._record(branch, f"MapIteration{what}", f"mapIteration{what}EventDetails", said)

        def run(index: int) -> None:
            branch, machine, given = lines[index]
            try:
                tell(branch, "Started", index)
                output = self._run_states(branch, machine, given)
                tell(branch, "Succeeded", index)
                with self.changed:
                    results[index] = output
            except Ended:
                pass
            except TaskError as failed:
                self._fail_line(failures, failed, lambda: tell(branch, "Failed", index))
            except Exception as broken:  # noqa: BLE001  a fault of this interpreter fails the state, not the thread
                self._fail_line(failures, TaskError("States.Runtime", repr(broken)), lambda: None)
            finally:
                with self.changed:
                    over.append(index)
                    self.changed.notify_all()

        def may_begin() -> bool:
            return len(begun) < len(lines) and len(begun) - len(over) < most

        try:
            while len(over) < len(lines):
                while may_begin():
                    begun.append(clock.thread(partial(run, len(begun)), name="branch"))
                self._wait_until(parent, lambda: bool(failures) or len(over) == len(lines) or may_begin(), None)
                if failures:
                    raise failures[0]
        finally:
            with self.changed:
                for branch, _, _ in lines:
                    branch.cancel()
                self.changed.notify_all()
        return [results[index] for index in range(len(lines))]

    def _fail_line(self, failures: list[TaskError], failed: TaskError, tell: Callable[[], None]) -> None:
        try:
            tell()
        except Ended:
            return
        with self.changed:
            failures.append(failed)
            self.changed.notify_all()

    # -- waiting, recording, telling --------------------------------------

    def _wait_in_time(self, branch: Branch, ready: Callable[[], bool], deadline: float | None) -> None:
        if not self._wait_until(branch, ready, _left(deadline)):
            raise TaskError("States.Timeout", "The task ran longer than its TimeoutSeconds.")

    def _wait_until(self, branch: Branch, ready: Callable[[], bool], seconds: float | None) -> bool:
        """Wait until `ready`, at most so many seconds; False when they passed first. Raises Ended."""
        deadline = None if seconds is None else clock.monotonic() + seconds
        with self.changed:
            while True:
                if self.status != RUNNING or branch.cancelled:
                    raise Ended
                if ready():
                    return True
                left = _left(deadline)
                if left is not None and left <= 0:
                    return False
                self.changed.wait(left)

    def _record(
        self, branch: Branch, kind: str, details_name: str | None, details: JsonObject, *, last: bool = False
    ) -> None:
        full = False
        with self.changed:
            if self.status != RUNNING or branch.cancelled:
                raise Ended
            if len(self.history) >= LONGEST_HISTORY - 1 and not last:
                full = True
            else:
                number = len(self.history) + 1
                event: JsonObject = {
                    "timestamp": clock.now(),
                    "type": kind,
                    "id": number,
                    "previousEventId": branch.previous_event,
                }
                if details_name is not None:
                    event[details_name] = details
                self.history.append(event)
                branch.previous_event = number
        if full:
            self.end(FAILED, error="States.Runtime", cause=f"The execution reached {LONGEST_HISTORY} history events.")
            raise Ended

    def describe(self) -> JsonObject:
        """Answer as DescribeExecution does."""
        with self.changed:
            said: JsonObject = {
                "executionArn": self.origin.arn,
                "stateMachineArn": self.origin.machine_arn,
                "name": self.origin.name,
                "status": self.status,
                "startDate": self.started,
                "stopDate": self.stopped,
                "input": self.given,
                "inputDetails": {"included": True},
                "output": self.output,
                "outputDetails": {"included": True} if self.output is not None else None,
                "error": self.error,
                "cause": self.cause,
                "stateMachineVersionArn": self.origin.version_arn,
                "stateMachineAliasArn": self.origin.alias_arn,
                "redriveCount": 0,
            }
        return {key: value for key, value in said.items() if value is not None}

    def _tell(self) -> None:
        detail = {
            **self.describe(),
            "startDate": int(self.started.timestamp() * 1000),
            "stopDate": None if self.stopped is None else int(self.stopped.timestamp() * 1000),
        }
        for absent in ("output", "error", "cause", "stateMachineVersionArn", "stateMachineAliasArn"):
            detail.setdefault(absent, None)
        emit(
            "aws.states",
            "Step Functions Execution Status Change",
            detail,
            [self.origin.arn],
            region=self.origin.region,
        )


def _heard_again(token: Token) -> Callable[[], bool]:
    heard = token.heard
    return lambda: token.answered or token.heard != heard


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
    if "States.Timeout" in names and error in _TIMEOUTS:
        return True
    if "States.TaskFailed" in names and error not in (*_TIMEOUTS, *_UNCATCHABLE):
        return True
    return "States.ALL" in names and error not in _UNCATCHABLE


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else deadline - clock.monotonic()


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _now() -> str:
    return _iso(clock.now())
