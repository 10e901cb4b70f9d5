"""The real stack with a permission less: IAM refuses, the refusal is named, and nothing is left half done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from rehearsal.aws.iam_enforcement import Refusal

from .world import World


@contextmanager
def without(world: World, policy: str, sid: str) -> Iterator[None]:
    """Take one statement out of a managed policy of the stack, and put it back at the end."""
    iam, arn = world.aws.client("iam"), world.physical[policy]
    whole = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=whole)["PolicyVersion"]["Document"]
    kept = [statement for statement in document["Statement"] if statement["Sid"] != sid]
    assert len(kept) == len(document["Statement"]) - 1, f"{policy} has no statement {sid}"
    less = iam.create_policy_version(
        PolicyArn=arn, PolicyDocument=json.dumps({**document, "Statement": kept}), SetAsDefault=True
    )
    try:
        yield
    finally:
        iam.set_default_policy_version(PolicyArn=arn, VersionId=whole)
        iam.delete_policy_version(PolicyArn=arn, VersionId=less["PolicyVersion"]["VersionId"])


def refused(world: World) -> set[str]:
    return {refusal.asked.action for refusal in taken(world)}


def taken(world: World) -> list[Refusal]:
    return world.aws.iam.take_refused()


def test_a_stack_that_may_not_change_a_rule_rolls_back_and_says_so(world: World) -> None:
    with without(world, "EdgeShifting", "ShiftNamedListeners"):
        ended = world.ended(world.migrate())
        world.until_phase("rolled_back")

    assert refused(world) == {"elasticloadbalancing:ModifyListener"}
    assert "elasticloadbalancing:ModifyListener" in (world.journal.read("shop").reason or ""), ended
    assert world.meter.green_percent() == 0


def test_a_way_back_that_iam_refuses_is_tried_until_it_is_allowed(world: World) -> None:
    world.migrate()
    world.until_green_has(50)
    with without(world, "EdgeShifting", "ShiftNamedListeners"):
        world.meter.green_fails = 0.1
        world.until_phase("rolling_back")
        world.until(lambda: len(world.aws.iam.refused) > 0, "IAM has refused the way back")
        meanwhile = world.meter.green_percent()

    world.until_phase("rolled_back")

    assert refused(world) == {"elasticloadbalancing:ModifyListener"}
    assert meanwhile == 50
    assert world.meter.green_percent() == 0
