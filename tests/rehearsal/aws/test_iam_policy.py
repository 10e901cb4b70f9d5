"""What IAM says of a request, statement by statement."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rehearsal.aws.iam_policy import Asked, decide, meets, statements

RULE = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener-rule/app/shop/1/2/3"
MODIFY = "elasticloadbalancing:ModifyRule"


def allows(asked: Asked, *given: dict[str, Any]) -> bool:
    document = [{"Effect": "Allow", "Action": MODIFY, "Resource": "*", **each} for each in given]
    return decide(statements("policy", json.dumps({"Statement": document})), asked).allowed


@pytest.mark.parametrize(
    ("pattern", "covers"),
    [
        ("*", True),
        (RULE, True),
        ("arn:aws:elasticloadbalancing:*:*:listener-rule/app/shop/*", True),
        ("arn:aws:elasticloadbalancing:*:*:listener-rule/app/sho?/*", True),
        ("arn:aws:elasticloadbalancing:*:*:listener-rule/app/shop2/*", False),
        ("arn:aws:elasticloadbalancing:us-*:*:listener-rule/app/shop/*", False),
        ("arn:aws:*/app/shop/*", False),  # a wildcard stays within its part
        ("arn:aws:elasticloadbalancing:*:*:listener/app/shop/*", False),
    ],
)
def test_a_wildcard_stands_for_any_text_within_its_part_of_an_arn(pattern: str, covers: bool) -> None:  # noqa: FBT001
    assert meets(pattern, RULE) is covers


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        ({}, True),
        ({"Action": "ElasticLoadBalancing:modify*"}, True),
        ({"Action": "elasticloadbalancing:ModifyListener"}, False),
        ({"Action": None, "NotAction": "elasticloadbalancing:Delete*"}, True),
        ({"Action": None, "NotAction": "elasticloadbalancing:*"}, False),
        ({"Resource": None, "NotResource": RULE}, False),
        ({"Effect": "Deny"}, False),
    ],
)
def test_a_statement_covers_the_actions_and_resources_it_names(given: dict[str, Any], allowed: bool) -> None:  # noqa: FBT001
    kept = {name: value for name, value in {"Action": MODIFY, "Resource": "*", **given}.items() if value is not None}
    document = {"Statement": {"Effect": "Allow", **kept}}

    assert decide(statements("policy", json.dumps(document)), Asked(MODIFY, RULE)).allowed is allowed


def test_a_deny_wins_over_any_allow_and_is_named() -> None:
    document = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Sid": "Never", "Effect": "Deny", "Action": MODIFY, "Resource": RULE},
    ]

    decision = decide(statements("policy", json.dumps({"Statement": document})), Asked(MODIFY, RULE))

    assert (decision.allowed, decision.by and decision.by.sid) == (False, "Never")


def test_what_no_statement_allows_is_denied() -> None:
    decision = decide((), Asked(MODIFY, RULE))

    assert (decision.allowed, decision.by) == (False, None)


NAMES = "route53:changeresourcerecordsetsnormalizedrecordnames"


@pytest.mark.parametrize(
    ("condition", "keys", "allowed"),
    [
        ({"StringEquals": {"a:b": "one"}}, {"a:b": ("one",)}, True),
        ({"StringEquals": {"A:B": ["two", "one"]}}, {"a:b": ("one",)}, True),
        ({"StringEquals": {"a:b": "One"}}, {"a:b": ("one",)}, False),
        ({"StringEquals": {"a:b": "one"}}, {"a:b": None}, False),
        ({"StringEqualsIfExists": {"a:b": "one"}}, {"a:b": None}, True),
        ({"StringNotEquals": {"a:b": "one"}}, {"a:b": ("two",)}, True),
        ({"StringNotEquals": {"a:b": ["one", "two"]}}, {"a:b": ("two",)}, False),
        ({"StringNotEquals": {"a:b": "one"}}, {"a:b": None}, True),
        ({"StringLike": {"a:b": "on?*"}}, {"a:b": ("one",)}, True),
        ({"ArnLike": {"a:b": "arn:aws:iam::*:role/x"}}, {"a:b": ("arn:aws:iam::1:role/x",)}, True),
        ({"Bool": {"a:b": True}}, {"a:b": ("true",)}, True),
        ({"Bool": {"a:b": "false"}}, {"a:b": ("true",)}, False),
        ({"Null": {"a:b": "true"}}, {"a:b": None}, True),
        ({"Null": {"a:b": "true"}}, {"a:b": ("one",)}, False),
        ({"Null": {"a:b": "false"}}, {"a:b": ("one",)}, True),
        ({"ForAllValues:StringEquals": {NAMES: ["x", "y"]}}, {NAMES: ("x", "y")}, True),
        ({"ForAllValues:StringEquals": {NAMES: ["x"]}}, {NAMES: ("x", "y")}, False),
        ({"ForAllValues:StringEquals": {NAMES: ["x"]}}, {NAMES: None}, True),
        ({"ForAnyValue:StringEquals": {NAMES: ["x"]}}, {NAMES: ("x", "y")}, True),
        ({"ForAnyValue:StringEquals": {NAMES: ["x"]}}, {NAMES: None}, False),
        ({"StringEquals": {"a:b": "one"}, "Null": {"c:d": "true"}}, {"a:b": ("one",), "c:d": ("x",)}, False),
    ],
)
def test_every_condition_must_hold(condition: Any, keys: Any, allowed: bool) -> None:  # noqa: FBT001
    assert allows(Asked(MODIFY, RULE, keys), {"Condition": condition}) is allowed


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"a:unknown": "one"}},
        {"StringNotEquals": {"a:unknown": "one"}},
        {"Null": {"a:unknown": "true"}},
        {"ForAllValues:StringEquals": {"a:unknown": "one"}},
        {"NumericLessThan": {"a:b": "5"}},
        {"DateLessThan": {"a:b": "2030-01-01T00:00:00Z"}},
    ],
)
def test_a_condition_that_cannot_be_decided_allows_nothing_and_denies_all(condition: Any) -> None:
    asked = Asked(MODIFY, RULE, {"a:b": ("1",)})

    assert not allows(asked, {"Condition": condition})
    assert not allows(asked, {}, {"Effect": "Deny", "Condition": condition})


def test_a_tag_that_is_not_set_is_known_only_where_all_tags_are() -> None:
    untagged = {"Condition": {"Null": {"aws:RequestTag/owner": "true"}}}

    assert allows(Asked(MODIFY, RULE, {}, ("aws:requesttag/",)), untagged)
    assert not allows(Asked(MODIFY, RULE), untagged)


def test_an_action_on_no_resource_is_allowed_by_a_star_alone() -> None:
    assert allows(Asked(MODIFY), {"Resource": "*"})
    assert not allows(Asked(MODIFY), {"Resource": "arn:aws:elasticloadbalancing:*:*:*"})


@pytest.mark.parametrize("given", [{"Effect": "Perhaps"}, {"NotAction": "a:b"}, {"NotResource": "*"}])
def test_a_statement_that_iam_would_not_take_is_an_error(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="policy"):
        allows(Asked(MODIFY, RULE), given)
