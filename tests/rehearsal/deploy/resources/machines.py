"""State machines, their aliases, and activities."""

from __future__ import annotations

import json
from typing import Any

from tests.rehearsal.deploy.resources.case import Case

MACHINE = """
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: states.amazonaws.com}, Action: sts:AssumeRole}]
  Machine:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      StateMachineName: m
      RoleArn: !GetAtt Role.Arn
      DefinitionSubstitutions: {Next: Done, Seconds: 5}
      Tags: [{Key: a, Value: b}]
      Definition:
        QueryLanguage: JSONata
        StartAt: Rest
        States:
          Rest: {Type: Wait, Seconds: 5, Next: "${Next}"}
          Done: {Type: Succeed, Comment: "after ${Seconds}"}
"""


def a_machine(aws: Any, outputs: dict[str, str]) -> None:
    found = aws.client("stepfunctions").describe_state_machine(stateMachineArn=outputs["Machine"])
    definition = json.loads(found["definition"])
    assert found["name"] == "m"
    assert definition["States"]["Rest"]["Next"] == "Done"
    assert definition["States"]["Done"]["Comment"] == "after 5"


def a_machine_alias(aws: Any, outputs: dict[str, str]) -> None:
    found = aws.client("stepfunctions").describe_state_machine_alias(stateMachineAliasArn=outputs["Alias"])
    assert found["routingConfiguration"] == [{"stateMachineVersionArn": outputs["Version"], "weight": 100}]


def an_activity(aws: Any, outputs: dict[str, str]) -> None:
    assert aws.client("stepfunctions").describe_activity(activityArn=outputs["Activity"])["name"] == "a"


CASES: dict[str, Case] = {
    "machine": ("Resources:" + MACHINE + "\nOutputs: {Machine: {Value: !Ref Machine}}", a_machine),
    "machine alias": (
        "Resources:"
        + MACHINE
        + """
  One:
    Type: AWS::StepFunctions::StateMachineVersion
    Properties:
      StateMachineArn: !Ref Machine
      StateMachineRevisionId: !GetAtt Machine.StateMachineRevisionId
  Live:
    Type: AWS::StepFunctions::StateMachineAlias
    Properties: {Name: live, DeploymentPreference: {Type: ALL_AT_ONCE, StateMachineVersionArn: !Ref One}}
Outputs: {Alias: {Value: !Ref Live}, Version: {Value: !Ref One}}
""",
        a_machine_alias,
    ),
    "activity": (
        """
Resources: {A: {Type: AWS::StepFunctions::Activity, Properties: {Name: a}}}
Outputs: {Activity: {Value: !Ref A}}
""",
        an_activity,
    ),
}
