"""
boto3 clients, one of each kind in a warm function.

boto3 is imported with the first client, not with the module, since it is most of a cold
start. Retries are few and short: the state machines retry, and they are patient.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_application_autoscaling import ApplicationAutoScalingClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_servicediscovery import ServiceDiscoveryClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient


_CLOUDFRONTS_REGION = "us-east-1"


@cache
def _client(service: str, region: str | None = None) -> Any:
    import boto3
    from botocore.config import Config

    limits = Config(retries={"mode": "standard", "max_attempts": 3}, connect_timeout=2, read_timeout=5)
    return boto3.client(service, region_name=region, config=limits)  # type: ignore[call-overload]  # one place for every kind


def acmpca() -> Any:
    """Return the AWS Private CA client."""
    return _client("acm-pca")


def autoscaling() -> ApplicationAutoScalingClient:
    """Return the Application Auto Scaling client."""
    client: ApplicationAutoScalingClient = _client("application-autoscaling")
    return client


def cloudfront() -> Any:
    """Return the CloudFront client."""
    return _client("cloudfront")


def cloudwatch() -> CloudWatchClient:
    """Return the CloudWatch client."""
    client: CloudWatchClient = _client("cloudwatch")
    return client


def codedeploy() -> Any:
    """Return the CodeDeploy client."""
    return _client("codedeploy")


def cloudwatch_of_cloudfront() -> CloudWatchClient | None:
    """Return the CloudWatch client of us-east-1, where CloudFront's metrics and alarms are; None where we are there."""
    if cloudwatch().meta.region_name == _CLOUDFRONTS_REGION:
        return None
    client: CloudWatchClient = _client("cloudwatch", _CLOUDFRONTS_REGION)
    return client


def dynamodb() -> DynamoDBClient:
    """Return the DynamoDB client."""
    client: DynamoDBClient = _client("dynamodb")
    return client


def ec2() -> Any:
    """Return the EC2 client."""
    return _client("ec2")


def ecs() -> ECSClient:
    """Return the ECS client."""
    client: ECSClient = _client("ecs")
    return client


def elbv2() -> ElasticLoadBalancingv2Client:
    """Return the Elastic Load Balancing client."""
    client: ElasticLoadBalancingv2Client = _client("elbv2")
    return client


def eventbridge() -> EventBridgeClient:
    """Return the EventBridge client."""
    client: EventBridgeClient = _client("events")
    return client


def iam() -> Any:
    """Return the IAM client."""
    return _client("iam")


def kms() -> Any:
    """Return the KMS client."""
    return _client("kms")


def awslambda() -> Any:
    """Return the Lambda client."""
    return _client("lambda")


def logs() -> CloudWatchLogsClient:
    """Return the CloudWatch Logs client."""
    client: CloudWatchLogsClient = _client("logs")
    return client


def route53() -> Any:
    """Return the Route 53 client."""
    return _client("route53")


def s3() -> S3Client:
    """Return the S3 client."""
    client: S3Client = _client("s3")
    return client


def servicediscovery() -> ServiceDiscoveryClient:
    """Return the Cloud Map client."""
    client: ServiceDiscoveryClient = _client("servicediscovery")
    return client


def servicequotas() -> Any:
    """Return the Service Quotas client."""
    return _client("service-quotas")


def sns() -> SNSClient:
    """Return the SNS client."""
    client: SNSClient = _client("sns")
    return client


def sqs() -> SQSClient:
    """Return the SQS client."""
    client: SQSClient = _client("sqs")
    return client


def stepfunctions() -> SFNClient:
    """Return the Step Functions client."""
    client: SFNClient = _client("stepfunctions")
    return client
