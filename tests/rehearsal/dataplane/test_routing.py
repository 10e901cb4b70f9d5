"""What the load balancer's API answers becomes what the edge does."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.dataplane.routing import (
    EdgeListener,
    TargetHealth,
    cluster_of,
    dimension_of,
    route_config,
    rule_of,
    shape_of,
    targets_served,
)
from tests.rehearsal.dataplane.standin_aws import BALANCER, BLUE, GREEN, LISTENER, RULE


def forward(blue: int, green: int) -> dict[str, Any]:
    groups = [{"TargetGroupArn": BLUE, "Weight": blue}, {"TargetGroupArn": GREEN, "Weight": green}]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}


def rule(action: dict[str, Any], *conditions: dict[str, Any]) -> dict[str, Any]:
    return {"RuleArn": RULE, "IsDefault": False, "Priority": "1", "Conditions": list(conditions), "Actions": [action]}


@given(st.integers(0, 999), st.integers(0, 999))
def test_the_weights_reach_the_proxy_as_they_are_and_never_sum_to_zero(blue: int, green: int) -> None:
    keys = rule_of(rule(forward(blue, green))).runtime()

    [blue_key] = [key for key in keys if key.endswith(cluster_of(BLUE))]
    [green_key] = [key for key in keys if key.endswith(cluster_of(GREEN))]
    assert (keys[blue_key], keys[green_key]) == (blue, green)
    assert sum(keys.values()) > 0
    assert sum(keys.values()) == blue + green or blue + green == 0


def test_a_change_of_weights_alone_does_not_change_the_routes() -> None:
    one = EdgeListener(LISTENER, "app/shop/1", 80, (rule_of(rule(forward(100, 0))),))
    other = EdgeListener(LISTENER, "app/shop/1", 80, (rule_of(rule(forward(1, 99))),))

    assert shape_of(one) == shape_of(other)


def test_a_single_target_group_gets_everything() -> None:
    read = rule_of(rule({"Type": "forward", "TargetGroupArn": BLUE}))

    assert read.weights == ((BLUE, 1),)


@pytest.mark.parametrize(("path", "taken"), [("/api/orders", True), ("/apiorders", False), ("/static", False)])
def test_a_path_pattern_means_what_it_means_on_aws(path: str, taken: bool) -> None:  # noqa: FBT001
    read = rule_of(rule(forward(1, 0), {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/api/*"]}}))

    assert bool(re.fullmatch(read.match["safe_regex"]["regex"], path)) is taken


def test_a_condition_the_edge_cannot_follow_is_answered_with_its_name() -> None:
    read = rule_of(rule(forward(1, 0), {"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8"]}}))

    assert read.answer is not None
    assert read.answer["direct_response"]["status"] == 503
    assert "source-ip" in read.answer["direct_response"]["body"]["inline_string"]


def test_a_fixed_response_is_given_by_the_edge() -> None:
    fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404", "MessageBody": "no such page"}}

    routes = route_config(EdgeListener(LISTENER, "app/shop/1", 80, (rule_of(rule(fixed)),)))

    [route] = routes["virtual_hosts"][0]["routes"]
    assert route["direct_response"] == {"status": 404, "body": {"inline_string": "no such page"}}


@pytest.mark.parametrize(
    ("states", "served"),
    [
        (("healthy", "unhealthy"), (1,)),
        (("unhealthy", "unhealthy"), (1, 2)),
        (("initial", "draining"), ()),
        (("healthy", "healthy"), (1, 2)),
    ],
)
def test_healthy_targets_serve_and_all_unhealthy_ones_where_none_is(
    states: tuple[str, str], served: tuple[int, ...]
) -> None:
    targets = [TargetHealth(port, state) for port, state in enumerate(states, start=1)]

    assert targets_served(targets, frozenset()) == served


def test_a_withdrawn_target_gets_nothing_whatever_its_health() -> None:
    assert targets_served([TargetHealth(1, "healthy"), TargetHealth(2, "healthy")], frozenset({1})) == (2,)


def test_dimensions_are_written_as_cloudwatch_writes_them() -> None:
    assert dimension_of(BALANCER) == "app/shop/0123456789abcdef"
    assert dimension_of(BLUE) == "targetgroup/web-blue/aaaaaaaaaaaaaaaa"
