"""The phase table: what must never be possible, and what always must."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.errors import InvalidTransition
from crossfade.phases import BEYOND_RETURN, CLOSED, MOVES, Phase, move

PHASES = st.sampled_from(Phase)


def test_every_phase_stands_in_the_table() -> None:
    assert set(MOVES) == set(Phase)


@pytest.mark.parametrize("start", sorted(set(Phase) - BEYOND_RETURN))
def test_the_way_back_begins_anywhere_before_blue_is_retired(start: Phase) -> None:
    assert move(start, Phase.ROLLING_BACK) is Phase.ROLLING_BACK


@pytest.mark.parametrize("start", sorted(BEYOND_RETURN))
def test_there_is_no_way_back_once_blue_is_being_retired(start: Phase) -> None:
    with pytest.raises(InvalidTransition):
        move(start, Phase.ROLLING_BACK)


def test_blue_is_retired_only_from_the_watch() -> None:
    assert {start for start, onward in MOVES.items() if Phase.RETIRING in onward} == {Phase.WATCHING}


def test_green_climbs_only_after_it_was_ready() -> None:
    climbing = {Phase.CLIMBING, Phase.BAKING, Phase.WATCHING}
    first = {start for start, onward in MOVES.items() if onward & climbing} - climbing

    assert first == {Phase.READY, Phase.HELD}


def test_a_rollback_ends_only_in_being_rolled_back() -> None:
    assert MOVES[Phase.ROLLING_BACK] == {Phase.ROLLED_BACK, Phase.ROLLING_BACK}


@given(start=PHASES)
def test_staying_is_always_legal(start: Phase) -> None:
    assert move(start, start) is start


@given(walk=st.lists(PHASES, max_size=40))
def test_no_walk_through_the_table_ends_where_nobody_can_leave_it_but_done(walk: list[Phase]) -> None:
    here = Phase.PLANNED
    for phase in walk:
        try:
            here = move(here, phase)
        except InvalidTransition:
            assert phase not in MOVES[here]

    assert here is Phase.DONE or MOVES[here] - {here}
    assert here in CLOSED or here in BEYOND_RETURN or Phase.ROLLING_BACK in MOVES[here]
