"""Before its first share green is asked alone, at its entry and through staging, where the plan says so."""

from __future__ import annotations

import pytest

from crossfade.errors import GreenNotReady
from crossfade.judge.probing import MemoryProber
from crossfade.judge.reading import Count
from crossfade.phases import Phase
from crossfade.plan.edges import CdnRef, EdgePlan, Probe, Rung
from crossfade.shift.share import Share
from crossfade.shift.staging import TEST_HEADER
from tests.traffic import an_edge_plan
from tests.unit.green.world import World, a_shop

STAGED = Probe(url="https://green.example/", staging_url="https://shop.example/cart", per_look=3)


def a_staged_edge(probe: Probe | None = STAGED) -> EdgePlan:
    cdn = CdnRef(distribution_id="E1", origin_id="app", green_domain="green.example", green_load_balancer="front-green")
    return an_edge_plan(
        kind="cloudfront", rules=(), cdn=cdn, probe=probe, ladder=(Rung(share_bp=500, soak_seconds=60),)
    )


class ThroughStaging(MemoryProber):
    """Answers as it was told to, but at green's own entry, where it is well."""

    def ask(self, probe: Probe) -> Count:
        return super().ask(probe) if TEST_HEADER in probe.headers else Count(probe.per_look, 0)


def a_world_of(edge: EdgePlan, *answers: int | None) -> World:
    world = World(a_shop(edges=(edge,)))
    world.make_green()
    world.prober = ThroughStaging(*answers) if edge.cdn is not None else MemoryProber(*answers)
    return world


def test_green_that_answers_through_staging_is_ready() -> None:
    world = a_world_of(a_staged_edge(), 200, 404, 302)

    world.verify()

    [asked] = world.prober.asked
    assert (asked.url, asked.per_look) == ("https://shop.example/cart", 3)
    assert asked.headers == {"aws-cf-cd-crossfade": "web"}
    assert world.journal.read("shop").phase == Phase.READY


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ((200, 503, 200), "3 were answered, 1 of them with 5xx"),
        ((200, None, 200), "2 were answered, 0 of them"),
        ((None,), "0 were answered"),
    ],
)
def test_green_that_fails_through_staging_is_not_ready_until_it_answers(
    answers: tuple[int | None, ...], reason: str
) -> None:
    world = a_world_of(a_staged_edge(), *answers)

    with pytest.raises(GreenNotReady, match=rf"edge web: of 3 requests through staging to \S+ {reason}"):
        world.verify()

    assert world.journal.read("shop").phase == Phase.CREATING
    world.prober = ThroughStaging(200)
    world.verify()
    assert world.journal.read("shop").phase == Phase.READY


@pytest.mark.parametrize("edge", [a_staged_edge(None), an_edge_plan()], ids=["cloudfront", "alb"])
def test_where_the_plan_names_no_entry_of_greens_nothing_is_asked(edge: EdgePlan) -> None:
    world = a_world_of(edge, 503)

    world.verify()

    assert world.prober.asked == []


ENTRY = an_edge_plan(probe=Probe(url="https://green.example/cart", per_look=3))


def test_green_that_answers_at_its_own_entry_is_ready() -> None:
    world = a_world_of(ENTRY, 200, 404, 302)

    verified = world.verify()

    assert [asked.url for asked in world.prober.asked] == ["https://green.example/cart"]
    assert verified.remarks == ()
    assert world.journal.read("shop").phase == Phase.READY


@pytest.mark.parametrize(
    ("answers", "reason"),
    [((200, 503, 200), "3 were answered, 1 of them with 5xx"), ((200, None, 200), "2 were answered, 0 of them")],
)
def test_green_that_fails_at_its_own_entry_is_not_ready(answers: tuple[int | None, ...], reason: str) -> None:
    world = a_world_of(ENTRY, *answers)

    with pytest.raises(GreenNotReady, match=rf"edge web: of 3 requests to green at \S+ {reason}"):
        world.verify()

    assert world.journal.read("shop").phase == Phase.CREATING


def test_an_entry_that_cannot_be_reached_from_here_is_remarked_on_and_no_evidence() -> None:
    world = a_world_of(ENTRY, None)

    verified = world.verify()

    [remark] = verified.remarks
    assert remark.startswith("edge web: of 3 requests to green at https://green.example/cart none was answered")
    assert world.journal.entries("shop")[-2].detail["remarks"] == [remark]


def test_staging_is_asked_only_once_it_is_everywhere() -> None:
    world = a_world_of(a_staged_edge(), 503)
    world.edges.slow = "edge web: distribution E2 is InProgress"

    with pytest.raises(GreenNotReady, match="E2 is InProgress"):
        world.verify()

    assert world.prober.asked == []


def test_once_a_weight_leads_to_blue_too_staging_is_not_asked() -> None:
    world = a_world_of(a_staged_edge(), 503)
    world.edges.laid["web"].rules["policy"] = Share(500)

    world.verify()

    assert world.prober.asked == []
