"""
Where a fault can strike, and how.

A place is found by recording a run; a point is a place and a kind of fault. Pure.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Script(StrEnum):
    """
    How a migration is driven until the fault.

    CLIMB is left alone and completes; in LOST, blue loses a task meanwhile. Others end in a rollback once green has a
    share: JUDGED because green fails, ALARMED by an alarm of the operator's, STOPPED by StopExecution of `migrate`,
    ABORTED by the operator's word, DYING because green's tasks end one after another while it is held.
    HELD is held at its first share, looked at, and resumed. People are asked before the climb and before the last
    share: ALLOWED by both answers, REJECTED by the second, EXPIRED since nobody answers. RETIRED ends without blue.
    """

    CLIMB = "climb"
    JUDGED = "judged"
    ALARMED = "alarmed"
    STOPPED = "stopped"
    ABORTED = "aborted"
    DYING = "dying"
    LOST = "lost"
    HELD = "held"
    ALLOWED = "allowed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    RETIRED = "retired"


COMPLETING = frozenset({Script.CLIMB, Script.LOST, Script.HELD, Script.ALLOWED})
"""Scripts that end with everything on green, and a blue that could still take it back."""


class Kind(StrEnum):
    """What goes wrong. The first ten happen at a call, STOPPED at a state, the last three to an event."""

    REFUSED = "error before it"
    REFUSED_AFTER = "error after it took effect"
    THROTTLED = "throttled"
    LOST = "answer lost"
    UNANSWERED = "never answered"
    HUNG = "no answer until time is up"
    KILLED = "process killed before it"
    KILLED_AFTER = "process killed after it"
    STALLED = "stalled while rolled back"
    UNDONE = "undone by another writer"
    STOPPED = "StopExecution"
    EVENT_LOST = "event lost"
    EVENT_DOUBLED = "event doubled"
    EVENT_LATE = "event late"


EDGE_WRITES = frozenset(
    {
        "elbv2:ModifyListener",
        "elbv2:ModifyRule",
        "route53:ChangeResourceRecordSets",
        "cloudfront:UpdateContinuousDeploymentPolicy",
        "cloudfront:UpdateDistribution",
        "cloudfront:UpdateDistributionWithStagingConfig",
    }
)
_OF_FUNCTIONS = (
    Kind.REFUSED,
    Kind.REFUSED_AFTER,
    Kind.THROTTLED,
    Kind.LOST,
    Kind.UNANSWERED,
    Kind.HUNG,
    Kind.KILLED,
    Kind.KILLED_AFTER,
    Kind.STALLED,
)
_OF_STATES = (Kind.REFUSED, Kind.REFUSED_AFTER, Kind.THROTTLED, Kind.UNANSWERED, Kind.HUNG)
_LOOKERS = ("Watch", "OnTask", "OnAlarm", "OnDeployment", "OnExecution", "OnProxyLog")
_SENT_BACK = frozenset(
    {
        Kind.REFUSED,
        Kind.REFUSED_AFTER,
        Kind.HUNG,
        Kind.KILLED,
        Kind.KILLED_AFTER,
        Kind.STALLED,
        Kind.STOPPED,
    }
)
"""After these a migration mostly goes back."""
_OF_EVENTS = (Kind.EVENT_LOST, Kind.EVENT_DOUBLED, Kind.EVENT_LATE)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """
    Somewhere in a migration.

    Attributes:
        script: the drive in which it was seen first.
        what: `call`, `state` or `event`.
        operation: `elbv2:ModifyListener`; a state's or an event's name.
        phase: who is at it, and with what: `ShiftTraffic 50 %`, `climb/Judge Green`.
        number: which of its like within one invocation, from 1.
        by: `function`, `machine` or `aws`.
    """

    script: Script
    what: str
    operation: str
    phase: str
    number: int
    by: str

    @property
    def spot(self) -> tuple[str, str, str, int, str]:
        """The place, whatever the drive."""
        return self.what, self.operation, self.phase, self.number, self.by


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """A place and what goes wrong there."""

    place: Place
    kind: Kind

    @property
    def name(self) -> str:
        """The point in words; unique."""
        place = self.place
        return f"{place.script} | {place.phase} | {place.operation} #{place.number} | {self.kind}"

    @property
    def counted_as(self) -> tuple[str, str, str]:
        """What makes a point distinct: operation, phase, kind."""
        return self.place.operation, f"{self.place.script} {self.place.phase}", str(self.kind)

    def to_json(self) -> dict[str, Any]:
        """Return it as data."""
        return {"place": asdict(self.place), "kind": str(self.kind)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Point:
        """Read what `to_json` returned."""
        place = {**data["place"], "script": Script(data["place"]["script"])}
        return cls(Place(**place), Kind(data["kind"]))


def points(places: Iterable[Place]) -> tuple[Point, ...]:
    """Return every point of these places, in an order that depends on nothing else."""
    return tuple(Point(place, kind) for place in sorted(set(places)) for kind in _kinds(place))


def _kinds(place: Place) -> Iterator[Kind]:
    if place.what == "state":
        yield Kind.STOPPED
    elif place.what == "event":
        yield from _OF_EVENTS
    else:
        yield from _OF_FUNCTIONS if place.by == "function" else _OF_STATES
        if place.operation in EDGE_WRITES:
            yield Kind.UNDONE


def is_steady(point: Point) -> bool:
    """Say whether each run of its drive passes the place: `watch` and the guards look at what is so when they come."""
    return point.place.what != "event" and not point.place.phase.startswith(_LOOKERS)


def sample(known: Iterable[Point], size: int, seed: int) -> tuple[Point, ...]:
    """
    Return `size` of the points, chosen by the seed.

    Kinds take turns as long as they have any left, and of those that count as one only the first
    is taken, until all others are.
    """
    chance = random.Random(seed)
    shuffled = sorted(known)
    chance.shuffle(shuffled)
    piles: dict[Kind, list[Point]] = {}
    seen: set[tuple[str, str, str]] = set()
    again: list[Point] = []
    for point in shuffled:
        if point.counted_as in seen:
            again.append(point)
        else:
            seen.add(point.counted_as)
            piles.setdefault(point.kind, []).append(point)
    chosen: list[Point] = []
    while len(chosen) < size and any(piles.values()):
        chosen += [pile.pop() for pile in piles.values() if pile]
    return tuple([*chosen, *again][:size])


def pairs(known: Iterable[Point], size: int, seed: int) -> tuple[tuple[Point, Point], ...]:
    """
    Return so many pairs of points, or fewer of few, chosen by the seed; the first has the drive.

    The second lies where the first leads: on the way back after a fault that sends the migration there, which
    JUDGED was the first to pass; else, and where there is no way back, somewhere in the same drive.
    """
    chance = random.Random(seed)
    pool = sorted(known)
    of: dict[Script, list[Point]] = {}
    for point in filter(is_steady, pool):
        of.setdefault(point.place.script, []).append(point)
    chosen: list[tuple[Point, Point]] = []
    for first in chance.sample(pool, min(size, len(pool))):
        goes_back = first.kind in _SENT_BACK and first.place.script is not Script.RETIRED
        ahead = of.get(Script.JUDGED if goes_back else first.place.script, pool)
        others = [point for point in ahead if point.place.spot != first.place.spot]
        if others:
            chosen.append((first, chance.choice(others)))
    return tuple(chosen)
