"""People are told of every move at least once, in order, also after whoever made it has died."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.errors import NoticesBusy
from crossfade.events.memory import MemoryNotices
from crossfade.events.outbound import Notice
from crossfade.journal.memory import MemoryJournal
from crossfade.phases import Phase
from crossfade.rollout.telling import tell_moves
from tests.traffic import NOON, a_record, an_edge


class Story:
    """A migration of two edges, and everybody who is told of it."""

    def __init__(self) -> None:
        self.journal, self.notices = MemoryJournal(), MemoryNotices()
        self.journal.open(a_record(), [an_edge(), an_edge(name="admin", rules=("rule-2",))])

    def tell(self) -> list[str]:
        self.notices.told.clear()
        tell_moves("shop", journal=self.journal, notices=self.notices, now=NOON)
        return [f"{notice.what}: {notice.reason}" for notice in self.notices.told]

    def hold(self, edge: str, bp: int) -> None:
        kept = self.journal.edge("shop", edge)
        self.journal.put_edge(kept.model_copy(update={"held_bp": bp, "asked_bp": bp}), fence=1)


def test_a_move_is_told_once_and_then_no_more() -> None:
    story = Story()

    first, second = story.tell(), story.tell()

    assert [said.partition(":")[0] for said in first] == ["opened"]
    assert second == []


def test_each_edge_is_told_of_when_green_gets_its_first_share_there_and_when_it_gets_everything() -> None:
    story = Story()
    story.tell()

    told = []
    for edge, bp in (("web", 500), ("web", 9_500), ("admin", 500), ("web", 10_000)):
        story.hold(edge, bp)
        told.append(story.tell())

    assert told == [
        ["climbing: edge web: green holds 5 %"],
        [],
        ["climbing: edge admin: green holds 5 %"],
        ["watching: edge web: green holds 100 %"],
    ]


def test_a_rollback_is_told_with_its_reason_though_no_code_of_ours_began_it() -> None:
    story = Story()
    story.tell()
    raised = story.journal.raise_fence("shop", seen=1, reason="an alarm", at=NOON)
    began = story.tell()
    story.journal.enter("shop", Phase.ROLLED_BACK, fence=raised.fence, at=NOON)

    assert (began, story.tell(), story.tell()) == (["rolling_back: an alarm"], ["rolled_back: an alarm"], [])


def test_a_rollback_that_is_over_before_anybody_looked_is_told_from_its_beginning() -> None:
    story = Story()
    story.tell()
    story.journal.raise_fence("shop", seen=1, reason="an alarm", at=NOON)
    story.journal.enter("shop", Phase.ROLLED_BACK, fence=2, at=NOON)

    assert story.tell() == ["rolling_back: an alarm", "rolled_back: an alarm"]


def test_a_second_rollback_is_told_like_the_first() -> None:
    story = Story()
    for fence in (1, 2):
        story.journal.raise_fence("shop", seen=fence, reason=f"alarm {fence}", at=NOON)
        story.tell()

    assert story.journal.told("shop").fence == 3
    assert [notice.reason for notice in story.notices.told] == ["alarm 2"]


@given(dies_at=st.integers(min_value=0, max_value=12), moves=st.integers(min_value=0, max_value=5))
def test_whoever_dies_while_telling_leaves_the_rest_to_the_next(dies_at: int, moves: int) -> None:
    story = Story()
    phases = (Phase.READY, Phase.CLIMBING, Phase.BAKING, Phase.WATCHING, Phase.RETIRING)[:moves]
    for second, phase in enumerate(phases, 1):
        story.journal.enter("shop", phase, fence=1, at=NOON + timedelta(seconds=second))
    told: list[str] = []

    class Dying(MemoryNotices):
        def tell(self, notice: Notice) -> None:
            if len(told) == dies_at:
                raise NoticesBusy("dead")
            told.append(notice.what)

    try:
        tell_moves("shop", journal=story.journal, notices=Dying(), now=NOON)
    except NoticesBusy:
        told += [said.partition(":")[0] for said in story.tell()]

    assert told == ["opened", *(str(phase) for phase in phases)]


def test_what_could_not_be_handed_on_is_kept() -> None:
    story = Story()

    class Busy(MemoryNotices):
        def tell(self, notice: Notice) -> None:
            raise NoticesBusy(notice.what)

    with pytest.raises(NoticesBusy):
        tell_moves("shop", journal=story.journal, notices=Busy(), now=NOON)

    assert [word.what for word in story.journal.untold("shop")] == ["opened"]
