"""What the owner's next apply would undo is named, with the patch; silence is no clean answer."""

from __future__ import annotations

import pytest

from crossfade.mesh.model import ListenerRule, Place
from crossfade.shift.share import ALL, NONE, Share
from crossfade_cli.drift import drift
from tests.traffic import a_plan

PLACE = Place("mesh.yaml", "Listener")


def a_rule(**weights: int) -> ListenerRule:
    pairs = tuple((name.replace("_", "-"), weight) for name, weight in weights.items())
    return ListenerRule("front", 80, "default", tuple(name for name, _ in pairs), PLACE, weights=pairs)


def test_code_that_leads_to_blue_alone_would_undo_the_move() -> None:
    compared = drift(a_plan(), [a_rule(web_blue=1)], {"web": ALL})

    [found] = compared.drifts
    assert (found.edge, found.says_bp, found.holds_bp) == ("web", 0, 10_000)
    assert "mesh.yaml" in str(found)
    assert "web-green with weight 100" in found.patch


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        (a_rule(web_blue=0, web_green=1), ALL),
        (a_rule(web_green=1), ALL),
        (a_rule(web_blue=1), NONE),
        (a_rule(web_blue=75, web_green=25), Share(2_500)),
    ],
)
def test_code_that_says_what_holds_is_clean(rule: ListenerRule, holds: Share) -> None:
    compared = drift(a_plan(), [rule], {"web": holds})

    assert (compared.drifts, compared.unseen) == ((), ())


def test_an_edge_of_which_the_code_says_nothing_is_named() -> None:
    compared = drift(a_plan(), [a_rule(other=1)], {"web": ALL})

    assert compared.unseen == ("web",)
