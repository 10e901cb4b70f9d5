from __future__ import annotations

import gc

import pytest

from crossfade_cli.drawing import uncollected


def test_circles_are_looked_for_again_after_a_drawing_even_one_that_fails() -> None:
    def fail() -> None:
        with uncollected():
            assert not gc.isenabled()
            raise LookupError

    with pytest.raises(LookupError):
        fail()

    assert gc.isenabled()


def test_a_program_that_collects_no_circles_is_left_so() -> None:
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
