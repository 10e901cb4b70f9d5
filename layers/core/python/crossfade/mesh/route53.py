"""What Route 53 answers: hosted zones, and the records of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def read_records(client: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every hosted zone, and its records that stand for another name (aliases and CNAMEs), with the zone's id."""
    for page in client.get_paginator("list_hosted_zones").paginate():
        yield {"HostedZones": page["HostedZones"]}
        for zone in page["HostedZones"]:
            for found in client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone["Id"]):
                kept = [
                    {**each, "HostedZoneId": zone["Id"]}
                    for each in found["ResourceRecordSets"]
                    if "AliasTarget" in each or each["Type"] == "CNAME"
                ]
                yield {"ResourceRecordSets": kept}
