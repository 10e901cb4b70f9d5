from __future__ import annotations

import pytest

from crossfade.errors import BadInput
from crossfade.mesh.template import LARGEST_BYTES, load_template


def test_short_tags_are_spelled_out() -> None:
    text = "A: !Ref X\nB: !GetAtt Web.Outputs.Vpc\nC: !If [Big, !Sub '${a}', !ImportValue e]\nD: !Condition Yes\n"

    assert load_template(text, "t.yaml") == {
        "A": {"Ref": "X"},
        "B": {"Fn::GetAtt": ["Web", "Outputs.Vpc"]},
        "C": {"Fn::If": ["Big", {"Fn::Sub": "${a}"}, {"Fn::ImportValue": "e"}]},
        "D": {"Condition": "Yes"},
    }


def test_json_and_yaml_give_the_same() -> None:
    assert load_template('{"A": {"Ref": "X"}}', "t.json") == load_template("A: !Ref X", "t.yaml")


def test_a_date_stays_a_text_as_in_a_policys_version() -> None:
    assert load_template("Version: 2012-10-17", "t.yaml") == {"Version": "2012-10-17"}


def test_a_tag_with_a_colon_is_the_tag() -> None:
    assert load_template("A: !Ref: X", "t.yaml") == {"A": {"Ref": "X"}}


def test_the_last_of_two_equal_keys_stays_as_cloudformation_has_it() -> None:
    assert load_template("A: 1\nA: 2", "t.yaml") == {"A": 2}


_BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a template"),
        ("- 1", "not a template"),
        ("a: [\n b", "t.yaml:3"),
        ("a: b: c", "t.yaml:1"),
        ("a: *nowhere", "not readable as YAML"),
        ("\x00", "not readable"),
        ("[" * 100_000, "not readable|levels deep"),
        ("{" * 100_000, "levels deep"),
        ("a:\n" + "".join(" " * n + "b:\n" for n in range(1, 150)), "levels deep"),
        ("a: &a\n  b: *a", "alias"),
        (_BOMB, "aliases unfold"),
        ("a: " + "x" * LARGEST_BYTES, "larger than"),
    ],
    ids=["empty", "list", "open", "colons", "no anchor", "nul", "brackets", "braces", "deep", "self", "bomb", "large"],
)
def test_hostile_or_broken_text_is_one_clear_refusal(text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said) as refused:
        load_template(text, "t.yaml")

    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("t.yaml")
