"""Lambda of the embedded AWS, in both modes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsal.aws.lab import MODES, Lab, labs, until, zipped

TELL = """
import os

def handler(event, context):
    return {
        "event": event,
        "arn": context.invoked_function_arn,
        "version": context.function_version,
        "color": os.environ.get("COLOR"),
        "name": os.environ["AWS_LAMBDA_FUNCTION_NAME"],
        "home": os.environ.get("HOME"),
        "left": context.get_remaining_time_in_millis() > 0,
    }
"""
COUNT = """
calls = []

def handler(event, context):
    calls.append(event)
    return len(calls)
"""
FAIL = """
class GreenFailed(Exception):
    pass

def handler(event, context):
    raise GreenFailed("no task runs")
"""


@pytest.fixture(scope="module", params=MODES)
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    yield from labs(request.param)


def logged(lab: Lab, group: str) -> list[str]:
    events = lab.client("logs").filter_log_events(logGroupName=group)["events"]
    return [event["message"] for event in events]


# -- what a handler sees ------------------------------------------------------


def test_a_handler_sees_its_event_its_settings_and_nothing_of_this_machine(lab: Lab) -> None:
    function = lab.function(TELL, Environment={"Variables": {"COLOR": "green"}})

    told, failed = lab.invoke(function, {"a": 1})

    assert failed is None
    assert (told["event"], told["color"], told["home"], told["left"]) == ({"a": 1}, "green", None, True)
    assert (told["arn"], told["version"], told["name"]) == (function, "$LATEST", function.rpartition(":")[2])


def test_an_alias_runs_its_version_and_keeps_its_name_in_the_arn(lab: Lab) -> None:
    client, function = lab.client("lambda"), lab.function(TELL, Environment={"Variables": {"COLOR": "old"}})
    version = client.publish_version(FunctionName=function)["Version"]
    alias = client.create_alias(FunctionName=function, Name="live", FunctionVersion=version)["AliasArn"]
    client.update_function_configuration(FunctionName=function, Environment={"Variables": {"COLOR": "new"}})

    told, _ = lab.invoke(alias)
    latest, _ = lab.invoke(function)
    numbered, _ = lab.invoke(f"{function}:{version}")
    by_name, _ = lab.invoke(function.rpartition(":")[2], Qualifier="live")

    assert (told["arn"], told["version"], told["color"]) == (alias, version, "old")
    assert (latest["arn"], latest["version"], latest["color"]) == (function, "$LATEST", "new")
    assert (numbered["arn"], numbered["color"]) == (f"{function}:{version}", "old")
    assert by_name["arn"] == alias


def test_an_alias_that_moves_runs_the_new_version(lab: Lab) -> None:
    client, function = lab.client("lambda"), lab.function("def handler(event, context):\n    return 'old'\n")
    first = client.publish_version(FunctionName=function)["Version"]
    alias = client.create_alias(FunctionName=function, Name="live", FunctionVersion=first)["AliasArn"]
    lab.invoke(alias)
    code = zipped({"app.py": "def handler(event, context):\n    return 'new'\n"})
    client.update_function_code(FunctionName=function, ZipFile=code)
    second = client.publish_version(FunctionName=function)["Version"]

    client.update_alias(FunctionName=function, Name="live", FunctionVersion=second)

    assert lab.invoke(alias) == ("new", None)


def test_layers_are_importable_and_the_function_comes_first(lab: Lab) -> None:
    layer = lab.client("lambda").publish_layer_version(
        LayerName=lab.name("layer"),
        Content={"ZipFile": zipped({"python/shared.py": "COLOR = 'layer'\n", "python/both.py": "COLOR = 'layer'\n"})},
    )["LayerVersionArn"]
    code = "import both, shared\ndef handler(event, context):\n    return [both.COLOR, shared.COLOR]\n"
    made = lab.client("lambda").create_function(
        FunctionName=lab.name("function"),
        Runtime="python3.13",
        Timeout=30,
        Role=lab.role,
        Handler="app.handler",
        Layers=[layer],
        Code={"ZipFile": zipped({"app.py": code, "both.py": "COLOR = 'function'\n"})},
    )

    assert lab.invoke(made["FunctionArn"]) == (["function", "layer"], None)


def test_a_handler_reaches_the_embedded_aws_by_a_plain_client(lab: Lab) -> None:
    code = (
        "import boto3\ndef handler(event, context):\n    return boto3.client('sts').get_caller_identity()['Account']\n"
    )

    assert lab.invoke(lab.function(code)) == ("123456789012", None)


def test_a_worker_stays_warm_and_functions_share_nothing(lab: Lab) -> None:
    first, second = lab.function(COUNT), lab.function(COUNT)

    assert [lab.invoke(function)[0] for function in (first, first, second)] == [1, 2, 1]


# -- how it fails -------------------------------------------------------------


def test_an_exception_is_told_by_its_class_name(lab: Lab) -> None:
    error, failed = lab.invoke(lab.function(FAIL))

    assert failed == "Unhandled"
    assert (error["errorType"], error["errorMessage"]) == ("GreenFailed", "no task runs")
    assert "in handler" in error["stackTrace"][-1]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("import no_such_module\n", "Runtime.ImportModuleError"),
        ("def other(event, context): ...\n", "Runtime.HandlerNotFound"),
        ("def handler(\n", "Runtime.UserCodeSyntaxError"),
        ("raise ValueError('at import')\n", "ValueError"),
        ("def handler(event, context):\n    return object()\n", "Runtime.MarshalError"),
        ("import sys\ndef handler(event, context):\n    sys.exit(3)\n", "Runtime.ExitError"),
        ("import os\ndef handler(event, context):\n    os._exit(3)\n", "Runtime.ExitError"),
    ],
)
def test_a_broken_function_is_told_by_lambdas_own_names(lab: Lab, code: str, kind: str) -> None:
    error, failed = lab.invoke(lab.function(code))

    assert (failed, error["errorType"]) == ("Unhandled", kind)


def test_a_handler_that_takes_too_long_is_killed_and_the_next_starts_anew(lab: Lab) -> None:
    code = COUNT + "    \ndef slow(event, context):\n    pass\n"
    code = "import time\n" + code.replace("    calls.append(event)", "    calls.append(event)\n    time.sleep(event)")
    function = lab.function(code, Timeout=3)

    first, _ = lab.invoke(function, 0)
    error, failed = lab.invoke(function, 20)
    after, _ = lab.invoke(function, 0)

    assert (first, failed, error["errorType"], after) == (1, "Unhandled", "Sandbox.Timedout", 1)


def test_a_function_nobody_made_is_not_found(lab: Lab) -> None:
    client = lab.client("lambda")

    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="no-such-function")


# -- logs ---------------------------------------------------------------------


@pytest.mark.parametrize("configured", [None, "shared"])
def test_what_a_handler_writes_reaches_its_log_group(lab: Lab, configured: str | None) -> None:
    group = lab.name("group") if configured else None
    settings = {"LoggingConfig": {"LogFormat": "JSON", "LogGroup": group}} if group else {}
    code = "import sys\ndef handler(event, context):\n    print('to stdout')\n    print('to stderr', file=sys.stderr)\n"
    function = lab.function(code, **settings)

    lab.invoke(function)

    messages = logged(lab, group or f"/aws/lambda/{function.rpartition(':')[2]}")
    assert {"to stdout", "to stderr"} <= set(messages)
    told = lab.client("lambda").get_function_configuration(FunctionName=function)["LoggingConfig"]
    assert told["LogFormat"] == ("JSON" if group else "Text")


def test_powertools_writes_one_json_line(lab: Lab) -> None:
    code = (
        "from aws_lambda_powertools import Logger\n"
        "logger = Logger(service='crossfade')\n"
        "def handler(event, context):\n    logger.info('shifted', migration=event)\n"
    )
    function = lab.function(code)

    lab.invoke(function, "m-1")
    lab.invoke(function, "m-2")

    lines = [json.loads(line) for line in logged(lab, f"/aws/lambda/{function.rpartition(':')[2]}") if line[0] == "{"]
    assert [(line["message"], line["migration"]) for line in lines] == [("shifted", "m-1"), ("shifted", "m-2")]


# -- in the background --------------------------------------------------------


def test_an_event_invocation_is_tried_three_times_and_then_handed_over(lab: Lab) -> None:
    function = lab.function(FAIL)
    url, arn = lab.queue()
    lab.client("lambda").put_function_event_invoke_config(
        FunctionName=function, DestinationConfig={"OnFailure": {"Destination": arn}}
    )

    answer = lab.client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=b'{"a":1}')

    assert answer["StatusCode"] == 202
    [record] = [json.loads(body) for body in lab.messages(url, 1)]
    assert (record["requestPayload"], record["responsePayload"]["errorType"]) == ({"a": 1}, "GreenFailed")
    starts = [line for line in logged(lab, f"/aws/lambda/{function.rpartition(':')[2]}") if line.startswith("START")]
    assert len(starts) == 3


def test_an_event_invocation_outlasts_throttling(lab: Lab) -> None:
    function = lab.function("def handler(event, context):\n    print('came through')\n")
    lab.aws.faults.throttle(function.rpartition(":")[2], times=1)

    lab.client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=b"{}")

    group = f"/aws/lambda/{function.rpartition(':')[2]}"
    groups = lab.client("logs").describe_log_groups
    until(lambda: groups(logGroupNamePrefix=group)["logGroups"] and "came through" in logged(lab, group))


# -- concurrency and faults ---------------------------------------------------


def test_a_function_without_concurrency_is_throttled(lab: Lab) -> None:
    client, function = lab.client("lambda"), lab.function(COUNT)
    client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)

    with pytest.raises(client.exceptions.TooManyRequestsException):
        client.invoke(FunctionName=function)


def test_more_than_the_reserved_concurrency_is_throttled(lab: Lab, tmp_path: Path) -> None:
    started, done = tmp_path / "started", tmp_path / "done"
    code = (
        "import pathlib, time\n"
        "def handler(event, context):\n"
        f"    pathlib.Path({str(started)!r}).touch()\n"
        f"    while not pathlib.Path({str(done)!r}).exists():\n        time.sleep(0.02)\n    return 'done'\n"
    )
    client, function = lab.client("lambda"), lab.function(code)
    client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=1)
    answers: list[Any] = []
    first = threading.Thread(target=lambda: answers.append(lab.invoke(function)))
    first.start()
    until(started.exists)

    with pytest.raises(client.exceptions.TooManyRequestsException):
        client.invoke(FunctionName=function)
    done.touch()
    first.join()

    assert [*answers, lab.invoke(function)] == [("done", None), ("done", None)]


def test_an_ordered_failure_does_not_run_the_handler(lab: Lab) -> None:
    function = lab.function(COUNT)
    lab.aws.faults.fail(function.rpartition(":")[2], "GreenNotReady", times=1)

    error, failed = lab.invoke(function)

    assert (failed, error["errorType"], lab.invoke(function)) == ("Unhandled", "GreenNotReady", (1, None))


def test_an_answer_lost_after_the_handler_ran_leaves_its_effect(lab: Lab) -> None:
    function = lab.function(COUNT)

    def lost(call: Any) -> None:
        raise call.error("ServiceException", "the answer was lost")

    lab.aws.faults.after_call("lambda", "Invoke", lost)

    assert lab.invoke(function) == (2, None)  # boto3 asked again by itself
