"""
CloudFront: distributions.

CloudFormation gives lists where the API wants their number beside them; the API's model says where.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.model import ListShape, Shape, StructureShape

from rehearsal.deploy.making import Made, Maker, New

_COUNTED = {"Quantity", "Items"}


def distribution(new: New) -> Made:
    """Make a distribution."""
    client = new.client("cloudfront")
    model = client.meta.service_model.operation_model("CreateDistribution").input_shape
    config = _with_quantities(_of_the_methods(new.need("DistributionConfig")), model.members["DistributionConfig"])
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
