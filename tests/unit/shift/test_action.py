"""Shift, restore and confirm: what is written around the deed, and what a death in between leaves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from crossfade.errors import (
    BlueUnhealthy,
    EdgeBusy,
    EdgeChanged,
    EdgeSpreading,
    Fenced,
    InvalidTransition,
    JournalBusy,
    NotConfirmed,
    UnknownEdge,
)
from crossfade.journal.edges import CloudFrontEdge, Detour, Distribution, EdgeRecord, FoundEdge
from crossfade.journal.memory import MemoryJournal
from crossfade.journal.model import Entry
from crossfade.phases import Phase
from crossfade.plan.edges import RungKind
from crossfade.shift.action import (
    Cleared,
    ClearRequest,
    Confirmed,
    ConfirmRequest,
    Restored,
    RestoreRequest,
    RungRef,
    ShiftDone,
    ShiftRequest,
    clear,
    confirm,
    restore,
    shift,
)
from crossfade.shift.memory import MemoryEdges, MemoryShifter
from crossfade.shift.share import ALL, NONE, Share
from tests.traffic import CLIMB, NOON, a_record, an_edge_plan

LATER = NOON + timedelta(minutes=1)


class Killed(BaseException):
    """The process is gone; nothing catches it."""


class Account:
    """A migration that is READY, with one edge whose green end is healthy and holds nothing."""

    def __init__(self, journal: MemoryJournal | None = None) -> None:
        self.journal = journal or MemoryJournal()
        self.edges = MemoryEdges.of(an_edge_plan())
        found = self.edges.find(an_edge_plan()).owned_by("shop")
        self.edge = self.edges.make_green_end(found, "web-green", {})
        self.edges.healthy[str(self.edge.resolved.green_arn)] = 2
        self.journal.open(a_record(phase=Phase.READY), [self.edge])

    @property
    def held(self) -> Share:
        return self.edges.shifter(self.edge).green()

    def drift(self, share: Share) -> None:
        rules = self.edges.laid["web"].rules
        rules.update(dict.fromkeys(rules, share))

    def shift(self, bp: int, kind: RungKind = RungKind.CLIMB, *, fence: int = 1) -> ShiftDone:
        rung = RungRef(index=0, share_bp=bp, kind=kind, soak_seconds=60)
        request = ShiftRequest(migration="shop", fence=fence, edge="web", rung=rung, execution=CLIMB)
        return shift(request, edges=self.edges, journal=self.journal, now=NOON)

    def restore(self, *, fence: int = 1) -> Restored:
        request = RestoreRequest(migration="shop", fence=fence, edge="web")
        return restore(request, edges=self.edges, journal=self.journal, now=LATER)

    def confirm(self, *, fence: int = 1) -> Confirmed:
        request = ConfirmRequest(migration="shop", fence=fence, edge="web")
        return confirm(request, edges=self.edges, journal=self.journal, now=LATER)

    def clear(self, *, fence: int = 1) -> Cleared:
        request = ClearRequest(migration="shop", fence=fence, edge="web")
        return clear(request, edges=self.edges, journal=self.journal, now=LATER)

    def raise_fence(self) -> int:
        seen = self.journal.read("shop").fence
        return self.journal.raise_fence("shop", seen=seen, reason="by hand", at=NOON).fence

    def story(self) -> list[tuple[str, str]]:
        return [(entry.kind, entry.what) for entry in self.journal.entries("shop") if entry.kind != "note"]

    def entry(self, kind: str) -> Entry:
        return next(entry for entry in reversed(self.journal.entries("shop")) if entry.kind == kind)


# -- shift ---------------------------------------------------------------------------


def test_a_shift_is_written_down_before_and_after() -> None:
    account = Account()

    done = account.shift(500)

    assert done == ShiftDone(held_bp=500, settle_seconds=30, shifted_at=NOON)
    assert account.held == Share(500)
    intent, result = account.entry("intent"), account.entry("result")
    assert (intent.what, intent.subject, intent.fence) == ("shift", "web", 1)
    assert intent.detail == {"rung": 0, "kind": "climb", "asked_bp": 500, "found_bp": [0]}
    assert result.detail["held_bp"] == 500
    assert result.of is not None
    assert account.story() == [("intent", "shift"), ("result", "shift")]


def test_a_shift_remembers_the_climb_that_may_have_to_be_stopped() -> None:
    account = Account()

    account.shift(500)

    assert account.journal.read("shop").climb == CLIMB
    assert account.journal.migrations_of(CLIMB) == ("shop",)


@pytest.mark.parametrize(
    ("kind", "phase"),
    [(RungKind.CLIMB, Phase.CLIMBING), (RungKind.BAKE, Phase.BAKING), (RungKind.WATCH, Phase.WATCHING)],
)
def test_the_kind_of_a_rung_is_the_phase(kind: RungKind, phase: Phase) -> None:
    account = Account()

    account.shift(500, kind)

    assert account.journal.read("shop").phase is phase


def test_a_shift_may_be_repeated() -> None:
    account = Account()
    first = account.shift(500)

    second = account.shift(500)

    assert first == second
    assert account.edges.laid["web"].shifts == [Share(500)]


def test_a_shift_that_fails_has_still_left_a_way_back() -> None:
    class StuckEdges(MemoryEdges):
        def shifter(self, edge: FoundEdge) -> MemoryShifter:
            return StuckShifter(self, edge)

    class StuckShifter(MemoryShifter):
        def set_green(self, share: Share) -> Share:
            raise EdgeBusy(str(share))

    account = Account()
    account.edges.__class__ = StuckEdges

    with pytest.raises(EdgeBusy):
        account.shift(500)

    assert account.entry("intent").detail["found_bp"] == [0]
    assert account.story() == [("intent", "shift")]


def test_a_shift_is_done_when_it_has_spread_and_is_waited_for_until_then() -> None:
    account = Account()
    account.edges.slow = "some places are missing"

    for _ in range(2):
        with pytest.raises(EdgeSpreading, match="some places are missing"):
            account.shift(500)
    waiting = account.journal.edge("shop", "web")
    account.edges.slow = ""
    done = account.shift(500)

    assert (waiting.asked_bp, waiting.held_bp) == (500, 0)
    assert done.held_bp == account.journal.edge("shop", "web").held_bp == 500
    assert account.edges.laid["web"].shifts == [Share(500)]
    assert account.story() == [("intent", "shift")] * 3 + [("result", "shift")]


def test_a_climb_that_waits_for_a_change_to_spread_is_not_taken_for_a_dead_one() -> None:
    account = Account()
    account.edges.slow = "some places are missing"

    with pytest.raises(EdgeSpreading):
        account.shift(500)

    assert account.journal.look_due("shop") == NOON


def test_an_executor_overtaken_while_its_change_spreads_takes_it_back() -> None:
    class Overtaken(MemoryJournal):
        def put_edge(self, edge: EdgeRecord, *, fence: int) -> None:
            if edge.asked_bp and account.held > NONE:
                self.raise_fence("shop", seen=1, reason="alarm", at=NOON)
            super().put_edge(edge, fence=fence)

    account = Account(Overtaken())
    account.edges.slow = "some places are missing"

    with pytest.raises(Fenced):
        account.shift(500)

    assert account.held == NONE


def test_the_name_of_a_change_is_kept_so_that_another_can_ask_how_far_it_is() -> None:
    class NamingEdges(MemoryEdges):
        def shifter(self, edge: FoundEdge) -> MemoryShifter:
            return NamingShifter(self, edge)

    class NamingShifter(MemoryShifter):
        @property
        def change(self) -> str | None:
            return f"C{self.green().bp}"

    account = Account()
    account.edges.__class__ = NamingEdges

    account.shift(500)
    after_shift = account.journal.edge("shop", "web").change
    account.restore()

    assert (after_shift, account.journal.edge("shop", "web").change) == ("C500", "C0")


def test_a_stale_executor_touches_nothing() -> None:
    account = Account()
    account.raise_fence()

    with pytest.raises(Fenced):
        account.shift(500, fence=1)

    assert account.edges.laid["web"].shifts == []
    assert account.story() == []


def test_an_executor_overtaken_before_its_intent_touches_nothing() -> None:
    class Overtaken(MemoryJournal):
        def set_climb(self, migration: str, climb: str, *, fence: int) -> None:
            super().set_climb(migration, climb, fence=fence)
            self.raise_fence(migration, seen=fence, reason="alarm", at=NOON)

    account = Account(Overtaken())

    with pytest.raises(Fenced):
        account.shift(500)

    assert account.edges.laid["web"].shifts == []


def test_an_executor_overtaken_while_it_writes_takes_its_own_change_back() -> None:
    class Overtaken(MemoryJournal):
        def append(self, entry: Entry, *, fence: int | None = None) -> str:
            if entry.kind == "result":
                self.raise_fence("shop", seen=1, reason="alarm", at=NOON)
            return super().append(entry, fence=fence)

    account = Account(Overtaken())

    with pytest.raises(Fenced):
        account.shift(500)

    assert account.held == NONE
    assert account.edges.laid["web"].shifts == [Share(500), NONE]


def test_a_share_nobody_here_asked_for_stops_the_climb() -> None:
    account = Account()
    account.shift(500)
    account.drift(Share(5_000))

    with pytest.raises(EdgeChanged, match="green holds 50 %; this migration last held 5 %"):
        account.shift(1_000)

    assert account.held == Share(5_000)


def test_after_ready_comes_no_shift_without_the_phase_table() -> None:
    account = Account()
    account.journal.enter("shop", Phase.WATCHING, fence=1, at=NOON)
    account.journal.enter("shop", Phase.RETIRING, fence=1, at=NOON)

    with pytest.raises(InvalidTransition):
        account.shift(500)

    assert account.held == NONE


def test_an_edge_nobody_owns_is_not_shifted() -> None:
    account = Account()
    request = ShiftRequest(
        migration="shop",
        fence=1,
        edge="admin",
        rung=RungRef(index=0, share_bp=500, kind=RungKind.CLIMB, soak_seconds=60),
        execution=CLIMB,
    )

    with pytest.raises(UnknownEdge):
        shift(request, edges=account.edges, journal=account.journal, now=NOON)


# -- killed -----------------------------------------------------------------------------


class KilledAt(MemoryJournal):
    """A journal whose caller dies at one of its calls, before it has an effect or after."""

    def __init__(self, at: str, *, after: bool) -> None:
        super().__init__()
        self._at, self._after, self.dead = at, after, False

    def _through(self, name: str, call: Callable[[], str | None]) -> str | None:
        dies = name == self._at and not self.dead
        if dies and not self._after:
            self.dead = True
            raise Killed
        answer = call()
        if dies:
            self.dead = True
            raise Killed
        return answer

    def append(self, entry: Entry, *, fence: int | None = None) -> str:
        return str(self._through(entry.kind, lambda: MemoryJournal.append(self, entry, fence=fence)))

    def set_climb(self, migration: str, climb: str, *, fence: int) -> None:
        self._through("climb", lambda: MemoryJournal.set_climb(self, migration, climb, fence=fence))

    def put_edge(self, edge: EdgeRecord, *, fence: int) -> None:
        name = "held" if edge.held_bp == edge.asked_bp else "asked"
        self._through(name, lambda: MemoryJournal.put_edge(self, edge, fence=fence))


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", ["climb", "intent", "asked", "result", "held"])
def test_an_executor_killed_anywhere_leaves_an_edge_that_goes_back(at: str, *, after: bool) -> None:
    account = Account(KilledAt(at, after=after))
    with pytest.raises(Killed):
        account.shift(500)

    fence = account.raise_fence()
    account.restore(fence=fence)

    assert account.confirm(fence=fence).held_bp == 0
    with pytest.raises(Fenced):
        account.shift(500)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", ["climb", "intent", "asked", "result", "held"])
def test_an_executor_killed_anywhere_may_be_repeated(at: str, *, after: bool) -> None:
    account = Account(KilledAt(at, after=after))
    with pytest.raises(Killed):
        account.shift(500)

    done = account.shift(500)

    assert (done.held_bp, account.held) == (500, Share(500))
    assert account.shift(1_000).held_bp == 1_000


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", ["intent", "result", "held"])
def test_a_rollback_killed_anywhere_may_be_repeated(at: str, *, after: bool) -> None:
    journal = KilledAt(at, after=after)
    journal.dead = True
    account = Account(journal)
    account.shift(500)
    fence = account.raise_fence()
    journal.dead = False
    with pytest.raises(Killed):
        account.restore(fence=fence)

    account.restore(fence=fence)

    assert account.held == NONE


# -- restore and confirm -----------------------------------------------------------------


def test_an_edge_is_restored_and_it_is_written_down() -> None:
    account = Account()
    account.shift(5_000)
    fence = account.raise_fence()

    restored = account.restore(fence=fence)

    assert restored == Restored(edge="web", restored=True, held_bp=0)
    assert account.held == NONE
    assert account.story()[-2:] == [("intent", "restore"), ("result", "restore")]
    assert account.entry("intent").detail == {"found_bp": [5_000]}
    assert account.journal.edge("shop", "web").held_bp == 0


def test_restoring_what_is_restored_says_so() -> None:
    account = Account()
    account.shift(5_000)
    account.restore()

    again = account.restore()

    assert again == Restored(edge="web", restored=False, held_bp=0)
    assert account.edges.laid["web"].shifts == [Share(5_000), NONE]


@pytest.mark.parametrize("share", [Share(1), Share(5_000), ALL])
def test_drift_does_not_stop_a_restore(share: Share) -> None:
    account = Account()
    account.drift(share)

    account.restore()

    assert account.held == NONE


def test_an_older_rollback_leaves_the_edge_to_the_newer() -> None:
    account = Account()
    account.shift(5_000)
    old = account.raise_fence()
    account.raise_fence()

    with pytest.raises(Fenced):
        account.restore(fence=old)
    with pytest.raises(Fenced):
        account.confirm(fence=old)


def test_a_blue_that_cannot_take_it_back_is_said_so() -> None:
    account = Account()
    account.shift(5_000)
    account.edges.healthy[account.edge.resolved.blue_arn] = 0

    with pytest.raises(BlueUnhealthy):
        account.restore()

    assert account.held == Share(5_000)


def test_what_is_not_restored_is_not_confirmed() -> None:
    account = Account()
    account.shift(1)

    with pytest.raises(NotConfirmed, match=r"green holds 0\.01 %"):
        account.confirm()

    assert account.entry("evidence").detail == {"found_bp": [1]}


def test_a_late_write_after_the_restore_is_seen_when_confirming() -> None:
    account = Account()
    account.shift(500)
    fence = account.raise_fence()
    account.restore(fence=fence)
    account.drift(Share(500))  # an executor that was between its intent and its write

    with pytest.raises(NotConfirmed):
        account.confirm(fence=fence)

    account.restore(fence=fence)
    assert account.confirm(fence=fence) == Confirmed(edge="web", held_bp=0)


def test_a_journal_that_is_busy_is_asked_again_before_anything_is_touched() -> None:
    class Busy(MemoryJournal):
        def append(self, entry: Entry, *, fence: int | None = None) -> str:
            if entry.kind == "intent":
                raise JournalBusy(entry.what)
            return super().append(entry, fence=fence)

    account = Account(Busy())

    with pytest.raises(JournalBusy):
        account.shift(500)

    assert account.edges.laid["web"].shifts == []


def test_an_edge_is_not_confirmed_while_users_are_still_led_to_green() -> None:
    account = Account()
    account.shift(500)
    account.restore()
    account.edges.slow = "some places are missing"

    with pytest.raises(EdgeSpreading, match="some places are missing"):
        account.confirm()

    account.edges.slow = ""
    assert account.confirm().held_bp == 0


# -- clear -----------------------------------------------------------------------------


class Leaving(Account):
    """An account whose edge has something of the migration's own before it, which goes in two steps."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[str] = []
        staging = CloudFrontEdge(
            load_balancer_arn="front",
            green_load_balancer_arn="front-green",
            blue_arn=self.edge.resolved.blue_arn,
            origin_id="app",
            green_domain="green.shop.example",
            staging_id="E2",
            policy_id="P1",
            rules=(Distribution(id="E1", arn="arn:E1", found={}),),
        )
        edge = self.edge.model_copy(update={"kind": "cloudfront", "resolved": staging})
        self.journal.put_edge(edge, fence=1)
        account = self

        class Clearing(MemoryEdges):
            def clear_away(self, edge: EdgeRecord) -> EdgeRecord:
                account.steps.append(edge.name)
                if len(account.steps) == 1:
                    raise EdgeSpreading("the policy is off, and not everywhere yet")
                return edge.model_copy(update={"resolved": staging.model_copy(update={"staging_id": None})})

        self.edges.__class__ = Clearing


def test_what_was_made_for_green_alone_is_cleared_away_step_by_step_and_written_down() -> None:
    account = Leaving()

    with pytest.raises(EdgeSpreading):
        account.clear()
    waiting = account.journal.look_due("shop")
    account.clear()

    kept = account.journal.edge("shop", "web").resolved
    assert isinstance(kept, CloudFrontEdge)
    assert kept.staging_id is None
    assert waiting == LATER
    assert account.story() == [("intent", "clear"), ("intent", "clear"), ("result", "clear")]


def test_clearing_stops_when_a_rollback_or_another_opening_has_begun() -> None:
    account = Leaving()
    account.raise_fence()

    with pytest.raises(Fenced):
        account.clear(fence=1)

    assert account.steps == []


def test_an_edge_that_leaves_nothing_behind_is_not_touched() -> None:
    account = Account()

    assert account.clear() == Cleared(edge="web")

    assert account.story() == []


# -- detour ----------------------------------------------------------------------------


class Detoured(Account):
    """An account whose edge has a detour. `order` is what was done, `down` what the slower lever answers, if so."""

    def __init__(self) -> None:
        super().__init__()
        self.order: list[str] = []
        self.down: Exception | None = None
        self.blocked: Exception | None = None
        detour = Detour(name="web-detour", copied=True, arn="targetgroup/web-detour")
        self.edge = self.edge.model_copy(
            update={"resolved": self.edge.resolved.model_copy(update={"detour": detour}), "settle_seconds": 60}
        )
        self.journal.put_edge(self.edge, fence=1)
        account = self

        class Shifter(MemoryShifter):
            def detour(self) -> bool:
                account.order.append("detour")
                if account.blocked is not None:
                    raise account.blocked
                return True

            def shares(self) -> tuple[Share, ...]:
                if account.down is not None:
                    raise account.down
                return super().shares()

            def withdraw(self) -> Share:
                account.order.append("withdraw")
                return super().withdraw()

        class WithDetour(MemoryEdges):
            def shifter(self, edge: FoundEdge) -> MemoryShifter:
                return Shifter(self, edge)

            def end_detour(self, edge: EdgeRecord) -> EdgeRecord:
                account.order.append("end")
                return edge.model_copy(update={"resolved": edge.resolved.model_copy(update={"detour": None})})

        self.edges.__class__ = WithDetour

    def begin_rollback(self) -> None:
        self.shift(500)
        self.raise_fence()

    def clear_at(self, seconds: int) -> Cleared:
        request = ClearRequest(migration="shop", fence=2, edge="web")
        return clear(request, edges=self.edges, journal=self.journal, now=LATER + timedelta(seconds=seconds))


def test_the_detour_is_taken_before_the_slower_way_and_written_down_around_it() -> None:
    account = Detoured()
    account.begin_rollback()

    account.restore(fence=2)

    assert account.order == ["detour", "withdraw"]
    assert account.story()[-4:] == [
        ("intent", "detour"),
        ("result", "detour"),
        ("intent", "restore"),
        ("result", "restore"),
    ]


def test_the_detour_is_taken_also_when_the_slower_lever_does_not_answer() -> None:
    account = Detoured()
    account.begin_rollback()
    account.down = EdgeBusy("Route 53 is down")

    with pytest.raises(EdgeBusy, match="Route 53 is down"):
        account.restore(fence=2)

    assert account.order == ["detour"]
    assert account.entry("result").detail == {"leads_to_blue": True}


def test_an_edge_on_which_green_was_never_given_anything_takes_no_detour() -> None:
    account = Detoured()
    account.raise_fence()

    account.restore(fence=2)

    assert account.order == ["withdraw"]


@pytest.mark.parametrize(("spreads", "again"), [("not everywhere yet", True), ("", False)])
def test_a_detour_that_fails_is_tried_again_only_while_the_slower_way_spreads(spreads: str, *, again: bool) -> None:
    account = Detoured()
    account.begin_rollback()
    account.blocked, account.edges.slow = NotConfirmed("the listener did not take it"), spreads

    if again:
        with pytest.raises(NotConfirmed, match="the listener did not take it"):
            account.restore(fence=2)
        account.blocked = None
    account.restore(fence=2)

    assert account.held == NONE
    assert account.order == ["detour", "withdraw"] * (2 if again else 1)


def test_a_detour_ends_when_nobody_can_still_be_led_there_and_not_before() -> None:
    account = Detoured()
    account.begin_rollback()
    account.restore(fence=2)
    with pytest.raises(EdgeSpreading):  # nothing says yet that the slower way has spread
        account.clear_at(0)
    account.confirm(fence=2)

    with pytest.raises(EdgeSpreading):
        account.clear_at(59)
    assert "end" not in account.order
    account.confirm(fence=2)
    account.clear_at(60)

    assert account.order[-1] == "end"
    assert account.journal.edge("shop", "web").resolved.detour is None


def test_a_detour_that_edges_share_ends_with_the_last_of_them() -> None:
    account = Detoured()
    account.begin_rollback()
    account.restore(fence=2)
    account.confirm(fence=2)

    class Shared(MemoryJournal):
        def edges(self, migration: str) -> tuple[EdgeRecord, ...]:
            own = super().edges(migration)
            return (*own, own[0].model_copy(update={"name": "private", "blue_since": None}))

    account.journal.__class__ = Shared
    with pytest.raises(EdgeSpreading, match="edge private"):
        account.clear_at(3_600)


def test_a_detour_stays_while_green_holds_everything_since_it_is_the_fast_way_back() -> None:
    account = Detoured()
    account.shift(10_000, RungKind.WATCH)

    assert account.clear() == Cleared(edge="web")

    assert account.journal.edge("shop", "web").resolved.detour is not None
