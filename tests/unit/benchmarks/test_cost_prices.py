"""Every price says where it stands, and whether anybody has read it there."""

from __future__ import annotations

from benchmarks.cost.prices import ELSEWHERE, NOWHERE, ON_AWS_PAGE, PRICES, SEEN, SOURCES


def test_each_price_has_a_page_of_awss_and_says_where_it_was_read() -> None:
    assert PRICES.keys() == SOURCES.keys() == SEEN.keys()
    assert all(page.startswith("https://aws.amazon.com/") for page in SOURCES.values())
    assert set(SEEN.values()) <= {ON_AWS_PAGE, ELSEWHERE, NOWHERE}
    assert all(price > 0 for price in PRICES.values())
