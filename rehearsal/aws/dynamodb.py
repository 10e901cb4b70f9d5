"""
DynamoDB: moto's conditions and consistent reads are right; its transactions need looking after.

A transaction that fails puts back whole tables as they were, and with them whatever others wrote meanwhile;
which calls that take turns (registry.py) have not. Only the items that a transaction names are copied for it, since to
copy a table for each of them was much of what a migration cost. And TransactWriteItems with a ClientRequestToken seen
before, and the same request, answers as it did and changes nothing; with another request it is refused.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from moto.core.responses import ActionResult
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

from rehearsal.aws.clock import clock
from rehearsal.aws.registry import Call, on_reset, operation

_REMEMBERED_SECONDS = 600.0  # AWS: ten minutes after the first request
_JSON = {"content-type": "application/x-amz-json-1.0", "status": 200}

_seen: dict[tuple[str, str], tuple[float, str]] = {}
on_reset(_seen.clear)


@operation("dynamodb", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem")
@operation("dynamodb", "GetItem", "Query", "Scan", "BatchGetItem", "TransactGetItems")
def _answered(call: Call) -> Any:
    return _rendered(call.pass_on())


def _rendered(answer: Any) -> Any:
    """Render items as they are, already in the wire's own names; moto's serialiser asks a model about each value."""
    if not isinstance(answer, ActionResult) or not isinstance(answer.result, dict):
        return answer
    try:
        return 200, dict(_JSON), json.dumps(answer.result)
    except TypeError:  # bytes, which the model knows how to encode
        return answer


@operation("dynamodb", "TransactWriteItems")
def _transact_write(call: Call) -> Any:
    token = str(call.params.get("ClientRequestToken", ""))
    asked = json.dumps(call.params["TransactItems"], sort_keys=True, default=str)
    at, before = _seen.get((call.region, token), (0.0, ""))
    if token and before and clock.monotonic() - at < _REMEMBERED_SECONDS:
        if before != asked:
            raise call.error("IdempotentParameterMismatchException", "The token was used with another request.")
        return {}
    with _copying_only(call.params["TransactItems"]):
        answer = call.pass_on()
    if token:
        _seen[call.region, token] = (clock.monotonic(), asked)
    return answer


# -- what a transaction may have to put back ------------------------------------

_named: list[Mapping[str, Any]] = []  # keys and items of the transaction that is being written, one at a time


@contextmanager
def _copying_only(asked: list[dict[str, dict[str, Any]]]) -> Iterator[None]:
    """Let a table be copied, meanwhile, as far as these writes can change it."""
    _named.extend(each.get("Key") or each.get("Item") or {} for write in asked for each in write.values())
    try:
        yield
    finally:
        _named.clear()


def _copied(table: Table, memo: dict[int, Any]) -> Table:
    """Copy the table's shelves and the items that are named; what no write names is shared. Else all of it."""
    result = copy.copy(table)
    memo[id(table)] = result
    if not _named:
        vars(result).update(copy.deepcopy(vars(table), memo))
        return result
    result.stream_shard = copy.deepcopy(table.stream_shard, memo)
    result.items = copy.copy(table.items)
    for keys in _named:
        if table.hash_key_attr not in keys:
            continue  # moto refuses it
        shelf = DynamoType(keys[table.hash_key_attr])
        if shelf not in table.items:
            continue
        before = table.items[shelf]
        if table.range_key_attr not in keys:
            result.items[shelf] = copy.deepcopy(before, memo)
            continue
        if result.items[shelf] is before:
            result.items[shelf] = copy.copy(before)
        place = DynamoType(keys[table.range_key_attr])
        if place in before:
            result.items[shelf][place] = copy.deepcopy(before[place], memo)
    return result


Table.__deepcopy__ = _copied
