"""Queues, topics, and the rules of an event bus."""

from __future__ import annotations

import json
from typing import Any

from tests.rehearsal.deploy.resources.case import Case


def a_queue(aws: Any, outputs: dict[str, str]) -> None:
    found = aws.client("sqs").get_queue_attributes(QueueUrl=outputs["Url"], AttributeNames=["All"])["Attributes"]
    assert (found["VisibilityTimeout"], found["MessageRetentionPeriod"]) == ("40", "1209600")
    assert int(json.loads(found["RedrivePolicy"])["maxReceiveCount"]) == 3
    assert json.loads(found["Policy"])["Statement"][0]["Action"] == "sqs:SendMessage"


def a_topic(aws: Any, outputs: dict[str, str]) -> None:
    client = aws.client("sns")
    found = client.get_topic_attributes(TopicArn=outputs["Topic"])["Attributes"]
    subscriptions = client.list_subscriptions_by_topic(TopicArn=outputs["Topic"])["Subscriptions"]
    ends = {each["Endpoint"]: each["SubscriptionArn"] for each in subscriptions}
    filtered = client.get_subscription_attributes(SubscriptionArn=ends[outputs["Queue"]])["Attributes"]
    assert found["DisplayName"] == "News"
    assert json.loads(found["Policy"])["Statement"][0]["Action"] == "sns:Publish"
    assert sorted(ends) == sorted([outputs["Queue"], "ops@example.com"])
    assert json.loads(filtered["FilterPolicy"]) == {"what": ["stuck"]}
    assert filtered["RawMessageDelivery"] == "true"


def a_rule(aws: Any, outputs: dict[str, str]) -> None:
    client = aws.client("events")
    found = client.describe_rule(Name="r")
    [target] = client.list_targets_by_rule(Rule="r")["Targets"]
    assert json.loads(found["EventPattern"]) == {"source": ["aws.ecs"], "detail": {"n": [{"prefix": "a"}]}}
    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 4, "MaximumEventAgeInSeconds": 600}
    assert target["DeadLetterConfig"] == {"Arn": outputs["Queue"]}
    assert client.describe_event_bus(Name="own")["Arn"] == outputs["Bus"]
    assert client.describe_rule(Name="on-bus", EventBusName="own")["State"] == "ENABLED"


CASES: dict[str, Case] = {
    "queue": (
        """
Resources:
  Dead: {Type: AWS::SQS::Queue}
  Q:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 40
      MessageRetentionPeriod: 1209600
      SqsManagedSseEnabled: true
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: "3"}
  P:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Q]
      PolicyDocument:
        Version: 2012-10-17
        Statement:
          - Effect: Allow
            Principal: {Service: events.amazonaws.com}
            Action: sqs:SendMessage
            Resource: !GetAtt Q.Arn
Outputs: {Url: {Value: !Ref Q}}
""",
        a_queue,
    ),
    "topic": (
        """
Resources:
  T:
    Type: AWS::SNS::Topic
    Properties: {DisplayName: News, Subscription: [{Protocol: email, Endpoint: ops@example.com}]}
  Q: {Type: AWS::SQS::Queue}
  S:
    Type: AWS::SNS::Subscription
    Properties:
      TopicArn: !Ref T
      Protocol: sqs
      Endpoint: !GetAtt Q.Arn
      RawMessageDelivery: true
      FilterPolicy: {what: [stuck]}
  P:
    Type: AWS::SNS::TopicPolicy
    Properties:
      Topics: [!Ref T]
      PolicyDocument:
        Version: 2012-10-17
        Statement:
          - Effect: Allow
            Principal: {Service: cloudwatch.amazonaws.com}
            Action: sns:Publish
            Resource: !Ref T
Outputs: {Topic: {Value: !Ref T}, Queue: {Value: !GetAtt Q.Arn}}
""",
        a_topic,
    ),
    "rule": (
        """
Resources:
  Dead: {Type: AWS::SQS::Queue}
  Bus: {Type: AWS::Events::EventBus, Properties: {Name: own}}
  R:
    Type: AWS::Events::Rule
    Properties:
      Name: r
      EventPattern: {source: [aws.ecs], detail: {n: [{prefix: a}]}}
      Targets:
        - Id: one
          Arn: !GetAtt Dead.Arn
          RetryPolicy: {MaximumRetryAttempts: 4, MaximumEventAgeInSeconds: 600}
          DeadLetterConfig: {Arn: !GetAtt Dead.Arn}
  OnBus: {Type: AWS::Events::Rule, Properties: {Name: on-bus, EventBusName: !Ref Bus, EventPattern: {source: [a]}}}
Outputs: {Queue: {Value: !GetAtt Dead.Arn}, Bus: {Value: !GetAtt Bus.Arn}}
""",
        a_rule,
    ),
}
