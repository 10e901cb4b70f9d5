"""
What an operator does with a deployed stack: start, look, allow, hold, go back, retire.

Everything is also done in the console, with the inputs in `events/`. The commands talk to
the stack whose outputs they are given: by name through CloudFormation, or by a file. An
AWS endpoint of one's own (AWS_ENDPOINT_URL), like the embedded one, is used like AWS.
"""

from __future__ import annotations

import getpass
import json
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from crossfade.errors import BadInput, UnknownMigration
from crossfade.executions.executions import ExecutionStatus
from crossfade.journal.hold import Hold
from crossfade.journal.model import Entry, MigrationRecord
from crossfade.journal.plainly import plainly
from crossfade.phases import BEYOND_RETURN, CLOSED, Phase
from crossfade.plan.document import MigrationPlan, digest
from crossfade.plan.store import PlanRef
from crossfade.rollout.operating import Do, OperatorRequest, obey
from crossfade.rollout.rollback import begin_rollback
from crossfade.shift.share import Share
from crossfade_cli.comparing import drift_command, is_clean
from crossfade_cli.deployment import FAILED, Deployment, Migration, Outputs, Stack, console, deployment, told

_WATCH_SECONDS = 5.0
_OPENED_WITHIN_LOOKS = 30  # of a second: a cold start and a plan of many edges

Why = Annotated[str, typer.Option("--why", help="What the journal and the notices shall say.")]
Who = Annotated[str, typer.Option("--who", help="Who says so; the user's name unless given.")]


def _now() -> datetime:
    return datetime.now(UTC)


def _user(who: str) -> str:
    return who or os.environ.get("USER") or getpass.getuser()


# -- start ------------------------------------------------------------------------------


def start_command(
    migration: Migration,
    *,
    plan: Annotated[Path, typer.Option(help="The plan, as `crossfade plan` wrote it.")] = Path("plan.json"),
    stack: Stack = "crossfade",
    outputs: Outputs = None,
) -> None:
    """Put a plan into the stack's bucket and start its migration."""
    with told():
        where = deployment(stack, outputs)
        ref = _store(migration, plan, where)
        arn = where.start("MigrateArn", None, {"migration": migration, "plan": ref.model_dump(mode="json")})
        refused = _refused_at_the_door(migration, arn, where)
        if refused:
            console.print(f"{migration} is not opened: {refused}", style="red", markup=False)
            raise typer.Exit(FAILED)
        console.print(f"{migration} is started: {arn}", markup=False)


def _refused_at_the_door(migration: str, arn: str, where: Deployment) -> str:
    """Wait until an execution of `migrate` has opened its migration; return why it has not, nothing where it has."""
    for _ in range(_OPENED_WITHIN_LOOKS):
        found = where.client("stepfunctions").describe_execution(executionArn=arn)
        if _opened_by(migration, where) == arn or found["status"] == "SUCCEEDED":
            return ""
        if found["status"] != "RUNNING":
            return _failed(found)
        time.sleep(_WATCH_SECONDS / 5)
    return ""


def _opened_by(migration: str, where: Deployment) -> str | None:
    try:
        return where.journal.read(migration).execution
    except UnknownMigration:
        return None


def _store(migration: str, path: Path, where: Deployment) -> PlanRef:
    try:
        text = path.read_text(encoding="utf-8")
        plan = MigrationPlan.from_json(text)
    except OSError as unreadable:
        raise BadInput(f"--plan {path}: {unreadable.strerror}") from unreadable
    except ValueError as unreadable:
        raise BadInput(f"--plan {path}: {unreadable}") from unreadable
    if plan.migration != migration:
        raise BadInput(f"{path} is the plan of {plan.migration}, not of {migration}")
    blocking = plan.open_blocking_gaps()
    if blocking:
        raise BadInput(f"{path} has an open blocking gap: {blocking[0].id} at {blocking[0].resource}")
    if (unready := plan.unready()) is not None:
        raise BadInput(f"{path} is no more than a draft: {unready}")
    bucket, key = where.outputs["PlanBucket"], f"{migration}/plan.json"
    stored = where.client("s3").put_object(Bucket=bucket, Key=key, Body=text.encode())
    return PlanRef(bucket=bucket, key=key, version=stored.get("VersionId"), sha256=digest(text))


# -- look -------------------------------------------------------------------------------


def status_command(migration: Migration, *, stack: Stack = "crossfade", outputs: Outputs = None) -> None:
    """Say in one line who judges, when it last looked, what green holds, and whether the way back is ready."""
    with told():
        console.print(status(migration, deployment(stack, outputs), _now()), markup=False)


def watch_command(migration: Migration, *, stack: Stack = "crossfade", outputs: Outputs = None) -> None:
    """Say the status whenever it changes, until the migration is closed or has done its work."""
    with told():
        where = deployment(stack, outputs)
        last = ""
        _wait_until_opened(migration, where)
        while True:
            line = status(migration, where, _now())
            if line.split("; last look")[0] != last:
                last = line.split("; last look")[0]
                console.print(f"{_now():%H:%M:%S} {line}", markup=False)
            if _is_over(where.journal.read(migration), where):
                return
            time.sleep(_WATCH_SECONDS)


def _wait_until_opened(migration: str, where: Deployment) -> None:
    """Wait for the record that `migrate` writes first, since one may watch what one has just started."""
    for _ in range(_OPENED_WITHIN_LOOKS):
        try:
            where.journal.read(migration)
        except UnknownMigration:
            time.sleep(_WATCH_SECONDS / 5)
        else:
            return
    where.journal.read(migration)


def status(migration: str, where: Deployment, now: datetime) -> str:
    """Return a migration's status in one line."""
    journal = where.journal
    record = journal.read(migration)
    holds = journal.holds(migration)
    shares = ", ".join(f"{edge.name} {Share(edge.held_bp)}" for edge in journal.edges(migration))
    parts = [
        f"{migration}: {record.phase}",
        f"green holds {shares}",
        _who_judges(record, holds, where),
        _last_look(record, journal.entries(migration), now),
        f"way back: {_way_back(record, where)}",
    ]
    return "; ".join(part for part in parts if part)


def _who_judges(record: MigrationRecord, holds: tuple[Hold, ...], where: Deployment) -> str:
    if record.phase is Phase.HELD:
        return _asked(where.journal.entries(record.migration))
    if record.phase in BEYOND_RETURN:
        return "nobody judges: blue is " + ("retired" if record.phase is Phase.DONE else "being taken down")
    if record.phase is Phase.ROLLED_BACK:
        return f"nobody judges: blue has everything back ({record.reason})"
    if record.phase is Phase.ROLLING_BACK:
        return f"going back ({record.reason})"
    if holds:
        return "held by " + ", ".join(f"{hold.by} ({hold.why})" for hold in holds)
    if where.executions.status(record.execution) is ExecutionStatus.RUNNING:
        return "the judge decides"
    return "the climb is over, guards and watch look on"


def _asked(entries: tuple[Entry, ...]) -> str:
    asked = [entry.detail for entry in entries if entry.what == "asked"]
    about = f" about {asked[-1]['subject']} until {asked[-1]['until'][:16].replace('T', ' ')} UTC" if asked else ""
    return f"a person is asked{about} (crossfade approve | reject)"


def _last_look(record: MigrationRecord, entries: tuple[Entry, ...], now: datetime) -> str:
    looks = [entry for entry in entries if entry.what == "judge" and entry.at >= record.opened_at]
    if record.phase in CLOSED:
        return ""
    if not looks:
        return "no look yet"
    said = looks[-1].detail.get("judgement", {}).get("reason") or looks[-1].what
    return f"last look {int((now - looks[-1].at).total_seconds())} s ago: {said}"


def _way_back(record: MigrationRecord, where: Deployment) -> str:
    from crossfade.rollout.holding import missing_for_the_way_back  # noqa: PLC0415

    if record.phase in BEYOND_RETURN:
        return "no (blue has begun to be retired)"
    missing = missing_for_the_way_back(
        where.plan(record.plan), journal=where.journal, services=where.services(), edges=where.edges()
    )
    return f"no ({'; '.join(missing)})" if missing else "ready"


def _is_over(record: MigrationRecord, where: Deployment) -> bool:
    if record.phase in CLOSED:
        return True
    return record.phase is Phase.WATCHING and where.executions.status(record.execution) is not ExecutionStatus.RUNNING


def history_command(migration: Migration, *, stack: Stack = "crossfade", outputs: Outputs = None) -> None:
    """Tell what happened, from the journal, oldest first."""
    with told():
        where = deployment(stack, outputs)
        where.journal.read(migration)
        for entry in where.journal.entries(migration):
            console.print(entry_told(entry), markup=False)


def entry_told(entry: Entry) -> str:
    """Return one line of the story."""
    detail = entry.detail
    said = detail.get("judgement", {}).get("reason") if entry.kind == "evidence" else None
    if said is None:
        said = ", ".join(f"{name} {_brief(value)}" for name, value in detail.items() if value not in (None, "", [], {}))
    text = f"{entry.at:%Y-%m-%d %H:%M:%S}  {entry.kind:<8} {entry.what:<12} {entry.subject}"
    return f"{text}: {said}"[:300] if said else text


def _brief(value: object) -> str:
    """Return a value of an entry as it is told: of a thing its name, of several each."""
    if isinstance(value, list):
        return " ".join(_brief(each) for each in value)
    if isinstance(value, dict):
        if "name" in value:
            return f"{value['name']} ({value['remark']})" if value.get("remark") else str(value["name"])
        return " ".join(f"{name} {_brief(each)}" for name, each in value.items())
    return plainly(str(value))


# -- decide -----------------------------------------------------------------------------


def approve_command(
    migration: Migration, *, why: Why = "", who: Who = "", stack: Stack = "crossfade", outputs: Outputs = None
) -> None:
    """Allow what waits for an answer."""
    _obeyed(migration, "approve", who=who, why=why, stack=stack, outputs=outputs)


def reject_command(
    migration: Migration, *, why: Why = "", who: Who = "", stack: Stack = "crossfade", outputs: Outputs = None
) -> None:
    """Refuse what waits for an answer: a climb goes back, a blue that should be retired stays."""
    _obeyed(migration, "reject", who=who, why=why, stack=stack, outputs=outputs)


def hold_command(
    migration: Migration, *, why: Why = "", who: Who = "", stack: Stack = "crossfade", outputs: Outputs = None
) -> None:
    """Let green get no larger share until `resume`; looks go on, and may still go back."""
    _obeyed(migration, "hold", who=who, why=why, stack=stack, outputs=outputs)


def resume_command(migration: Migration, *, who: Who = "", stack: Stack = "crossfade", outputs: Outputs = None) -> None:
    """End every hold, a guard's too; what a guard still finds wrong holds again within a minute."""
    _obeyed(migration, "resume", who=who, why="", stack=stack, outputs=outputs)


def _obeyed(migration: str, do: Do, *, who: str, why: str, stack: str, outputs: Path | None) -> None:
    with told():
        where = deployment(stack, outputs)
        request = OperatorRequest(migration=migration, do=do, who=_user(who), why=why)
        answer = obey(request, journal=where.journal, executions=where.executions, now=_now())
        console.print(answer.said, markup=False)


def abort_command(
    migration: Migration, *, why: Why = "", who: Who = "", stack: Stack = "crossfade", outputs: Outputs = None
) -> None:
    """Give everything back to blue."""
    with told():
        where = deployment(stack, outputs)
        reason = f"{_user(who)} aborted it: {why or 'unsaid'}"
        started = begin_rollback(migration, reason, journal=where.journal, executions=where.executions, now=_now())
        said = "goes back" if started.needed else "is rolled back already"
        console.print(f"{migration} {said}")


def retire_command(
    migration: Migration,
    *,
    drift_is_clean: Annotated[
        bool, typer.Option("--drift-is-clean", help="`crossfade drift` showed nothing that would undo the weights.")
    ] = False,
    code: Annotated[
        list[str] | None,
        typer.Option("--code", help="Your own code, compared first as `crossfade drift` does; may be repeated."),
    ] = None,
    params: Annotated[Path | None, typer.Option(help="A file with the parameters of that code.")] = None,
    who: Who = "",
    stack: Stack = "crossfade",
    outputs: Outputs = None,
) -> None:
    """
    Take blue down to zero tasks. There is no way back from here; nothing is deleted.

    Refused until your own code says what the edges hold: name it with --code, or say that `crossfade drift` was clean.
    """
    with told():
        where = deployment(stack, outputs)
        record = where.journal.read(migration)
        if not drift_is_clean and not code:
            raise BadInput(
                "see first what your own code would do: name it with --code, or crossfade drift, then --drift-is-clean"
            )
        if code and not is_clean(migration, code, params, where):
            raise typer.Exit(FAILED)
        given = {"schema": 1, "migration": migration, "fence": record.fence, "who": _user(who)}
        arn = where.start("RetireArn", None, given)
        console.print(_ended(arn, where), markup=False)


def _ended(arn: str, where: Deployment) -> str:
    states = where.client("stepfunctions")
    while True:
        found = states.describe_execution(executionArn=arn)
        if found["status"] == "SUCCEEDED":
            return f"retired: {', '.join(json.loads(found['output'])['services'])} run no task; nothing was deleted"
        if found["status"] != "RUNNING":
            console.print(_failed(found), style="red", markup=False)
            raise typer.Exit(FAILED)
        time.sleep(1)


def _failed(execution: Mapping[str, Any]) -> str:
    """Return why an execution failed, in the error's own words."""
    return f"{execution.get('error', execution['status'])}: {plainly(execution.get('cause', 'no cause was given'))}"


COMMANDS: dict[str, Callable[..., None]] = {
    "start": start_command,
    "status": status_command,
    "watch": watch_command,
    "approve": approve_command,
    "reject": reject_command,
    "hold": hold_command,
    "resume": resume_command,
    "abort": abort_command,
    "retire": retire_command,
    "history": history_command,
    "drift": drift_command,
}
