"""Edges of every kind as one: each call goes to the kind that the plan or the journal names."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from crossfade.errors import UnknownEdge
from crossfade.journal.edges import EdgeRecord, FoundEdge
from crossfade.plan.edges import EdgeKind, EdgePlan
from crossfade.plan.finding import Finding
from crossfade.shift.shifter import Edges, TrafficShifter


class EdgesOfKinds:
    """
    `Edges` of the account, whatever their kind.

    Takes a maker for each kind, called when first needed, so that a function makes only the clients it uses.

    Raises:
        UnknownEdge: by every method, of a kind that has no maker.
    """

    def __init__(self, makers: Mapping[EdgeKind, Callable[[], Edges]]) -> None:
        self._makers = makers
        self._made: dict[EdgeKind, Edges] = {}

    def find(self, plan: EdgePlan) -> FoundEdge:
        return self._of(plan.kind).find(plan)

    def make_green_end(self, edge: EdgeRecord, name: str, tags: Mapping[str, str]) -> EdgeRecord:
        return self._of(edge.kind).make_green_end(edge, name, tags)

    def check(self, edge: FoundEdge, *, scaled: bool) -> tuple[Finding, ...]:
        return self._of(edge.kind).check(edge, scaled=scaled)

    def clear_away(self, edge: EdgeRecord) -> EdgeRecord:
        return self._of(edge.kind).clear_away(edge)

    def tend(self, edge: EdgeRecord) -> str:
        return self._of(edge.kind).tend(edge)

    def end_detour(self, edge: EdgeRecord) -> EdgeRecord:
        return self._of(edge.kind).end_detour(edge)

    def shifter(self, edge: FoundEdge) -> TrafficShifter:
        return self._of(edge.kind).shifter(edge)

    def healthy_targets(self, target_group_arn: str) -> int:
        return self._of("alb").healthy_targets(target_group_arn)  # a target group is one behind every kind

    def _of(self, kind: EdgeKind) -> Edges:
        if kind not in self._makers:
            raise UnknownEdge(f"this stack has no edges of kind {kind}")
        if kind not in self._made:
            self._made[kind] = self._makers[kind]()
        return self._made[kind]
