"""A reason that a state machine wrote down in Lambda's words is read in ours."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.journal.model import bounded_reason
from crossfade.journal.plainly import plainly
from crossfade.phases import Phase
from tests.traffic import a_record

MESSAGES = st.text(max_size=200).filter(lambda text: "errorMessage" not in text)


def account(message: str) -> str:
    """Return how Lambda tells of an exception."""
    return json.dumps(
        {"errorMessage": message, "errorType": "EdgeChanged", "requestId": "r-1", "stackTrace": ['  File "app.py"\n']}
    )


@given(MESSAGES, MESSAGES, MESSAGES)
def test_the_message_is_left_with_what_stands_before_and_after(before: str, message: str, after: str) -> None:
    assert plainly(f"{before}{account(message)}{after}") == f"{before}{message}{after}"


@given(MESSAGES, st.integers(min_value=0, max_value=400))
def test_one_that_was_cut_is_left_as_far_as_it_goes(message: str, length: int) -> None:
    whole = f"EdgeChanged: {account(message)}"

    told = plainly(whole[: max(length, len('EdgeChanged: {"errorMessage": "'))])

    assert told.startswith("EdgeChanged: ")
    assert "stackTrace" not in told


@given(MESSAGES)
def test_any_other_reason_is_left_as_it_is(reason: str) -> None:
    assert plainly(reason) == reason


@pytest.mark.parametrize("spaces", ['{"errorMessage":"no rule", "stackTrace":[]}', '{ "errorMessage": "no rule" }'])
def test_a_record_says_its_reason_plainly(spaces: str) -> None:
    record = a_record(phase=Phase.ROLLING_BACK, reason=f"GreenFailed: orders: {spaces}; blue is not thawed yet")

    assert record.reason == "GreenFailed: orders: no rule; blue is not thawed yet"


def test_a_long_account_is_not_what_a_reason_is_cut_for() -> None:
    told = bounded_reason(f"PreflightRefused: {account('alarm shop-errors is in ALARM')}" + " " * 5)

    assert told.strip() == "PreflightRefused: alarm shop-errors is in ALARM"
