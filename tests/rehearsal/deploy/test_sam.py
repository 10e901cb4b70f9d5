"""A SAM template from source tree to a running function and state machine."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal.aws import EmbeddedAws, in_process
from rehearsal.deploy import Deployer, TemplateRefused

TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Greeting: {Type: String, AllowedPattern: "[A-Z][a-z]+", Description: How to greet}
  Days: {Type: Number, Default: 7, AllowedValues: [7, 14]}
Globals:
  Function:
    Runtime: python3.13
    Handler: app.handler
    Timeout: 20
    Layers: [!Ref Core]
    LoggingConfig: {LogFormat: JSON, LogGroup: !Ref Logs}
    Environment: {Variables: {GREETING: !Ref Greeting}}
Resources:
  Core:
    Type: AWS::Serverless::LayerVersion
    Metadata: {BuildMethod: makefile}
    Properties: {ContentUri: layers/core, CompatibleRuntimes: [python3.13], PublishLambdaVersion: true}
  Logs: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: !Ref Days}}
  Undelivered: {Type: AWS::SQS::Queue, Properties: {SqsManagedSseEnabled: true}}
  Greet:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/greet
      AutoPublishAlias: live
      AutoPublishAliasAllProperties: true
      Policies:
        - SQSSendMessagePolicy: {QueueName: !GetAtt Undelivered.QueueName}
      Events:
        Alarms:
          Type: EventBridgeRule
          Properties:
            Pattern: {source: [aws.cloudwatch], detail-type: [CloudWatch Alarm State Change]}
            RetryPolicy: {MaximumRetryAttempts: 4, MaximumEventAgeInSeconds: 600}
            DeadLetterConfig: {Arn: !GetAtt Undelivered.Arn}
  Hello:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionUri: statemachines/hello.asl.yaml
      DefinitionSubstitutions: {GreetArn: !Ref Greet.Alias}
      Tracing: {Enabled: true}
      Logging:
        Level: ALL
        IncludeExecutionData: true
        Destinations: [{CloudWatchLogsLogGroup: {LogGroupArn: !GetAtt Logs.Arn}}]
      Policies:
        - LambdaInvokePolicy: {FunctionName: !Ref Greet}
        - Version: "2012-10-17"
          Statement:
            - Effect: Allow
              Action:
                - logs:CreateLogDelivery
                - logs:GetLogDelivery
                - logs:UpdateLogDelivery
                - logs:DeleteLogDelivery
                - logs:ListLogDeliveries
                - logs:PutResourcePolicy
                - logs:DescribeResourcePolicies
                - logs:DescribeLogGroups
              Resource: "*"
Outputs:
  Machine: {Value: !Ref Hello}
  Alias: {Value: !Ref Greet.Alias}
"""

HANDLER = """
import os

from phrases import said


def handler(event, context):
    return {"said": said(os.environ["GREETING"], event["name"])}
"""

DEFINITION = """
QueryLanguage: JSONata
StartAt: Greet
States:
  Greet:  # by the alias that SAM publishes
    Type: Task
    Resource: arn:aws:states:::lambda:invoke
    Arguments: {FunctionName: "${GreetArn}", Payload: {name: "{% $states.input.who %}"}}
    Output: "{% $states.result.Payload %}"
    End: true
"""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    files = {
        "template.yaml": TEMPLATE,
        "functions/greet/app.py": HANDLER,
        "layers/core/python/phrases.py": "def said(greeting, name):\n    return f'{greeting}, {name}'\n",
        "statemachines/hello.asl.yaml": DEFINITION,
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "template.yaml"


@pytest.fixture(params=["in-process", "server"])
def anywhere(request: pytest.FixtureRequest) -> Iterator[EmbeddedAws]:
    with in_process() if request.param == "in-process" else EmbeddedAws() as embedded:
        yield embedded


def test_the_functions_and_state_machines_of_a_sam_template_run(anywhere: EmbeddedAws, template: Path) -> None:
    outputs = Deployer(anywhere).deploy_sam(template, "hello", {"Greeting": "Hello"})

    answer = anywhere.client("lambda").invoke(FunctionName=outputs["Alias"], Payload=json.dumps({"name": "Ada"}))
    assert json.loads(answer["Payload"].read()) == {"said": "Hello, Ada"}
    assert ended(anywhere, outputs["Machine"], {"who": "Grace"}) == ("SUCCEEDED", {"said": "Hello, Grace"})


def ended(aws: EmbeddedAws, machine: str, given: object) -> tuple[str, Any]:
    client = aws.client("stepfunctions")
    execution = client.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"]
    for _ in range(6_000):
        found = client.describe_execution(executionArn=execution)
        if found["status"] != "RUNNING":
            return found["status"], json.loads(found.get("output", "null"))
        time.sleep(0.05)
    return "RUNNING", None


def test_a_rule_reaches_the_alias_and_keeps_what_it_cannot_deliver(aws: EmbeddedAws, template: Path) -> None:
    deployer = Deployer(aws)

    outputs = deployer.deploy_sam(template, "hello", {"Greeting": "Hello"})

    made = deployer.describe("hello")
    client = aws.client("events")
    [target] = client.list_targets_by_rule(Rule=made["GreetAlarms"])["Targets"]
    queue = aws.client("sqs").get_queue_attributes(QueueUrl=made["Undelivered"], AttributeNames=["QueueArn"])
    assert target["Arn"] == outputs["Alias"]
    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 4, "MaximumEventAgeInSeconds": 600}
    assert target["DeadLetterConfig"]["Arn"] == queue["Attributes"]["QueueArn"]


def test_functions_log_where_the_template_says(aws: EmbeddedAws, template: Path) -> None:
    deployer = Deployer(aws)

    deployer.deploy_sam(template, "hello", {"Greeting": "Hello"})

    made = deployer.describe("hello")
    found = aws.client("lambda").get_function_configuration(FunctionName=made["Greet"])
    [group] = aws.client("logs").describe_log_groups(logGroupNamePrefix=made["Logs"])["logGroups"]
    assert found["LoggingConfig"]["LogGroup"] == made["Logs"]
    assert group["retentionInDays"] == 7
    assert [layer["Arn"] for layer in found["Layers"]] == [arn for name, arn in made.items() if name.startswith("Core")]


def test_a_parameter_against_its_pattern_uploads_nothing(aws: EmbeddedAws, template: Path) -> None:
    with pytest.raises(TemplateRefused, match="parameter Greeting: 'hello' does not match"):
        Deployer(aws).deploy_sam(template, "hello", {"Greeting": "hello"})

    assert aws.client("s3").list_buckets()["Buckets"] == []


def test_a_placeholder_without_a_value_is_named(aws: EmbeddedAws, template: Path) -> None:
    definition = template.parent / "statemachines/hello.asl.yaml"
    definition.write_text(DEFINITION.replace("GreetArn", "GretArn"))

    with pytest.raises(Exception, match=r"Hello \(AWS::StepFunctions::StateMachine\).*no value for GretArn"):
        Deployer(aws).deploy_sam(template, "hello", {"Greeting": "Hello"})
