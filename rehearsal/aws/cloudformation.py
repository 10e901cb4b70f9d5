"""
CloudFormation: what stacks were deployed, and what they put out.

This stands in the place of moto's own, which does not know what the deployer makes, and imports every service that
moto has, and what not all of them need here.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime
from types import ModuleType
from typing import Any

from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.responses import BaseResponse

from rehearsal.aws.clock import clock
from rehearsal.aws.registry import Call, on_reset, operation


class _Backend(BaseBackend):  # type: ignore[misc]  # moto is untyped
    """An account and Region of CloudFormation; it keeps nothing."""


class _Response(BaseResponse):  # type: ignore[misc]
    """Reads requests; operations answer them."""

    def __init__(self) -> None:
        super().__init__(service_name="cloudformation")


def _stand_in() -> None:
    package, urls = ModuleType("moto.cloudformation"), ModuleType("moto.cloudformation.urls")
    _Backend.__module__ = "moto.cloudformation.models"  # beside which moto looks for the URLs
    urls.url_bases = [r"https?://cloudformation\.(.+)\.amazonaws\.com"]  # type: ignore[attr-defined]
    urls.url_paths = {"{0}/$": _Response.dispatch}  # type: ignore[attr-defined]
    package.cloudformation_backends = BackendDict(_Backend, "cloudformation")  # type: ignore[attr-defined]
    sys.modules.update({"moto.cloudformation": package, "moto.cloudformation.urls": urls})


_stand_in()
_stacks: dict[str, tuple[datetime, dict[str, str]]] = {}
on_reset(_stacks.clear)


def deployed(stack: str, outputs: Mapping[str, str]) -> None:
    """Let DescribeStacks know a stack that is complete."""
    _stacks[stack] = clock.now(), dict(outputs)


@operation("cloudformation", "DescribeStacks")
def describe_stacks(call: Call) -> dict[str, Any]:
    """Answer one stack by its name or id, or all."""
    asked = call.params.get("StackName")
    named = {_id(call, name): name for name in _stacks}
    names = list(_stacks) if asked is None else [name for name in (named.get(asked, asked),) if name in _stacks]
    if asked is not None and not names:
        raise call.error("ValidationError", f"Stack with id {asked} does not exist")
    return {"Stacks": [_shown(call, name) for name in names]}


def _shown(call: Call, name: str) -> dict[str, Any]:
    made, outputs = _stacks[name]
    return {
        "StackName": name,
        "StackId": _id(call, name),
        "CreationTime": made,
        "StackStatus": "CREATE_COMPLETE",
        "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()],
    }


def _id(call: Call, name: str) -> str:
    return f"arn:aws:cloudformation:{call.region}:{call.account}:stack/{name}/rehearsal"
