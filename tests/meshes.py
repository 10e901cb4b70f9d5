"""Small meshes for tests, as CloudFormation resources: nodes, names, routes and the ECS services behind them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from crossfade.draw.draw import draw
from crossfade.draw.options import DrawOptions
from crossfade.mesh.model import Found
from crossfade.mesh.sources import SourceText, read_sources
from crossfade.plan.document import MigrationPlan

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
Resources = dict[str, dict[str, Any]]


def a_mesh(name: str = "m", *, egress: str = "ALLOW_ALL") -> Resources:
    spec = {"EgressFilter": {"Type": egress}}
    return {"Mesh": {"Type": "AWS::AppMesh::Mesh", "Properties": {"MeshName": name, "Spec": spec}}}


def a_node(name: str, port: int = 8080, *, backends: Sequence[str] = (), mesh: str = "m", **spec: Any) -> Resources:
    """`listener` adds to the listener; anything else to the spec."""
    listener = {"PortMapping": {"Port": port, "Protocol": "http"}, **spec.pop("listener", {})}
    discovery = {"AWSCloudMap": {"NamespaceName": "m.local", "ServiceName": name}}
    properties = {
        "MeshName": mesh,
        "VirtualNodeName": name,
        "Spec": {
            "Listeners": [listener],
            "ServiceDiscovery": discovery,
            "Backends": [{"VirtualService": {"VirtualServiceName": backend}} for backend in backends],
            **spec,
        },
    }
    return {f"Node{name}": {"Type": "AWS::AppMesh::VirtualNode", "Properties": properties}}


def a_name(name: str, *, node: str | None = None, router: str | None = None) -> Resources:
    provider = {"VirtualNode": {"VirtualNodeName": node}} if node else {"VirtualRouter": {"VirtualRouterName": router}}
    properties = {"MeshName": "m", "VirtualServiceName": name, "Spec": {"Provider": provider}}
    return {f"Name{name.replace('.', '')}": {"Type": "AWS::AppMesh::VirtualService", "Properties": properties}}


def a_router(name: str, port: int = 8080) -> Resources:
    spec = {"Listeners": [{"PortMapping": {"Port": port, "Protocol": "http"}}]}
    properties = {"MeshName": "m", "VirtualRouterName": name, "Spec": spec}
    return {f"Router{name}": {"Type": "AWS::AppMesh::VirtualRouter", "Properties": properties}}


def a_route(
    name: str, router: str, targets: Mapping[str, int], *, match: Mapping[str, Any] | None = None, **more: Any
) -> Resources:
    """`priority` is the route's; anything else goes into its HttpRoute."""
    spec: dict[str, Any] = {"Priority": more.pop("priority")} if "priority" in more else {}
    weighted = [{"VirtualNode": node, "Weight": weight} for node, weight in targets.items()]
    spec["HttpRoute"] = {"Match": match or {"Prefix": "/"}, "Action": {"WeightedTargets": weighted}, **more}
    properties = {"MeshName": "m", "VirtualRouterName": router, "RouteName": name, "Spec": spec}
    return {f"Route{router}{name}": {"Type": "AWS::AppMesh::Route", "Properties": properties}}


def a_service(name: str, *, node: str | None = None, port: int = 8080, mesh: str = "m", **more: Any) -> Resources:
    """
    An ECS service, its task definition and, unless `node` is "", its Envoy.

    `environment` is the application's, `app` and `envoy` add to the containers, `task` to the task definition;
    anything else to the service.
    """
    environment = [{"Name": key, "Value": value} for key, value in more.pop("environment", {}).items()]
    app = {
        "Name": "app",
        "Image": "app:1",
        "PortMappings": [{"ContainerPort": port}],
        "Environment": environment,
        "HealthCheck": {"Command": ["CMD", "true"]},
        **more.pop("app", {}),
    }
    resource = f"mesh/{mesh}/virtualNode/{node or name}"
    envoy = {
        "Name": "envoy",
        "Image": "aws-appmesh-envoy",
        "Environment": [{"Name": "APPMESH_RESOURCE_ARN", "Value": f"arn:aws:appmesh:eu-west-1:1:{resource}"}],
        **more.pop("envoy", {}),
    }
    task: dict[str, Any] = {"Family": name, "Memory": "512", "ContainerDefinitions": [app]}
    if node != "":
        task["ContainerDefinitions"] = [app, envoy]
        proxy = {"Type": "APPMESH", "ContainerName": "envoy"}
        task["ProxyConfiguration"] = {
            **proxy,
            "ProxyConfigurationProperties": [{"Name": "AppPorts", "Value": str(port)}],
        }
    task.update(more.pop("task", {}))
    service = {
        "ServiceName": name,
        "Cluster": "c",
        "TaskDefinition": {"Ref": f"Task{name}"},
        "DesiredCount": 2,
        **more,
    }
    return {
        f"Task{name}": {"Type": "AWS::ECS::TaskDefinition", "Properties": task},
        f"Service{name}": {"Type": "AWS::ECS::Service", "Properties": service},
    }


def an_edge(group: str = "web", *, kind: str = "application") -> Resources:
    """A load balancer with one listener that forwards to the target group."""
    elb = "AWS::ElasticLoadBalancingV2::"
    action = {"Type": "forward", "TargetGroupArn": {"Ref": "Targets"}}
    return {
        "Balancer": {"Type": f"{elb}LoadBalancer", "Properties": {"Name": "lb", "Type": kind}},
        "Targets": {"Type": f"{elb}TargetGroup", "Properties": {"Name": group, "Port": 8080}},
        "Listener": {
            "Type": f"{elb}Listener",
            "Properties": {"LoadBalancerArn": {"Ref": "Balancer"}, "Port": 80, "DefaultActions": [action]},
        },
    }


def behind(group: str = "Targets") -> list[dict[str, Any]]:
    """What an ECS service says that is behind the load balancer of `an_edge`."""
    return [{"TargetGroupArn": {"Ref": group}, "ContainerName": "app", "ContainerPort": 8080}]


def a_gateway(**routes: str) -> Resources:
    """The gateway `door` of mesh m, its ECS service behind the load balancer of `an_edge`, and routes by name."""
    listener = {"PortMapping": {"Port": 8080, "Protocol": "http"}}
    properties = {"MeshName": "m", "VirtualGatewayName": "door", "Spec": {"Listeners": [listener]}}
    made: Resources = {"Door": {"Type": "AWS::AppMesh::VirtualGateway", "Properties": properties}}
    for name, virtual_service in routes.items():
        target = {"VirtualService": {"VirtualServiceName": virtual_service}}
        spec = {"HttpRoute": {"Match": {"Prefix": f"/{name}"}, "Action": {"Target": target}}}
        said = {"MeshName": "m", "VirtualGatewayName": "door", "GatewayRouteName": name, "Spec": spec}
        made[f"Way{name}"] = {"Type": "AWS::AppMesh::GatewayRoute", "Properties": said}
    envoy = {
        "Name": "envoy",
        "Image": "aws-appmesh-envoy",
        "PortMappings": [{"ContainerPort": 8080}, {"ContainerPort": 9901}],
        "Environment": [{"Name": "APPMESH_RESOURCE_ARN", "Value": "mesh/m/virtualGateway/door"}],
    }
    task = {"ContainerDefinitions": [envoy]}
    attached = [{**behind()[0], "ContainerName": "envoy"}]
    return {**made, **a_service("gate", node="", task=task, LoadBalancers=attached), **an_edge()}


def two_services() -> Resources:
    """web, behind the load balancer, calls api by `api.m.local`; nothing is lost."""
    return {
        **a_mesh(),
        **a_node("web", backends=["api.m.local"]),
        **a_node("api"),
        **a_name("api.m.local", node="api"),
        **an_edge(),
        **a_service("web", LoadBalancers=behind()),
        **a_service("api"),
    }


def text_of(resources: Resources, path: str = "t.json", **sections: Any) -> SourceText:
    return SourceText(path, json.dumps({"Resources": resources, **sections}))


def found(*resources: Resources, parameters: Mapping[str, str] | None = None, **sections: Any) -> Found:
    merged: Resources = {key: value for each in resources for key, value in each.items()}
    return read_sources([text_of(merged, **sections)], parameters or {})


def drawn(*resources: Resources, options: DrawOptions | None = None) -> MigrationPlan:
    return draw(found(*resources), options or DrawOptions(), NOON)


def ids(plan: MigrationPlan) -> list[str]:
    """Every gap as `ID resource`, sorted."""
    return sorted(f"{gap.id} {gap.resource}" for gap in plan.gaps)
