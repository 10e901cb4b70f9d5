"""
DynamoDB: moto's conditions, transactions and consistent reads are right; its idempotency token is not.

TransactWriteItems with a ClientRequestToken seen before, and the same request, answers as it did and
changes nothing; with another request it is refused.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from rehearsal.aws.registry import Call, on_reset, operation

_REMEMBERED_SECONDS = 600.0  # AWS: ten minutes after the first request

_seen: dict[tuple[str, str], tuple[float, str]] = {}
_lock = threading.Lock()
on_reset(_seen.clear)


@operation("dynamodb", "TransactWriteItems")
def _transact_write(call: Call) -> Any:
    token = call.params.get("ClientRequestToken")
    if token is None:
        with _lock:
            return call.next()
    asked = json.dumps(call.params["TransactItems"], sort_keys=True, default=str)
    with _lock:
        at, before = _seen.get((call.region, token), (0.0, ""))
        if before and time.monotonic() - at < _REMEMBERED_SECONDS:
            if before != asked:
                raise call.error("IdempotentParameterMismatchException", "The token was used with another request.")
            return {}
        answer = call.next()
        _seen[call.region, token] = (time.monotonic(), asked)
        return answer
