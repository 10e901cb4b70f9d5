"""What CloudFront answers: distributions, the names users dial and the origins they lead to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def read_distributions(client: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the names of every distribution and of its origins."""
    for page in client.get_paginator("list_distributions").paginate():
        kept = []
        for each in page["DistributionList"].get("Items", ()):
            origins = [{"Id": origin["Id"], "DomainName": origin["DomainName"]} for origin in each["Origins"]["Items"]]
            names = list(each.get("Aliases", {}).get("Items", ()))
            kept.append({"Id": each["Id"], "DomainName": each["DomainName"], "Aliases": names, "Origins": origins})
        yield {"DistributionSummaries": kept}
