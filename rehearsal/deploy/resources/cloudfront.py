"""
CloudFront: distributions.

CloudFormation gives lists where the API wants their number beside them; the API's model says where. A custom origin
needs both of its ports in the API and neither in CloudFormation, whose documented defaults are filled in.

Source: CloudFormation template reference, AWS::CloudFront::Distribution CustomOriginConfig.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.model import ListShape, Shape, StructureShape

from rehearsal.deploy.making import Made, Maker, New

_COUNTED = {"Quantity", "Items"}
_ORIGIN_PORTS = {"HTTPPort": 80, "HTTPSPort": 443}


def distribution(new: New) -> Made:
    """Make a distribution."""
    client = new.client("cloudfront")
    model = client.meta.service_model.operation_model("CreateDistribution").input_shape
    given = _with_ports(_of_the_methods(new.need("DistributionConfig")))
    config = _with_quantities(given, model.members["DistributionConfig"])
    tags = new.tags()
    new.nothing_left()
    wanted = new.shaped(
        "cloudfront",
        "create_distribution",
        "DistributionConfig",
        {"CallerReference": new.made_up(longest=128), "Comment": "", **config},
    )
    made = client.create_distribution(DistributionConfig=wanted)["Distribution"]
    if tags:
        items = [{"Key": key, "Value": value} for key, value in tags.items()]
        client.tag_resource(Resource=made["ARN"], Tags={"Items": items})
    return Made(made["Id"], {"Id": made["Id"], "DomainName": made["DomainName"]})


def _of_the_methods(config: Mapping[str, Any]) -> dict[str, Any]:
    """Put CachedMethods where the API has it: inside AllowedMethods."""
    answer = dict(config)
    default = dict(answer.get("DefaultCacheBehavior", {}))
    if "AllowedMethods" in default:
        methods = default["AllowedMethods"]
        cached = default.pop("CachedMethods", ["GET", "HEAD"])
        default["AllowedMethods"] = {
            "Quantity": len(methods),
            "Items": methods,
            "CachedMethods": {"Quantity": len(cached), "Items": cached},
        }
        answer["DefaultCacheBehavior"] = default
    return answer


def _with_ports(config: Mapping[str, Any]) -> dict[str, Any]:
    """Give every custom origin the ports that it does not name."""
    if not isinstance(config.get("Origins"), list):
        return dict(config)
    return {**config, "Origins": [_dialled(origin) for origin in config["Origins"]]}


def _dialled(origin: Any) -> Any:
    if not isinstance(origin, Mapping) or not isinstance(origin.get("CustomOriginConfig"), Mapping):
        return origin
    return {**origin, "CustomOriginConfig": {**_ORIGIN_PORTS, **origin["CustomOriginConfig"]}}


def _with_quantities(value: Any, shape: Shape) -> Any:
    """Return a value with every list that the API wants counted as it wants it."""
    if isinstance(value, list) and isinstance(shape, StructureShape) and shape.members.keys() >= _COUNTED:
        items = shape.members["Items"]
        assert isinstance(items, ListShape)
        return {"Quantity": len(value), "Items": [_with_quantities(each, items.member) for each in value]}
    if isinstance(value, Mapping) and isinstance(shape, StructureShape):
        members = {name.lower(): member for name, member in shape.members.items()}  # OriginSSLProtocols, and the like
        return {
            name: _with_quantities(each, members[name.lower()]) if name.lower() in members else each
            for name, each in value.items()
        }
    return value


MAKERS: Mapping[str, Maker] = {"AWS::CloudFront::Distribution": distribution}
