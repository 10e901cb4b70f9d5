"""
Green's own scaling: blue's, copied when green is made, and let go when blue is retired.

Until then green never scales in: its least number of tasks is what blue ran, and scheduled
actions wait. It may grow from the beginning, since it may come to carry everything.

Source: Application Auto Scaling API reference, RegisterScalableTarget, PutScalingPolicy, PutScheduledAction.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Twin(NamedTuple):
    """
    A blue service and its green one.

    `label` names green's target group as `ALBRequestCountPerTarget` does, `blue_label` blue's.
    """

    cluster: str
    blue: str
    green: str
    label: str | None = None
    blue_label: str | None = None


class GreenScaling(Protocol):
    """
    Application Auto Scaling of green services.

    Every implementation must pass `tests/contract/test_green_scaling.py`. Every method
    raises EcsBusy when it is throttled, and may be repeated.
    """

    def copy(self, twin: Twin, *, least: int, tags: dict[str, str]) -> tuple[str, ...]:
        """
        Let green scale as blue does, but never below `least`, never in, and not by schedule.

        The alarms that call blue's step scaling are copied to call green's, with the same tags.
        Return what could not be copied, in words. Where blue does not scale nothing is done.
        """
        ...

    def let_go(self, twin: Twin, *, scaling_in: bool, scheduled: bool) -> None:
        """Let green scale between blue's bounds, in and by schedule too unless these say that blue's were suspended."""
        ...

    def remove(self, cluster: str, green: str) -> None:
        """Take green's scaling away, with its policies, scheduled actions and the alarms that were copied for it."""
        ...
