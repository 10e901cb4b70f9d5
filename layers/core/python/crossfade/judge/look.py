"""What one look keeps: all that the judge was given, and what it made of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from pydantic import AwareDatetime, Field, ValidationError

from crossfade.frozen import Frozen
from crossfade.journal.journal import Journal
from crossfade.journal.model import Entry
from crossfade.judge.case import is_failing
from crossfade.judge.judgement import Judgement
from crossfade.judge.reading import Readings
from crossfade.judge.verdict import Answer
from crossfade.plan.document import Bounds
from crossfade.plan.edges import Rung

EVIDENCE: Final = "judge"
"""`what` of the journal's evidence entries that hold a look."""


class Look(Frozen):
    """
    The evidence of one look.

    `answered` is what the state machine was told: the judgement's own answer, unless the
    judge only shadows. `previous` is the digest of the look before on this edge.
    `parked_since` is when the rung had been left, where nobody climbs from it any more.
    """

    look: int
    rung: Rung
    bounds: Bounds
    tests: int
    following: Rung | None = None
    readings: Readings
    judgement: Judgement
    answered: Answer
    shadow: bool = False
    parked_since: AwareDatetime | None = None
    previous: str = Field(default="", description="Empty for the first")


_LATELY = timedelta(minutes=15)
"""How far back a look is sought; a hold of long is looked at every five minutes."""

_FRESH_PERIODS = 5
"""Metric periods after which what a look saw says nothing of now."""


def kept_look(entry: Entry) -> Look | None:
    """Return the look that an entry holds; None for another entry, and for one too large to be kept whole."""
    if (entry.kind, entry.what) != ("evidence", EVIDENCE):
        return None
    try:
        return Look.model_validate(entry.detail)
    except ValidationError:
        return None


def blue_fails_too(migration: str, *, journal: Journal, now: datetime) -> bool:
    """
    Return whether the newest look has seen live blue fail in the last period it saw, and that lately.

    What is not known says no: green alone is to blame then.
    """
    for entry in journal.newest_first(migration):
        if entry.at < now - _LATELY:
            return False
        look = kept_look(entry)
        if look is None:
            continue
        window = look.readings.window
        seen = window.buckets()[-1:]
        ended = timedelta(seconds=window.period_seconds * len(window.rows)) + window.start
        fresh = now - ended <= timedelta(seconds=window.period_seconds * _FRESH_PERIODS)
        return fresh and any(bucket.blue is not None and is_failing(bucket.blue, look.bounds) for bucket in seen)
    return False
