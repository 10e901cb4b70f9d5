from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from rehearsal.aws.clock import Clock

HOUR = 3_600.0


@pytest.fixture
def clock() -> Iterator[Clock]:
    """A clock of its own that leaps, and stands still for the test."""
    clock = Clock()
    clock.start(leaping=True)
    with clock.working():
        yield clock
    clock.stop()


def test_an_hour_slept_is_an_hour_on_the_clock_and_none_on_the_wall(clock: Clock) -> None:
    before = clock.time()

    clock.sleep(HOUR)

    assert clock.time() - before == pytest.approx(HOUR)


def test_what_is_due_runs_in_its_order_whatever_order_it_was_planned_in(clock: Clock) -> None:
    ran: list[str] = []
    clock.later(3, lambda: ran.append("third"))
    clock.later(1, lambda: ran.append("first"))
    clock.later(2, lambda: ran.append("second"))

    clock.sleep(4)

    assert ran == ["first", "second", "third"]


def test_no_time_passes_while_a_thread_works(clock: Clock) -> None:
    told: list[float] = []
    begun, may_end = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        may_end.wait()
        told.append(clock.monotonic())

    before = clock.monotonic()
    worker = clock.thread(work, name="worker")
    clock.later(1, lambda: told.append(clock.monotonic()))
    begun.wait()
    with clock.idle():
        may_end.set()
        worker.join()
    clock.sleep(2)

    assert told == [before, before + 1]


def test_who_is_notified_goes_on_before_time_does(clock: Clock) -> None:
    condition = clock.condition()
    woken: list[float] = []
    before = clock.monotonic()

    def wait() -> None:
        with condition:
            condition.wait(HOUR)
        woken.append(clock.monotonic())

    waiting = clock.thread(wait, name="waiting")
    clock.sleep(1)
    with condition:
        condition.notify_all()
    clock.sleep(HOUR)
    waiting.join()

    assert woken == [before + 1]


def test_a_wait_that_nobody_ends_lasts_its_time(clock: Clock) -> None:
    condition = clock.condition()
    before = clock.monotonic()

    with condition:
        while clock.monotonic() < before + HOUR:
            condition.wait(before + HOUR - clock.monotonic())

    assert clock.monotonic() == before + HOUR


def test_time_passes_for_whoever_sleeps_on_behalf_of_one_that_works(clock: Clock) -> None:
    done: list[float] = []
    before = clock.monotonic()

    def serve() -> None:
        with clock.on_behalf():
            clock.sleep(HOUR)
        done.append(clock.monotonic())

    server = threading.Thread(target=serve)
    server.start()
    server.join()

    assert done == [before + HOUR]
    assert clock.at_work() == (threading.current_thread().name,)


def test_what_fails_when_it_is_due_is_a_trouble_and_no_end(clock: Clock) -> None:
    clock.later(1, lambda: 1 // 0)

    clock.sleep(2)

    assert [trouble.partition(":")[0] for trouble in clock.troubles] == ["ZeroDivisionError"]


def test_what_a_stop_drops_does_not_stop_the_time_of_the_next_start() -> None:
    clock, may_end = Clock(), threading.Event()
    clock.start(leaping=True)
    for _ in range(20):  # more than run at once
        clock.soon(may_end.wait)
    while len(clock.at_work()) < 20:
        threading.Event().wait(0.001)
    threading.Timer(0.2, may_end.set).start()

    clock.stop()

    assert clock.at_work() == ()
