from __future__ import annotations

import pytest

from crossfade.mesh.template import load_template
from rehearsal.deploy.errors import TemplateRefused
from rehearsal.deploy.translate import translate

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters: {Stage: {Type: String, Default: dev}}
Resources:
  Greet:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: {Bucket: packages, Key: greet}
      Handler: app.handler
      Runtime: python3.13
      AutoPublishAlias: live
      Policies:
        - AWSXRayDaemonWriteAccess
        - SQSSendMessagePolicy: {QueueName: q}
"""


def test_serverless_resources_become_what_cloudformation_makes_of_them() -> None:
    answer = translate(load_template(TEMPLATE, "t"), {"Stage": "dev"}, region="eu-west-1")

    types = sorted(resource["Type"] for resource in answer["Resources"].values())
    assert types == ["AWS::IAM::Role", "AWS::Lambda::Alias", "AWS::Lambda::Function", "AWS::Lambda::Version"]
    assert "Transform" not in answer


def test_managed_policies_are_known_by_name_without_asking_aws() -> None:
    answer = translate(load_template(TEMPLATE, "t"), {}, region="eu-west-1")

    arns = answer["Resources"]["GreetRole"]["Properties"]["ManagedPolicyArns"]
    assert "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess" in arns


def test_translating_leaves_the_document_as_it_was() -> None:
    document = load_template(TEMPLATE, "t")

    translate(document, {}, region="eu-west-1")

    assert document == load_template(TEMPLATE, "t")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("Serverless-2016-10-31", "Serverless-2017-01-01", "Transform must be"),
        ("SQSSendMessagePolicy", "SQSSendLetterPolicy", "Greet.*Policy at index 1"),
        ("Handler: app.handler", "Handlre: app.handler", "Handlre"),
    ],
)
def test_what_the_translator_refuses_is_told(old: str, new: str, says: str) -> None:
    with pytest.raises(TemplateRefused, match=says):
        translate(load_template(TEMPLATE.replace(old, new), "t"), {}, region="eu-west-1")
