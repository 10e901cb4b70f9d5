"""
The order in which green is created: callees first.

A Service Connect client resolves only endpoints that existed when its task started, so a
service comes after everything it calls. Services that call each other have no first: they
share a wave, and whichever of them started first must be redeployed.

Source: Amazon ECS Developer Guide, "Service Connect deployment order".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from crossfade.errors import BadInput


@dataclass(frozen=True, slots=True)
class Order:
    """Waves in the order of creation, names sorted inside each; and the groups that call each other in a circle."""

    waves: tuple[tuple[str, ...], ...]
    cycles: tuple[tuple[str, ...], ...]


def order(calls: Mapping[str, Collection[str]]) -> Order:
    """
    Return the fewest waves in which every service comes after all it calls.

    Args:
        calls: Each service and the services it calls; a service may call itself.

    Raises:
        BadInput: a service calls one that is not a key of `calls`.
    """
    for caller, callees in calls.items():
        if unknown := sorted(callee for callee in set(callees) if callee not in calls):
            raise BadInput(f"{caller} calls {', '.join(unknown)}, which is no service of the plan")
    groups = list(_groups(calls))
    group_of = {name: number for number, group in enumerate(groups) for name in group}
    levels: list[int] = []
    for number, group in enumerate(groups):  # callees' groups come before their callers'
        below = {group_of[callee] for name in group for callee in calls[name]} - {number}
        levels.append(1 + max((levels[each] for each in below), default=-1))
    waves: list[list[str]] = [[] for _ in range(max(levels, default=-1) + 1)]
    for number, group in enumerate(groups):
        waves[levels[number]].extend(group)
    cycles = sorted(tuple(sorted(group)) for group in groups if len(group) > 1)
    return Order(waves=tuple(tuple(sorted(wave)) for wave in waves), cycles=tuple(cycles))


def _groups(calls: Mapping[str, Collection[str]]) -> Iterator[list[str]]:
    """
    Yield groups of services that reach each other, callees' groups first.

    Tarjan's algorithm, SIAM Journal on Computing 1 (1972) 146, without recursion so that
    deep call graphs do not exhaust the stack.
    """
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    trail: list[str] = []
    on_trail: set[str] = set()
    for root in sorted(calls):
        if root in index:
            continue
        path: list[tuple[str, Iterator[str]]] = []

        def enter(name: str, path: list[tuple[str, Iterator[str]]] = path) -> None:
            index[name] = lowest[name] = len(index)
            trail.append(name)
            on_trail.add(name)
            path.append((name, iter(sorted(calls[name]))))

        enter(root)
        while path:
            name, callees = path[-1]
            callee = next(callees, None)
            if callee is None:
                path.pop()
                if path:
                    caller = path[-1][0]
                    lowest[caller] = min(lowest[caller], lowest[name])
                if lowest[name] == index[name]:
                    yield _cut(trail, on_trail, name)
            elif callee not in index:
                enter(callee)
            elif callee in on_trail:
                lowest[name] = min(lowest[name], index[callee])


def _cut(trail: list[str], on_trail: set[str], name: str) -> list[str]:
    group: list[str] = []
    while not group or group[-1] != name:
        group.append(trail.pop())
    on_trail.difference_update(group)
    return group
