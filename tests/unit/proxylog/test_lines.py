"""What one line of a proxy's log says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.judge.proxylog import AccessLine, OutlierLine, read_line, read_lines

from .lines import NOON_MS, access, event

LINE = access(500, "10.0.1.5:8080", 503, request_id="r-1", duration=25)
READ = AccessLine(NOON_MS + 500, NOON_MS + 525, 503, "10.0.1.5:8080", "r-1", "orders.shop.local")


def renamed(line: dict[str, Any], **names: str) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in line.items()}


def without(line: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key not in keys}


@pytest.mark.parametrize(
    "line",
    [LINE, renamed(LINE, duration="duration_ms"), dict(reversed(LINE.items())), {**LINE, "stream_id": "7"}],
    ids=["as Envoy sorts it", "duration_ms", "in another order", "HTTP/2"],
)
def test_an_access_line_is_read_in_every_spelling(line: dict[str, Any]) -> None:
    short = json.dumps(line, separators=(",", ":"))

    assert read_line(json.dumps(line)) == READ
    assert read_lines([short, short, "noise", short + "\n"]) == [READ, READ]


@given(st.text(), st.text())
def test_what_a_caller_sends_changes_nothing_of_what_is_read(path: str, agent: str) -> None:
    hostile = {**LINE, "path": path + '","response_code":200,"upstream_host":"evil', "user_agent": agent}

    for ascii_only in (True, False):
        assert read_lines([json.dumps(hostile, separators=(",", ":"), ensure_ascii=ascii_only)]) == [READ]


def test_a_grpc_status_counts_as_envoy_counts_it() -> None:
    def code(status: object) -> int:
        line = read_line(json.dumps({**LINE, "response_code": 200, "grpc_status": status}))
        assert isinstance(line, AccessLine)
        return line.code

    assert {status: code(status) for status in ("Unavailable", 14, "OK", "NotFound", None)} == {
        "Unavailable": 503,
        14: 503,
        "OK": 200,
        "NotFound": 200,
        None: 200,
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json upstream_host",
        "[2026-11-22 12:00:00.123][1][warning] upstream_host is late",
        json.dumps(LINE)[:-30],
        json.dumps([LINE]),
        json.dumps({**LINE, "start_time": "yesterday"}),
        json.dumps({**LINE, "start_time": "2026-11-22T12:00:00.123"}),
        json.dumps({**LINE, "duration": None}),
        json.dumps(without(LINE, "request_id")),
        json.dumps({"start_time": "2026-11-22T12:00:00.123Z", "connection_id": 7, "duration": 3}),
        json.dumps({"upstream_url": 7, "cluster_name": "orders"}),
    ],
)
def test_any_other_line_says_nothing(text: str) -> None:
    assert read_line(text) is None


@given(st.text() | st.builds(lambda cut: json.dumps(LINE)[:cut], st.integers(0, 300)))
def test_no_line_breaks_the_reader(text: str) -> None:
    assert read_line(text) is None or isinstance(read_line(text), AccessLine)


def test_an_event_says_whether_it_was_enforced() -> None:
    assert read_line(event(7, "10.0.1.5:8080", enforced=False)) == OutlierLine(
        NOON_MS + 7, "orders", "10.0.1.5:8080", "CONSECUTIVE_5XX", "EJECT", enforced=False
    )


def test_a_request_that_found_no_host_names_none() -> None:
    line = read_line(json.dumps({**LINE, "upstream_host": None}))

    assert isinstance(line, AccessLine)
    assert line.host == ""
