"""The few answers of AWS that the data plane reads, and a memory of what it writes."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rehearsal.aws.runtime import NamespaceEndpoint, TaskPlacement, TaskSpec

REGION = "arn:aws:elasticloadbalancing:eu-west-1:123456789012"
BALANCER = f"{REGION}:loadbalancer/app/shop/0123456789abcdef"
LISTENER = f"{REGION}:listener/app/shop/0123456789abcdef/1111111111111111"
RULE = f"{REGION}:listener-rule/app/shop/0123456789abcdef/1111111111111111/2222222222222222"
BLUE = f"{REGION}:targetgroup/web-blue/aaaaaaaaaaaaaaaa"
GREEN = f"{REGION}:targetgroup/web-green/bbbbbbbbbbbbbbbb"
LOAD_BALANCER = "app/shop/0123456789abcdef"
GROUP = "/crossfade/proxies"


class Pages:
    def __init__(self, page: Mapping[str, Any]) -> None:
        self.page = page

    def paginate(self, **_: Any) -> Iterator[Mapping[str, Any]]:
        yield self.page


@dataclass
class StandInAws:
    """One load balancer with one listener; weights, targets and their states are set by the test."""

    weights: dict[str, int] = field(default_factory=lambda: {BLUE: 100, GREEN: 0})
    targets: dict[str, dict[int, str]] = field(default_factory=lambda: {BLUE: {}, GREEN: {}})
    mesh: dict[str, dict[str, Any]] = field(default_factory=dict)
    data: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    lines: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def client(self, _service_name: str, _region: str | None = None) -> Any:
        return self

    # -- names: nobody is registered anywhere --------------------------------------------

    def describe_services(self, **_: Any) -> dict[str, Any]:
        return {"services": []}

    def describe_load_balancers(self, **_: Any) -> dict[str, Any]:
        return {"LoadBalancers": []}

    def list_hosted_zones(self, **_: Any) -> dict[str, Any]:
        return {"HostedZones": []}

    # -- elbv2 ---------------------------------------------------------------------------

    def get_paginator(self, operation: str) -> Pages:
        listeners = [{"ListenerArn": LISTENER, "Port": 80, "Protocol": "HTTP"}]
        pages: dict[str, dict[str, Any]] = {
            "describe_load_balancers": {"LoadBalancers": [{"LoadBalancerArn": BALANCER, "Type": "application"}]},
            "describe_listeners": {"Listeners": listeners},
            "list_routes": {"routes": [{"routeName": name} for name in self.mesh.get("routes", {})]},
        }
        return Pages(pages[operation])

    def describe_rules(self, **_: str) -> dict[str, Any]:
        groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in self.weights.items()]
        action = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
        default = {"RuleArn": RULE, "IsDefault": True, "Priority": "default", "Conditions": [], "Actions": [action]}
        return {"Rules": [default]}

    def describe_target_health(self, *, TargetGroupArn: str) -> dict[str, Any]:  # noqa: N803
        targets = dict(self.targets[TargetGroupArn])
        described = [
            {"Target": {"Id": "127.0.0.1", "Port": port}, "TargetHealth": {"State": state}}
            for port, state in targets.items()
        ]
        return {"TargetHealthDescriptions": described}

    # -- appmesh -------------------------------------------------------------------------

    def describe_virtual_node(self, *, meshName: str, virtualNodeName: str) -> dict[str, Any]:  # noqa: N803
        return {"virtualNode": {"meshName": meshName, "spec": self.mesh["nodes"][virtualNodeName]}}

    def describe_virtual_service(self, *, meshName: str, virtualServiceName: str) -> dict[str, Any]:  # noqa: N803
        provider = self.mesh["services"][virtualServiceName]
        return {"virtualService": {"meshName": meshName, "spec": {"provider": provider}}}

    def describe_virtual_router(self, *, meshName: str, virtualRouterName: str) -> dict[str, Any]:  # noqa: N803
        spec = {"listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}]}
        return {"virtualRouter": {"meshName": meshName, "virtualRouterName": virtualRouterName, "spec": spec}}

    def describe_route(self, *, meshName: str, virtualRouterName: str, routeName: str) -> dict[str, Any]:  # noqa: N803
        spec = self.mesh["routes"][routeName]
        return {"route": {"meshName": meshName, "virtualRouterName": virtualRouterName, "spec": spec}}

    # -- what the data plane writes ------------------------------------------------------

    def put_metric_data(self, *, Namespace: str, MetricData: Sequence[dict[str, Any]]) -> None:  # noqa: N803
        with self.changed:
            self.data += [(Namespace, datum) for datum in MetricData]
            self.changed.notify_all()

    def create_log_stream(self, *, logGroupName: str, logStreamName: str) -> None:  # noqa: N803
        self.lines[logGroupName, logStreamName] = []

    def put_log_events(self, *, logGroupName: str, logStreamName: str, logEvents: Sequence[dict[str, Any]]) -> None:  # noqa: N803
        with self.changed:
            self.lines[logGroupName, logStreamName] += [event["message"] for event in logEvents]
            self.changed.notify_all()

    # -- what a test asks ----------------------------------------------------------------

    def total(self, name: str, **dimensions: str) -> float:
        """The sum of a metric's data over exactly these dimensions."""
        wanted = set(dimensions.items())
        return sum(
            float(datum["Value"])
            for _, datum in list(self.data)
            if datum["MetricName"] == name and {(d["Name"], d["Value"]) for d in datum["Dimensions"]} == wanted
        )

    def has(self, name: str) -> bool:
        """Whether any datum of a metric was published."""
        return any(datum["MetricName"] == name for _, datum in list(self.data))

    def wait_for(self, promise: Any, seconds: float = 120) -> bool:
        """Wait until something that was written fulfils a promise."""
        with self.changed:
            return bool(self.changed.wait_for(promise, seconds))

    def register(self, target_group: str, placement: TaskPlacement, port: int = 8080) -> None:
        """Register a started task as a healthy target."""
        self.targets[target_group][placement.ports[port]] = "healthy"


ORDERS = NamespaceEndpoint(
    discovery_name="orders-green",
    dns_name="orders.shop.local",
    port=8080,
    app_protocol="http",
    timeout={},
    service="orders-green",
    port_name="http",
    container_port=8080,
)


def green_task(
    service: str, number: int, *, endpoints: tuple[NamespaceEndpoint, ...] = (), serves: str | None = None
) -> TaskSpec:
    """A task with Service Connect, serving a discovery name or none."""
    services = [{"portName": "http", "discoveryName": serves}] if serves else []
    return TaskSpec(
        task_arn=f"arn:aws:ecs:eu-west-1:123456789012:task/shop/{service}-{number}",
        task_id=f"{service}-{number}",
        cluster="shop",
        service=service,
        task_definition={
            "containerDefinitions": [
                {"name": "app", "portMappings": [{"name": "http", "containerPort": 8080, "appProtocol": "http"}]}
            ]
        },
        service_connect={
            "enabled": True,
            "namespace": "shop-green",
            "services": services,
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {"awslogs-group": GROUP, "awslogs-stream-prefix": "shop"},
            },
            "accessLogConfiguration": {"format": "JSON"},
        },
        endpoints=endpoints,
        namespace="shop-green",
    )


def plain_task(service: str, number: int) -> TaskSpec:
    """A task without any proxy."""
    return TaskSpec(
        task_arn=f"arn:aws:ecs:eu-west-1:123456789012:task/shop/{service}-{number}",
        task_id=f"{service}-{number}",
        cluster="shop",
        service=service,
        task_definition={"containerDefinitions": [{"name": "app", "portMappings": [{"containerPort": 8080}]}]},
    )


def mesh_task(service: str, number: int, node: str) -> TaskSpec:
    """A task of App Mesh, with its Envoy container."""
    return TaskSpec(
        task_arn=f"arn:aws:ecs:eu-west-1:123456789012:task/shop/{service}-{number}",
        task_id=f"{service}-{number}",
        cluster="shop",
        service=service,
        task_definition={
            "proxyConfiguration": {"type": "APPMESH", "containerName": "envoy"},
            "containerDefinitions": [
                {"name": "app", "portMappings": [{"containerPort": 8080}]},
                {
                    "name": "envoy",
                    "portMappings": [{"containerPort": 9901}],
                    "environment": [
                        {
                            "name": "APPMESH_RESOURCE_ARN",
                            "value": f"arn:aws:appmesh:eu-west-1:123456789012:mesh/shop/virtualNode/{node}",
                        }
                    ],
                    "logConfiguration": {
                        "logDriver": "awslogs",
                        "options": {"awslogs-group": "/shop/envoy", "awslogs-stream-prefix": "blue"},
                    },
                },
            ],
        },
    )
