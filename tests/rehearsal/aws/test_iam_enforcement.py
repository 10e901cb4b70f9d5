"""Who may do what: functions and state machines what their role's policies allow, the operator everything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal.aws.iam_enforcement import LEDGER
from tests.rehearsal.aws.lab import Lab, labs, until, zipped

CALLER = """
import boto3
from botocore.exceptions import ClientError

def handler(event, context):
    try:
        client = boto3.client(event["service"])
        answer = getattr(client, event["call"])(**event["arguments"])
    except ClientError as refused:
        error, said = refused.response["Error"], refused.response["ResponseMetadata"]
        return {"code": error["Code"], "message": error["Message"], "status": said["HTTPStatusCode"]}
    return {"status": answer["ResponseMetadata"]["HTTPStatusCode"]}
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    yield from labs("server")


class Somebody:
    """A role with just these statements, and a function that makes calls as it."""

    def __init__(self, lab: Lab, *statements: dict[str, Any]) -> None:
        self._lab = lab
        self.name = lab.name("somebody")
        self._iam = lab.aws.client("iam")
        self.arn = self._iam.create_role(RoleName=self.name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        self.may(*statements)
        self.function = lab.client("lambda").create_function(
            FunctionName=self.name,
            Role=self.arn,
            Handler="app.handler",
            Runtime="python3.13",
            Timeout=30,
            Code={"ZipFile": zipped({"app.py": CALLER})},
        )["FunctionArn"]

    def may(self, *statements: dict[str, Any]) -> None:
        allowed = [{"Effect": "Allow", "Resource": "*", **each} for each in statements]
        document = json.dumps({"Version": "2012-10-17", "Statement": allowed})
        self._iam.put_role_policy(RoleName=self.name, PolicyName="all", PolicyDocument=document)

    def tries(self, service: str, call: str, /, **arguments: Any) -> dict[str, Any]:
        answer, error = self._lab.invoke(
            self.function, {"service": service, "call": call, "arguments": arguments}, InvocationType="RequestResponse"
        )
        assert error is None, answer
        found: dict[str, Any] = answer
        return found


@pytest.fixture(scope="module")
def nobody(lab: Lab) -> Somebody:
    """A role without any permission."""
    return Somebody(lab, {"Action": "sts:GetCallerIdentity"})


@pytest.mark.parametrize(
    ("service", "call", "arguments", "answer"),
    [
        ("ecs", "list_clusters", {}, ("AccessDeniedException", 400)),
        ("dynamodb", "get_item", {"TableName": "t", "Key": {"k": {"S": "1"}}}, ("AccessDeniedException", 400)),
        ("stepfunctions", "list_state_machines", {}, ("AccessDeniedException", 400)),
        ("lambda", "list_functions", {}, ("AccessDeniedException", 403)),
        ("elbv2", "describe_load_balancers", {}, ("AccessDenied", 403)),
        ("cloudwatch", "describe_alarms", {}, ("AccessDenied", 403)),
        ("route53", "list_hosted_zones", {}, ("AccessDenied", 403)),
        ("s3", "get_object", {"Bucket": "b", "Key": "k"}, ("AccessDenied", 403)),
    ],
)
def test_a_call_is_refused_in_the_shape_of_its_service(
    nobody: Somebody, service: str, call: str, arguments: dict[str, Any], answer: tuple[str, int]
) -> None:
    refused = nobody.tries(service, call, **arguments)

    assert (refused["code"], refused["status"]) == answer
    who = f"arn:aws:sts::123456789012:assumed-role/{nobody.name}/{nobody.name}"
    assert refused["message"].startswith(f"User: {who} is not authorized to perform: ")


def test_a_refused_call_has_no_effect(lab: Lab, nobody: Somebody) -> None:
    topic = lab.client("sns").create_topic(Name=lab.name("topic"))["TopicArn"]

    refused = nobody.tries("sns", "delete_topic", TopicArn=topic)

    assert refused["status"] == 403
    assert topic in [found["TopicArn"] for found in lab.client("sns").list_topics()["Topics"]]


def test_a_permission_counts_from_the_moment_it_is_given(lab: Lab) -> None:
    somebody = Somebody(lab, {"Action": "sts:GetCallerIdentity"})
    before = somebody.tries("ecs", "list_clusters")

    somebody.may({"Action": "ecs:ListClusters"})
    after = somebody.tries("ecs", "list_clusters")

    assert (before["status"], after["status"]) == (400, 200)


def test_a_role_is_passed_only_where_that_is_allowed_and_only_to_that_service(lab: Lab) -> None:
    register = {"Action": "ecs:RegisterTaskDefinition"}
    given = {"family": "f", "taskRoleArn": "arn:aws:iam::123456789012:role/task", "containerDefinitions": []}
    somebody = Somebody(lab, register)
    without = somebody.tries("ecs", "register_task_definition", **given)
    to = {"Action": "iam:PassRole", "Resource": "arn:aws:iam::*:role/task"}
    somebody.may(register, {**to, "Condition": {"StringEquals": {"iam:PassedToService": "ecs.amazonaws.com"}}})
    to_another = somebody.tries("ecs", "register_task_definition", **given)
    somebody.may(register, {**to, "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}})
    allowed = somebody.tries("ecs", "register_task_definition", **given)

    assert "iam:PassRole on resource: arn:aws:iam::123456789012:role/task" in without["message"]
    assert to_another["code"] == "AccessDeniedException"
    assert allowed["status"] == 200


def test_what_is_tagged_as_it_is_made_needs_the_permission_to_tag(lab: Lab) -> None:
    somebody = Somebody(lab, {"Action": "logs:CreateLogGroup"})

    plain = somebody.tries("logs", "create_log_group", logGroupName="/one")
    tagged = somebody.tries("logs", "create_log_group", logGroupName="/two", tags={"a": "b"})

    assert plain["status"] == 200
    assert "logs:TagResource" in tagged["message"]


def test_records_are_changed_only_under_the_names_that_are_allowed(lab: Lab) -> None:
    zone = lab.client("route53").create_hosted_zone(Name="z.example", CallerReference=lab.name())["HostedZone"]["Id"]
    names = {"route53:ChangeResourceRecordSetsNormalizedRecordNames": ["www.z.example"]}
    change = {"Action": "route53:ChangeResourceRecordSets", "Resource": f"arn:aws:route53:::{zone.lstrip('/')}"}
    somebody = Somebody(lab, {**change, "Condition": {"ForAllValues:StringEquals": names}})

    def tries(name: str) -> int:
        record = {"Name": name, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "10.0.0.1"}]}
        changes = [{"Action": "UPSERT", "ResourceRecordSet": record}]
        answer = somebody.tries(
            "route53", "change_resource_record_sets", HostedZoneId=zone, ChangeBatch={"Changes": changes}
        )
        return int(answer["status"])

    assert (tries("WWW.z.example."), tries("mail.z.example")) == (200, 403)


def test_a_transaction_needs_the_permission_of_each_of_its_writes(lab: Lab) -> None:
    lab.client("dynamodb").create_table(
        TableName="t",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
    )
    somebody = Somebody(lab, {"Action": "dynamodb:PutItem", "Resource": "arn:aws:dynamodb:*:*:table/t"})
    key = {"k": {"S": "1"}}
    put = {"Put": {"TableName": "t", "Item": key}}

    putting = somebody.tries("dynamodb", "transact_write_items", TransactItems=[put])
    deleting = somebody.tries(
        "dynamodb", "transact_write_items", TransactItems=[{"Delete": {"TableName": "t", "Key": key}}]
    )

    assert putting["status"] == 200
    assert "dynamodb:DeleteItem" in deleting["message"]


def test_a_state_machine_does_what_its_role_may_and_no_more(lab: Lab) -> None:
    may, may_not = Somebody(lab, {"Action": "lambda:InvokeFunction"}), Somebody(lab, {"Action": "sns:Publish"})
    ask = {"service": "sts", "call": "get_caller_identity", "arguments": {}}
    state = {
        "Ask": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": {"FunctionName": may.function, "Payload": ask},
            "End": True,
        }
    }

    started = [_run(lab, state, role.arn) for role in (may, may_not)]

    assert [found["status"] for found in started] == ["SUCCEEDED", "FAILED"]
    assert started[1]["error"] == "Lambda.AWSLambdaException"
    assert "lambda:InvokeFunction" in started[1]["cause"]


def test_waiting_for_another_execution_needs_more_than_starting_it(lab: Lab) -> None:
    child = lab.machine({"Done": {"Type": "Succeed"}})
    state = {
        "Start": {
            "Type": "Task",
            "Resource": "arn:aws:states:::states:startExecution.sync:2",
            "Arguments": {"StateMachineArn": child},
            "End": True,
        }
    }
    starter = Somebody(lab, {"Action": "states:StartExecution"})
    before = _run(lab, state, starter.arn)
    starter.may(
        {"Action": ["states:StartExecution", "states:DescribeExecution", "states:StopExecution"]},
        {"Action": ["events:PutTargets", "events:PutRule", "events:DescribeRule"]},
    )

    after = _run(lab, state, starter.arn)

    assert (before["status"], after["status"]) == ("FAILED", "SUCCEEDED")
    assert "states:DescribeExecution" in before["cause"]


def test_a_machine_whose_role_may_not_deliver_logs_is_not_made(lab: Lab) -> None:
    group = "arn:aws:logs:eu-west-1:123456789012:log-group:/machines:*"
    states = lab.aws.client("stepfunctions")

    with pytest.raises(states.exceptions.ClientError, match="logs:CreateLogDelivery"):
        states.create_state_machine(
            name=lab.name("machine"),
            definition='{"QueryLanguage":"JSONata","StartAt":"A","States":{"A":{"Type":"Succeed"}}}',
            roleArn=Somebody(lab, {"Action": "sns:Publish"}).arn,
            loggingConfiguration={
                "level": "ERROR",
                "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": group}}],
            },
        )


def test_what_was_used_and_what_was_refused_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lab: Lab) -> None:
    somebody = Somebody(lab, {"Sid": "Look", "Action": "ecs:List*"})
    lab.aws.iam.take_refused()

    somebody.tries("ecs", "list_clusters")
    somebody.tries("sns", "list_topics")

    assert (f"{somebody.name}/all", "Look", "ecs:ListClusters") in lab.aws.iam.used
    assert [str(refusal) for refusal in lab.aws.iam.take_refused()] == [f"{somebody.name} may not sns:ListTopics on *"]
    ledger = tmp_path / "ledger"
    monkeypatch.setenv(LEDGER, str(ledger))
    lab.aws.iam.write_used()
    assert f"{somebody.name}/all Look ecs:ListClusters" in ledger.read_text().splitlines()


def _run(lab: Lab, states: dict[str, Any], role: str) -> dict[str, Any]:
    client = lab.aws.client("stepfunctions")
    definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states}
    machine = client.create_state_machine(name=lab.name("machine"), definition=json.dumps(definition), roleArn=role)[
        "stateMachineArn"
    ]
    execution = client.start_execution(stateMachineArn=machine)["executionArn"]

    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = client.describe_execution(executionArn=execution)
        return found if found["status"] != "RUNNING" else None

    return until(ended)


def test_a_service_is_changed_only_where_it_carries_the_tag_that_is_asked_for(lab: Lab) -> None:
    client = lab.aws.client("ecs")
    client.create_cluster(clusterName="c")
    client.register_task_definition(family="f", containerDefinitions=[{"name": "app", "image": "i", "memory": 64}])
    for name, tags in (("ours", [{"key": "owner", "value": "us"}]), ("theirs", [])):
        client.create_service(cluster="c", serviceName=name, taskDefinition="f", desiredCount=0, tags=tags)
    condition = {"Condition": {"Null": {"aws:ResourceTag/owner": "false", "ecs:task-definition": "true"}}}
    somebody = Somebody(lab, {"Action": "ecs:UpdateService", **condition})

    def tries(service: str, **given: Any) -> int:
        return int(somebody.tries("ecs", "update_service", cluster="c", service=service, **given)["status"])

    assert tries("ours", forceNewDeployment=True) == 200
    assert tries("theirs", forceNewDeployment=True) == 400
    assert tries("ours", taskDefinition="f") == 400
