"""What is around an edge is looked at before the start, and an edge the judge could not judge is refused."""

from __future__ import annotations

import pytest

from crossfade.errors import EdgeChanged
from crossfade.journal.edges import EdgeRecord, FoundEdge, NlbEdge
from crossfade.plan.document import MigrationPlan
from crossfade.plan.finding import Finding
from crossfade.plan.services import Call, ClientAlias, Endpoint
from crossfade.preflight.edges import divided
from crossfade.shift.memory import MemoryEdges
from tests.traffic import a_plan, an_edge, an_edge_plan


def flows(**service: object) -> tuple[MigrationPlan, EdgeRecord]:
    """Return a plan whose edge divides flows, and the edge."""
    plan = a_plan(edges=(an_edge_plan(kind="nlb"),))
    [web] = plan.services
    resolved = NlbEdge(load_balancer_arn="net", blue_arn="blue", rules=an_edge().resolved.rules)
    edge = EdgeRecord(migration="shop", name="web", kind="nlb", resolved=resolved, way_back=())
    return plan.model_copy(update={"services": (web.model_copy(update=service),)}), edge


def test_an_edge_behind_which_nothing_is_counted_is_refused_since_it_would_hold_for_ever() -> None:
    plan, edge = flows()

    [finding] = divided(plan, [edge], MemoryEdges())

    assert "hold for ever" in finding.refused
    assert "judging: shadow" in finding.mend


def test_a_service_that_serves_by_service_connect_can_be_judged() -> None:
    endpoint = Endpoint(
        port_name="web",
        container_port=80,
        discovery_name="web-sc",
        client_alias=ClientAlias(dns_name="web", port=80),
        app_protocol=None,
    )
    plan, edge = flows(endpoints=(endpoint,), calls=(Call(dns_name="db", port=5432, service=None),))

    [finding] = divided(plan, [edge], MemoryEdges())

    assert finding.refused == ""


def test_in_shadow_the_soak_is_enough() -> None:
    plan, edge = flows()

    [finding] = divided(plan.model_copy(update={"judging": "shadow"}), [edge], MemoryEdges())

    assert finding.refused == ""


def test_an_edge_whose_requests_are_counted_needs_no_more() -> None:
    assert list(divided(a_plan(), [an_edge()], MemoryEdges())) == []


@pytest.mark.parametrize(("period_seconds", "scaled"), [(60, False), (10, True)])
def test_durations_are_held_against_awss_own_but_in_a_rehearsal(period_seconds: int, *, scaled: bool) -> None:
    asked: list[bool] = []

    class Asked(MemoryEdges):
        def check(self, edge: FoundEdge, *, scaled: bool) -> tuple[Finding, ...]:
            asked.append(scaled)
            return (Finding(check="is sound", subject=edge.name),)

    plan = a_plan()
    timings = plan.timings.model_copy(update={"period_seconds": period_seconds})

    found = list(divided(plan.model_copy(update={"timings": timings}), [an_edge()], Asked()))

    assert [str(each) for each in found] == ["web: is sound"]
    assert asked == [scaled]


def test_an_edge_that_is_gone_is_a_finding_and_the_others_are_looked_at_all_the_same() -> None:
    class Gone(MemoryEdges):
        def check(self, edge: FoundEdge, *, scaled: bool) -> tuple[Finding, ...]:  # noqa: ARG002
            if edge.name == "web":
                raise EdgeChanged("the zone is gone")
            return (Finding(check="is sound", subject=edge.name),)

    found = list(divided(a_plan(), [an_edge(), an_edge(name="admin")], Gone()))

    assert [each.refused for each in found] == ["the zone is gone", ""]
