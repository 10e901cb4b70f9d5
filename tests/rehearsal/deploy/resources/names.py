"""Zones and distributions."""

from __future__ import annotations

from typing import Any

from tests.rehearsal.deploy.resources.case import Case


def a_zone(aws: Any, outputs: dict[str, str]) -> None:
    found = aws.client("route53").list_resource_record_sets(HostedZoneId=outputs["Zone"])["ResourceRecordSets"]
    records = {(each["Name"], each.get("SetIdentifier")): each for each in found}
    alias = records["api.example.com.", "blue"]
    assert (alias["Weight"], alias["AliasTarget"]["EvaluateTargetHealth"]) == (255, False)
    assert records["www.example.com.", None]["ResourceRecords"] == [{"Value": "web.example.com"}]
    assert records["a.example.com.", None]["TTL"] == 60


def a_distribution(aws: Any, outputs: dict[str, str]) -> None:
    client = aws.client("cloudfront")
    found = client.get_distribution(Id=outputs["Id"])["Distribution"]
    assert (found["DomainName"], found["Status"]) == (outputs["Domain"], "Deployed")
    config = found["DistributionConfig"]
    assert (config["Enabled"], config["Staging"], config["Aliases"]["Items"]) == (True, False, ["shop.example.com"])
    origin, brief, files = config["Origins"]["Items"]
    assert (origin["Id"], origin["CustomOriginConfig"]["OriginProtocolPolicy"]) == ("app", "http-only")
    assert (origin["CustomOriginConfig"]["HTTPPort"], origin["CustomOriginConfig"]["HTTPSPort"]) == (8080, 443)
    assert origin["CustomOriginConfig"]["OriginSslProtocols"]["Items"] == ["TLSv1.2"]
    assert (brief["CustomOriginConfig"]["HTTPPort"], brief["CustomOriginConfig"]["HTTPSPort"]) == (80, 443)
    assert "CustomOriginConfig" not in files
    methods = config["DefaultCacheBehavior"]["AllowedMethods"]
    assert (methods["Items"], methods["CachedMethods"]["Items"]) == (["GET", "HEAD", "OPTIONS"], ["GET", "HEAD"])
    assert client.list_tags_for_resource(Resource=found["ARN"])["Tags"]["Items"] == [{"Key": "a", "Value": "b"}]


CASES: dict[str, Case] = {
    "zone": (
        """
Resources:
  Zone: {Type: AWS::Route53::HostedZone, Properties: {Name: example.com, HostedZoneConfig: {Comment: ours}}}
  Www:
    Type: AWS::Route53::RecordSet
    DependsOn: Zone
    Properties:
      HostedZoneName: example.com.
      Name: www.example.com
      Type: CNAME
      TTL: "30"
      ResourceRecords: [web.example.com]
  Api:
    Type: AWS::Route53::RecordSetGroup
    Properties:
      HostedZoneId: !Ref Zone
      RecordSets:
        - Name: api.example.com
          Type: A
          SetIdentifier: blue
          Weight: 255
          AliasTarget: {DNSName: lb.example.com, HostedZoneId: Z32O12XQLNTSW2}
        - {Name: a.example.com, Type: A, TTL: 60, ResourceRecords: [10.0.0.1]}
Outputs: {Zone: {Value: !Ref Zone}}
""",
        a_zone,
    ),
    "distribution": (
        """
Resources:
  Cdn:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Aliases: [shop.example.com]
        Origins:
          - Id: app
            DomainName: lb.example.com
            CustomOriginConfig:
              HTTPPort: "8080"
              HTTPSPort: 443
              OriginProtocolPolicy: http-only
              OriginSSLProtocols: [TLSv1.2]
          - Id: brief
            DomainName: lb.example.com
            CustomOriginConfig: {OriginProtocolPolicy: match-viewer}
          - Id: files
            DomainName: files.s3.eu-west-1.amazonaws.com
            S3OriginConfig: {OriginAccessIdentity: ""}
        DefaultCacheBehavior:
          TargetOriginId: app
          ViewerProtocolPolicy: allow-all
          AllowedMethods: [GET, HEAD, OPTIONS]
      Tags: [{Key: a, Value: b}]
Outputs: {Id: {Value: !Ref Cdn}, Domain: {Value: !GetAtt Cdn.DomainName}}
""",
        a_distribution,
    ),
}
