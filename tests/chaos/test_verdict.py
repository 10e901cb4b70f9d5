from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from rehearsal.chaos.lane import Lane, Tried
from rehearsal.chaos.points import Kind, Place, Point, Script, pairs, points, sample
from rehearsal.chaos.report import report
from rehearsal.chaos.run import Line, try_attempts
from rehearsal.chaos.verdict import Change, End, Outcome, unsafe

HALF = Change(at=1.0, blue=400, green=400, blue_healthy=2, green_healthy=2, by="ShiftTraffic")
BACK = Change(at=2.0, blue=800, green=0, blue_healthy=2, green_healthy=2, by="RestoreEdge")
SAFE = Outcome(
    end=End.ROLLED_BACK,
    phase="rolled_back",
    changes=(HALF, BACK),
    late_changes=0,
    healthy=(2, 2),
    blue=(),
    running=(),
    intents=(50.0,),
    may_need_hand=False,
    troubles=(),
)
CALL = Place(Script.CLIMB, "call", "elbv2:ModifyListener", "ShiftTraffic climb 50 %", 1, "function")


def test_an_edge_that_is_given_back_is_safe() -> None:
    wrong = unsafe(SAFE)

    assert wrong == ()


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (replace(SAFE, changes=(HALF,)), "green holds 400"),
        (replace(SAFE, end=End.COMPLETED, phase="watching", changes=(HALF,)), "blue holds 400"),
        (replace(SAFE, changes=(replace(HALF, green_healthy=0), BACK)), "green had no healthy target"),
        (replace(SAFE, changes=(replace(HALF, blue=0, green=0), BACK)), "gave nothing to either end"),
        (replace(SAFE, intents=()), "no intent says so"),
        (replace(SAFE, healthy=(0, 2)), "has no healthy target"),
        (replace(SAFE, phase="climbing"), "the journal says climbing"),
        (replace(SAFE, end=End.BY_HAND), "nobody noticed"),
        (replace(SAFE, late_changes=1), "after the end"),
        (replace(SAFE, blue=("web: 2 became 1",)), "blue was touched"),
        (replace(SAFE, running=("migrate",)), "still runs"),
        (replace(SAFE, end=End.STUCK), "it is stuck"),
    ],
)
def test_every_unsafe_end_is_named(outcome: Outcome, said: str) -> None:
    wrong = unsafe(outcome)

    assert any(said in what for what in wrong)


def test_an_operator_may_be_needed_only_where_the_runbook_says_so() -> None:
    wrong = unsafe(replace(SAFE, end=End.BY_HAND, may_need_hand=True))

    assert wrong == ()


def test_a_sample_is_the_same_for_a_seed_and_has_every_kind() -> None:
    places = [replace(CALL, operation=f"elbv2:Describe{number}") for number in range(20)]
    known = points([*places, CALL, Place(Script.CLIMB, "state", "Settle", "climb", 1, "machine")])

    chosen = sample(known, 30, seed=4)

    assert chosen == sample(reversed(known), 30, seed=4)
    assert {point.kind for point in chosen} == {point.kind for point in known}
    assert len(set(chosen)) == 30


def test_the_second_of_a_pair_lies_where_the_first_leads() -> None:
    back = Place(Script.JUDGED, "call", "elbv2:ModifyListener", "RestoreEdge", 1, "function")
    looks = Place(Script.JUDGED, "call", "dynamodb:GetItem", "Watch of crossfade-watch", 1, "function")
    further = Place(Script.CLIMB, "call", "elbv2:ModifyListener", "ShiftTraffic watch 100 %", 1, "function")
    known = points([CALL, further, back, looks])

    chosen = pairs(known, len(known), seed=4)

    assert chosen == pairs(reversed(known), len(known), seed=4)
    assert len({first for first, _ in chosen}) == len(chosen)
    leads = {
        (first.kind, second.place.script)
        for first, second in chosen
        if first.place.script is Script.CLIMB and first.kind in {Kind.KILLED, Kind.LOST}
    }
    assert leads == {(Kind.KILLED, Script.JUDGED), (Kind.LOST, Script.CLIMB)}
    assert {second.place for _, second in chosen} == {CALL, further, back}


def test_a_point_survives_the_checkpoint() -> None:
    line = Line((Point(CALL, Kind.LOST),), fired=1, end="completed", unsafe=("x",), seconds=1.5)

    read = Line.from_json(line.to_json())

    assert read == line


def test_what_was_not_reached_is_named_with_the_reason() -> None:
    watch = replace(CALL, phase="Watch of crossfade-watch", operation="dynamodb:GetItem", number=11)
    lines = [
        Line((Point(place, Kind.KILLED),), fired=0, end="completed", unsafe=(), seconds=1.0) for place in (watch, CALL)
    ]

    said = list(report(lines))

    first = said.index("    1 x climb | Watch of crossfade-watch | dynamodb:GetItem #11")
    assert said[first - 1].startswith("  `watch`, a guard or an event")
    assert "    1 x climb | ShiftTraffic climb 50 % | elbv2:ModifyListener #1" in said[first + 1 :]


def test_an_attempt_that_breaks_its_lane_is_unsafe_and_ends_the_lane() -> None:
    class Broken(Lane):
        def __init__(self) -> None:
            self.name = "shop1"

        def try_points(self, script: Script, points: Sequence[Point] = ()) -> Tried:
            raise RuntimeError(f"{script}, {len(points)}")

    kept: list[Line] = []

    with pytest.raises(RuntimeError):
        try_attempts([Broken()], [(Point(CALL, Kind.LOST),), (Point(CALL, Kind.KILLED),)], kept.append)

    assert [(line.name, line.end, line.unsafe) for line in kept] == [
        (Point(CALL, Kind.LOST).name, "stuck", ("it could not be tried to its end: RuntimeError: climb, 1",))
    ]
    assert list(report(kept))[-1] == "unsafe ends: 1 of 1"


def test_a_fault_that_did_not_fire_does_not_count() -> None:
    fired = Line((Point(CALL, Kind.LOST),), fired=1, end="completed", unsafe=(), seconds=1.0)
    missed = Line((Point(CALL, Kind.KILLED),), fired=0, end="stuck", unsafe=("it is stuck",), seconds=1.0)

    said = list(report([fired, missed]))

    assert said[-1] == "unsafe ends: 0 of 1"
