"""
The clock of the embedded AWS: what the time is, what is due when, and whose work time waits for.

It follows the machine's clock, unless it is told to run on its own. Then time stands still while anything
works, and once everything waits it leaps to what is due next: a migration of an hour takes as long as its work,
and takes the same course on an idle machine as on a busy one.

Whoever works says so: `thread` starts one that does, `working` is for a thread of one's own, and each lets time
pass only in `sleep` and in the `wait` of a `condition` made here. A thread that serves a call on behalf of one
that works, such as a server's, sleeps `on_behalf` of it.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

_FIRST_SECOND = 1_000.0  # of a clock that leaps: nothing that begins at 0 is of late
_LONGEST_SLEEP = 2.0  # seconds of the machine's: who sleeps longer looks whether the clock still runs

_POOL = "clock"  # by which its own tasks are known among what works

logger = logging.getLogger(__name__)


@dataclass
class _Sleeper:
    """A thread in `wait`; `counted` if time stood still while it worked."""

    name: str
    counted: bool
    awake: bool = False


@dataclass
class _Awakening:
    """What is due when somebody has slept long enough; `void` if somebody else woke them."""

    sleeper: _Sleeper
    condition: threading.Condition

    @property
    def void(self) -> bool:
        return self.sleeper.awake

    def __call__(self) -> None:
        if not self.sleeper.awake:
            with self.condition:
                self.condition.notify_all()


class _Mine(threading.local):
    """Whether time waits for this thread."""

    counted = False


class Clock:
    """
    One thread that runs functions when their time has come, in a small pool.

    What is planned with `later` is dropped when the clock stops; what is planned with `every`
    is a standing order and runs again after each start. A function that raises is logged and
    its error kept in `troubles`, so that a test or rehearsal can end red.

    `wait_scale` multiplies the seconds of Step Functions' Wait and Retry, for tests only; timeouts
    and heartbeats are left alone. `time_scale` is what a rehearsal divides AWS's periods by, such as
    the rates of scheduled rules. Both are 1 unless said otherwise.
    """

    def __init__(self) -> None:
        self.wait_scale = 1.0
        self.time_scale = 1.0
        self.troubles: list[str] = []
        self.leaps = False
        self._now = 0.0  # of a clock that leaps
        self._ahead = 0.0  # the epoch second at which its `monotonic` was 0
        self._at_work: Counter[str] = Counter()
        self._working = 0
        self._mine = _Mine()
        self._standing: list[tuple[float, Callable[[], object]]] = []
        self._due: list[tuple[float, int, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._generation = 0  # a stop and a start make what was planned before void
        self._running = False
        self._thread: threading.Thread | None = None
        self._pool: ThreadPoolExecutor | None = None

    def start(self, *, leaping: bool = False) -> None:
        """Begin, on the machine's time or `leaping`; starting a running clock changes nothing."""
        with self._changed:
            if self._running:
                return
            self._running, self.leaps = True, leaping
            self._generation += 1
            self._due.clear()
            self._now, self._ahead = _FIRST_SECOND, math.floor(time.time()) - _FIRST_SECOND
            self.troubles.clear()
            self._pool = ThreadPoolExecutor(16, thread_name_prefix="embedded-aws")
            self._thread = threading.Thread(target=self._run, name="embedded-aws-clock", daemon=True)
            self._thread.start()
            for seconds, function in self._standing:
                self._plan_again(seconds, function, self._generation)

    def stop(self) -> None:
        """Drop all that is planned and wait for what runs; stopping a stopped clock changes nothing."""
        with self._changed:
            if not self._running:
                return
            self._running = False
            self._generation += 1
            self._due.clear()
            self._changed.notify_all()
            thread, pool = self._thread, self._pool
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)
        with self._changed:
            self._working -= self._at_work.pop(_POOL, 0)  # what was dropped on its way to the pool
        self.leaps = False

    # -- the time -----------------------------------------------------------

    def monotonic(self) -> float:
        """Return seconds since some moment."""
        return self._now if self.leaps else time.monotonic()

    def time(self) -> float:
        """Return seconds since 1970."""
        return self._ahead + self._now if self.leaps else time.time()

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return datetime.fromtimestamp(self.time(), UTC)

    # -- what is due ----------------------------------------------------------

    def later(self, seconds: float, function: Callable[[], object]) -> None:
        """Run the function once, after so many seconds; a stopped clock drops it."""
        with self._changed:
            if self._running:
                self._push(seconds, function, self._generation)

    def every(self, seconds: float, function: Callable[[], object]) -> None:
        """Run the function again and again, so many seconds after each of its ends, whenever the clock runs."""
        with self._changed:
            self._standing.append((seconds, function))
            if self._running:
                self._plan_again(seconds, function, self._generation)

    def soon(self, function: Callable[[], object]) -> None:
        """Run the function at once, in the background; a stopped clock drops it."""
        self.later(0, function)

    # -- whose work time waits for --------------------------------------------

    def thread(self, function: Callable[[], object], *, name: str) -> threading.Thread:
        """Start a daemon thread that works until it ends; time passes only while it waits here."""
        self._begin_work(name)

        def run() -> None:
            self._mine.counted = True
            try:
                function()
            finally:
                self._mine.counted = False
                self._end_work(name)

        started = threading.Thread(target=run, name=name, daemon=True)
        started.start()
        return started

    @contextmanager
    def working(self) -> Iterator[None]:
        """Let time stand still while this thread is within; twice is as good as once."""
        if self._mine.counted:
            yield
            return
        name = threading.current_thread().name
        self._begin_work(name)
        self._mine.counted = True
        try:
            yield
        finally:
            self._mine.counted = False
            self._end_work(name)

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Let time pass while this thread, which is `working`, waits for others by means of its own."""
        counted = self._mine.counted
        name = threading.current_thread().name
        if counted:
            self._end_work(name)
        try:
            yield
        finally:
            if counted:
                self._begin_work(name)

    @contextmanager
    def on_behalf(self) -> Iterator[None]:
        """Let this thread stand for the one that works and waits for it: when it sleeps, neither works."""
        before, self._mine.counted = self._mine.counted, True
        try:
            yield
        finally:
            self._mine.counted = before

    def condition(self) -> threading.Condition:
        """Make a reentrant condition whose `wait` lets time pass."""
        return _TimedCondition(self)

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""
        if not self.leaps:
            time.sleep(seconds)
            return
        until, condition = self.monotonic() + seconds, self.condition()
        with condition:
            while self._running and self.monotonic() < until:
                condition.wait(until - self.monotonic())

    def fall_asleep(self, condition: _TimedCondition, timeout: float | None) -> _Sleeper:
        """Note that this thread waits; its condition is held."""
        name = threading.current_thread().name
        sleeper = _Sleeper(name, counted=self._mine.counted)
        with self._changed:
            if timeout is not None and self._running:
                self._push(max(0.0, timeout), _Awakening(sleeper, condition), self._generation)
            if sleeper.counted:
                self._count(name, -1)
        return sleeper

    def wake_up(self, sleepers: list[_Sleeper]) -> None:
        """Note that these threads go on; what wakes them is still at work."""
        with self._changed:
            for sleeper in sleepers:
                if sleeper.counted and not sleeper.awake:
                    self._count(sleeper.name, 1)
                sleeper.awake = True

    def at_work(self) -> tuple[str, ...]:
        """Name what time stands still for now; for finding out why it does."""
        with self._changed:
            return tuple(sorted(self._at_work.elements()))

    def _begin_work(self, name: str) -> None:
        with self._changed:
            self._count(name, 1)

    def _end_work(self, name: str) -> None:
        with self._changed:
            self._count(name, -1)

    def _count(self, name: str, change: int) -> None:
        self._working += change
        self._at_work[name] += change
        if self.leaps and not self._working:
            self._changed.notify_all()

    # -- the thread -----------------------------------------------------------

    def _push(self, seconds: float, function: Callable[[], object], generation: int) -> None:
        if self._running and generation == self._generation:
            heapq.heappush(self._due, (self.monotonic() + seconds, next(self._order), generation, function))
            self._changed.notify()

    def _plan_again(self, seconds: float, function: Callable[[], object], generation: int) -> None:
        def once() -> None:
            try:
                function()
            finally:
                with self._changed:
                    self._push(seconds, once, generation)

        self._push(seconds, once, generation)

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._running and not self._is_due():
                    self._changed.wait(self._patience())
                if not self._running:
                    return
                due, _, _, function = heapq.heappop(self._due)
                if isinstance(function, _Awakening) and function.void:
                    continue
                if self.leaps:
                    self._now = max(self._now, due)
                self._count(_POOL, 1)
                pool = self._pool
            if pool is not None:
                pool.submit(self._guarded, function)

    def _is_due(self) -> bool:
        """Whether something is due now; a clock that leaps leaps to what is due when nothing works."""
        if not self._due:
            return False
        return self._due[0][0] <= self.monotonic() or (self.leaps and self._working <= 0)

    def _patience(self) -> float | None:
        if self.leaps or not self._due:
            return None
        return max(0.001, self._due[0][0] - time.monotonic())

    def _guarded(self, function: Callable[[], object]) -> None:
        self._mine.counted = True
        try:
            function()
        except Exception as trouble:  # one failure must not end the clock
            logger.exception("a planned function failed")
            self.troubles.append(f"{type(trouble).__name__}: {trouble}")
        finally:
            self._mine.counted = False
            self._end_work(_POOL)


class _TimedCondition(threading.Condition):
    """A condition whose waiting is on the clock; one that leaps wakes everybody at once, and who waits looks again."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(threading.RLock())
        self._clock = clock
        self._sleepers: list[_Sleeper] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until notified, or until so many seconds of the clock have passed, or for no reason."""
        if not self._clock.leaps:
            return super().wait(timeout)
        sleeper = self._clock.fall_asleep(self, timeout)
        self._sleepers.append(sleeper)
        notified = super().wait(_LONGEST_SLEEP)
        if not notified:
            self._clock.wake_up([sleeper])
            self._sleepers = [each for each in self._sleepers if each is not sleeper]
        return notified

    def notify(self, n: int = 1) -> None:
        """Wake so many, and everybody whose sleep the clock counts."""
        woken, self._sleepers = self._sleepers, []
        self._clock.wake_up(woken)
        super().notify(max(n, len(woken)))


clock = Clock()
later = clock.later
every = clock.every
soon = clock.soon
