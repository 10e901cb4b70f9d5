"""
The line, whole, at the other edges: on demand, half a minute each.

CROSSFADE_EDGES=all plays every kind, CROSSFADE_EDGES=route53,nlb those named. What they stand on is tried without being
asked for in dataplane/test_edges_on_embedded_aws.py.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import get_args

import pytest

from crossfade.plan.edges import EdgeKind
from rehearsal.aws.cloudfront import PolicyChange, policy_changes
from rehearsal.aws.elbv2 import WeightChange, weight_changes
from rehearsal.aws.route53 import RecordChange, record_changes
from rehearsal.breaking import Breaking
from rehearsal.examples import application
from rehearsal.pace import BRIEF
from rehearsal.rehearsal import rehearse
from rehearsal.summary import Scenario, Summary

pytestmark = pytest.mark.rehearsal

KINDS: tuple[EdgeKind, ...] = get_args(EdgeKind)
ASKED = os.environ.get("CROSSFADE_EDGES", "").split(",")
PLAYED = [kind for kind in KINDS if kind in ASKED or "all" in ASKED]


def play(kind: EdgeKind, scenario: Scenario) -> tuple[Summary, set[str]]:
    """Play a scenario; return its summary and who changed the edge since the product was deployed."""
    deployed: list[datetime] = []
    kept: list[set[str]] = [set()]

    def callers() -> set[str]:
        changes: list[WeightChange | RecordChange | PolicyChange] = [*weight_changes(), *record_changes()]
        return {change.caller for change in (*changes, *policy_changes()) if change.at > deployed[0]}

    summary = rehearse(
        application("shop", door=kind),
        scenario,
        pace=BRIEF,
        breaking=Breaking(service="orders-sc"),
        limit_seconds=900,
        users_wait_seconds=60,
        tell=lambda _: kept.__setitem__(0, callers()) if deployed else None,
        tamper=lambda _aws, _deployer: deployed.append(datetime.now(UTC)),
    )
    return summary, kept[0]


@pytest.mark.skipif(not PLAYED, reason="CROSSFADE_EDGES names no kind of edge")
@pytest.mark.parametrize("kind", PLAYED)
def test_a_sick_green_is_caught_at_every_edge_and_only_handlers_change_it(kind: EdgeKind) -> None:
    summary, callers = play(kind, Scenario.SICK)

    [edge] = summary.edges
    assert summary.passed, summary
    assert (edge.kind, summary.outcome, edge.final_green_percent) == (kind, "rolled_back", 0.0)
    assert summary.requests.failed_blue == 0
    assert edge.shares[-1].everywhere_at - edge.shares[-1].at == pytest.approx(edge.propagation_seconds or 0, abs=0.02)
    assert callers
    assert all("AWS_Lambda" in caller for caller in callers)


@pytest.mark.skipif(not PLAYED, reason="CROSSFADE_EDGES names no kind of edge")
@pytest.mark.parametrize("kind", PLAYED)
def test_a_healthy_green_takes_over_at_every_edge_without_one_failed_request(kind: EdgeKind) -> None:
    summary, _ = play(kind, Scenario.HEALTHY)

    [edge] = summary.edges
    assert summary.passed, summary
    assert (edge.kind, summary.outcome, edge.final_green_percent) == (kind, "completed", 100.0)
    assert summary.requests.failed == 0
    assert (edge.asked_alone is not None) == (kind == "cloudfront")
    assert edge.asked_alone is None or (edge.asked_alone.requests >= 5, edge.asked_alone.failed) == (True, 0)
