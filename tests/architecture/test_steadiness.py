"""What may not make a test fail by chance: the speed of a machine, a draw, the day."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from hypothesis import HealthCheck, settings

TESTS = Path(__file__).resolve().parents[1]


def test_examples_are_the_same_each_time_and_none_is_too_slow() -> None:
    default = settings.default

    assert default is not None
    assert (default.derandomize, default.deadline) == (True, None)
    assert HealthCheck.too_slow in default.suppress_health_check


def draws(path: Path) -> list[str]:
    """Return where a test draws from chance that nobody has seeded."""
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    called = {id(call): ast.unparse(call.func) for call in calls}
    drawn = [
        call
        for call in calls
        if re.fullmatch(r"random\.[a-z_]+", called[id(call)])
        or (called[id(call)] in {"random.Random", "Random"} and not call.args)
    ]
    return [f"{path.relative_to(TESTS)}:{call.lineno}" for call in drawn]


def test_whoever_draws_lots_in_a_test_says_from_which_seed() -> None:
    assert [where for path in sorted(TESTS.rglob("*.py")) for where in draws(path)] == []
