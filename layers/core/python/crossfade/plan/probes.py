"""Puts requests of our own into a plan: where an operator says that green's entry is asked. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from crossfade.errors import BadInput
from crossfade.plan.document import MigrationPlan
from crossfade.plan.edges import EdgePlan, Probe


def with_probes(plan: MigrationPlan, probes: Mapping[str, Probe]) -> MigrationPlan:
    """
    Return the plan with these probes at its edges. A service's name stands for all of its edges.

    Raises:
        BadInput: no edge has that name or service, or its kind cannot be asked like that.
    """
    known = {name for edge in plan.edges for name in (edge.name, edge.service)}
    for name in probes:
        if name not in known:
            raise BadInput(f"--probe {name}: no edge leads to it; {_there(known)}")
    edges = tuple(_probed(edge, probes.get(edge.name) or probes.get(edge.service)) for edge in plan.edges)
    return plan.model_copy(update={"edges": edges})


def _probed(edge: EdgePlan, probe: Probe | None) -> EdgePlan:
    if probe is None:
        return edge
    if edge.kind == "nlb":
        raise BadInput(f"--probe {edge.name}: an nlb edge divides connections, and has no status codes to count")
    if probe.staging_url is not None and edge.kind != "cloudfront":
        raise BadInput(f"--probe-staging {edge.name}: only a cloudfront edge has staging, this one is {edge.kind}")
    return edge.model_copy(update={"probe": probe})


def _there(known: set[str]) -> str:
    return f"the plan has edges of {', '.join(sorted(known))}" if known else "the plan has no edge"
