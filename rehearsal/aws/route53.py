"""
Route 53 in the embedded AWS: record sets under AWS's rules, changes that take time to spread, protections.

moto keeps hosted zones. This module keeps their record sets' rules: a batch is applied as a whole or not at all,
a DELETE must repeat the record exactly, records of one name and type are all simple or all weighted, weights lie
between 0 and 255, and a protected record refuses every change. A change is PENDING until it has spread.

Source: Amazon Route 53 API 2013-04-01, ChangeResourceRecordSets, GetChange and CreateResourceRecordSetProtections.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from moto.route53.models import RecordSet, route53_backends

from rehearsal.aws.clock import clock
from rehearsal.aws.registry import Call, add_paths, on_reset, operation

MOST_WEIGHT: Final = 255
MOST_VALUES: Final = 1_000  # ResourceRecord elements of a batch; those of an UPSERT count twice
MOST_CHARACTERS: Final = 32_000  # of a batch's values; those of an UPSERT count twice
MOST_VALUES_OF_RECORD: Final = 400
MOST_IN_GROUP: Final = 100  # records of one name and type
MOST_IDENTIFIER: Final = 128  # characters
SPREADING_SECONDS: Final = 20.0  # until a change is INSYNC; AWS says usually below 60. Divided by the time scale

_PROTECTIONS: Final = r"/(?P<api_version>[\d_-]+)/hostedzone/(?P<Id>[^/]+)/rrsetprotection"
add_paths("route53", _PROTECTIONS + "$", _PROTECTIONS + "/delete$")

_MEMBERS: Final[Mapping[str, str]] = {  # of a record set, and where moto keeps it
    "Name": "name",
    "Type": "type",
    "SetIdentifier": "set_identifier",
    "Weight": "weight",
    "Region": "region",
    "GeoLocation": "geo_location",
    "Failover": "failover",
    "MultiValueAnswer": "multi_value_answer",
    "TTL": "ttl",
    "ResourceRecords": "resource_records",
    "AliasTarget": "alias_target",
    "HealthCheckId": "health_check_id",
}
_POLICIES: Final = ("Weight", "Region", "GeoLocation", "Failover", "MultiValueAnswer")

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RecordChange:
    """
    One accepted batch.

    Attributes:
        at: when it was accepted.
        spread_at: when every name server answers by it.
        zone: the hosted zone's id.
        weights: (name, type) of each record set it touched, to the weights of that group then, by set identifier.
        caller: the User-Agent of the request.
    """

    at: datetime
    spread_at: datetime
    zone: str
    weights: Mapping[tuple[str, str], Mapping[str, int]]
    caller: str


@dataclass(slots=True)
class _Dns:
    changes: list[RecordChange] = field(default_factory=list)
    spread: dict[str, float] = field(default_factory=dict)  # change id to the monotonic second it is INSYNC
    protected: dict[tuple[str, str, str], str] = field(default_factory=dict)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    spreading_seconds: float = 0.0
    lock: threading.RLock = field(default_factory=threading.RLock)


_state = _Dns()


@on_reset
def forget() -> None:
    """Forget changes and protections; changes spread at once again."""
    with _state.lock:
        _state.changes.clear()
        _state.spread.clear()
        _state.protected.clear()
        _state.spreading_seconds = 0.0


# -- for the data plane and for tests -----------------------------------------


def record_changes() -> tuple[RecordChange, ...]:
    """Answer every accepted batch since the start, oldest first."""
    with _state.lock:
        return tuple(_state.changes)


def spread_slowly(seconds: float = SPREADING_SECONDS) -> None:
    """Let every change from now on take this long to spread, divided by the time scale."""
    with _state.lock:
        _state.spreading_seconds = seconds


# -- record sets --------------------------------------------------------------


@operation("route53", "ChangeResourceRecordSets")
def change_resource_record_sets(call: Call) -> dict[str, Any]:
    """Apply a batch as a whole, or refuse it as a whole."""
    zone_id = call.params["HostedZoneId"].rpartition("/")[2]
    zone = _zone(call, zone_id)
    changes = call.params["ChangeBatch"]["Changes"]
    with _state.lock:
        _check_size(call, changes)
        records = [_record(kept) for kept in zone.rrsets]
        touched: dict[tuple[str, str], None] = {}
        for change in changes:
            record = _normal(change["ResourceRecordSet"])
            _check_record(call, zone.name, record)
            _check_protection(call, zone_id, record)
            _apply(call, change["Action"], record, records)
            touched[record["Name"], record["Type"]] = None
        for name, kind in touched:
            _check_group(call, [each for each in records if (each["Name"], each["Type"]) == (name, kind)])
        zone.rrsets = [_kept(record) for record in records]
        now = clock.monotonic()
        wait = _state.spreading_seconds / clock.time_scale
        identifier = f"C{next(_state.numbers):013d}"
        _state.spread[identifier] = now + wait
        _state.changes.append(_told(call, zone_id, records, touched, wait))
    return {"ChangeInfo": _change_info(identifier)}


@operation("route53", "ListResourceRecordSets")
def list_resource_record_sets(call: Call) -> dict[str, Any]:
    """Answer the records of a zone in AWS's order, from where it is asked for."""
    zone = _zone(call, call.params["HostedZoneId"].rpartition("/")[2])
    params = call.params
    if "StartRecordType" in params and "StartRecordName" not in params:
        raise call.error("InvalidInput", "The input is not valid: StartRecordType needs StartRecordName")
    most = min(int(params.get("MaxItems", 300)), 300)
    with _state.lock:
        records = sorted((_record(kept) for kept in zone.rrsets), key=_order)
    start = (
        _reversed(_canonical(params.get("StartRecordName", ""))),
        params.get("StartRecordType", ""),
        params.get("StartRecordIdentifier", ""),
    )
    if params.get("StartRecordName"):
        records = [record for record in records if _order(record) >= start]
    answer: dict[str, Any] = {
        "ResourceRecordSets": records[:most],
        "IsTruncated": len(records) > most,
        "MaxItems": str(most),
    }
    if len(records) > most:
        following = records[most]
        answer |= {"NextRecordName": following["Name"], "NextRecordType": following["Type"]}
        if "SetIdentifier" in following:
            answer["NextRecordIdentifier"] = following["SetIdentifier"]
    return answer


@operation("route53", "GetChange")
def get_change(call: Call) -> dict[str, Any]:
    """Answer whether a change has spread."""
    identifier = call.params["Id"].rpartition("/")[2]
    with _state.lock:
        if identifier not in _state.spread:
            raise call.error("NoSuchChange", f"A change with the specified change ID {identifier} does not exist.")
        return {"ChangeInfo": _change_info(identifier)}


def _change_info(identifier: str) -> dict[str, Any]:
    status = "INSYNC" if clock.monotonic() >= _state.spread[identifier] else "PENDING"
    return {"Id": f"/change/{identifier}", "Status": status, "SubmittedAt": clock.now()}


def _apply(call: Call, action: str, record: Record, records: list[Record]) -> None:
    same = next((each for each in records if _identity(each) == _identity(record)), None)
    told = (
        f"[name='{record['Name']}', type='{record['Type']}'"
        + (f", set identifier='{record['SetIdentifier']}'" if "SetIdentifier" in record else "")
        + "]"
    )
    if action == "CREATE":
        if same is not None:
            raise _invalid(call, f"Tried to create resource record set {told} but it already exists")
        records.append(record)
    elif action == "DELETE":
        if same is None:
            raise _invalid(call, f"Tried to delete resource record set {told} but it was not found")
        if same != record:
            raise _invalid(
                call,
                f"Tried to delete resource record set {told} but the values provided do not match the current values",
            )
        records.remove(same)
    elif same is None:
        records.append(record)
    else:
        records[records.index(same)] = record


def _check_size(call: Call, changes: Sequence[Mapping[str, Any]]) -> None:
    values = sum(
        len(change["ResourceRecordSet"].get("ResourceRecords", [])) * (2 if change["Action"] == "UPSERT" else 1)
        for change in changes
    )
    if values > MOST_VALUES:
        raise _invalid(call, f"Number of records limit of {MOST_VALUES} exceeded.")
    characters = sum(
        len(value["Value"]) * (2 if change["Action"] == "UPSERT" else 1)
        for change in changes
        for value in change["ResourceRecordSet"].get("ResourceRecords", [])
    )
    if characters > MOST_CHARACTERS:
        raise _invalid(call, f"Request character limit of {MOST_CHARACTERS} exceeded.")


def _check_record(call: Call, zone: str, record: Record) -> None:
    name = record["Name"]
    if not (name == _canonical(zone) or name.endswith("." + _canonical(zone))):
        raise _invalid(call, f"RRSet with DNS name {name} is not permitted in zone {zone}")
    weight = record.get("Weight", 0)
    if not 0 <= weight <= MOST_WEIGHT:
        raise call.error(
            "InvalidInput",
            f"1 validation error detected: Value '{weight}' at 'weight' failed to satisfy constraint: "
            f"Member must have value less than or equal to {MOST_WEIGHT}",
        )
    if not 1 <= len(record.get("SetIdentifier", "-")) <= MOST_IDENTIFIER:
        raise call.error(
            "InvalidInput",
            "1 validation error detected: Value at 'setIdentifier' failed to satisfy constraint: "
            f"Member must have length between 1 and {MOST_IDENTIFIER}",
        )
    if len(record.get("ResourceRecords", [])) > MOST_VALUES_OF_RECORD:
        raise _invalid(call, f"RRSet with DNS name {name} has more than {MOST_VALUES_OF_RECORD} values")
    if ("AliasTarget" in record) == ("TTL" in record and bool(record.get("ResourceRecords"))):
        raise call.error(
            "InvalidInput",
            "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or "
            f"TrafficPolicyInstanceId], but found {'more than one' if 'AliasTarget' in record else 'none'} in Change "
            f"with [Name={name}, Type={record['Type']}]",
        )
    if ("SetIdentifier" in record) != any(policy in record for policy in _POLICIES):
        raise call.error(
            "InvalidInput",
            f"Invalid request: Missing or superfluous field 'SetIdentifier' in Change with [Name={name}, "
            f"Type={record['Type']}]",
        )


def _check_group(call: Call, group: Sequence[Record]) -> None:
    policies = {next((policy for policy in _POLICIES if policy in record), "simple") for record in group}
    if len(policies) > 1:
        raise _invalid(
            call,
            f"RRSet with DNS name {group[0]['Name']}, type {group[0]['Type']} cannot be created: records of one name "
            f"and type must have one routing policy, and these have {', '.join(sorted(policies))}",
        )
    if len(group) > MOST_IN_GROUP:
        raise _invalid(call, f"At most {MOST_IN_GROUP} weighted records may have one name and type")


def _check_protection(call: Call, zone_id: str, record: Record) -> None:
    if (zone_id, record["Name"], record["Type"]) in _state.protected:
        raise _invalid(call, f"Resource record set {record['Name']} {record['Type']} is protected")


def _told(
    call: Call, zone: str, records: Sequence[Record], touched: Mapping[tuple[str, str], None], wait: float
) -> RecordChange:
    now = clock.now()
    weights = {
        key: {
            record.get("SetIdentifier", ""): int(record.get("Weight", 1))
            for record in records
            if (record["Name"], record["Type"]) == key
        }
        for key in touched
    }
    spread_at = datetime.fromtimestamp(now.timestamp() + wait, UTC)
    return RecordChange(now, spread_at, zone, weights, call.headers.get("User-Agent", ""))


def _invalid(call: Call, why: str) -> Exception:
    return call.error("InvalidChangeBatch", f"[{why}]")


def _zone(call: Call, zone_id: str) -> Any:
    zone = route53_backends[call.account]["aws"].zones.get(zone_id)
    if zone is None:
        raise call.error("NoSuchHostedZone", f"No hosted zone found with ID: {zone_id}")
    return zone


def _canonical(name: str) -> str:
    return name.lower().rstrip(".").replace("*", "\\052") + "."


def _reversed(name: str) -> str:
    return ".".join(reversed(name.strip(".").split(".")))


def _order(record: Record) -> tuple[str, str, str]:
    return _reversed(record["Name"]), record["Type"], record.get("SetIdentifier", "")


def _identity(record: Record) -> tuple[str, str, str | None]:
    return record["Name"], record["Type"], record.get("SetIdentifier")


def _normal(record: Mapping[str, Any]) -> Record:
    """Answer a record as Route 53 lists it: names canonical, nothing that was not given."""
    normal = {member: record[member] for member in _MEMBERS if record.get(member) is not None}
    normal["Name"] = _canonical(record["Name"])
    if "TTL" in normal:
        normal["TTL"] = int(normal["TTL"])
    if "AliasTarget" in normal:
        alias = normal["AliasTarget"]
        normal["AliasTarget"] = {**alias, "DNSName": _canonical(alias["DNSName"])}
    return normal


def _record(kept: Any) -> Record:
    found = {member: getattr(kept, attribute) for member, attribute in _MEMBERS.items()}
    values = [value["Value"] if isinstance(value, dict) else value for value in kept.records or []]
    found["ResourceRecords"] = [{"Value": value} for value in values]  # moto keeps a zone's first records otherwise
    return _normal({member: value for member, value in found.items() if value not in (None, [])})


def _kept(record: Record) -> Any:
    values = [each["Value"] for each in record.get("ResourceRecords", [])]
    return RecordSet({**record, "ResourceRecords": values})


# -- protections --------------------------------------------------------------


@operation("route53", "CreateResourceRecordSetProtections")
def create_protections(call: Call) -> dict[str, Any]:
    """Protect records from every change."""
    zone_id = call.params["HostedZoneId"].rpartition("/")[2]
    _zone(call, zone_id)
    with _state.lock:
        for each in call.params["Protections"]:
            key = (zone_id, _canonical(each["RecordName"]), each["RecordType"])
            if key in _state.protected:
                raise call.error("ProtectionAlreadyExists", f"{key[1]} {key[2]} is protected already")
            _state.protected[key] = each.get("Comment", "")
    return {}


@operation("route53", "DeleteResourceRecordSetProtections")
def delete_protections(call: Call) -> dict[str, Any]:
    """Protect records no longer."""
    zone_id = call.params["HostedZoneId"].rpartition("/")[2]
    with _state.lock:
        for each in call.params["Protections"]:
            _state.protected.pop((zone_id, _canonical(each["RecordName"]), each["RecordType"]), None)
    return {}


@operation("route53", "ListResourceRecordSetProtections")
def list_protections(call: Call) -> dict[str, Any]:
    """Answer a zone's protections, all at once."""
    zone_id = call.params["HostedZoneId"].rpartition("/")[2]
    _zone(call, zone_id)
    with _state.lock:
        found = [
            {"RecordName": name, "RecordType": kind, **({"Comment": comment} if comment else {})}
            for (zone, name, kind), comment in sorted(_state.protected.items())
            if zone == zone_id
        ]
    return {"ResourceRecordSetProtections": found}
