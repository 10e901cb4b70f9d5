"""Tables and buckets."""

from __future__ import annotations

import json
from typing import Any

from tests.rehearsal.deploy.resources.case import Case


def a_table(aws: Any, outputs: dict[str, str]) -> None:
    client = aws.client("dynamodb")
    found = client.describe_table(TableName="t")["Table"]
    backups = client.describe_continuous_backups(TableName="t")["ContinuousBackupsDescription"]
    expiry = client.describe_time_to_live(TableName="t")["TimeToLiveDescription"]
    assert found["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert found["SSEDescription"]["Status"] == "ENABLED"
    assert found["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    assert found["LatestStreamArn"] == outputs["Stream"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    assert expiry == {"TimeToLiveStatus": "ENABLED", "AttributeName": "until"}


def a_bucket(aws: Any, _: dict[str, str]) -> None:
    client = aws.client("s3")
    encryption = client.get_bucket_encryption(Bucket="plans-1")["ServerSideEncryptionConfiguration"]["Rules"]
    [rule] = client.get_bucket_lifecycle_configuration(Bucket="plans-1")["Rules"]
    assert client.get_bucket_versioning(Bucket="plans-1")["Status"] == "Enabled"
    assert encryption[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert all(client.get_public_access_block(Bucket="plans-1")["PublicAccessBlockConfiguration"].values())
    assert (rule["ID"], rule["NoncurrentVersionExpiration"]) == ("old", {"NoncurrentDays": 30})
    assert client.get_bucket_tagging(Bucket="plans-1")["TagSet"] == [{"Key": "a", "Value": "b"}]
    assert client.get_bucket_ownership_controls(Bucket="plans-1")["OwnershipControls"]["Rules"]


def a_bucket_policy(aws: Any, _: dict[str, str]) -> None:
    policy = json.loads(aws.client("s3").get_bucket_policy(Bucket="plans-1")["Policy"])
    assert policy["Statement"][0]["Resource"] == "arn:aws:s3:::plans-1/*"


CASES: dict[str, Case] = {
    "table": (
        """
Resources:
  T:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: Retain
    UpdateReplacePolicy: Retain
    Properties:
      TableName: t
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}, {AttributeName: sk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}, {AttributeName: sk, KeyType: RANGE}]
      SSESpecification: {SSEEnabled: true}
      PointInTimeRecoverySpecification: {PointInTimeRecoveryEnabled: true}
      TimeToLiveSpecification: {AttributeName: until, Enabled: true}
      StreamSpecification: {StreamViewType: NEW_IMAGE}
Outputs: {Stream: {Value: !GetAtt T.StreamArn}}
""",
        a_table,
    ),
    "bucket": (
        """
Resources:
  B:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: plans-1
      VersioningConfiguration: {Status: Enabled}
      BucketEncryption:
        ServerSideEncryptionConfiguration: [{ServerSideEncryptionByDefault: {SSEAlgorithm: AES256}}]
      PublicAccessBlockConfiguration:
        BlockPublicAcls: true
        BlockPublicPolicy: true
        IgnorePublicAcls: true
        RestrictPublicBuckets: true
      OwnershipControls: {Rules: [{ObjectOwnership: BucketOwnerEnforced}]}
      LifecycleConfiguration:
        Rules: [{Id: old, Status: Enabled, NoncurrentVersionExpirationInDays: 30}]
      Tags: [{Key: a, Value: b}]
""",
        a_bucket,
    ),
    "bucket policy": (
        """
Resources:
  B: {Type: AWS::S3::Bucket, Properties: {BucketName: plans-1}}
  P:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref B
      PolicyDocument:
        Version: 2012-10-17
        Statement: [{Effect: Deny, Principal: "*", Action: "s3:*", Resource: !Sub "${B.Arn}/*"}]
""",
        a_bucket_policy,
    ),
}
