"""
What an operator of a real mesh knows beyond its files, and would give with `--param`.

A walkthrough's inputs of the CLI come in steps, of which the last stands, and leave out the names that were arguments
of the command. All of it is told by the walkthroughs' own answers of `describe-*`, which lie beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_DOMAIN: Final = "default.svc.cluster.local"
_ACCOUNT: Final = "us-west-2:111122223333"
_NUMBER: Final = "12345678-1234-1234-1234-123456789012"


@dataclass(frozen=True, slots=True)
class Known:
    """Files that a later step replaces, by the end of their path, and parameters."""

    superseded: tuple[str, ...] = ()
    given: Mapping[str, str] = field(default_factory=dict)


def _walkthrough(mesh: str, nodes: Mapping[str, str], *, routes: Mapping[str, str], gateway: str) -> dict[str, str]:
    """
    Return the names of a walkthrough with a gateway and two tellers behind routers.

    Args:
        mesh: The mesh's name.
        nodes: The file of each virtual node, and the node's name without `-vn`.
        routes: The names of gateway routes and routes, and their files, where one of another name holds the last step.
        gateway: The file of the gateway.
    """
    given = {"meshName": mesh, "AppMeshMeshName": mesh, "ECSServicesDomain": _DOMAIN}
    given[f"{gateway}:virtualGatewayName"] = "colorgateway-vg"
    for file, node in nodes.items():
        given[f"{file}:virtualNodeName"] = f"{node}-vn"
        given[f"{file}:DNS_HOSTNAME"] = f"{node}.{_DOMAIN}"
    for number in ("1", "2"):
        service = f"colorteller-{number}.{_DOMAIN}"
        way = f"colorgateway-route-{number}"
        file = routes.get(way, f"{way}.json")
        given[f"{file}:VIRTUALSERVICE_NAME"] = service
        given[f"{file}:virtualGatewayName"] = "colorgateway-vg"
        given[f"{file}:gatewayRouteName"] = way
        given[f"colorteller-vs-{number}.json:virtualServiceName"] = service
        route = f"colorteller-route-{number}"
        file = routes.get(route, f"{route}.json")
        given[f"{file}:virtualRouterName"] = f"colorteller-vr-{number}"
        given[f"{file}:routeName"] = route
    return given


_CREDENTIALS: Final = '{ grafana_userid = "", grafana_apikey = "", grafana_tempo_apikey = "" }'
_CONTAINERS: Final = """[
  { name = "app", image = "app:1", essential = true, portMappings = [{ containerPort = 443 }] },
  {
    name = "envoy", image = "aws-appmesh-envoy", essential = true,
    environment = [{ name = "APPMESH_VIRTUAL_NODE_NAME", value = "mesh/zoll-wcd-web-external/virtualNode/orders" }]
  }
]"""

_ENVOY: Final = """{
  "name": "envoy", "image": "aws-appmesh-envoy", "essential": true,
  "environment": [
    {"name": "APPMESH_RESOURCE_ARN", "value": "mesh/mesh/virtualNode/colorteller-green-vn"},
    {"name": "ENABLE_ENVOY_XRAY_TRACING", "value": "1"}, {"name": "ENABLE_ENVOY_STATS_TAGS", "value": "1"}
  ]
}"""
_XRAY: Final = """{
  "name": "xray-daemon", "image": "public.ecr.aws/xray/aws-xray-daemon", "essential": true,
  "portMappings": [{"containerPort": 2000, "protocol": "udp"}]
}"""
_FARGATE: Final = Known(
    given={
        "NAME": "colorteller-green",
        "ENVOY_CONTAINER_JSON": _ENVOY,
        "XRAY_CONTAINER_JSON": _XRAY,
        "fargate-colorteller.yaml:ColorTellerGreenTaskDefinition": "colorteller-green",
    }
)
"""What the walkthrough's script fills into its task definition, from the files beside it."""

KNOWN: Final[Mapping[str, Known]] = {
    "aws-fargate-colorteller": _FARGATE,
    "subfuzion-blog-fargate": _FARGATE,
    "alhardy-module": Known(
        given={
            "service_name": "orders",
            "service_discovery_namespace_name": "demo.local",
            "container_definition": '{ name = "app", port = 80, host_port = 80, environment = [] }',
            "task_definition": '{ family = "orders", cpu = 256, memory = 512, desired_count = 2 }',
            "data.aws_secretsmanager_secret_version.platform.secret_string": _CREDENTIALS,
            "data.aws_ecs_task_definition.existing.revision": "1",
        }
    ),
    "aoggz-module": Known(
        given={
            "resource_prefix": "orders",
            "terraform.workspace": "prod",
            "module.merged.container_definitions": _CONTAINERS,
        }
    ),
    "aws-howto-cross-account": Known(
        (
            "/updated-route.json",
            "/secondary-account/app.yaml",
            "/secondary-account/infra.yaml",
        ),  # one account at a time
        {"secondary-account/mesh.yaml:MeshName": "projectname-mesh"},
    ),
    "aws-howto-servicediscovery-cloudmap": Known(
        given={"mesh.yaml:AWS::StackName": "demo-mesh", "app.yaml:AWS::StackName": "demo"}
    ),
    "aws-howto-circuit-breakers": Known(
        ("/colorgateway-vg.json", "/colorteller-black-vn.json", "/colorteller-white-vn.json"),
        _walkthrough(
            "circuit-breaker-mesh",
            {f"colorteller-{colour}-vn-update.json": f"colorteller-{colour}" for colour in ("black", "white")},
            routes={},
            gateway="colorgateway-vg-update.json",
        ),
    ),
    "aws-howto-ingress-gateway": Known(
        (
            "/colorgateway-vg.json",
            *(f"/colorteller-{colour}-vn.json" for colour in ("black", "blue", "red", "white")),
        ),
        {
            **_walkthrough(
                "ColorApp-Ingress",
                {
                    f"colorteller-{colour}-vn-tls.json": f"colorteller-{colour}"
                    for colour in ("black", "blue", "red", "white")
                },
                routes={},
                gateway="colorgateway-vg-backendDefaults.json",
            ),
            "CERTIFICATE_ARN": f"arn:aws:acm:{_ACCOUNT}:certificate/{_NUMBER}",
            "ROOT_CA_ARN": f"arn:aws:acm-pca:{_ACCOUNT}:certificate-authority/{_NUMBER}",
        },
    ),
    "aws-howto-match-and-rewrite": Known(
        (
            "/colorgateway-route-1.json",
            "/colorgateway-route-updated-disabled_rewrite.json",
            "/colorgateway-route-updated-hostname-match.json",
            "/colorteller-route-1.json",
        ),
        _walkthrough(
            "ColorApp-Ingress",
            {f"colorteller-{colour}-vn.json": f"colorteller-{colour}" for colour in ("red", "yellow")},
            routes={
                "colorgateway-route-1": "colorgateway-route-updated-rewrite.json",
                "colorteller-route-1": "colorteller-route-updated-rewrite.json",
            },
            gateway="colorgateway-vg.json",
        ),
    ),
    "aws-howto-mtls-file": Known(
        (
            "/colorteller-vn.json",
            "/gateway-vgw.json",
            "/colorteller-vn-strict-tls.json",
            "/gateway-vgw-client-policy.json",
        ),
        {
            "meshName": "ColorApp-MutualTLS",
            "AppMeshMeshName": "ColorApp-MutualTLS",
            "SERVICES_DOMAIN": "appmesh-mtls.local",
            "VIRTUAL_SERVICE": "colorteller.appmesh-mtls.local",
            "colorteller-vn-strict-validation.json:virtualNodeName": "colorteller-vn",
            "colorteller-vs.json:virtualServiceName": "colorteller.appmesh-mtls.local",
            "colorteller-gwroute.json:virtualGatewayName": "gateway-vgw",
            "colorteller-gwroute.json:gatewayRouteName": "colorteller-route",
            "gateway-vgw-client-cert.json:virtualGatewayName": "gateway-vgw",
        },
    ),
}
"""By unit. Without a word here, what a refusal asks for is given as it comes."""
