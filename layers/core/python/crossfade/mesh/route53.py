"""What Route 53 answers: the records of every hosted zone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def read_records(client: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the records of every hosted zone that stand for another name: aliases and CNAMEs."""
    for page in client.get_paginator("list_hosted_zones").paginate():
        for zone in page["HostedZones"]:
            for found in client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone["Id"]):
                kept = [
                    each for each in found["ResourceRecordSets"] if "AliasTarget" in each or each["Type"] == "CNAME"
                ]
                yield {"ResourceRecordSets": kept}
