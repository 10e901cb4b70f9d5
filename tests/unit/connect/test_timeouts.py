from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.connect.timeouts import effective
from crossfade.mesh.model import Protocol, Timeouts
from crossfade.plan.services import Timeout

HTTP = Protocol.HTTP


@pytest.mark.parametrize(
    ("listener", "route", "timeout"),
    [
        (Timeouts(), Timeouts(), Timeout()),
        (Timeouts(10, 120), Timeouts(8, 60), Timeout(per_request_seconds=8, idle_seconds=60)),
        (Timeouts(60), Timeouts(), Timeout()),  # 15 s are in force today, whatever the listener says
        (Timeouts(60), Timeouts(60), Timeout(per_request_seconds=60)),
        (Timeouts(5), Timeouts(), Timeout(per_request_seconds=5)),
        (Timeouts(15, 300), Timeouts(15, 300), Timeout()),
        (Timeouts(0), Timeouts(20), Timeout(per_request_seconds=20)),
        (Timeouts(0), Timeouts(0), Timeout(per_request_seconds=0, idle_seconds=0)),
        (Timeouts(600), Timeouts(600), Timeout(per_request_seconds=600, idle_seconds=0)),
        (Timeouts(600, 900), Timeouts(600, 900), Timeout(per_request_seconds=600, idle_seconds=900)),
        (Timeouts(idle_seconds=0), Timeouts(), Timeout(idle_seconds=0)),
    ],
)
def test_the_smaller_of_route_and_listener_rules_and_defaults_are_left_out(
    listener: Timeouts, route: Timeouts, timeout: Timeout
) -> None:
    answer = effective(HTTP, listener, [route])

    assert (answer.timeout, answer.differs) == (timeout, None)


def test_tcp_never_has_a_timeout_per_request() -> None:
    answer = effective(Protocol.TCP, Timeouts(idle_seconds=300), [Timeouts(per_request_seconds=3)])

    assert answer.timeout == Timeout(idle_seconds=300)


def test_where_routes_differ_the_longest_stands_and_it_is_said() -> None:
    answer = effective(HTTP, Timeouts(30), [Timeouts(5), Timeouts(20)])

    assert answer.timeout.per_request_seconds == 20
    assert "different timeouts" in (answer.differs or "")


def test_parts_of_a_second_are_rounded_up_and_it_is_said() -> None:
    answer = effective(HTTP, Timeouts(), [Timeouts(1.5)])

    assert answer.timeout.per_request_seconds == 2
    assert "whole seconds" in (answer.differs or "")


_said = st.none() | st.integers(0, 1000).map(float)


@given(_said, _said)
def test_no_request_that_succeeds_today_is_cut_off_and_none_waits_longer(
    listener: float | None, route: float | None
) -> None:
    today = min(15 if each is None else each or float("inf") for each in (listener, route))

    answer = effective(HTTP, Timeouts(listener), [Timeouts(route)]).timeout

    given_now = 15 if answer.per_request_seconds is None else answer.per_request_seconds or float("inf")
    idle_now = 300 if answer.idle_seconds is None else answer.idle_seconds or float("inf")
    assert given_now == today
    assert idle_now >= today
