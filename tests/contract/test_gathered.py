"""What the alarms over a migration's alarms promise, asked of CloudWatch in the embedded AWS and of the fake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import cache
from typing import Any, Protocol

import boto3
import pytest
from botocore.stub import Stubber

from crossfade.connect.services import MIGRATION_TAG
from crossfade.errors import MetricsBusy
from crossfade.judge.cloudwatch import CloudWatchAlarms
from crossfade.rollout.cloudwatch import CloudWatchGatheredAlarms
from crossfade.rollout.gathered import GatheredAlarms
from crossfade.rollout.memory import MemoryGatheredAlarms
from rehearsal.aws import in_process


@cache  # reading a service's model takes boto3 longer than the test takes
def a_client() -> Any:
    return boto3.client("cloudwatch", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="a")  # noqa: S106


class Place(Protocol):
    @property
    def port(self) -> GatheredAlarms: ...

    def alarm(self, name: str) -> None: ...

    def mute(self, name: str) -> None: ...

    def there(self) -> set[str]: ...


class InMemory:
    def __init__(self) -> None:
        self.port = MemoryGatheredAlarms()

    def alarm(self, name: str) -> None:
        self.port.states[name] = "OK"

    def mute(self, name: str) -> None:
        self.port.muted[name] = "arn:nightly"

    def there(self) -> set[str]:
        return set(self.port.states)


class OnCloudWatch:
    def __init__(self) -> None:
        self.port = CloudWatchGatheredAlarms(a_client())

    def alarm(self, name: str) -> None:
        a_client().put_metric_alarm(
            AlarmName=name,
            Namespace="Shop",
            MetricName=name.replace('"', ""),
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
        )

    def mute(self, name: str) -> None:
        a_client().put_alarm_mute_rule(
            Name="nightly",
            Rule={"Schedule": {"Expression": "cron(0 2 * * *)", "Duration": "PT1H"}},
            MuteTargets={"AlarmNames": [name]},
        )

    def there(self) -> set[str]:
        found = a_client().describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        return {alarm["AlarmName"] for alarm in (*found["MetricAlarms"], *found["CompositeAlarms"])}


PLACES: dict[str, Callable[[], Place]] = {"memory": InMemory, "aws": OnCloudWatch}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with nullcontext() if request.param == "memory" else in_process():
        yield PLACES[request.param]()


def test_alarms_are_gathered_in_one_that_is_named_after_the_migration(place: Place) -> None:
    for name in ("shop-errors", "shop-slow"):
        place.alarm(name)

    done = [place.port.gather("shop", ["shop-slow", "shop-errors"]) for _ in range(2)]

    assert done == [None, None]
    assert place.port.members("crossfade-shop") == ("shop-slow", "shop-errors")
    assert "crossfade-shop" in place.there()


def test_an_alarm_of_another_region_is_left_out(place: Place) -> None:
    place.alarm("shop-errors")

    assert place.port.gather("shop", ["shop-cdn", "shop-errors"]) is None
    assert place.port.members("crossfade-shop") == ("shop-errors",)


@pytest.mark.parametrize("names", [[], ["elsewhere"]])
def test_over_no_alarm_there_is_none(place: Place, names: list[str]) -> None:
    place.alarm("shop-errors")
    place.port.gather("shop", ["shop-errors"])

    assert place.port.gather("shop", names) is None
    assert place.there() == {"shop-errors"}


def test_an_alarm_that_is_not_ours_gathers_nothing(place: Place) -> None:
    place.alarm("shop-errors")

    assert place.port.members("shop-errors") == place.port.members("none") == ()


def test_who_silenced_an_alarm_is_named(place: Place) -> None:
    for name in ("shop-errors", "shop-slow"):
        place.alarm(name)
    place.mute("shop-slow")

    silenced = place.port.silenced(["shop-errors", "shop-slow"])

    assert list(silenced) == ["shop-slow"]
    assert silenced["shop-slow"].endswith("nightly")


def test_alarms_are_removed_and_what_is_gone_stays_gone(place: Place) -> None:
    place.alarm("shop-errors")
    place.port.gather("shop", ["shop-errors"])

    for _ in range(2):
        place.port.remove(["crossfade-shop", "crossfade-shop-ejections"])

    assert place.there() == {"shop-errors"}


def test_it_rings_when_one_of_them_does_and_carries_the_migrations_tag() -> None:
    with in_process():
        place = OnCloudWatch()
        for name in ("shop-errors", "shop-slow"):
            place.alarm(name)
        place.port.gather("shop", ["shop-errors", "shop-slow"])
        alarms = CloudWatchAlarms(a_client())
        before = alarms.in_alarm(["crossfade-shop"])
        a_client().set_alarm_state(AlarmName="shop-slow", StateValue="ALARM", StateReason="slow")

        after = alarms.in_alarm(["crossfade-shop"])

        arn = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:crossfade-shop"
        tags = a_client().list_tags_for_resource(ResourceARN=arn)["Tags"]
    assert (before, after) == (frozenset(), frozenset({"crossfade-shop"}))
    assert tags == [{"Key": MIGRATION_TAG, "Value": "shop"}]


def test_what_cloudwatch_does_not_take_is_said_and_what_it_throttles_is_asked_again() -> None:
    client = a_client()
    alarms: Any = {"MetricAlarms": [{"AlarmName": "shop-errors", "StateValue": "OK"}], "CompositeAlarms": []}
    with Stubber(client) as stub:
        stub.add_response("describe_alarms", alarms)
        stub.add_client_error("put_composite_alarm", "ValidationError", "too many alarms in the rule")
        refused = CloudWatchGatheredAlarms(client).gather("shop", ["shop-errors"])
        stub.add_client_error("describe_alarms", "Throttling")
        with pytest.raises(MetricsBusy):
            CloudWatchGatheredAlarms(client).gather("shop", ["shop-errors"])

    assert refused == "too many alarms in the rule"
