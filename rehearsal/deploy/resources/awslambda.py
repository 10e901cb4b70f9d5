"""Lambda: functions, their versions, aliases and permissions, and layers."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

from rehearsal.deploy.errors import PropertyRefused
from rehearsal.deploy.making import Made, Maker, New


def function(new: New) -> Made:
    """Make a function; code given in the template itself becomes `index.py`."""
    name = new.name("FunctionName", longest=64)
    reserved = new.take("ReservedConcurrentExecutions")
    code: dict[str, Any] = dict(new.need("Code"))
    if "ZipFile" in code:
        code["ZipFile"] = _inline(code["ZipFile"])
    made = new.call(
        "lambda",
        "create_function",
        FunctionName=name,
        Code=new.shaped("lambda", "create_function", "Code", code),
    )
    if reserved is not None:
        new.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=int(reserved))
    return Made(name, {"Arn": made["FunctionArn"]})


def _inline(text: str) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr(zipfile.ZipInfo("index.py"), text)
    return body.getvalue()


def version(new: New) -> Made:
    """Publish what the function is now."""
    made = new.call("lambda", "publish_version")
    qualified = made["FunctionArn"]
    if qualified.rpartition(":")[2] != made["Version"]:
        qualified = f"{qualified}:{made['Version']}"
    return Made(qualified, {"Version": made["Version"], "FunctionArn": qualified})


def alias(new: New) -> Made:
    """Make an alias of a published version."""
    if new.take("RoutingConfig"):
        raise PropertyRefused("RoutingConfig: an alias of two versions at once is not supported")
    made = new.call("lambda", "create_alias")
    return Made(made["AliasArn"], {"AliasArn": made["AliasArn"]})


def layer_version(new: New) -> Made:
    """Publish a version of a layer."""
    name = new.name("LayerName", longest=64)
    made = new.call("lambda", "publish_layer_version", LayerName=name)
    return Made(made["LayerVersionArn"], {"LayerVersionArn": made["LayerVersionArn"]})


def layer_version_permission(new: New) -> Made:
    """Allow others to use a version of a layer."""
    name, _, number = str(new.need("LayerVersionArn")).rpartition(":")
    new.call(
        "lambda",
        "add_layer_version_permission",
        LayerName=name,
        VersionNumber=int(number),
        StatementId=new.logical_id,
    )
    return Made(f"{name}:{number}#{new.logical_id}")


def permission(new: New) -> Made:
    """Allow a service or account to invoke a function, or a version or alias of it."""
    statement = new.made_up(longest=100)
    new.call("lambda", "add_permission", StatementId=statement)
    return Made(statement, {"Id": statement})


def event_invoke_config(new: New) -> Made:
    """Set how asynchronous invocations are retried and where they end."""
    of = f"{new.look('FunctionName')}:{new.look('Qualifier')}"
    new.call("lambda", "put_function_event_invoke_config")
    return Made(of)


def event_source_mapping(new: New) -> Made:
    """Have a function read a queue or stream."""
    made = new.call("lambda", "create_event_source_mapping")
    return Made(made["UUID"], {"Id": made["UUID"]})


MAKERS: Mapping[str, Maker] = {
    "AWS::Lambda::Alias": alias,
    "AWS::Lambda::EventInvokeConfig": event_invoke_config,
    "AWS::Lambda::EventSourceMapping": event_source_mapping,
    "AWS::Lambda::Function": function,
    "AWS::Lambda::LayerVersion": layer_version,
    "AWS::Lambda::LayerVersionPermission": layer_version_permission,
    "AWS::Lambda::Permission": permission,
    "AWS::Lambda::Version": version,
}
