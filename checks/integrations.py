"""
What the Tasks of a state machine ask of AWS: the operation exists, its members are named as Step Functions names them.

Step Functions writes the members of every AWS SDK call in Pascal case with acronyms as
words (`DnsName`, `KmsKeyId`), whatever case the service's own API has, and names errors
by service and exception class (`DynamoDb.ConditionalCheckFailedException`).

Source: Step Functions guide, "Learning to use AWS service SDK integrations"; botocore's service models.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

import botocore.session
from botocore.exceptions import UnknownServiceError
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

from checks.expressions import expression, names, strings
from checks.finding import Finding
from checks.machine import Machine, State
from crossfade import errors

_SDK_SERVICES = {  # Step Functions' name: botocore's, and the prefix of its errors
    "cloudfront": ("cloudfront", "CloudFront"),
    "cloudwatch": ("cloudwatch", "CloudWatch"),
    "cloudwatchlogs": ("logs", "CloudWatchLogs"),
    "dynamodb": ("dynamodb", "DynamoDb"),
    "ecs": ("ecs", "Ecs"),
    "elasticloadbalancingv2": ("elbv2", "ElasticLoadBalancingV2"),
    "eventbridge": ("events", "EventBridge"),
    "lambda": ("lambda", "Lambda"),
    "route53": ("route53", "Route53"),
    "s3": ("s3", "S3"),
    "servicediscovery": ("servicediscovery", "ServiceDiscovery"),
    "sfn": ("stepfunctions", "Sfn"),
    "sns": ("sns", "Sns"),
    "sqs": ("sqs", "Sqs"),
}
_OPTIMISED = {  # resource: botocore's service and operation, the error prefix, members in Step Functions' case
    "lambda:invoke": ("lambda", "Invoke", "Lambda", False),
    "states:startExecution": ("stepfunctions", "StartExecution", "StepFunctions", True),
    "sns:publish": ("sns", "Publish", "SNS", False),
    "sqs:sendMessage": ("sqs", "SendMessage", "SQS", False),
    "events:putEvents": ("events", "PutEvents", "EventBridge", False),
    "dynamodb:getItem": ("dynamodb", "GetItem", "DynamoDB", False),
    "dynamodb:putItem": ("dynamodb", "PutItem", "DynamoDB", False),
    "dynamodb:updateItem": ("dynamodb", "UpdateItem", "DynamoDB", False),
    "dynamodb:deleteItem": ("dynamodb", "DeleteItem", "DynamoDB", False),
}
_STATES_ERRORS = frozenset(
    "States." + name
    for name in [
        "ALL",
        "DataLimitExceeded",
        "ExceedToleratedFailureThreshold",
        "HeartbeatTimeout",
        "Http.Socket",
        "ItemReaderFailed",
        "Permissions",
        "QueryEvaluationError",
        "ResultWriterFailed",
        "Runtime",
        "TaskFailed",
        "Timeout",
    ]
)
_SDK_WIDE = {"SdkClientException", "ThrottlingException", "ThrottledException", "AccessDeniedException"}
_LAMBDA = {
    "AWSLambdaException",
    "ClientExecutionTimeoutException",
    "SdkClientException",
    "ServiceException",
    "Unknown",
}
_RUNTIME = frozenset({"Runtime.ExitError", "Runtime.ImportModuleError", "Runtime.OutOfMemory", "Sandbox.Timedout"})
"""What Lambda answers when a handler never got to raise anything."""
_OUTCOMES = frozenset({"RolledBack"})
"""How an execution may end in Fail that is no error of ours: what it was for is done."""
_JAVA_NAMES = {"NULL": "Nul"}  # a reserved word in the SDK that Step Functions is built on


@cache
def _model(service: str) -> ServiceModel | None:
    try:
        return botocore.session.get_session().get_service_model(service)
    except UnknownServiceError:
        return None


def pascal(member: str) -> str:
    """Return a member as Step Functions writes it: DNSName -> DnsName, awsvpcConfiguration -> AwsvpcConfiguration."""
    if member in _JAVA_NAMES:
        return _JAVA_NAMES[member]
    words: list[str] = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|_+", member)
    return "".join(word[:1].upper() + word[1:].lower() for word in words)


def _target(state: State) -> str | None:
    """Return `service:operation` of a Task that calls AWS, without its pattern."""
    found = re.fullmatch(r"arn:[^:]*:states:::(.+?)(\.sync(:2)?|\.waitForTaskToken)?", str(state.get("Resource")))
    return found[1] if found else None


class _Call:
    """An operation that a Task calls, with how its members and errors are spelled."""

    def __init__(self, operation: OperationModel, service: str, prefix: str, *, own_case: bool) -> None:
        self.operation, self.service, self.prefix, self.own_case = operation, service, prefix, own_case

    def spell(self, member: str) -> str:
        return pascal(member) if self.own_case else member

    def errors(self) -> set[str]:
        shapes = self.operation.service_model.error_shapes
        modelled = {re.sub(r"(Exception)?$", "Exception", str(shape.name), count=1) for shape in shapes}
        return {f"{self.prefix}.{name}" for name in modelled | _SDK_WIDE | {f"{self.prefix}Exception"}}


def _call(state: State) -> _Call | str:
    """Return what a Task calls, or what is wrong with its Resource."""
    target = _target(state)
    if target is None:
        return f"{state.get('Resource')!r} is no integration that is known here"
    if target in _OPTIMISED:
        service, name, prefix, own_case = _OPTIMISED[target]
    elif target.startswith("aws-sdk:") and target.count(":") == 2:  # noqa: PLR2004 - aws-sdk:service:action
        _, sdk, action = target.split(":")
        if sdk not in _SDK_SERVICES:
            return f"the AWS SDK service {sdk!r} is not known here"
        if not action[:1].islower():
            return f"{action!r} must be in camel case"
        (service, prefix), name, own_case = _SDK_SERVICES[sdk], action[:1].upper() + action[1:], True
    else:
        return f"{target!r} is no integration that is known here"
    model = _model(service)
    if model is None or name not in model.operation_names:
        return f"{service} has no operation {name}"
    return _Call(model.operation_model(name), service, prefix, own_case=own_case)


def integrations(machine: Machine) -> Iterator[Finding]:
    """Yield each Task whose operation, member or result does not exist, or that leaves out a member it must give."""
    for place, _name, state in machine.tasks():
        call = _call(state)
        if isinstance(call, str):
            yield Finding(place, call)
            continue
        arguments = state.get("Arguments", {})
        if isinstance(arguments, Mapping):
            yield from _members(f"{place} Arguments", call.operation.input_shape, arguments, call)
        yield from _results(place, state, call)


def _members(place: str, shape: Shape | None, given: object, call: _Call) -> Iterator[Finding]:
    if isinstance(shape, StructureShape) and isinstance(given, Mapping):
        members = {call.spell(member): inner for member, inner in shape.members.items()}
        for member, part in given.items():
            if member in members:
                yield from _members(f"{place}.{member}", members[member], part, call)
            else:
                near = [known for known in members if known.lower() == str(member).lower()]
                yield Finding(place, f"{call.operation.name} has no {member}" + (f": write {near[0]}" if near else ""))
        for member in shape.required_members:
            if call.spell(member) not in given:
                yield Finding(place, f"{call.operation.name} needs {call.spell(member)}")
    elif isinstance(shape, StructureShape) and isinstance(given, list):
        yield Finding(place, "is a list where a structure is wanted")
    elif isinstance(shape, ListShape) and isinstance(given, list):
        for number, part in enumerate(given):
            yield from _members(f"{place}[{number}]", shape.member, part, call)
    elif isinstance(shape, MapShape) and isinstance(given, Mapping):
        for key, part in given.items():
            yield from _members(f"{place}.{key}", shape.value, part, call)
    elif isinstance(shape, ListShape) and not (isinstance(given, str) and expression(given)):
        yield Finding(place, "is no list where one is wanted")


def _results(place: str, state: State, call: _Call) -> Iterator[Finding]:
    """Check `$states.result.X` of SDK calls and of `lambda:invoke`; a token's answer and a child's output are ours."""
    if re.search(r"\.(waitForTaskToken|sync(:2)?)$", str(state.get("Resource"))):
        return
    shape = call.operation.output_shape
    known = {call.spell(member) for member in shape.members} if shape is not None else set()
    known |= {"SdkHttpMetadata", "SdkResponseMetadata", "ExecutedVersion", "StatusCode"}
    for path, text in strings({field: state[field] for field in ("Output", "Assign") if field in state}):
        source = expression(text)
        if source is None:
            continue
        for member in sorted(names(source).result_fields - known):
            yield Finding(f"{place} {path}", f"the answer of {call.operation.name} has no {member}")


# -- errors ---------------------------------------------------------------------


def _own(name: str) -> type[Exception] | None:
    found = getattr(errors, name, None)
    return found if isinstance(found, type) and issubclass(found, errors.CrossfadeError) else None


def named_errors(machine: Machine) -> Iterator[Finding]:
    """
    Yield each error in a Retry or Catch that nobody raises.

    Step Functions compares names, not classes: a base class would match nothing. What a
    person must mend (`Refused`) may be caught and never retried.
    """
    for place, _name, state in machine.states():
        call = _call(state) if state.get("Type") == "Task" else "no task"
        for field in ("Retry", "Catch"):
            for rule in state.get(field, []):
                for name in rule.get("ErrorEquals", []):
                    yield from _error(f"{place} {field}", field, str(name), call)
        if state.get("Type") == "Fail":
            name = str(state.get("Error", ""))
            if not expression(name) and _own(name) is None and name not in _OUTCOMES:
                yield Finding(place, f"fails with {name!r}, which crossfade.errors does not have")


def _error(place: str, field: str, name: str, call: _Call | str) -> Iterator[Finding]:
    own = _own(name)
    if own is not None:
        if own.__subclasses__():
            yield Finding(place, f"{name} is a base class: Step Functions matches exact names, so list its leaves")
        elif field == "Retry" and issubclass(own, errors.Refused):
            yield Finding(place, f"{name} is for a person to mend: trying again does not help")
        elif isinstance(call, _Call) and call.operation.name != "Invoke":
            yield Finding(place, f"{name} is raised by handlers, and this Task calls none")
    elif name.startswith("States."):
        if name not in _STATES_ERRORS:
            yield Finding(place, f"{name} does not exist")
    elif name in _RUNTIME:
        if not isinstance(call, _Call) or call.service != "lambda":
            yield Finding(place, f"{name} comes from Lambda, and this Task calls none")
    elif "." not in name:
        yield Finding(place, f"crossfade.errors has no {name}")
    elif isinstance(call, _Call) and name not in call.errors():
        ours = call.service == "lambda" and name.removeprefix("Lambda.") in _LAMBDA
        if not ours:
            yield Finding(place, f"{name} is no error of {call.service} ({call.prefix}.…)")


def busy_is_retried(machines: Iterable[Machine]) -> Iterator[Finding]:
    """Yield each …Busy error that no machine retries. Other TryAgain leaves are loops of the machine's own."""
    named = {
        str(name)
        for machine in machines
        for _place, _name, state in machine.states()
        for rule in state.get("Retry", [])
        for name in rule.get("ErrorEquals", [])
    }
    for leaf in sorted(kind.__name__ for kind in errors.TryAgain.__subclasses__()):
        if leaf.endswith("Busy") and leaf not in named:
            yield Finding(leaf, "means that trying again helps, and no state machine does")
