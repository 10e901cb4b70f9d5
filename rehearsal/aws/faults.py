"""
Faults a test can order: what AWS does on a bad day, at a chosen call.

    aws.faults.throttle("shift-traffic", times=2)                 # Lambda answers TooManyRequestsException
    aws.faults.fail("judge-green", "Boom", times=1)               # the handler is not run, its error is made up
    aws.faults.answer("judge-green", {"answer": "advance"})       # the handler is not run, its answer is made up
    aws.faults.before_call("elbv2", "ModifyRule", throttling)     # the call is not made
    aws.faults.after_call("elbv2", "ModifyRule", lost_answer)     # the call is made, its answer is an error

A function given to `before_call` or `after_call` sees the `Call` and may raise what `call.error(code,
message)` makes, or wait, or do nothing. Beware that boto3 retries throttling and server errors by itself:
`times` counts calls on the wire.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from moto.core.responses import ActionResult
from moto.core.routing import get_service_router
from moto.s3.responses import S3Response

from rehearsal.aws.registry import AwsError, Call, intercept, look_after, look_before, on_reset, turn

Fault: TypeAlias = Callable[[Call], None]


@dataclass
class _Order:
    fault: Fault
    left: int | None  # None: until cleared


@dataclass
class _Refusal:
    left: int
    throttled: bool
    error: str
    message: str


class Faults:
    """The faults ordered and not yet had."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._before: dict[tuple[str, str], list[_Order]] = {}
        self._after: dict[tuple[str, str], list[_Order]] = {}
        self._functions: dict[str, list[_Refusal]] = {}
        self._answers: dict[str, str] = {}

    def throttle(self, function: str, *, times: int = 1) -> None:
        """Let Lambda refuse the next invocations of a function with TooManyRequestsException."""
        self._refuse(
            function, _Refusal(times, throttled=True, error="TooManyRequestsException", message="Rate Exceeded.")
        )

    def fail(self, function: str, error: str, message: str = "ordered by a test", *, times: int = 1) -> None:
        """Let the next invocations of a function end with an error of this class name, without running it."""
        self._refuse(function, _Refusal(times, throttled=False, error=error, message=message))

    def answer(self, function: str, answer: object) -> None:
        """Let every invocation of a function be answered with this, without running it."""
        with self._lock:
            self._answers[function] = json.dumps(answer)

    def before_call(self, service: str, action: str, fault: Fault, *, times: int | None = 1) -> None:
        """Let `fault` look at the next calls of an operation before they are made; if it raises, they are not."""
        with self._lock:
            self._before.setdefault((service, action), []).append(_Order(fault, times))

    def after_call(self, service: str, action: str, fault: Fault, *, times: int | None = 1) -> None:
        """Let `fault` look at the next calls of an operation after they were made; what it raises is the answer."""
        with self._lock:
            self._after.setdefault((service, action), []).append(_Order(fault, times))

    def clear(self) -> None:
        """Forget every fault not yet had."""
        with self._lock:
            self._before.clear()
            self._after.clear()
            self._functions.clear()
            self._answers.clear()

    # -- having them ------------------------------------------------------

    def refusal(self, function: str) -> tuple[bool, str, str] | None:
        """Take the next refusal of this function: throttled?, error, message."""
        with self._lock:
            orders = self._functions.get(function, [])
            while orders:
                order = orders[0]
                if order.left > 0:
                    order.left -= 1
                    return order.throttled, order.error, order.message
                orders.pop(0)
        return None

    def made_up(self, function: str) -> str | None:
        """Return the payload a function shall be answered with instead of being run."""
        with self._lock:
            return self._answers.get(function)

    def look_before(self, call: Call) -> None:
        """Have what was ordered before this call."""
        self._have(self._before, call)

    def look_after(self, call: Call) -> None:
        """Have what was ordered after this call."""
        self._have(self._after, call)

    def _refuse(self, function: str, refusal: _Refusal) -> None:
        with self._lock:
            self._functions.setdefault(function, []).append(refusal)

    def _have(self, orders: dict[tuple[str, str], list[_Order]], call: Call) -> None:
        key = (call.service, call.action)
        if key not in orders:
            return
        with self._lock:
            due = [order for order in orders.get(key, []) if order.left is None or order.left > 0][:1]
            for order in due:
                if order.left is not None:
                    order.left -= 1
        for order in due:
            order.fault(call)


faults = Faults()
on_reset(faults.clear)


def error_payload(error: str, message: str) -> str:
    """Render the payload of a function that raised."""
    return json.dumps({"errorType": error, "errorMessage": message, "stackTrace": []})


intercept(before=faults.look_before, after=faults.look_after)

_moto_bucket, _moto_key = S3Response._bucket_response, S3Response._key_response  # noqa: SLF001


def _s3(moto: Callable[..., Any]) -> Callable[..., Any]:
    def respond(response: Any, request: Any, full_url: str) -> Any:
        found, _ = get_service_router("s3").match(request)
        call = Call(response, "s3", found.name)
        try:
            look_before(call)
            with turn("s3", found.name):
                answer = moto(response, request, full_url)
            look_after(call)
        except AwsError as refused:
            status, headers, body = response.serialized(ActionResult(refused))
            return refused.status or status, headers, body
        return answer

    return respond


def install() -> None:
    """Let S3, which answers by a way of its own in moto, have its faults too."""
    S3Response._bucket_response = _s3(_moto_bucket)  # noqa: SLF001
    S3Response._key_response = _s3(_moto_key)  # noqa: SLF001
