"""What may not make a test fail by chance: the speed of a machine, a draw, the day."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def test_examples_are_the_same_each_time_and_none_is_too_slow() -> None:
    default = settings.default

    assert default is not None
    assert (default.derandomize, default.deadline) == (True, None)
    assert HealthCheck.too_slow in default.suppress_health_check
