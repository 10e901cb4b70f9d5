"""
The door through which the embedded AWS answers calls that moto answers wrongly or not at all.

An operation is a function from a `Call` to the dict that boto3 shall return; moto parses the
request and serialises the answer from the botocore model, whatever the protocol. It works alike
over HTTP and in-process, because both end in `BaseResponse.call_action`.

    @operation("ecs", "DescribeServices")
    def describe_services(call: Call) -> dict[str, Any]:
        return {"services": [...], "failures": []}

Beside it: what must be forgotten when a rehearsal or a test begins anew (`on_reset`).
"""

from __future__ import annotations

import importlib
import json
import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias

from moto.core.base_backend import BackendDict
from moto.core.common_models import BaseModel
from moto.core.errors import COMMON_ERROR_CODES
from moto.core.exceptions import ServiceException
from moto.core.request import determine_request_protocol
from moto.core.responses import PROTOCOL_PARSERS, ActionResult, BaseResponse
from moto.core.utils import camelcase_to_underscores, get_service_model
from werkzeug.exceptions import HTTPException

ACCOUNT = "123456789012"
COMMON_ERRORS = {  # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonErrors.html and its likes
    "AccessDenied": 403,
    "AccessDeniedException": 400,
    "InternalError": 500,
    "InternalFailure": 500,
    "InternalServerError": 500,
    "ProvisionedThroughputExceededException": 400,
    "RequestLimitExceeded": 400,
    "RequestTimeoutException": 400,
    "ServiceUnavailable": 503,
    "SlowDown": 503,
    "Throttling": 400,
    "ThrottlingException": 400,
}

logger = logging.getLogger(__name__)


class AwsError(ServiceException):  # type: ignore[misc]  # moto is untyped
    """An error answer of AWS; its HTTP status comes from the botocore model of the service that is asked."""

    @property
    def status(self) -> int | None:
        """The HTTP status of an error that every service may answer and no model lists; None for any other."""
        return COMMON_ERRORS.get(self.code)


class Call:
    """
    One request to the embedded AWS.

    Attributes:
        service: botocore's name of the service, such as `elbv2`.
        action: the operation, such as `ModifyRule`.
        account: twelve digits.
        region: such as `eu-west-1`.
        params: the input in botocore's own names; members left out are absent.
    """

    def __init__(self, response: Any, service: str, action: str) -> None:
        self._response = response
        self._params: dict[str, Any] | None = None
        self.service = service
        self.action = action
        self.account: str = response.current_account
        self.region: str = response.region

    @property
    def params(self) -> dict[str, Any]:
        """The input in botocore's own names, parsed when first asked for."""
        if self._params is None:
            self._params = self._parse()
        return self._params

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the request; names in any case."""
        headers: Mapping[str, str] = self._response.normalized_request.headers
        return headers

    @property
    def path(self) -> str:
        """The path of the request's URL, unquoted."""
        path: str = self._response.normalized_request.path
        return path

    def next(self) -> Any:
        """
        Let moto answer, and return its answer for decoration.

        The answer is a dict in botocore's names, whose leaves may be moto's model objects; an
        answer that moto has already rendered as JSON comes back parsed, any other as it is.

        Raises:
            ServiceException: moto refused the call; let it pass, it is an AWS error.
            NotImplementedError: moto has no such operation.
        """
        answer = self.pass_on()
        if isinstance(answer, ActionResult):
            return answer.result
        text = answer
        if isinstance(answer, tuple):
            headers = answer[1]
            text = answer[2] if len(answer) == 3 else answer[0]  # noqa: PLR2004  (status, headers, body) or (body, headers)
            if int(headers.get("status", answer[0] if len(answer) == 3 else 200)) >= 300:  # noqa: PLR2004
                return answer
        if isinstance(text, (str, bytes)) and text[:1] in ("{", "[", b"{", b"["):
            return json.loads(text)
        return answer

    def pass_on(self) -> Any:
        """Let moto answer, and return its answer untouched, to be returned likewise. Raises as `next` does."""
        method = getattr(self._response, camelcase_to_underscores(self.action), None)
        if method is None:
            raise NotImplementedError(f"moto answers no {self.service}:{self.action}")
        with turn(self.service, self.action):
            return method()

    def error(self, code: str, message: str) -> AwsError:
        """Make the AWS error of this code, to be raised."""
        return AwsError(code, message)

    def _parse(self) -> dict[str, Any]:
        model = get_service_model(self.service)
        request = self._response.normalized_request
        parser = PROTOCOL_PARSERS[determine_request_protocol(model, request.content_type)]
        parsed = parser(model.operation_model(self.action), map_type=dict).parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": request.data,
                "url_path": request.path,
                "url_params": getattr(self._response, "uri_match", {}),
            }
        )
        return dict(parsed or {})


Operation: TypeAlias = Callable[[Call], Any]
Interceptor: TypeAlias = Callable[[Call], None]

_operations: dict[tuple[str, str], Operation] = {}
_before: list[Interceptor] = []
_after: list[Interceptor] = []
_resets: list[Callable[[], None]] = []

# moto keeps what it knows in plain dicts, and one call may go through a dict that another adds to: so calls take
# turns, from the answer to the last byte of it, since an answer may hold moto's own objects.
_moto = threading.RLock()
_RUNS_SOMETHING = frozenset(
    {
        ("lambda", "Invoke"),
        ("lambda", "InvokeAsync"),
        ("sns", "Publish"),
        ("sns", "PublishBatch"),
        ("sqs", "SendMessage"),
        ("sqs", "SendMessageBatch"),
        ("stepfunctions", "StartSyncExecution"),
    }
)
"""What ends only when a function has, which calls in turn: it takes none."""


def operation(service: str, *actions: str) -> Callable[[Operation], Operation]:
    """
    Answer these operations of a service (botocore's name) with the decorated function.

    The function returns the dict boto3 shall see, or what `Call.next` returned, or a finished
    `(status, headers, body)`. A second registration replaces the first.
    """

    def register(function: Operation) -> Operation:
        for action in actions:
            get_service_model(service).operation_model(action)  # a misspelt name fails here
            _operations[service, action] = function
        return function

    return register


def on_reset(function: Callable[[], None]) -> Callable[[], None]:
    """Call this function whenever the embedded AWS forgets everything: at each start and each stop."""
    _resets.append(function)
    return function


def intercept(*, before: Interceptor | None = None, after: Interceptor | None = None) -> None:
    """Look at every call before it is answered, or after; raising an `AwsError` is its answer then."""
    if before is not None:
        _before.append(before)
    if after is not None:
        _after.append(after)


def look_before(call: Call) -> None:
    """Let every interceptor see a call before it is answered. Raises what they raise."""
    for look in _before:
        look(call)


def look_after(call: Call) -> None:
    """Let every interceptor see a call that was answered. Raises what they raise."""
    for look in _after:
        look(call)


def turn(service: str, action: str) -> AbstractContextManager[object]:
    """Let one call be answered at a time; one that runs something takes no turn."""
    return nullcontext() if (service, action) in _RUNS_SOMETHING else _moto


def add_paths(service: str, *patterns: str) -> None:
    """
    Make moto's URL matcher know paths it has none for (REST services only).

    `service` is moto's package name; a pattern is a regular expression such as
    `/v20190125/meshes/(?P<meshName>[^/]+)/virtualServices$`. Call it at import.
    """
    paths = importlib.import_module(f"moto.{service}.urls").url_paths
    dispatch = next(iter(paths.values()))
    for pattern in patterns:
        paths["{0}" + pattern] = dispatch


# -- the patch ----------------------------------------------------------------

_moto_call_action = BaseResponse.call_action
_moto_reset = BackendDict.reset


def _call_action(response: Any) -> Any:
    service, action = response.boto3_service_name, response._get_action()  # noqa: SLF001
    answer = _operations.get((service, action))
    if answer is None and not _before and not _after:
        with turn(service, action):
            return _moto_call_action(response)
    call = Call(response, service, action)
    try:
        if _is_cut_off(response.normalized_request):
            raise call.error("RequestTimeoutException", "The request ended before all of it had come.")
        look_before(call)
        with turn(service, action):
            result = answer(call) if answer is not None else _moto_call_action(response)
        look_after(call)
    except ServiceException as refused:
        result = ActionResult(refused)
    except HTTPException as refused:
        headers: dict[str, Any] = dict(refused.get_headers() or [])
        headers["status"] = refused.code
        result = (refused.description, headers)
    with turn(service, action):
        return _rendered(response, answer, result)


def _is_cut_off(request: Any) -> bool:
    """Whether its sender was killed while it sent: fewer bytes came than it said."""
    said: str = request.headers.get("Content-Length", "")
    return said.isdigit() and not request.form and len(request.data) < int(said)


def _rendered(response: Any, answer: Operation | None, result: Any) -> Any:
    if isinstance(result, tuple) and len(result) == 3:  # noqa: PLR2004  (status, headers, body)
        if answer is None:
            return result
        result[1].setdefault("status", result[0])
    if isinstance(result, (tuple, str)) or result is None:
        status, headers, body = response._transform_response(  # noqa: SLF001
            response.response_headers, (result, {}) if isinstance(result, str) else result
        )
    else:
        wrapped = result if isinstance(result, ActionResult) else ActionResult(result)
        status, headers, body = response.serialized(wrapped)
        if isinstance(wrapped.result, ServiceException):
            status = getattr(wrapped.result, "status", None) or status
            headers["status"] = status
    headers, body = response._enrich_response(headers, body)  # noqa: SLF001
    return status, headers, body


def forget() -> None:
    """Forget everything the overlays keep; moto's own reset comes through here too."""
    for function in _resets:
        function()


def _reset() -> None:
    forget()
    _moto_reset()


def _new_model(cls: Any, *_args: Any, **_kwargs: Any) -> Any:
    made = super(BaseModel, cls).__new__(cls)
    if cls.__module__ == "moto.s3.models":  # each version of a key is an open file, closed at a reset
        cls.instances_tracked.append(made)
    return made


def install() -> None:
    """
    Patch moto so that registered operations are asked first; doing it twice changes nothing.

    And so that it forgets what is gone: for a dashboard of its own it keeps each copy of each item for good, which
    came to gigabytes in a run of hundreds of migrations.
    """
    BaseModel.__new__ = staticmethod(_new_model)
    for code in COMMON_ERRORS:
        if code not in COMMON_ERROR_CODES:
            COMMON_ERROR_CODES.append(code)  # moto warns about any other that no model lists
    BaseResponse.call_action = _call_action
    BackendDict.reset = staticmethod(_reset)
