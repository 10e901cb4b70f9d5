"""What happens in mid-climb that is no fault of green's, with real proxies; other scenarios are played on demand."""

from __future__ import annotations

import pytest

from rehearsal.breaking import Breaking
from rehearsal.disturbing import DISTURBANCES
from rehearsal.examples import application
from rehearsal.pace import BRIEF
from rehearsal.rehearsal import rehearse
from rehearsal.summary import Scenario

pytestmark = pytest.mark.rehearsal


def test_an_abort_in_mid_climb_needs_no_lambda_and_leads_nobody_to_an_empty_target_group() -> None:
    summary = rehearse(
        application("shop"),
        Scenario.THROTTLED,
        pace=BRIEF,
        breaking=Breaking(service="orders-sc"),
        limit_seconds=900,
        users_wait_seconds=60,
    )

    assert summary.passed, summary
    assert (summary.outcome, summary.edges[0].final_green_percent) == ("rolled_back", 0.0)
    assert summary.requests.failed == 0
    assert summary.requests.to_nobody == 0
    assert summary.requests.green > 0
    assert summary.seconds.decision_to_zero is not None


def test_every_scenario_but_those_of_green_itself_is_a_disturbance() -> None:
    assert set(DISTURBANCES) == set(Scenario) - {Scenario.HEALTHY, Scenario.SICK}
