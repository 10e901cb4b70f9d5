"""Shift, restore, confirm, clear away: what is done to an edge, each written down around the deed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import AwareDatetime

from crossfade.errors import CrossfadeError, EdgeChanged, EdgeSpreading, Fenced, NotConfirmed, TryAgain
from crossfade.frozen import BasisPoints, Frozen, Seconds
from crossfade.journal.edges import EdgeRecord
from crossfade.journal.journal import Journal
from crossfade.journal.model import Entry
from crossfade.phases import Phase
from crossfade.plan.edges import RungKind
from crossfade.request import Request
from crossfade.shift.rule import ROUNDING_BP
from crossfade.shift.share import NONE, Share
from crossfade.shift.shifter import Edges, TrafficShifter

_PHASES = {RungKind.CLIMB: Phase.CLIMBING, RungKind.BAKE: Phase.BAKING, RungKind.WATCH: Phase.WATCHING}


_GOING_BACK = frozenset({Phase.ROLLING_BACK, Phase.ROLLED_BACK})


class RungRef(Frozen):
    """A rung as the state machines carry it: its place, share and soak, and whether a person must allow it first."""

    index: int
    share_bp: BasisPoints
    kind: RungKind
    soak_seconds: Seconds
    asks: bool = False


class ShiftRequest(Request):
    """Give green the share of a rung. `execution` is the ARN of the `climb` that asks."""

    migration: str
    fence: int
    edge: str
    rung: RungRef
    execution: str


class ShiftDone(Frozen):
    """What green holds now, and how long some clients still follow the old split."""

    held_bp: BasisPoints
    settle_seconds: Seconds
    shifted_at: AwareDatetime


class RestoreRequest(Request):
    """Give an edge back to blue."""

    migration: str
    fence: int
    edge: str


class Restored(Frozen):
    """What became of an edge. `restored` is false when there was nothing to take back."""

    edge: str
    restored: bool
    held_bp: BasisPoints


class ConfirmRequest(Request):
    """Look whether an edge is blue's again."""

    migration: str
    fence: int
    edge: str


class Confirmed(Frozen):
    """What green was found to hold on an edge: nothing."""

    edge: str
    held_bp: BasisPoints


class ClearRequest(Request):
    """Remove what stands before an edge for green alone, once nobody is led there."""

    migration: str
    fence: int
    edge: str


class Cleared(Frozen):
    """The edge before which nothing is left of a migration's own."""

    edge: str


def shift(request: ShiftRequest, *, edges: Edges, journal: Journal, now: datetime) -> ShiftDone:
    """
    Give green the share of a rung, and return what it then holds.

    The intent, with the shares found, is written under the fence before the edge is
    touched, the result after. Idempotent: a share that is held already is not set
    again, and one that an earlier attempt set in part is completed. Killed anywhere,
    it leaves an edge that `restore` puts back. If a rollback began while the edge was
    being written, this executor takes its own change back before it gives up. It is done
    when the change has spread; until then it says so, and is to be repeated.

    Raises:
        Fenced: a rollback has begun since the climb was started.
        EdgeSpreading: this change, or the one before it, has not yet reached every place that serves users.
        EdgeChanged: the edge holds a share that this migration never asked for.
        InvalidTransition: the phase table does not lead to this kind of rung from here.
        UnknownEdge, UnknownMigration: the journal knows no such edge or migration.
        What `TrafficShifter.set_green` and `Journal` raise.
    """
    journal.enter(request.migration, _PHASES[request.rung.kind], fence=request.fence, at=now)
    journal.index(request.execution, request.migration)
    journal.set_climb(request.migration, request.execution, fence=request.fence)
    edge = journal.edge(request.migration, request.edge)
    shifter, asked = edges.shifter(edge), Share(request.rung.share_bp)
    found = shifter.shares()
    _refuse_drift(edge, found, asked)
    intent = journal.append(
        _entry(request, "intent", "shift", now, {**_rung(request.rung), "found_bp": [share.bp for share in found]}),
        fence=request.fence,
    )
    journal.put_edge(edge.model_copy(update={"asked_bp": asked.bp}), fence=request.fence)
    try:
        held = shifter.set_green(asked)
    except EdgeSpreading:
        # It is waited for, not dead.
        journal.expect_look(request.migration, now, fence=request.fence, edge=request.edge)
        raise
    spreading = shifter.spreading()
    changed = edge.model_copy(update={"asked_bp": asked.bp, "change": shifter.change})
    result = _entry(request, "result", "shift", now, {**_rung(request.rung), "held_bp": held.bp}, of=intent)
    try:
        if spreading:
            journal.put_edge(changed, fence=request.fence)
            journal.expect_look(request.migration, now, fence=request.fence, edge=request.edge)
        else:
            journal.append(result, fence=request.fence)
            journal.put_edge(changed.model_copy(update={"held_bp": held.bp}), fence=request.fence)
            journal.expect_look(request.migration, now + shifter.settle, fence=request.fence, edge=request.edge)
    except Fenced:
        shifter.withdraw()
        raise
    if spreading:
        raise EdgeSpreading(spreading)
    return ShiftDone(held_bp=held.bp, settle_seconds=int(shifter.settle.total_seconds()), shifted_at=now)


def restore(request: RestoreRequest, *, edges: Edges, journal: Journal, now: datetime) -> Restored:
    """
    Give an edge back to blue, from whatever state it is in.

    Needs neither the plan nor the execution that shifted. Idempotent: what is found is
    what is taken back, and an edge without a share of green's is only looked at. Where
    the edge has a detour it is taken first, without asking what lies before it; a detour
    that fails keeps the slower way from nothing, and is tried again while that spreads.

    Raises:
        Fenced: a later rollback or opening has taken over.
        BlueUnhealthy, NotConfirmed, EdgeBusy, EdgeChanged: as `TrafficShifter.withdraw`.
        UnknownEdge, UnknownMigration, JournalBusy: as `Journal`.
    """
    edge = journal.edge(request.migration, request.edge)
    shifter = edges.shifter(edge)
    trouble = _take_detour(request, edge, shifter, journal, now)
    found = shifter.shares()
    intent = journal.append(
        _entry(request, "intent", "restore", now, {"found_bp": [share.bp for share in found]}), fence=request.fence
    )
    held = shifter.withdraw()
    journal.append(_entry(request, "result", "restore", now, {"held_bp": held.bp}, of=intent), fence=request.fence)
    if trouble is not None and shifter.spreading():
        journal.put_edge(edge.model_copy(update={"change": shifter.change}), fence=request.fence)
        raise trouble
    given = {"asked_bp": held.bp, "held_bp": held.bp, "change": shifter.change}
    journal.put_edge(edge.model_copy(update=given), fence=request.fence)
    return Restored(edge=request.edge, restored=max(found, default=NONE) > NONE, held_bp=held.bp)


def _take_detour(
    request: RestoreRequest, edge: EdgeRecord, shifter: TrafficShifter, journal: Journal, now: datetime
) -> CrossfadeError | None:
    """Lead users around by green's load balancer where green has been asked for; return why it failed."""
    if edge.resolved.detour is None or not (edge.asked_bp or edge.held_bp):
        return None
    found = {"asked_bp": edge.asked_bp, "held_bp": edge.held_bp}
    intent = journal.append(_entry(request, "intent", "detour", now, found), fence=request.fence)
    try:
        leads = shifter.detour()
    except (TryAgain, EdgeChanged) as trouble:
        failed = {"leads_to_blue": False, "why": f"{type(trouble).__name__}: {trouble}"}
        journal.append(_entry(request, "result", "detour", now, failed, of=intent), fence=request.fence)
        return trouble
    taken = {"leads_to_blue": leads}
    journal.append(_entry(request, "result", "detour", now, taken, of=intent), fence=request.fence)
    return None


def confirm(request: ConfirmRequest, *, edges: Edges, journal: Journal, now: datetime) -> Confirmed:
    """
    Look whether green holds nothing on an edge, for any user, and write down what was found.

    Idempotent: it changes nothing but the journal.

    Raises:
        NotConfirmed: green holds a share; the edge is to be restored once more.
        EdgeSpreading: it was given back, and some users are still led to green.
        Fenced: a later rollback or opening has taken over.
        EdgeBusy, UnknownEdge, UnknownMigration, JournalBusy: as the ports.
    """
    edge = journal.edge(request.migration, request.edge)
    shifter = edges.shifter(edge)
    found = shifter.shares()
    journal.append(
        _entry(request, "evidence", "confirm", now, {"found_bp": [share.bp for share in found]}), fence=request.fence
    )
    held = max(found, default=NONE)
    if held > NONE:
        raise NotConfirmed(f"edge {request.edge}: green holds {held}")
    spreading = shifter.spreading()
    if spreading:
        raise EdgeSpreading(spreading)
    if edge.resolved.detour is not None:
        journal.put_edge(edge.model_copy(update={"blue_since": edge.blue_since or now}), fence=request.fence)
    return Confirmed(edge=request.edge, held_bp=held.bp)


def clear(request: ClearRequest, *, edges: Edges, journal: Journal, now: datetime) -> Cleared:
    """
    Remove what was made before an edge for green alone, after completion or after a rollback.

    Idempotent, and of no use to the way back: whatever becomes of it, users are where they
    shall be. It stops as soon as a rollback or another opening has begun. A detour ends once
    nobody can still be led to green's load balancer; after completion it stays, until blue is
    retired, since it is the fast way back.

    Raises:
        EdgeSpreading: a step must spread before the next; to be repeated, for minutes.
        Fenced: a later rollback or opening has taken over.
        EdgeChanged, EdgeBusy, UnknownEdge, UnknownMigration, JournalBusy: as the ports.
    """
    edge = journal.edge(request.migration, request.edge)
    detoured = edge.resolved.detour is not None and journal.read(request.migration).phase in _GOING_BACK
    if not edge.resolved.leaves_behind and not detoured:
        return Cleared(edge=request.edge)
    intent = journal.append(_entry(request, "intent", "clear", now, {}), fence=request.fence)
    try:
        cleared = edges.clear_away(edge) if edge.resolved.leaves_behind else edge
        if detoured:
            journal.put_edge(cleared, fence=request.fence)
            _refuse_led(edge, journal.edges(request.migration), now)
            cleared = edges.end_detour(cleared)
    except EdgeSpreading:
        # It is waited for, not dead.
        journal.expect_look(request.migration, now, fence=request.fence, edge=request.edge)
        raise
    journal.put_edge(cleared, fence=request.fence)
    journal.append(_entry(request, "result", "clear", now, {}, of=intent), fence=request.fence)
    journal.forget_look(request.migration, request.edge, fence=request.fence)
    return Cleared(edge=request.edge)


def _refuse_led(edge: EdgeRecord, together: Sequence[EdgeRecord], now: datetime) -> None:
    """Refuse to end a detour, which several edges may share, while users may follow an answer they heard before."""
    assert edge.resolved.detour is not None
    for other in together:
        if other.resolved.detour is None or other.resolved.detour.name != edge.resolved.detour.name:
            continue
        if other.blue_since is None or now < other.blue_since + timedelta(seconds=other.settle_seconds):
            raise EdgeSpreading(f"edge {other.name}: some users may still be led to green's load balancer")


def _refuse_drift(edge: EdgeRecord, found: Sequence[Share], asked: Share) -> None:
    """Refuse to move on from a share nobody here asked for: a person must say whose it is."""
    ours = (edge.held_bp, edge.asked_bp, asked.bp)
    for share in found:
        if min(abs(share.bp - bp) for bp in ours) > 2 * ROUNDING_BP:
            raise EdgeChanged(
                f"edge {edge.name}: green holds {share}; this migration last held {Share(edge.held_bp)} there"
            )


def _rung(rung: RungRef) -> dict[str, int | str]:
    return {"rung": rung.index, "kind": rung.kind.value, "asked_bp": rung.share_bp}


def _entry(
    request: ShiftRequest | RestoreRequest | ConfirmRequest | ClearRequest,
    kind: Literal["intent", "result", "evidence"],
    what: str,
    at: datetime,
    detail: dict[str, Any],
    *,
    of: str | None = None,
) -> Entry:
    return Entry(
        migration=request.migration,
        at=at,
        kind=kind,
        what=what,
        subject=request.edge,
        detail=detail,
        fence=request.fence,
        of=of,
    )
