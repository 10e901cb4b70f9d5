"""
DynamoDB: moto's conditions and consistent reads are right; its transactions need company.

A transaction that fails puts back whole tables as they were, and with them whatever others wrote meanwhile;
so reads and writes take turns here. And TransactWriteItems with a ClientRequestToken seen before, and the
same request, answers as it did and changes nothing; with another request it is refused.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from __future__ import annotations

import json
import threading
from typing import Any

from rehearsal.aws.clock import clock
from rehearsal.aws.registry import Call, on_reset, operation

_REMEMBERED_SECONDS = 600.0  # AWS: ten minutes after the first request

_seen: dict[tuple[str, str], tuple[float, str]] = {}
_lock = threading.RLock()
on_reset(_seen.clear)


@operation("dynamodb", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem")
@operation("dynamodb", "GetItem", "Query", "Scan", "BatchGetItem", "TransactGetItems")
def _in_turn(call: Call) -> Any:
    with _lock:
        return call.pass_on()


@operation("dynamodb", "TransactWriteItems")
def _transact_write(call: Call) -> Any:
    token = str(call.params.get("ClientRequestToken", ""))
    asked = json.dumps(call.params["TransactItems"], sort_keys=True, default=str)
    with _lock:
        at, before = _seen.get((call.region, token), (0.0, ""))
        if token and before and clock.monotonic() - at < _REMEMBERED_SECONDS:
            if before != asked:
                raise call.error("IdempotentParameterMismatchException", "The token was used with another request.")
            return {}
        answer = call.pass_on()
        if token:
            _seen[call.region, token] = (clock.monotonic(), asked)
        return answer
