"""S3 buckets and their policies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rehearsal.deploy.errors import PropertyRefused
from rehearsal.deploy.making import Made, Maker, New, key_values, only

# property → operation that sets it, its argument, and the names that differ by more than case
_SETTINGS: Mapping[str, tuple[str, str, Mapping[str, str]]] = {
    "VersioningConfiguration": ("put_bucket_versioning", "VersioningConfiguration", {}),
    "BucketEncryption": (
        "put_bucket_encryption",
        "ServerSideEncryptionConfiguration",
        {
            "ServerSideEncryptionConfiguration": "Rules",
            "ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault",
        },
    ),
    "PublicAccessBlockConfiguration": ("put_public_access_block", "PublicAccessBlockConfiguration", {}),
    "OwnershipControls": ("put_bucket_ownership_controls", "OwnershipControls", {}),
}


def bucket(new: New) -> Made:
    """Make a bucket, then set what CreateBucket does not take."""
    name = new.name("BucketName", longest=63, lower=True)
    settings = {prop: new.take(prop) for prop in _SETTINGS if new.look(prop) is not None}
    lifecycle = only(new.take("LifecycleConfiguration", {"Rules": []}), "LifecycleConfiguration", "Rules")
    tags = new.tags()
    fixed: dict[str, Any] = {}
    if new.place.region != "us-east-1":
        fixed["CreateBucketConfiguration"] = {"LocationConstraint": new.place.region}
    wanted = {prop: _setting(new, prop, value) for prop, value in settings.items()}
    rules = [_rule(new, rule) for rule in lifecycle["Rules"]]
    new.nothing_left()
    client = new.client("s3")
    client.create_bucket(Bucket=name, **fixed)
    for operation, arguments in wanted.values():
        getattr(client, operation)(Bucket=name, **arguments)
    if rules:
        client.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
    if tags:
        client.put_bucket_tagging(Bucket=name, Tagging={"TagSet": key_values(tags)})
    domain, region = new.place.url_suffix, new.place.region
    return Made(
        name,
        {
            "Arn": f"arn:{new.place.partition}:s3:::{name}",
            "DomainName": f"{name}.s3.{domain}",
            "RegionalDomainName": f"{name}.s3.{region}.{domain}",
        },
    )


def _setting(new: New, prop: str, value: Any) -> tuple[str, dict[str, Any]]:
    operation, argument, renames = _SETTINGS[prop]
    return operation, {argument: new.shaped("s3", operation, argument, value, **renames)}


def _rule(new: New, rule: Mapping[str, Any]) -> Any:
    """Return a lifecycle rule as the API has it; a property the API lacks is refused there."""
    api: dict[str, Any] = {"Filter": {"Prefix": rule.get("Prefix", "")}}
    for name, value in rule.items():
        match name:
            case "Prefix":
                pass
            case "Id":
                api["ID"] = value
            case "ExpirationInDays":
                api["Expiration"] = {"Days": value}
            case "NoncurrentVersionExpirationInDays":
                api["NoncurrentVersionExpiration"] = {"NoncurrentDays": value}
            case _:
                api[name] = value
    shaped = new.shaped("s3", "put_bucket_lifecycle_configuration", "LifecycleConfiguration", {"Rules": [api]})
    return shaped["Rules"][0]


def bucket_policy(new: New) -> Made:
    """Set a bucket's policy."""
    name = new.need("Bucket")
    document = new.need("PolicyDocument")
    new.nothing_left()
    if not isinstance(document, Mapping):
        raise PropertyRefused("PolicyDocument must be a mapping")
    new.client("s3").put_bucket_policy(Bucket=name, Policy=json.dumps(document))
    return Made(name)


MAKERS: Mapping[str, Maker] = {
    "AWS::S3::Bucket": bucket,
    "AWS::S3::BucketPolicy": bucket_policy,
}
