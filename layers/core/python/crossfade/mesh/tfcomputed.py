"""
Attributes that no file says because AWS or Terraform fills them in, as far as files know them.

A table; ARNs made of it are unique among the sources, so that references to a resource find it. Pure.

Source: Terraform AWS provider, "Attribute Reference" of each resource.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_ELB: Final = "arn:${AWS.Partition}:elasticloadbalancing:${AWS.Region}:${AWS.AccountId}"
_MESH: Final = "arn:${AWS.Partition}:appmesh:${AWS.Region}:${AWS.AccountId}:mesh"
_ECS: Final = "arn:${AWS.Partition}:ecs:${AWS.Region}:${AWS.AccountId}"
_MAP: Final = "arn:${AWS.Partition}:servicediscovery:${AWS.Region}:${AWS.AccountId}"
ARNS: Final[Mapping[str, str]] = {
    "aws_appmesh_mesh": _MESH + "/{name}",
    "aws_appmesh_virtual_node": _MESH + "/{mesh_name}/virtualNode/{name}",
    "aws_appmesh_virtual_router": _MESH + "/{mesh_name}/virtualRouter/{name}",
    "aws_appmesh_virtual_service": _MESH + "/{mesh_name}/virtualService/{name}",
    "aws_appmesh_virtual_gateway": _MESH + "/{mesh_name}/virtualGateway/{name}",
    "aws_ecs_cluster": _ECS + ":cluster/{name}",
    "aws_ecs_service": _ECS + ":service/{name}",
    "aws_ecs_task_definition": _ECS + ":task-definition/{family}:1",
    "aws_lb": _ELB + ":loadbalancer/{lb_kind}/{name}/{mark}",
    "aws_alb": _ELB + ":loadbalancer/{lb_kind}/{name}/{mark}",
    "aws_lb_target_group": _ELB + ":targetgroup/{name}/{mark}",
    "aws_alb_target_group": _ELB + ":targetgroup/{name}/{mark}",
    "aws_lb_listener": _ELB + ":listener/{mark}",
    "aws_alb_listener": _ELB + ":listener/{mark}",
    "aws_service_discovery_service": _MAP + ":service/srv-{mark}",
    "aws_service_discovery_private_dns_namespace": _MAP + ":namespace/ns-{mark}",
    "aws_service_discovery_public_dns_namespace": _MAP + ":namespace/ns-{mark}",
    "aws_service_discovery_http_namespace": _MAP + ":namespace/ns-{mark}",
}
"""What files know of the ARNs that AWS makes; unique among the sources."""

INSTEAD: Final = "give what `terraform show -json` prints in its place"
"""The way out where files do not say enough."""

ID_IS_ARN: Final = ("aws_ecs_cluster", "aws_ecs_service", "aws_lb", "aws_alb")
ID_IS_NAME: Final = ("aws_appmesh_mesh",)
LB_KINDS: Final = {"application": "app", "network": "net", "gateway": "gwy"}
PSEUDO: Final = {"AWS.Partition": "AWS::Partition", "AWS.Region": "AWS::Region", "AWS.AccountId": "AWS::AccountId"}

COMPUTED: Final[Mapping[str, tuple[str, ...]]] = {
    "aws_appmesh_mesh": (),
    "aws_ecs_service": ("name",),
    "aws_ecs_task_definition": ("family", "arn"),
    "aws_lb": ("name", "arn", "dns_name"),
    "aws_alb": ("name", "arn", "dns_name"),
    "aws_lb_target_group": ("name", "arn"),
    "aws_alb_target_group": ("name", "arn"),
    "aws_lb_listener": ("arn",),
    "aws_alb_listener": ("arn",),
    "aws_route53_zone": ("zone_id",),
    "aws_cloudfront_distribution": ("id", "domain_name"),
    "aws_service_discovery_service": ("id", "arn"),
    "aws_service_discovery_private_dns_namespace": ("id",),
    "aws_service_discovery_public_dns_namespace": ("id",),
    "aws_service_discovery_http_namespace": ("id",),
}
"""Attributes that AWS or Terraform fill in where nothing is written."""
