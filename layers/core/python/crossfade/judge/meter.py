"""Crossfade's own metrics of a look: few, by migration and edge, so that a dashboard can show them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple, Protocol

from crossfade.judge.look import Look
from crossfade.judge.verdict import Verdict

_GRADES: Final = {Verdict.UNHEALTHY: 0.0, Verdict.UNKNOWN: 1.0, Verdict.HEALTHY: 2.0}


class Measure(NamedTuple):
    """A value and its unit, in CloudWatch's word."""

    value: float
    unit: str


Measures = Mapping[str, Measure]
"""Metrics by name."""


class LookMeter(Protocol):
    """Where the measures of looks are published."""

    def publish(self, migration: str, edge: str, at: datetime, measures: Measures) -> None:
        """Publish the measures of one edge at a time."""
        ...


def measures(look: Look) -> Measures:
    """
    Return what a look measured: Share, Verdict (0 unhealthy, 1 unknown, 2 healthy), LogE and ExposedFailures.

    LogE is the strongest evidence against green, as a part of what rolls back: at 100 %
    it does. ExposedFailures are the requests that green failed since the edge had settled.
    """
    judgement = look.judgement
    logs = [judgement.log_e, judgement.slow_log_e, *judgement.inside_log_e.values()]
    strongest = max(value for value in logs if value is not None)
    failed = sum(bucket.green.errors for bucket in look.readings.window.buckets() if bucket.green)
    return {
        "Share": Measure(look.rung.share_bp / 100, "Percent"),
        "Verdict": Measure(_GRADES[judgement.verdict], "None"),
        "LogE": Measure(round(100 * max(0.0, strongest) / judgement.roll_back_at, 1), "Percent"),
        "ExposedFailures": Measure(failed, "Count"),
    }


def age_of_the_last_look(seconds: float) -> Measures:
    """Return how long nobody has looked at an edge, as a measure."""
    return {"LookAge": Measure(max(0, int(seconds)), "Seconds")}
