"""The line, whole: the real stack, real proxies, real requests, half a minute a scenario."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rehearsal.aws import EmbeddedAws
from rehearsal.aws.elbv2 import WeightChange, weight_changes
from rehearsal.breaking import Breaking
from rehearsal.deploy import Deployer
from rehearsal.examples import application
from rehearsal.pace import BRIEF
from rehearsal.rehearsal import STACK, rehearse
from rehearsal.summary import Scenario, Summary

pytestmark = pytest.mark.rehearsal

ONE_OF_ORDERS = Breaking(service="orders-sc")
ALL_OF_ORDERS = Breaking(service="orders-sc", which="all")


def play(
    scenario: Scenario,
    *,
    breaking: Breaking = ONE_OF_ORDERS,
    tamper: Callable[[EmbeddedAws, Deployer], None] = lambda _aws, _deployer: None,
    limit_seconds: float = 900,
) -> tuple[Summary, tuple[WeightChange, ...]]:
    """Play a scenario; return its summary and every change of weights since the product was deployed."""
    made_before: list[int] = []

    def begin(aws: EmbeddedAws, deployer: Deployer) -> None:
        made_before.append(len(weight_changes()))
        tamper(aws, deployer)

    kept: list[WeightChange] = []
    summary = rehearse(
        application("shop"),
        scenario,
        pace=BRIEF,
        breaking=breaking,
        limit_seconds=limit_seconds,
        users_wait_seconds=60,
        tell=lambda _: kept.__setitem__(slice(None), weight_changes()),
        tamper=begin,
    )
    return summary, tuple(kept[made_before[0] :])


def test_a_healthy_green_takes_over_without_one_failed_request_and_only_handlers_change_weights() -> None:
    summary, changes = play(Scenario.HEALTHY)

    assert summary.passed, summary
    assert (summary.outcome, summary.edges[0].final_green_percent) == ("completed", 100.0)
    assert summary.requests.failed == 0
    assert summary.requests.total == summary.requests.blue + summary.requests.green
    assert [share.green_percent for share in summary.edges[0].shares] == [0, 25, 80, 100]
    assert len(changes) >= 4
    assert all("AWS_Lambda" in change.caller for change in changes)
    assert all(sum(change.weights.values()) > 0 for change in changes)


def test_a_sick_green_task_is_caught_and_all_traffic_is_blue_again() -> None:
    summary, changes = play(Scenario.SICK)

    assert summary.passed, summary
    assert (summary.outcome, summary.edges[0].final_green_percent) == ("rolled_back", 0.0)
    assert summary.requests.failed_blue == 0
    assert summary.seconds.fault_to_decision is not None
    assert summary.seconds.decision_to_zero is not None
    assert all("AWS_Lambda" in change.caller for change in changes)


def test_a_sick_green_that_nobody_judges_or_guards_ends_red() -> None:
    """The rehearsal can fail: without the judge and the guards, nothing brings the traffic back."""

    def blind(aws: EmbeddedAws, deployer: Deployer) -> None:
        physical = deployer.describe(STACK)
        events = aws.client("events")
        for rule in events.list_rules()["Rules"]:
            events.disable_rule(Name=rule["Name"])
        # The judge's place is taken by one that always advances.
        aws.faults.answer(
            physical["JudgeGreen"],
            {"answer": "advance", "verdict": "healthy", "reason": "nobody looked", "next_look_seconds": 1, "log_e": 0},
        )

    summary, _ = play(Scenario.SICK, breaking=ALL_OF_ORDERS, tamper=blind)

    assert not summary.passed
    assert summary.outcome == "completed"
    assert summary.requests.failed_green > 0


def test_ctrl_c_leaves_no_process_and_no_port_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "crossfade_cli", "rehearse", "--scenario", "healthy", "--brief"]
    marked = {**os.environ, "CROSSFADE_MARK": str(tmp_path)}
    with subprocess.Popen(  # noqa: S603 — our own command
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=marked
    ) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if "climbing" in line:
                break
        during = _marked(str(tmp_path))
        ports = _listening(during)
        run.send_signal(signal.SIGINT)
        run.stdout.read()
        run.wait(timeout=300)

    assert len(during) > 10
    assert _marked(str(tmp_path)) == set()
    assert ports
    assert ports & _listening_on() == set()


def _marked(mark: str) -> set[int]:
    """Return the processes that carry a mark in their environment."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                found.add(int(folder.name))
        except OSError:
            continue  # it has just ended
    return found


def _listening(processes: set[int]) -> set[str]:
    """Return the sockets on which these processes listen, by their own numbers: a port may have another owner soon."""
    inodes = set()
    for process in processes:
        for handle in Path(f"/proc/{process}/fd").glob("*"):
            try:
                inodes.add(str(handle.readlink()).removeprefix("socket:[").removesuffix("]"))
            except OSError:
                continue
    return inodes & _listening_on()


def _listening_on() -> set[str]:
    """Return every socket of this machine on which anybody listens."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[9] for row in rows if row[3] == "0A"}
