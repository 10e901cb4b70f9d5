"""
Which routes of a gateway the requests of one load balancer's rule can meet.

Pure. A gateway divides requests by path and host, and so can the rules before it. Where the rules that lead to one
target group of a gateway's tasks meet the routes to one service only, that target group is a door of its own. Whatever
cannot be told for certain counts as met, so that no request is led to a service it did not reach before.

Source: AWS App Mesh User Guide, "Gateway routes"; Elastic Load Balancing, "Condition types for listener rules".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from crossfade.connect.entrances import asked_besides, cannot_ask
from crossfade.mesh.model import GatewayRoute, ListenerRule
from crossfade.mesh.tree import Tree

_KINDS: Final = ("httpRoute", "http2Route", "grpcRoute")
_LAST: Final = 1_000_000
_WILDCARD: Final = re.compile(r"[*?]")
_ANYTHING: Final = frozenset({"*", "/*"})


@dataclass(frozen=True, slots=True)
class _Ask:
    """
    What a gateway route asks of path and host, and `besides` as a rule says it.

    `is_beyond` when it asks for what is not compared here: a regular expression, or what no rule can ask.
    """

    prefix: str | None = None
    path: str | None = None
    host: str | None = None
    host_suffix: str | None = None
    besides: frozenset[str] = frozenset()
    is_beyond: bool = True


def met_routes(
    rule: ListenerRule, routes: Iterable[GatewayRoute], earlier: Sequence[ListenerRule]
) -> tuple[GatewayRoute, ...]:
    """
    Return the routes that a request may meet which comes by a rule.

    Args:
        rule: A rule that leads to the gateway.
        routes: All of the gateway's.
        earlier: The rules of the same listener that are tried before it.
    """
    met = []
    for route in sorted(routes, key=_rank):
        ask = _ask(route)
        if not _may_meet(rule, ask) or any(_takes_all(each, ask) for each in earlier):
            continue
        met.append(route)
        if _is_all_of(rule, ask):
            break
    return tuple(met)


def before(rule: ListenerRule, rules: Iterable[ListenerRule]) -> tuple[ListenerRule, ...]:
    """Return the rules of a rule's listener that are tried before it; the default action is tried last."""
    return tuple(
        each
        for each in rules
        if (each.load_balancer, each.listener_port) == (rule.load_balancer, rule.listener_port)
        and _turn(each) < _turn(rule)
    )


def _turn(rule: ListenerRule) -> int:
    return int(rule.priority) if rule.priority.isdigit() else _LAST


def _rank(route: GatewayRoute) -> tuple[int, int, int, str]:
    """Return when a route is tried: by its priority, then an exact path before prefixes, the longer before."""
    ask = _ask(route)
    said = (Tree(route.spec, route.place) / "priority").number_or_none()
    return (_LAST if said is None else said, 0 if ask.path else 1, -len(ask.prefix or ""), route.name)


def _ask(route: GatewayRoute) -> _Ask:
    for kind in _KINDS:
        found = Tree(route.spec, route.place) / kind
        if found:
            match = found / "match"
            prefix = (match / "prefix").text_or_none()
            if match / "serviceName":
                prefix = f"/{(match / 'serviceName').text()}/"
            return _Ask(
                prefix=prefix,
                path=(match / "path" / "exact").text_or_none(),
                host=(match / "hostname" / "exact").text_or_none(),
                host_suffix=(match / "hostname" / "suffix").text_or_none(),
                besides=frozenset(asked_besides(match)),
                is_beyond=bool(match / "path" / "regex") or cannot_ask(match),
            )
    return _Ask()


def _may_meet(rule: ListenerRule, ask: _Ask) -> bool:
    """Return whether some request fits both; only what is certain to fit neither is left aside."""
    paths = not rule.paths or any(_path_may_fit(pattern, ask) for pattern in rule.paths)
    hosts = not rule.hosts or any(_host_may_fit(pattern, ask) for pattern in rule.hosts)
    return paths and hosts


def _path_may_fit(pattern: str, ask: _Ask) -> bool:
    if ask.path is not None:
        return _fits(ask.path, pattern)
    if ask.prefix is None:
        return True
    head = _head(pattern)
    if head == pattern:
        return pattern.startswith(ask.prefix)
    return head.startswith(ask.prefix) or ask.prefix.startswith(head)


def _host_may_fit(pattern: str, ask: _Ask) -> bool:
    if ask.host is not None:
        return _fits(ask.host.lower(), pattern.lower())
    if ask.host_suffix is not None and _head(pattern) == pattern:
        return pattern.lower().endswith(ask.host_suffix.lower())
    return True


def _is_all_of(rule: ListenerRule, ask: _Ask) -> bool:
    """Return whether every request that comes by a rule meets the route, so that none goes on to the next."""
    if ask.is_beyond or not ask.besides <= set(rule.others):
        return False
    if ask.path is not None:
        by_path = bool(rule.paths) and all(each == ask.path for each in rule.paths)
    else:
        prefix = ask.prefix or "/"
        by_path = prefix == "/" or (bool(rule.paths) and all(_head(each).startswith(prefix) for each in rule.paths))
    if ask.host is not None:
        return by_path and bool(rule.hosts) and all(each.lower() == ask.host.lower() for each in rule.hosts)
    if ask.host_suffix is not None:
        suffix = ask.host_suffix.lower()
        return by_path and bool(rule.hosts) and all(each.lower().endswith(suffix) for each in rule.hosts)
    return by_path


def _takes_all(rule: ListenerRule, ask: _Ask) -> bool:
    """Return whether a rule takes every request that a route could meet."""
    if not set(rule.others) <= ask.besides:
        return False
    hosts = not rule.hosts or (ask.host is not None and any(_fits(ask.host.lower(), h.lower()) for h in rule.hosts))
    if not rule.paths or _ANYTHING & set(rule.paths):
        return hosts
    if ask.path is not None:
        return hosts and any(_fits(ask.path, each) for each in rule.paths)
    return hosts and ask.prefix is not None and any(ask.prefix.startswith(head) for head in _whole_tails(rule.paths))


def _whole_tails(patterns: Iterable[str]) -> Iterator[str]:
    """Yield what stands before the star of each pattern that ends in its only one: all that begins so fits it."""
    for each in patterns:
        if each.endswith("*") and not _WILDCARD.search(each[:-1]):
            yield each[:-1]


def _head(pattern: str) -> str:
    """Return a pattern up to its first wildcard."""
    return _WILDCARD.split(pattern, maxsplit=1)[0]


def _fits(text: str, pattern: str) -> bool:
    """Return whether a load balancer takes a text for a pattern, in which only * and ? stand for others."""
    return fnmatchcase(text, pattern.replace("[", "[[]"))
