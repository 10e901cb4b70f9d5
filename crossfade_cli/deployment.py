"""A deployed stack as the operator's commands reach it: its outputs, clients in its Region, and how errors are told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from crossfade.errors import BadInput, CrossfadeError, UnknownMigration
from crossfade.executions.stepfunctions import StepFunctionsExecutions
from crossfade.journal.dynamodb import DynamoDbJournal
from crossfade.plan.document import MigrationPlan
from crossfade.plan.store import PlanRef

if TYPE_CHECKING:
    from crossfade.connect.services import Services
    from crossfade.shift.shifter import Edges

_NEEDED = ("MigrateArn", "RollBackArn", "RetireArn", "JournalTable", "PlanBucket")
FAILED, BAD_INPUT = 1, 2

Migration = Annotated[str, typer.Argument(help="The migration's name, as its plan has it.")]
Stack = Annotated[str, typer.Option("--stack", envvar="CROSSFADE_STACK", help="Name of the deployed stack.")]
Outputs = Annotated[
    Path | None,
    typer.Option(
        "--outputs", envvar="CROSSFADE_OUTPUTS", help="A JSON file with the stack's outputs, instead of --stack."
    ),
]

console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployed stack: its outputs, and clients in its Region."""

    outputs: Mapping[str, str]
    client: Callable[[str], Any]

    @property
    def journal(self) -> DynamoDbJournal:
        """The stack's journal."""
        return DynamoDbJournal(self.client("dynamodb"), self.outputs["JournalTable"])

    @property
    def executions(self) -> StepFunctionsExecutions:
        """The stack's executions."""
        return StepFunctionsExecutions(self.client("stepfunctions"), self.outputs["RollBackArn"])

    def start(self, machine: str, name: str | None, given: Mapping[str, Any]) -> str:
        """Start an execution of one of the stack's machines, and return its ARN."""
        named = {} if name is None else {"name": name}
        states = self.client("stepfunctions")
        arn: str = states.start_execution(stateMachineArn=self.outputs[machine], input=json.dumps(given), **named)[
            "executionArn"
        ]
        return arn

    def plan(self, ref: PlanRef) -> MigrationPlan:
        """Return a stored plan."""
        from crossfade.plan.s3 import S3PlanStore  # noqa: PLC0415 — only some commands need it
        from crossfade.plan.store import read_plan  # noqa: PLC0415

        return read_plan(S3PlanStore(self.client("s3")), ref)

    def services(self) -> Services:
        """Return the account's ECS services."""
        from crossfade.connect.ecs import EcsServices  # noqa: PLC0415

        return EcsServices(self.client("ecs"))

    def edges(self) -> Edges:
        """Return the account's edges."""
        from crossfade.runtime import parts  # noqa: PLC0415 — the one place that knows every kind of edge

        return parts.edges()


def deployment(stack: str, outputs: Path | None) -> Deployment:
    """
    Return the deployed stack.

    Raises:
        BadInput: there is no such stack, or its outputs are not Crossfade's.
    """
    import boto3  # noqa: PLC0415 — half a second that `--help` need not wait for

    def client(service: str) -> Any:
        return boto3.client(service)  # type: ignore[call-overload]

    found = _outputs_of(stack, client) if outputs is None else _outputs_in(outputs)
    missing = [name for name in _NEEDED if name not in found]
    if missing:
        raise BadInput(
            f"{outputs or f'stack {stack}'} has no output {missing[0]}; is it Crossfade's, and of this version?"
        )
    return Deployment(found, client)


def _outputs_of(stack: str, client: Callable[[str], Any]) -> dict[str, str]:
    try:
        described = client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as unknown:
        raise BadInput(f"stack {stack}: {unknown.response['Error']['Message']}; name another with --stack") from unknown
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}


def _outputs_in(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as unreadable:
        raise BadInput(f"--outputs {path}: {unreadable}") from unreadable
    if isinstance(found, list):  # as `aws cloudformation describe-stacks --query Stacks[0].Outputs` prints them
        found = {output["OutputKey"]: output["OutputValue"] for output in found}
    return {str(name): str(value) for name, value in found.items()}


@contextmanager
def told() -> Iterator[None]:
    """Say what went wrong in one line, and end with 2 for bad input and 1 for the rest."""
    try:
        yield
    except UnknownMigration as unknown:
        console.print(
            f"UnknownMigration: the journal has no migration {unknown}; check its name, and see with the execution of "
            "migrate whether it was opened",
            style="red",
            markup=False,
        )
        raise typer.Exit(BAD_INPUT) from None
    except BadInput as wrong:
        console.print(f"{type(wrong).__name__}: {wrong}", style="red", markup=False)
        raise typer.Exit(BAD_INPUT) from None
    except CrossfadeError as refused:
        console.print(f"{type(refused).__name__}: {refused}", style="red", markup=False)
        raise typer.Exit(FAILED) from None
    except (ClientError, BotoCoreError) as failed:
        console.print(f"AWS: {failed}", style="red", markup=False)
        raise typer.Exit(FAILED) from None
