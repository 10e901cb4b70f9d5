"""Roles and policies."""

from __future__ import annotations

from typing import Any

from tests.rehearsal.deploy.resources.case import Case


def a_role(aws: Any, outputs: dict[str, str]) -> None:
    client = aws.client("iam")
    attached = {each["PolicyName"] for each in client.list_attached_role_policies(RoleName="r")["AttachedPolicies"]}
    inline = client.get_role_policy(RoleName="r", PolicyName="own")["PolicyDocument"]
    profile = client.get_instance_profile(InstanceProfileName="p")["InstanceProfile"]
    assert client.get_role(RoleName="r")["Role"]["Arn"] == outputs["Role"]
    assert attached == {"AWSXRayDaemonWriteAccess", "shared"}
    assert inline["Statement"][0]["Action"] == "s3:GetObject"
    assert sorted(client.list_role_policies(RoleName="r")["PolicyNames"]) == ["later", "own"]
    assert profile["Roles"][0]["RoleName"] == "r"


CASES: dict[str, Case] = {
    "role": (
        """
Resources:
  R:
    Type: AWS::IAM::Role
    Properties:
      RoleName: r
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: ecs-tasks.amazonaws.com}, Action: sts:AssumeRole}]
      ManagedPolicyArns: [!Sub "arn:${AWS::Partition}:iam::aws:policy/AWSXRayDaemonWriteAccess"]
      Policies:
        - PolicyName: own
          PolicyDocument: {Statement: [{Effect: Allow, Action: s3:GetObject, Resource: "*"}]}
  Later:
    Type: AWS::IAM::Policy
    Properties:
      PolicyName: later
      Roles: [!Ref R]
      PolicyDocument: {Statement: [{Effect: Allow, Action: s3:GetObject, Resource: "*"}]}
  Shared:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      ManagedPolicyName: shared
      Roles: [!Ref R]
      PolicyDocument: {Statement: [{Effect: Allow, Action: s3:GetObject, Resource: "*"}]}
  Profile: {Type: AWS::IAM::InstanceProfile, Properties: {InstanceProfileName: p, Roles: [!Ref R]}}
Outputs: {Role: {Value: !GetAtt R.Arn}}
""",
        a_role,
    ),
}
