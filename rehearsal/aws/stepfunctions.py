"""
Step Functions: state machines with versions and aliases, their executions and their task tokens.

moto's own interpreter is not used: it cannot evaluate JSONata, leaves `.sync` children running when
their parent is stopped, and parses a definition anew at each start.
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rehearsal.aws import definition as asl
from rehearsal.aws.clock import clock
from rehearsal.aws.execution import ABORTED, LARGEST_PAYLOAD, RUNNING, Execution, Origin
from rehearsal.aws.integrations import TaskError
from rehearsal.aws.interpreter import Interpreter
from rehearsal.aws.registry import AwsError, Call, on_reset, operation
from rehearsal.aws.task_tokens import answer, tokens

JsonObject = dict[str, Any]

_NAME = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}")
_UNQUALIFIED = 7  # parts of arn:aws:states:region:account:stateMachine:name


@dataclass
class Version:
    """A published state machine: what it was, and when."""

    arn: str
    definition: str
    role_arn: str
    created: datetime
    description: str | None


@dataclass
class Alias:
    """A name for one or two versions and their weights."""

    arn: str
    name: str
    routes: list[JsonObject]
    description: str | None
    created: datetime
    updated: datetime


@dataclass
class Machine:
    """A state machine and all that belongs to it."""

    arn: str
    name: str
    definition: str
    role_arn: str
    created: datetime
    updated: datetime
    settings: JsonObject
    tags: dict[str, str]
    versions: dict[int, Version] = field(default_factory=dict)
    aliases: dict[str, Alias] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)
    published: int = 0
    revision: str = field(default_factory=lambda: str(uuid.uuid4()))


_machines: dict[str, Machine] = {}
_lock = threading.RLock()


@on_reset
def forget() -> None:
    """Abort what runs and forget every state machine."""
    with _lock:
        running = [execution for machine in _machines.values() for execution in machine.executions.values()]
        _machines.clear()
    for execution in running:
        execution.end(ABORTED)
    tokens.clear()


def find_execution(arn: str) -> Execution | None:
    """Return the execution of this ARN, or None."""
    with _lock:
        for machine in _machines.values():
            for execution in machine.executions.values():
                if execution.origin.arn == arn:
                    return execution
    return None


# -- state machines -----------------------------------------------------------


@operation("stepfunctions", "CreateStateMachine")
def _create(call: Call) -> JsonObject:
    asked = call.params
    if not _NAME.fullmatch(asked["name"]):
        raise call.error("InvalidName", f"Invalid Name: '{asked['name']}'")
    if asked.get("type", "STANDARD") != "STANDARD":
        raise call.error("ValidationException", "only STANDARD state machines are run here")
    _read(call, asked["definition"])
    arn = f"arn:aws:states:{call.region}:{call.account}:stateMachine:{asked['name']}"
    now = clock.now()
    with _lock:
        found = _machines.get(arn)
        if found is None:
            found = _machines[arn] = Machine(
                arn=arn,
                name=asked["name"],
                definition=asked["definition"],
                role_arn=asked["roleArn"],
                created=now,
                updated=now,
                settings=_settings(asked),
                tags={tag["key"]: tag["value"] for tag in asked.get("tags", [])},
            )
        elif (found.definition, found.role_arn) != (asked["definition"], asked["roleArn"]):
            raise call.error("StateMachineAlreadyExists", f"State Machine Already Exists: '{arn}'")
        said: JsonObject = {"stateMachineArn": arn, "creationDate": found.created}
        if asked.get("publish"):
            said["stateMachineVersionArn"] = _publish(found, asked.get("versionDescription")).arn
    return said


@operation("stepfunctions", "UpdateStateMachine")
def _update(call: Call) -> JsonObject:
    asked = call.params
    machine = _machine(call, asked["stateMachineArn"])
    if "definition" in asked:
        _read(call, asked["definition"])
    with _lock:
        machine.definition = asked.get("definition", machine.definition)
        machine.role_arn = asked.get("roleArn", machine.role_arn)
        machine.settings.update({key: asked[key] for key in _settings(asked) if key in asked})
        machine.updated, machine.revision = clock.now(), str(uuid.uuid4())
        said: JsonObject = {"updateDate": machine.updated, "revisionId": machine.revision}
        if asked.get("publish"):
            said["stateMachineVersionArn"] = _publish(machine, asked.get("versionDescription")).arn
    return said


@operation("stepfunctions", "DescribeStateMachine")
def _describe(call: Call) -> JsonObject:
    arn = call.params["stateMachineArn"]
    machine, version, _ = _resolve(call, arn)
    return {
        "stateMachineArn": version.arn if version else machine.arn,
        "name": machine.name,
        "status": "ACTIVE",
        "definition": version.definition if version else machine.definition,
        "roleArn": version.role_arn if version else machine.role_arn,
        "creationDate": version.created if version else machine.created,
        "revisionId": machine.revision,
        **({"description": version.description} if version and version.description else {}),
        **machine.settings,
    }


@operation("stepfunctions", "DescribeStateMachineForExecution")
def _describe_for_execution(call: Call) -> JsonObject:
    origin = _execution(call, call.params["executionArn"]).origin
    machine = _machine(call, origin.machine_arn)
    return {
        "stateMachineArn": origin.machine_arn,
        "name": origin.machine_name,
        "definition": origin.definition,
        "roleArn": origin.role_arn,
        "updateDate": machine.updated,
        "loggingConfiguration": machine.settings["loggingConfiguration"],
        "tracingConfiguration": machine.settings["tracingConfiguration"],
    }


@operation("stepfunctions", "DeleteStateMachine")
def _delete(call: Call) -> JsonObject:
    with _lock:
        machine = _machines.pop(call.params["stateMachineArn"], None)
    for execution in machine.executions.values() if machine else []:
        execution.end(ABORTED)
    return {}


@operation("stepfunctions", "ListStateMachines")
def _list(call: Call) -> JsonObject:
    with _lock:
        found = [
            {"stateMachineArn": m.arn, "name": m.name, "type": "STANDARD", "creationDate": m.created}
            for m in _machines.values()
            if m.arn.split(":")[3] == call.region
        ]
    return _page(call, "stateMachines", found)


@operation("stepfunctions", "ValidateStateMachineDefinition")
def _validate(call: Call) -> JsonObject:
    problems: list[str] = []
    try:
        asl.read(call.params["definition"])
    except asl.InvalidDefinition as wrong:
        problems = wrong.problems
    diagnostics = [{"severity": "ERROR", "code": p.partition(":")[0], "message": p} for p in problems]
    return {"result": "FAIL" if problems else "OK", "diagnostics": diagnostics, "truncated": False}


@operation("stepfunctions", "TagResource")
def _tag(call: Call) -> JsonObject:
    machine = _machine(call, call.params["resourceArn"], "ResourceNotFound")
    machine.tags.update({tag["key"]: tag["value"] for tag in call.params["tags"]})
    return {}


@operation("stepfunctions", "UntagResource")
def _untag(call: Call) -> JsonObject:
    machine = _machine(call, call.params["resourceArn"], "ResourceNotFound")
    for key in call.params["tagKeys"]:
        machine.tags.pop(key, None)
    return {}


@operation("stepfunctions", "ListTagsForResource")
def _tags(call: Call) -> JsonObject:
    machine = _machine(call, call.params["resourceArn"], "ResourceNotFound")
    return {"tags": [{"key": key, "value": value} for key, value in machine.tags.items()]}


# -- versions and aliases -----------------------------------------------------


@operation("stepfunctions", "PublishStateMachineVersion")
def _publish_version(call: Call) -> JsonObject:
    machine = _machine(call, call.params["stateMachineArn"])
    revision = call.params.get("revisionId", machine.revision)
    if revision != machine.revision:
        raise call.error("ConflictException", "The revision is not the latest one.")
    with _lock:
        version = _publish(machine, call.params.get("description"))
    return {"stateMachineVersionArn": version.arn, "creationDate": version.created}


@operation("stepfunctions", "ListStateMachineVersions")
def _versions(call: Call) -> JsonObject:
    machine = _machine(call, call.params["stateMachineArn"])
    found = [{"stateMachineVersionArn": v.arn, "creationDate": v.created} for v in machine.versions.values()]
    return _page(call, "stateMachineVersions", found[::-1])


@operation("stepfunctions", "DeleteStateMachineVersion")
def _delete_version(call: Call) -> JsonObject:
    base, _, number = call.params["stateMachineVersionArn"].rpartition(":")
    machine = _machine(call, base)
    routed = [route["stateMachineVersionArn"] for alias in machine.aliases.values() for route in alias.routes]
    if call.params["stateMachineVersionArn"] in routed:
        raise call.error("ConflictException", "An alias routes to this version.")
    machine.versions.pop(int(number), None)
    return {}


@operation("stepfunctions", "CreateStateMachineAlias")
def _create_alias(call: Call) -> JsonObject:
    asked = call.params
    routes = _routes(call, asked["routingConfiguration"])
    machine = _machine(call, routes[0]["stateMachineVersionArn"].rpartition(":")[0])
    now = clock.now()
    with _lock:
        found = machine.aliases.get(asked["name"])
        if found is not None and found.routes != routes:
            raise call.error("ConflictException", f"The alias {asked['name']} exists with other routes.")
        if found is None:
            arn = f"{machine.arn}:{asked['name']}"
            found = Alias(arn, asked["name"], routes, asked.get("description"), now, now)
            machine.aliases[asked["name"]] = found
    return {"stateMachineAliasArn": found.arn, "creationDate": found.created}


@operation("stepfunctions", "UpdateStateMachineAlias")
def _update_alias(call: Call) -> JsonObject:
    alias = _alias(call)
    with _lock:
        if "routingConfiguration" in call.params:
            alias.routes = _routes(call, call.params["routingConfiguration"])
        alias.description = call.params.get("description", alias.description)
        alias.updated = clock.now()
    return {"updateDate": alias.updated}


@operation("stepfunctions", "DescribeStateMachineAlias")
def _describe_alias(call: Call) -> JsonObject:
    alias = _alias(call)
    return {
        "stateMachineAliasArn": alias.arn,
        "name": alias.name,
        "routingConfiguration": alias.routes,
        "creationDate": alias.created,
        "updateDate": alias.updated,
        **({"description": alias.description} if alias.description else {}),
    }


@operation("stepfunctions", "DeleteStateMachineAlias")
def _delete_alias(call: Call) -> JsonObject:
    alias = _alias(call)
    with _lock:
        _machine(call, alias.arn.rpartition(":")[0]).aliases.pop(alias.name, None)
    return {}


@operation("stepfunctions", "ListStateMachineAliases")
def _aliases(call: Call) -> JsonObject:
    machine = _machine(call, call.params["stateMachineArn"])
    found = [{"stateMachineAliasArn": a.arn, "creationDate": a.created} for a in machine.aliases.values()]
    return _page(call, "stateMachineAliases", found)


# -- executions ---------------------------------------------------------------


@operation("stepfunctions", "StartExecution")
def _start(call: Call) -> JsonObject:
    asked = call.params
    machine, version, alias = _resolve(call, asked["stateMachineArn"])
    name, given = asked.get("name") or str(uuid.uuid4()), asked.get("input") or "{}"
    if not _NAME.fullmatch(name):
        raise call.error("InvalidName", f"Invalid Name: '{name}'")
    if len(given.encode()) > LARGEST_PAYLOAD:
        raise call.error("InvalidExecutionInput", f"The input is larger than {LARGEST_PAYLOAD} bytes.")
    try:
        parsed = json.loads(given)
    except ValueError as wrong:
        raise call.error("InvalidExecutionInput", f"Invalid State Machine Execution Input: '{wrong}'") from wrong
    with _lock:
        known = machine.executions.get(name)
        if known is not None:
            if known.status == RUNNING and json.loads(known.given) == parsed:
                return {"executionArn": known.origin.arn, "startDate": known.started}
            raise call.error("ExecutionAlreadyExists", f"Execution Already Exists: '{known.origin.arn}'")
        text = version.definition if version else machine.definition
        origin = Origin(
            arn=f"{machine.arn.replace(':stateMachine:', ':execution:')}:{name}",
            name=name,
            account=call.account,
            region=call.region,
            machine_arn=machine.arn,
            machine_name=machine.name,
            role_arn=version.role_arn if version else machine.role_arn,
            definition=text,
            machine=asl.read(text),
            version_arn=version.arn if version else None,
            alias_arn=alias.arn if alias else None,
        )
        execution = machine.executions[name] = Execution(origin, given, find=find_execution)
    execution.start(Interpreter(execution).run)
    return {"executionArn": origin.arn, "startDate": execution.started}


@operation("stepfunctions", "StopExecution")
def _stop(call: Call) -> JsonObject:
    execution = _execution(call, call.params["executionArn"])
    execution.end(ABORTED, error=call.params.get("error"), cause=call.params.get("cause"))
    return {"stopDate": execution.stopped}


@operation("stepfunctions", "DescribeExecution")
def _describe_execution(call: Call) -> JsonObject:
    return _execution(call, call.params["executionArn"]).describe()


@operation("stepfunctions", "ListExecutions")
def _list_executions(call: Call) -> JsonObject:
    machine, version, alias = _resolve(call, call.params["stateMachineArn"])
    status = call.params.get("statusFilter")
    found = []
    with _lock:
        executions = list(machine.executions.values())
    for execution in executions:
        origin = execution.origin
        if status not in (None, execution.status):
            continue
        if alias is not None and origin.alias_arn != alias.arn:
            continue
        if alias is None and version is not None and origin.version_arn != version.arn:
            continue
        said = execution.describe()
        shown = ("executionArn", "stateMachineArn", "name", "status", "startDate", "stopDate")
        also = ("stateMachineVersionArn", "stateMachineAliasArn", "redriveCount")
        found.append({key: said[key] for key in (*shown, *also) if key in said})
    return _page(call, "executions", found[::-1])


@operation("stepfunctions", "GetExecutionHistory")
def _history(call: Call) -> JsonObject:
    execution = _execution(call, call.params["executionArn"])
    with execution.changed:
        events = list(execution.history)
    return _page(call, "events", events[::-1] if call.params.get("reverseOrder") else events)


# -- task tokens --------------------------------------------------------------


@operation("stepfunctions", "SendTaskSuccess")
def _task_success(call: Call) -> JsonObject:
    try:
        output = json.loads(call.params["output"])
    except ValueError as wrong:
        raise call.error("InvalidOutput", f"Invalid Output: '{wrong}'") from wrong
    _answer(call, output=output)
    return {}


@operation("stepfunctions", "SendTaskFailure")
def _task_failure(call: Call) -> JsonObject:
    _answer(call, failure=TaskError(call.params.get("error") or "", call.params.get("cause") or ""))
    return {}


@operation("stepfunctions", "SendTaskHeartbeat")
def _task_heartbeat(call: Call) -> JsonObject:
    _answer(call, heartbeat=True)
    return {}


def _answer(call: Call, *, output: Any = None, failure: TaskError | None = None, heartbeat: bool = False) -> None:
    token = tokens.find(call.params["taskToken"])
    if token is None:
        raise call.error("InvalidToken", "Invalid Token: 'Invalid token'")
    if not answer(token, output=output, failure=failure, heartbeat=heartbeat):
        raise call.error("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")


# -- finding ------------------------------------------------------------------


def _settings(asked: JsonObject) -> JsonObject:
    return {
        "type": "STANDARD",
        "loggingConfiguration": asked.get("loggingConfiguration", {"level": "OFF", "includeExecutionData": False}),
        "tracingConfiguration": asked.get("tracingConfiguration", {"enabled": False}),
        "encryptionConfiguration": asked.get("encryptionConfiguration", {"type": "AWS_OWNED_KEY"}),
    }


def _read(call: Call, text: str) -> None:
    try:
        asl.read(text)
    except asl.InvalidDefinition as wrong:
        raise call.error("InvalidDefinition", f"Invalid State Machine Definition: '{wrong}'") from wrong


def _machine(call: Call, arn: str, missing: str = "StateMachineDoesNotExist") -> Machine:
    base = ":".join(arn.split(":")[:_UNQUALIFIED])
    with _lock:
        found = _machines.get(base)
    if found is None:
        raise call.error(missing, f"State Machine Does Not Exist: '{arn}'")
    return found


def _resolve(call: Call, arn: str) -> tuple[Machine, Version | None, Alias | None]:
    """Find what an ARN names: a state machine, a version of it, or an alias and the version it routes to."""
    machine = _machine(call, arn)
    qualifier = ":".join(arn.split(":")[_UNQUALIFIED:])
    missing = call.error("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
    if not qualifier:
        return machine, None, None
    if qualifier.isdigit():
        version = machine.versions.get(int(qualifier))
        if version is None:
            raise missing
        return machine, version, None
    alias = machine.aliases.get(qualifier)
    if alias is None:
        raise missing
    heaviest = max(alias.routes, key=lambda route: route["weight"])
    return machine, machine.versions[int(heaviest["stateMachineVersionArn"].rpartition(":")[2])], alias


def _execution(call: Call, arn: str) -> Execution:
    found = find_execution(arn)
    if found is None:
        raise call.error("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
    return found


def _alias(call: Call) -> Alias:
    arn = call.params["stateMachineAliasArn"]
    base, _, name = arn.rpartition(":")
    with _lock:
        machine = _machines.get(base)
    found = machine.aliases.get(name) if machine else None
    if found is None:
        raise call.error("ResourceNotFound", f"Resource not found: '{arn}'")
    return found


def _publish(machine: Machine, description: str | None) -> Version:
    latest = machine.versions.get(machine.published)
    if latest is not None and (latest.definition, latest.role_arn) == (machine.definition, machine.role_arn):
        return latest  # as on AWS: publishing an unchanged revision again makes no new version
    machine.published += 1
    arn = f"{machine.arn}:{machine.published}"
    version = Version(arn, machine.definition, machine.role_arn, clock.now(), description)
    machine.versions[machine.published] = version
    return version


def _routes(call: Call, routes: list[JsonObject]) -> list[JsonObject]:
    if sum(route["weight"] for route in routes) != 100:  # noqa: PLR2004  percent
        raise call.error("ValidationException", "The weights of a routing configuration sum to 100.")
    for route in routes:
        try:
            _resolve(call, route["stateMachineVersionArn"])
        except AwsError as missing:
            raise call.error("ResourceNotFound", str(missing)) from missing
    return routes


def _page(call: Call, key: str, found: list[JsonObject]) -> JsonObject:
    start, most = int(call.params.get("nextToken") or 0), int(call.params.get("maxResults") or 0) or 100
    said: JsonObject = {key: found[start : start + most]}
    if start + most < len(found):
        said["nextToken"] = str(start + most)
    return said
