"""Telling people: what they read, and that it is noted."""

from __future__ import annotations

import pytest

from crossfade.errors import NoticesBusy, UnknownMigration
from crossfade.events.memory import MemoryNotices
from crossfade.events.outbound import Notice
from crossfade.journal.memory import MemoryJournal
from crossfade.phases import Phase
from crossfade.rollout.notice import Notified, NotifyRequest, notify
from tests.traffic import NOON, a_record

REQUEST = NotifyRequest(migration="shop", what="rolled_back", reason="alarm shop-errors is in ALARM")


def a_journal() -> MemoryJournal:
    journal = MemoryJournal()
    journal.open(a_record(phase=Phase.ROLLED_BACK), [])
    return journal


def test_people_are_told_what_happened_where_and_why() -> None:
    journal, notices = a_journal(), MemoryNotices()

    told = notify(REQUEST, journal=journal, notices=notices, now=NOON)

    assert told == Notified(migration="shop", what="rolled_back")
    *before, notice = notices.told
    assert [move.what for move in before] == ["opened", "rolling_back"]
    assert notice.headline == "Crossfade: shop rolled back"
    assert (notice.phase, notice.reason, notice.at) == (Phase.ROLLED_BACK, REQUEST.reason, NOON)
    assert journal.entries("shop")[-1].detail == {"what": "rolled_back", "reason": REQUEST.reason}


def test_who_could_not_be_told_is_not_noted_as_told() -> None:
    class Throttled(MemoryNotices):
        def tell(self, notice: Notice) -> None:
            raise NoticesBusy(notice.migration)

    journal = a_journal()

    with pytest.raises(NoticesBusy):
        notify(REQUEST, journal=journal, notices=Throttled(), now=NOON)

    assert [entry.what for entry in journal.entries("shop")] == ["opened"]


def test_of_an_unknown_migration_nothing_is_told() -> None:
    notices = MemoryNotices()

    with pytest.raises(UnknownMigration):
        notify(REQUEST, journal=MemoryJournal(), notices=notices, now=NOON)

    assert notices.told == []


def test_a_reason_of_any_length_is_told_in_short() -> None:
    notices = MemoryNotices()

    notify(REQUEST.model_copy(update={"reason": "x" * 400_000}), journal=a_journal(), notices=notices, now=NOON)

    assert len(notices.told[-1].reason) == 1_000
