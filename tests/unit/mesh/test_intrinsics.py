from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.mesh.intrinsics import NO_VALUE, Unknown, Unresolved, concatenate, holds, resolve


class Stack:
    """A scope of a few known things."""

    def ref(self, name: str) -> object:
        known: dict[str, object] = {
            "AWS::NoValue": NO_VALUE,
            "Name": "shop",
            "List": ["a", "b", "c"],
            "Hole": Unknown("${Hole}", Unresolved("Hole is not known", "t.yaml", "give it")),
        }
        if name not in known:
            raise Unresolved(f"nothing here is named {name}")
        return known[name]

    def get_att(self, name: str, attribute: str) -> object:
        return f"{name}/{attribute}"

    def import_value(self, name: str) -> object:
        return f"imported {name}"

    def condition(self, name: str) -> bool:
        return name == "Yes"

    def mapping(self, name: str, top: str, second: str) -> object:
        if top == "missing":
            raise Unresolved("no such entry")
        return f"{name}.{top}.{second}"

    def availability_zones(self, region: str) -> Sequence[str]:
        return [f"{region}a", f"{region}b"]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ({"Ref": "Name"}, "shop"),
        ({"Fn::GetAtt": ["Web", "Arn"]}, "Web/Arn"),
        ({"Fn::GetAtt": "Nested.Outputs.Vpc"}, "Nested/Outputs.Vpc"),
        ({"Fn::Sub": "${Name}-${Web.Arn}-${!Name}"}, "shop-Web/Arn-${Name}"),
        ({"Fn::Sub": ["${Name}-${x}", {"x": {"Fn::ImportValue": "e"}}]}, "shop-imported e"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Name"}, 1, True, {"Ref": "AWS::NoValue"}]]}, "a-shop-1-true"),
        ({"Fn::Join": [",", {"Ref": "List"}]}, "a,b,c"),
        ({"Fn::Split": ["-", "a-b"]}, ["a", "b"]),
        ({"Fn::Select": ["1", {"Ref": "List"}]}, "b"),
        ({"Fn::Select": [0, {"Fn::Split": [",", "x,y"]}]}, "x"),
        ({"Fn::FindInMap": ["M", {"Ref": "Name"}, "k"]}, "M.shop.k"),
        ({"Fn::FindInMap": ["M", "missing", "k", {"DefaultValue": 7}]}, 7),
        ({"Fn::ImportValue": {"Fn::Sub": "${Name}:Vpc"}}, "imported shop:Vpc"),
        ({"Fn::GetAZs": "eu-west-1"}, ["eu-west-1a", "eu-west-1b"]),
        ({"Fn::Base64": "hi"}, "aGk="),
        ({"Fn::Cidr": ["10.0.0.0/16", 2, 8]}, ["10.0.0.0/24", "10.0.1.0/24"]),
        ({"Fn::If": ["Yes", {"Ref": "Name"}, {"Ref": "Nothing"}]}, "shop"),
        ({"Fn::If": ["No", {"Ref": "Nothing"}, "else"]}, "else"),
        ({"Fn::Length": {"Ref": "List"}}, 3),
        ({"Fn::ToJsonString": {"a": {"Ref": "Name"}}}, '{"a":"shop"}'),
        ({"Ref": 1, "Other": 2}, {"Ref": 1, "Other": 2}),
        ({"Condition": {"StringEquals": {"a": "b"}}}, {"Condition": {"StringEquals": {"a": "b"}}}),
    ],
)
def test_each_function_gives_what_cloudformation_gives(expression: Any, value: object) -> None:
    assert resolve(expression, Stack()) == value


def test_no_value_drops_the_key_or_item_that_holds_it() -> None:
    nothing = {"Ref": "AWS::NoValue"}

    answer = resolve({"a": nothing, "b": [1, nothing, 2], "c": {"Fn::If": ["No", 1, nothing]}}, Stack())

    assert answer == {"b": [1, 2]}


@pytest.mark.parametrize(
    ("condition", "held"),
    [
        ({"Fn::Equals": [{"Ref": "Name"}, "shop"]}, True),
        ({"Fn::Equals": [1, "1"]}, True),
        ({"Fn::Not": [{"Condition": "Yes"}]}, False),
        ({"Fn::And": [{"Condition": "Yes"}, {"Condition": "No"}]}, False),
        ({"Fn::Or": [{"Condition": "No"}, {"Fn::Equals": ["a", "a"]}]}, True),
    ],
)
def test_conditions_hold_as_cloudformation_has_them(condition: Any, held: bool) -> None:  # noqa: FBT001
    assert holds(condition, Stack()) is held


@pytest.mark.parametrize(
    "expression",
    [
        {"Ref": "Nothing"},
        {"Fn::Transform": {"Name": "x"}},
        {"Fn::Sub": ["${x}"]},
        {"Fn::Sub": "${Nothing}"},
        {"Fn::Join": ["-"]},
        {"Fn::Join": ["-", [{"a": 1}]]},
        {"Fn::Select": [3, ["a"]]},
        {"Fn::Select": ["x", ["a"]]},
        {"Fn::Cidr": ["nonsense", 1, 8]},
        {"Fn::If": ["Yes", 1]},
        {"Fn::GetAtt": ["Web"]},
        {"Fn::FindInMap": ["M", "missing", "k"]},
    ],
)
def test_what_cannot_be_resolved_is_refused_with_its_place(expression: Any) -> None:
    with pytest.raises(Unresolved) as refused:
        resolve({"a": [expression]}, Stack(), "Resources/X")

    assert refused.value.where.startswith("Resources/X/a/0")


def test_an_unknown_text_travels_through_sub_and_join() -> None:
    answer = resolve({"Fn::Join": ["/", ["a", {"Fn::Sub": "x-${Hole}"}]]}, Stack())

    assert isinstance(answer, Unknown)
    assert (str(answer), answer.why.mend) == ("a/x-${Hole}", "give it")


@pytest.mark.parametrize(
    "expression",
    [
        {"Fn::Select": [{"Ref": "Hole"}, ["a"]]},
        {"Fn::Split": [",", {"Ref": "Hole"}]},
        {"Fn::ImportValue": {"Fn::Sub": "${Hole}:x"}},
        {"Fn::FindInMap": ["M", {"Ref": "Hole"}, "k"]},
        {"Fn::Equals": [{"Ref": "Hole"}, "x"]},
    ],
)
def test_no_decision_is_made_on_an_unknown_text(expression: Any) -> None:
    with pytest.raises(Unresolved, match="Hole is not known"):
        resolve(expression, Stack())


def test_what_is_kept_takes_the_place_of_the_outermost_expression_only() -> None:
    kept: list[Unresolved] = []

    def keep(error: Unresolved) -> object:
        kept.append(error)
        return "kept"

    answer = resolve({"a": {"Fn::Sub": "x${Nothing}"}, "b": {"Ref": "Name"}}, Stack(), "R", keep=keep)

    assert answer == {"a": "kept", "b": "shop"}
    assert [error.where for error in kept] == ["R/a"] or [error.where for error in kept] == ["R/a/Fn::Sub"]


_plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(string.ascii_lowercase, min_size=1, max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=50)
@given(_plain)
def test_what_holds_no_function_is_left_as_it_is(value: object) -> None:
    assert resolve(value, Stack()) == value


@given(st.lists(st.text(st.characters(exclude_characters="${}")), max_size=5))
def test_sub_of_text_without_variables_is_that_text(parts: list[str]) -> None:
    text = concatenate(parts)

    assert resolve({"Fn::Sub": text}, Stack()) == text
