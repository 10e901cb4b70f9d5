"""A rule and the gateway's routes are told apart only where no request can be meant by both."""

from __future__ import annotations

from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st

from crossfade.draw.gateway_rules import before, met_routes
from crossfade.mesh.model import GatewayRoute, ListenerRule, Place

HERE = Place("t", "t")
SEGMENTS = st.lists(st.sampled_from(["a", "b", "ab"]), max_size=3).map(lambda parts: "/" + "/".join(parts))
PATTERNS = st.one_of(SEGMENTS, SEGMENTS.map(lambda path: f"{path}*"), st.sampled_from(["*", "/*", "*b", "/a?b*"]))
PREFIXES = st.lists(SEGMENTS, min_size=1, max_size=4, unique=True)


def a_way(prefix: str) -> GatewayRoute:
    spec = {"httpRoute": {"match": {"prefix": prefix}}}
    return GatewayRoute(prefix, "g", "m", "s", spec, HERE)


def a_rule(priority: int, *paths: str) -> ListenerRule:
    said = str(priority) if priority else "default"
    return ListenerRule("lb", 80, said, ("t",), HERE, paths=paths)


def taken_by(rules: list[ListenerRule], path: str) -> ListenerRule:
    """The rule that a load balancer takes for a path, as Elastic Load Balancing says it does."""
    tried = sorted(rules, key=lambda rule: int(rule.priority) if rule.priority.isdigit() else 99)
    return next(rule for rule in tried if not rule.paths or any(fnmatchcase(path, each) for each in rule.paths))


def route_of(routes: list[GatewayRoute], path: str) -> GatewayRoute | None:
    """The route that the gateway takes for a path: the longest prefix."""
    fitting = [route for route in routes if path.startswith(route.name)]
    return max(fitting, key=lambda route: len(route.name), default=None)


@given(PREFIXES, st.lists(st.lists(PATTERNS, min_size=1, max_size=2), max_size=3), SEGMENTS)
def test_no_request_meets_a_route_that_its_rule_was_not_said_to_meet(
    prefixes: list[str], patterns: list[list[str]], path: str
) -> None:
    routes = [a_way(prefix) for prefix in prefixes]
    rules = [a_rule(number, *each) for number, each in enumerate(patterns, start=1)] + [a_rule(0)]

    rule, route = taken_by(rules, path), route_of(routes, path)

    assert route is None or route in met_routes(rule, routes, before(rule, rules))


@given(PREFIXES)
def test_a_rule_for_each_prefix_meets_its_own_route_alone(prefixes: list[str]) -> None:
    routes = sorted((a_way(prefix) for prefix in prefixes), key=lambda route: -len(route.name))
    rules = [a_rule(number, f"{route.name}*") for number, route in enumerate(routes, start=1)]

    for rule, route in zip(rules, routes, strict=True):
        assert met_routes(rule, routes, before(rule, rules)) == (route,)
