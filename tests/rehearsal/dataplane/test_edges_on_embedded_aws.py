"""Users at each kind of edge, on the embedded AWS and real proxies: who gets what, and what CloudWatch hears of it."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rehearsal.aws import EmbeddedAws
from rehearsal.aws.runtime import StillRuntime
from rehearsal.dataplane import DataPlane, Totals, Users
from rehearsal.dataplane.cdn_edge import CdnEdge
from tests.rehearsal.aws.ground import Ground
from tests.rehearsal.aws.lab import until
from tests.rehearsal.dataplane.standin_aws import GROUP, green_task, plain_task

pytestmark = pytest.mark.rehearsal

TIME_SCALE = 30
RPS = 200


class Sides(Ground):
    """One task of each colour, and a load balancer and target group before each."""

    def __init__(self, aws: EmbeddedAws, plane: DataPlane) -> None:
        super().__init__(aws, StillRuntime())
        self.plane = plane
        self.aws = aws
        self.elbv2 = aws.client("elbv2")
        aws.client("logs").create_log_group(logGroupName=GROUP)
        plane.dial({"web": (), "web-sc": ()})
        self.blue_port = plane.start(plain_task("web", 1)).ports[8080]
        self.green_port = plane.start(green_task("web-sc", 1, serves="web")).ports[8080]

    def group_of(self, port: int, **settings: Any) -> str:
        group = self.group(**settings)
        self.elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": "127.0.0.1", "Port": port}])
        return group

    def door(self, port: int) -> dict[str, Any]:
        """A load balancer of its own for one side."""
        arn = self.balancer()
        self.listener(self.group_of(port), balancer=arn)
        described: dict[str, Any] = self.elbv2.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]
        self.plane.edge_port(arn, 80)
        return described

    def metric(self, region: str, namespace: str, name: str, **dimensions: str) -> float:
        now = datetime.now(UTC)
        wanted = [{"Name": key, "Value": value} for key, value in dimensions.items()]
        metric = {"Namespace": namespace, "MetricName": name, "Dimensions": wanted}
        answer = self.aws.client("cloudwatch", region).get_metric_data(
            StartTime=now - timedelta(minutes=50),
            EndTime=now + timedelta(minutes=1),
            MetricDataQueries=[{"Id": "it", "MetricStat": {"Metric": metric, "Period": 1, "Stat": "Sum"}}],
        )
        return float(sum(answer["MetricDataResults"][0]["Values"]))

    def played(self, users: Users, requests: int) -> Totals:
        load = self.plane.drive(users, RPS)
        load.wait_for_requests(requests)
        return load.stop()


@pytest.fixture(scope="module")
def sides() -> Iterator[Sides]:
    with DataPlane(time_scale=TIME_SCALE, seed=3) as plane, EmbeddedAws(runtime=plane, time_scale=TIME_SCALE) as aws:
        plane.attach(aws)
        yield Sides(aws, plane)
        plane.close()
        assert aws.troubles == []


@pytest.fixture(scope="module")
def cdn(sides: Sides) -> CdnEdge:
    return sides.plane.serve_distributions()


def alias(balancer: dict[str, Any], weight: int) -> dict[str, Any]:
    target = {
        "HostedZoneId": balancer["CanonicalHostedZoneId"],
        "DNSName": balancer["DNSName"],
        "EvaluateTargetHealth": False,
    }
    name = {"Name": "shop.example", "Type": "A"}
    return {**name, "SetIdentifier": balancer["LoadBalancerName"], "Weight": weight, "AliasTarget": target}


def test_users_of_a_name_follow_its_records_once_their_answers_are_too_old(sides: Sides) -> None:
    route53 = sides.aws.client("route53")
    zone = route53.create_hosted_zone(Name="shop.example", CallerReference="1")["HostedZone"]["Id"]
    blue, green = sides.door(sides.blue_port), sides.door(sides.green_port)

    def weigh(of_blue: int, of_green: int) -> None:
        records = [alias(blue, of_blue), alias(green, of_green)]
        changes = [{"Action": "UPSERT", "ResourceRecordSet": each} for each in records]
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})

    weigh(50, 50)
    users = Users(name="shop.example", resolver=sides.plane.serve_names(), clients=60)
    divided = sides.played(users, 400)
    load = sides.plane.drive(users, RPS)
    load.wait_for_requests(200)
    weigh(0, 255)
    until(lambda: load.snapshot().seconds[-1].blue == 0 < load.snapshot().seconds[-1].green)
    ended = load.stop()

    assert (divided.failed, ended.failed) == (0, 0)
    assert divided.green_share == pytest.approx(0.5, abs=0.33)  # five standard deviations of sixty clients
    assert ended.blue > 0
    queries = {"HostedZoneId": zone.rpartition("/")[2]}
    assert until(lambda: sides.metric("us-east-1", "AWS/Route53", "DNSQueries", **queries) >= 60)
    assert sides.metric("eu-west-1", "AWS/Route53", "DNSQueries", **queries) == 0


def distributed(sides: Sides, traffic: dict[str, Any]) -> tuple[str, str]:
    """Make a distribution that leads to blue with a staging one that leads to green; return their ids."""
    cloudfront = sides.aws.client("cloudfront")
    blue, green = sides.door(sides.blue_port), sides.door(sides.green_port)

    def config(origin: str, **changes: Any) -> dict[str, Any]:
        custom = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"}
        origins = {"Quantity": 1, "Items": [{"Id": "app", "DomainName": origin, "CustomOriginConfig": custom}]}
        behaviour = {"TargetOriginId": "app", "ViewerProtocolPolicy": "allow-all"}
        plain = {"CallerReference": origin, "Comment": "", "Enabled": True, "Origins": origins}
        return {**plain, "DefaultCacheBehavior": behaviour, **changes}

    staging = cloudfront.create_distribution(DistributionConfig=config(green["DNSName"], Staging=True))["Distribution"]
    policy = cloudfront.create_continuous_deployment_policy(
        ContinuousDeploymentPolicyConfig={
            "StagingDistributionDnsNames": {"Quantity": 1, "Items": [staging["DomainName"]]},
            "Enabled": True,
            "TrafficConfig": traffic,
        }
    )["ContinuousDeploymentPolicy"]["Id"]
    primary = cloudfront.create_distribution(
        DistributionConfig=config(blue["DNSName"], ContinuousDeploymentPolicyId=policy)
    )["Distribution"]
    return primary["Id"], staging["Id"]


def colour(port: int, headers: dict[str, str]) -> str | None:
    """Return who answered a request to a loopback port."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/", headers=headers)
    answered = connection.getresponse().headers["x-colour"]
    connection.close()
    return answered


def test_users_of_a_distribution_are_divided_by_its_policy_and_counted_where_cloudfront_counts(
    sides: Sides, cdn: CdnEdge
) -> None:
    by_weight = {"Type": "SingleWeight", "SingleWeightConfig": {"Weight": 0.15}}
    primary, staging = distributed(sides, by_weight)
    viewers = Users(ports=cdn.ports(primary), clients=20)

    divided = sides.played(viewers, 600)
    cdn.is_busy = True
    cdn.look()
    until(lambda: sides.played(viewers, 20).green == 0)
    cdn.is_busy = False

    assert divided.failed == 0
    assert divided.green_share == pytest.approx(0.15, abs=0.075)  # five standard deviations
    counted = {"DistributionId": staging, "Region": "Global"}
    assert until(lambda: sides.metric("us-east-1", "AWS/CloudFront", "Requests", **counted) >= divided.green)
    assert sides.metric("eu-west-1", "AWS/CloudFront", "Requests", **counted) == 0


def test_while_a_policy_goes_by_header_staging_answers_that_header_alone_and_is_told_of(
    sides: Sides, cdn: CdnEdge
) -> None:
    header, value = "aws-cf-cd-crossfade", "web"
    by_header = {"Type": "SingleHeader", "SingleHeaderConfig": {"Header": header, "Value": value}}
    primary, _ = distributed(sides, by_header)
    port = cdn.ports(primary)[0]

    answers = [colour(port, headers) for headers in ({}, {header: "other"}, {header: value}, {header: value})]

    assert answers == ["blue", "blue", "green", "green"]
    assert until(lambda: [each.code for each in sides.plane.staged(primary)] == [200, 200])


def test_connections_stay_where_they_are_until_deregistration_ends_them(sides: Sides) -> None:
    subnets = {"Subnets": sides.subnets}
    [balancer] = sides.elbv2.create_load_balancer(Name="flows", Type="network", **subnets)["LoadBalancers"]
    arn = balancer["LoadBalancerArn"]
    blue, green = (sides.group_of(port, Protocol="TCP") for port in (sides.blue_port, sides.green_port))

    def actions(of_blue: int, of_green: int) -> list[dict[str, Any]]:
        weighted = [{"TargetGroupArn": blue, "Weight": of_blue}, {"TargetGroupArn": green, "Weight": of_green}]
        return [{"Type": "forward", "ForwardConfig": {"TargetGroups": weighted}}]

    [made] = sides.elbv2.create_listener(LoadBalancerArn=arn, Protocol="TCP", Port=80, DefaultActions=actions(0, 1))[
        "Listeners"
    ]
    until(lambda: sides.health(blue) == sides.health(green) == ["healthy"])  # no connection goes to one not yet checked
    port = sides.plane.edge_port(arn, 80)
    load = sides.plane.drive(Users(ports=(port,), clients=40), RPS)
    load.wait_for_requests(100)
    sides.elbv2.modify_listener(ListenerArn=made["ListenerArn"], DefaultActions=actions(1, 0))
    until(lambda: colour(port, {}) == "blue")  # so that new connections follow the weights by now
    before = load.snapshot().totals
    kept = load.wait_for_requests(before.total + 200)
    ends = {
        "deregistration_delay.connection_termination.enabled": "true",
        "deregistration_delay.timeout_seconds": "0",
    }
    attributes = [{"Key": key, "Value": value} for key, value in ends.items()]
    sides.elbv2.modify_target_group_attributes(TargetGroupArn=green, Attributes=attributes)
    targets = [{"Id": "127.0.0.1", "Port": sides.green_port}]
    sides.elbv2.deregister_targets(TargetGroupArn=green, Targets=targets)
    until(lambda: load.snapshot().seconds[-1].green == 0 < load.snapshot().seconds[-1].blue)
    ended = load.stop()

    assert kept.failed == 0
    assert kept.green > before.green
    assert ended.blue > kept.blue
    whole = {"LoadBalancer": f"net/flows/{arn.rpartition('/')[2]}"}
    assert until(lambda: sides.metric("eu-west-1", "AWS/NetworkELB", "TCP_ELB_Reset_Count", **whole) >= 1)
