"""Each type the deployer knows, made from a small template and read back through the API."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rehearsal.deploy import Deployer
from rehearsal.deploy.resources import MAKERS
from rehearsal.deploy.resources.cloudwatch import scaled_period

Deploy = Callable[..., dict[str, str]]

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

NETWORK = """
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16, EnableDnsHostnames: true}}
  A:
    Type: AWS::EC2::Subnet
    Properties:
      VpcId: !Ref Vpc
      CidrBlock: 10.0.0.0/24
      AvailabilityZone: !Select [0, !GetAZs ""]
      MapPublicIpOnLaunch: true
  B: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.1.0/24, AvailabilityZone: eu-west-1b}}
"""

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

MESH = """
  Mesh: {Type: AWS::AppMesh::Mesh, Properties: {MeshName: shop, Spec: {EgressFilter: {Type: DROP_ALL}}}}
  Node:
    Type: AWS::AppMesh::VirtualNode
    Properties:
      MeshName: !GetAtt Mesh.MeshName
      VirtualNodeName: web
      Spec:
        Listeners:
          - PortMapping: {Port: 8080, Protocol: http}
            HealthCheck:
              Protocol: http
              Path: /health
              HealthyThreshold: 2
              UnhealthyThreshold: 2
              IntervalMillis: 5000
              TimeoutMillis: 2000
            OutlierDetection:
              MaxServerErrors: 5
              MaxEjectionPercent: 50
              Interval: {Unit: s, Value: 10}
              BaseEjectionDuration: {Unit: s, Value: 10}
            Timeout: {HTTP: {PerRequest: {Unit: s, Value: 15}}}
        ServiceDiscovery: {AWSCloudMap: {NamespaceName: shop.local, ServiceName: web}}
  Router:
    Type: AWS::AppMesh::VirtualRouter
    Properties:
      MeshName: !GetAtt Mesh.MeshName
      VirtualRouterName: web
      Spec: {Listeners: [{PortMapping: {Port: 8080, Protocol: http}}]}
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


def a_rule(aws: Any, outputs: dict[str, str]) -> None:
    client = aws.client("events")
    found = client.describe_rule(Name="r")
    [target] = client.list_targets_by_rule(Rule="r")["Targets"]
    assert json.loads(found["EventPattern"]) == {"source": ["aws.ecs"], "detail": {"n": [{"prefix": "a"}]}}
    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 4, "MaximumEventAgeInSeconds": 600}
    assert target["DeadLetterConfig"] == {"Arn": outputs["Queue"]}
    assert client.describe_event_bus(Name="own")["Arn"] == outputs["Bus"]
    assert client.describe_rule(Name="on-bus", EventBusName="own")["State"] == "ENABLED"


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


def a_network(aws: Any, outputs: dict[str, str]) -> None:
    client = aws.client("ec2")
    subnets = client.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [outputs["Vpc"]]}])["Subnets"]
    [table] = client.describe_route_tables(RouteTableIds=[outputs["Table"]])["RouteTables"]
    [gateway] = client.describe_internet_gateways(InternetGatewayIds=[outputs["Internet"]])["InternetGateways"]
    dns = client.describe_vpc_attribute(VpcId=outputs["Vpc"], Attribute="enableDnsHostnames")
    assert {(each["CidrBlock"], each["MapPublicIpOnLaunch"]) for each in subnets} == {
        ("10.0.0.0/24", True),
        ("10.0.1.0/24", False),
    }
    assert {route["DestinationCidrBlock"] for route in table["Routes"]} >= {"0.0.0.0/0", "172.16.0.0/16"}
    assert table["Associations"][0]["SubnetId"] == outputs["Subnet"]
    assert gateway["Attachments"][0]["VpcId"] == outputs["Vpc"]
    assert dns["EnableDnsHostnames"]["Value"] is True


def security_groups(aws: Any, outputs: dict[str, str]) -> None:
    client = aws.client("ec2")
    [web] = client.describe_security_groups(GroupIds=[outputs["Web"]])["SecurityGroups"]
    [orders] = client.describe_security_groups(GroupIds=[outputs["Orders"]])["SecurityGroups"]
    assert [(rule["FromPort"], rule["IpRanges"][0]["CidrIp"]) for rule in web["IpPermissions"]] == [(80, "0.0.0.0/0")]
    assert [rule["UserIdGroupPairs"][0]["GroupId"] for rule in orders["IpPermissions"]] == [outputs["Web"]]
    assert [rule.get("FromPort") for rule in web["IpPermissionsEgress"]] == [8080]
    assert 443 in [rule.get("FromPort") for rule in orders["IpPermissionsEgress"]]


def a_load_balancer(aws: Any, outputs: dict[str, str]) -> None:
    client = aws.client("elbv2")
    [balancer] = client.describe_load_balancers(Names=["edge"])["LoadBalancers"]
    [listener] = client.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    rules = client.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]
    [group] = client.describe_target_groups(Names=["web"])["TargetGroups"]
    settings = client.describe_target_group_attributes(TargetGroupArn=group["TargetGroupArn"])["Attributes"]
    balancing = client.describe_load_balancer_attributes(LoadBalancerArn=balancer["LoadBalancerArn"])["Attributes"]
    assert balancer["DNSName"] == outputs["Dns"]
    assert outputs["Full"] == balancer["LoadBalancerArn"].partition("loadbalancer/")[2]
    assert outputs["GroupFull"] == "targetgroup/web/" + group["TargetGroupArn"].rpartition("/")[2]
    assert (group["TargetType"], group["HealthCheckPath"]) == ("ip", "/health")
    assert group["Matcher"]["HttpCode"] == "200-299"
    assert {"Key": "deregistration_delay.timeout_seconds", "Value": "5"} in settings
    assert {"Key": "idle_timeout.timeout_seconds", "Value": "30"} in balancing
    assert listener["DefaultActions"][0]["ForwardConfig"]["TargetGroups"][0]["Weight"] == 100
    assert [rule["Conditions"][0]["Values"] for rule in rules if not rule["IsDefault"]] == [["/api/*"]]


def a_service_on_ecs(aws: Any, outputs: dict[str, str]) -> None:
    client = aws.client("ecs")
    [cluster] = client.describe_clusters(clusters=["c"], include=["SETTINGS"])["clusters"]
    [service] = client.describe_services(cluster="c", services=["web"])["services"]
    task = client.describe_task_definition(taskDefinition=outputs["Task"])["taskDefinition"]
    assert cluster["settings"] == [{"name": "containerInsights", "value": "enabled"}]
    assert service["desiredCount"] == 0
    assert service["serviceArn"] == outputs["Service"]
    assert service["launchType"] == "FARGATE"
    assert task["proxyConfiguration"]["properties"] == [{"name": "AppPorts", "value": "8080"}]
    assert task["containerDefinitions"][0]["portMappings"][0]["containerPort"] == 8080


def a_mesh(aws: Any, outputs: dict[str, str]) -> None:
    client = aws.client("appmesh")
    node = client.describe_virtual_node(meshName="shop", virtualNodeName="web")["virtualNode"]
    [listener] = node["spec"]["listeners"]
    route = client.describe_route(meshName="shop", virtualRouterName="web", routeName="all")["route"]
    assert outputs["Node"] == node["metadata"]["arn"]
    assert outputs["Owner"] == "123456789012"
    assert node["spec"]["serviceDiscovery"]["awsCloudMap"] == {"namespaceName": "shop.local", "serviceName": "web"}
    assert listener["outlierDetection"]["baseEjectionDuration"] == {"unit": "s", "value": 10}
    assert listener["timeout"]["http"]["perRequest"] == {"unit": "s", "value": 15}
    assert route["spec"]["httpRoute"]["retryPolicy"]["maxRetries"] == 2
    assert route["spec"]["httpRoute"]["action"]["weightedTargets"] == [{"virtualNode": "web", "weight": 1}]


def a_virtual_service(aws: Any, _: dict[str, str]) -> None:
    found = aws.client("appmesh").describe_virtual_service(meshName="shop", virtualServiceName="web.shop.local")
    provider = found["virtualService"]["spec"]["provider"]
    assert provider == {"virtualRouter": {"virtualRouterName": "web"}}


def a_gateway(aws: Any, _: dict[str, str]) -> None:
    client = aws.client("appmesh")
    gateway = client.describe_virtual_gateway(meshName="shop", virtualGatewayName="in")["virtualGateway"]
    route = client.describe_gateway_route(meshName="shop", virtualGatewayName="in", gatewayRouteName="all")
    target = route["gatewayRoute"]["spec"]["httpRoute"]["action"]["target"]
    assert gateway["spec"]["listeners"][0]["portMapping"]["port"] == 80
    assert target["virtualService"]["virtualServiceName"] == "web.shop.local"


def a_namespace(aws: Any, outputs: dict[str, str]) -> None:
    client = aws.client("servicediscovery")
    named = {each["Name"]: each for each in client.list_namespaces()["Namespaces"]}
    service = client.get_service(Id=outputs["Service"])["Service"]
    [instance] = client.list_instances(ServiceId=outputs["Service"])["Instances"]
    assert {name: each["Type"] for name, each in named.items()} == {
        "api": "HTTP",
        "shop.local": "DNS_PRIVATE",
        "shop.example.com": "DNS_PUBLIC",
    }
    assert outputs["Namespace"] == named["shop.local"]["Arn"]
    assert service["DnsConfig"]["DnsRecords"] == [{"Type": "A", "TTL": 10}]
    assert instance["Attributes"] == {"AWS_INSTANCE_IPV4": "10.0.0.1"}


def a_zone(aws: Any, outputs: dict[str, str]) -> None:
    found = aws.client("route53").list_resource_record_sets(HostedZoneId=outputs["Zone"])["ResourceRecordSets"]
    records = {(each["Name"], each.get("SetIdentifier")): each for each in found}
    alias = records["api.example.com.", "blue"]
    assert (alias["Weight"], alias["AliasTarget"]["EvaluateTargetHealth"]) == (255, False)
    assert records["www.example.com.", None]["ResourceRecords"] == [{"Value": "web.example.com"}]
    assert records["a.example.com.", None]["TTL"] == 60


Case = tuple[str, Callable[[Any, dict[str, str]], None]]


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
    "network": (
        "Resources:"
        + NETWORK
        + """
  Internet: {Type: AWS::EC2::InternetGateway}
  Attached: {Type: AWS::EC2::VPCGatewayAttachment, Properties: {VpcId: !Ref Vpc, InternetGatewayId: !Ref Internet}}
  Address: {Type: AWS::EC2::EIP, Properties: {Domain: vpc}}
  Nat:
    Type: AWS::EC2::NatGateway
    Properties: {SubnetId: !Ref A, AllocationId: !GetAtt Address.AllocationId}
  Table: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Vpc}}
  Out:
    Type: AWS::EC2::Route
    DependsOn: Attached
    Properties: {RouteTableId: !Ref Table, DestinationCidrBlock: 0.0.0.0/0, GatewayId: !Ref Internet}
  Private:
    Type: AWS::EC2::Route
    Properties: {RouteTableId: !Ref Table, DestinationCidrBlock: 172.16.0.0/16, NatGatewayId: !Ref Nat}
  Uses:
    Type: AWS::EC2::SubnetRouteTableAssociation
    Properties: {RouteTableId: !Ref Table, SubnetId: !Ref A}
Outputs:
  Vpc: {Value: !Ref Vpc}
  Subnet: {Value: !Ref A}
  Table: {Value: !Ref Table}
  Internet: {Value: !Ref Internet}
""",
        a_network,
    ),
    "security groups": (
        "Resources:"
        + NETWORK
        + """
  Web:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: the edge
      VpcId: !Ref Vpc
      SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 0.0.0.0/0, Description: all}]
      SecurityGroupEgress: [{IpProtocol: tcp, FromPort: 8080, ToPort: 8080, CidrIp: 10.0.0.0/16}]
  Orders: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: tasks, VpcId: !Ref Vpc}}
  FromWeb:
    Type: AWS::EC2::SecurityGroupIngress
    Properties:
      GroupId: !GetAtt Orders.GroupId
      IpProtocol: tcp
      FromPort: 8080
      ToPort: 8080
      SourceSecurityGroupId: !GetAtt Web.GroupId
  ToAws:
    Type: AWS::EC2::SecurityGroupEgress
    Properties: {GroupId: !Ref Orders, IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: 0.0.0.0/0}
Outputs: {Web: {Value: !Ref Web}, Orders: {Value: !Ref Orders}}
""",
        security_groups,
    ),
    "load balancer": (
        "Resources:"
        + NETWORK
        + """
  Edge:
    Type: AWS::ElasticLoadBalancingV2::LoadBalancer
    Properties:
      Name: edge
      Scheme: internet-facing
      Subnets: [!Ref A, !Ref B]
      LoadBalancerAttributes: [{Key: idle_timeout.timeout_seconds, Value: 30}]
  Web:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties:
      Name: web
      VpcId: !Ref Vpc
      Port: 8080
      Protocol: HTTP
      TargetType: ip
      HealthCheckPath: /health
      Matcher: {HttpCode: 200-299}
      TargetGroupAttributes: [{Key: deregistration_delay.timeout_seconds, Value: "5"}]
  Http:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties:
      LoadBalancerArn: !Ref Edge
      Port: 80
      Protocol: HTTP
      DefaultActions:
        - Type: forward
          ForwardConfig: {TargetGroups: [{TargetGroupArn: !Ref Web, Weight: 100}]}
  Api:
    Type: AWS::ElasticLoadBalancingV2::ListenerRule
    Properties:
      ListenerArn: !Ref Http
      Priority: 10
      Conditions: [{Field: path-pattern, Values: ["/api/*"]}]
      Actions: [{Type: forward, TargetGroupArn: !Ref Web}]
Outputs:
  Dns: {Value: !GetAtt Edge.DNSName}
  Full: {Value: !GetAtt Edge.LoadBalancerFullName}
  GroupFull: {Value: !GetAtt Web.TargetGroupFullName}
""",
        a_load_balancer,
    ),
    "service": (
        "Resources:"
        + NETWORK
        + """
  Cluster:
    Type: AWS::ECS::Cluster
    Properties: {ClusterName: c, ClusterSettings: [{Name: containerInsights, Value: enabled}]}
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Family: web
      Cpu: "256"
      Memory: "512"
      NetworkMode: awsvpc
      RequiresCompatibilities: [FARGATE]
      ProxyConfiguration:
        Type: APPMESH
        ContainerName: envoy
        ProxyConfigurationProperties: [{Name: AppPorts, Value: 8080}]
      ContainerDefinitions:
        - {Name: web, Image: web, PortMappings: [{ContainerPort: 8080}]}
        - {Name: envoy, Image: envoy, User: "1337"}
  Web:
    Type: AWS::ECS::Service
    Properties:
      ServiceName: web
      Cluster: !Ref Cluster
      TaskDefinition: !Ref Task
      DesiredCount: 0
      LaunchType: FARGATE
      NetworkConfiguration: {AwsvpcConfiguration: {Subnets: [!Ref A, !Ref B], SecurityGroups: [!Ref Tasks]}}
  Tasks: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: tasks, VpcId: !Ref Vpc}}
Outputs: {Task: {Value: !Ref Task}, Service: {Value: !Ref Web}}
""",
        a_service_on_ecs,
    ),
    "mesh": (
        "Resources:"
        + MESH
        + """
  All:
    Type: AWS::AppMesh::Route
    Properties:
      MeshName: !GetAtt Mesh.MeshName
      VirtualRouterName: !GetAtt Router.VirtualRouterName
      RouteName: all
      Spec:
        HttpRoute:
          Match: {Prefix: /}
          Action: {WeightedTargets: [{VirtualNode: !GetAtt Node.VirtualNodeName, Weight: 1}]}
          RetryPolicy: {MaxRetries: 2, PerRetryTimeout: {Unit: s, Value: 2}, HttpRetryEvents: [server-error]}
Outputs: {Node: {Value: !Ref Node}, Owner: {Value: !GetAtt Mesh.MeshOwner}}
""",
        a_mesh,
    ),
    "virtual service": (
        "Resources:"
        + MESH
        + """
  Service:
    Type: AWS::AppMesh::VirtualService
    Properties:
      MeshName: !GetAtt Mesh.MeshName
      VirtualServiceName: web.shop.local
      Spec: {Provider: {VirtualRouter: {VirtualRouterName: !GetAtt Router.VirtualRouterName}}}
""",
        a_virtual_service,
    ),
    "gateway": (
        "Resources:"
        + MESH
        + """
  In:
    Type: AWS::AppMesh::VirtualGateway
    Properties:
      MeshName: !GetAtt Mesh.MeshName
      VirtualGatewayName: in
      Spec: {Listeners: [{PortMapping: {Port: 80, Protocol: http}}]}
  All:
    Type: AWS::AppMesh::GatewayRoute
    Properties:
      MeshName: !GetAtt Mesh.MeshName
      VirtualGatewayName: !GetAtt In.VirtualGatewayName
      GatewayRouteName: all
      Spec:
        HttpRoute:
          Match: {Prefix: /}
          Action: {Target: {VirtualService: {VirtualServiceName: web.shop.local}}}
""",
        a_gateway,
    ),
    "namespace": (
        "Resources:"
        + NETWORK
        + """
  Api: {Type: AWS::ServiceDiscovery::HttpNamespace, Properties: {Name: api}}
  Public: {Type: AWS::ServiceDiscovery::PublicDnsNamespace, Properties: {Name: shop.example.com}}
  Shop: {Type: AWS::ServiceDiscovery::PrivateDnsNamespace, Properties: {Name: shop.local, Vpc: !Ref Vpc}}
  Web:
    Type: AWS::ServiceDiscovery::Service
    Properties:
      Name: web
      NamespaceId: !GetAtt Shop.Id
      DnsConfig: {DnsRecords: [{Type: A, TTL: "10"}]}
      HealthCheckCustomConfig: {FailureThreshold: 1}
  Task:
    Type: AWS::ServiceDiscovery::Instance
    Properties: {ServiceId: !Ref Web, InstanceId: one, InstanceAttributes: {AWS_INSTANCE_IPV4: 10.0.0.1}}
Outputs: {Service: {Value: !Ref Web}, Namespace: {Value: !GetAtt Shop.Arn}}
""",
        a_namespace,
    ),
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


@pytest.mark.parametrize("case", CASES)
def test_what_is_made_is_what_the_template_says(aws: Any, deploy: Deploy, case: str) -> None:
    text, holds = CASES[case]
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="zips", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="zips", Key="core", Body=b"PK\x05\x06" + bytes(18))

    outputs = deploy(text)

    holds(aws, outputs)


def test_every_type_the_deployer_knows_is_made_in_one_of_these_tests() -> None:
    made = {name for text, _ in CASES.values() for name in re.findall(r"Type: (AWS::\w+::\w+)", text)}

    assert made >= set(MAKERS)


@pytest.mark.parametrize(
    ("seconds", "scale", "period"),
    [(60, 1, 60), (60, 6, 10), (300, 6, 30), (360, 6, 60), (60, 60, 10), (900, 6, 120), (60, 2, 30), (30, 1, 30)],
)
def test_a_scaled_period_is_one_cloudwatch_allows(seconds: int, scale: float, period: int) -> None:
    assert scaled_period(seconds, scale) == period


def test_every_period_of_an_alarm_is_divided_by_the_rehearsals_factor(aws: Any, tmp_path: Path) -> None:
    template = tmp_path / "t.yaml"
    template.write_text(CASES["alarm"][0])

    Deployer(aws, period_scale=6).deploy(template, "t", {})

    found = aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert {each["AlarmName"]: each.get("Period") for each in found}["errors"] == 10
    assert [stat["MetricStat"]["Period"] for each in found for stat in each.get("Metrics", [])] == [30]
