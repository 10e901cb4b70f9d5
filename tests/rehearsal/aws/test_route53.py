"""What the embedded Route 53 refuses and answers as AWS does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.aws import in_process
from rehearsal.aws.route53 import record_changes, spread_slowly
from tests.aws import a_client

NAME = "zone.example."


@pytest.fixture
def zone() -> Iterator[str]:
    with in_process():
        made = a_client("route53").create_hosted_zone(Name=NAME, CallerReference="1")
        yield made["HostedZone"]["Id"].rpartition("/")[2]


def record(value: str = "192.0.2.1", **members: Any) -> dict[str, Any]:
    return {"Name": NAME, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": value}], **members}


def weighted(name: str, weight: int) -> dict[str, Any]:
    return record(SetIdentifier=name, Weight=weight)


def change(zone: str, *changes: tuple[str, dict[str, Any]]) -> str:
    batch = [{"Action": action, "ResourceRecordSet": each} for action, each in changes]
    sent = a_client("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": batch})
    return str(sent["ChangeInfo"]["Id"])


def found(zone: str) -> list[dict[str, Any]]:
    listed = a_client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return [each for each in listed if each["Type"] == "A"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ([("CREATE", weighted("a", 256))], "InvalidInput"),
        ([("CREATE", record(Weight=1))], "InvalidInput"),
        ([("CREATE", {"Name": NAME, "Type": "A", "TTL": 60})], "InvalidInput"),
        ([("CREATE", record(Name="other.example."))], "InvalidChangeBatch"),
        ([("CREATE", record()), ("CREATE", weighted("a", 1))], "InvalidChangeBatch"),
        ([("CREATE", weighted("a", 1)), ("CREATE", weighted("a", 2))], "InvalidChangeBatch"),
        ([("DELETE", record())], "InvalidChangeBatch"),
        ([("CREATE", record()), ("DELETE", record("192.0.2.9"))], "InvalidChangeBatch"),
        ([("CREATE", weighted(str(each), 1)) for each in range(101)], "InvalidChangeBatch"),
        ([("CREATE", {**record(), "ResourceRecords": [{"Value": "192.0.2.1"}] * 1_001})], "InvalidChangeBatch"),
    ],
)
def test_a_batch_with_one_bad_change_changes_nothing(
    zone: str, changes: list[tuple[str, dict[str, Any]]], code: str
) -> None:
    with pytest.raises(ClientError) as refused:
        change(zone, *changes)

    assert refused.value.response["Error"]["Code"] == code
    assert found(zone) == []


def test_a_pair_takes_a_simple_records_place_in_one_batch(zone: str) -> None:
    change(zone, ("CREATE", record()))

    change(zone, ("DELETE", record()), ("CREATE", weighted("a", 0)), ("CREATE", weighted("b", 255)))

    assert found(zone) == [weighted("a", 0), weighted("b", 255)]
    assert record_changes()[-1].weights == {(NAME, "A"): {"a": 0, "b": 255}}


def test_only_the_named_one_of_several_weighted_records_is_deleted(zone: str) -> None:
    other = {**weighted("a", 7), "Name": "other." + NAME}
    change(zone, ("CREATE", weighted("a", 1)), ("CREATE", weighted("b", 2)), ("CREATE", other))

    change(zone, ("DELETE", weighted("a", 1)))

    assert found(zone) == [weighted("b", 2), other]


def test_a_change_is_pending_until_it_has_spread(zone: str) -> None:
    client = a_client("route53")
    spread_slowly(3_600)
    slow = change(zone, ("CREATE", record()))
    spread_slowly(0)
    quick = change(zone, ("DELETE", record()))

    statuses = [client.get_change(Id=each)["ChangeInfo"]["Status"] for each in (slow, quick)]

    assert statuses == ["PENDING", "INSYNC"]


def test_a_protected_record_refuses_every_change_until_it_is_not(zone: str) -> None:
    client = a_client("route53")
    change(zone, ("CREATE", record()))
    key = {"RecordName": NAME, "RecordType": "A"}
    client.create_resource_record_set_protections(HostedZoneId=zone, Protections=[key])
    with pytest.raises(client.exceptions.InvalidChangeBatch):
        change(zone, ("UPSERT", record("192.0.2.2")))

    client.delete_resource_record_set_protections(HostedZoneId=zone, Protections=[key])
    change(zone, ("UPSERT", record("192.0.2.2")))

    assert found(zone) == [record("192.0.2.2")]


def test_a_long_list_is_answered_page_by_page_without_loss(zone: str) -> None:
    change(zone, *(("CREATE", weighted(f"{each:03d}", 1)) for each in range(100)))
    pages = a_client("route53").get_paginator("list_resource_record_sets")

    listed = [
        each["SetIdentifier"]
        for page in pages.paginate(HostedZoneId=zone, PaginationConfig={"PageSize": 30})
        for each in page["ResourceRecordSets"]
        if each["Type"] == "A"
    ]

    assert listed == [f"{each:03d}" for each in range(100)]
