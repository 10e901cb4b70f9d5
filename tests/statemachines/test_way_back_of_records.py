"""`roll_back` for an edge in Route 53, when Lambda is throttled: the stored batch alone puts the records back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from crossfade.journal.model import EdgeRecord, Route53Edge, Route53Record
from crossfade.rollout.phases import Phase
from crossfade.shift.records import way_back
from tests.traffic import a_record

from .world import World

NAME = "zone.example."


@pytest.fixture
def unhurt(deployed: World) -> Iterator[World]:
    """The deployed world, where every function works again after the test."""
    yield deployed
    deployed.aws.faults.clear()


def _alias(load_balancer: str, **members: Any) -> dict[str, Any]:
    target = {"HostedZoneId": "Z35SXDOTRQ7X7K", "DNSName": load_balancer, "EvaluateTargetHealth": False}
    return {"Name": NAME, "Type": "A", "AliasTarget": target, **members}


def test_the_way_back_of_records_needs_no_lambda(unhurt: World) -> None:
    client = unhurt.aws.client("route53")
    zone = client.create_hosted_zone(Name=NAME, CallerReference="1")["HostedZone"]["Id"].rpartition("/")[2]
    kept = Route53Record(
        zone_id=zone,
        name=NAME,
        type="A",
        found=_alias("blue.example."),
        blue_identifier="blue",
        green=_alias("green.example.", SetIdentifier="green"),
    )
    pair = [_alias("blue.example.", SetIdentifier="blue", Weight=0), {**kept.green, "Weight": 250}]
    client.change_resource_record_sets(
        HostedZoneId=zone,
        ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record} for record in pair]},
    )
    resolved = Route53Edge(
        zone_id=zone, load_balancer_arn="blue", green_load_balancer_arn="green", blue_arn="blue", rules=(kept,)
    )
    edge = EdgeRecord(
        migration="zone",
        name="records",
        kind="route53",
        resolved=resolved,
        way_back=(way_back(zone, [(kept, kept.found)]),),
    )
    unhurt.journal.open(a_record("zone", confirm_seconds=1, restore_retry_seconds=1), [edge])
    for function in ("RestoreEdge", "Notify"):
        unhurt.aws.faults.throttle(unhurt.physical[function], times=1_000)

    started = unhurt.states.start_execution(
        stateMachineArn=unhurt.outputs["RollBackArn"], input=json.dumps({"migration": "zone"})
    )
    unhurt.ended(started["executionArn"])

    listed = client.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    assert {record.get("SetIdentifier"): record["Weight"] for record in listed if record["Type"] == "A"} == {
        "blue": 250,
        "green": 0,
    }
    assert unhurt.journal.read("zone").phase is Phase.ROLLED_BACK
