"""Ports in memory whose calls go wrong where they are told to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from crossfade.errors import TryAgain
from crossfade.events.inbound import ExecutionStatusChanged
from crossfade.executions.executions import ExecutionStatus


class Fault(StrEnum):
    """What goes wrong at a call of a port."""

    BUSY = "busy before it"
    BUSY_AFTER = "busy after it took effect"
    BROKEN = "error before it"
    BROKEN_AFTER = "error after it took effect"
    KILLED = "execution stopped before it"
    KILLED_AFTER = "execution stopped after it"
    STALLED = "stalled while rolled back"
    UNDONE = "undone by another writer"


class Broken(Exception):
    """What a handler dies of: no error of ours, so nobody retries it."""


class Stopped(BaseException):
    """The whole execution is gone, and catches nothing."""


@dataclass
class Wire:
    """Every call to a port passes here; at the calls chosen something goes wrong."""

    faults: dict[int, Fault]
    made: int = 0
    fired: list[str] = field(default_factory=list)
    stalled: Callable[[str], None] = lambda _: None
    quiet: int = 0
    undo: Callable[[], Callable[[], None]] = lambda: lambda: None

    def pass_on(self, name: str, busy: type[TryAgain], call: Callable[[], Any]) -> Any:
        """Make a call, or let it go wrong. Raises `busy`, Broken or Stopped, as the fault says."""
        if self.quiet:
            return call()
        self.made += 1
        fault = self.faults.get(self.made)
        if fault is None:
            return call()
        if fault is Fault.UNDONE and name != "withdraw":
            fault = Fault.STALLED  # what is undone at once, the real edges find by reading back; those in memory do not
        self.fired.append(f"{fault} at {name} ({self.made})")
        match fault:
            case Fault.BUSY:
                raise busy(name)
            case Fault.BROKEN:
                raise Broken(name)
            case Fault.KILLED:
                raise Stopped(name)
            case Fault.STALLED:
                self.quiet += 1
                try:
                    self.stalled(name)
                finally:
                    self.quiet -= 1
                return call()
            case _:
                undo = self.undo()
                answer = call()
                return self._after(fault, name, busy, answer, undo)

    def _after(self, fault: Fault, name: str, busy: type[TryAgain], answer: Any, undo: Callable[[], None]) -> Any:
        match fault:
            case Fault.BUSY_AFTER:
                raise busy(name)
            case Fault.BROKEN_AFTER:
                raise Broken(name)
            case Fault.KILLED_AFTER:
                raise Stopped(name)
        undo()
        return answer


class Port:
    """Any port, with its calls on the wire."""

    def __init__(self, real: Any, wire: Wire, busy: type[TryAgain]) -> None:
        self._real, self._wire, self._busy = real, wire, busy

    def __getattr__(self, name: str) -> Any:
        """Pass a call on; what is no method is simply answered."""
        found = getattr(self._real, name)
        if not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            answer = self._wire.pass_on(name, self._busy, lambda: found(*args, **kwargs))
            return Port(answer, self._wire, self._busy) if name == "shifter" else answer

        return call


def ended_badly(execution: str, status: ExecutionStatus) -> ExecutionStatusChanged:
    """Return the event that tells of an execution of `migrate` or `climb` that ended badly."""
    return ExecutionStatusChanged.model_validate(
        {
            "version": "0",
            "id": "1",
            "detail-type": "Step Functions Execution Status Change",
            "source": "aws.states",
            "account": "123456789012",
            "time": "2026-01-01T00:00:00Z",
            "region": "eu-west-1",
            "resources": [execution],
            "detail": {"executionArn": execution, "status": status, "name": "it", "stateMachineArn": "m"},
        }
    )
