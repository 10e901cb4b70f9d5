"""What was kept of a migration is judged again to the digit, and where someone touched it is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crossfade.journal.model import Entry
from crossfade.judge.judge import judge
from crossfade.judge.look import EVIDENCE, Look
from crossfade.judge.reading import Inside, Readings, Wanting, Window
from crossfade.judge.replay import evidence_digest, replay
from crossfade.plan.document import Bounds
from crossfade.plan.edges import Rung

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BOUNDS = Bounds(slow_ratio=None)
RUNG = Rung(share_bp=2_500, soak_seconds=300)
LOOKS = 6
FEWER = 3
"""The look at which a task is missing."""


def a_story() -> list[Entry]:
    """Looks of one edge, one period more each."""
    story: list[Entry] = []
    for number in range(LOOKS):
        window = Window(start=NOON, period_seconds=60, rows=((900, 1, 300, 0),) * number)
        counted = Inside(signal="final_5xx", subject="web to orders", among=1, allowed=0.02, rows=((300, 1),) * number)
        lacking = Wanting(service="web", desired=2, running=1, below_since=NOON, below_seconds=60 * number)
        readings = Readings(window=window, inside=(counted,), wanting=(lacking,) if number == FEWER else ())
        judgement = judge(readings, RUNG, BOUNDS, tests=4)
        look = Look(
            look=number,
            rung=RUNG,
            bounds=BOUNDS,
            tests=4,
            readings=readings,
            judgement=judgement,
            answered=judgement.answer,
            previous=evidence_digest(story[-1]) if story else "",
        )
        story.append(
            Entry(
                migration="shop",
                at=NOON + timedelta(seconds=60 * number),
                kind="evidence",
                what=EVIDENCE,
                subject="web",
                detail=look.model_dump(mode="json"),
                fence=1,
            )
        )
    return story


def changed(entry: Entry, change: Callable[[dict[str, Any]], None]) -> Entry:
    detail = json.loads(json.dumps(entry.detail))
    change(detail)
    return entry.model_copy(update={"detail": detail})


def broken(story: list[Entry]) -> dict[int, str]:
    return {at: look.broken for at, look in enumerate(replay(story)) if look.broken}


def test_a_story_nobody_touched_stands() -> None:
    told = replay(a_story())

    assert [look.broken for look in told] == [None] * LOOKS
    assert [look.answer for look in told] == ["hold"] * (LOOKS - 1) + ["advance"]


def test_entries_of_other_kinds_are_passed_over() -> None:
    note = Entry(migration="shop", at=NOON, kind="note", what="entered", subject="shop")

    assert len(replay([note, *a_story()])) == LOOKS


def test_a_look_that_was_repeated_is_no_tampering() -> None:
    story = a_story()

    assert (
        broken([*story[:3], story[2].model_copy(update={"at": story[2].at + timedelta(seconds=1)}), *story[3:]]) == {}
    )


def fewer_errors(detail: dict[str, Any]) -> None:
    detail["readings"]["window"]["rows"][0][1] = 0


def another_answer(detail: dict[str, Any]) -> None:
    detail["judgement"]["answer"] = detail["answered"] = "advance"


def another_told(detail: dict[str, Any]) -> None:
    detail["answered"] = "advance"


def gentler_bounds(detail: dict[str, Any]) -> None:
    detail["bounds"]["tolerance"] = 0.5


def more_errors_inside(detail: dict[str, Any]) -> None:
    detail["readings"]["inside"][0]["rows"][0][1] = 100


def more_tasks(detail: dict[str, Any]) -> None:
    detail["readings"]["wanting"] = []


def nonsense(detail: dict[str, Any]) -> None:
    detail["readings"] = "none"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (fewer_errors, "its readings lead to another"),
        (another_answer, "its readings lead to hold"),
        (another_told, "the state machine was told advance, and the judgement says hold"),
        (gentler_bounds, "its readings lead to another"),
        (more_errors_inside, "its readings lead to roll_back (final_5xx of web to orders"),
        (more_tasks, "its readings lead to hold (healthy so far"),
        (nonsense, "it cannot be read: readings"),
    ],
)
def test_a_look_that_was_changed_is_named_and_so_is_the_one_that_followed_it(
    change: Callable[[dict[str, Any]], None], said: str
) -> None:
    story = a_story()
    story[3] = changed(story[3], change)

    found = broken(story)

    assert set(found) == {3, 4}
    assert said in found[3]
    assert "the chain is broken" in found[4]


def test_a_change_of_time_alone_breaks_the_chain_after_it() -> None:
    story = a_story()
    story[2] = story[2].model_copy(update={"at": story[2].at + timedelta(seconds=1)})

    assert set(broken(story)) == {3}


def test_a_look_taken_out_is_missed_by_the_one_after_it() -> None:
    story = a_story()

    assert set(broken([*story[:2], *story[3:]])) == {2}


def test_a_look_put_in_from_elsewhere_does_not_fit() -> None:
    story = a_story()
    foreign = changed(story[4], lambda detail: detail.update(previous="0" * 64))

    assert set(broken([*story[:3], foreign, *story[3:]])) == {3}


def test_a_story_whose_beginning_was_cut_off_says_so() -> None:
    assert set(broken(a_story()[1:])) == {0}


def test_each_edge_has_a_chain_of_its_own() -> None:
    other = [entry.model_copy(update={"subject": "admin"}) for entry in a_story()]
    # The digest names the edge, so looks copied from another edge do not fit even among themselves.

    assert broken(a_story()) == {}
    assert set(broken(other)) == set(range(1, LOOKS))
