"""Step Functions of the embedded AWS, in both modes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from rehearsal.aws.registry import Call
from tests.rehearsal.aws.lab import MODES, Lab, labs, until

ECHO = """
class DriftError(Exception):
    pass

def handler(event, context):
    if event.get("raise"):
        raise DriftError("it drifted")
    return event
"""
FOREVER: dict[str, Any] = {"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}}
SDK = "arn:aws:states:::aws-sdk"
LAMBDA = "arn:aws:states:::lambda:invoke"
ACCOUNT = "arn:aws:states:eu-west-1:123456789012"


@pytest.fixture(scope="module", params=MODES)
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    yield from labs(request.param)


@pytest.fixture(scope="module")
def echo(lab: Lab) -> str:
    return lab.function(ECHO)


def task(resource: str, arguments: Any = None, **fields: Any) -> dict[str, Any]:
    said = {} if arguments is None else {"Arguments": arguments}
    after = {} if "Next" in fields else {"End": True}
    return {"Type": "Task", "Resource": resource, "TimeoutSeconds": 60, **said, **after, **fields}


def a_pass(**fields: Any) -> dict[str, Any]:
    return {"Type": "Pass", "End": True, **fields}


def entered(lab: Lab, execution: str, state: str) -> None:
    until(lambda: any(e.get("stateEnteredEventDetails", {}).get("name") == state for e in lab.history(execution)))


def scheduled(lab: Lab, execution: str, kind: str = "TaskSubmitted") -> dict[str, Any]:
    return until(lambda: next((e for e in lab.history(execution) if e["type"] == kind), None))


# -- values -------------------------------------------------------------------


@pytest.mark.parametrize("value", ['quo"ted', "two\nlines", "back\\slash", None, [], {"a": None}, 1, 2.5, True, "{% x"])
def test_a_value_passes_through_expressions_unchanged(lab: Lab, value: Any) -> None:
    states = {
        "Keep": {"Type": "Pass", "Assign": {"kept": "{% $states.input.value %}"}, "Next": "Show"},
        "Show": a_pass(Output={"kept": "{% $kept %}"}),
    }

    assert lab.output(states, {"value": value}) == {"kept": value}


def test_assign_and_output_see_variables_as_they_were_before(lab: Lab) -> None:
    states = {
        "First": {"Type": "Pass", "Assign": {"n": 1}, "Next": "Second"},
        "Second": {"Type": "Pass", "Assign": {"n": "{% $n + 1 %}"}, "Output": "{% $n %}", "Next": "Third"},
        "Third": a_pass(Output=["{% $states.input %}", "{% $n %}"]),
    }

    assert lab.output(states) == [1, 2]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("$partition([1,2,3], 2)", [[1, 2], [3]]),
        ("$range(0, 10, 5)", [0, 5, 10]),
        ("$hash('a', 'SHA-1')", "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"),
        ("$parse('{\"a\":[1,null]}')", {"a": [1, None]}),
        ("$random() < 1", True),
        ("$random(7) = $random(7)", True),
        ("$length($uuid())", 36),
    ],
)
def test_the_functions_aws_adds_to_jsonata_are_there(lab: Lab, expression: str, value: Any) -> None:
    assert lab.output({"Show": a_pass(Output=f"{{% {expression} %}}")}) == value


@pytest.mark.parametrize("expression", ["$states.input.missing", "$error('no')", "$eval('1')", "function($x){$x}"])
def test_an_expression_that_gives_nothing_fails_by_name(lab: Lab, expression: str) -> None:
    said = lab.run({"Show": a_pass(Output=f"{{% {expression} %}}")})

    assert (said["status"], said["error"]) == ("FAILED", "States.QueryEvaluationError")


@pytest.mark.parametrize("seconds", [0.5, -1, "1", True])
def test_a_wait_takes_whole_seconds_only(lab: Lab, seconds: Any) -> None:
    said = lab.run({"Wait": {"Type": "Wait", "Seconds": "{% $states.input %}", "End": True}}, seconds)

    assert said["error"] == "States.QueryEvaluationError"


def test_a_choice_takes_the_first_rule_that_holds(lab: Lab) -> None:
    rules = [{"Condition": f"{{% $states.input > {n} %}}", "Next": "End", "Output": n} for n in (20, 10, 5)]
    states = {"Choose": {"Type": "Choice", "Choices": rules, "Default": "End"}, "End": {"Type": "Succeed"}}

    assert [lab.output(states, n) for n in (15, 3)] == [10, 3]


def test_a_choice_without_a_rule_that_holds_fails_by_name(lab: Lab) -> None:
    rules = [{"Condition": "{% false %}", "Next": "End"}]
    said = lab.run({"Choose": {"Type": "Choice", "Choices": rules}, "End": {"Type": "Succeed"}})

    assert said["error"] == "States.NoChoiceMatched"


def test_the_context_tells_the_execution_the_state_and_the_retry(lab: Lab, echo: str) -> None:
    said = "{% {'id': $states.context.Execution.Id, 'name': $states.context.Execution.Name, "
    said += "'input': $states.context.Execution.Input, 'state': $states.context.State.Name, "
    said += "'retry': $states.context.State.RetryCount, 'raise': $states.context.State.RetryCount < 2} %}"
    retry = [{"ErrorEquals": ["DriftError"], "IntervalSeconds": 1, "MaxAttempts": 3, "MaxDelaySeconds": 1}]
    state = task(LAMBDA, {"FunctionName": echo, "Payload": said}, Retry=retry, Output="{% $states.result.Payload %}")
    execution = lab.start(lab.machine({"Ask": state}), {"a": 1}, name="named")

    told = json.loads(lab.ended(execution)["output"])

    assert told == {"id": execution, "name": "named", "input": {"a": 1}, "state": "Ask", "retry": 2, "raise": False}


def test_a_result_that_is_too_large_fails_by_name(lab: Lab) -> None:
    said = lab.run({"Grow": a_pass(Output="{% $pad('', 270000, 'x') %}")})

    assert said["error"] == "States.DataLimitExceeded"


# -- calls and their errors ---------------------------------------------------


def a_table(lab: Lab) -> str:
    name = lab.name("table")
    lab.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


def test_the_journal_is_read_and_written_by_aws_sdk_calls(lab: Lab) -> None:
    table = a_table(lab)
    key = {"pk": {"S": "migration#m"}, "sk": {"S": "record"}}
    lab.client("dynamodb").put_item(TableName=table, Item={**key, "phase": {"S": "CLIMBING"}, "fence": {"N": "1"}})
    update = {
        "TableName": table,
        "Key": key,
        "UpdateExpression": "SET phase = :phase",
        "ConditionExpression": "fence = :fence",
        "ExpressionAttributeValues": {":phase": {"S": "ROLLING_BACK"}, ":fence": {"N": "1"}},
    }
    query = {
        "TableName": table,
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": "migration#m"}},
        "ConsistentRead": True,
    }
    read = {"TableName": table, "Key": key, "ConsistentRead": True}
    phase = {"phase": "{% $states.result.Item.phase.S %}"}
    states = {
        "Write": task(f"{SDK}:dynamodb:updateItem", update, Next="Read"),
        "Read": task(f"{SDK}:dynamodb:getItem", read, Assign=phase, Next="Query"),
        "Query": task(f"{SDK}:dynamodb:query", query, Output=["{% $phase %}", "{% $states.result.Items[0].fence.N %}"]),
    }

    assert lab.output(states) == ["ROLLING_BACK", "1"]


def test_aws_sdk_members_and_answers_are_in_pascal_case(lab: Lab) -> None:
    lab.client("ecs").create_cluster(clusterName="shop")

    said = lab.output({"Ask": task(f"{SDK}:ecs:describeClusters", {"Clusters": ["shop"]})})

    assert said["Clusters"][0]["ClusterName"] == "shop"


def test_a_notice_is_published_from_a_state(lab: Lab) -> None:
    url, arn = lab.queue()
    topic = lab.client("sns").create_topic(Name=lab.name("topic"))["TopicArn"]
    lab.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})

    lab.output({"Tell": task("arn:aws:states:::sns:publish", {"TopicArn": topic, "Message": {"what": "stuck"}})})

    assert [json.loads(body) for body in lab.messages(url, 1)] == [{"what": "stuck"}]


CONDITION = {"ConditionExpression": "attribute_exists(pk)", "Item": {"pk": {"S": "a"}, "sk": {"S": "b"}}}
GONE = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gone/0123456789abcdef"


@pytest.mark.parametrize(
    ("resource", "arguments", "error"),
    [
        (f"{SDK}:dynamodb:putItem", CONDITION, "DynamoDb.ConditionalCheckFailedException"),
        ("arn:aws:states:::dynamodb:putItem", CONDITION, "DynamoDB.ConditionalCheckFailedException"),
        (f"{SDK}:ecs:describeServices", {"Cluster": "no", "Services": ["x"]}, "Ecs.ClusterNotFoundException"),
        (
            f"{SDK}:elasticloadbalancingv2:describeTargetHealth",
            {"TargetGroupArn": GONE},
            "ElasticLoadBalancingV2.TargetGroupNotFoundException",
        ),
        (
            f"{SDK}:sfn:startExecution",
            {"StateMachineArn": f"{ACCOUNT}:stateMachine:no"},
            "Sfn.StateMachineDoesNotExistException",
        ),
        (
            "arn:aws:states:::states:startExecution",
            {"StateMachineArn": f"{ACCOUNT}:stateMachine:no"},
            "StepFunctions.StateMachineDoesNotExistException",
        ),
        (LAMBDA, {"FunctionName": "no-such-function"}, "Lambda.ResourceNotFoundException"),
    ],
)
def test_an_error_of_aws_has_the_name_step_functions_gives_it(
    lab: Lab, resource: str, arguments: dict[str, Any], error: str
) -> None:
    asked = {**arguments, "TableName": a_table(lab)} if "dynamodb" in resource else arguments
    catch = [{"ErrorEquals": [error], "Next": "Caught", "Output": "{% $states.errorOutput %}"}]

    said = lab.output({"Ask": {**task(resource, asked), "Catch": catch}, "Caught": {"Type": "Succeed"}})

    assert said["Error"] == error


def test_a_throttled_function_is_retried_by_the_name_of_its_error(lab: Lab, echo: str) -> None:
    lab.aws.faults.throttle(echo.rpartition(":")[2], times=2)
    retry = [{"ErrorEquals": ["Lambda.TooManyRequestsException"], "IntervalSeconds": 1, "BackoffRate": 1}]
    execution = lab.start(lab.machine({"Ask": task(LAMBDA, {"FunctionName": echo, "Payload": {}}, Retry=retry)}))

    assert lab.ended(execution)["status"] == "SUCCEEDED"
    assert [e["type"] for e in lab.history(execution)].count("TaskFailed") == 2


def test_an_unmodelled_error_has_the_name_of_its_service(lab: Lab) -> None:
    def throttled(call: Call) -> None:
        raise call.error("Throttling", "Rate exceeded")

    lab.aws.faults.before_call("elbv2", "DescribeTargetGroups", throttled)

    said = lab.run({"Ask": task(f"{SDK}:elasticloadbalancingv2:describeTargetGroups", {})})

    assert said["error"] == "ElasticLoadBalancingV2.ElasticLoadBalancingV2Exception"


def test_what_a_handler_raises_is_caught_by_its_class_name(lab: Lab, echo: str) -> None:
    catch = [{"ErrorEquals": ["DriftError"], "Next": "Caught", "Assign": {"cause": "{% $states.errorOutput.Cause %}"}}]
    states = {
        "Ask": task(LAMBDA, {"FunctionName": echo, "Payload": {"raise": True}}, Catch=catch),
        "Caught": {"Type": "Succeed", "Output": "{% $parse($cause).errorMessage %}"},
    }

    assert lab.output(states) == "it drifted"


def test_retries_end_and_the_error_stays(lab: Lab, echo: str) -> None:
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1, "JitterStrategy": "FULL"}]
    execution = lab.start(
        lab.machine({"Ask": task(LAMBDA, {"FunctionName": echo, "Payload": {"raise": True}}, Retry=retry)})
    )

    said = lab.ended(execution)

    assert (said["status"], said["error"]) == ("FAILED", "DriftError")
    assert [e["type"] for e in lab.history(execution)].count("TaskScheduled") == 2


# -- time ---------------------------------------------------------------------


def test_a_task_that_runs_too_long_times_out(lab: Lab) -> None:
    slow = lab.function("import time\ndef handler(event, context):\n    time.sleep(20)\n")
    state = task(LAMBDA, {"FunctionName": slow}, TimeoutSeconds="{% $states.input.limit %}")

    said = lab.run({"Ask": state}, {"limit": 1})

    assert (said["status"], said["error"]) == ("FAILED", "States.Timeout")


def test_an_execution_that_runs_too_long_is_timed_out(lab: Lab) -> None:
    assert lab.run(FOREVER, TimeoutSeconds=1)["status"] == "TIMED_OUT"


TOKEN_ARGUMENTS = {"Payload": {"token": "{% $states.context.Task.Token %}"}}


def a_token(lab: Lab, execution: str) -> str:
    """Wait until a task has told its token to whom it asked, and return it."""

    def told() -> str | None:
        asked = [e["taskScheduledEventDetails"] for e in lab.history(execution) if e["type"] == "TaskScheduled"]
        payloads = [json.loads(each["parameters"]).get("Payload", {}) for each in asked]
        return next((payload["token"] for payload in payloads if "token" in payload), None)

    scheduled(lab, execution)
    return until(told)


def waiting(lab: Lab, echo: str, **fields: Any) -> str:
    state = task(f"{LAMBDA}.waitForTaskToken", {"FunctionName": echo, **TOKEN_ARGUMENTS}, **fields)
    caught = {"Type": "Succeed", "Output": "{% $states.input %}"}
    states = {"Wait For It": state, "Caught": caught} if "Catch" in fields else {"Wait For It": state}
    return lab.start(lab.machine(states))


def test_a_token_gives_its_task_the_answer(lab: Lab, echo: str) -> None:
    execution = waiting(lab, echo)

    lab.client("stepfunctions").send_task_success(taskToken=a_token(lab, execution), output='{"ready":true}')

    assert json.loads(lab.ended(execution)["output"]) == {"ready": True}


def test_a_token_gives_its_task_an_error_to_be_caught(lab: Lab, echo: str) -> None:
    catch = [{"ErrorEquals": ["GreenFailed"], "Next": "Caught"}]
    execution = waiting(lab, echo, Catch=catch)

    lab.client("stepfunctions").send_task_failure(taskToken=a_token(lab, execution), error="GreenFailed", cause="why")

    assert json.loads(lab.ended(execution)["output"]) == {"Error": "GreenFailed", "Cause": "why"}


def test_a_token_is_good_once(lab: Lab, echo: str) -> None:
    sfn, execution = lab.client("stepfunctions"), waiting(lab, echo)
    token = a_token(lab, execution)
    sfn.send_task_success(taskToken=token, output="{}")
    lab.ended(execution)

    with pytest.raises(sfn.exceptions.TaskTimedOut):
        sfn.send_task_success(taskToken=token, output="{}")


def test_a_token_nobody_gave_is_invalid(lab: Lab) -> None:
    sfn = lab.client("stepfunctions")

    with pytest.raises(sfn.exceptions.InvalidToken):
        sfn.send_task_heartbeat(taskToken="made-up")


@pytest.mark.parametrize("caught", ["States.HeartbeatTimeout", "States.Timeout"])
def test_a_task_not_heard_of_times_out_by_name(lab: Lab, echo: str, caught: str) -> None:
    catch = [{"ErrorEquals": [caught], "Next": "Caught"}]
    execution = waiting(lab, echo, HeartbeatSeconds="{% 1 %}", Catch=catch)

    assert json.loads(lab.ended(execution)["output"])["Error"] == "States.HeartbeatTimeout"


def test_a_token_of_an_aborted_execution_has_timed_out(lab: Lab, echo: str) -> None:
    sfn, execution = lab.client("stepfunctions"), waiting(lab, echo)
    token = a_token(lab, execution)
    sfn.stop_execution(executionArn=execution)

    with pytest.raises(sfn.exceptions.TaskTimedOut):
        sfn.send_task_success(taskToken=token, output="{}")


# -- stopping and children ----------------------------------------------------


def test_stopping_keeps_error_and_cause(lab: Lab) -> None:
    sfn, execution = lab.client("stepfunctions"), lab.start(lab.machine(FOREVER))
    entered(lab, execution, "Wait")

    sfn.stop_execution(executionArn=execution, error="Operator", cause="changed my mind")

    said = sfn.describe_execution(executionArn=execution)
    assert (said["status"], said["error"], said["cause"]) == ("ABORTED", "Operator", "changed my mind")


@pytest.mark.parametrize("pattern", ["sync", "sync:2"])
def test_stopping_a_parent_aborts_its_child(lab: Lab, pattern: str) -> None:
    child = lab.machine(FOREVER)
    resource = f"arn:aws:states:::states:startExecution.{pattern}"
    parent = lab.start(lab.machine({"Climb": task(resource, {"StateMachineArn": child})}))
    submitted = scheduled(lab, parent)["taskSubmittedEventDetails"]["output"]

    lab.client("stepfunctions").stop_execution(executionArn=parent)

    assert lab.ended(parent)["status"] == "ABORTED"
    assert lab.ended(json.loads(submitted)["ExecutionArn"])["status"] == "ABORTED"


def test_stopping_a_grandparent_aborts_them_all(lab: Lab) -> None:
    resource = "arn:aws:states:::states:startExecution.sync:2"
    child = lab.machine(FOREVER)
    middle = lab.machine({"Down": task(resource, {"StateMachineArn": child})})
    top = lab.start(lab.machine({"Down": task(resource, {"StateMachineArn": middle})}))
    below = json.loads(scheduled(lab, top)["taskSubmittedEventDetails"]["output"])["ExecutionArn"]
    bottom = json.loads(scheduled(lab, below)["taskSubmittedEventDetails"]["output"])["ExecutionArn"]

    lab.client("stepfunctions").stop_execution(executionArn=top)

    assert [lab.ended(execution)["status"] for execution in (top, below, bottom)] == ["ABORTED"] * 3


def test_a_child_started_request_response_outlives_its_parent(lab: Lab) -> None:
    child = lab.machine(FOREVER)
    said = lab.output({"Start": task("arn:aws:states:::states:startExecution", {"StateMachineArn": child})})

    described = lab.client("stepfunctions").describe_execution(executionArn=said["ExecutionArn"])

    assert described["status"] == "RUNNING"


def test_a_child_that_succeeds_gives_its_output_as_json(lab: Lab) -> None:
    child = lab.machine({"Say": a_pass(Output={"outcome": "advance"})})
    resource = "arn:aws:states:::states:startExecution.sync:2"

    said = lab.output({"Climb": task(resource, {"StateMachineArn": child, "Input": {"rung": 1}})})

    assert (said["Status"], said["Output"], said["Input"]) == ("SUCCEEDED", {"outcome": "advance"}, {"rung": 1})


def test_a_child_that_fails_is_only_task_failed_to_its_parent(lab: Lab) -> None:
    child = lab.machine({"Break": {"Type": "Fail", "Error": "GreenFailed", "Cause": "why"}})
    resource = "arn:aws:states:::states:startExecution.sync:2"

    said = lab.run({"Climb": task(resource, {"StateMachineArn": child})})

    assert (said["error"], json.loads(said["cause"])["Error"]) == ("States.TaskFailed", "GreenFailed")


# -- branches -----------------------------------------------------------------


def test_a_map_keeps_the_order_of_its_items_and_its_concurrency(lab: Lab) -> None:
    inner = {"Wait": {"Type": "Wait", "Seconds": "{% $states.input.seconds %}", "End": True}}
    selector = {"index": "{% $states.context.Map.Item.Index %}", "seconds": "{% $states.context.Map.Item.Value %}"}
    state = {
        "Type": "Map",
        "Items": "{% $states.input %}",
        "MaxConcurrency": 1,
        "ItemSelector": selector,
        "ItemProcessor": {"StartAt": "Wait", "States": inner},
        "End": True,
    }
    execution = lab.start(lab.machine({"Each": state}), [2, 0, 1])

    output = json.loads(lab.ended(execution)["output"])
    turns = [e["type"] for e in lab.history(execution) if e["type"].startswith("MapIteration")]

    assert [said["index"] for said in output] == [0, 1, 2]
    assert turns == ["MapIterationStarted", "MapIterationSucceeded"] * 3


def test_branches_run_side_by_side_and_read_outer_variables(lab: Lab) -> None:
    branches = [{"StartAt": "Say", "States": {"Say": a_pass(Output=f"{{% $base + {n} %}}")}} for n in (1, 2)]
    states = {
        "Begin": {"Type": "Pass", "Assign": {"base": 10}, "Next": "Both"},
        "Both": {"Type": "Parallel", "Branches": branches, "End": True},
    }

    assert lab.output(states) == [11, 12]


def test_a_failing_branch_cancels_its_siblings_and_their_children(lab: Lab, echo: str) -> None:
    child = lab.machine(FOREVER)
    resource = "arn:aws:states:::states:startExecution.sync:2"
    break_when_told = task(f"{LAMBDA}.waitForTaskToken", {"FunctionName": echo, **TOKEN_ARGUMENTS})
    branches = [
        {"StartAt": "Climb", "States": {"Climb": task(resource, {"StateMachineArn": child})}},
        {"StartAt": "Break", "States": {"Break": break_when_told}},
    ]
    catch = [{"ErrorEquals": ["Boom"], "Next": "Caught"}]
    execution = lab.start(
        lab.machine(
            {
                "Both": {"Type": "Parallel", "Branches": branches, "Catch": catch, "End": True},
                "Caught": {"Type": "Succeed"},
            }
        )
    )

    sfn = lab.client("stepfunctions")
    [climbing] = until(lambda: sfn.list_executions(stateMachineArn=child)["executions"])

    sfn.send_task_failure(taskToken=a_token(lab, execution), error="Boom", cause="as told")

    assert json.loads(lab.ended(execution)["output"])["Error"] == "Boom"
    assert lab.ended(climbing["executionArn"])["status"] == "ABORTED"


def test_a_map_goes_on_when_each_item_catches_its_own_failure(lab: Lab, echo: str) -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Caught", "Output": "{% $states.errorOutput.Error %}"}]
    inner = {
        "Ask": task(
            LAMBDA,
            {"FunctionName": echo, "Payload": "{% $states.input %}"},
            Catch=catch,
            Output="{% $states.result.Payload.n %}",
        ),
        "Caught": {"Type": "Succeed"},
    }
    state = {"Type": "Map", "ItemProcessor": {"StartAt": "Ask", "States": inner}, "End": True}

    assert lab.output({"Each": state}, [{"n": 1}, {"raise": True}, {"n": 3}]) == [1, "DriftError", 3]


# -- names, versions, pages ---------------------------------------------------


def test_starting_the_same_execution_twice_is_one_start(lab: Lab) -> None:
    machine = lab.machine(FOREVER)

    first, second = (lab.start(machine, {"a": 1}, name="m-1") for _ in range(2))

    assert first == second


@pytest.mark.parametrize("again", [{"a": 2}, {"a": 1}])
def test_a_name_is_used_once(lab: Lab, again: dict[str, int]) -> None:
    sfn, machine = lab.client("stepfunctions"), lab.machine({"Say": a_pass()})
    lab.ended(lab.start(machine, {"a": 1}, name="m-1"))

    with pytest.raises(sfn.exceptions.ExecutionAlreadyExists):
        lab.start(machine, again, name="m-1")


def test_an_alias_starts_the_version_it_routes_to(lab: Lab) -> None:
    sfn, machine = lab.client("stepfunctions"), lab.machine({"Say": a_pass(Output="old")})
    version = sfn.publish_state_machine_version(stateMachineArn=machine)["stateMachineVersionArn"]
    route = [{"stateMachineVersionArn": version, "weight": 100}]
    alias = sfn.create_state_machine_alias(name="live", routingConfiguration=route)["stateMachineAliasArn"]
    new = {"QueryLanguage": "JSONata", "StartAt": "Say", "States": {"Say": a_pass(Output="new")}}
    newer = sfn.update_state_machine(stateMachineArn=machine, definition=json.dumps(new), publish=True)

    before = lab.ended(lab.start(alias))
    sfn.update_state_machine_alias(
        stateMachineAliasArn=alias,
        routingConfiguration=[{"stateMachineVersionArn": newer["stateMachineVersionArn"], "weight": 100}],
    )
    after = lab.ended(lab.start(alias))

    assert [json.loads(said["output"]) for said in (before, after, lab.ended(lab.start(machine)))] == [
        "old",
        "new",
        "new",
    ]
    assert (before["stateMachineAliasArn"], before["stateMachineVersionArn"]) == (alias, version)
    assert len(sfn.list_executions(stateMachineArn=alias)["executions"]) == 2
    assert sfn.describe_state_machine_alias(stateMachineAliasArn=alias)["name"] == "live"
    assert len(sfn.list_state_machine_versions(stateMachineArn=machine)["stateMachineVersions"]) == 2
    assert len(sfn.list_state_machine_aliases(stateMachineArn=machine)["stateMachineAliases"]) == 1


def test_history_comes_in_pages_and_backwards(lab: Lab) -> None:
    execution = lab.start(lab.machine({"Say": a_pass()}))
    lab.ended(execution)
    sfn = lab.client("stepfunctions")

    first = sfn.get_execution_history(executionArn=execution, maxResults=2)
    rest = sfn.get_execution_history(executionArn=execution, maxResults=2, nextToken=first["nextToken"])
    back = sfn.get_execution_history(executionArn=execution, reverseOrder=True)

    types = ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"]
    assert [e["type"] for e in [*first["events"], *rest["events"]]] == types
    assert [e["type"] for e in back["events"]] == types[::-1]


def test_a_machine_is_described_listed_tagged_and_deleted(lab: Lab) -> None:
    sfn, machine = lab.client("stepfunctions"), lab.machine({"Say": a_pass()})
    sfn.tag_resource(resourceArn=machine, tags=[{"key": "crossfade:migration", "value": "m"}])
    execution = lab.start(machine)

    assert sfn.describe_state_machine(stateMachineArn=machine)["status"] == "ACTIVE"
    assert machine in [m["stateMachineArn"] for m in sfn.list_state_machines()["stateMachines"]]
    assert sfn.list_tags_for_resource(resourceArn=machine)["tags"] == [{"key": "crossfade:migration", "value": "m"}]
    assert sfn.describe_state_machine_for_execution(executionArn=execution)["stateMachineArn"] == machine
    sfn.delete_state_machine(stateMachineArn=machine)
    with pytest.raises(sfn.exceptions.StateMachineDoesNotExist):
        sfn.describe_state_machine(stateMachineArn=machine)


# -- the door -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ({"A": {"Type": "Pass", "Next": "B"}}, "MISSING_TRANSITION_TARGET"),
        ({"A": a_pass(), "B": a_pass()}, "not reachable"),
        ({"A": a_pass(Output="{% 1 + %}")}, "does not parse"),
        ({"A": a_pass(Result=1)}, "field Result is not supported"),
        ({"A": {"Type": "Pass"}}, "either Next or End"),
        ({"A": task(f"{SDK}:ecs:describeNothing")}, "no action 'describeNothing'"),
        ({"A": task(f"{SDK}:ecs:describeServices", {"services": ["x"]})}, "no member 'services'"),
        ({"A": task(f"{SDK}:ecs:describeServices", {})}, "needs the member 'services'"),
        ({"A": task("arn:aws:states:::states:startExecution.sync:3", {"StateMachineArn": "x"})}, "sync:3"),
        ({"A": {**a_pass(), "QueryLanguage": "JSONPath"}}, "only QueryLanguage JSONata"),
        (
            {"A": task(LAMBDA, {"FunctionName": "f"}, Retry=[{"ErrorEquals": ["States.ALL", "X"]}])},
            "States.ALL stands alone",
        ),
    ],
)
def test_a_definition_aws_would_refuse_is_refused(lab: Lab, states: dict[str, Any], said: str) -> None:
    sfn = lab.client("stepfunctions")

    with pytest.raises(sfn.exceptions.InvalidDefinition, match=said):
        lab.machine(states)


# -- telling ------------------------------------------------------------------


def test_every_change_of_status_is_told_on_the_bus(lab: Lab) -> None:
    endings = {
        "SUCCEEDED": lab.machine({"Say": a_pass()}),
        "FAILED": lab.machine({"Break": {"Type": "Fail", "Error": "Boom", "Cause": "why"}}),
        "TIMED_OUT": lab.machine(FOREVER, TimeoutSeconds=1),
        "ABORTED": lab.machine(FOREVER),
    }
    detail = {"stateMachineArn": list(endings.values())}
    pattern = {"source": ["aws.states"], "detail-type": ["Step Functions Execution Status Change"], "detail": detail}
    url = lab.hear(pattern)

    started = {status: lab.start(machine) for status, machine in endings.items()}
    lab.client("stepfunctions").stop_execution(executionArn=started["ABORTED"], error="Operator", cause="why")

    told = [json.loads(body) for body in lab.messages(url, 8)]
    for status, execution in started.items():
        mine = [event for event in told if event["resources"] == [execution]]
        assert {event["detail"]["status"] for event in mine} == {"RUNNING", status}
    errors = {e["detail"]["status"]: e["detail"]["error"] for e in told if e["detail"]["error"]}
    assert errors == {"FAILED": "Boom", "ABORTED": "Operator"}
