"""Blue is kept as it is while a migration is open, and is as it was found afterwards."""

from __future__ import annotations

import pytest

from crossfade.connect.blue import FreezeRequest, FrozenBlue, freeze, protect_again, thaw
from crossfade.connect.memory import MemoryBlues, MemoryScaling
from crossfade.errors import EcsBusy, Fenced
from crossfade.journal.blue import ScalingFound
from crossfade.journal.memory import MemoryJournal
from crossfade.plan.memory import MemoryPlanStore
from tests.traffic import NOON, a_plan, a_record, an_edge

SCALES = ScalingFound(resource_id="service/shop/web", dimension="ecs:service:DesiredCount")


class Shed:
    """A migration that is open, with one blue service."""

    def __init__(self, scales: ScalingFound = SCALES, rebalancing: str | None = "ENABLED") -> None:
        self.journal, self.plans = MemoryJournal(), MemoryPlanStore()
        self.scaling, self.blues = MemoryScaling(scales), MemoryBlues("web", rebalancing=rebalancing)
        self.journal.open(a_record(plan=self.plans.put("plans", "shop.json", a_plan())), [an_edge()])

    def freeze(self, fence: int = 1) -> FrozenBlue:
        request = FreezeRequest(migration="shop", fence=fence)
        return freeze(request, journal=self.journal, plans=self.plans, scaling=self.scaling, blues=self.blues, now=NOON)

    def thaw(self, fence: int = 1, *, keep_scaling: bool = False) -> FrozenBlue:
        request = FreezeRequest(migration="shop", fence=fence)
        return thaw(
            request,
            journal=self.journal,
            scaling=self.scaling,
            blues=self.blues,
            now=NOON,
            keep_scaling=keep_scaling,
        )

    @property
    def looks(self) -> object:
        minutes = {service: dict(held) for service, held in self.blues.protected.items()}
        return self.scaling.found("shop", "web"), dict(self.blues.rebalances), minutes, dict(self.blues.desired)


def test_a_frozen_blue_keeps_its_tasks_and_may_still_grow() -> None:
    shed = Shed()

    shed.freeze()

    [target] = shed.scaling.found("shop", "web")
    assert (target.scaling_in, target.scheduled, target.scaling_out) == (True, True, False)
    assert shed.blues.rebalances == {"web": "DISABLED"}
    assert set(shed.blues.protected["web"].values()) == {120}
    assert shed.blues.desired == {"web": 2}


@pytest.mark.parametrize("rebalancing", ["ENABLED", "DISABLED", None])
@pytest.mark.parametrize("scaling_in", [True, False])
def test_a_thawed_blue_is_as_it_was_found(*, rebalancing: str | None, scaling_in: bool) -> None:
    shed = Shed(SCALES.model_copy(update={"scaling_in": scaling_in}), rebalancing)
    before = shed.looks
    shed.freeze()
    shed.freeze()

    shed.thaw()

    assert shed.looks == before
    assert shed.journal.blues("shop") == ()


def test_what_was_found_is_written_down_before_anything_is_changed() -> None:
    shed = Shed()
    shed.blues.rebalance = _throttled  # type: ignore[method-assign, assignment]

    with pytest.raises(EcsBusy):
        shed.freeze()

    [found] = shed.journal.blues("shop")
    assert (found.scaling, found.rebalancing, found.protected) == ((SCALES,), "ENABLED", ())


def _throttled(*_: object) -> None:
    raise EcsBusy("Rate exceeded")


def test_protection_that_somebody_else_gave_stays_as_it_is() -> None:
    shed = Shed()
    theirs = next(iter(shed.blues.protected["web"]))
    shed.blues.protected["web"][theirs] = 7

    shed.freeze()
    shed.thaw()

    assert sorted(shed.blues.protected["web"].values()) == [0, 7]


def test_protection_is_renewed_for_tasks_that_came_later_too() -> None:
    shed = Shed()
    shed.freeze()
    shed.blues.protected["web"] = {"arn:new": 0}

    remarks = protect_again(shed.journal, "shop", shed.blues)

    assert shed.blues.protected["web"] == {"arn:new": 120}
    assert remarks == ()


def test_a_blue_that_is_gone_has_nothing_to_thaw() -> None:
    shed = Shed()
    shed.freeze()
    del shed.blues.rebalances["web"]

    answer = shed.thaw()

    assert answer.remarks == ("blue service web is not in shop any more",)
    assert shed.journal.blues("shop") == ()


def test_a_stale_executor_freezes_nothing() -> None:
    shed = Shed()
    before = shed.looks
    shed.journal.raise_fence("shop", seen=1, reason="ordered", at=NOON)

    with pytest.raises(Fenced):
        shed.freeze()

    assert shed.looks == before


def test_an_executor_that_is_overtaken_while_it_freezes_thaws_again() -> None:
    shed = Shed()
    before = shed.looks
    protect = shed.blues.protect

    def overtaken(cluster: str, tasks: list[str], minutes: int) -> tuple[str, ...]:
        if minutes:
            shed.journal.raise_fence("shop", seen=1, reason="ordered", at=NOON)
        return protect(cluster, tasks, minutes)

    shed.blues.protect = overtaken  # type: ignore[method-assign, assignment]

    with pytest.raises(Fenced):
        shed.freeze()

    assert shed.looks == before
    assert shed.journal.blues("shop") == ()


def test_a_retired_blue_is_thawed_but_for_its_scaling() -> None:
    shed = Shed()
    shed.freeze()

    shed.thaw(keep_scaling=True)

    [target] = shed.scaling.found("shop", "web")
    assert target.scaling_in
    assert shed.blues.rebalances == {"web": "ENABLED"}
    assert set(shed.blues.protected["web"].values()) == {0}
