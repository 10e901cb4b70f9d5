"""
How the records of one name and type divide answers between blue and green, and how they shall: pure.

Records come and go as Route 53 lists them. Only blue's and green's are touched: siblings
keep their weights to the letter, so with siblings the two ends divide what blue had.

Source: ResourceRecordSet in the Amazon Route 53 API, version 2013-04-01: weights are whole
numbers from 0 to 255; records of one name and type are all weighted or none is; a DELETE
must repeat the record exactly, and a batch is applied as a whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crossfade.errors import EdgeChanged
from crossfade.journal.edges import Route53Record, StoredRequest
from crossfade.shift.limits import MOST_IDENTIFIER, MOST_RECORD_WEIGHT, MOST_VALUES_OF_RECORD
from crossfade.shift.rule import Split, apportion
from crossfade.shift.share import NONE, Share

PAIR = 250
"""Units that blue and green divide where they are alone: a share held lies within 20 basis points."""

MOST_TTL_SECONDS = 60
ALIAS_TTL_SECONDS = 60
"""That of a load balancer's own addresses, which is an alias's to it; a record set of an alias has none."""

MOST_IN_GROUP = 100
"""Weighted records of one name and type."""

Record = dict[str, Any]
Change = dict[str, Any]

_NOT_CONTENT = frozenset({"SetIdentifier", "Weight"})
_OTHER_POLICIES = (
    "CidrRoutingConfig",
    "Failover",
    "GeoLocation",
    "GeoProximityLocation",
    "MultiValueAnswer",
    "Region",
    "TrafficPolicyInstanceId",
)
_SPELLED = {"TTL": "Ttl", "DNSName": "DnsName"}  # as Step Functions writes what the API abbreviates


@dataclass(frozen=True, slots=True)
class Group:
    """The records of one name and type as they are now, told apart by whose they are."""

    blue: Record | None
    green: Record | None
    others: tuple[Record, ...]

    @classmethod
    def of(cls, records: Iterable[Record], kept: Route53Record) -> Group:
        """Return the records of this name and type, blue's by its identifier or by being the only, simple one."""
        same = [record for record in records if is_named(record, kept.name, kept.type)]
        blue = [record for record in same if record.get("SetIdentifier") in {None, kept.blue_identifier}]
        green = [record for record in same if record.get("SetIdentifier") == kept.green["SetIdentifier"]]
        others = [record for record in same if record not in blue and record not in green]
        return cls(blue[0] if blue else None, green[0] if green else None, tuple(others))

    @property
    def split(self) -> Split:
        """Return who has how much; a simple record has all there is."""
        return Split(
            None if self.blue is None else weight_of(self.blue),
            None if self.green is None else weight_of(self.green),
            {record["SetIdentifier"]: weight_of(record) for record in self.others},
        )

    @property
    def is_there(self) -> bool:
        """Return whether blue or green has a record here at all."""
        return self.blue is not None or self.green is not None


def weight_of(record: Mapping[str, Any]) -> int:
    """Return a record's weight; a simple one stands for all the units."""
    return int(record.get("Weight", PAIR))


def canonical(name: str) -> str:
    """Return a DNS name as Route 53 lists it: lower case, a dot at its end, a wildcard escaped."""
    return name.lower().rstrip(".").replace("*", "\\052") + "."


def is_named(record: Mapping[str, Any], name: str, kind: str) -> bool:
    """Return whether a record has this name and type."""
    return canonical(record["Name"]) == canonical(name) and record["Type"] == kind


def leads_to(record: Mapping[str, Any], load_balancer: str) -> bool:
    """Return whether an alias or CNAME leads to a load balancer, given by its DNS name."""
    alias = record.get("AliasTarget")
    values = [alias["DNSName"]] if alias else [each["Value"] for each in record.get("ResourceRecords", [])]
    if record["Type"] != "CNAME" and not alias:
        return False
    return any(canonical(value).removeprefix("dualstack.") == canonical(load_balancer) for value in values)


def refusals(record: Mapping[str, Any]) -> list[str]:
    """Return why a record that leads to blue cannot be shifted as it is, each with what to do about it."""
    found = []
    ttl = record.get("TTL", 0)
    if ttl > MOST_TTL_SECONDS:
        found.append(
            f"its TTL of {ttl} s would keep users on a bad green that long; lower it to {MOST_TTL_SECONDS} s and wait "
            f"{ttl} s before starting"
        )
    if record.get("HealthCheckId"):
        found.append("its health check would move users without being asked; take it off the record")
    if (record.get("AliasTarget") or {}).get("EvaluateTargetHealth"):
        found.append("EvaluateTargetHealth would move users without being asked; switch it off")
    policies = [policy for policy in _OTHER_POLICIES if policy in record]
    if policies:
        found.append(f"it is routed by {', '.join(policies)}, not by weight; divide the users behind it instead")
    return found


def kept_seconds(record: Mapping[str, Any]) -> int:
    """Return for how long a resolver keeps an answer: the record's TTL, or that of what an alias leads to."""
    return ALIAS_TTL_SECONDS if "AliasTarget" in record else int(record.get("TTL", 0))


def limits(group: Group, kept: Route53Record) -> list[str]:
    """Return which limits of Route 53 green's record would exceed, each with what to do about it."""
    found = []
    identifiers = (kept.blue_identifier, str(kept.green["SetIdentifier"]))
    if any(not 1 <= len(each) <= MOST_IDENTIFIER for each in identifiers):
        found.append(f"its records would be named by more than {MOST_IDENTIFIER} characters; shorten the edge's name")
    if 1 + len(group.others) >= MOST_IN_GROUP:
        found.append(f"it has {MOST_IN_GROUP} weighted records already, and Route 53 takes no more; delete one of them")
    if len(kept.green.get("ResourceRecords", [])) > MOST_VALUES_OF_RECORD:
        found.append(f"green would have more than {MOST_VALUES_OF_RECORD} addresses; name fewer")
    return found


def same_content(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two records answer the same, whatever their weights."""
    return _content(one) == _content(other)


def divide(group: Group, share: Share) -> Split:
    """
    Return the weights by which green holds `share` of what the two ends have.

    Raises:
        UnreachableGoal: siblings leave units too coarse to come within 40 basis points.
        EdgeChanged: blue has no record, or neither end has a unit to divide.
    """
    now = group.split
    pair = min(now.pair, MOST_RECORD_WEIGHT) if any(now.others.values()) else PAIR
    if now.blue is None or pair == 0:
        raise EdgeChanged("blue has no record, or no weight is left to divide")
    green = apportion(pair, share)
    return Split(pair - green, green, now.others)


def shifted(group: Group, kept: Route53Record, wanted: Split) -> list[Change]:
    """
    Return the changes that give green its weight; without one, those that put blue back as it was found.

    The exact records found are deleted, so that the batch fails if anyone has changed them since.
    """
    if not wanted.green:
        return given_back(group, kept)
    blue = {**(group.blue or kept.found), "SetIdentifier": kept.blue_identifier, "Weight": wanted.blue or 0}
    return _exchanged(group, [blue, {**kept.green, "Weight": wanted.green}])


def given_back(group: Group, kept: Route53Record) -> list[Change]:
    """Return the changes that take green's record away and leave blue's with the weight it was found with."""
    now = group.blue or kept.found
    if "SetIdentifier" in kept.found:
        blue = {**now, "SetIdentifier": kept.blue_identifier, "Weight": weight_of(kept.found)}
    elif group.others:  # once alone and simple, now among weighted ones: it cannot be simple any more
        blue = {**now, "SetIdentifier": kept.blue_identifier, "Weight": weight_of(now) or PAIR}
    else:
        blue = _content(now)
    return _exchanged(group, [blue])


def way_back(zone_id: str, pairs: Sequence[tuple[Route53Record, Record]]) -> StoredRequest:
    """
    Return the one batch that gives blue the weight it was found with and green none, wherever a climb has got to.

    It cannot delete what it does not know exactly, so it sets: green's record stays, at
    weight 0, until it is deleted by who can read it. Where the records are simple, green
    has none, and Route 53 refuses the batch as a whole.
    """
    changes = [
        _change("UPSERT", record)
        for kept, blue in pairs
        for record in (
            {**blue, "SetIdentifier": kept.blue_identifier, "Weight": weight_of(kept.found)},
            {**kept.green, "Weight": 0},
        )
    ]
    arguments = {"HostedZoneId": zone_id, "ChangeBatch": {"Changes": changes}}
    return StoredRequest(service="route53", action="changeResourceRecordSets", arguments=_spelled(arguments))


def _exchanged(group: Group, wanted: Sequence[Record]) -> list[Change]:
    found = [record for record in (group.blue, group.green) if record is not None]
    if found == list(wanted):
        return []
    return [
        *(_change("DELETE", record) for record in found if record not in wanted),
        *(_change("CREATE", record) for record in wanted if record not in found),
    ]


def _change(action: str, record: Record) -> Change:
    return {"Action": action, "ResourceRecordSet": record}


def _content(record: Mapping[str, Any]) -> Record:
    return {member: value for member, value in record.items() if member not in _NOT_CONTENT}


def _spelled(value: Any) -> Any:
    if isinstance(value, dict):
        return {_SPELLED.get(name, name): _spelled(member) for name, member in value.items()}
    return [_spelled(each) for each in value] if isinstance(value, list | tuple) else value


def held(groups: Iterable[Group]) -> tuple[Share, ...]:
    """Return green's share of each group; nothing where it has no record."""
    return tuple(group.split.share if group.green is not None else NONE for group in groups)
