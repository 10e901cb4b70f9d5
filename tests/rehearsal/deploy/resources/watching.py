"""Logs and alarms."""

from __future__ import annotations

import json
from typing import Any

from tests.rehearsal.deploy.resources.case import Case
from tests.rehearsal.deploy.resources.functions import LAMBDA


def a_log_group(aws: Any, outputs: dict[str, str]) -> None:
    client = aws.client("logs")
    [found] = client.describe_log_groups(logGroupNamePrefix="/shop")["logGroups"]
    assert (found["retentionInDays"], found["arn"]) == (14, outputs["Arn"])
    assert [each["logStreamName"] for each in client.describe_log_streams(logGroupName="/shop")["logStreams"]] == ["s"]
    assert client.describe_metric_filters(logGroupName="/shop")["metricFilters"][0]["filterName"] == "errors"
    assert client.describe_resource_policies()["resourcePolicies"][0]["policyName"] == "delivery"


def a_subscription_filter(aws: Any, outputs: dict[str, str]) -> None:
    [found] = aws.client("logs").describe_subscription_filters(logGroupName="/shop")["subscriptionFilters"]
    assert (found["filterName"], found["destinationArn"]) == ("ejections", outputs["Function"])


def an_alarm(aws: Any, _: dict[str, str]) -> None:
    client = aws.client("cloudwatch")
    found = client.describe_alarms(AlarmNames=["errors", "ratio"], AlarmTypes=["MetricAlarm"])["MetricAlarms"]
    alarms = {each["AlarmName"]: each for each in found}
    assert (alarms["errors"]["Period"], alarms["errors"]["Threshold"]) == (60, 2.5)
    assert alarms["errors"]["Dimensions"] == [{"Name": "TargetGroup", "Value": "t"}]
    assert [each["MetricStat"]["Period"] for each in alarms["ratio"]["Metrics"]] == [300]
    assert json.loads(client.get_dashboard(DashboardName="d")["DashboardBody"]) == {"widgets": []}


def a_composite_alarm(aws: Any, _: dict[str, str]) -> None:
    found = aws.client("cloudwatch").describe_alarms(AlarmNames=["any"], AlarmTypes=["CompositeAlarm"])
    assert [each["AlarmRule"] for each in found["CompositeAlarms"]] == ["ALARM(errors)"]


CASES: dict[str, Case] = {
    "log group": (
        """
Resources:
  L: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: /shop, RetentionInDays: "14"}}
  S: {Type: AWS::Logs::LogStream, Properties: {LogGroupName: !Ref L, LogStreamName: s}}
  F:
    Type: AWS::Logs::MetricFilter
    Properties:
      LogGroupName: !Ref L
      FilterName: errors
      FilterPattern: ERROR
      MetricTransformations: [{MetricName: errors, MetricNamespace: shop, MetricValue: "1"}]
  P:
    Type: AWS::Logs::ResourcePolicy
    Properties: {PolicyName: delivery, PolicyDocument: '{"Version":"2012-10-17","Statement":[]}'}
Outputs: {Arn: {Value: !GetAtt L.Arn}}
""",
        a_log_group,
    ),
    "subscription filter": (
        "Resources:"
        + LAMBDA
        + """
  L: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: /shop}}
  F:
    Type: AWS::Logs::SubscriptionFilter
    Properties:
      LogGroupName: !Ref L
      FilterName: ejections
      FilterPattern: EJECT
      DestinationArn: !GetAtt Code.Arn
Outputs: {Function: {Value: !GetAtt Code.Arn}}
""",
        a_subscription_filter,
    ),
    "alarm": (
        """
Resources:
  A:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmName: errors
      Namespace: AWS/ApplicationELB
      MetricName: HTTPCode_Target_5XX_Count
      Dimensions: [{Name: TargetGroup, Value: t}]
      Statistic: Sum
      Period: 60
      EvaluationPeriods: 1
      Threshold: "2.5"
      ComparisonOperator: GreaterThanThreshold
      TreatMissingData: notBreaching
  B:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmName: ratio
      Metrics:
        - Id: m
          ReturnData: true
          MetricStat: {Metric: {Namespace: a, MetricName: b}, Period: 300, Stat: Sum}
      EvaluationPeriods: 1
      Threshold: 1
      ComparisonOperator: GreaterThanThreshold
  D: {Type: AWS::CloudWatch::Dashboard, Properties: {DashboardName: d, DashboardBody: '{"widgets": []}'}}
""",
        an_alarm,
    ),
    "composite alarm": (
        """
Resources:
  A:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmName: errors
      Namespace: a
      MetricName: b
      Statistic: Sum
      Period: 60
      EvaluationPeriods: 1
      Threshold: 1
      ComparisonOperator: GreaterThanThreshold
  Any:
    Type: AWS::CloudWatch::CompositeAlarm
    Properties: {AlarmName: any, AlarmRule: !Sub "ALARM(${A})"}
""",
        a_composite_alarm,
    ),
}
