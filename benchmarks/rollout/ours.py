"""Crossfade itself: the product's judge, its ladder, its periods and its pace of looking; nothing here decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from benchmarks.rollout.rule import ROLL_BACK, Act
from benchmarks.rollout.world import World
from crossfade.draw.options import DrawOptions
from crossfade.judge.action import next_look_seconds
from crossfade.judge.judge import judge
from crossfade.judge.judgement import is_suspicious
from crossfade.judge.reading import Readings, Window, closed_periods
from crossfade.judge.verdict import Answer
from crossfade.plan.document import Bounds, Timings
from crossfade.plan.edges import Rung
from crossfade.shift.share import Share

START: Final = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SETTLE: Final = 30
"""Seconds after a shift in which clients still follow the old split, as plans have it for a load balancer."""

_SIGNALS: Final = 6
_SIGNALS_HERE: Final = 2
"""The world has errors and slow requests; what is counted inside green costs its part of alpha all the same."""

_SLOW_OVER: Final = 0.3  # the world says what is slow; this only has to be there


@dataclass
class Crossfade:
    """One migration with a plan's defaults, except for how long a metric period is and how late it is read."""

    period: int = 60
    lag: int = 60
    bounds: Bounds = field(default_factory=lambda: DrawOptions().bounds())
    ladder: tuple[Rung, ...] = field(default_factory=lambda: DrawOptions().ladder())
    at: int = 0
    look: int = 0
    _since: int = SETTLE
    _due: int = SETTLE
    _first: int = -1
    _rows: list[tuple[int | None, int | None, int | None, int | None]] = field(default_factory=list)
    _slow: list[tuple[int | None, int | None]] = field(default_factory=list)

    def act(self, world: World) -> Act:
        """Look when a look is due."""
        if world.now < self._due:
            return self._hold()
        rung = self.ladder[self.at]
        following = self.ladder[self.at + 1] if self.at + 1 < len(self.ladder) else None
        readings = Readings(window=self._window(world))
        judgement = judge(readings, rung, self.bounds, tests=self._tests, following=following)
        if judgement.answer is Answer.ROLL_BACK:
            return ROLL_BACK
        if judgement.answer is Answer.ADVANCE:
            return self._advance(world)
        self._due = world.now + next_look_seconds(Timings(), self.look, suspicious=is_suspicious(judgement))
        self.look += 1
        return self._hold()

    @property
    def _tests(self) -> int:
        """How the product splits alpha: each rung while climbed and while it waits there, and by six signals a look."""
        return 2 * len(self.ladder) * _SIGNALS // _SIGNALS_HERE

    def _hold(self) -> Act:
        return Act(Share(self.ladder[self.at].share_bp).fraction)

    def _advance(self, world: World) -> Act:
        if self.at + 1 == len(self.ladder):
            return Act(1.0, "promoted")
        self.at, self.look = self.at + 1, 0
        self._since = self._due = world.now + SETTLE
        return self._hold()

    def _window(self, world: World) -> Window:
        now = START + timedelta(seconds=world.now)
        since = START + timedelta(seconds=self._since)
        start, periods = closed_periods(since, now, period_seconds=self.period, lag_seconds=self.lag)
        first = int((start - START).total_seconds())
        if first != self._first:
            self._first, self._rows, self._slow = first, [], []
        for at in range(len(self._rows), periods):  # what is closed changes no more
            tick = world.seen(first + self.period * at, first + self.period * (at + 1))
            blue = (tick.blue, tick.blue_errors) if tick.blue else (None, None)
            green = (tick.green, tick.green_errors) if tick.green else (None, None)
            self._rows.append((*blue, *green))
            self._slow.append((tick.blue_slow if tick.blue else None, tick.green_slow if tick.green else None))
        return Window(
            start=start,
            period_seconds=self.period,
            rows=tuple(self._rows),
            slow_over=_SLOW_OVER,
            slow=tuple(self._slow),
        )
