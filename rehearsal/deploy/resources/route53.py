"""Route 53: hosted zones and record sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearsal.deploy.errors import PropertyRefused
from rehearsal.deploy.making import Made, Maker, New, key_values, pairs


def hosted_zone(new: New) -> Made:
    """Make a hosted zone, private when it names VPCs."""
    vpcs = new.take("VPCs")
    tags = {**new.place.tags, **pairs(new.take("HostedZoneTags", {}), "HostedZoneTags")}
    fixed: dict[str, Any] = {"CallerReference": new.made_up(longest=128)}
    if vpcs:
        fixed["VPC"] = new.shaped("route53", "create_hosted_zone", "VPC", vpcs[0])
        if len(vpcs) > 1:
            raise PropertyRefused("VPCs: more than one is not supported")
    made = new.call("route53", "create_hosted_zone", **fixed)
    zone = made["HostedZone"]["Id"].rpartition("/")[2]
    if tags:
        new.client("route53").change_tags_for_resource(
            ResourceType="hostedzone", ResourceId=zone, AddTags=key_values(tags)
        )
    return Made(zone, {"Id": zone, "NameServers": made.get("DelegationSet", {}).get("NameServers", [])})


def record_set(new: New) -> Made:
    """Make one record set."""
    zone, comment = _zone(new), new.take("Comment")
    record = {name: new.take(name) for name in _RECORD if new.look(name) is not None}
    new.nothing_left()
    _change(new, zone, [record], comment)
    return Made(str(record["Name"]))


def record_set_group(new: New) -> Made:
    """Make several record sets in one change."""
    zone, comment = _zone(new), new.take("Comment")
    records = new.need("RecordSets")
    new.nothing_left()
    _change(new, zone, records, comment)
    return Made(new.made_up(longest=128))


_RECORD = (
    "AliasTarget",
    "Failover",
    "GeoLocation",
    "HealthCheckId",
    "MultiValueAnswer",
    "Name",
    "Region",
    "ResourceRecords",
    "SetIdentifier",
    "TTL",
    "Type",
    "Weight",
)


def _zone(new: New) -> str:
    zone, name = new.take("HostedZoneId"), new.take("HostedZoneName")
    if zone is not None:
        return str(zone)
    if name is None:
        raise PropertyRefused("property HostedZoneId or HostedZoneName is missing")
    found = new.client("route53").list_hosted_zones_by_name(DNSName=name)["HostedZones"]
    ids = [each["Id"].rpartition("/")[2] for each in found if each["Name"].rstrip(".") == str(name).rstrip(".")]
    if len(ids) != 1:
        raise PropertyRefused(f"HostedZoneName: {len(ids)} zones are named {name}")
    return str(ids[0])


def _change(new: New, zone: str, records: list[dict[str, Any]], comment: str | None) -> None:
    changes = [{"Action": "CREATE", "ResourceRecordSet": _record(record)} for record in records]
    batch = {"Changes": changes, **({"Comment": comment} if comment else {})}
    wanted = new.shaped("route53", "change_resource_record_sets", "ChangeBatch", batch)
    new.client("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch=wanted)


def _record(record: Mapping[str, Any]) -> dict[str, Any]:
    api = dict(record)
    if "ResourceRecords" in api:
        api["ResourceRecords"] = [{"Value": value} for value in api["ResourceRecords"]]
    if "AliasTarget" in api:
        api["AliasTarget"] = {"EvaluateTargetHealth": False, **api["AliasTarget"]}
    return api


MAKERS: Mapping[str, Maker] = {
    "AWS::Route53::HostedZone": hosted_zone,
    "AWS::Route53::RecordSet": record_set,
    "AWS::Route53::RecordSetGroup": record_set_group,
}
