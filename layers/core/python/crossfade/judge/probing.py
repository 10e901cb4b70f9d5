"""
The port to green's own entry: synthetic requests, where users send too few to judge by.

They go to an address that the plan names and nobody else is led to. No rule is made for
them, and nothing of blue is touched; see `docs/decisions`.
"""

from __future__ import annotations

from typing import Protocol

from crossfade.judge.reading import Count
from crossfade.plan.edges import Probe


class Prober(Protocol):
    """
    Who asks green.

    Every implementation must pass `tests/contract/test_probing.py`.
    """

    def ask(self, probe: Probe) -> Count:
        """
        Ask as often as the plan says, and return the answers counted, a 5xx as an error.

        What was not answered in time, or could not be reached from here, is not counted:
        the way there is not green's.
        """
        ...


class MemoryProber:
    """`Prober` that answers as it was told to. `answers` are status codes, in turn; None does not answer."""

    def __init__(self, *answers: int | None) -> None:
        self.answers = list(answers)
        self.asked: list[Probe] = []

    def ask(self, probe: Probe) -> Count:
        """See `Prober`."""
        self.asked.append(probe)
        codes = [code for _ in range(probe.per_look) if (code := self._next()) is not None]
        return answered(codes)

    def _next(self) -> int | None:
        self.answers.append(self.answers.pop(0))
        return self.answers[-1]


_SERVER_ERROR = 500


def answered(codes: list[int]) -> Count:
    """Return the count of these status codes."""
    return Count(len(codes), sum(code >= _SERVER_ERROR for code in codes))
