"""Which load balancer a name leads to."""

from __future__ import annotations

import pytest

from rehearsal.aws import in_process
from rehearsal.aws.runtime import StillRuntime
from rehearsal.dataplane.plain import Names
from tests.rehearsal.aws.ground import Ground


@pytest.mark.parametrize("zone", ["shop.example", "green.shop.example"])
def test_a_record_leads_to_its_load_balancer_below_its_zones_name_and_at_it(zone: str) -> None:
    with in_process() as aws:
        arn = Ground(aws, StillRuntime()).balancer()
        [balancer] = aws.client("elbv2").describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
        target = {
            "HostedZoneId": balancer["CanonicalHostedZoneId"],
            "DNSName": balancer["DNSName"],
            "EvaluateTargetHealth": False,
        }
        record = {"Name": "green.shop.example", "Type": "A", "AliasTarget": target}
        route53 = aws.client("route53")
        made = route53.create_hosted_zone(Name=zone, CallerReference="1")["HostedZone"]["Id"]
        changes = [{"Action": "CREATE", "ResourceRecordSet": record}]
        route53.change_resource_record_sets(HostedZoneId=made, ChangeBatch={"Changes": changes})

        found = {name: Names(aws).balancer(name) for name in ("green.shop.example", "other.shop.example")}

    assert found == {"green.shop.example": arn, "other.shop.example": None}
