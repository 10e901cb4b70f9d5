"""The shop at each kind of edge: what is deployed before it, and the plan with the ids that the account gave."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import get_args

import pytest

from crossfade.errors import BadInput
from crossfade.plan.document import MigrationPlan
from crossfade.plan.edges import EdgeKind
from rehearsal.aws import EmbeddedAws, in_process, route53
from rehearsal.deploy import Deployer
from rehearsal.doors import Slowness, led_in, nature
from rehearsal.elsewhere import forward_alarms
from rehearsal.examples import application
from rehearsal.pace import BRIEF, FULL, Pace, quickened
from rehearsal.shares import shares_held
from tests.rehearsal.aws.lab import until

AT_ONCE = Slowness()


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    with in_process() as aws:
        yield aws


def deployed(kind: EdgeKind, aws: EmbeddedAws) -> MigrationPlan:
    """The shop's plan at this kind of edge, once its stacks are deployed."""
    shop = application("shop", door=kind)
    deployer = Deployer(aws)
    for name, template in shop.stacks:
        deployer.deploy(template, name)
    drawn = shop.plan if shop.redrawn is None else shop.redrawn(deployer)
    return MigrationPlan.from_json(quickened(drawn, BRIEF).to_json())


def test_a_network_load_balancer_is_the_shops_own_with_its_door_changed(aws: EmbeddedAws) -> None:
    [edge] = deployed("nlb", aws).edges

    [balancer] = aws.client("elbv2").describe_load_balancers()["LoadBalancers"]
    assert (edge.kind, balancer["Type"]) == ("nlb", "network")
    assert edge.settle_seconds == BRIEF.connection_seconds / BRIEF.time_scale


def test_a_name_is_divided_in_the_zone_that_was_made(aws: EmbeddedAws) -> None:
    [edge] = deployed("route53", aws).edges

    assert edge.dns is not None
    records = aws.client("route53").list_resource_record_sets(HostedZoneId=edge.dns.zone_id)["ResourceRecordSets"]
    named = {(record["Name"], record["Type"]) for record in records}
    assert {(f"{record.name}.", record.type) for record in edge.dns.records} <= named
    assert edge.rules == ()


def test_a_distribution_is_divided_by_its_id_and_climbs_as_cloudfront_can(aws: EmbeddedAws) -> None:
    [edge] = deployed("cloudfront", aws).edges

    assert edge.cdn is not None
    shown = aws.client("cloudfront").get_distribution(Id=edge.cdn.distribution_id)["Distribution"]
    assert [origin["Id"] for origin in shown["DistributionConfig"]["Origins"]["Items"]] == [edge.cdn.origin_id]
    assert [rung.share_bp for rung in edge.ladder] == [1_500, 10_000]


@pytest.mark.parametrize("kind", ["route53", "cloudfront"])
def test_a_plan_drawn_without_the_edge_gets_the_same_one(kind: EdgeKind, aws: EmbeddedAws) -> None:
    drawn = deployed(kind, aws)

    led = led_in(quickened(application("shop").plan, BRIEF), kind, aws, BRIEF)

    assert [(edge.dns, edge.cdn) for edge in led.edges] == [(edge.dns, edge.cdn) for edge in drawn.edges]
    assert [edge.green.name for edge in led.edges] == [edge.green.name for edge in drawn.edges]


def test_only_the_shop_has_other_doors() -> None:
    with pytest.raises(BadInput, match="bookings is reached by its own load balancer"):
        application("bookings", door="route53")


@pytest.mark.parametrize("pace", [BRIEF, FULL])
def test_an_edge_settles_as_long_as_its_nature_asks(pace: Pace) -> None:
    assert pace.settle_of("alb") == pace.settle_of("cloudfront") < pace.settle_of("route53") == 60
    assert pace.settle_of("nlb") == pace.connection_seconds


def test_a_batch_of_records_is_a_share_once_accepted_and_everywhere_once_spread(aws: EmbeddedAws) -> None:
    plan = deployed("route53", aws)
    [edge] = plan.edges
    assert edge.dns is not None
    client = aws.client("route53")
    zone = edge.dns.zone_id
    [found] = [
        record
        for record in client.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
        if record["Type"] == "A"
    ]
    route53.spread_slowly(20)
    began = datetime.now(UTC).timestamp()

    pair = [("blue", 150), (f"crossfade-{edge.name}-green", 50)]
    changes = [{"Action": "DELETE", "ResourceRecordSet": found}] + [
        {"Action": "CREATE", "ResourceRecordSet": {**found, "SetIdentifier": name, "Weight": weight}}
        for name, weight in pair
    ]
    client.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})

    [share] = shares_held(edge, AT_ONCE, began)
    assert share.green_percent == 25
    assert share.everywhere_at - share.at == pytest.approx(20, abs=0.01)


def test_an_alarm_on_a_distribution_rings_in_its_own_region_and_is_heard_at_home(aws: EmbeddedAws) -> None:
    plan = deployed("cloudfront", aws).model_copy(update={"alarms": ("too-many-errors",)})
    queue = aws.client("sqs").create_queue(QueueName="heard")["QueueUrl"]
    where = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    events = aws.client("events")
    events.put_rule(Name="heard", EventPattern='{"source": ["aws.cloudwatch"]}')
    events.put_targets(Rule="heard", Targets=[{"Id": "queue", "Arn": where["QueueArn"]}])

    forwarded = forward_alarms(aws, plan, "crossfade")
    alarms = aws.client("cloudwatch", "us-east-1")
    alarms.put_metric_alarm(
        AlarmName="too-many-errors",
        Namespace="AWS/CloudFront",
        MetricName="5xxErrorRate",
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        Threshold=5,
        ComparisonOperator="GreaterThanThreshold",
    )
    alarms.set_alarm_state(AlarmName="too-many-errors", StateValue="ALARM", StateReason="tried")

    assert forwarded
    assert aws.client("cloudwatch").describe_alarms(AlarmNames=["too-many-errors"])["MetricAlarms"] == []
    messages = aws.client("sqs")
    until(  # the shop has an alarm of its own, which tells of its state too
        lambda: any(
            "too-many-errors" in heard["Body"]
            for heard in messages.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        )
    )


def test_nothing_is_led_home_where_no_edge_is_cloudfronts(aws: EmbeddedAws) -> None:
    assert not forward_alarms(aws, quickened(application("shop").plan, BRIEF), "crossfade")


def test_what_is_assumed_of_aws_is_said_at_every_edge_that_is_slow_by_nature() -> None:
    said = {kind: nature(kind, BRIEF) for kind in get_args(EdgeKind)}

    assert said["alb"] == ""
    assert f"{BRIEF.connection_seconds} s" in said["nlb"]
    assert f"{BRIEF.dns_propagation_seconds} s" in said["route53"]
    assert "climbs 15 % and is promoted" in said["cloudfront"]
    assert f"{BRIEF.cdn_propagation_seconds} s" in said["cloudfront"]


def test_load_goes_on_until_the_last_user_may_have_heard_of_the_way_back() -> None:
    named = Slowness(propagation=2, ttl=5, patience=3)

    assert (AT_ONCE.tail, named.tail, Slowness(longest_connection=7).tail) == (0, 17, 7)
