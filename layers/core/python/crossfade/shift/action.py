"""Shift, restore, confirm: the three things done to an edge, each written down around the deed."""

from __future__ import annotations

from pydantic import AwareDatetime

from crossfade.plan.document import BasisPoints, Frozen, RungKind, Seconds
from crossfade.rollout.request import Request


class RungRef(Frozen):
    """A rung as the state machines carry it: its place in the ladder, its share, its soak."""

    index: int
    share_bp: BasisPoints
    kind: RungKind
    soak_seconds: Seconds


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
