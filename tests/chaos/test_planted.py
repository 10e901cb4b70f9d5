from __future__ import annotations

from collections.abc import Callable

import pytest

from rehearsal.chaos.run import Line


@pytest.mark.parametrize("point", ["stalled", "undone", "opened", "retired"])
def test_the_product_as_it_is_ends_safely(tried: Callable[[str, str], Line], point: str) -> None:
    line = tried("right", point)

    assert line.fired
    assert line.unsafe == ()


def test_a_shift_that_no_fence_stops_is_seen(tried: Callable[[str, str], Line]) -> None:
    line = tried("planted", "stalled")

    assert line.fired
    assert any("green holds" in what for what in line.unsafe)


def test_a_share_that_is_not_read_back_is_seen(tried: Callable[[str, str], Line]) -> None:
    line = tried("planted", "undone")

    assert line.fired
    assert any("blue holds" in what for what in line.unsafe)


def test_a_migration_that_nobody_watches_is_seen(tried: Callable[[str, str], Line]) -> None:
    line = tried("planted", "stopped")

    assert line.fired
    assert any("nobody noticed" in what for what in line.unsafe)
