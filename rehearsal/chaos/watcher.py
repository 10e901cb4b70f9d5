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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from rehearsal.aws.clock import clock
from rehearsal.aws.elbv2 import healthy_count
from rehearsal.aws.events import orders
from rehearsal.aws.execution import ABORTED, Execution, watch_states
from rehearsal.aws.functions import Invocation, invocation_of
from rehearsal.aws.registry import AwsError, Call, intercept
from rehearsal.aws.wire import CALLER_HEADER
from rehearsal.chaos.points import Kind, Place, Point, Script
from rehearsal.chaos.verdict import Change

LATE_SECONDS = 3.0
_HEARD = {"SERVICE_DEPLOYMENT_COMPLETED", "SERVICE_DEPLOYMENT_FAILED", "ALARM", "FAILED", "TIMED_OUT", "ABORTED"}
_NAME = re.compile(r"\bshop\d+\b")
_MACHINES = {"migrate": "migrate", "climb": "climb", "back": "roll_back"}
_THROTTLES = {
    "dynamodb": "ProvisionedThroughputExceededException",
    "s3": "SlowDown",
    "lambda": "TooManyRequestsException",
}


@dataclass
class Trap:
    """A point in wait of its moment, and whether it came."""

    point: Point
    fired: bool = False
    victim: str | None = None  # the call, as the SDK numbers it over its own repetitions


@dataclass
class Track:
    """
    What is known of one lane's migration while it runs.

    Attributes:
        script: how it is driven.
        places: every place passed, while recording; in order.
        trap: the fault to strike.
        stall: called in a stalled call; returns when it shall go on.
        held: reads the actions of the listener that a call is about to write.
        restore: writes them back, as another writer would.
        executions: all that have entered a state.
    """

    script: Script
    places: dict[Place, None] = field(default_factory=dict)
    trap: Trap | None = None
    stall: Callable[[], None] = lambda: None
    held: Callable[[Call], Any] = lambda _: None
    restore: Callable[[Call, Any], None] = lambda _call, _held: None
    changes: list[Change] = field(default_factory=list)
    executions: dict[str, Execution] = field(default_factory=dict)
    calls: dict[str, Any] = field(default_factory=lambda: defaultdict(int))
    arns: dict[str, str] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    saved: dict[str, Any] = field(default_factory=dict)


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
            strikes = self._strikes(track, place)
        if strikes:
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
                if self._strikes(track, track.calls[number]):
                    assert track.trap is not None
                    track.trap.victim = number
        if track.trap is not None and track.trap.victim == number:
            self._before(track, call, track.trap.point.kind, invocation)

    def after(self, call: Call) -> None:
        """See a call that took effect."""
        if call.service == "elbv2" and call.action in {"ModifyListener", "ModifyRule"}:
            self._note_change(call)
        number = call.headers.get("amz-sdk-invocation-id", "")
        for track in list(self.tracks.values()):
            trap = track.trap
            if trap is not None and trap.victim == number:
                self._after(track, call, trap.point.kind)

    def event(self, event: dict[str, Any]) -> tuple[str, float] | None:
        """See an event on its way; say what becomes of it if it is the one."""
        what = _guard_event(event)
        track = self._track(json.dumps(event)) if what else None
        if track is None or what is None:
            return None
        operation, phase = what
        with track.lock:
            track.calls[operation + phase] += 1
            place = Place(track.script, "event", operation, phase, track.calls[operation + phase], "aws")
            track.places.setdefault(place)
            if not self._strikes(track, place):
                return None
            assert track.trap is not None
            return _EVENT_ORDERS[track.trap.point.kind]

    def _note_change(self, call: Call) -> None:
        track = self._track(json.dumps(call.params))
        if track is None:
            return
        weights: dict[str, tuple[int, int]] = {"blue": (0, 0), "green": (0, 0)}
        for action in call.params.get("DefaultActions") or call.params.get("Actions") or []:
            for group in action.get("ForwardConfig", {}).get("TargetGroups", []) or [action]:
                arn = group.get("TargetGroupArn", "")
                side = "green" if arn.split("/")[1].endswith("-sc") else "blue"
                weights[side] = (group.get("Weight", 1), healthy_count(arn))
                track.arns[side] = arn
        known = track.calls.get(call.headers.get("amz-sdk-invocation-id", ""))
        by = known.phase if isinstance(known, Place) else "another writer"
        (blue, blue_healthy), (green, green_healthy) = weights["blue"], weights["green"]
        with track.lock:
            track.changes.append(Change(clock.time(), blue, green, blue_healthy, green_healthy, by))

    def _before(self, track: Track, call: Call, kind: Kind, invocation: Invocation | None) -> None:
        if kind is Kind.REFUSED:
            raise _refused(call)
        if kind is Kind.THROTTLED:
            raise AwsError(_THROTTLES.get(call.service, "ThrottlingException"), "Rate exceeded")
        if kind in {Kind.KILLED, Kind.KILLED_AFTER}:
            assert invocation is not None
            track.saved["invocation"] = invocation
            if kind is Kind.KILLED:
                invocation.kill()
                raise _refused(call)
        if kind is Kind.STALLED:
            track.stall()
        if kind is Kind.UNDONE and "held" not in track.saved:
            track.saved["held"] = track.held(call)

    def _after(self, track: Track, call: Call, kind: Kind) -> None:
        if kind is Kind.REFUSED_AFTER:
            raise _refused(call)
        if kind is Kind.KILLED_AFTER:
            track.saved["invocation"].kill()
            raise _refused(call)
        if kind is Kind.UNANSWERED or (kind is Kind.LOST and "lost" not in track.saved):
            track.saved["lost"] = True
            raise AwsError("ServiceUnavailable", "the answer was lost on its way")
        if kind is Kind.UNDONE and "undone" not in track.saved:
            track.saved["undone"] = True
            track.restore(call, track.saved["held"])

    def _strikes(self, track: Track, place: Place) -> bool:
        trap = track.trap
        if trap is None or trap.fired or trap.point.place != place:
            return False
        trap.fired = True
        return True

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
    if kind == "CloudWatch Alarm State Change":
        heard = str(detail["state"]["value"])
        return (heard, "alarm") if heard in _HEARD else None
    if kind == "Step Functions Execution Status Change":
        heard, of = str(detail["status"]), _machine_of(str(detail["executionArn"]))
        return (heard, of) if heard in _HEARD and of != "roll_back" else None
    return None


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
        if event.get("resources"):
            of = str(event["resources"][0]).rpartition("/")[2].rpartition(":")[2]
            return f" of {_NAME.sub('shop', of)}"  # the same place in every lane
    return ""


watcher = Watcher()
"""The only one: what looks into the embedded AWS cannot be taken out of it again."""

intercept(before=partial(Watcher.before, watcher), after=partial(Watcher.after, watcher))
orders.decide = partial(Watcher.event, watcher)
watch_states(partial(Watcher.state, watcher))
