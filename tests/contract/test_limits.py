"""AWS's limits that botocore does not know: the product and the embedded AWS refuse the same, and take the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from crossfade.shift.limits import of_actions, of_changes, of_policy, of_target_group
from rehearsal.aws import in_process
from tests.cdn import Cdn
from tests.load_balancer import forward
from tests.zone import Zone


class Account:
    """A load balancer, a zone and a distribution, each asked by hands that know no limits."""

    def __init__(self) -> None:
        self.zone = Zone()
        self.front = self.zone.front
        self.cdn = Cdn(front=self.front)
        edge = self.cdn.edges.make_green_end(self.cdn.edges.find(self.cdn.plan).owned_by("shop"), "web-green", {})
        self.found = self.cdn.policy(edge)
        self.policy_id = getattr(edge.resolved, "policy_id", "")

    def actions(self, actions: list[dict[str, Any]]) -> None:
        self.front.put(self.front.rule, *actions)

    def changes(self, changes: list[dict[str, Any]]) -> None:
        self.zone.client.change_resource_record_sets(HostedZoneId=self.zone.id, ChangeBatch={"Changes": changes})

    def policy(self, config: dict[str, Any]) -> None:
        etag = self.cdn.client.get_continuous_deployment_policy(Id=self.policy_id)["ETag"]
        wanted = {**self.found, **config}
        self.cdn.client.update_continuous_deployment_policy(
            Id=self.policy_id, IfMatch=etag, ContinuousDeploymentPolicyConfig=wanted
        )

    def name(self, name: str) -> None:
        self.front.target_group(name)


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with in_process():
        yield Account()


@dataclass(frozen=True)
class Limit:
    """What is written by one of `Account`'s hands, what the product says of it, and values within and beyond."""

    hand: str
    product: Callable[[Any], Iterable[str]]
    written: Callable[[Account, Any], Any]
    within: tuple[Any, ...]
    beyond: tuple[Any, ...]


def _weighted(account: Account, weight: int) -> list[dict[str, Any]]:
    return [forward({account.front.blue: 1, account.front.other: weight})]


def _many(account: Account, count: int) -> list[dict[str, Any]]:
    groups = [account.front.target_group(f"one-of-{count}-{number}") for number in range(count)]
    return [forward(dict.fromkeys(groups, 1))]


def _twice(account: Account, times: int) -> list[dict[str, Any]]:
    group = {"TargetGroupArn": account.front.other, "Weight": 1}
    return [{"Type": "forward", "ForwardConfig": {"TargetGroups": [group] * times}}]


def _record(**members: Any) -> dict[str, Any]:
    record = {"Name": "limits.shop.example", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "10.0.0.1"}]}
    return {**record, **members}


def _changed(*records: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"Action": "UPSERT", "ResourceRecordSet": record} for record in records]


def _addresses(count: int) -> list[dict[str, str]]:
    return [{"Value": f"10.{number // 250}.{number % 250}.1"} for number in range(count)]


def _batch(count: int) -> list[dict[str, Any]]:
    """Return a batch of so many values, an UPSERT's counted twice, in as many records as they need."""
    parts = [min(400, count // 2 - start) for start in range(0, count // 2, 400)]
    records = [
        _record(Name=f"batch-{at}.shop.example", ResourceRecords=_addresses(part)) for at, part in enumerate(parts)
    ]
    return _changed(*records)


def _texts(characters: int) -> list[dict[str, Any]]:
    """Return a batch of so many characters, an UPSERT's counted twice."""
    values = [{"Value": f'"{"x" * 238}"'}] * (characters // 2 // 240)
    left = characters // 2 % 240
    more = [{"Value": f'"{"x" * (left - 2)}"'}] if left else []
    return _changed(_record(Name="texts.shop.example", Type="TXT", ResourceRecords=[*values, *more]))


def _staged(weight: float, **single: Any) -> dict[str, Any]:
    return {"TrafficConfig": {"Type": "SingleWeight", "SingleWeightConfig": {"Weight": weight, **single}}}


def _session(times: tuple[int, int]) -> dict[str, Any]:
    return _staged(0.05, SessionStickinessConfig={"IdleTTL": times[0], "MaximumTTL": times[1]})


def _header(name: str) -> dict[str, Any]:
    return {"TrafficConfig": {"Type": "SingleHeader", "SingleHeaderConfig": {"Header": name, "Value": "web"}}}


LIMITS: dict[str, Limit] = {
    "a rule's weight": Limit("actions", of_actions, _weighted, (0, 1, 999), (-1, 1_000)),
    "target groups of an action": Limit("actions", of_actions, _many, (1, 5), (6,)),
    "a target group in an action": Limit("actions", of_actions, _twice, (1,), (2,)),
    "a target group's name": Limit(
        "name",
        of_target_group,
        lambda _, name: name,
        ("a", "web-sc", "x" * 32, "Internal-1"),
        ("", "x" * 33, "-web", "web-", "web_sc", "web.sc", "internal-web"),
    ),
    "a record's weight": Limit(
        "changes",
        of_changes,
        lambda _, weight: _changed(_record(SetIdentifier="one", Weight=weight, Name="weights.shop.example")),
        (0, 255),
        (-1, 256),
    ),
    "a set identifier": Limit(
        "changes",
        of_changes,
        lambda _, length: _changed(_record(SetIdentifier="i" * length, Weight=1, Name="names.shop.example")),
        (1, 128),
        (129,),
    ),
    "a record's values": Limit(
        "changes", of_changes, lambda _, count: _changed(_record(ResourceRecords=_addresses(count))), (1, 400), (401,)
    ),
    "a batch's values": Limit("changes", of_changes, lambda _, count: _batch(count), (1_000,), (1_002,)),
    "a batch's characters": Limit("changes", of_changes, lambda _, count: _texts(count), (32_000,), (32_008,)),
    "a staged weight": Limit(
        "policy", of_policy, lambda _, weight: _staged(weight), (0.0, 0.01, 0.07, 0.15), (-0.01, 0.16, 0.155, 0.005)
    ),
    "a session": Limit(
        "policy",
        of_policy,
        lambda _, times: _session(times),
        ((300, 300), (300, 3_600), (3_600, 3_600)),
        ((299, 300), (300, 3_601), (600, 300)),
    ),
    "a header": Limit(
        "policy", of_policy, lambda _, name: _header(name), ("aws-cf-cd-crossfade",), ("x-crossfade", "aws-cf")
    ),
}
ROWS = [
    pytest.param(limit, value, refused, id=f"{name}: {str(value)[:40]}")
    for name, limit in LIMITS.items()
    for values, refused in ((limit.within, False), (limit.beyond, True))
    for value in values
]


@pytest.mark.parametrize(("limit", "value", "refused"), ROWS)
def test_the_product_and_the_embedded_aws_refuse_the_same(
    account: Account, limit: Limit, value: Any, *, refused: bool
) -> None:
    written = limit.written(account, value)

    assert bool([*limit.product(written)]) is refused
    write = getattr(account, limit.hand)
    if refused:
        with pytest.raises((ClientError, ParamValidationError)):  # botocore knows a few of them
            write(written)
    else:
        write(written)
