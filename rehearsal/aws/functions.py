"""
Lambda: moto keeps the functions, versions, aliases and layers; here they run.

Source: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html and
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import LambdaFunction
from moto.awslambda.utils import get_backend
from moto.logs.models import logs_backends

from rehearsal.aws.clock import clock, later, soon
from rehearsal.aws.events import deliver_failure
from rehearsal.aws.faults import error_payload, faults
from rehearsal.aws.iam_enforcement import enforcement
from rehearsal.aws.registry import Call, on_reset, operation, turn
from rehearsal.aws.sandbox import Bundle, Outcome, Shape, sandbox
from rehearsal.aws.wire import wire

LARGEST_EVENT = 6 * 1024 * 1024  # bytes of a synchronous request
_RETRY_SECONDS = (1, 2)  # between attempts of an Event invocation; AWS waits one minute, then two
_THROTTLE_SECONDS = 1.0  # before a throttled Event invocation is tried again; AWS backs off for up to six hours
_THROTTLE_ATTEMPTS = 60


@dataclass(frozen=True, slots=True)
class Invocation:
    """A function at work: who, on what, and the request's id."""

    function: str
    event: Any
    request_id: str

    def kill(self) -> bool:
        """Kill its process; False when it has ended already."""
        return sandbox.kill(self.request_id)

    def time_out(self) -> bool:
        """Kill it as Lambda does when its time is up; False when it has ended already."""
        return sandbox.kill(self.request_id, timed_out=True)


_running: Counter[str] = Counter()
_invocations: dict[str, Invocation] = {}
_lock = threading.Lock()


class Throttled(Exception):
    """The function's reserved concurrency is used up, or a test ordered it."""


@on_reset
def forget() -> None:
    """Kill every worker."""
    sandbox.close()
    with _lock:
        _running.clear()
        _invocations.clear()


def invocation_of(headers: Mapping[str, str]) -> Invocation | None:
    """Return the invocation that a call with these headers came from; None when no function made it."""
    root = headers.get("X-Amzn-Trace-Id", "").partition("Root=1-")[2].partition(";")[0].replace("-", "")
    with _lock:
        return _invocations.get(root)


def invocations() -> tuple[Invocation, ...]:
    """Return every invocation that runs now."""
    with _lock:
        return tuple(_invocations.values())


# -- running ------------------------------------------------------------------


def run(function: Any, event: Any, *, arn: str) -> Outcome:
    """
    Run a function once and write its log.

    Args:
        function: moto's LambdaFunction, of the version that is meant.
        event: any JSON value.
        arn: as it was invoked; an alias keeps its name in it.

    Raises:
        Throttled: too many run already.
    """
    request_id = str(uuid.uuid4())
    name = str(function.function_name)
    refusal = faults.refusal(name)
    if refusal is not None:
        throttled, error, message = refusal
        if throttled:
            raise Throttled(message)
        return Outcome(error_payload(error, message), failed=True, logs="", stream="faults", cold=False)
    made_up = faults.made_up(name)
    if made_up is not None:
        return Outcome(made_up, failed=False, logs="", stream="faults", cold=False)
    reserved = _reserved(function)
    with _lock:
        if reserved is not None and _running[name] >= reserved:
            raise Throttled("Rate Exceeded.")
        _running[name] += 1
        _invocations[request_id.replace("-", "")] = Invocation(name, event, request_id)
    begun = clock.monotonic()
    try:
        outcome = sandbox.invoke(_shape(function), event, arn=arn, request_id=request_id)
    finally:
        with _lock:
            _running[name] -= 1
            _invocations.pop(request_id.replace("-", ""), None)
    _write_log(function, outcome, request_id, seconds=clock.monotonic() - begun)
    return outcome


def _reserved(function: Any) -> int | None:
    latest = get_backend(function.account_id, function.region).get_function(function.function_name)
    return None if latest.reserved_concurrency is None else int(latest.reserved_concurrency)


def _shape(function: Any) -> Shape:
    version = _version(function)
    logging = _logging(function)
    environment = {
        **wire.environment(),
        **enforcement.credentials(function.role, function.function_name),
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": logging["LogGroup"],
        "AWS_LAMBDA_LOG_FORMAT": logging["LogFormat"],
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
        "_HANDLER": function.handler,
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        **{key: str(value) for key, value in (function.environment_vars or {}).items()},
    }
    backend = get_backend(function.account_id, function.region)
    layers = [backend.layers_versions_by_arn(layer["Arn"]) for layer in function.layers]
    settings = json.dumps([sorted(environment.items()), function.code_sha_256, [layer.arn for layer in layers]])
    return Shape(
        function=function.function_name,
        version=version,
        revision=hashlib.sha256(settings.encode()).hexdigest(),
        environment=tuple(sorted(environment.items())),
        code=_bundle(function),
        layers=tuple(_bundle(layer) for layer in layers),
        timeout=float(function.timeout),
    )


def _bundle(holder: Any) -> Bundle:
    return Bundle(hashlib.sha256(holder.code_bytes).hexdigest(), holder.code_bytes)


# -- logs ---------------------------------------------------------------------


def _logging(function: Any) -> dict[str, str]:
    asked = getattr(function, "logging_config", None) or {}
    return {
        "LogFormat": asked.get("LogFormat", "Text"),
        "LogGroup": asked.get("LogGroup", f"/aws/lambda/{function.function_name}"),
    }


def _write_log(function: Any, outcome: Outcome, request_id: str, *, seconds: float) -> None:
    logging = _logging(function)
    group = logging["LogGroup"]
    now = clock.now()
    stream = f"{now:%Y/%m/%d}/[{function.version}]{outcome.stream}"
    milliseconds = f"{seconds * 1000:.2f}"
    if logging["LogFormat"] == "JSON":
        first = [json.dumps({"time": now.isoformat(), "type": "platform.start", "record": {"requestId": request_id}})]
        record = {"requestId": request_id, "metrics": {"durationMs": float(milliseconds)}}
        last = [json.dumps({"time": now.isoformat(), "type": "platform.report", "record": record})]
    else:
        first = [f"START RequestId: {request_id} Version: {function.version}"]
        last = [f"END RequestId: {request_id}", f"REPORT RequestId: {request_id}\tDuration: {milliseconds} ms"]
    said = [line for line in outcome.logs.splitlines() if line.strip()]
    if outcome.failed and not said:
        said = [f"[ERROR] {outcome.payload}"]
    stamp = int(clock.time() * 1000)
    backend = logs_backends[function.account_id][function.region]
    with turn("logs", "PutLogEvents"):
        backend.ensure_log_group(group)
        if stream not in backend.groups[group].streams:
            backend.create_log_stream(group, stream)
        lines = [{"timestamp": stamp, "message": text} for text in (*first, *said, *last)]
        backend.put_log_events(group, stream, lines)


# -- the API ------------------------------------------------------------------


@operation("lambda", "Invoke")
def _invoke(call: Call) -> Any:
    asked = call.params
    name, qualifier = asked["FunctionName"], asked.get("Qualifier")
    function, arn = _resolve(call, name, qualifier)
    body = asked.get("Payload") or b"{}"
    if len(body) > LARGEST_EVENT:
        raise call.error("RequestTooLargeException", f"The payload is larger than {LARGEST_EVENT} bytes.")
    try:
        event = json.loads(body)
    except ValueError as wrong:
        message = f"Could not parse request body into json: {wrong}"
        raise call.error("InvalidRequestContentException", message) from wrong
    kind = asked.get("InvocationType", "RequestResponse")
    if kind == "DryRun":
        return {"StatusCode": 204}
    if kind == "Event":
        invoke_later(function, event, arn=arn)
        return 202, {"status": 202, "content-type": "application/json"}, b""
    try:
        outcome = run(function, event, arn=arn)
    except Throttled as busy:
        raise call.error("TooManyRequestsException", str(busy)) from busy
    said: dict[str, Any] = {
        "StatusCode": 200,
        "ExecutedVersion": _version(function),
        "Payload": outcome.payload.encode(),
    }
    if outcome.failed:
        said["FunctionError"] = "Unhandled"
    if asked.get("LogType") == "Tail":
        said["LogResult"] = base64.b64encode(outcome.logs.encode()[-4096:]).decode()
    return said


def invoke_later(function: Any, event: Any, *, arn: str, attempt: int = 0, throttled: int = 0) -> None:
    """
    Run a function in the background, as an Event invocation: at most two retries, then its failure destination.

    A throttled attempt is tried again without counting as one.
    """

    def attempt_once() -> None:
        try:
            outcome = run(function, event, arn=arn)
        except Throttled:
            if throttled < _THROTTLE_ATTEMPTS:
                again = {"arn": arn, "attempt": attempt, "throttled": throttled + 1}
                later(_THROTTLE_SECONDS, lambda: invoke_later(function, event, **again))  # type: ignore[arg-type]
            return
        if not outcome.failed:
            return
        if attempt < _most_retries(function):
            wait = _RETRY_SECONDS[min(attempt, len(_RETRY_SECONDS) - 1)]
            later(wait, lambda: invoke_later(function, event, arn=arn, attempt=attempt + 1))
            return
        destination = _failure_destination(function)
        if destination is not None:
            record = {
                "version": "1.0",
                "timestamp": clock.now().isoformat(),
                "requestContext": {"functionArn": arn, "condition": "RetriesExhausted"},
                "requestPayload": event,
                "responsePayload": json.loads(outcome.payload),
            }
            deliver_failure(destination, json.dumps(record))

    soon(attempt_once)


def _most_retries(function: Any) -> int:
    for config in function.event_invoke_config:
        retries = config.config.get("MaximumRetryAttempts")
        if retries is not None:
            return int(retries)
    return 2


def _failure_destination(function: Any) -> str | None:
    for config in function.event_invoke_config:
        destination = config.config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        if destination:
            return str(destination)
    queue = getattr(function, "dead_letter_config", None) or {}
    return queue.get("TargetArn")


def _resolve(call: Call, name: str, qualifier: str | None) -> tuple[Any, str]:
    try:
        function = get_backend(call.account, call.region).get_function(name, qualifier)
    except UnknownFunctionException as missing:
        text = f"Function not found: arn:aws:lambda:{call.region}:{call.account}:function:{_bare(name)}"
        raise call.error("ResourceNotFoundException", text) from missing
    base = f"arn:aws:lambda:{call.region}:{call.account}:function:{function.function_name}"
    asked = _bare(name).partition(":")[2] or qualifier
    return function, f"{base}:{asked}" if asked else base


def _bare(name: str) -> str:
    """Strip a function's ARN down to `name` or `name:qualifier`."""
    return name.rpartition(":function:")[2]


def _version(function: Any) -> str:
    return str(function.version) if ":" in _bare(function.function_arn) else "$LATEST"


@operation("lambda", "CreateFunction")
def _create(call: Call) -> Any:
    said = call.next()
    _keep_settings(call, call.params["FunctionName"])
    return _with_logging(call, said)


@operation("lambda", "UpdateFunctionConfiguration")
def _update(call: Call) -> Any:
    said = call.next()
    _keep_settings(call, call.params["FunctionName"])
    return _with_logging(call, said)


@operation("lambda", "GetFunctionConfiguration")
def _configuration(call: Call) -> Any:
    return _with_logging(call, call.next())


@operation("lambda", "GetFunction")
def _function(call: Call) -> Any:
    said = call.next()
    if isinstance(said, dict) and "Configuration" in said:
        _with_logging(call, said["Configuration"])
    return said


def _keep_settings(call: Call, name: str) -> None:
    function = get_backend(call.account, call.region).get_function(_bare(name).partition(":")[0])
    for key, attribute in (("LoggingConfig", "logging_config"), ("DeadLetterConfig", "dead_letter_config")):
        if key in call.params:
            setattr(function, attribute, call.params[key])


def _with_logging(call: Call, said: Any) -> Any:
    if isinstance(said, dict) and "FunctionName" in said:
        function, _ = _resolve(call, said["FunctionName"], None)
        said["LoggingConfig"] = _logging(function)
        if "Layers" in said and not said["Layers"]:
            said.pop("Layers")
        for absent in [key for key, value in said.items() if value is None]:
            said.pop(absent)
    return said


def _run_for_moto(function: Any, event: Any = None) -> tuple[str, bool, str]:
    outcome = run(function, event if event is not None else {}, arn=function.function_arn)
    return outcome.payload, outcome.failed, outcome.logs


def install() -> None:
    """Let everything in moto that invokes a function (subscriptions, event sources) run it here."""
    LambdaFunction._invoke_lambda = _run_for_moto  # noqa: SLF001
    LambdaFunction.save_logs = lambda _function, _text: None  # the log is written already
