"""What green was given at an edge, and when: read from what the emulated AWS wrote down of each change it accepted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from crossfade.plan.edges import EdgePlan
from rehearsal.aws.cloudfront import policy_changes
from rehearsal.aws.elbv2 import WeightChange, weight_changes
from rehearsal.aws.route53 import RecordChange, record_changes
from rehearsal.doors import Slowness
from rehearsal.summary import ShareHeld


class _Given(NamedTuple):
    """A share of green's: when AWS accepted it and when every place answers by it, by the wall clock."""

    at: float
    everywhere_at: float
    percent: float


def shares_held(edge: EdgePlan, slowness: Slowness, since: float) -> tuple[ShareHeld, ...]:
    """Return every change of green's share since a moment of the wall clock, in order; repetitions are left out."""
    shares: list[ShareHeld] = []
    for given in _given(edge, slowness):
        if given.at >= since and (not shares or shares[-1].green_percent != given.percent):
            shares.append(
                ShareHeld(
                    at=round(given.at - since, 2),
                    green_percent=given.percent,
                    everywhere_at=round(given.everywhere_at - since, 2),
                )
            )
    return tuple(shares)


def _given(edge: EdgePlan, slowness: Slowness) -> Iterator[_Given]:
    if edge.kind == "route53":
        for change in record_changes():
            if (percent := _of_records(change, edge)) is not None:
                yield _Given(change.at.timestamp(), change.spread_at.timestamp(), percent)
    elif edge.kind == "cloudfront":
        for policy in policy_changes():
            at = policy.at.timestamp()
            yield _Given(at, at + (slowness.propagation or 0), round(100 * policy.weight, 2))
    else:
        for weights in weight_changes():
            if (percent := _of_weights(weights, edge.green.name)) is not None:
                yield _Given(weights.at.timestamp(), weights.at.timestamp(), percent)


def _of_weights(change: WeightChange, green: str) -> float | None:
    weights = {arn.split("/")[1]: weight for arn, weight in change.weights.items()}
    total = sum(weights.values())
    return round(100 * weights[green] / total, 2) if green in weights and total else None


def _of_records(change: RecordChange, edge: EdgePlan) -> float | None:
    """Return the largest of the shares that a batch gives green; None for a batch that is not the edge's."""
    if edge.dns is None or change.zone != edge.dns.zone_id:
        return None
    names = {(f"{record.name.lower().rstrip('.')}.", record.type) for record in edge.dns.records}
    green = f"crossfade-{edge.name}-green"
    groups = [weights for key, weights in change.weights.items() if key in names]
    totals = [(each.get(green, 0), sum(each.values())) for each in groups]
    return max((round(100 * units / total, 2) for units, total in totals if total), default=None)
