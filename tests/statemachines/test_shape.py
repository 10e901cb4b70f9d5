"""What every state machine of the product looks like; `checks` says why each rule is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from checks import templates
from checks.expressions import expressions
from checks.integrations import busy_is_retried, integrations, named_errors
from checks.machine import Machine, load_all
from checks.structure import retries_agree, structure, tasks

ROOT = Path(__file__).resolve().parents[2]
MACHINES = {machine.name: machine for machine in load_all(ROOT / "statemachines")}
SMALL = {"a", "an", "and", "for", "in", "of", "or", "the", "to"}


@pytest.fixture(params=sorted(MACHINES))
def machine(request: pytest.FixtureRequest) -> Machine:
    return MACHINES[str(request.param)]


def test_the_three_machines_are_there() -> None:
    assert {"migrate", "climb", "roll_back"} <= set(MACHINES)


def test_every_field_and_target_exists(machine: Machine) -> None:
    assert list(structure(machine)) == []


def test_every_task_can_time_out_is_tried_again_and_is_caught(machine: Machine) -> None:
    assert list(tasks(machine)) == []


def test_every_expression_parses_and_reads_what_is_there(machine: Machine) -> None:
    assert list(expressions(machine)) == []


def test_every_call_is_one_that_aws_offers(machine: Machine) -> None:
    assert list(integrations(machine)) == []


def test_every_error_named_is_one_that_is_raised(machine: Machine) -> None:
    assert list(named_errors(machine)) == []


def test_the_retry_of_lambdas_own_errors_is_the_same_everywhere() -> None:
    assert list(retries_agree(MACHINES.values())) == []


def test_everything_that_means_try_again_is_tried_again() -> None:
    assert list(busy_is_retried(MACHINES.values())) == []


def test_states_are_named_in_title_case_and_questions_end_in_a_question_mark(machine: Machine) -> None:
    wrong = [
        name
        for _place, name, state in machine.states()
        if name.endswith("?") != (state.get("Type") == "Choice")
        or any(word[0].islower() for word in name.split() if word not in SMALL)
    ]

    assert wrong == []


def test_a_state_its_function_and_its_folder_bear_one_name(machine: Machine) -> None:
    stack = dict(templates.load(ROOT / "template.yaml").resources("AWS::Serverless::Function"))

    for place, name, state in machine.tasks():
        if ":states:::lambda:" not in state["Resource"]:
            continue
        found = re.fullmatch(r"\$\{(\w+)Arn\}", state["Arguments"]["FunctionName"])
        assert found, f"{place}: FunctionName is no ${{…Arn}}"
        logical_id = found[1]
        folder = re.sub(r"(?<!^)(?=[A-Z])", "_", logical_id).lower()
        assert stack[logical_id]["CodeUri"] == f"functions/{folder}", place
        if logical_id != "Notify":  # one function tells everything: Tell Stuck, Tell Completed
            assert name.replace(" ", "").startswith(logical_id), place


def test_no_duration_is_written_into_a_wait(machine: Machine) -> None:
    literal = [name for _place, name, state in machine.states() if isinstance(state.get("Seconds"), int)]

    assert literal == []


def test_a_rollback_is_never_a_child_of_what_it_stops() -> None:
    for machine in MACHINES.values():
        for place, _name, state in machine.tasks():
            if state.get("Arguments", {}) and "RollBackArn" in str(state["Arguments"]):
                looks = "aws-sdk:sfn:describeExecution"
                assert state["Resource"].endswith(("states:startExecution", looks)), place


def test_in_climb_every_failure_becomes_an_outcome() -> None:
    ends = [
        state["Type"] for _place, _name, state in MACHINES["climb"].states() if state["Type"] in ("Fail", "Succeed")
    ]

    assert set(ends) == {"Succeed"}
