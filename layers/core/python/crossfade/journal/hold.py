"""A hold: while one stands, green gets no larger share."""

from __future__ import annotations

from pydantic import AwareDatetime

from crossfade.frozen import Frozen

OPERATOR = "operator"
"""`by` of a hold that a person set; it ends when a person ends it and never by itself."""


class Hold(Frozen):
    """
    Who holds a migration, and why.

    `by` is `operator`, or names the guard and what it guards, as `blue:web`: a second hold
    by the same takes the first one's place. It stands for one fence: an opening under a
    higher one begins without it.
    """

    migration: str
    by: str
    why: str
    at: AwareDatetime
    fence: int
