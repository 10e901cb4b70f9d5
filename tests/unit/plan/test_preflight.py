"""What would fail later is refused before anything is touched, all of it at once and each with its mend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from crossfade.errors import Fenced, PreflightRefused
from crossfade.judge.memory import MemoryAlarms
from crossfade.plan.preflight import PreflightPassed, PreflightRequest, check_preflight
from crossfade.shift.share import Share
from tests.traffic import NOON
from tests.unit.connect.green import World


class Preflight:
    """A migration that is opened and may begin."""

    def __init__(self) -> None:
        self.world = World()
        self.alarms: Any = MemoryAlarms({"shop-errors": "OK"})

    def check(self, *, fence: int = 1) -> PreflightPassed:
        return check_preflight(
            PreflightRequest(migration="shop", fence=fence),
            journal=self.world.journal,
            plans=self.world.plans,
            services=self.world.services,
            edges=self.world.edges,
            alarms=self.alarms,
            now=NOON,
        )


def test_a_sound_start_passes_and_says_what_was_looked_at() -> None:
    passed = Preflight().check()

    assert passed.checks == (
        "alarm shop-errors: exists and is not in ALARM",
        "blue service web: runs all the tasks it wants",
        "blue service orders: runs all the tasks it wants",
        "edge web: blue has healthy targets",
        "edge web: holds the weights the migration opened with",
    )


def give_green_a_share(preflight: Preflight) -> None:
    laid = preflight.world.edges.laid["web"]
    laid.rules = dict.fromkeys(laid.rules, Share(100))


def drain_blue(preflight: Preflight) -> None:
    preflight.world.services.drain("shop", "orders")


def change_the_way_back(preflight: Preflight) -> None:
    edge = preflight.world.journal.edge("shop", "web")
    other = edge.way_back[0].model_copy(update={"arguments": {"RuleArn": "front/80/default", "Actions": []}})
    preflight.world.journal.put_edge(edge.model_copy(update={"way_back": (other,)}), fence=1)


def let_codedeploy_shift(preflight: Preflight) -> None:
    services = preflight.world.services._services
    services["shop", "web"] = replace(services["shop", "web"], shifted_by="CodeDeploy")


TROUBLES: dict[str, tuple[Callable[[Preflight], object], str, str]] = {
    "an alarm that rings": (
        lambda p: p.alarms.found.update({"shop-errors": "ALARM"}),
        "alarm shop-errors: is in ALARM already",
        "mend what it watches first",
    ),
    "an alarm that is gone": (
        lambda p: p.alarms.found.clear(),
        "alarm shop-errors: does not exist",
        "create it, or draw the plan without it",
    ),
    "a blue that is short": (
        lambda p: p.world.services.run("shop", "web", 1),
        "blue service web: runs 1 of 2 tasks",
        "bring it to full strength first",
    ),
    "a blue that somebody else shifts": (
        let_codedeploy_shift,
        "blue service web: CodeDeploy moves its traffic",
        "give it a rolling deployment",
    ),
    "a blue that is gone": (
        lambda p: p.world.services._services.pop(("shop", "orders")),
        "blue service orders: is not in cluster shop",
        "draw the plan again",
    ),
    "a blue that is being deleted": (drain_blue, "blue service orders: is DRAINING", "draw the plan again"),
    "a cluster that is gone": (
        lambda p: p.world.services._clusters.clear(),
        "blue service web: there is no cluster shop",
        "name the cluster as AWS does",
    ),
    "a blue without a healthy target": (
        lambda p: p.world.edges.healthy.clear(),
        "edge web: blue has no healthy target",
        "mend it first",
    ),
    "a green that holds a share already": (
        give_green_a_share,
        "edge web: green holds a share already",
        "set it as it should be",
    ),
    "weights that were changed": (
        change_the_way_back,
        "edge web: it was changed since the migration opened",
        "set it as it should be",
    ),
    "a rule that is gone": (
        lambda p: p.world.edges.laid["web"].rules.clear(),
        "edge web: edge web: rules are gone",
        "set it as it should be",
    ),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_trouble_is_refused_with_its_name_and_its_mend(name: str) -> None:
    cause, refusal, mend = TROUBLES[name]
    preflight = Preflight()
    cause(preflight)

    with pytest.raises(PreflightRefused) as refused:
        preflight.check()

    assert refusal in str(refused.value)
    assert mend in str(refused.value)
    note = preflight.world.journal.entries("shop")[-1]
    assert (note.what, bool(note.detail["refused"])) == ("preflight", True)


def test_all_refusals_are_named_at_once() -> None:
    preflight = Preflight()
    preflight.alarms.found.clear()
    preflight.world.services.run("shop", "web", 1)
    preflight.world.edges.healthy.clear()

    with pytest.raises(PreflightRefused) as refused:
        preflight.check()

    assert str(refused.value).count(" | ") == 2


def test_it_touches_nothing() -> None:
    preflight = Preflight()
    before = len(preflight.world.services.created)

    preflight.check()

    assert len(preflight.world.services.created) == before
    assert preflight.world.edges.tags == {}
    assert preflight.world.namespaces.tags == {}


def test_a_stale_executor_is_refused() -> None:
    preflight = Preflight()
    preflight.world.journal.raise_fence("shop", seen=1, reason="an alarm", at=NOON)

    with pytest.raises(Fenced):
        preflight.check(fence=1)
