"""Names and distributions before a load balancer: found, listed, and an edge where users shall be divided at them."""

from __future__ import annotations

from typing import Any

import pytest

from crossfade.draw.draw import draw
from crossfade.draw.options import DrawOptions
from crossfade.errors import BadInput
from crossfade.mesh.sources import SourceText, read_sources
from crossfade.plan.document import MigrationPlan
from crossfade.plan.report import report
from tests.meshes import NOON, Resources, found, two_services

ZONE = "Z0PUBLIC"
BLUE = {"Fn::GetAtt": ["Balancer", "DNSName"]}
GREEN = {"Fn::GetAtt": ["GreenBalancer", "DNSName"]}


def a_record(name: str, target: object, kind: str = "A", **more: Any) -> Resources:
    """An alias for what a load balancer is called, `more` being its weight, its zone and the like."""
    alias = {"DNSName": target, "HostedZoneId": "Z0ELB", "EvaluateTargetHealth": False}
    said = {"ResourceRecords": [target], "TTL": 60} if kind == "CNAME" else {"AliasTarget": alias}
    properties = {"Name": name, "Type": kind, "HostedZoneId": ZONE, **said, **more}
    key = f"Record{name}{kind}{more.get('SetIdentifier', '')}{more.get('HostedZoneId', '')}"
    return {"".join(filter(str.isalnum, key)): {"Type": "AWS::Route53::RecordSet", "Properties": properties}}


def a_distribution(origin: object, *aliases: str, key: str = "Distribution") -> Resources:
    config = {
        "Aliases": list(aliases),
        "Origins": [{"Id": "assets", "DomainName": "assets.s3.amazonaws.com"}, {"Id": "app", "DomainName": origin}],
    }
    return {key: {"Type": "AWS::CloudFront::Distribution", "Properties": {"DistributionConfig": config}}}


def a_free_load_balancer() -> Resources:
    group = {"Name": "web-sc", "Port": 8080}
    listener = {
        "LoadBalancerArn": {"Ref": "GreenBalancer"},
        "Port": 80,
        "DefaultActions": [{"Type": "forward", "TargetGroupArn": {"Ref": "GreenTargets"}}],
    }
    return {
        "GreenBalancer": {"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "Properties": {"Name": "green-lb"}},
        "GreenTargets": {"Type": "AWS::ElasticLoadBalancingV2::TargetGroup", "Properties": group},
        "GreenListener": {"Type": "AWS::ElasticLoadBalancingV2::Listener", "Properties": listener},
    }


def plan_of(*parts: Resources, edge: str | None = None, **params: str) -> MigrationPlan:
    here = found(two_services(), *parts, parameters=params)
    return draw(here, DrawOptions(edges={} if edge is None else {"web": edge}), NOON)


def test_the_rule_is_the_edge_and_all_that_leads_to_it_is_listed() -> None:
    plan = plan_of(
        a_record("origin.example.com", BLUE),
        a_record("old.example.com", "origin.example.com", "CNAME"),
        a_record("other.example.com", "elsewhere.example.net", "CNAME"),
        a_distribution("origin.example.com", "www.example.com"),
        a_record("www.example.com", {"Fn::GetAtt": ["Distribution", "DomainName"]}),
    )

    (edge,) = plan.edges
    assert edge.kind == "alb"
    assert edge.reached_by == (
        "distribution www.example.com (origin app)",
        "old.example.com CNAME",
        "origin.example.com A",
        "www.example.com A",
    )
    assert "users also come by distribution www.example.com" in report(plan)


def test_a_name_that_files_do_not_know_does_not_refuse_the_plan_it_is_no_edge_of() -> None:
    plan = plan_of(a_record("shop.example.com", BLUE, HostedZoneId={"Ref": "Zone"}), a_distribution(BLUE))

    (edge,) = plan.edges
    assert edge.reached_by == ("distribution … (origin app)", "shop.example.com A")


def test_nothing_is_listed_where_nothing_leads_there() -> None:
    (edge,) = plan_of(a_record("shop.example.com", "elsewhere.example.net", "CNAME")).edges

    assert edge.reached_by == ()
    assert "reached_by" not in edge.model_dump(mode="json")


def test_the_records_of_a_zone_are_one_edge_where_an_operator_says_so() -> None:
    plan = plan_of(
        a_free_load_balancer(),
        a_record("shop.example.com", BLUE),
        a_record("shop.example.com", BLUE, "AAAA"),
        edge="route53:green-lb",
    )

    (edge,) = plan.edges
    assert (edge.name, edge.kind, edge.blue.name, edge.green.name) == ("web", "route53", "web", "web-sc")
    assert edge.dns is not None
    assert (edge.dns.zone_id, edge.dns.green_load_balancer) == (ZONE, "green-lb")
    assert [(each.name, each.type) for each in edge.dns.records] == [
        ("shop.example.com", "A"),
        ("shop.example.com", "AAAA"),
    ]
    assert plan.service("web").green.target_group == edge.green
    assert plan.service("web").green.container_port == 8080
    assert edge.detour is not None
    assert edge.detour.name == "web-detour"


def test_a_public_and_a_private_zone_are_two_edges() -> None:
    zones: Resources = {
        key: {"Type": "AWS::Route53::HostedZone", "Properties": {"Name": "example.com", **more}}
        for key, more in {"Public": {}, "Private": {"VPCs": [{"VPCId": "vpc-1", "VPCRegion": "eu-west-1"}]}}.items()
    }

    plan = plan_of(
        a_free_load_balancer(),
        zones,
        a_record("shop.example.com", BLUE, HostedZoneId={"Ref": "Public"}),
        a_record("shop.example.com", BLUE, "CNAME", HostedZoneId={"Ref": "Private"}),
        edge="route53:green-lb",
        Public="Z0PUBLIC",
        Private="Z0PRIVATE",
    )

    zone_of = {edge.name: edge.dns.zone_id for edge in plan.edges if edge.dns}
    assert zone_of == {"web-public": "Z0PUBLIC", "web-private": "Z0PRIVATE"}


def test_weighted_records_that_lead_to_both_ends_are_the_edge_without_being_asked_for() -> None:
    plan = plan_of(
        a_free_load_balancer(),
        a_record("shop.example.com", BLUE, SetIdentifier="blue", Weight=100),
        a_record("shop.example.com", GREEN, SetIdentifier="green", Weight=0),
    )

    (edge,) = plan.edges
    assert edge.kind == "route53"
    assert edge.dns is not None
    assert edge.dns.green_load_balancer == "green-lb"


def test_a_distribution_is_the_edge_with_the_rungs_it_can_hold() -> None:
    plan = plan_of(
        a_free_load_balancer(),
        a_distribution("origin.example.com"),
        a_record("origin.example.com", BLUE),
        a_record("green-origin.example.com", GREEN),
        edge="cloudfront:green-lb",
        Distribution="E0123456789ABC",
    )

    (edge,) = plan.edges
    assert edge.cdn is not None
    assert (edge.cdn.distribution_id, edge.cdn.origin_id) == ("E0123456789ABC", "app")
    assert (edge.cdn.green_domain, edge.cdn.green_load_balancer) == ("green-origin.example.com", "green-lb")
    assert [rung.share_bp for rung in edge.ladder] == [100, 500, 1_500, 10_000]


def test_who_comes_past_a_record_or_a_distribution_is_named() -> None:
    records = plan_of(
        a_free_load_balancer(),
        a_record("shop.example.com", BLUE),
        a_distribution(BLUE, "www.example.com"),
        edge="route53:green-lb",
    )
    distribution = plan_of(
        a_free_load_balancer(),
        a_record("shop.example.com", BLUE),
        a_record("green.example.com", GREEN),
        a_distribution(BLUE, "www.example.com"),
        edge="cloudfront:green-lb",
        Distribution="E0123456789ABC",
    )

    past = [each.detail for plan in (records, distribution) for each in plan.gaps if each.id == "EDGE_BYPASSED"]
    assert past[0].startswith("Distribution www.example.com leads to blue's load balancer past the record")
    assert past[1].startswith("shop.example.com A leads to blue's load balancer past the distribution")


@pytest.mark.parametrize(
    ("edge", "said"),
    [
        ("alb:green-lb", "names no edge"),
        ("route53:", "names no edge"),
        ("route53:nobody", "is no load balancer of the sources"),
        ("route53:lb", "does not lead to one free target group"),
        ("route53:green-lb", "no record of the sources leads to lb"),
        ("cloudfront:green-lb", "0 distributions of the sources lead to lb"),
    ],
)
def test_what_an_edge_lacks_is_said(edge: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        plan_of(a_free_load_balancer(), edge=edge)


def test_an_id_that_only_aws_knows_is_asked_for_where_the_edge_needs_it() -> None:
    with pytest.raises(BadInput, match="Distribution is known only once the stack exists"):
        plan_of(a_free_load_balancer(), a_distribution(BLUE), edge="cloudfront:green-lb")


def test_an_edge_for_a_stranger_is_refused() -> None:
    here = found(two_services())

    with pytest.raises(BadInput, match="parcels"):
        draw(here, DrawOptions(edges={"parcels": "route53:green-lb"}), NOON)


def test_a_group_of_records_is_read_as_its_records_are() -> None:
    group: Resources = {
        "Group": {
            "Type": "AWS::Route53::RecordSetGroup",
            "Properties": {
                "HostedZoneId": ZONE,
                "RecordSets": [{"Name": "shop.example.com.", "Type": "A", "AliasTarget": {"DNSName": BLUE}}],
            },
        }
    }

    (edge,) = plan_of(group).edges

    assert edge.reached_by == ("shop.example.com A",)


def a_network_load_balancer(before: str = "Balancer", name: str = "front") -> Resources:
    """A network load balancer with the load balancer of `an_edge` as its target, as fixed addresses want it."""
    elb = "AWS::ElasticLoadBalancingV2::"
    group = {"Name": f"{name}-to-alb", "Port": 80, "Protocol": "TCP", "TargetType": "alb"}
    action = {"Type": "forward", "TargetGroupArn": {"Ref": f"{name}ToAlb"}}
    listener = {"LoadBalancerArn": {"Ref": f"{name}Nlb"}, "Port": 443, "DefaultActions": [action]}
    return {
        f"{name}Nlb": {"Type": f"{elb}LoadBalancer", "Properties": {"Name": name, "Type": "network"}},
        f"{name}ToAlb": {"Type": f"{elb}TargetGroup", "Properties": {**group, "Targets": [{"Id": {"Ref": before}}]}},
        f"{name}Listener": {"Type": f"{elb}Listener", "Properties": listener},
    }


FRONT = {"Fn::GetAtt": ["frontNlb", "DNSName"]}


def test_what_comes_by_a_network_load_balancer_before_the_rule_is_listed() -> None:
    plan = plan_of(a_network_load_balancer(), a_record("shop.example.com", FRONT), a_distribution(FRONT, "www.e.com"))

    (edge,) = plan.edges
    assert (edge.kind, edge.load_balancer) == ("alb", "lb")
    assert edge.reached_by == ("distribution www.e.com (origin app)", "front:443", "shop.example.com A")
    assert not [each for each in plan.gaps if each.id.startswith("EDGE_")]


def test_the_records_of_a_network_load_balancer_before_another_may_be_the_edge() -> None:
    ready = (a_network_load_balancer(), a_record("shop.example.com", FRONT), a_free_load_balancer())

    (edge,) = plan_of(*ready, edge="route53:green-lb").edges

    assert edge.dns is not None
    assert [each.name for each in edge.dns.records] == ["shop.example.com"]
    assert edge.green.name == "web-sc"


def test_green_may_stand_behind_two_load_balancers_as_blue_does() -> None:
    ready = (
        a_network_load_balancer(),
        a_record("shop.example.com", FRONT),
        a_free_load_balancer(),
        a_network_load_balancer("GreenBalancer", "green-front"),
    )

    (edge,) = plan_of(*ready, edge="route53:green-front").edges

    assert edge.green.name == "web-sc"


def test_two_ways_to_the_same_load_balancer_are_no_green_standing_ready() -> None:
    """Weighted records that lead to blue straight and by way of a network load balancer both lead to blue."""
    weighted = [
        a_record("shop.example.com", target, SetIdentifier=name, Weight=1)
        for name, target in (("straight", BLUE), ("front", FRONT))
    ]

    (edge,) = plan_of(a_network_load_balancer(), *weighted).edges

    assert edge.kind == "alb"


def test_a_target_registered_by_terraform_is_followed() -> None:
    text = """
    resource "aws_lb" "app" { name = "app" }
    resource "aws_lb_target_group" "to_app" {
      name        = "to-app"
      port        = 80
      target_type = "alb"
    }
    resource "aws_lb_target_group_attachment" "to_app" {
      target_group_arn = aws_lb_target_group.to_app.arn
      target_id        = aws_lb.app.arn
    }
    """

    [group] = read_sources([SourceText("main.tf", text)], {}).target_groups

    assert group.leads_to == ("app",)


def an_alarm(name: str, **dimensions: object) -> Resources:
    said = [{"Name": dimension, "Value": value} for dimension, value in dimensions.items()]
    return {name: {"Type": "AWS::CloudWatch::Alarm", "Properties": {"AlarmName": name, "Dimensions": said}}}


ALARMS = (
    an_alarm("blue-balancer", LoadBalancer={"Fn::GetAtt": ["Balancer", "LoadBalancerFullName"]}),
    an_alarm("green-balancer", LoadBalancer={"Fn::GetAtt": ["GreenBalancer", "LoadBalancerFullName"]}),
    an_alarm("blue-targets", TargetGroup={"Fn::GetAtt": ["Targets", "TargetGroupFullName"]}),
    an_alarm(
        "green-targets",
        TargetGroup={"Fn::GetAtt": ["GreenTargets", "TargetGroupFullName"]},
        LoadBalancer={"Fn::GetAtt": ["GreenBalancer", "LoadBalancerFullName"]},
    ),
    an_alarm("users", DistributionId={"Ref": "Distribution"}, Region="Global"),
    an_alarm("elsewhere", LoadBalancer="app/other/1"),
)
BEHIND = ("blue-balancer", "blue-targets", "green-balancer")


@pytest.mark.parametrize(
    ("edge", "watched"),
    [(None, BEHIND[:2]), ("route53:green-lb", BEHIND), ("cloudfront:green-lb", (*BEHIND, "users"))],
)
def test_the_alarms_that_watch_what_lies_behind_an_edge_are_the_plans(
    edge: str | None, watched: tuple[str, ...]
) -> None:
    plan = plan_of(
        a_free_load_balancer(),
        a_record("shop.example.com", BLUE),
        a_record("green.example.com", GREEN),
        a_distribution(BLUE, "www.example.com"),
        *ALARMS,
        edge=edge,
        Distribution="E0123456789ABC",
    )

    assert plan.alarms == watched
