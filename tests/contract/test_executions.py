"""What executions promise, asked of Step Functions and of the ones in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from time import sleep
from typing import Any, Protocol

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from crossfade.errors import ExecutionsBusy
from crossfade.executions.executions import Executions, ExecutionStatus, RollbackInput
from crossfade.executions.memory import MemoryExecutions
from crossfade.executions.stepfunctions import StepFunctionsExecutions
from rehearsal.aws import in_process
from tests.aws import a_client

GIVEN = RollbackInput(migration="shop", fence=2)
ROLE = "arn:aws:iam::123456789012:role/roll-back"
WAITS = {
    "QueryLanguage": "JSONata",
    "StartAt": "Wait",
    "States": {"Wait": {"Type": "Wait", "Seconds": 600, "End": True}},
}
KEEPS_TOKEN = {
    "QueryLanguage": "JSONata",
    "StartAt": "Ask",
    "States": {
        "Ask": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:dynamodb:putItem.waitForTaskToken",
            "Arguments": {
                "TableName": "tokens",
                "Item": {"pk": {"S": "token"}, "token": {"S": "{% $states.context.Task.Token %}"}},
            },
            "End": True,
        }
    },
}


class World(Protocol):
    """Executions, and hands that are not ours."""

    executions: Executions

    def stop(self, name: str) -> None: ...

    def arn(self, name: str) -> str: ...


class MemoryWorld:
    def __init__(self) -> None:
        self.account = MemoryExecutions()
        self.executions: Executions = self.account

    def stop(self, name: str) -> None:
        self.account.rollbacks[name] = ExecutionStatus.ABORTED
        self.account.others[self.arn(name)] = ExecutionStatus.ABORTED

    def arn(self, name: str) -> str:
        self.account.others.setdefault(f"execution:roll-back:{name}", ExecutionStatus.RUNNING)
        return f"execution:roll-back:{name}"


class StepFunctionsWorld:
    def __init__(self) -> None:
        self.client = a_client("stepfunctions")
        made = self.client.create_state_machine(name="roll-back", definition=json.dumps(WAITS), roleArn=ROLE)
        self._machine = made["stateMachineArn"]
        self.executions: Executions = StepFunctionsExecutions(self.client, self._machine)

    def stop(self, name: str) -> None:
        self.client.stop_execution(executionArn=self.arn(name))

    def arn(self, name: str) -> str:
        return f"{self._machine.replace('stateMachine', 'execution')}:{name}"


WORLDS: dict[str, tuple[Callable[[], AbstractContextManager[object]], Callable[[], World]]] = {
    "memory": (nullcontext, MemoryWorld),
    "stepfunctions": (in_process, StepFunctionsWorld),
}


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    account, build = WORLDS[request.param]
    with account():
        yield build()


def test_a_rollback_is_started_under_its_name_and_found_again(world: World) -> None:
    assert world.executions.rollback_status("shop-2") is None

    arn = world.executions.start_rollback("shop-2", GIVEN)

    assert arn is not None
    assert arn.endswith(":shop-2")
    assert world.executions.rollback_status("shop-2") is ExecutionStatus.RUNNING


def test_a_rollback_started_twice_runs_once(world: World) -> None:
    first = world.executions.start_rollback("shop-2", GIVEN)

    second = world.executions.start_rollback("shop-2", GIVEN)

    assert second in {first, None}
    assert world.executions.rollback_status("shop-2") is ExecutionStatus.RUNNING


def test_the_name_of_a_rollback_that_is_over_is_used_up(world: World) -> None:
    world.executions.start_rollback("shop-2", GIVEN)
    world.stop("shop-2")

    again = world.executions.start_rollback("shop-2", GIVEN)

    assert again is None
    assert world.executions.rollback_status("shop-2") is ExecutionStatus.ABORTED


def test_any_execution_has_a_status_by_its_arn(world: World) -> None:
    world.executions.start_rollback("shop-2", GIVEN)

    assert world.executions.status(world.arn("shop-2")) is ExecutionStatus.RUNNING
    world.stop("shop-2")
    assert world.executions.status(world.arn("shop-2")) is ExecutionStatus.ABORTED
    assert world.executions.status(f"{world.arn('shop-2')}-unknown") is None


def test_a_token_nobody_waits_with_is_answered_to_nobody(world: World) -> None:
    assert world.executions.succeed_task("token-of-nobody", {"complete": True}) is False
    assert world.executions.fail_task("token-of-nobody", "GreenFailed", "why") is False


def test_a_rollback_is_told_its_migration_and_fence_and_no_more() -> None:
    with in_process():
        world = StepFunctionsWorld()
        world.executions.start_rollback("shop-2", GIVEN)

        told = world.client.describe_execution(executionArn=world.arn("shop-2"))["input"]

    assert json.loads(told) == {"schema": 1, "migration": "shop", "fence": 2}


def a_waiting_task() -> tuple[Any, str, str]:
    table, client = a_client("dynamodb"), a_client("stepfunctions")
    table.create_table(
        TableName="tokens",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    machine = client.create_state_machine(name="waits", definition=json.dumps(KEEPS_TOKEN), roleArn=ROLE)
    arn = client.start_execution(stateMachineArn=machine["stateMachineArn"])["executionArn"]
    while "Item" not in (kept := table.get_item(TableName="tokens", Key={"pk": {"S": "token"}})):
        sleep(0.01)
    return client, arn, kept["Item"]["token"]["S"]


@pytest.mark.parametrize("succeeds", [True, False])
def test_a_task_that_waits_is_answered_once(*, succeeds: bool) -> None:
    with in_process():
        client, arn, token = a_waiting_task()
        executions = StepFunctionsExecutions(client, "arn:aws:states:eu-west-1:123456789012:stateMachine:roll-back")

        def answer() -> bool:
            if succeeds:
                return executions.succeed_task(token, {"complete": True})
            return executions.fail_task(token, "GreenFailed", "x" * 40_000)

        heard = [answer(), answer()]
        while (status := executions.status(arn)) is ExecutionStatus.RUNNING:
            sleep(0.01)
        described = client.describe_execution(executionArn=arn)

    assert heard == [True, False]
    assert status is (ExecutionStatus.SUCCEEDED if succeeds else ExecutionStatus.FAILED)
    assert succeeds or described["error"] == "GreenFailed"


class Refusing:
    """A client whose every call fails in one way."""

    def __init__(self, failure: Exception) -> None:
        self._failure = failure
        self.exceptions = a_client("stepfunctions").exceptions

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**_: object) -> Any:
            raise self._failure

        return call


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, "Operation")


@pytest.mark.parametrize(
    "failure",
    [
        refused("ThrottlingException"),
        refused("ExecutionLimitExceeded"),
        ReadTimeoutError(endpoint_url="states"),
        ConnectTimeoutError(endpoint_url="states"),
    ],
)
def test_a_throttled_or_silent_step_functions_is_asked_again(failure: Exception) -> None:
    executions = StepFunctionsExecutions(Refusing(failure), "arn:aws:states:a:b:stateMachine:roll-back")  # type: ignore[arg-type]

    for call in (
        lambda: executions.start_rollback("shop-2", GIVEN),
        lambda: executions.rollback_status("shop-2"),
        lambda: executions.succeed_task("t", {}),
        lambda: executions.fail_task("t", "e", "c"),
    ):
        with pytest.raises(ExecutionsBusy):
            call()


def test_what_is_not_allowed_is_not_called_busy() -> None:
    client = Refusing(refused("AccessDeniedException"))
    executions = StepFunctionsExecutions(client, "arn:aws:states:a:b:stateMachine:roll-back")  # type: ignore[arg-type]

    with pytest.raises(ClientError):
        executions.start_rollback("shop-2", GIVEN)
