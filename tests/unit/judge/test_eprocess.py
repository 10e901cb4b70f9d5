"""What evidence promises that may be looked at as often as one likes, held against exact sums and seeded worlds."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import product
from math import comb, exp, log, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.judge import eprocess
from crossfade.judge.reading import Count

ALPHA = 0.05
RUNS = 250
LOOKS = 40


def binomial(hits: int, tries: int, chance: float) -> float:
    return comb(tries, hits) * chance**hits * (1 - chance) ** (tries - hits)


def most_by_chance(runs: int, chance: float, *, beyond: float = 1e-6) -> int:
    """Return the largest count that is not yet rarer than `beyond`, summed exactly."""
    tail = 0.0
    for hits in range(runs, -1, -1):
        tail += binomial(hits, runs, chance)
        if tail > beyond:
            return hits
    raise AssertionError


counts = st.integers(0, 2000).flatmap(lambda n: st.builds(Count, st.just(n), st.integers(0, n)))


# -- compare -------------------------------------------------------------------


def test_without_traffic_there_is_no_evidence() -> None:
    silent = [(Count(0, 0), Count(0, 0))] * 1000

    assert eprocess.compare(silent) == 0.0


@pytest.mark.parametrize("idle", [(Count(500, 400), Count(0, 0)), (Count(0, 0), Count(500, 400))])
def test_one_colour_alone_is_no_evidence(idle: tuple[Count, Count]) -> None:
    assert eprocess.compare([idle] * 50) == 0.0


def test_an_outage_that_both_share_is_no_evidence_against_green() -> None:
    outage = [(Count(950, 475), Count(50, 25))] * 120

    assert eprocess.compare(outage) < 0


def test_a_green_that_fails_a_fifth_is_caught_in_one_minute() -> None:
    minute = [(Count(1140, 1), Count(60, 12))]

    assert eprocess.compare(minute) >= log(1 / 0.001)


def test_a_green_better_than_blue_is_never_evidence_against_it() -> None:
    assert eprocess.compare([(Count(500, 50), Count(500, 1))] * 20) < 0


@pytest.mark.parametrize("weight", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("errors", [1, 2, 5])
def test_its_mean_is_one_whatever_green_holds_summed_over_all_that_can_happen(weight: float, errors: int) -> None:
    # Given the totals, who failed is binomial in green's part when green is as good as blue.
    requests = 2000
    green = round(requests * weight)

    mean = sum(
        binomial(hits, errors, green / requests)
        * exp(eprocess.compare([(Count(requests - green, errors - hits), Count(green, hits))]))
        for hits in range(errors + 1)
    )

    assert mean == pytest.approx(1.0, abs=1e-9)


@given(st.lists(st.tuples(counts, counts), max_size=8))
def test_evidence_does_not_depend_on_the_order_of_the_buckets(pairs: list[tuple[Count, Count]]) -> None:
    assert eprocess.compare(pairs) == pytest.approx(eprocess.compare(pairs[::-1]))


def a_healthy_day(seed: int) -> Iterator[tuple[Count, Count]]:
    """Two sides equally good, under changing weights, a load that swings, and outages they share."""
    chance = random.Random(seed)
    for look in range(LOOKS):
        weight = (0.05, 0.25, 0.5, 0.95)[look * 4 // LOOKS]
        load = 300 + 250 * (look % 20) / 20
        rate = 0.3 if 20 <= look < 25 else 0.01
        green, blue = round(load * weight), round(load * (1 - weight))
        yield Count(blue, hits(chance, blue, rate)), Count(green, hits(chance, green, rate))


def hits(chance: random.Random, tries: int, rate: float) -> int:
    """Draw a binomial count by jumping from hit to hit."""
    at, found = -1, -1
    while at < tries:
        at += 1 + int(log(1 - chance.random()) / log(1 - rate))
        found += 1
    return found


def ever(rule: Callable[[list[tuple[Count, Count]]], bool], seed: int) -> bool:
    seen: list[tuple[Count, Count]] = []
    for pair in a_healthy_day(seed):
        seen.append(pair)
        if rule(seen):
            return True
    return False


def e_process(seen: list[tuple[Count, Count]]) -> bool:
    return eprocess.compare(seen) >= log(1 / ALPHA)


def z_test_each_look(seen: list[tuple[Count, Count]]) -> bool:
    """The rule this one replaces: a one-sided test at the same alpha, asked anew at each look."""
    blue, green = seen[-1]
    pooled = (blue.errors + green.errors) / (blue.requests + green.requests)
    spread = sqrt(pooled * (1 - pooled) * (1 / blue.requests + 1 / green.requests))
    return spread > 0 and (green.errors / green.requests - blue.errors / blue.requests) / spread > 1.645


def test_a_green_as_good_as_blue_is_wrongly_blamed_no_more_often_than_alpha_however_often_one_looks() -> None:
    blamed = sum(ever(e_process, seed) for seed in range(RUNS))

    assert blamed <= most_by_chance(RUNS, ALPHA)


def test_the_same_world_shows_up_a_rule_that_does_not_mind_how_often_it_looks() -> None:
    blamed = sum(ever(z_test_each_look, seed) for seed in range(100))

    assert blamed > most_by_chance(100, ALPHA)


# -- breach --------------------------------------------------------------------


def test_a_green_within_its_slo_is_no_evidence_and_one_far_beyond_is() -> None:
    assert eprocess.breach([Count(6000, 60)], slo_error_rate=0.02) < 0
    assert eprocess.breach([Count(600, 60)], slo_error_rate=0.02) >= log(1 / 0.001)


def test_at_the_slo_itself_the_mean_is_one() -> None:
    requests, slo = 60, 0.02

    mean = sum(
        binomial(hits, requests, slo) * exp(eprocess.breach([Count(requests, hits)], slo_error_rate=slo))
        for hits in range(requests + 1)
    )

    assert mean == pytest.approx(1.0, abs=1e-9)


# -- safe ----------------------------------------------------------------------


@pytest.mark.parametrize("excess", [0.0, 0.02, 0.2])
def test_a_green_worse_than_the_tolerance_gains_nothing_on_average(excess: float) -> None:
    # Blue shows no error; its believed rate is then 1/200 in the first bucket and 1/240 in the second.
    blue, tolerance, served = Count(40, 0), 0.01, 12
    rates = [1 / 200 + tolerance + excess, 1 / 240 + tolerance + excess]

    mean = sum(
        binomial(first, served, rates[0])
        * binomial(second, served, rates[1])
        * exp(eprocess.safe([(blue, Count(served, first)), (blue, Count(served, second))], tolerance=tolerance))
        for first, second in product(range(served + 1), repeat=2)
    )

    assert mean <= 1.0 + 1e-9


def test_no_bucket_of_blue_is_the_yardstick_of_its_own_bucket_of_green() -> None:
    green = Count(100, 3)

    assert eprocess.safe([(Count(10, 0), green)], tolerance=0.01) == eprocess.safe(
        [(Count(10, 10), green)], tolerance=0.01
    )


@given(st.integers(0, 300), st.sampled_from([0.001, 0.01, 0.05, 0.3]))
def test_the_requests_said_to_be_missing_are_enough_and_one_fewer_is_not(served: int, tolerance: float) -> None:
    needed = log(20)
    alone = eprocess.safe_alone([Count(served, 0)], slo_error_rate=0.02, tolerance=tolerance)

    missing = eprocess.requests_missing(alone, needed=needed, reference=0.02, tolerance=tolerance)

    def after(more: int) -> float:
        return eprocess.safe_alone([Count(served + more, 0)], slo_error_rate=0.02, tolerance=tolerance)

    assert after(missing) >= needed - 1e-9
    assert missing == 0 or after(missing - 1) < needed


@given(st.lists(st.tuples(counts, counts), max_size=6), st.floats(1e-4, 0.99), st.floats(1e-4, 0.99))
def test_every_count_gives_a_number(pairs: list[tuple[Count, Count]], tolerance: float, slo: float) -> None:
    values = [
        eprocess.compare(pairs),
        eprocess.safe(pairs, tolerance=tolerance),
        eprocess.breach([green for _, green in pairs], slo_error_rate=slo),
        eprocess.safe_alone([green for _, green in pairs], slo_error_rate=slo, tolerance=tolerance),
    ]

    assert all(abs(value) < float("inf") for value in values)
