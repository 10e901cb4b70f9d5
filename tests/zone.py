"""A hosted zone whose records lead to one of two load balancers, in the embedded AWS."""

from __future__ import annotations

from typing import Any

from crossfade.journal.edges import Route53Record
from crossfade.plan.edges import DnsRef, EdgePlan, RecordRef
from crossfade.shift.route53 import Route53Edges
from tests.aws import Clients, a_client
from tests.load_balancer import LoadBalancer
from tests.traffic import an_edge_plan

ALIAS_ZONE = "Z35SXDOTRQ7X7K"


class Zone:
    """
    `shop.example`: an alias A and AAAA lead to blue's load balancer; green's stands beside it.

    `front` is the load balancers, `client` the hands that are not ours.
    """

    def __init__(self, client: Clients = a_client, *, private: bool = False) -> None:
        self.front = LoadBalancer(client)
        self.front.target_group("web-green")
        self.green_balancer = self.front.add_load_balancer("front-green", forwards_to=self.front.arn_of("web-green"))
        self.blue_balancer = self.front.client.describe_load_balancers(Names=["front"])["LoadBalancers"][0]
        self.client = client("route53")
        vpc = {"VPC": {"VPCRegion": "eu-west-1", "VPCId": "vpc-1"}} if private else {}
        made = self.client.create_hosted_zone(
            Name="shop.example",
            CallerReference="1",
            HostedZoneConfig={"PrivateZone": private, "Comment": ""},
            **vpc,
        )
        self.id = made["HostedZone"]["Id"].rpartition("/")[2]
        for kind in ("A", "AAAA"):
            self.create(self.alias(kind))
        self.edges = Route53Edges(self.client, self.front.client)
        self.dns = DnsRef(
            zone_id=self.id,
            records=(RecordRef(name="shop.example", type="A"), RecordRef(name="shop.example", type="AAAA")),
            green_load_balancer="front-green",
        )
        self.plan = self.planned(*self.dns.records)

    def planned(self, *records: RecordRef) -> EdgePlan:
        dns = self.dns.model_copy(update={"records": records})
        return an_edge_plan(kind="route53", rules=(), dns=dns)

    def alias(self, kind: str, name: str = "shop.example", **members: Any) -> dict[str, Any]:
        target = {"HostedZoneId": ALIAS_ZONE, "DNSName": self.blue_balancer["DNSName"], "EvaluateTargetHealth": False}
        return {"Name": name, "Type": kind, "AliasTarget": target, **members}

    def change(self, *changes: tuple[str, dict[str, Any]]) -> None:
        batch = [{"Action": action, "ResourceRecordSet": record} for action, record in changes]
        self.client.change_resource_record_sets(HostedZoneId=self.id, ChangeBatch={"Changes": batch})

    def create(self, *records: dict[str, Any]) -> None:
        self.change(*(("CREATE", record) for record in records))

    def records(self, kind: str, name: str = "shop.example.") -> list[dict[str, Any]]:
        listed = self.client.list_resource_record_sets(HostedZoneId=self.id)["ResourceRecordSets"]
        return [record for record in listed if (record["Name"], record["Type"]) == (name, kind)]

    def weights(self, kind: str, name: str = "shop.example.") -> dict[str | None, int | None]:
        return {record.get("SetIdentifier"): record.get("Weight") for record in self.records(kind, name)}

    def put(self, name: str, kind: str, *records: dict[str, Any]) -> None:
        """Make these, and no others, the records of a name and type."""
        self.change(
            *(("DELETE", record) for record in self.records(kind, name)), *(("CREATE", record) for record in records)
        )

    def give(self, kept: Route53Record, *, blue: int, green: int) -> None:
        self.put(
            kept.name,
            kept.type,
            {**kept.found, "SetIdentifier": kept.blue_identifier, "Weight": blue},
            {**kept.green, "Weight": green},
        )
