"""
How one rule of a load balancer divides requests, and how it shall: pure.

A rule's actions come and go as the list AWS answers. Only the `forward` action is
touched, and in it only the weights of blue and green: they share the part that the
two of them had before, so what else the action forwards to keeps its own.

Source: ForwardActionConfig and TargetGroupTuple in the Elastic Load Balancing API,
version 2015-12-01: weights are whole numbers from 0 to 999.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from math import gcd
from typing import Any

from crossfade.errors import EdgeChanged, UnreachableGoal
from crossfade.shift.limits import MOST_RULE_WEIGHT
from crossfade.shift.share import ALL, NONE, Share

ROUNDING_BP = 40
"""A share held lies this close to the share asked for, or the edge is too coarse."""

_PAIR = 800  # units that blue and green divide where they are alone: whole for 1 %, 5 %, 12.5 %, 95 %

Action = dict[str, Any]
Actions = tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Split:
    """The weights of a `forward` action; None for an end that it does not name."""

    blue: int | None
    green: int | None
    others: dict[str, int]

    @property
    def pair(self) -> int:
        """Return the units that blue and green divide."""
        return (self.blue or 0) + (self.green or 0)

    @property
    def total(self) -> int:
        """Return all units of the action."""
        return self.pair + sum(self.others.values())

    @property
    def share(self) -> Share:
        """Return green's part of what goes to blue or green; nothing where green is no end."""
        return Share(round((self.green or 0) * ALL.bp / self.pair)) if self.pair else NONE


def split(actions: Iterable[Mapping[str, Any]], *, blue: str, green: str | None) -> Split | None:
    """Return how these actions forward to blue or green; None when they forward to neither."""
    for action in actions:
        weights = _weights(action)
        if blue in weights or green in weights:
            others = {arn: weight for arn, weight in weights.items() if arn not in {blue, green}}
            return Split(weights.get(blue), weights.get(green) if green is not None else None, others)
    return None


def divide(found: Split, share: Share) -> Split:
    """
    Return the weights by which green holds `share` of what the two ends have.

    A share between nothing and all leaves each end at least one unit.

    Raises:
        UnreachableGoal: the other weights leave units too coarse to come within 40 basis points.
        EdgeChanged: neither end has a unit to divide.
    """
    if found.pair == 0:
        raise EdgeChanged("neither blue nor green has a weight left")
    pair, others = _finest(found)
    green = apportion(pair, share)
    return Split(pair - green, green, others)


def apportion(pair: int, share: Share) -> int:
    """
    Return how many of the units that two ends divide are green's.

    A share between nothing and all leaves each end at least one unit.

    Raises:
        UnreachableGoal: the units are too coarse to come within 40 basis points.
    """
    green = round(pair * share.fraction)
    if NONE < share < ALL and pair > 1:
        green = min(max(green, 1), pair - 1)
    held = Split(pair - green, green, {}).share
    if abs(held.bp - share.bp) > ROUNDING_BP or (NONE < share < ALL) != (NONE < held < ALL):
        raise UnreachableGoal(f"{share}: blue and green divide {pair} units here, too few to come near it")
    return green


def without_green(found: Split) -> Split:
    """
    Return the weights by which blue has all that blue and green had: possible from anywhere.

    A rule without any total gives blue a unit; one that others serve alone stays theirs.
    """
    if found.total == 0:
        return replace(found, blue=1)
    if found.pair == 0:
        return found
    pair, others = (found.pair, found.others) if found.pair <= MOST_RULE_WEIGHT else _finest(found)
    return Split(pair, None if found.green is None else 0, others)


def _finest(found: Split) -> tuple[int, dict[str, int]]:
    """Return the most units for blue and green together, and the others in proportion to them."""
    heaviest = max(found.pair, *found.others.values(), 0)
    if heaviest == found.pair == found.total:
        return _PAIR, found.others
    unit = gcd(found.pair, *found.others.values())
    times = MOST_RULE_WEIGHT * unit // heaviest
    if times:
        return found.pair // unit * times, {arn: weight // unit * times for arn, weight in found.others.items()}
    part = MOST_RULE_WEIGHT / heaviest  # blue and green together are heavier than one weight can be, and odd
    return round(found.pair * part), {
        arn: max(1, round(weight * part)) if weight else 0 for arn, weight in found.others.items()
    }


def with_weights(actions: Iterable[Mapping[str, Any]], wanted: Split, *, blue: str, green: str | None) -> Actions:
    """
    Return the whole action list with the weights of `wanted`, ready to be written.

    Order, authentication, stickiness and target groups at zero stay as they are.

    Raises:
        EdgeChanged: no action forwards to blue or green.
    """
    written: list[Action] = []
    done = False
    for action in writable(actions):
        weights = _weights(action)
        if not done and (blue in weights or green in weights):
            done = True
            action["ForwardConfig"] = {
                **action["ForwardConfig"],
                "TargetGroups": _tuples(weights, wanted, blue=blue, green=green),
            }
        written.append(action)
    if not done:
        raise EdgeChanged("the rule forwards neither to blue nor to green")
    return tuple(written)


def writable(actions: Iterable[Mapping[str, Any]]) -> Actions:
    """
    Return actions as AWS takes them back.

    What DescribeRules answers is not all that ModifyRule takes: a forward is said once,
    by its ForwardConfig, and a client secret is never shown, so the existing one is kept.
    """
    return tuple(_writable(action) for action in actions)


def _writable(action: Mapping[str, Any]) -> Action:
    written = deepcopy(dict(action))
    if written.get("Type") == "forward":
        weights = _weights(written)
        written.pop("TargetGroupArn", None)
        config = written.get("ForwardConfig") or {}
        groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights.items()]
        written["ForwardConfig"] = {**config, "TargetGroups": groups}
    oidc = written.get("AuthenticateOidcConfig")
    if oidc is not None and "ClientSecret" not in oidc:
        oidc["UseExistingClientSecret"] = True
    return written


def _weights(action: Mapping[str, Any]) -> dict[str, int]:
    """Return target group ARN -> weight, in the action's order; a weight left out is one."""
    if action.get("Type") != "forward":
        return {}
    groups = (action.get("ForwardConfig") or {}).get("TargetGroups") or []
    if groups:
        return {group["TargetGroupArn"]: int(group.get("Weight", 1)) for group in groups}
    return {action["TargetGroupArn"]: 1} if "TargetGroupArn" in action else {}


def _tuples(found: Mapping[str, int], wanted: Split, *, blue: str, green: str | None) -> list[dict[str, Any]]:
    weights = {arn: wanted.others.get(arn, weight) for arn, weight in found.items()}
    if wanted.blue is not None:
        weights[blue] = wanted.blue
    if green is not None and wanted.green is not None:
        weights[green] = wanted.green
    return [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights.items()]


def named(actions: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Return the ARN of every target group that the actions forward to, at whatever weight."""
    return frozenset(arn for action in actions for arn in _weights(action))


def without(actions: Iterable[Mapping[str, Any]], target_group: str) -> Actions:
    """
    Return the whole action list without one target group of its forwards, ready to be written.

    Raises:
        EdgeChanged: it is the only one of a forward.
    """
    written = writable(actions)
    for action in written:
        if action.get("Type") == "forward":
            groups = [
                each for each in action["ForwardConfig"]["TargetGroups"] if each["TargetGroupArn"] != target_group
            ]
            if not groups:
                raise EdgeChanged(f"the rule forwards to {target_group} alone")
            action["ForwardConfig"] = {**action["ForwardConfig"], "TargetGroups": groups}
    return written


def is_sticky(actions: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether a forward keeps its users on the target group they first met."""
    return any(
        bool(((action.get("ForwardConfig") or {}).get("TargetGroupStickinessConfig") or {}).get("Enabled"))
        for action in actions
    )
