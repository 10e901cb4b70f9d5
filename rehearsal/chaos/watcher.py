"""
Who calls, from where in which migration, and the fault that is to strike there.

One watcher sees every call, every state and every event of the embedded AWS; a lane tells it what to do
at which place of its migration. A call is recognised by the invocation or the state that makes it: the
trace header of a function, or the header Step Functions' own calls carry here.
"""

from __future__ import annotations

import json
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from rehearsal.aws.clock import clock
from rehearsal.aws.events import orders
from rehearsal.aws.execution import ABORTED, Execution, watch_states
from rehearsal.aws.functions import Invocation, invocation_of
from rehearsal.aws.registry import AwsError, Call, intercept
from rehearsal.aws.wire import CALLER_HEADER
from rehearsal.chaos.points import EDGE_WRITES, Kind, Place, Point, Script
from rehearsal.chaos.verdict import Change

LATE_SECONDS = 3.0
_A_FUNCTION_MAY_RUN = 30.0  # template.yaml: Timeout
_A_STATE_MAY_TAKE = 61.0  # a second more than the state machines' TimeoutSeconds
_HEARD = {
    "STOPPED",
    "SERVICE_DEPLOYMENT_COMPLETED",
    "SERVICE_DEPLOYMENT_FAILED",
    "ALARM",
    "FAILED",
    "TIMED_OUT",
    "ABORTED",
}
_NAME = re.compile(r"\bshop\d+\b")
_NUMBERED = re.compile(r"\bshop\d+(?:-\d+\b)?")
_MACHINES = {"migrate": "migrate", "climb": "climb", "back": "roll_back"}
_THROTTLES = {
    "dynamodb": "ProvisionedThroughputExceededException",
    "s3": "SlowDown",
    "lambda": "TooManyRequestsException",
}


@dataclass
class Trap:
    """A point in wait of its moment, whether it came, and what must be remembered of it."""

    point: Point
    fired: bool = False
    victim: str | None = None  # the call, as the SDK numbers it over its own repetitions
    saved: dict[str, Any] = field(default_factory=dict)


@dataclass
class Track:
    """
    What is known of one lane's migration while it runs.

    Attributes:
        script: how it is driven.
        places: every place passed, while recording; in order.
        traps: the faults to strike.
        stall: called in a stalled call; returns when it shall go on.
        held: reads the edge that a call is about to write.
        restore: writes it back, as another writer would.
        given: reads what an accepted write gave blue and green; None if it gave nothing.
        healthy: counts the healthy targets of blue and of green.
        executions: all that have entered a state.
    """

    script: Script
    places: dict[Place, None] = field(default_factory=dict)
    traps: Sequence[Trap] = ()
    stall: Callable[[], None] = lambda: None
    held: Callable[[], Any] = lambda: None
    restore: Callable[[Any], None] = lambda _: None
    given: Callable[[Call], tuple[int, int] | None] = lambda _: None
    healthy: Callable[[], tuple[int, int]] = lambda: (0, 0)
    changes: list[Change] = field(default_factory=list)
    executions: dict[str, Execution] = field(default_factory=dict)
    calls: dict[str, Any] = field(default_factory=lambda: defaultdict(int))
    lock: threading.RLock = field(default_factory=threading.RLock)


class Watcher:
    """Sees everything; knows the tracks by the name of their migration, and functions by their physical name."""

    def __init__(self) -> None:
        self.tracks: dict[str, Track] = {}
        self.functions: dict[str, str] = {}

    def state(self, execution: Execution, state: str) -> None:
        """See a state entered; stop the execution there if that is the fault."""
        track = self._track(execution.given)
        if track is None:
            return
        machine = _machine(execution)
        place = Place(track.script, "state", state, machine, 1, "machine")
        with track.lock:
            track.executions[execution.origin.arn] = execution
            track.places.setdefault(place)
            struck = self._struck(track, place)
        if struck:
            execution.end(ABORTED, error="Chaos", cause="stopped by an operator's hand")

    def before(self, call: Call) -> None:
        """See a call that is not yet answered."""
        found = self._caller(call)
        if found is None:
            return
        track, phase, by, invocation = found
        operation = f"{call.service}:{call.action}"
        number = call.headers.get("amz-sdk-invocation-id", "")
        with track.lock:
            if number not in track.calls:
                within = f"{invocation.request_id if invocation else call.headers[CALLER_HEADER]}/{operation}"
                track.calls[within] += 1
                track.calls[number] = Place(track.script, "call", operation, phase, track.calls[within], by)
                track.places.setdefault(track.calls[number])
                trap = self._struck(track, track.calls[number])
                if trap is not None:
                    trap.victim = number
        for trap in track.traps:
            if trap.victim == number:
                self._before(track, call, trap, invocation)

    def after(self, call: Call) -> None:
        """See a call that took effect."""
        if f"{call.service}:{call.action}" in EDGE_WRITES:
            self._note_change(call)
        number = call.headers.get("amz-sdk-invocation-id", "")
        for track in list(self.tracks.values()):
            for trap in track.traps:
                if trap.victim == number:
                    self._after(track, call, trap)

    def event(self, event: dict[str, Any]) -> tuple[str, float] | None:
        """See an event on its way; say what becomes of it if it is the one."""
        track = self._track(json.dumps(event))
        what = _guard_event(event) if track else None
        if track is None or what is None:
            return None
        operation, phase = what
        with track.lock:
            track.calls[operation + phase] += 1
            place = Place(track.script, "event", operation, phase, track.calls[operation + phase], "aws")
            track.places.setdefault(place)
            trap = self._struck(track, place)
            return None if trap is None else _EVENT_ORDERS[trap.point.kind]

    def _note_change(self, call: Call) -> None:
        track = self._track(json.dumps(call.params, default=str)) or self._caller_track(call)
        given = None if track is None else track.given(call)
        if track is None or given is None:
            return
        known = track.calls.get(call.headers.get("amz-sdk-invocation-id", ""))
        by = known.phase if isinstance(known, Place) else "another writer"
        (blue, green), (blue_healthy, green_healthy) = given, track.healthy()
        with track.lock:
            track.changes.append(Change(clock.time(), blue, green, blue_healthy, green_healthy, by))

    def _caller_track(self, call: Call) -> Track | None:
        found = self._caller(call)
        return None if found is None else found[0]

    def _before(self, track: Track, call: Call, trap: Trap, invocation: Invocation | None) -> None:
        match trap.point.kind:
            case Kind.REFUSED:
                raise _refused(call)
            case Kind.THROTTLED:
                raise AwsError(_THROTTLES.get(call.service, "ThrottlingException"), "Rate exceeded")
            case Kind.HUNG:
                _hang(invocation)
                raise _refused(call)
            case Kind.KILLED | Kind.KILLED_AFTER as kind:
                assert invocation is not None
                trap.saved["invocation"] = invocation
                if kind is Kind.KILLED:
                    invocation.kill()
                    raise _refused(call)
            case Kind.STALLED:
                track.stall()
            case Kind.UNDONE if "held" not in trap.saved:
                trap.saved["held"] = track.held()

    def _after(self, track: Track, call: Call, trap: Trap) -> None:
        kind = trap.point.kind
        if kind is Kind.REFUSED_AFTER:
            raise _refused(call)
        if kind is Kind.KILLED_AFTER:
            trap.saved["invocation"].kill()
            raise _refused(call)
        if kind is Kind.UNANSWERED or (kind is Kind.LOST and "lost" not in trap.saved):
            trap.saved["lost"] = True
            raise AwsError("ServiceUnavailable", "the answer was lost on its way")
        if kind is Kind.UNDONE and "undone" not in trap.saved:
            trap.saved["undone"] = True
            track.restore(trap.saved["held"])

    def _struck(self, track: Track, place: Place) -> Trap | None:
        for trap in track.traps:
            if not trap.fired and trap.point.place.spot == place.spot:
                trap.fired = True
                return trap
        return None

    def _caller(self, call: Call) -> tuple[Track, str, str, Invocation | None] | None:
        said = call.headers.get(CALLER_HEADER, "")
        if said:
            arn, _, state = said.partition(" ")
            track = self._track(arn)
            return None if track is None else (track, f"{_machine_of(arn)}/{state}", "machine", None)
        invocation = invocation_of(call.headers)
        if invocation is None:
            return None
        track = self._track(json.dumps(invocation.event)) or self._track(json.dumps(call.params, default=str))
        if track is None:  # `watch` is nobody's in particular; its calls tell
            return None
        logical = self.functions.get(invocation.function, invocation.function)
        return track, f"{logical}{_about(invocation.event)}", "function", invocation

    def _track(self, text: str) -> Track | None:
        found = _NAME.search(text)
        return self.tracks.get(found[0]) if found else None


_EVENT_ORDERS = {
    Kind.EVENT_LOST: ("lose", 0.0),
    Kind.EVENT_DOUBLED: ("duplicate", 2.0),
    Kind.EVENT_LATE: ("delay", LATE_SECONDS),
}


def _guard_event(event: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return what an event that a guard listens to says, and of what; None for any other event."""
    kind, detail = str(event.get("DetailType")), json.loads(event.get("Detail") or "{}")
    if kind == "ECS Deployment State Change":
        heard, of = str(detail.get("eventName")), str(event["Resources"][0]).rpartition("/")[2]
        return (heard, of) if heard in _HEARD and of.endswith("-sc") else None
    if kind == "ECS Task State Change":
        heard, of = str(detail.get("lastStatus")), str(detail.get("group"))
        return (heard, of) if heard in _HEARD and of.startswith("service:") else None
    if kind == "CloudWatch Alarm State Change":
        heard = str(detail["state"]["value"])
        return (heard, "alarm") if heard in _HEARD else None
    if kind == "Step Functions Execution Status Change":
        heard, of = str(detail["status"]), _machine_of(str(detail["executionArn"]))
        return (heard, of) if heard in _HEARD and of != "roll_back" else None
    return None


def _hang(invocation: Invocation | None) -> None:
    """Leave a call without an answer until Lambda ends the function, or the state that made it is given up."""
    with clock.on_behalf():
        clock.sleep(_A_STATE_MAY_TAKE if invocation is None else _A_FUNCTION_MAY_RUN)
    if invocation is not None:
        invocation.time_out()


def _refused(call: Call) -> AwsError:
    code = "AccessDenied" if call.service in {"elbv2", "s3", "sns", "cloudwatch"} else "AccessDeniedException"
    return AwsError(code, "nothing more is heard of it")  # an SDK does not repeat this one


def _machine(execution: Execution) -> str:
    return _machine_of(execution.origin.arn)


def _machine_of(arn: str) -> str:
    return _MACHINES.get(arn.split(":")[6].rpartition("-")[2], arn.split(":")[6])


def _about(event: Mapping[str, Any]) -> str:
    """Return what tells one invocation of a function from another in the same migration."""
    if "rung" in event:
        rung = event["rung"]
        look = {0: " first look"}.get(event.get("look", -1), " later look") if "look" in event else ""
        return f" {rung['kind']} {rung['share_bp'] / 100:g} %{look}"
    if "service" in event and isinstance(event["service"], str):
        return f" {event['service']}"
    if "what" in event:
        return f" {event['what']}"
    detail = event.get("detail")
    if isinstance(detail, Mapping):
        if "stateMachineArn" in detail:
            return f" of {_machine_of(detail['executionArn'])}"
        if "taskArn" in detail:  # its id is another each time
            return f" of {_NAME.sub('shop', str(detail.get('group')))}"
        if event.get("resources"):
            of = str(event["resources"][0]).rpartition("/")[2].rpartition(":")[2]
            return f" of {_NUMBERED.sub('shop', of)}"  # the same place in every lane and migration
    return ""


watcher = Watcher()
"""The only one: what looks into the embedded AWS cannot be taken out of it again."""

intercept(before=partial(Watcher.before, watcher), after=partial(Watcher.after, watcher))
orders.decide = partial(Watcher.event, watcher)
watch_states(partial(Watcher.state, watcher))
