"""What records in Route 53 need beyond what every edge promises."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from checks.integrations import pascal
from crossfade.errors import (
    CrossfadeError,
    EdgeBusy,
    EdgeChanged,
    NotConfirmed,
    PreflightRefused,
    UnknownEdge,
    UnreachableGoal,
)
from crossfade.journal.edges import EdgeRecord, Route53Edge, Route53Record
from crossfade.plan.edges import RecordRef
from crossfade.shift.limits import MOST_RECORD_WEIGHT
from crossfade.shift.records import Group, divide, given_back, shifted
from crossfade.shift.route53 import Route53Edges, Route53Shifter
from crossfade.shift.share import ALL, NONE, Share
from rehearsal.aws import in_process
from rehearsal.aws.route53 import record_changes, spread_slowly
from tests.zone import Zone

TAGS = {"crossfade:migration": "shop"}
BLUE, GREEN = "crossfade-web-blue", "crossfade-web-green"
NAME = "shop.example."


@pytest.fixture
def zone() -> Iterator[Zone]:
    with in_process():
        yield Zone()


def an_edge(zone: Zone, *records: RecordRef) -> EdgeRecord:
    plan = zone.planned(*records) if records else zone.plan
    made = zone.edges.make_green_end(zone.edges.find(plan).owned_by("shop"), "web-green", TAGS)
    zone.front.set_healthy(str(made.resolved.green_arn), 2)
    return made


class Refusing:
    """A client of whom one operation answers an error, or is done by somebody else's hands first."""

    def __init__(self, client: Any, name: str, *, code: str = "", before: Any = None) -> None:
        self._client, self._name, self._code, self._before = client, name, code, before

    def __getattr__(self, name: str) -> Any:
        if name != self._name:
            return getattr(self._client, name)
        if self._before is not None:
            self._before()
            return getattr(self._client, name)
        return self._refuse

    def _refuse(self, **_: object) -> None:
        raise ClientError({"Error": {"Code": self._code, "Message": ""}}, self._name)


# -- forward and back ------------------------------------------------------------------


def test_a_simple_record_becomes_a_weighted_pair_and_simple_again(zone: Zone) -> None:
    before = zone.records("A")
    edge = an_edge(zone)
    shifter = zone.edges.shifter(edge)

    shifter.set_green(Share(2_000))
    assert zone.weights("A") == zone.weights("AAAA") == {BLUE: 200, GREEN: 50}
    shifter.set_green(ALL)
    assert zone.weights("A") == {BLUE: 0, GREEN: 250}
    shifter.withdraw()

    assert zone.records("A") == before


def test_greens_record_leads_to_greens_load_balancer(zone: Zone) -> None:
    edge = an_edge(zone)

    zone.edges.shifter(edge).set_green(Share(2_000))

    [green] = [record for record in zone.records("A") if record["SetIdentifier"] == GREEN]
    assert green["AliasTarget"] == {
        "HostedZoneId": zone.green_balancer["CanonicalHostedZoneId"],
        "DNSName": zone.green_balancer["DNSName"].lower() + ".",
        "EvaluateTargetHealth": False,
    }


def test_a_cname_and_addresses_can_be_shifted_too(zone: Zone) -> None:
    cname = {"TTL": 30, "ResourceRecords": [{"Value": zone.blue_balancer["DNSName"]}]}
    zone.create({"Name": "api.shop.example", "Type": "CNAME", **cname})
    zone.create({"Name": "old.shop.example", "Type": "A", "TTL": 45, "ResourceRecords": [{"Value": "192.0.2.1"}]})
    edge = an_edge(
        zone,
        *zone.dns.records,
        RecordRef(name="api.shop.example", type="CNAME"),
        RecordRef(name="old.shop.example", type="A", green_values=("192.0.2.2", "192.0.2.3")),
    )

    held = zone.edges.shifter(edge).set_green(Share(5_000))

    assert held == Share(5_000)
    assert edge.settle_seconds == 45
    [green] = [r for r in zone.records("CNAME", "api.shop.example.") if r["SetIdentifier"] == GREEN]
    assert (green["TTL"], green["ResourceRecords"]) == (30, [{"Value": zone.green_balancer["DNSName"]}])
    [green] = [r for r in zone.records("A", "old.shop.example.") if r["SetIdentifier"] == GREEN]
    assert green["ResourceRecords"] == [{"Value": "192.0.2.2"}, {"Value": "192.0.2.3"}]


def test_siblings_keep_their_weights_and_blue_gets_its_own_back(zone: Zone) -> None:
    sibling = {**zone.alias("A", SetIdentifier="elsewhere", Weight=100)}
    sibling["AliasTarget"] = {**sibling["AliasTarget"], "DNSName": "elsewhere.example."}
    zone.put(NAME, "A", zone.alias("A", SetIdentifier="here", Weight=150), sibling)
    edge = an_edge(zone)
    shifter = zone.edges.shifter(edge)

    shifter.set_green(Share(2_000))
    assert zone.weights("A") == {"here": 120, GREEN: 30, "elsewhere": 100}
    shifter.withdraw()

    assert zone.weights("A") == {"here": 150, "elsewhere": 100}


def test_siblings_that_leave_blue_too_few_units_are_said_so_before_anything_is_written(zone: Zone) -> None:
    sibling = {**zone.alias("A", SetIdentifier="elsewhere", Weight=9)}
    sibling["AliasTarget"] = {**sibling["AliasTarget"], "DNSName": "elsewhere.example."}
    zone.put(NAME, "A", zone.alias("A", SetIdentifier="here", Weight=3), sibling)
    edge = an_edge(zone)

    with pytest.raises(UnreachableGoal):
        zone.edges.shifter(edge).set_green(Share(100))

    assert zone.weights("A") == {"here": 3, "elsewhere": 9}


def test_a_private_zone_is_an_edge_like_a_public_one() -> None:
    with in_process():
        zone = Zone(private=True)

        assert zone.edges.shifter(an_edge(zone)).set_green(Share(2_000)) == Share(2_000)


def test_the_way_back_that_was_kept_can_be_sent_as_it_is(zone: Zone) -> None:
    edge = an_edge(zone)
    shifter = zone.edges.shifter(edge)
    shifter.set_green(ALL)
    [request] = edge.way_back

    zone.client.change_resource_record_sets(**_as_the_api_spells(request.arguments))

    assert (request.service, request.action) == ("route53", "changeResourceRecordSets")
    assert shifter.shares() == (NONE, NONE)
    assert zone.weights("A") == {BLUE: 250, GREEN: 0}
    assert shifter.withdraw() == NONE
    assert zone.weights("A") == {None: None}


def test_the_way_back_is_spelled_as_step_functions_takes_it(zone: Zone) -> None:
    [request] = an_edge(zone).way_back

    assert {name for name in _names(request.arguments) if pascal(name) != name} == set()


# -- found out before the start --------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"TTL": 300, "ResourceRecords": [{"Value": "front"}]}, "TTL of 300 s"),
        ({"TTL": 60, "ResourceRecords": [{"Value": "front"}], "HealthCheckId": "hc-1"}, "health check"),
        ({"TTL": 60, "ResourceRecords": [{"Value": "front"}], "SetIdentifier": "eu", "Region": "eu-west-1"}, "Region"),
    ],
)
def test_what_would_hinder_the_way_back_is_refused(zone: Zone, members: dict[str, Any], said: str) -> None:
    if members["ResourceRecords"] == [{"Value": "front"}]:
        members = {**members, "ResourceRecords": [{"Value": zone.blue_balancer["DNSName"]}]}
    zone.create({"Name": "api.shop.example", "Type": "CNAME", **members})

    with pytest.raises(PreflightRefused, match=said):
        zone.edges.find(zone.planned(*zone.dns.records, RecordRef(name="api.shop.example", type="CNAME")))


def test_an_alias_that_evaluates_target_health_is_refused(zone: Zone) -> None:
    alias = zone.alias("A")
    zone.put(NAME, "A", {**alias, "AliasTarget": {**alias["AliasTarget"], "EvaluateTargetHealth": True}})

    with pytest.raises(PreflightRefused, match="EvaluateTargetHealth"):
        zone.edges.find(zone.plan)


def test_a_protected_record_is_refused(zone: Zone) -> None:
    protection = {"RecordName": "shop.example", "RecordType": "AAAA"}
    zone.client.create_resource_record_set_protections(HostedZoneId=zone.id, Protections=[protection])

    with pytest.raises(PreflightRefused, match="AAAA: a record set protection"):
        zone.edges.find(zone.plan)


def test_addresses_without_greens_are_refused(zone: Zone) -> None:
    zone.create({"Name": "old.shop.example", "Type": "A", "TTL": 45, "ResourceRecords": [{"Value": "192.0.2.1"}]})

    with pytest.raises(PreflightRefused, match="names none for green"):
        zone.edges.find(zone.planned(*zone.dns.records, RecordRef(name="old.shop.example", type="A")))


@pytest.mark.parametrize("changes", [{"zone_id": "ZNOBODY"}, {"green_load_balancer": "nobody"}])
def test_a_zone_or_load_balancer_that_is_not_there_is_unknown(zone: Zone, changes: dict[str, str]) -> None:
    plan = zone.plan.model_copy(update={"dns": zone.dns.model_copy(update=changes)})

    with pytest.raises(UnknownEdge):
        zone.edges.find(plan)


def test_a_green_load_balancer_that_leads_elsewhere_is_unknown(zone: Zone) -> None:
    zone.front.add_load_balancer("elsewhere", forwards_to=zone.front.target_group("elsewhere"))
    dns = zone.dns.model_copy(update={"green_load_balancer": "elsewhere"})

    with pytest.raises(UnknownEdge, match="does not forward"):
        zone.edges.find(zone.plan.model_copy(update={"dns": dns}))


# -- other hands, and Route 53's own -----------------------------------------------------


def test_a_record_changed_between_reading_and_writing_fails_the_whole_batch(zone: Zone) -> None:
    edge = an_edge(zone)
    Route53Shifter(zone.client, zone.front.client, edge).set_green(Share(2_000))
    assert isinstance(edge.resolved, Route53Edge)
    kept = edge.resolved.rules[0]
    meddled = Refusing(zone.client, "change_resource_record_sets", before=lambda: zone.give(kept, blue=1, green=249))

    with pytest.raises(EdgeChanged):
        Route53Shifter(meddled, zone.front.client, edge).set_green(Share(4_000))

    assert zone.weights("AAAA") == {BLUE: 200, GREEN: 50}


def test_a_record_changed_under_the_way_back_is_read_again(zone: Zone) -> None:
    edge = an_edge(zone)
    zone.edges.shifter(edge).set_green(Share(2_000))
    assert isinstance(edge.resolved, Route53Edge)
    kept = edge.resolved.rules[0]
    meddled = Refusing(zone.client, "change_resource_record_sets", before=lambda: zone.give(kept, blue=1, green=249))

    with pytest.raises(NotConfirmed):
        Route53Shifter(meddled, zone.front.client, edge).withdraw()
    assert zone.edges.shifter(edge).withdraw() == NONE


def test_a_record_that_came_to_answer_otherwise_stops_the_climb_and_keeps_its_content_on_the_way_back(
    zone: Zone,
) -> None:
    edge = an_edge(zone)
    shifter = zone.edges.shifter(edge)
    shifter.set_green(Share(2_000))
    moved = zone.alias("A", SetIdentifier=BLUE, Weight=200)
    moved["AliasTarget"] = {**moved["AliasTarget"], "DNSName": "moved.example."}
    zone.put(NAME, "A", moved, *[r for r in zone.records("A") if r["SetIdentifier"] == GREEN])

    with pytest.raises(EdgeChanged):
        shifter.set_green(Share(4_000))
    shifter.withdraw()

    [blue] = zone.records("A")
    assert blue["AliasTarget"]["DNSName"] == "moved.example."
    assert "Weight" not in blue


@pytest.mark.parametrize("code", ["Throttling", "PriorRequestNotComplete", "ServiceUnavailable"])
def test_a_busy_zone_is_asked_again(zone: Zone, code: str) -> None:
    edge = an_edge(zone)

    with pytest.raises(EdgeBusy):
        Route53Shifter(
            Refusing(zone.client, "change_resource_record_sets", code=code), zone.front.client, edge
        ).set_green(Share(2_000))


def test_a_busy_zone_is_asked_again_for_what_leads_to_blue(zone: Zone) -> None:
    with pytest.raises(EdgeBusy):
        Route53Edges(
            Refusing(zone.client, "list_resource_record_set_protections", code="Throttling"), zone.front.client
        ).find(zone.plan)


def test_a_change_is_told_to_spread_until_every_name_server_has_it(zone: Zone) -> None:
    spread_slowly(3_600)
    shifter = zone.edges.shifter(an_edge(zone))
    assert shifter.spreading() == ""

    shifter.set_green(Share(2_000))

    assert shifter.spreading() == f"edge web: change {shifter.change} is PENDING"


def test_a_change_is_known_by_its_name_where_another_sent_it_and_not_made_twice(zone: Zone) -> None:
    edge = an_edge(zone)
    spread_slowly(3_600)
    first = zone.edges.shifter(edge)
    first.set_green(Share(2_000))
    made = len(record_changes())

    second = zone.edges.shifter(edge.model_copy(update={"change": first.change}))

    assert second.set_green(Share(2_000)) == Share(2_000)
    assert "PENDING" in second.spreading()
    assert len(record_changes()) == made


def test_a_change_that_route_53_has_forgotten_has_long_spread(zone: Zone) -> None:
    edge = an_edge(zone).model_copy(update={"change": "CFORGOTTEN"})

    assert zone.edges.shifter(edge).spreading() == ""


def test_the_way_back_does_not_wait_for_what_spreads(zone: Zone) -> None:
    spread_slowly(3_600)
    shifter = zone.edges.shifter(an_edge(zone))
    shifter.set_green(Share(2_000))

    assert shifter.withdraw() == NONE
    assert "PENDING" in shifter.spreading()


# -- what is around the records ------------------------------------------------------------


def refusals(zone: Zone, *, settle_seconds: int = 60, scaled: bool = False) -> list[str]:
    found = zone.edges.find(zone.plan.model_copy(update={"settle_seconds": settle_seconds}))
    return [f"{each.refused}; {each.mend}" for each in zone.edges.check(found, scaled=scaled) if each.refused]


def test_records_that_may_be_changed_and_settle_in_time_are_passed(zone: Zone) -> None:
    assert refusals(zone) == []


def test_a_protection_put_there_since_the_migration_opened_is_found(zone: Zone) -> None:
    found = zone.edges.find(zone.plan.model_copy(update={"settle_seconds": 60}))
    zone.client.create_resource_record_set_protections(
        HostedZoneId=zone.id, Protections=[{"RecordName": NAME, "RecordType": "AAAA"}]
    )

    said = {each.subject: each.refused for each in zone.edges.check(found, scaled=False)}

    assert said[f"record {NAME} A"] == ""
    assert "record set protection" in said[f"record {NAME} AAAA"]


def test_an_edge_that_settles_before_an_answer_is_forgotten_is_refused_but_in_a_rehearsal(zone: Zone) -> None:
    [said] = refusals(zone, settle_seconds=59)

    assert "resolvers keep an answer for 60 s" in said
    assert "set settle_seconds of the edge to 60" in said
    assert refusals(zone, settle_seconds=1, scaled=True) == []


def test_more_weighted_records_than_route_53_takes_are_refused_here_and_there(zone: Zone) -> None:
    zone.put(NAME, "A", zone.alias("A", SetIdentifier="here", Weight=1))
    others = [
        {"Name": NAME, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}], "Weight": 1}
        for _ in range(99)
    ]
    zone.create(*({**record, "SetIdentifier": f"other-{number}"} for number, record in enumerate(others)))

    with pytest.raises(PreflightRefused, match="100 weighted records already"):
        zone.edges.find(zone.plan)
    with pytest.raises(zone.client.exceptions.InvalidChangeBatch):
        zone.create({**others[0], "SetIdentifier": "one too many"})


def test_more_addresses_than_one_batch_takes_are_refused_before_the_start(zone: Zone) -> None:
    names = [f"old-{number}.shop.example" for number in range(2)]
    many = [{"Value": f"192.0.{number // 250}.{number % 250}"} for number in range(260)]
    for name in names:
        zone.create({"Name": name, "Type": "A", "TTL": 45, "ResourceRecords": many})
    greens = tuple(each["Value"] for each in many)
    refs = [RecordRef(name=name, type="A", green_values=greens) for name in names]

    with pytest.raises(PreflightRefused, match="2080 values in one batch, which takes 1000; name fewer addresses"):
        zone.edges.find(zone.planned(*zone.dns.records, *refs))


def test_a_name_too_long_for_a_record_is_refused_here_and_there(zone: Zone) -> None:
    with pytest.raises(PreflightRefused, match="more than 128 characters"):
        zone.edges.find(zone.plan.model_copy(update={"name": "w" * 120}))
    with pytest.raises(zone.client.exceptions.InvalidInput):
        zone.put(NAME, "A", zone.alias("A", SetIdentifier="w" * 129, Weight=1))


def test_more_addresses_than_a_record_holds_are_refused_here_and_there(zone: Zone) -> None:
    old = {"Name": "old.shop.example", "Type": "A", "TTL": 45, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    zone.create(old)
    many = tuple(f"10.0.{number // 250}.{number % 250}" for number in range(401))
    ref = RecordRef(name="old.shop.example", type="A", green_values=many)

    with pytest.raises(PreflightRefused, match="more than 400 addresses"):
        zone.edges.find(zone.planned(*zone.dns.records, ref))
    with pytest.raises(zone.client.exceptions.InvalidChangeBatch):
        zone.put("old.shop.example.", "A", {**old, "ResourceRecords": [{"Value": value} for value in many]})


# -- the rule of the weights -------------------------------------------------------------

KEPT = Route53Record(
    zone_id="Z1",
    name=NAME,
    type="A",
    found={"Name": NAME, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]},
    blue_identifier=BLUE,
    green={
        "Name": NAME,
        "Type": "A",
        "TTL": 60,
        "ResourceRecords": [{"Value": "192.0.2.2"}],
        "SetIdentifier": GREEN,
    },
)
GROUPS = st.builds(
    lambda blue, green, others: Group(
        None if blue is None else {**KEPT.found, **({} if blue < 0 else {"SetIdentifier": BLUE, "Weight": blue})},
        None if green is None or (blue or 0) < 0 else {**KEPT.green, "Weight": green},
        ()
        if (blue or 0) < 0
        else tuple({**KEPT.found, "SetIdentifier": str(place), "Weight": w} for place, w in enumerate(others)),
    ),
    st.none() | st.integers(-1, MOST_RECORD_WEIGHT),
    st.none() | st.integers(0, MOST_RECORD_WEIGHT),
    st.lists(st.integers(0, MOST_RECORD_WEIGHT), max_size=3),
)


def _after(group: Group, changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records once a batch is applied, strictly as Route 53 does."""
    records = [r for r in (group.blue, group.green, *group.others) if r is not None]
    for change in changes:
        record = change["ResourceRecordSet"]
        if change["Action"] == "DELETE":
            records.remove(record)
        else:
            assert record.get("SetIdentifier") not in {r.get("SetIdentifier") for r in records}
            records.append(record)
    assert len({"Weight" in record for record in records}) <= 1
    assert all(0 <= record.get("Weight", 0) <= MOST_RECORD_WEIGHT for record in records)
    return records


@given(group=GROUPS, bp=st.integers(0, 10_000))
def test_a_shift_is_legal_near_and_leaves_siblings_alone(group: Group, bp: int) -> None:
    try:
        wanted = divide(group, Share(bp))
    except CrossfadeError:
        return

    after = Group.of(_after(group, shifted(group, KEPT, wanted)), KEPT)

    assert after.others == group.others
    assert after.split.total > 0
    assert abs(after.split.share.bp - bp) <= 40
    assert (after.green is None) == (bp == 0)


@given(group=GROUPS)
def test_giving_back_is_legal_from_anywhere_and_leaves_green_no_record(group: Group) -> None:
    after = Group.of(_after(group, given_back(group, KEPT)), KEPT)

    assert after.green is None
    assert after.blue is not None
    assert after.others == group.others
    assert after.split.blue


def _as_the_api_spells(value: Any) -> Any:
    spelled = {"Ttl": "TTL", "DnsName": "DNSName"}
    if isinstance(value, dict):
        return {spelled.get(name, name): _as_the_api_spells(member) for name, member in value.items()}
    return [_as_the_api_spells(each) for each in value] if isinstance(value, list) else value


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        for member in value.values():
            yield from _names(member)
    elif isinstance(value, list):
        for each in value:
            yield from _names(each)
