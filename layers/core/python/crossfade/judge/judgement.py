"""What the judge answers: the judgement, and how near it is to another."""

from __future__ import annotations

from pydantic import Field

from crossfade.frozen import Frozen
from crossfade.judge.verdict import Answer, Verdict


class Judgement(Frozen):
    """
    What the judge answers, and why, in one sentence with numbers.

    `log_e` is the evidence against green, which rolls back at `roll_back_at`; `safe_log_e`
    the evidence that green is no worse than the tolerance, which leaves the rung at
    `safe_at`; the same of slow requests with `slow_` before it, None where they are not
    read. Natural logarithms, in thousandths, so that every platform stores the same.
    """

    answer: Answer
    verdict: Verdict
    reason: str
    would_change: str = Field(description="What would have to be seen for another answer")
    log_e: float
    roll_back_at: float
    safe_log_e: float
    safe_at: float
    slow_log_e: float | None = None
    slow_safe_log_e: float | None = None
    inside_log_e: dict[str, float] = Field(
        default_factory=dict, description="Of each signal inside green, less what choosing its worst place costs"
    )
    counted_seconds: int = Field(description="Of the soak, in buckets that count")


def is_suspicious(judgement: Judgement) -> bool:
    """Return whether the evidence against green is a quarter of what would roll it back, or more."""
    against = max(judgement.log_e, judgement.slow_log_e or 0.0, *judgement.inside_log_e.values())
    return 4 * against >= judgement.roll_back_at
