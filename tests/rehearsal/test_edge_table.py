"""The table of edges: one row a kind, what was measured beside what the edge takes by nature."""

from __future__ import annotations

from rehearsal.edge_table import edge_table
from rehearsal.summary import EdgeSummary, Requests, Scenario, Seconds, Summary


def played(kind: str, scenario: Scenario, **changes: object) -> Summary:
    nature = {"propagation_seconds": 10 / 3, "ttl_seconds": 10.0} if kind == "route53" else {}
    edge = EdgeSummary(name="web", kind=kind, shares=(), final_green_percent=0, **nature)
    sick = scenario is Scenario.SICK
    measured = {"decision_to_zero": 1.0, "decision_to_everywhere": 4.3, "decision_to_last_green": 14.25}
    made = Summary(
        scenario=scenario,
        passed=True,
        outcome="rolled_back" if sick else "completed",
        reason="",
        edges=(edge,),
        requests=Requests(total=1_200, failed=7 if sick else 0, blue=0, green=0, failed_blue=0, failed_green=0),
        seconds=Seconds(total=30, **(measured if sick else {})),
        state_transitions=1,
        history_events_max=1,
        time_scale=6,
        requests_per_second=80,
        seed=0,
        envoy_version="1",
        services_created=3,
        migration="shop",
    )
    return made.model_copy(update=changes)


def test_a_row_says_what_was_measured_beside_what_the_edge_takes_on_aws() -> None:
    *_, row = edge_table([played("route53", Scenario.HEALTHY), played("route53", Scenario.SICK)]).splitlines()

    assert row == (
        "| `route53` | completed, 0 of 1,200 failed | rolled back, 7 of 1,200 failed | 1.0 s | 4.3 s | 14.2 s | 6 | "
        "20 s | TTL 60 s |"
    )


def test_every_row_has_a_cell_for_every_heading_and_kinds_keep_their_order() -> None:
    kinds = ["alb", "nlb", "route53", "cloudfront"]

    lines = edge_table([played(kind, Scenario.SICK) for kind in kinds]).splitlines()

    assert len({line.count("|") for line in lines}) == 1
    assert [line.split("|")[1].strip() for line in lines[2:]] == [f"`{kind}`" for kind in kinds]


def test_what_did_not_end_as_it_should_stands_out_and_what_was_not_played_is_left_open() -> None:
    *_, row = edge_table([played("alb", Scenario.HEALTHY, passed=False, outcome="held")]).splitlines()

    assert row == "| `alb` | **held**, 0 of 1,200 failed | - | - | - | - | 6 | - | - |"
