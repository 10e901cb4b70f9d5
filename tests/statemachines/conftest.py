from __future__ import annotations

from collections.abc import Iterator

import pytest

from crossfade.journal.dynamodb import DynamoDbJournal
from crossfade.phases import Phase
from rehearsal.aws.cloudwatch_regions import forget_metrics
from rehearsal.deploy import Deployer
from rehearsal.examples import application
from rehearsal.pace import quickened
from rehearsal.permits import stack_parameters
from rehearsal.rehearsal import STACK, TEMPLATE
from rehearsal.timeless import timeless_aws

from .world import PACE, Meter, World

_BALANCING = "arn:aws:elasticloadbalancing:*:*"
OTHERS = {
    "DistributionArns": "arn:aws:cloudfront::*:distribution/*",
    "EdgeArns": f"{_BALANCING}:listener/net/flows/*",
    "HostedZoneArns": "arn:aws:route53:::hostedzone/*",
    "RecordNames": "shop.example",
    "TargetGroupArns": f"{_BALANCING}:targetgroup/flows-green/*",
}
"""What the plans of other migrations name; tests make these edges themselves, and their ids with them."""


@pytest.fixture(scope="module")
def deployed() -> Iterator[World]:
    """The shop as blue and the product beside it, deployed once; every test opens the same migration anew."""
    shop = application("shop")
    plan = quickened(shop.plan, PACE)
    with timeless_aws() as aws:
        deployer = Deployer(aws, period_scale=PACE.time_scale)
        for name, template in shop.stacks:
            deployer.deploy(template, name)
        permitted = stack_parameters(plan)
        permitted |= {name: f"{permitted[name]},{more}" if name in permitted else more for name, more in OTHERS.items()}
        outputs = deployer.deploy_sam(TEMPLATE, STACK, permitted)
        meter = Meter(aws, plan)
        meter.start()
        journal = DynamoDbJournal(aws.client("dynamodb"), outputs["JournalTable"])
        yield World(aws, plan, outputs, deployer.describe(STACK), meter, journal)
        meter.stop()


@pytest.fixture
def world(deployed: World) -> Iterator[World]:
    """The deployed world, all traffic on blue and nothing running, before the test and after it."""
    deployed.begin()
    yield deployed
    deployed.aws.faults.clear()
    deployed.aws.events.clear()
    deployed.meter.green_fails = deployed.meter.blue_fails = 0.0
    deployed.meter.counts = True
    forget_metrics("Crossfade")  # an ejection of this test would ring in the next for a minute
    alarms = deployed.aws.client("cloudwatch")
    for alarm in alarms.describe_alarms(StateValue="ALARM")["MetricAlarms"]:
        alarms.set_alarm_state(AlarmName=alarm["AlarmName"], StateValue="OK", StateReason="the test is over")
    if deployed.phase() != Phase.ROLLED_BACK:
        deployed.roll_back_by_hand()
    deployed.until(deployed.is_quiet, "every execution has ended")
    refused = deployed.aws.iam.take_refused()
    assert not refused, f"IAM refused what the product must do: {refused[0]}"
