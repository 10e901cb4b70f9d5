"""The port to the operator's own alarms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from crossfade.judge.reading import AlarmState


class Alarms(Protocol):
    """
    CloudWatch alarms as they are now, metric and composite alike.

    Every implementation must pass `tests/contract/test_readings.py`. Both methods raise
    MetricsBusy when CloudWatch throttles them.
    """

    def states(self, names: Sequence[str]) -> dict[str, AlarmState]:
        """Return the state of every named alarm, MISSING for one that is not there; in the names' order."""
        ...

    def in_alarm(self, names: Iterable[str]) -> frozenset[str]:
        """Return those of the named alarms that are in ALARM now."""
        ...
