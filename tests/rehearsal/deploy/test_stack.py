from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rehearsal.aws.runtime import StillRuntime
from rehearsal.deploy import Deployer, DeployFailed, TemplateRefused

Deploy = Callable[..., dict[str, str]]


def test_a_resource_is_made_after_all_it_refers_to(deploy: Deploy) -> None:
    outputs = deploy("""
        Resources:
          Policy:
            Type: AWS::SQS::QueuePolicy
            Properties:
              Queues: [!Ref Queue]
              PolicyDocument:
                Statement: [{Effect: Allow, Principal: "*", Action: sqs:SendMessage, Resource: !GetAtt Queue.Arn}]
          Queue: {Type: AWS::SQS::Queue, DependsOn: Topic}
          Topic: {Type: AWS::SNS::Topic}
        Outputs:
          Queue: {Value: !GetAtt Queue.QueueName}
    """)

    assert outputs["Queue"].startswith("test-Queue-")


def test_the_order_is_told_by_describe(aws: Any, tmp_path: Path) -> None:
    template = tmp_path / "t.yaml"
    template.write_text("""
        Resources:
          First: {Type: AWS::SNS::Topic, DependsOn: [Second]}
          Second: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Sub "after ${Third.TopicName}"}}
          Third: {Type: AWS::SNS::Topic}
    """)
    deployer = Deployer(aws)

    deployer.deploy(template, "t", {})

    assert list(deployer.describe("t")) == ["Third", "Second", "First"]


def test_conditions_decide_what_is_made_and_what_is_told(deploy: Deploy) -> None:
    text = """
        Parameters: {Stage: {Type: String}}
        Conditions:
          InProduction: !Equals [!Ref Stage, prod]
          Elsewhere: !Not [!Condition InProduction]
        Resources:
          Topic:
            Type: AWS::SNS::Topic
            Properties: {DisplayName: !If [InProduction, loud, !Ref AWS::NoValue]}
          Queue: {Type: AWS::SQS::Queue, Condition: Elsewhere}
        Outputs:
          Queue: {Condition: Elsewhere, Value: !GetAtt Queue.QueueName}
          Topic: {Value: !Ref Topic}
    """

    assert sorted(deploy(text, stack="a", Stage="dev")) == ["Queue", "Topic"]
    assert sorted(deploy(text, stack="b", Stage="prod")) == ["Topic"]


def test_a_stack_reads_what_another_exports(deploy: Deploy) -> None:
    deploy(
        """
        Resources: {Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: news}}}
        Outputs: {Arn: {Value: !Ref Topic, Export: {Name: !Sub "${AWS::StackName}:News"}}}
        """,
        stack="first",
    )

    outputs = deploy(
        """
        Parameters: {From: {Type: String}}
        Resources: {Queue: {Type: AWS::SQS::Queue}}
        Outputs: {Imported: {Value: !ImportValue {"Fn::Sub": "${From}:News"}}}
        """,
        stack="second",
        From="first",
    )

    assert outputs == {"Imported": "arn:aws:sns:eu-west-1:123456789012:news"}


def test_an_export_nobody_made_is_refused_by_its_name(deploy: Deploy) -> None:
    with pytest.raises(DeployFailed, match="no stack deployed here exports shop:VpcId") as failed:
        deploy("""
            Resources: {Topic: {Type: AWS::SNS::Topic, Properties: {DisplayName: !ImportValue shop:VpcId}}}
        """)

    assert (failed.value.stack, failed.value.logical_id, failed.value.type) == ("test", "Topic", "AWS::SNS::Topic")


def test_one_name_is_exported_once(deploy: Deploy) -> None:
    text = """
        Resources: {Topic: {Type: AWS::SNS::Topic}}
        Outputs: {Arn: {Value: !Ref Topic, Export: {Name: news}}}
    """
    deploy(text, stack="first")

    with pytest.raises(DeployFailed, match="exports this name already"):
        deploy(text, stack="second")


def test_an_unknown_type_is_refused_before_anything_is_made(aws: Any, deploy: Deploy) -> None:
    with pytest.raises(TemplateRefused, match="Gateway: type AWS::ApiGateway::RestApi is not one"):
        deploy("""
            Resources:
              Topic: {Type: AWS::SNS::Topic}
              Gateway: {Type: AWS::ApiGateway::RestApi}
        """)

    assert aws.client("sns").list_topics()["Topics"] == []


@pytest.mark.parametrize(
    ("resource", "named"),
    [
        ("{Type: AWS::SNS::Topic, Properties: {DisplayNmae: a}}", "DisplayNmae"),
        ("{Type: AWS::SQS::Queue, Properties: {Visibility: 3}}", "Visibility"),
        ("{Type: AWS::ECS::Cluster, Properties: {ServiceConnectDefaults: {Namespaec: a}}}", "Namespaec"),
        ("{Type: AWS::S3::Bucket, Properties: {Versioning: {Status: Enabled}}}", "Versioning"),
        ("{Type: AWS::Logs::LogGroup, Properties: {Retention: 3}}", "Retention"),
        ("{Type: AWS::SNS::Topic, Properties: {Subscription: [{Protocol: a, Endpoint: b, Filter: c}]}}", "Filter"),
        ("{Type: AWS::S3::Bucket, Properties: {LifecycleConfiguration: {Rules: [], Size: 1}}}", "Size"),
        ("{Type: AWS::S3::Bucket, Properties: {LifecycleConfiguration: {Rules: [{Colour: 1}]}}}", "Colour"),
        ("{Type: AWS::Events::Rule, Properties: {Targets: [{Id: a, Arn: b, Retry: 1}]}}", "Retry"),
    ],
)
def test_a_property_the_deployer_would_drop_is_refused_by_its_name(deploy: Deploy, resource: str, named: str) -> None:
    with pytest.raises(DeployFailed, match=f"{named}.*not a property the deployer knows"):
        deploy(f"Resources: {{Thing: {resource}}}")


@pytest.mark.parametrize(
    "resource",
    [
        "{Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: soon}}",
        "{Type: AWS::Lambda::Function, Properties: {Code: 1}}",
        "{Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: sg-1, FromPort: low}}",
        "{Type: AWS::StepFunctions::StateMachine, Properties: {DefinitionS3Location: here}}",
        "{Type: AWS::S3::BucketPolicy, Properties: {Bucket: a, PolicyDocument: all}}",
    ],
)
def test_a_property_of_another_form_fails_under_its_resources_name(deploy: Deploy, resource: str) -> None:
    with pytest.raises(DeployFailed) as failed:
        deploy(f"Resources: {{Thing: {resource}}}")

    assert failed.value.logical_id == "Thing"


def test_a_property_that_must_be_there_is_missed_by_its_name(deploy: Deploy) -> None:
    with pytest.raises(DeployFailed, match="property PolicyDocument is missing"):
        deploy("Resources: {Thing: {Type: AWS::SQS::QueuePolicy, Properties: {Queues: []}}}")


def test_resources_that_need_each_other_are_refused_with_their_circle(deploy: Deploy) -> None:
    with pytest.raises(TemplateRefused, match=r"in a circle: (A → B → A|B → A → B)"):
        deploy("""
            Resources:
              A: {Type: AWS::SNS::Topic, Properties: {DisplayName: !GetAtt B.TopicName}}
              B: {Type: AWS::SNS::Topic, Properties: {DisplayName: !GetAtt A.TopicName}}
        """)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Resources: {A: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Ref Nobody}}}", "refers to Nobody"),
        ("Resources: {A: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Sub 'a ${Nobody.Arn}'}}}", "Nobody"),
        ("Resources: {A: {Type: AWS::SNS::Topic, DependsOn: Nobody}}", "depends on Nobody"),
        ("Resources: {A: {Type: AWS::SNS::Topic, Condition: Never}}", "condition Never is not declared"),
        ("Resources: {A: {Type: AWS::SNS::Topic, CreationPolicy: {}}}", "attribute CreationPolicy is not supported"),
        ("Resources: {A: {Type: AWS::SNS::Topic}}\nTransform: X", "section Transform is not supported"),
        (
            "Resources: {A: {Type: AWS::SNS::Topic, Properties: {DisplayName: '{{resolve:ssm:/a}}'}}}",
            "dynamic references",
        ),
        ("Resources: {}", "no resources"),
        (
            "Conditions: {A: !Condition B, B: !Condition A}\nResources: {T: {Type: AWS::SNS::Topic, Condition: A}}",
            "depends on itself",
        ),
        ("a: [", "not readable"),
    ],
)
def test_a_template_that_cannot_be_deployed_as_written_is_refused_before_anything_is_made(
    aws: Any, deploy: Deploy, text: str, says: str
) -> None:
    with pytest.raises(TemplateRefused, match=says):
        deploy(text)

    assert aws.client("sns").list_topics()["Topics"] == []


def test_an_attribute_a_resource_does_not_have_is_refused_with_those_it_has(deploy: Deploy) -> None:
    with pytest.raises(DeployFailed, match="no attribute Arm; it has TopicArn, TopicName"):
        deploy("""
            Resources: {Topic: {Type: AWS::SNS::Topic}}
            Outputs: {Arn: {Value: !GetAtt Topic.Arm}}
        """)


def test_a_failure_tells_what_aws_said_and_what_stays(aws: Any, deploy: Deploy) -> None:
    with pytest.raises(DeployFailed, match="Subscription") as failed:
        deploy("""
            Resources:
              Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: news}}
              Subscription:
                Type: AWS::SNS::Subscription
                DependsOn: Topic
                Properties: {TopicArn: "arn:aws:sns:eu-west-1:123456789012:gone", Protocol: sqs, Endpoint: a}
        """)

    assert failed.value.stays == {"Topic": "arn:aws:sns:eu-west-1:123456789012:news"}
    assert "NotFound" in failed.value.reason or "does not exist" in failed.value.reason
    assert [topic["TopicArn"] for topic in aws.client("sns").list_topics()["Topics"]] == [
        "arn:aws:sns:eu-west-1:123456789012:news"
    ]


def test_a_stack_is_made_once(deploy: Deploy) -> None:
    deploy("Resources: {Topic: {Type: AWS::SNS::Topic}}")

    with pytest.raises(TemplateRefused, match="test was deployed before"):
        deploy("Resources: {Topic: {Type: AWS::SNS::Topic}}")


def test_mappings_zones_and_pseudo_parameters_are_answered(deploy: Deploy) -> None:
    outputs = deploy("""
        Mappings: {Sizes: {eu-west-1: {Small: tiny}}}
        Resources: {Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: a}}}
        Outputs:
          Size: {Value: !FindInMap [Sizes, !Ref AWS::Region, Small]}
          Zone: {Value: !Select [0, !GetAZs ""]}
          Who: {Value: !Sub "${AWS::AccountId} ${AWS::Partition} ${AWS::StackName} ${AWS::URLSuffix}"}
    """)

    assert outputs == {"Size": "tiny", "Zone": "eu-west-1a", "Who": "123456789012 aws test amazonaws.com"}


def test_a_stack_tags_what_it_makes_and_a_resource_has_the_last_word(aws: Any, tmp_path: Path) -> None:
    template = tmp_path / "t.yaml"
    template.write_text("""
        Resources:
          Log: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: /a, Tags: [{Key: app, Value: own}]}}
          Table:
            Type: AWS::DynamoDB::Table
            Properties:
              TableName: t
              BillingMode: PAY_PER_REQUEST
              AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
              KeySchema: [{AttributeName: pk, KeyType: HASH}]
          Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16, Tags: [{Key: Name, Value: v}]}}
        Outputs: {Vpc: {Value: !Ref Vpc}, Table: {Value: !GetAtt Table.Arn}}
    """)

    outputs = Deployer(aws, tags={"app": "all", "team": "x"}).deploy(template, "t", {})

    table = aws.client("dynamodb").list_tags_of_resource(ResourceArn=outputs["Table"])["Tags"]
    [vpc] = aws.client("ec2").describe_vpcs(VpcIds=[outputs["Vpc"]])["Vpcs"]
    assert aws.client("logs").list_tags_log_group(logGroupName="/a")["tags"] == {"app": "own", "team": "x"}
    assert table == [{"Key": "app", "Value": "all"}, {"Key": "team", "Value": "x"}]
    assert {tag["Key"]: tag["Value"] for tag in vpc["Tags"]} == {"app": "all", "team": "x", "Name": "v"}


def test_json_templates_are_read_too(deploy: Deploy) -> None:
    outputs = deploy(
        json.dumps(
            {
                "Resources": {"T": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "n"}}},
                "Outputs": {"N": {"Value": {"Fn::GetAtt": ["T", "TopicName"]}}},
            }
        )
    )

    assert outputs == {"N": "n"}


SERVICE = """
    Resources:
      Cluster: {Type: AWS::ECS::Cluster, Properties: {ClusterName: c}}
      Task:
        Type: AWS::ECS::TaskDefinition
        Properties: {Family: web, ContainerDefinitions: [{Name: web, Image: web, Memory: 128}]}
      Web:
        Type: AWS::ECS::Service
        Properties: {ServiceName: web, Cluster: !Ref Cluster, TaskDefinition: !Ref Task, DesiredCount: 2}
"""


def test_a_service_that_never_becomes_steady_is_named_when_its_time_is_over(
    aws: Any, tasks: StillRuntime, tmp_path: Path
) -> None:
    template = tmp_path / "t.yaml"
    template.write_text(SERVICE)
    deployer = Deployer(aws, steady_within=timedelta(seconds=0))
    tasks.fail("web")

    with pytest.raises(DeployFailed, match=r"Web \(AWS::ECS::Service\): not steady within 0 s") as failed:
        deployer.deploy(template, "t", {})

    assert "Web" in failed.value.stays  # it is there, only not steady
