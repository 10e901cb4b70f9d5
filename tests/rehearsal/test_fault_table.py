"""The table of faults names the signal that decided, in the product's own words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from crossfade.judge.judge import judge
from crossfade.judge.reading import AlarmState, Ejection, Inside, Probed, Readings, Wanting, Window
from crossfade.judge.signal import SIGNALS, Place
from crossfade.plan.document import Bounds
from crossfade.plan.edges import Rung
from rehearsal.fault_table import fault_table, seen_by
from rehearsal.summary import EdgeSummary, Requests, Scenario, Seconds, Summary

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WELL = ((900, 1, 300, 0),) * 5


def an_inside(signal: str) -> Inside:
    return Inside(signal=signal, subject="green", among=1, allowed=0.02, rows=((300, 200),) * 5)


def short(**changes: Any) -> Wanting:
    return Wanting(service="web", desired=2, running=1, below_since=NOON, **changes)


SEEN: dict[str, dict[str, Any]] = {
    "edge_5xx": {"rows": ((900, 1, 300, 250),) * 5},
    "slow_request": {"slow_over": 0.3, "slow": ((9, 290),) * 5},
    **{
        signal.name: {"inside": (an_inside(signal.name),)}
        for signal in SIGNALS
        if signal.place not in (Place.EDGE, Place.ENTRY, Place.COUNT, Place.OTHER)
    },
    "enforced_ejection": {"ejections": (Ejection(at=NOON, cluster="c", host="h:1", kind="CONSECUTIVE_5XX"),)},
    "suppressed_ejection": {"occurred": {"suppressed_ejection": ((2, 1),)}},
    "below_desired": {"wanting": (short(below_seconds=601),)},
    "deployment_failure": {"wanting": (short(failure="task failed to start"),)},
    "probe_5xx": {"probes": (Probed(at=NOON, requests=90, errors=60),)},
    "operator_alarm": {"alarms": {"errors": AlarmState.ALARM}},
}


@pytest.mark.parametrize("signal", SEEN)
def test_a_rollback_of_the_judge_names_its_signal(signal: str) -> None:
    of = {"rows": WELL, **SEEN[signal]}
    window = Window(
        start=NOON, period_seconds=60, **{key: of.pop(key) for key in ("rows", "slow_over", "slow") if key in of}
    )

    judgement = judge(Readings(window=window, **of), Rung(share_bp=2_500, soak_seconds=300), Bounds(), tests=1)

    assert judgement.answer == "roll_back"
    assert seen_by(judgement.reason).startswith(signal)
    assert seen_by(f"edge web, which waits: {judgement.reason}").startswith(signal)


def test_every_signal_is_among_them() -> None:
    counted = {signal.name for signal in SIGNALS if signal.place in (Place.CALL, Place.GREEN, Place.COUNT)}

    assert counted <= {*SEEN} < {signal.name for signal in SIGNALS}


@pytest.mark.parametrize(
    ("reason", "signal"),
    [
        ("the proxies' log tells of an ejection: 10.0.0.1:80 at 12:00:00 (event)", "enforced_ejection, delivered"),
        ("alarm crossfade-shop-ejections is in ALARM", "enforced_ejection, by metric filter"),
        ("alarm shop-errors is in ALARM", "operator_alarm"),
        ("3 tasks of web died within 10 minutes, the last of: exit 1", "tasks that die in a row"),
        ("a person said so", "?"),
    ],
)
def test_what_guards_say_names_its_signal_too(reason: str, signal: str) -> None:
    assert seen_by(reason).startswith(signal)


def played(**changes: Any) -> Summary:
    made = Summary(
        scenario=Scenario.SICK,
        fault="one-500",
        passed=True,
        outcome="rolled_back",
        reason="green is worse than blue: green failed 30 of 300 requests",
        edges=(EdgeSummary(name="web", kind="alb", shares=(), final_green_percent=0),),
        requests=Requests(total=1_200, failed=7, blue=0, green=0, failed_blue=0, failed_green=0),
        seconds=Seconds(total=30, fault_to_decision=2.04, decision_to_zero=0.66),
        state_transitions=1,
        history_events_max=1,
        time_scale=6,
        requests_per_second=80,
        seed=0,
        envoy_version="1",
        services_created=3,
        migration="shop",
    )
    return made.model_copy(update=changes)


def test_a_row_says_by_what_how_fast_and_at_what_price() -> None:
    *_, row = fault_table([played()]).splitlines()

    assert row == "| one-500 | rolled back | edge_5xx, edge_refused or edge_tls | 2.0 s | 0.7 s | 7 | 1,200 |"


def test_what_did_not_end_as_it_should_stands_out() -> None:
    *_, row = fault_table(
        [played(fault="none", passed=False, outcome="completed", reason="green holds 100 %", seconds=Seconds(total=9))]
    ).splitlines()

    assert row == "| none | **completed** | - | - | - | 7 | 1,200 |"
