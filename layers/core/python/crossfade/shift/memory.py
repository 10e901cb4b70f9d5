"""Edges in memory: the promises of the real ones, for tests and for trying things out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from crossfade.errors import BlueUnhealthy, EdgeChanged, EdgeOwned, GreenNotReady, UnknownEdge, UnreachableGoal
from crossfade.journal.edges import AlbEdge, AlbRule, EdgeRecord, FoundEdge, StoredRequest
from crossfade.plan.edges import EdgePlan
from crossfade.plan.finding import Finding
from crossfade.shift.share import ALL, NONE, Share
from crossfade.shift.shifter import OfThePlan


@dataclass
class MemoryEdge:
    """What the account holds of one edge: per rule green's share, None where green is no end of it."""

    blue: str
    rules: dict[str, Share | None]
    load_balancer: str = "load-balancer"
    shifts: list[Share] = field(default_factory=list)


@dataclass
class MemoryEdges:
    """
    An `Edges` whose account holds the edges of these plans, as the plans say.

    `healthy` is how many targets answer, by target group; blue starts with two. `slow` is
    what an edge says while its changes spread; empty says that they have.
    """

    slow: str = ""
    healthy: dict[str, int] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    laid: dict[str, MemoryEdge] = field(default_factory=dict)

    @classmethod
    def of(cls, *plans: EdgePlan) -> MemoryEdges:
        """Return an account that holds what these plans describe."""
        edges = cls()
        for plan in plans:
            edges.lay(plan)
        return edges

    def lay(self, plan: EdgePlan) -> None:
        """Make the plan's rules, all of them on blue."""
        rules: dict[str, Share | None] = {
            f"{rule.load_balancer}/{rule.listener_port}/{rule.priority}": None for rule in plan.rules
        }
        self.laid[plan.name] = MemoryEdge(_arn(plan.blue.name), rules)
        self.healthy[_arn(plan.blue.name)] = 2

    def find(self, plan: EdgePlan) -> FoundEdge:
        edge = self.laid.get(plan.name)
        if edge is None or edge.blue != _arn(plan.blue.name):
            raise UnknownEdge(f"edge {plan.name}: nothing leads to {plan.blue.name}")
        planned = {f"{rule.load_balancer}/{rule.listener_port}/{rule.priority}" for rule in plan.rules}
        if planned != set(edge.rules):
            raise EdgeChanged(f"edge {plan.name}: the plan names {sorted(planned)}, {sorted(edge.rules)} are there")
        if max((share or NONE for share in edge.rules.values()), default=NONE) > NONE:
            raise EdgeChanged(f"edge {plan.name}: green holds a share already")
        green = None if None in edge.rules.values() else _arn(plan.green.name)
        found = FoundEdge(
            name=plan.name,
            resolved=AlbEdge(
                load_balancer_arn=edge.load_balancer,
                blue_arn=edge.blue,
                green_arn=green,
                rules=tuple(
                    AlbRule(arn=arn, is_default=False, found_actions=({"green_bp": _bp(share)},))
                    for arn, share in edge.rules.items()
                ),
            ),
            way_back=(),
            ceiling_bp=plan.ceiling_bp,
            settle_seconds=plan.settle_seconds,
        )
        return found.model_copy(update={"way_back": self.shifter(found).way_back()})

    def make_green_end(self, edge: EdgeRecord, name: str, tags: Mapping[str, str]) -> EdgeRecord:
        arn = _arn(name)
        if not tags.items() <= self.tags.setdefault(arn, dict(tags)).items():
            raise EdgeOwned(f"edge {edge.name}: a target group {name} exists and is not this migration's")
        self.healthy.setdefault(arn, 0)
        laid = self.laid[edge.name]
        for rule in edge.resolved.rules:
            if rule.arn not in laid.rules:
                raise EdgeChanged(f"edge {edge.name}: rule {rule.arn} is gone")
            if laid.rules[rule.arn] is None:
                laid.rules[rule.arn] = NONE
        made = edge.model_copy(update={"resolved": edge.resolved.model_copy(update={"green_arn": arn})})
        return made.model_copy(update={"way_back": self.shifter(made).way_back()})

    def check(self, edge: FoundEdge, *, scaled: bool) -> tuple[Finding, ...]:  # noqa: ARG002
        return ()

    def clear_away(self, edge: EdgeRecord) -> EdgeRecord:
        return edge

    def tend(self, edge: EdgeRecord) -> str:  # noqa: ARG002
        return ""

    def end_detour(self, edge: EdgeRecord) -> EdgeRecord:
        return edge

    def shifter(self, edge: FoundEdge) -> MemoryShifter:
        return MemoryShifter(self, edge)

    def healthy_targets(self, target_group_arn: str) -> int:
        return self.healthy.get(target_group_arn, 0)


class MemoryShifter(OfThePlan):
    """A `TrafficShifter` of an edge in memory."""

    def __init__(self, account: MemoryEdges, edge: FoundEdge) -> None:
        self._account = account
        self._edge = edge

    @property
    def change(self) -> str | None:
        return None

    def spreading(self) -> str:
        return self._account.slow

    def detour(self) -> bool:
        return False

    def shares(self) -> tuple[Share, ...]:
        return tuple(share or NONE for share in self._rules.values())

    def green(self) -> Share:
        shares = self._intact()
        if len(set(shares)) > 1:
            raise EdgeChanged(f"edge {self._edge.name}: its rules give green {sorted(shares)}")
        return shares[0]

    def set_green(self, share: Share) -> Share:
        if share > self.ceiling:
            raise UnreachableGoal(f"{share} is above the ceiling of {self.ceiling}")
        left = set(self._intact()) - {share}
        if not left:
            return share
        if len(left) > 1:
            raise EdgeChanged(f"edge {self._edge.name}: its rules give green {sorted(left)}")
        if share > NONE and not self._healthy(self._edge.resolved.green_arn):
            raise GreenNotReady(f"edge {self._edge.name}: green has no healthy target")
        if share < ALL and not self._healthy(self._edge.resolved.blue_arn):
            raise BlueUnhealthy(f"edge {self._edge.name}: blue has no healthy target")
        return self._give(share)

    def withdraw(self) -> Share:
        if max(self.shares(), default=NONE) == NONE:
            return NONE
        if not self._healthy(self._edge.resolved.blue_arn):
            raise BlueUnhealthy(f"edge {self._edge.name}: blue has no healthy target to take green's share")
        return self._give(NONE)

    def way_back(self) -> tuple[StoredRequest, ...]:
        missing = [rule.arn for rule in self._edge.resolved.rules if rule.arn not in self._rules]
        if missing:
            raise EdgeChanged(f"edge {self._edge.name}: rules are gone: {missing}")
        return tuple(
            StoredRequest(action="modifyRule", arguments={"RuleArn": rule.arn, "Actions": [{"green_bp": 0}]})
            for rule in self._edge.resolved.rules
        )

    @property
    def _rules(self) -> dict[str, Share | None]:
        return self._account.laid[self._edge.name].rules

    def _intact(self) -> list[Share]:
        shares = [self._rules.get(rule.arn) for rule in self._edge.resolved.rules]
        held = [share for share in shares if share is not None]
        if self._edge.resolved.green_arn is None or len(held) < len(shares) or len(self._rules) > len(shares):
            raise EdgeChanged(f"edge {self._edge.name} no longer divides between blue and green")
        return held

    def _healthy(self, arn: str | None) -> bool:
        return arn is not None and self._account.healthy_targets(arn) > 0

    def _give(self, share: Share) -> Share:
        edge = self._account.laid[self._edge.name]
        edge.rules = {arn: None if held is None else share for arn, held in edge.rules.items()}
        edge.shifts.append(share)
        return share


def _arn(target_group: str) -> str:
    return f"targetgroup/{target_group}"


def _bp(share: Share | None) -> int | None:
    return None if share is None else share.bp
