"""Zones, records and distributions are read the same from every form that holds them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crossfade.mesh.cloudfront import read_distributions
from crossfade.mesh.export import export_document
from crossfade.mesh.model import Found
from crossfade.mesh.route53 import read_records
from crossfade.mesh.sources import SourceText, read_sources
from tests.meshes import NOON

ZONES = [{"Id": "/hostedzone/Z1", "Name": "example.com.", "Config": {"PrivateZone": True}}]
RECORD = {
    "Name": "shop.example.com.",
    "Type": "A",
    "SetIdentifier": "blue",
    "Weight": 10,
    "AliasTarget": {"DNSName": "dualstack.lb-1.eu-west-1.elb.amazonaws.com.", "HostedZoneId": "Z0ELB"},
}
ADDRESS = {"Name": "old.example.com.", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
SUMMARY = {
    "Id": "E1",
    "DomainName": "d1.cloudfront.net",
    "Aliases": {"Quantity": 1, "Items": ["www.example.com"]},
    "Origins": {"Quantity": 1, "Items": [{"Id": "app", "DomainName": "shop.example.com"}]},
}
TERRAFORM = """
resource "aws_route53_zone" "z" {
  zone_id = "Z1"
  name    = "example.com"
  vpc { vpc_id = "vpc-1" }
}
resource "aws_route53_record" "r" {
  zone_id        = "Z1"
  name           = "shop.example.com"
  type           = "A"
  set_identifier = "blue"
  alias {
    name    = "lb-1.eu-west-1.elb.amazonaws.com"
    zone_id = "Z0ELB"
    evaluate_target_health = false
  }
}
resource "aws_cloudfront_distribution" "d" {
  id          = "E1"
  domain_name = "d1.cloudfront.net"
  aliases     = ["www.example.com"]
  origin {
    origin_id   = "app"
    domain_name = "shop.example.com"
  }
}
"""


class Pages:
    """A client that answers one page for each operation."""

    def __init__(self, **pages: Any) -> None:
        self._pages = pages

    def get_paginator(self, operation: str) -> Any:
        page = self._pages[operation]

        class One:
            def paginate(self, **_: str) -> list[Any]:
                return [page]

        return One()


def from_answers() -> Found:
    answers = [
        {"HostedZones": ZONES},
        {"ResourceRecordSets": [{**RECORD, "HostedZoneId": "Z1"}, ADDRESS]},
        {"DistributionList": {"Items": [SUMMARY]}},
    ]
    return read_sources([SourceText(f"{n}.json", json.dumps(each)) for n, each in enumerate(answers)], {})


def from_one_described() -> Found:
    config = {"Aliases": SUMMARY["Aliases"], "Origins": SUMMARY["Origins"]}
    described = {
        "ETag": "1",
        "Distribution": {"Id": "E1", "DomainName": SUMMARY["DomainName"], "DistributionConfig": config},
    }
    answers = [{"HostedZones": ZONES}, {"ResourceRecordSets": [{**RECORD, "HostedZoneId": "Z1"}]}, described]
    return read_sources([SourceText(f"{n}.json", json.dumps(each)) for n, each in enumerate(answers)], {})


def from_an_export() -> Found:
    dns = Pages(
        list_hosted_zones={"HostedZones": ZONES}, list_resource_record_sets={"ResourceRecordSets": [RECORD, ADDRESS]}
    )
    cdn = Pages(list_distributions={"DistributionList": {"Items": [SUMMARY]}})
    answers = [*read_records(dns), *read_distributions(cdn)]
    return read_sources(
        [SourceText("export.json", export_document(answers, region="eu-west-1", now=NOON, notes=[]))], {}
    )


def from_terraform() -> Found:
    return read_sources([SourceText("main.tf", TERRAFORM)], {})


@pytest.mark.parametrize("read", [from_answers, from_one_described, from_an_export, from_terraform])
def test_every_form_gives_the_same(read: Any) -> None:
    found = read()

    [record] = [each for each in found.records if each.target]
    assert (record.name, record.kind, record.zone, record.identifier) == ("shop.example.com", "A", "Z1", "blue")
    assert record.target == "lb-1.eu-west-1.elb.amazonaws.com"
    assert [(each.id, each.name, each.is_private) for each in found.zones] == [("Z1", "example.com", True)]
    [distribution] = found.distributions
    assert (distribution.id, set(distribution.names)) == ("E1", {"d1.cloudfront.net", "www.example.com"})
    assert distribution.origins == (("app", "shop.example.com"),)
