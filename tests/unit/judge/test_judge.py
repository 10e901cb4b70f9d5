"""Each rule of the judge changes its answer, and nothing that is not known ever promotes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crossfade.judge.judge import judge
from crossfade.judge.judgement import Judgement
from crossfade.judge.reading import AlarmState, Bucket, Count, Ejection, Readings, Window
from crossfade.judge.verdict import Answer, Verdict, worst
from crossfade.plan.document import Bounds
from crossfade.plan.edges import Rung, RungKind

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BOUNDS = Bounds(minimum_requests=200, lost_data_seconds=120, slow_ratio=None)  # speed has its own tests
CLIMB = Rung(share_bp=2_500, soak_seconds=300)
WATCH = Rung(share_bp=10_000, soak_seconds=300, kind=RungKind.WATCH)
TESTS = 4

Row = (
    tuple[int, int, int, int]
    | tuple[None, None, int, int]
    | tuple[int, int, None, None]
    | tuple[None, None, None, None]
)
GOOD: Row = (900, 1, 300, 0)
ALONE: Row = (None, None, 1200, 1)
SILENT: Row = (None, None, None, None)
NO_GREEN: Row = (900, 1, None, None)
NO_BLUE: Row = (None, None, 300, 0)


def readings(rows: Sequence[Row], **changes: Any) -> Readings:
    return Readings(window=Window(start=NOON, period_seconds=60, rows=tuple(rows)), **changes)


def judged(rows: Sequence[Row], rung: Rung = CLIMB, bounds: Bounds = BOUNDS, **changes: Any) -> Judgement:
    return judge(readings(rows, **changes), rung, bounds, tests=TESTS)


def an_ejection(second: int = 0) -> Ejection:
    return Ejection(at=NOON + timedelta(seconds=second), cluster="orders", host="10.0.0.1:8080", kind="CONSECUTIVE_5XX")


# -- the table -----------------------------------------------------------------


def test_a_green_known_to_be_well_for_its_whole_soak_may_have_more() -> None:
    answer = judged([GOOD] * 5)

    assert (answer.answer, answer.verdict) == (Answer.ADVANCE, Verdict.HEALTHY)


CHANGES: dict[str, tuple[dict[str, Any], Answer, Verdict, str]] = {
    "an enforced ejection": (
        {"rows": [GOOD] * 5, "ejections": (an_ejection(),)},
        Answer.ROLL_BACK,
        Verdict.UNHEALTHY,
        "ejected 1 task, first 10.0.0.1:8080 of orders at 12:00:00",
    ),
    "an alarm of the plan": (
        {"rows": [GOOD] * 5, "alarms": {"calm": AlarmState.OK, "errors": AlarmState.ALARM}},
        Answer.ROLL_BACK,
        Verdict.UNHEALTHY,
        "in ALARM: errors",
    ),
    "a green worse than blue": (
        {"rows": [GOOD, GOOD, GOOD, GOOD, (900, 1, 300, 30)]},
        Answer.ROLL_BACK,
        Verdict.UNHEALTHY,
        "green is worse than blue: green failed 30 of 1500 requests, blue failed 5 of 4500 requests",
    ),
    "green idle where the edge may send it nothing": (
        {"rows": [GOOD, GOOD, *[NO_GREEN] * 30], "may_idle": "CloudFront is busy"},
        Answer.HOLD,
        Verdict.UNKNOWN,
        "no data on green in the period at 12:31:00: CloudFront is busy",
    ),
    "data lost on blue beside an edge that may leave green idle": (
        {"rows": [GOOD, GOOD, NO_BLUE, NO_BLUE, NO_BLUE], "may_idle": "CloudFront is busy"},
        Answer.ROLL_BACK,
        Verdict.UNKNOWN,
        "lost data: no requests counted on blue",
    ),
    "data lost on green for too long": (
        {"rows": [GOOD, GOOD, NO_GREEN, NO_GREEN, NO_GREEN]},
        Answer.ROLL_BACK,
        Verdict.UNKNOWN,
        "lost data: no requests counted on green for 180 s",
    ),
    "data lost on blue for too long": (
        {"rows": [GOOD, GOOD, NO_BLUE, NO_BLUE, NO_BLUE]},
        Answer.ROLL_BACK,
        Verdict.UNKNOWN,
        "lost data: no requests counted on blue for 180 s",
    ),
    "a source unread for too long": (
        {"rows": [SILENT] * 5, "faults": ("CloudWatch throttles",), "unread_seconds": 121},
        Answer.ROLL_BACK,
        Verdict.UNKNOWN,
        "lost data: CloudWatch throttles, for 121 s",
    ),
    "a source unread": (
        {"rows": [GOOD] * 5, "faults": ("CloudWatch throttles",), "unread_seconds": 120},
        Answer.HOLD,
        Verdict.UNKNOWN,
        "CloudWatch throttles",
    ),
    "no closed bucket": ({"rows": []}, Answer.HOLD, Verdict.UNKNOWN, "no metric period has closed"),
    "green's last bucket missing": (
        {"rows": [GOOD] * 5 + [NO_GREEN]},
        Answer.HOLD,
        Verdict.UNKNOWN,
        "no data on green in the period at 12:05:00",
    ),
    "blue's last bucket missing": (
        {"rows": [GOOD] * 5 + [NO_BLUE]},
        Answer.HOLD,
        Verdict.UNKNOWN,
        "no data on blue in the period at 12:05:00",
    ),
    "absent traffic": (
        {"rows": [GOOD] * 5 + [SILENT] * 500},
        Answer.HOLD,
        Verdict.UNKNOWN,
        "nothing to judge while traffic is absent",
    ),
    "a gap, which starts the soak anew": (
        {"rows": [GOOD] * 5 + [SILENT] + [GOOD] * 4},
        Answer.HOLD,
        Verdict.HEALTHY,
        "240 of 300 s soaked",
    ),
    "an outage that blue shares": (
        {"rows": [GOOD] * 5 + [(900, 270, 300, 90)]},
        Answer.HOLD,
        Verdict.UNKNOWN,
        "blue itself failed 270 of 900 requests",
    ),
    "an outage that blue shared, which does not count": (
        {"rows": [GOOD] * 2 + [(900, 270, 300, 90)] * 3 + [GOOD] * 2},
        Answer.HOLD,
        Verdict.HEALTHY,
        "240 of 300 s soaked",
    ),
    "too few requests on green": (
        {"rows": [(900, 0, 39, 0)] * 5},
        Answer.HOLD,
        Verdict.UNKNOWN,
        "green served 195 of the 200 requests needed",
    ),
    "too few requests on blue": (
        {"rows": [(39, 0, 900, 0)] * 5},
        Answer.HOLD,
        Verdict.UNKNOWN,
        "blue served 195 of the 200 requests needed",
    ),
    "not yet shown to be within the tolerance": (
        {"rows": [(900, 1, 50, 0)] * 5},
        Answer.HOLD,
        Verdict.UNKNOWN,
        "more requests of green without an error would do",
    ),
    "evidence that points against green, though not enough to go back": (
        {"rows": [GOOD] * 4 + [(900, 1, 300, 6)] * 1, "bounds": BOUNDS.model_copy(update={"tolerance": 0.003})},
        Answer.HOLD,
        Verdict.UNKNOWN,
        "not yet shown to be within 0.3 %",
    ),
    "a soak that is not over": ({"rows": [GOOD] * 4}, Answer.HOLD, Verdict.HEALTHY, "240 of 300 s soaked"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_rule_changes_the_answer(name: str) -> None:
    given_, answer, verdict, reason = CHANGES[name]

    said = judged(**given_)

    assert (said.answer, said.verdict) == (answer, verdict)
    assert reason in said.reason


WATCHED: dict[str, tuple[dict[str, Any], Answer, str]] = {
    "a green alone and well": ({"rows": [ALONE] * 5}, Answer.ADVANCE, "green held 100 % for 300 s"),
    "a green alone and beyond the SLO": (
        {"rows": [ALONE] * 4 + [(None, None, 1200, 300)]},
        Answer.ROLL_BACK,
        "green is worse than the SLO of 2 %",
    ),
    "an alarm": (
        {"rows": [ALONE] * 5, "alarms": {"errors": AlarmState.ALARM}},
        Answer.ROLL_BACK,
        "in ALARM: errors",
    ),
    "an ejection": ({"rows": [ALONE] * 5, "ejections": (an_ejection(), an_ejection(1))}, Answer.ROLL_BACK, "2 tasks"),
    "a missing bucket": ({"rows": [ALONE] * 5 + [SILENT]}, Answer.HOLD, "traffic is absent"),
    "too few requests": ({"rows": [(None, None, 39, 0)] * 5}, Answer.HOLD, "green served 195 of the 200"),
    "a soak that is not over": ({"rows": [ALONE] * 4}, Answer.HOLD, "240 of 300 s"),
}


@pytest.mark.parametrize("name", WATCHED)
def test_without_a_live_control_the_slo_takes_its_place(name: str) -> None:
    given_, answer, reason = WATCHED[name]

    said = judged(rung=WATCH, **given_)

    assert said.answer == answer
    assert reason in said.reason


def test_a_share_so_small_that_chance_explains_the_silence_is_not_lost_data() -> None:
    quiet = Rung(share_bp=100, soak_seconds=60)

    said = judged([(20, 0, None, None)] * 10, rung=quiet)

    assert (said.answer, said.verdict) == (Answer.HOLD, Verdict.UNKNOWN)


def test_a_period_in_which_chance_gave_green_nothing_neither_counts_nor_starts_the_soak_anew() -> None:
    few = Rung(share_bp=500, soak_seconds=300)
    busy, quiet = (100, 0, 60, 0), (60, 0, None, None)

    held, advanced = (judged([busy, quiet, busy, busy, quiet, busy, *more], rung=few) for more in ([], [busy]))

    assert (held.answer, held.counted_seconds) == (Answer.HOLD, 240)
    assert (advanced.answer, advanced.counted_seconds) == (Answer.ADVANCE, 300)


def test_more_rungs_to_judge_ask_for_more_evidence_on_each() -> None:
    rows = readings([(900, 1, 300, 12)])

    few, many = (judge(rows, CLIMB, BOUNDS, tests=tests) for tests in (1, 10_000))

    assert few.log_e == many.log_e
    assert (few.answer, many.answer) == (Answer.ROLL_BACK, Answer.HOLD)


def test_a_bad_minute_is_not_forgiven_for_a_gap_after_it() -> None:
    said = judged([(900, 1, 300, 60), SILENT, GOOD])

    assert said.answer == Answer.ROLL_BACK


# -- rules of all rules ----------------------------------------------------------

healthy_rows = st.lists(
    st.tuples(st.integers(200, 3000), st.just(0), st.integers(200, 3000), st.just(0)), min_size=5, max_size=5
)


@given(healthy_rows, st.integers(0, 4), st.sampled_from(["green", "blue", "both"]), st.sampled_from([CLIMB, WATCH]))
def test_missing_any_bucket_of_its_soak_never_advances(
    rows: list[tuple[int, int, int, int]], at: int, which: str, rung: Rung
) -> None:
    blue, green = rows[at][:2], rows[at][2:]
    nothing = (None, None)
    holed: list[Any] = [*rows]
    holed[at] = (*(blue if which == "green" else nothing), *(green if which == "blue" else nothing))

    whole, missing = judged(rows, rung=rung), judged(holed, rung=rung)

    assert whole.answer == Answer.ADVANCE
    assert missing.answer != Answer.ADVANCE or (rung is WATCH and which == "blue")


rows_of_any_kind = st.lists(
    st.one_of(
        st.just(SILENT),
        st.just(NO_GREEN),
        st.just(NO_BLUE),
        st.tuples(st.integers(0, 400), st.integers(0, 60), st.integers(0, 400), st.integers(0, 60)),
    ),
    max_size=12,
)


TROUBLES: dict[str, dict[str, Any]] = {
    "none": {},
    "ejection": {"ejections": (an_ejection(),)},
    "alarm": {"alarms": {"errors": AlarmState.ALARM}},
    "fault": {"faults": ("the log is gone",)},
}


@given(
    st.lists(st.sampled_from([GOOD]), max_size=6),
    rows_of_any_kind.map(lambda rows: rows[:2]),
    st.lists(st.sampled_from([GOOD]), max_size=6),
    st.sampled_from([CLIMB, WATCH]),
    st.sampled_from(sorted(TROUBLES)),
)
def test_green_advances_exactly_when_all_there_is_to_know_is_known(
    before: list[Row], between: list[Row], after: list[Row], rung: Rung, trouble: str
) -> None:
    rows = [*before, *between, *after]
    # An ejection while blue fails as well is no evidence against green: it has tests of its own.
    assume(trouble != "ejection" or not any(blue_errors for _, blue_errors, _, _ in between))

    said = judged(rows, rung=rung, **TROUBLES[trouble])

    if said.answer == Answer.ADVANCE:
        assert trouble == "none"
        assert said.verdict == Verdict.HEALTHY
        assert said.counted_seconds >= rung.soak_seconds
        assert said.safe_log_e >= said.safe_at
        assert said.log_e < said.roll_back_at
        assert rows[-1][2] is not None
    elif trouble == "none" and said.log_e < said.roll_back_at:
        assert len(after) < rung.soak_seconds / 60 or said.safe_log_e < said.safe_at


@given(rows_of_any_kind, st.sampled_from([CLIMB, WATCH]))
def test_a_judgement_is_made_again_to_the_digit_from_what_is_stored(rows: list[Row], rung: Rung) -> None:
    seen = readings(rows, alarms={"errors": AlarmState.OK})

    stored = Readings.model_validate_json(seen.model_dump_json())

    assert judge(stored, rung, BOUNDS, tests=TESTS) == judge(seen, rung, BOUNDS, tests=TESTS)


def test_every_number_in_a_judgement_is_in_thousandths() -> None:
    said = judged([(901, 3, 299, 2)] * 5)

    assert said.slow_log_e is None
    for number in (said.log_e, said.roll_back_at, said.safe_log_e, said.safe_at):
        assert number == round(number, 3)


# -- opinions and windows ----------------------------------------------------------


@pytest.mark.parametrize(
    ("verdicts", "gravest"),
    [
        ([], Verdict.UNKNOWN),
        ([Verdict.HEALTHY], Verdict.HEALTHY),
        ([Verdict.HEALTHY, Verdict.UNKNOWN], Verdict.UNKNOWN),
        ([Verdict.UNKNOWN, Verdict.UNHEALTHY, Verdict.HEALTHY], Verdict.UNHEALTHY),
    ],
)
def test_the_gravest_verdict_stands_for_all(verdicts: list[Verdict], gravest: Verdict) -> None:
    assert worst(verdicts) == gravest


def test_a_window_gives_back_the_buckets_it_was_made_of() -> None:
    buckets = [
        Bucket(NOON, Count(5, 1), Count(3, 0)),
        Bucket(NOON + timedelta(seconds=60), None, Count(0, 0)),
        Bucket(NOON + timedelta(seconds=120), None, None),
    ]

    window = Window.of(buckets, start=NOON, period_seconds=60)

    assert [dataclasses.astuple(bucket) for bucket in window.buckets()] == [
        dataclasses.astuple(bucket) for bucket in buckets
    ]
