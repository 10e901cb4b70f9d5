"""
What the owner's next apply would do to the edges: their code still says how users were divided before.

Crossfade changes weights in the account, not in the code that made them. Until that code
says the same, applying it again sends users back to blue, and after blue is retired, to
nobody. Pure: it compares rules as the sources say them with the shares that hold now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from crossfade.frozen import Frozen
from crossfade.mesh.model import ListenerRule, Place
from crossfade.plan.document import MigrationPlan
from crossfade.plan.edges import EdgePlan
from crossfade.shift.share import NONE, Share
from crossfade_cli.driftpatch import Wanted, unified


class Drift(Frozen):
    """A rule whose code would set another share than the one that holds, and the patch that makes them agree."""

    edge: str
    rule: str
    where: str
    says_bp: int
    holds_bp: int
    patch: str

    def __str__(self) -> str:
        says, holds = Share(self.says_bp), Share(self.holds_bp)
        return f"{self.where}: {self.rule} gives green {says}, and it holds {holds}: the next apply would undo that"


class Compared(Frozen):
    """What would be undone, and the edges of which the sources say nothing."""

    drifts: tuple[Drift, ...]
    unseen: tuple[str, ...]


def drift(
    plan: MigrationPlan,
    rules: Iterable[ListenerRule],
    holds: Mapping[str, Share],
    *,
    texts: Mapping[str, str] | None = None,
    green_arns: Mapping[str, str] | None = None,
) -> Compared:
    """
    Return what applying the sources would undo.

    Args:
        plan: The migration's plan.
        rules: Every listener and rule of the sources.
        holds: Green's share now, by the edge's name.
        texts: The sources by the file names that rules carry; with them a patch is a unified diff.
        green_arns: Green's target group, by the edge's name, where it is known.

    Returns:
        One drift for each rule that leads to blue's or green's target group and says
        another share. An edge of which the sources hold no rule is named as unseen, since
        nothing can be said of it: it counts as no clean answer.
    """
    known = tuple(rules)
    drifts: list[Drift] = []
    unseen: list[str] = []
    for edge in plan.edges:
        mine = [rule for rule in known if {edge.blue.name, edge.green.name} & set(rule.target_groups)]
        if not mine:
            unseen.append(edge.name)
        held = holds[edge.name]
        for rule in mine:
            says = _share(rule, edge)
            if says != held:
                drifts.append(
                    Drift(
                        edge=edge.name,
                        rule=f"listener {rule.load_balancer}:{rule.listener_port}, rule {rule.priority}",
                        where=str(rule.place),
                        says_bp=says.bp,
                        holds_bp=held.bp,
                        patch=_patch(edge, held, rule.place, texts or {}, (green_arns or {}).get(edge.name)),
                    )
                )
    return Compared(drifts=tuple(drifts), unseen=tuple(unseen))


def _share(rule: ListenerRule, edge: EdgePlan) -> Share:
    weights = dict(rule.weights) or dict.fromkeys(rule.target_groups, 1)
    blue, green = weights.get(edge.blue.name, 0), weights.get(edge.green.name, 0)
    return Share(round(10_000 * green / (blue + green))) if blue + green else NONE


def _patch(edge: EdgePlan, held: Share, place: Place, texts: Mapping[str, str], green_arn: str | None) -> str:
    """Return a diff of the owner's file, or the exact values where there is none."""
    green = round(held.bp / 100)
    blue = 100 - green
    if green_arn is not None:
        diff = unified(texts, place, Wanted(green_arn=green_arn, blue_weight=blue, green_weight=green))
        if diff is not None:
            return diff
    return (
        f"forward to target group {edge.blue.name} with weight {blue}, "
        f"and to {green_arn or edge.green.name} with weight {green}\n"
    )
