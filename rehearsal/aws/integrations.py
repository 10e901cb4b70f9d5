"""
The calls a Task state can make: what it may say, what it gets back, and what AWS calls its errors.

Optimized integrations speak the API's own names; `aws-sdk` ones speak Pascal case throughout and
are checked against botocore's model, since on AWS a misspelt member fails only when it is called.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/integrate-services.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from rehearsal.aws.jsonata import is_expression
from rehearsal.aws.wire import saying, wire

PLAIN, TOKEN, SYNC, SYNC2 = "", "waitForTaskToken", "sync", "sync:2"

_OPTIMIZED: dict[str, tuple[str, dict[str, str]]] = {  # service: (botocore's name, {action: operation})
    "lambda": ("lambda", {"invoke": "Invoke"}),
    "states": ("stepfunctions", {"startExecution": "StartExecution"}),
    "sns": ("sns", {"publish": "Publish"}),
    "sqs": ("sqs", {"sendMessage": "SendMessage"}),
    "events": ("events", {"putEvents": "PutEvents"}),
    "dynamodb": (
        "dynamodb",
        {"getItem": "GetItem", "putItem": "PutItem", "updateItem": "UpdateItem", "deleteItem": "DeleteItem"},
    ),
}
_PATTERNS = {
    "lambda": {PLAIN, TOKEN},
    "states": {PLAIN, TOKEN, SYNC, SYNC2},
    "sns": {PLAIN, TOKEN},
    "sqs": {PLAIN, TOKEN},
    "events": {PLAIN, TOKEN},
    "dynamodb": {PLAIN},
    "aws-sdk": {PLAIN, TOKEN},
}
_SDK_NAMES = {  # Step Functions' service name: (botocore's name, the name in errors)
    "dynamodb": ("dynamodb", "DynamoDb"),
    "sfn": ("stepfunctions", "Sfn"),
    "elasticloadbalancingv2": ("elbv2", "ElasticLoadBalancingV2"),
    "ecs": ("ecs", "Ecs"),
    "sns": ("sns", "Sns"),
    "sqs": ("sqs", "Sqs"),
    "s3": ("s3", "S3"),
    "lambda": ("lambda", "Lambda"),
    "cloudwatch": ("cloudwatch", "CloudWatch"),
    "cloudwatchlogs": ("logs", "CloudWatchLogs"),
    "eventbridge": ("events", "EventBridge"),
    "servicediscovery": ("servicediscovery", "ServiceDiscovery"),
    "route53": ("route53", "Route53"),
    "cloudfront": ("cloudfront", "CloudFront"),
    "appmesh": ("appmesh", "AppMesh"),
    "applicationautoscaling": ("application-autoscaling", "ApplicationAutoScaling"),
}
_OPTIMIZED_NAMES = {  # the name in the errors of optimized integrations
    "lambda": "Lambda",
    "states": "StepFunctions",
    "sns": "SNS",
    "sqs": "SQS",
    "events": "EventBridge",
    "dynamodb": "DynamoDB",
}
_JSON_TEXT = {("states", "Input"), ("sns", "Message"), ("sqs", "MessageBody")}  # objects are sent as JSON text


class TaskError(Exception):
    """A Task failed with an error name and a cause, both as a Retry or Catch would see them."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Resource:
    """
    A Task's Resource, taken apart.

    `kind` is `aws-sdk` or the optimized service; `service` is botocore's name; `pattern` is one of
    PLAIN, TOKEN, SYNC, SYNC2; `function` is set when the Resource is a Lambda function's ARN.
    """

    kind: str
    service: str
    action: str
    pattern: str
    name: str
    function: str | None = None

    @property
    def resource_type(self) -> str:
        """What the history calls `resourceType`."""
        return f"aws-sdk:{self.name}" if self.kind == "aws-sdk" else self.kind

    @property
    def label(self) -> str:
        """What the history calls `resource`."""
        action = self.action[0].lower() + self.action[1:]
        return f"{action}.{self.pattern}" if self.pattern else action


@lru_cache(maxsize=256)
def resource(text: str) -> Resource:
    """Take a Task's Resource apart. Raises ValueError with what is wrong."""
    parts = text.split(":")
    if parts[:1] == ["arn"] and parts[2:3] == ["lambda"]:
        return Resource("lambda", "lambda", "Invoke", PLAIN, "lambda", function=text)
    if len(parts) < 7 or parts[2] != "states":  # noqa: PLR2004  arn:aws:states:::service:action
        raise ValueError(f"the resource {text!r} is no service integration")
    kind, rest = parts[5], ":".join(parts[6:])
    name = kind
    if kind == "aws-sdk":
        name, _, rest = rest.partition(":")
    action, _, pattern = rest.partition(".")
    if kind == "aws-sdk":
        if name not in _SDK_NAMES:
            raise ValueError(f"the aws-sdk service {name!r} is not known here")
        service = _SDK_NAMES[name][0]
        operation = next((o for o in _model(service).operation_names if o[0].lower() + o[1:] == action), None)
    elif kind in _OPTIMIZED:
        service, operations = _OPTIMIZED[kind]
        operation = operations.get(action)
    else:
        raise ValueError(f"the resource {text!r} is no known service integration")
    if operation is None:
        raise ValueError(f"{name} has no action {action!r}")
    if pattern not in _PATTERNS[kind]:
        raise ValueError(f"{kind} does not support .{pattern}")
    return Resource(kind, service, operation, pattern, name)


def problems(text: str, arguments: Any) -> Iterator[str]:
    """Yield what AWS would refuse, at once or at the first call, in a Task's Resource and literal Arguments."""
    try:
        found = resource(text)
    except ValueError as wrong:
        yield str(wrong)
        return
    if found.function is not None or is_expression(arguments):
        return
    if arguments is not None and not isinstance(arguments, dict):
        yield "Arguments is an object or an expression"
        return
    shape = _operation(found).input_shape
    if isinstance(shape, StructureShape):
        names = _names(shape, sdk=found.kind == "aws-sdk")
        given = set(arguments or {})
        for unknown in sorted(given - set(names)):
            yield f"{found.name}:{found.action} has no member {unknown!r}"
        known = {names[name] for name in given & set(names)}
        for missing in sorted(set(shape.required_members) - known):
            yield f"{found.name}:{found.action} needs the member {missing!r}"


def call(found: Resource, arguments: Any, region: str, *, caller: str = "") -> Any:
    """
    Make the call and return its result as Step Functions shows it; `caller` goes along in a header of ours.

    Raises:
        TaskError: AWS refused, a function raised, or the connection failed.
    """
    client = wire.client(found.service, region, retries=False)
    try:
        request = {"Payload": arguments, "FunctionName": found.function} if found.function else arguments or {}
        asked = _asked(found, request)
        saying.caller = caller
        answer = getattr(client, xform_name(found.action))(**asked)
    except ParamValidationError as wrong:
        raise TaskError("States.Runtime", str(wrong)) from wrong
    except ClientError as refused:
        raise _refused(found, refused) from refused
    except BotoCoreError as broken:
        raise TaskError(f"{_error_prefix(found)}.SdkClientException", str(broken)) from broken
    answer.pop("ResponseMetadata", None)
    if found.service == "lambda" and found.kind == "lambda":
        return _answer_of_function(found, answer)
    return _answered(answer, _operation(found).output_shape, sdk=found.kind == "aws-sdk")


def started(answer: dict[str, Any]) -> dict[str, Any]:
    """Render a DescribeExecution answer as the `.sync` patterns show it: Pascal case, dates as milliseconds."""
    shown: dict[str, Any] = {}
    for key, value in answer.items():
        shown[key[0].upper() + key[1:]] = int(value.timestamp() * 1000) if isinstance(value, datetime) else value
    return shown


# -- asking -------------------------------------------------------------------


def _asked(found: Resource, arguments: dict[str, Any]) -> dict[str, Any]:
    if found.service == "lambda" and found.kind == "lambda":
        payload = arguments.get("Payload", {})
        return {**arguments, "Payload": json.dumps(payload).encode()}
    given = {
        key: json.dumps(value, separators=(",", ":"))
        if (found.kind, key) in _JSON_TEXT and not isinstance(value, str)
        else value
        for key, value in arguments.items()
    }
    if found.kind == "states":
        given.setdefault("Input", "{}")
    asked = _to_botocore(given, _operation(found).input_shape, sdk=found.kind == "aws-sdk")
    assert isinstance(asked, dict)  # inputs of operations are structures
    return asked


def _to_botocore(value: Any, shape: Shape | None, *, sdk: bool) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        names = _names(shape, sdk=sdk)
        known = {str(key): str(names.get(key, key)) for key in value}
        members: dict[str, Shape] = dict(shape.members)
        return {known[key]: _to_botocore(item, members.get(known[key]), sdk=sdk) for key, item in value.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_to_botocore(item, shape.member, sdk=sdk) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _to_botocore(item, shape.value, sdk=sdk) for key, item in value.items()}
    if shape is not None and shape.type_name == "blob" and isinstance(value, str):
        return value.encode()
    if shape is not None and shape.type_name == "string" and not isinstance(value, str):
        return json.dumps(value, separators=(",", ":"))  # as AWS: a string member takes any JSON
    return value


def _names(shape: StructureShape, *, sdk: bool) -> dict[str, str]:
    """Map each name Step Functions accepts for a member to botocore's."""
    names: dict[str, str] = {}
    for member in shape.members:
        names[member[0].upper() + member[1:]] = member
        if sdk:
            names[_java(member)] = member
    return names


@lru_cache(maxsize=4096)
def _java(member: str) -> str:
    """Return the name AWS's Java SDK, and so Step Functions, gives a member: `TTL` is `Ttl`."""
    return "".join(word[:1].upper() + word[1:] for word in xform_name(member).split("_"))


# -- answers ------------------------------------------------------------------


def _answered(value: Any, shape: Shape | None, *, sdk: bool) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        members: dict[str, Shape] = dict(shape.members)
        return {
            (_java(key) if sdk else key[0].upper() + key[1:]): _answered(item, members.get(key), sdk=sdk)
            for key, item in value.items()
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_answered(item, shape.member, sdk=sdk) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _answered(item, shape.value, sdk=sdk) for key, item in value.items()}
    return _leaf(value)


def _leaf(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, bytes):
        return value.decode()
    return value.read().decode() if hasattr(value, "read") else value


def _answer_of_function(found: Resource, answer: dict[str, Any]) -> Any:
    text = answer["Payload"].read().decode()
    try:
        payload = json.loads(text) if text else None
    except ValueError:
        payload = text
    if answer.get("FunctionError"):
        name = payload.get("errorType") if isinstance(payload, dict) else None
        raise TaskError(name or "Lambda.Unknown", json.dumps(payload, separators=(",", ":")))
    if found.function is not None:
        return payload
    return {
        "ExecutedVersion": answer.get("ExecutedVersion", "$LATEST"),
        "Payload": payload,
        "StatusCode": answer["StatusCode"],
    }


def _refused(found: Resource, refused: ClientError) -> TaskError:
    code = refused.response["Error"]["Code"]
    metadata = refused.response["ResponseMetadata"]
    prefix = _error_prefix(found)
    if found.kind == "aws-sdk":
        # A modelled error keeps its class; any other is the service's own base exception.
        modelled = type(refused).__name__
        name = f"{prefix}Exception" if modelled == "ClientError" else modelled
        name += "" if name.endswith("Exception") else "Exception"
    elif found.kind == "dynamodb":
        name = code
    elif found.kind == "lambda" and type(refused).__name__ == "ClientError":  # as AccessDenied, which no model lists
        name = "AWSLambdaException"
    else:
        name = code if code.endswith("Exception") else f"{code}Exception"
    cause = (
        f"{refused.response['Error'].get('Message', '')} (Service: {prefix}, Status Code: "
        f"{metadata.get('HTTPStatusCode')}, Request ID: {metadata.get('RequestId')})"
    )
    return TaskError(f"{prefix}.{name}", cause)


def _error_prefix(found: Resource) -> str:
    return _SDK_NAMES[found.name][1] if found.kind == "aws-sdk" else _OPTIMIZED_NAMES[found.kind]


@lru_cache(maxsize=64)
def _model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def _operation(found: Resource) -> OperationModel:
    operation: OperationModel = _model(found.service).operation_model(found.action)
    return operation
