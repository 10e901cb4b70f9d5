"""What an owner's code must say of an edge so that applying it changes nothing: exact values, by kind. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from crossfade.journal.edges import CloudFrontEdge, ResolvedEdge, Route53Edge
from crossfade.shift.share import ALL, NONE, Share


def must_say(edge: ResolvedEdge, held: Share) -> str:
    """Return the values, a line each, for green's share as it holds now."""
    return "\n".join(_lines(edge, held))


def _lines(edge: ResolvedEdge, held: Share) -> Iterator[str]:
    green = round(held.bp / 100)
    if isinstance(edge, Route53Edge):
        for record in edge.rules:
            found = record.found.get("Weight")
            total = 100 if found in (None, 0) else int(found)
            target = record.green.get("AliasTarget", {}).get("DNSName") or record.green.get("ResourceRecords")
            weight = round(total * held.fraction)
            yield f"record {record.name} {record.type} {record.blue_identifier!r}: weight {total - weight}"
            if held != NONE:
                identifier = record.green.get("SetIdentifier")
                yield f"record {record.name} {record.type} {identifier!r}: weight {weight}, target {target}"
    elif isinstance(edge, CloudFrontEdge):
        for distribution in edge.rules:
            if held == ALL:
                yield f"distribution {distribution.id}, origin {edge.origin_id!r}: domain {edge.green_domain}"
            else:
                policy = f"its continuous deployment policy {edge.policy_id}, which sends {held} to staging"
                yield f"distribution {distribution.id}: as it is, with {policy}"
    else:
        for rule in edge.rules:
            yield f"{rule.arn}: {edge.blue_arn} with weight {100 - green}, {edge.green_arn} with weight {green}"
