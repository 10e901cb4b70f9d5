"""How a rule's weights are divided, and what of a rule is left alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.errors import EdgeChanged, UnreachableGoal
from crossfade.shift.limits import MOST_RULE_WEIGHT
from crossfade.shift.rule import Split, divide, is_sticky, split, with_weights, without_green, writable
from crossfade.shift.share import ALL, NONE, Share

WEIGHTS = st.integers(0, MOST_RULE_WEIGHT)
SHARES = st.integers(0, 10_000).map(Share)
SPLITS = st.builds(
    Split,
    st.none() | WEIGHTS,
    st.none() | WEIGHTS,
    st.dictionaries(st.sampled_from(["x", "y", "z"]), WEIGHTS, max_size=3),
)


def forward(**weights: int) -> dict[str, Any]:
    groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights.items()]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}


@given(found=SPLITS, share=SHARES)
def test_a_division_is_legal_near_and_keeps_others_in_proportion(found: Split, share: Share) -> None:
    try:
        divided = divide(found, share)
    except (UnreachableGoal, EdgeChanged):
        return

    weights = [divided.blue or 0, divided.green or 0, *divided.others.values()]
    assert all(0 <= weight <= MOST_RULE_WEIGHT for weight in weights)
    assert divided.pair > 0
    assert abs(divided.share.bp - share.bp) <= 40
    assert (divided.share == NONE) == (share == NONE)
    assert (divided.share == ALL) == (share == ALL)
    for arn, weight in found.others.items():
        part, now = weight / found.total, divided.others[arn] / divided.total
        assert abs(part - now) <= (0 if found.pair <= MOST_RULE_WEIGHT else 0.002) + 1e-9


@given(share=SHARES)
def test_blue_and_green_alone_can_hold_any_share(share: Share) -> None:
    divided = divide(Split(1, 0, {}), share)

    assert abs(divided.share.bp - share.bp) <= 13


@given(found=SPLITS, shares=st.lists(SHARES, min_size=1, max_size=5))
def test_where_one_climbs_leaves_no_trace_in_what_others_have(found: Split, shares: list[Share]) -> None:
    now = found
    try:
        for share in shares:
            now = divide(now, share)
        direct = divide(found, shares[-1])
    except (UnreachableGoal, EdgeChanged):
        return

    for arn in found.others:
        assert abs(now.others[arn] / now.total - direct.others[arn] / direct.total) <= 0.003


@given(found=SPLITS)
def test_without_green_is_possible_from_anywhere_and_never_leaves_nothing(found: Split) -> None:
    back = without_green(found)

    assert not back.green
    assert back.total > 0
    assert (back.green is None) == (found.green is None)
    assert all(0 <= weight <= MOST_RULE_WEIGHT for weight in [back.blue or 0, *back.others.values()])
    if 0 < found.pair <= MOST_RULE_WEIGHT:
        assert (back.pair, back.others) == (found.pair, found.others)
    assert without_green(back) == back


def test_others_that_serve_a_rule_alone_keep_it() -> None:
    assert without_green(Split(0, 0, {"x": 5})) == Split(0, 0, {"x": 5})


def test_a_pair_with_no_weight_is_not_divided() -> None:
    with pytest.raises(EdgeChanged):
        divide(Split(0, 0, {"x": 5}), Share(100))


def test_an_edge_whose_other_weights_are_too_coarse_says_so() -> None:
    with pytest.raises(UnreachableGoal):
        divide(Split(1, 0, {"x": 999}), Share(100))
    assert divide(Split(1, 0, {"x": 999}), ALL) == Split(0, 1, {"x": 999})


def test_a_single_target_group_is_a_split_of_weight_one() -> None:
    assert split([{"Type": "forward", "TargetGroupArn": "blue"}], blue="blue", green="green") == Split(1, None, {})


def test_a_rule_that_leads_elsewhere_has_no_split() -> None:
    actions = [forward(other=1), {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}]

    assert split(actions, blue="blue", green="green") is None
    assert split(actions, blue="blue", green=None) is None


def test_everything_but_the_two_weights_is_kept_to_the_letter() -> None:
    login = {
        "Type": "authenticate-oidc",
        "Order": 1,
        "AuthenticateOidcConfig": {"Issuer": "https://id.example", "ClientId": "shop", "Scope": "openid"},
    }
    onward = {
        "Type": "forward",
        "Order": 2,
        "ForwardConfig": {
            "TargetGroups": [
                {"TargetGroupArn": "blue", "Weight": 3},
                {"TargetGroupArn": "other", "Weight": 1},
                {"TargetGroupArn": "green", "Weight": 0},
            ],
            "TargetGroupStickinessConfig": {"Enabled": False, "DurationSeconds": 60},
        },
    }

    written = with_weights([login, onward], Split(1, 2, {"other": 1}), blue="blue", green="green")

    assert written[0]["AuthenticateOidcConfig"] == {
        "Issuer": "https://id.example",
        "ClientId": "shop",
        "Scope": "openid",
        "UseExistingClientSecret": True,
    }
    assert (written[0]["Order"], written[1]["Order"]) == (1, 2)
    assert written[1]["ForwardConfig"] == {
        "TargetGroups": [
            {"TargetGroupArn": "blue", "Weight": 1},
            {"TargetGroupArn": "other", "Weight": 1},
            {"TargetGroupArn": "green", "Weight": 2},
        ],
        "TargetGroupStickinessConfig": {"Enabled": False, "DurationSeconds": 60},
    }
    assert "UseExistingClientSecret" not in login["AuthenticateOidcConfig"]  # type: ignore[operator]


def test_a_forward_is_written_in_one_form_only() -> None:
    [written] = writable([{"Type": "forward", "TargetGroupArn": "blue", "Order": 1}])

    assert written == {
        "Type": "forward",
        "Order": 1,
        "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "blue", "Weight": 1}]},
    }


def test_an_end_that_a_rule_does_not_name_is_added() -> None:
    [written] = with_weights([forward(green=7)], Split(7, 0, {}), blue="blue", green="green")

    assert split([written], blue="blue", green="green") == Split(7, 0, {})


def test_a_rule_that_leads_elsewhere_is_not_written() -> None:
    with pytest.raises(EdgeChanged):
        with_weights([forward(other=1)], Split(1, 0, {}), blue="blue", green="green")


@pytest.mark.parametrize(("enabled", "sticky"), [(True, True), (False, False), (None, False)])
def test_stickiness_is_seen(*, enabled: bool | None, sticky: bool) -> None:
    action = forward(blue=1)
    if enabled is not None:
        action["ForwardConfig"]["TargetGroupStickinessConfig"] = {"Enabled": enabled}

    assert is_sticky([action]) is sticky
