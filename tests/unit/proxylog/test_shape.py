"""A shape learned from one line reads others as JSON would, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.judge.proxylog import read_line, read_lines
from crossfade.judge.proxylog_shape import shape_of

LINE: dict[str, Any] = {
    "authority": "backend",
    "bytes_received": 0,
    "bytes_sent": 3,
    "duration": 11,
    "forwarded_for": None,
    "method": "GET",
    "path": "/",
    "protocol": "HTTP/1.1",
    "request_id": "a74a3c04",
    "response_code": 200,
    "start_time": "2026-11-22T10:05:37.131Z",
    "upstream_host": "10.0.0.1:80",
    "upstream_service_time": "10",
    "user_agent": "drv/1",
}


def written(line: dict[str, Any], order: list[str], separators: tuple[str, str]) -> str:
    return json.dumps({name: line[name] for name in order if name in line}, separators=separators)


@given(
    order=st.permutations(sorted(LINE)),
    separators=st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")]),
    changes=st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "duration": st.integers(-1, 10**6) | st.none() | st.floats(0, 1),
                "response_code": st.integers(0, 599) | st.just("200"),
                "upstream_host": st.none() | st.text(max_size=5),
                "authority": st.none() | st.text(max_size=5),
                "request_id": st.text(max_size=5),
                "path": st.text(max_size=5),
                "start_time": st.sampled_from(
                    ["2026-11-22T10:05:38.000Z", "2026-11-22T10:05:38Z", "2026-11-22T10:05:38.131+01:00", "soon"]
                ),
                "grpc_status": st.sampled_from(["Unavailable", "0", ""]),
            },
        ),
        max_size=4,
    ),
)
def test_lines_of_any_order_and_spacing_are_read_together_as_each_is_alone(
    order: list[str], separators: tuple[str, str], changes: list[dict[str, Any]]
) -> None:
    texts = [written({**LINE, **change}, [*order, "grpc_status"], separators) for change in [{}, *changes, {}]]

    alone = [line for text in dict.fromkeys(texts) if (line := read_line(text)) is not None]

    assert read_lines(texts) == alone


@pytest.mark.parametrize("ending", ["", " ", "\r"])
def test_a_line_fits_the_shape_of_its_neighbour(ending: str) -> None:
    neighbour = json.dumps({**LINE, "request_id": "b", "response_code": 503, "user_agent": None})

    shape = shape_of(json.dumps(LINE))

    assert shape is not None
    fit = shape.pattern.fullmatch(neighbour + ending)
    assert fit is not None
    assert fit.group(*shape.groups) == ("backend", "11", "b", "503", "2026-11-22T10:05:37", "131", "10.0.0.1:80")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "{",
        json.dumps({**LINE, "grpc_status": "0"}),
        json.dumps({**LINE, "duration_ms": 3}),
        json.dumps({name: value for name, value in LINE.items() if name != "authority"}),
        json.dumps({**LINE, "nested": {"a": 1}}),
        json.dumps({**LINE, "path": '/"quoted"'}),
        json.dumps(LINE)[:-1] + ', "path": "/again"}',
        json.dumps(LINE) + "}",
        json.dumps({**LINE, **{f"field{number}": 0 for number in range(100)}}),
    ],
)
def test_a_line_by_which_others_might_be_misread_teaches_no_shape(text: str) -> None:
    assert shape_of(text) is None
