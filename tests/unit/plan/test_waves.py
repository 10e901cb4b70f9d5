from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.errors import BadInput
from crossfade.plan.waves import Order, order


def test_callees_come_first_and_what_is_independent_shares_a_wave() -> None:
    answer = order({"web": ["orders", "users"], "orders": ["payments"], "users": [], "payments": []})

    assert answer == Order(waves=(("payments", "users"), ("orders",), ("web",)), cycles=())


def test_services_that_call_each_other_share_a_wave() -> None:
    answer = order({"web": ["a"], "a": ["b"], "b": ["c"], "c": ["a", "db"], "db": []})

    assert answer == Order(waves=(("db",), ("a", "b", "c"), ("web",)), cycles=(("a", "b", "c"),))


def test_a_service_that_calls_itself_is_no_cycle() -> None:
    assert order({"a": ["a"]}) == Order(waves=(("a",),), cycles=())


def test_nothing_has_no_waves() -> None:
    assert order({}) == Order(waves=(), cycles=())


def test_a_callee_that_is_no_service_is_refused() -> None:
    with pytest.raises(BadInput, match="a calls b, c, which is no service"):
        order({"a": ["c", "b"]})


def test_a_chain_of_thousands_does_not_exhaust_the_stack() -> None:
    chain = {f"{n:05}": [f"{n + 1:05}"] for n in range(5_000)} | {"05000": []}

    assert len(order(chain).waves) == 5_001


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, set[str]]:
    names = draw(st.lists(st.sampled_from("abcdefghij"), unique=True, min_size=1))
    return {name: draw(st.sets(st.sampled_from(names))) for name in names}


def reaches(calls: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    todo = [start]
    while todo:
        for callee in calls[todo.pop()]:
            if callee not in seen:
                seen.add(callee)
                todo.append(callee)
    return seen


@given(graphs())
def test_every_call_leads_to_an_earlier_wave_unless_it_is_in_a_cycle(calls: dict[str, set[str]]) -> None:
    answer = order(calls)

    wave = {name: number for number, names in enumerate(answer.waves) for name in names}
    assert sorted(name for names in answer.waves for name in names) == sorted(calls)
    for caller, callees in calls.items():
        for callee in callees - {caller}:
            mutual = caller in reaches(calls, callee)
            assert wave[callee] == wave[caller] if mutual else wave[callee] < wave[caller]
            assert mutual == any(caller in cycle and callee in cycle for cycle in answer.cycles)


@given(graphs())
def test_no_service_waits_longer_than_it_must(calls: dict[str, set[str]]) -> None:
    answer = order(calls)

    for number, names in enumerate(answer.waves[1:], start=1):
        earlier = set(answer.waves[number - 1])
        for name in names:
            group = {name} | {each for cycle in answer.cycles if name in cycle for each in cycle}
            assert any(calls[each] & earlier for each in group)
