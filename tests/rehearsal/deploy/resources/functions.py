"""Functions: what runs them, who may, and where they get their work from."""

from __future__ import annotations

import json
from typing import Any

from tests.rehearsal.deploy.resources.case import Case

LAMBDA = """
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: runs
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]
  Code:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: f
      Runtime: python3.13
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Code: {ZipFile: "def handler(event, context): return event"}
      Timeout: "7"
      Environment: {Variables: {TABLE: t}}
      ReservedConcurrentExecutions: 3
      Tags: [{Key: a, Value: b}]
"""


def a_function(aws: Any, _: dict[str, str]) -> None:
    found = aws.client("lambda").get_function(FunctionName="f")
    configuration = found["Configuration"]
    assert (configuration["Timeout"], configuration["Handler"]) == (7, "index.handler")
    assert configuration["Environment"]["Variables"] == {"TABLE": "t"}
    assert found["Tags"] == {"a": "b"}
    assert found["Concurrency"]["ReservedConcurrentExecutions"] == 3


def a_version_and_an_alias(aws: Any, outputs: dict[str, str]) -> None:
    alias = aws.client("lambda").get_alias(FunctionName="f", Name="live")
    assert (alias["FunctionVersion"], alias["AliasArn"]) == ("1", outputs["Alias"])
    assert outputs["Number"] == "1"
    assert outputs["Version"].endswith(":function:f:1")


def a_permission(aws: Any, _: dict[str, str]) -> None:
    [statement] = json.loads(aws.client("lambda").get_policy(FunctionName="f")["Policy"])["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Condition"] == {"ArnLike": {"AWS:SourceArn": "arn:aws:events:eu-west-1:123456789012:rule/r"}}


def an_invoke_config(aws: Any, _: dict[str, str]) -> None:
    found = aws.client("lambda").get_function_event_invoke_config(FunctionName="f")
    assert (found["MaximumRetryAttempts"], found["MaximumEventAgeInSeconds"]) == (1, 60)


def a_source_mapping(aws: Any, outputs: dict[str, str]) -> None:
    found = aws.client("lambda").get_event_source_mapping(UUID=outputs["Mapping"])
    assert (found["BatchSize"], found["EventSourceArn"]) == (5, outputs["Queue"])


def a_layer(aws: Any, outputs: dict[str, str]) -> None:
    [found] = aws.client("lambda").list_layer_versions(LayerName="core")["LayerVersions"]
    assert (found["LayerVersionArn"], found["CompatibleRuntimes"]) == (outputs["Layer"], ["python3.13"])


def a_layer_permission(aws: Any, _: dict[str, str]) -> None:
    policy = json.loads(aws.client("lambda").get_layer_version_policy(LayerName="core", VersionNumber=1)["Policy"])
    assert "123456789012" in json.dumps(policy)


CASES: dict[str, Case] = {
    "function": ("Resources:" + LAMBDA, a_function),
    "version": (
        "Resources:"
        + LAMBDA
        + """
  One: {Type: AWS::Lambda::Version, Properties: {FunctionName: !Ref Code}}
  Live:
    Type: AWS::Lambda::Alias
    Properties: {FunctionName: !Ref Code, FunctionVersion: !GetAtt One.Version, Name: live}
Outputs: {Alias: {Value: !Ref Live}, Version: {Value: !Ref One}, Number: {Value: !GetAtt One.Version}}
""",
        a_version_and_an_alias,
    ),
    "permission": (
        "Resources:"
        + LAMBDA
        + """
  Permission:
    Type: AWS::Lambda::Permission
    Properties:
      FunctionName: !GetAtt Code.Arn
      Action: lambda:InvokeFunction
      Principal: events.amazonaws.com
      SourceArn: !Sub "arn:aws:events:${AWS::Region}:${AWS::AccountId}:rule/r"
""",
        a_permission,
    ),
    "invoke config": (
        "Resources:"
        + LAMBDA
        + """
  Config:
    Type: AWS::Lambda::EventInvokeConfig
    Properties:
      FunctionName: !Ref Code
      Qualifier: $LATEST
      MaximumRetryAttempts: 1
      MaximumEventAgeInSeconds: 60
""",
        an_invoke_config,
    ),
    "source mapping": (
        "Resources:"
        + LAMBDA
        + """
  Queue: {Type: AWS::SQS::Queue}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {FunctionName: !Ref Code, EventSourceArn: !GetAtt Queue.Arn, BatchSize: 5}
Outputs: {Mapping: {Value: !Ref Mapping}, Queue: {Value: !GetAtt Queue.Arn}}
""",
        a_source_mapping,
    ),
    "layer": (
        """
Resources:
  Core:
    Type: AWS::Lambda::LayerVersion
    Properties: {LayerName: core, Content: {S3Bucket: zips, S3Key: core}, CompatibleRuntimes: [python3.13]}
Outputs: {Layer: {Value: !Ref Core}}
""",
        a_layer,
    ),
    "layer permission": (
        """
Resources:
  Core:
    Type: AWS::Lambda::LayerVersion
    Properties: {LayerName: core, Content: {S3Bucket: zips, S3Key: core}}
  Shared:
    Type: AWS::Lambda::LayerVersionPermission
    Properties: {LayerVersionArn: !Ref Core, Action: lambda:GetLayerVersion, Principal: "123456789012"}
""",
        a_layer_permission,
    ),
}
