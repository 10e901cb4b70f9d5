"""What is read out of a proxy's log, and what is not."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.judge.proxylog import LogLine, ejections

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
EJECT: dict[str, Any] = {
    "type": "CONSECUTIVE_5XX",
    "cluster_name": "orders",
    "upstream_url": "10.0.1.5:8080",
    "action": "EJECT",
    "num_ejections": 1,
    "enforced": True,
    "eject_consecutive_event": {},
    "timestamp": "2026-11-22T11:59:58.123456789Z",
    "secs_since_last_action": "30",
}


def a_line(text: str | dict[str, Any], second: int = 0) -> LogLine:
    return LogLine(NOON + timedelta(seconds=second), text if isinstance(text, str) else json.dumps(text))


def test_an_enforced_ejection_is_found_with_its_task_and_its_own_time() -> None:
    [found] = ejections([a_line(EJECT)])

    assert (found.cluster, found.host, found.kind) == ("orders", "10.0.1.5:8080", "CONSECUTIVE_5XX")
    assert found.at == datetime(2026, 11, 22, 11, 59, 58, 123456, tzinfo=UTC)


FOREIGN: dict[str, str | dict[str, Any]] = {
    "an ejection only considered": EJECT | {"enforced": False},
    "an ejection that does not say it was enforced": {k: v for k, v in EJECT.items() if k != "enforced"},
    "a return": EJECT | {"action": "UNEJECT"},
    "an access log line": {"response_code": 503, "upstream_host": "10.0.1.5:8080", "path": "/?upstream_url=x"},
    "the proxy's own log": "[2026-11-22 11:59:58.123][1][warning] upstream_url is late",
    "half a line": json.dumps(EJECT)[:-20],
    "a list": '["upstream_url"]',
    "nothing": "",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_any_other_line_is_skipped(name: str) -> None:
    assert ejections([a_line(FOREIGN[name])]) == ()


def test_an_ejection_without_a_time_has_the_time_of_its_line() -> None:
    [found] = ejections([a_line({k: v for k, v in EJECT.items() if k != "timestamp"}, second=7)])

    assert found.at == NOON + timedelta(seconds=7)


lines = st.lists(
    st.builds(
        lambda host, kind: a_line({**EJECT, "upstream_url": f"10.0.1.{host}:8080", "action": kind}),
        st.integers(1, 5),
        st.sampled_from(["EJECT", "UNEJECT"]),
    ),
    max_size=8,
)


@given(lines.flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))))
def test_neither_order_nor_repetition_of_lines_changes_anything(both: tuple[list[LogLine], list[LogLine]]) -> None:
    written, delivered = both

    assert ejections([*delivered, *delivered]) == ejections(written)
