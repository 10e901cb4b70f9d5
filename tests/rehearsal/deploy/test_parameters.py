from __future__ import annotations

from typing import Any

import pytest

from rehearsal.deploy.errors import TemplateRefused
from rehearsal.deploy.parameters import parameter_values


def test_a_default_stands_in_for_a_value_that_is_not_given() -> None:
    values = parameter_values({"Days": {"Type": "Number", "Default": 30}, "Stage": {"Type": "String"}}, {"Stage": "a"})

    assert values == {"Days": "30", "Stage": "a"}


@pytest.mark.parametrize("kind", ["CommaDelimitedList", "List<Number>", "List<AWS::EC2::Subnet::Id>"])
def test_a_list_is_split_at_its_commas(kind: str) -> None:
    values = parameter_values({"Items": {"Type": kind}}, {"Items": "1, 2"})

    assert values == {"Items": ["1", "2"]}


def test_a_list_may_be_given_as_a_list() -> None:
    values = parameter_values({"Items": {"Type": "CommaDelimitedList"}}, {"Items": ["a", "b"]})

    assert values == {"Items": ["a", "b"]}


@pytest.mark.parametrize(
    ("declaration", "value", "says"),
    [
        ({"Type": "String"}, None, "neither a value nor a default"),
        ({"Type": "String", "AllowedValues": ["a", "b"]}, "c", "none of a, b"),
        ({"Type": "String", "AllowedPattern": "[a-z]+"}, "a1", "does not match"),
        ({"Type": "String", "AllowedPattern": "a", "ConstraintDescription": "just a"}, "b", "just a"),
        ({"Type": "String", "MinLength": 2}, "a", "shorter than 2"),
        ({"Type": "String", "MaxLength": 2}, "abc", "longer than 2"),
        ({"Type": "Number"}, "ten", "no number"),
        ({"Type": "Number", "MinValue": 2}, 1, "below 2"),
        ({"Type": "Number", "MaxValue": 2}, "2.5", "above 2"),
        ({"Type": "List<Number>", "MaxValue": 2}, "1,3", "above 2"),
        ({"Type": "AWS::SSM::Parameter::Value<String>"}, "/a", "lives in an account"),
        ({"Type": "Text"}, "a", "no known type"),
        ({"Type": "String", "Allowed": ["a"]}, "a", "unknown settings: Allowed"),
    ],
)
def test_a_value_against_its_declaration_is_refused_with_the_reason(
    declaration: dict[str, Any], value: object, says: str
) -> None:
    given = {} if value is None else {"P": value}

    with pytest.raises(TemplateRefused, match=says) as refused:
        parameter_values({"P": declaration}, given)

    assert "parameter P" in str(refused.value)


def test_a_value_nobody_declared_is_refused() -> None:
    with pytest.raises(TemplateRefused, match="parameter Stag is given but not declared"):
        parameter_values({"Stage": {"Type": "String", "Default": "a"}}, {"Stag": "b"})
