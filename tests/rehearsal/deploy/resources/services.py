"""ECS services, and the namespaces they are found in."""

from __future__ import annotations

from typing import Any

from tests.rehearsal.deploy.resources.case import Case
from tests.rehearsal.deploy.resources.network import NETWORK


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


CASES: dict[str, Case] = {
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
}
