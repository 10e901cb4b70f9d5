"""A share is a number of basis points, and nothing else."""

from __future__ import annotations

import pytest

from crossfade.errors import ShareOutOfRange
from crossfade.shift.share import ALL, NONE, Share


@pytest.mark.parametrize("bp", [-1, 10_001])
def test_a_share_outside_its_range_is_refused(bp: int) -> None:
    with pytest.raises(ShareOutOfRange):
        Share(bp)


def test_shares_are_ordered_and_read_in_percent() -> None:
    assert NONE < Share.percent(12.5) < ALL
    assert (str(Share(1_250)), str(ALL), Share(1_250).fraction) == ("12.5 %", "100 %", 0.125)
