"""App Mesh."""

from __future__ import annotations

from typing import Any

from tests.rehearsal.deploy.resources.case import Case

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


CASES: dict[str, Case] = {
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
}
