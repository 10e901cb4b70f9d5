"""Gathered alarms in memory: the promises of the real ones, for tests and for trying things out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from crossfade.rollout.gathered import composite_alarm


@dataclass
class MemoryGatheredAlarms:
    """
    A `GatheredAlarms` over the alarms in `states`.

    `muted` says by what an alarm is silenced; `gathered` what is gathered in which;
    `refusal` why nothing is gathered any more.
    """

    states: dict[str, str] = field(default_factory=dict)
    muted: dict[str, str] = field(default_factory=dict)
    gathered: dict[str, tuple[str, ...]] = field(default_factory=dict)
    refusal: str | None = None

    def gather(self, migration: str, names: Sequence[str]) -> str | None:
        name = composite_alarm(migration)
        here = tuple(each for each in names if each in self.states)
        self.remove([name])
        if here and self.refusal is None:
            self.gathered[name] = here
            self.states[name] = "OK"
        return self.refusal if here else None

    def members(self, name: str) -> tuple[str, ...]:
        return self.gathered.get(name, ())

    def silenced(self, names: Iterable[str]) -> Mapping[str, str]:
        return {name: self.muted[name] for name in names if name in self.muted}

    def remove(self, names: Sequence[str]) -> None:
        for name in names:
            self.gathered.pop(name, None)
            self.states.pop(name, None)
