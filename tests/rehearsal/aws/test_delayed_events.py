"""Events that arrive late, on a clock that stands still meanwhile."""

from __future__ import annotations

import json

from rehearsal.aws.events import emit
from rehearsal.timeless import timeless_aws
from tests.rehearsal.aws.lab import Lab, until

DEPLOYMENT = "ECS Deployment State Change"


def tell(source: str, name: str) -> None:
    emit(source, DEPLOYMENT, {"eventName": name}, ["arn:aws:ecs:eu-west-1:123456789012:service/shop/web"])


def test_a_delayed_event_arrives_behind_a_later_one() -> None:
    with timeless_aws() as aws:
        lab = Lab(aws)
        source = lab.name("source")
        url = lab.hear({"source": [source], "detail-type": [DEPLOYMENT]})
        aws.events.delay(DEPLOYMENT, 60)

        tell(source, "first")
        until(lambda: not aws.events._orders[DEPLOYMENT])
        tell(source, "second")

        assert [json.loads(body)["detail"]["eventName"] for body in lab.messages(url, 2)] == ["second", "first"]
