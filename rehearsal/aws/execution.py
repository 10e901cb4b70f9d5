"""
One execution of a state machine, from its start to its end: its status, its history, and all that waits in it.

An execution runs in a thread of its own, each branch of a Parallel or Map in another; what they do there is in
`interpreter`. All wait on one condition, so that stopping an execution, cancelling a branch, a task token's answer or
a deadline is noticed at once: an aborted execution is ABORTED when StopExecution returns, and so are the executions it
was waiting for by `.sync`.

Source: https://states-language.net/spec.html; history events as in the API reference of HistoryEvent.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rehearsal.aws.clock import clock
from rehearsal.aws.events import emit
from rehearsal.aws.integrations import TaskError

LARGEST_PAYLOAD = 262_144  # bytes of input or output
LONGEST_HISTORY = 25_000  # events
RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED = "RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"

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
        self.find = find
        self._whenever_ended: list[Callable[[], None]] = []
        self.root = Branch()

    def start(self, run: Callable[[], None]) -> None:
        """Begin: let `run` go through the states in the background."""
        self.record(
            self.root,
            "ExecutionStarted",
            "executionStartedEventDetails",
            {"input": self.given, "inputDetails": {"truncated": False}, "roleArn": self.origin.role_arn},
        )
        self._tell()
        seconds = self.origin.machine.get("TimeoutSeconds")
        if seconds is not None:
            clock.later(seconds, lambda: self.end(TIMED_OUT))
        clock.thread(run, name=f"execution-{self.origin.name}")

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
            self.record(self.root, name, name[0].lower() + name[1:] + "EventDetails", said, last=True)
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

    def wait_in_time(self, branch: Branch, ready: Callable[[], bool], deadline: float | None) -> None:
        """Wait until `ready`; raises States.Timeout when the deadline passed first, and Ended."""
        if not self.wait_until(branch, ready, left(deadline)):
            raise TaskError("States.Timeout", "The task ran longer than its TimeoutSeconds.")

    def wait_until(self, branch: Branch, ready: Callable[[], bool], seconds: float | None) -> bool:
        """Wait until `ready`, at most so many seconds; False when they passed first. Raises Ended."""
        deadline = None if seconds is None else clock.monotonic() + seconds
        with self.changed:
            while True:
                if self.status != RUNNING or branch.cancelled:
                    raise Ended
                if ready():
                    return True
                remaining = left(deadline)
                if remaining is not None and remaining <= 0:
                    return False
                self.changed.wait(remaining)

    def enter(self, branch: Branch, name: str) -> None:
        """Say that a branch is in this state now, and show it to whoever watches."""
        branch.state = name
        for watcher in _watchers:
            watcher(self, name)

    def abort_child(self, arn: str) -> None:
        """End an execution that nobody waits for any more, if there is one."""
        child = self.find(arn)
        if child is not None:
            child.end(ABORTED)

    def record(
        self, branch: Branch, kind: str, details_name: str | None, details: JsonObject, *, last: bool = False
    ) -> None:
        """Write an event into the history, where it is not full. Raises Ended."""
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


def left(deadline: float | None) -> float | None:
    """Return how many seconds remain until a deadline, which may have none."""
    return None if deadline is None else deadline - clock.monotonic()
