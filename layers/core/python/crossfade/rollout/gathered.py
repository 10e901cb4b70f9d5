"""
The plan's alarms gathered in one: `crossfade-<migration>` rings when any of them does.

So one rule hears of a migration's alarms and of no other in the account. An alarm that a
person has muted, or that is suppressed, rings all the same as far as AWS's events go, so who has
silenced it is read.

Source: Amazon CloudWatch API reference, PutCompositeAlarm, ListAlarmMuteRules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol


def composite_alarm(migration: str) -> str:
    """Return the name of the alarm that gathers a migration's."""
    return f"crossfade-{migration}"


class GatheredAlarms(Protocol):
    """
    The alarms over a migration's alarms.

    Every implementation must pass `tests/contract/test_gathered.py`. Every method raises
    MetricsBusy when CloudWatch throttles it.
    """

    def gather(self, migration: str, names: Sequence[str]) -> str | None:
        """
        Put one alarm over those of these that are in this Region, tagged as the migration's.

        Over none there is none; CloudWatch has no alarm over those of another Region. Return
        why it cannot be, in words, and None when it is done. Idempotent: it has a name, and is
        put again as it is.
        """
        ...

    def members(self, name: str) -> tuple[str, ...]:
        """Return the alarms that an alarm of ours gathers; none for any other."""
        ...

    def silenced(self, names: Iterable[str]) -> Mapping[str, str]:
        """Return those of the named alarms that somebody has muted or suppressed, each with by what."""
        ...

    def remove(self, names: Sequence[str]) -> None:
        """Delete these alarms; those that are gone already change nothing."""
        ...
