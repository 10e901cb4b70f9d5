"""What every edge promises, asked of each kind on the embedded AWS and of the one in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossfade.errors import (
    BlueUnhealthy,
    CrossfadeError,
    EdgeChanged,
    EdgeOwned,
    GreenNotReady,
    UnknownEdge,
    UnreachableGoal,
)
from crossfade.journal.edges import AlbRule, EdgeRecord, FoundEdge, Route53Edge, Route53Record
from crossfade.plan.edges import EdgePlan, RecordRef, RuleRef
from crossfade.plan.services import TargetGroupRef
from crossfade.shift.memory import MemoryEdges
from crossfade.shift.share import ALL, NONE, Share
from crossfade.shift.shifter import Edges, TrafficShifter
from rehearsal.aws import in_process
from rehearsal.aws.cloudfront import lose_distribution
from tests.cdn import Cdn
from tests.load_balancer import LoadBalancer, NetworkLoadBalancer, forward
from tests.traffic import an_edge_plan
from tests.zone import Zone

PLAN = an_edge_plan(
    rules=(
        RuleRef(load_balancer="front", listener_port=80, priority="default"),
        RuleRef(load_balancer="front", listener_port=80, priority="10"),
    )
)
MISPLANNED = tuple(
    PLAN.model_copy(update={"rules": rules})
    for rules in (PLAN.rules[:1], (*PLAN.rules, RuleRef(load_balancer="front", listener_port=443, priority="default")))
)
TAGS = {"crossfade:migration": "shop"}


class World(Protocol):
    """
    An account with the plan's edge, and hands that are not ours.

    `misplanned` are plans that describe the edge otherwise than it is; `rules` is how many rules it has, `requests`
    how many calls lead back.
    """

    edges: Edges
    plan: EdgePlan
    misplanned: tuple[EdgePlan, ...]
    rules: int
    requests: int

    def reaches(self, share: Share) -> bool: ...

    def set_healthy(self, edge: FoundEdge, colour: str, count: int) -> None: ...

    def drift(self, edge: FoundEdge, rule: int, share: Share) -> None: ...

    def drop_green(self, edge: FoundEdge, rule: int) -> None: ...

    def delete_rule(self, edge: FoundEdge) -> None: ...


class AnyShare:
    rules = 2

    def reaches(self, share: Share) -> bool:
        return share >= NONE


class MemoryWorld(AnyShare):
    plan = PLAN
    misplanned = MISPLANNED
    requests = 2

    def __init__(self) -> None:
        self.account = MemoryEdges.of(PLAN)
        self.edges: Edges = self.account

    def set_healthy(self, edge: FoundEdge, colour: str, count: int) -> None:
        arn = edge.resolved.blue_arn if colour == "blue" else edge.resolved.green_arn
        self.account.healthy[str(arn)] = count

    def drift(self, edge: FoundEdge, rule: int, share: Share) -> None:
        self.account.laid["web"].rules[edge.resolved.rules[rule].arn] = share

    def drop_green(self, edge: FoundEdge, rule: int) -> None:
        self.account.laid["web"].rules[edge.resolved.rules[rule].arn] = None

    def delete_rule(self, edge: FoundEdge) -> None:
        del self.account.laid["web"].rules[edge.resolved.rules[1].arn]


class AlbWorld(AnyShare):
    plan = PLAN
    misplanned = MISPLANNED
    requests = 2

    def __init__(self) -> None:
        self.front = LoadBalancer()
        self.edges: Edges = self.front.edges

    def set_healthy(self, edge: FoundEdge, colour: str, count: int) -> None:
        self.front.set_healthy(edge.resolved.blue_arn if colour == "blue" else str(edge.resolved.green_arn), count)

    def drift(self, edge: FoundEdge, rule: int, share: Share) -> None:
        self.front.give(edge.resolved.rules[rule].arn, str(edge.resolved.green_arn), share)

    def drop_green(self, edge: FoundEdge, rule: int) -> None:
        arn = edge.resolved.rules[rule].arn
        self.front.put(arn, {"Type": "forward", "TargetGroupArn": edge.resolved.blue_arn})

    def delete_rule(self, edge: FoundEdge) -> None:
        rule = next(rule for rule in edge.resolved.rules if isinstance(rule, AlbRule) and not rule.is_default)
        self.front.client.delete_rule(RuleArn=rule.arn)


class NlbWorld(AnyShare):
    requests = 2
    plan: EdgePlan = PLAN.model_copy(
        update={
            "kind": "nlb",
            "rules": (
                RuleRef(load_balancer="flows", listener_port=80, priority="default"),
                RuleRef(load_balancer="flows", listener_port=443, priority="default"),
            ),
        }
    )
    misplanned: tuple[EdgePlan, ...] = (
        plan.model_copy(update={"rules": plan.rules[:1]}),
        plan.model_copy(update={"kind": "alb"}),
    )

    def __init__(self) -> None:
        self.flows = NetworkLoadBalancer()
        self.edges: Edges = self.flows.edges

    def set_healthy(self, edge: FoundEdge, colour: str, count: int) -> None:
        self.flows.set_healthy(edge.resolved.blue_arn if colour == "blue" else str(edge.resolved.green_arn), count)

    def drift(self, edge: FoundEdge, rule: int, share: Share) -> None:
        self.flows.give(edge.resolved.rules[rule].arn, str(edge.resolved.green_arn), share)

    def drop_green(self, edge: FoundEdge, rule: int) -> None:
        self.flows.put(edge.resolved.rules[rule].arn, forward({edge.resolved.blue_arn: 1}))

    def delete_rule(self, edge: FoundEdge) -> None:
        self.flows.client.delete_listener(ListenerArn=edge.resolved.rules[1].arn)


class Route53World(AnyShare):
    requests = 1

    def __init__(self) -> None:
        self.zone = Zone()
        self.edges: Edges = self.zone.edges
        self.plan = self.zone.plan
        dns = self.zone.dns
        self.misplanned = tuple(
            self.plan.model_copy(update={"dns": dns.model_copy(update={"records": records})})
            for records in (dns.records[:1], (*dns.records, RecordRef(name="other.shop.example", type="A")))
        )

    def set_healthy(self, edge: FoundEdge, colour: str, count: int) -> None:
        self.zone.front.set_healthy(edge.resolved.blue_arn if colour == "blue" else str(edge.resolved.green_arn), count)

    def drift(self, edge: FoundEdge, rule: int, share: Share) -> None:
        units = share.bp // 40
        self.zone.give(_record(edge, rule), blue=250 - units, green=units)

    def drop_green(self, edge: FoundEdge, rule: int) -> None:
        kept = _record(edge, rule)
        self.zone.put(kept.name, kept.type, kept.found)

    def delete_rule(self, edge: FoundEdge) -> None:
        self.zone.put(_record(edge, 1).name, _record(edge, 1).type)


class CloudFrontWorld:
    rules = 1
    requests = 1

    def __init__(self) -> None:
        self.cdn = Cdn()
        self.edges: Edges = self.cdn.edges
        self.plan = self.cdn.plan
        self.misplanned: tuple[EdgePlan, ...] = (
            self.plan.model_copy(update={"cdn": self.cdn.ref.model_copy(update={"origin_id": "no"})}),
        )

    def reaches(self, share: Share) -> bool:
        return share in {NONE, ALL} or (abs(share.bp - max(100, round(share.bp, -2))) <= 40 and share < Share(1_541))

    def set_healthy(self, edge: FoundEdge, colour: str, count: int) -> None:
        self.cdn.front.set_healthy(edge.resolved.blue_arn if colour == "blue" else str(edge.resolved.green_arn), count)

    def drift(self, edge: FoundEdge, rule: int, share: Share) -> None:  # noqa: ARG002  (it has one)
        self.cdn.give(edge, min(0.15, share.bp // 100 / 100))

    def drop_green(self, edge: FoundEdge, rule: int) -> None:  # noqa: ARG002
        self.cdn.detach()

    def delete_rule(self, edge: FoundEdge) -> None:  # noqa: ARG002
        lose_distribution(self.cdn.id)


def _record(edge: FoundEdge, rule: int) -> Route53Record:
    assert isinstance(edge.resolved, Route53Edge)
    return edge.resolved.rules[rule]


WORLDS: dict[str, Callable[[], World]] = {
    "memory": MemoryWorld,
    "alb": AlbWorld,
    "nlb": NlbWorld,
    "route53": Route53World,
    "cloudfront": CloudFrontWorld,
}


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with in_process():
        yield WORLDS[request.param]()


@pytest.fixture
def edge(world: World) -> EdgeRecord:
    """An edge with a healthy green end that holds nothing."""
    made = world.edges.make_green_end(world.edges.find(world.plan).owned_by("shop"), "web-green", TAGS)
    world.set_healthy(made, "green", 2)
    return made


@pytest.fixture
def shifter(world: World, edge: EdgeRecord) -> TrafficShifter:
    return world.edges.shifter(edge)


# -- finding, and green's end ----------------------------------------------------


def test_an_edge_is_found_with_every_rule_that_leads_to_blue(world: World) -> None:
    found = world.edges.find(world.plan)

    assert found.name == "web"
    assert (len(found.resolved.rules), len(found.way_back)) == (world.rules, world.requests)
    assert found.resolved.green_arn is None
    assert (found.ceiling_bp, found.settle_seconds) == (world.plan.ceiling_bp, world.plan.settle_seconds)
    assert world.edges.healthy_targets(found.resolved.blue_arn) == 2


def test_an_untouched_edge_has_nothing_around_it_that_would_stop_it(world: World) -> None:
    found = world.edges.find(world.plan).model_copy(update={"settle_seconds": 350})

    assert [finding.refused for finding in world.edges.check(found, scaled=False) if finding.refused] == []


def test_an_edge_otherwise_than_planned_is_refused(world: World) -> None:
    for plan in world.misplanned:
        with pytest.raises(EdgeChanged):
            world.edges.find(plan)


def test_an_edge_that_leads_to_no_such_target_group_is_unknown(world: World) -> None:
    with pytest.raises(UnknownEdge):
        world.edges.find(world.plan.model_copy(update={"blue": TargetGroupRef(name="nobody")}))


def test_greens_end_is_made_without_a_share_and_once(world: World) -> None:
    found = world.edges.find(world.plan).owned_by("shop")

    first = world.edges.make_green_end(found, "web-green", TAGS)
    second = world.edges.make_green_end(found, "web-green", TAGS)
    third = world.edges.make_green_end(first, "web-green", TAGS)

    assert first == second == third
    assert first.resolved.green_arn is not None
    assert world.edges.shifter(first).green() == NONE
    assert world.edges.healthy_targets(first.resolved.green_arn) == 0
    assert world.edges.find(world.plan).resolved.green_arn == first.resolved.green_arn


def test_a_target_group_of_somebody_else_does_not_become_greens_end(world: World) -> None:
    found = world.edges.find(world.plan).owned_by("shop")
    world.edges.make_green_end(found, "web-green", {"crossfade:migration": "other"})

    with pytest.raises(EdgeOwned):
        world.edges.make_green_end(found, "web-green", TAGS)


def test_an_edge_on_which_green_serves_already_is_not_taken(world: World, shifter: TrafficShifter) -> None:
    shifter.set_green(Share(100))

    with pytest.raises(EdgeChanged):
        world.edges.find(world.plan)


# -- forward ------------------------------------------------------------------------


@pytest.mark.parametrize("percent", [0, 0.5, 1, 5, 12.5, 33.3, 50, 95, 99.5, 100])
def test_the_share_reported_is_the_share_held(world: World, shifter: TrafficShifter, percent: float) -> None:
    wanted = Share.percent(percent)
    if not world.reaches(wanted):
        with pytest.raises(UnreachableGoal):
            shifter.set_green(wanted)
        return

    held = shifter.set_green(wanted)

    assert shifter.green() == held
    assert shifter.shares() == (held,) * world.rules
    assert abs(held.bp - wanted.bp) <= 40


@pytest.mark.parametrize("bp", [1, 9_999])
def test_the_smallest_share_is_not_nothing_and_the_largest_not_all(
    world: World, shifter: TrafficShifter, bp: int
) -> None:
    if not world.reaches(Share(bp)):
        with pytest.raises(UnreachableGoal):
            shifter.set_green(Share(bp))
        return

    held = shifter.set_green(Share(bp))

    assert NONE < held < ALL
    assert abs(held.bp - bp) <= 40


def test_an_edge_says_how_far_and_how_fast_it_goes(world: World, edge: EdgeRecord) -> None:
    limited = edge.model_copy(update={"ceiling_bp": 1_500, "settle_seconds": 7})
    shifter = world.edges.shifter(limited)

    assert (shifter.ceiling, shifter.settle.total_seconds()) == (Share(1_500), 7)
    with pytest.raises(UnreachableGoal):
        shifter.set_green(Share(1_501))
    assert shifter.green() == NONE


def test_green_without_a_healthy_target_gets_nothing(world: World, edge: EdgeRecord, shifter: TrafficShifter) -> None:
    world.set_healthy(edge, "green", 0)

    with pytest.raises(GreenNotReady):
        shifter.set_green(Share(100))

    assert shifter.shares() == (NONE,) * world.rules


def test_blue_without_a_healthy_target_keeps_nothing_new(
    world: World, edge: EdgeRecord, shifter: TrafficShifter
) -> None:
    world.set_healthy(edge, "blue", 0)

    with pytest.raises(BlueUnhealthy):
        shifter.set_green(Share(100))

    assert shifter.shares() == (NONE,) * world.rules
    assert shifter.set_green(ALL) == ALL


def test_a_shift_cut_short_between_two_rules_is_completed_by_repeating_it(
    world: World, edge: EdgeRecord, shifter: TrafficShifter
) -> None:
    _needs_two_rules(world)
    world.drift(edge, 0, Share(1_000))

    with pytest.raises(EdgeChanged):
        shifter.green()
    held = shifter.set_green(Share(1_000))

    assert shifter.shares() == (held, held)


def test_rules_that_disagree_are_nobody_elses_business_to_settle(
    world: World, edge: EdgeRecord, shifter: TrafficShifter
) -> None:
    _needs_two_rules(world)
    world.drift(edge, 0, Share(1_000))
    world.drift(edge, 1, Share(2_000))

    with pytest.raises(EdgeChanged):
        shifter.set_green(Share(5_000))

    assert shifter.shares() == (Share(1_000), Share(2_000))


def test_a_rule_that_lost_its_green_end_stops_the_climb(
    world: World, edge: EdgeRecord, shifter: TrafficShifter
) -> None:
    shifter.set_green(Share(1_000))
    world.drop_green(edge, 1)

    for onward in (shifter.green, lambda: shifter.set_green(Share(100))):
        with pytest.raises(EdgeChanged):
            onward()


def test_a_rule_that_is_gone_stops_the_climb(world: World, edge: EdgeRecord, shifter: TrafficShifter) -> None:
    world.delete_rule(edge)

    for onward in (shifter.green, shifter.way_back, lambda: shifter.set_green(Share(100))):
        with pytest.raises(EdgeChanged):
            onward()


def test_an_edge_without_a_green_end_is_not_shifted(world: World) -> None:
    shifter = world.edges.shifter(world.edges.find(world.plan))

    with pytest.raises(EdgeChanged):
        shifter.set_green(Share(100))
    assert shifter.withdraw() == NONE


# -- back -----------------------------------------------------------------------------


def test_withdrawing_gives_all_to_blue_any_number_of_times(shifter: TrafficShifter) -> None:
    shifter.set_green(Share(1_000))

    assert shifter.withdraw() == NONE
    assert shifter.withdraw() == NONE
    assert shifter.green() == NONE


def test_the_way_back_of_an_untouched_edge_is_the_one_that_was_kept(edge: EdgeRecord, shifter: TrafficShifter) -> None:
    assert shifter.way_back() == edge.way_back


def test_withdrawing_works_from_rules_that_disagree(world: World, edge: EdgeRecord, shifter: TrafficShifter) -> None:
    _needs_two_rules(world)
    world.drift(edge, 0, Share(1_000))
    world.drift(edge, 1, ALL)

    assert shifter.withdraw() == NONE
    assert shifter.shares() == (NONE,) * world.rules


def test_withdrawing_works_when_a_rule_lost_its_green_end(
    world: World, edge: EdgeRecord, shifter: TrafficShifter
) -> None:
    shifter.set_green(Share(1_000))
    world.drop_green(edge, 0)

    assert shifter.withdraw() == NONE
    assert set(shifter.shares()) == {NONE}


def test_withdrawing_works_when_a_rule_is_gone(world: World, edge: EdgeRecord, shifter: TrafficShifter) -> None:
    shifter.set_green(Share(1_000))
    world.delete_rule(edge)

    assert shifter.withdraw() == NONE
    assert shifter.shares() == (NONE,) * (world.rules - 1)


def test_nothing_is_given_back_to_a_blue_that_cannot_take_it(
    world: World, edge: EdgeRecord, shifter: TrafficShifter
) -> None:
    held = shifter.set_green(Share(1_000))
    world.set_healthy(edge, "blue", 0)

    with pytest.raises(BlueUnhealthy):
        shifter.withdraw()

    assert shifter.green() == held


def test_with_nothing_to_give_back_blues_health_is_not_asked(
    world: World, edge: EdgeRecord, shifter: TrafficShifter
) -> None:
    world.set_healthy(edge, "blue", 0)

    assert shifter.withdraw() == NONE


def test_an_unhealthy_green_does_not_hinder_the_way_back(
    world: World, edge: EdgeRecord, shifter: TrafficShifter
) -> None:
    shifter.set_green(ALL)
    world.set_healthy(edge, "green", 0)

    assert shifter.withdraw() == NONE


def _needs_two_rules(world: World) -> None:
    if world.rules == 1:
        pytest.skip("rules of which there is one cannot disagree")


# -- always ------------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.integers(0, 10_000).map(lambda bp: ("set", bp)),
        st.just(("withdraw", 0)),
        st.tuples(st.sampled_from(["blue", "green"]), st.integers(0, 2)),
        st.tuples(st.just("drift"), st.integers(0, 10_000)),
    ),
    max_size=12,
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(steps=STEPS)
def test_no_sequence_of_steps_gives_a_share_to_an_end_without_a_healthy_target(steps: list[tuple[str, int]]) -> None:
    _walk(MemoryWorld(), steps)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(steps=STEPS)
def test_no_sequence_of_steps_does_so_on_a_load_balancer_either(steps: list[tuple[str, int]]) -> None:
    with in_process():
        _walk(AlbWorld(), steps)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(steps=STEPS)
def test_no_sequence_of_steps_does_so_in_a_zone_either(steps: list[tuple[str, int]]) -> None:
    with in_process():
        _walk(Route53World(), steps)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(steps=STEPS)
def test_no_sequence_of_steps_does_so_at_a_distribution_either(steps: list[tuple[str, int]]) -> None:
    with in_process():
        _walk(CloudFrontWorld(), steps)


def _walk(world: World, steps: list[tuple[str, int]]) -> None:
    edge = world.edges.make_green_end(world.edges.find(world.plan).owned_by("shop"), "web-green", TAGS)
    shifter = world.edges.shifter(edge)
    healthy = {"blue": 2, "green": 0}
    for what, number in steps:
        before = shifter.shares()
        try:
            if what == "set":
                after = shifter.set_green(Share(number))
                assert set(shifter.shares()) == {after}
                assert abs(after.bp - number) <= 40
            elif what == "withdraw":
                assert shifter.withdraw() == NONE
                assert set(shifter.shares()) == {NONE}
            elif what == "drift":
                world.drift(edge, 1, Share(number // 20 * 20))
                continue
            else:
                healthy[what] = number
                world.set_healthy(edge, what, number)
        except CrossfadeError:
            assert shifter.shares() == before
        for old, new in zip(before, shifter.shares(), strict=True):
            assert new <= old or healthy["green"] > 0
            assert new >= old or healthy["blue"] > 0
