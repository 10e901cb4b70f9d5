"""Plans of real meshes, rehearsed with real proxies; on demand, since each takes a minute."""

from __future__ import annotations

import os

import pytest

from checks.corpus import CORPUS
from checks.rehearsed import PLAYED, play
from rehearsal.summary import Scenario

pytestmark = [
    pytest.mark.rehearsal,
    pytest.mark.skipif(not CORPUS.is_dir(), reason=f"real inputs not present at {CORPUS}"),
    pytest.mark.skipif(
        os.environ.get("CROSSFADE_REHEARSE") != "corpus", reason="takes minutes; CROSSFADE_REHEARSE=corpus runs it"
    ),
]


@pytest.mark.parametrize(("unit", "scenario"), [(unit, each) for unit, every in PLAYED.items() for each in every])
def test_the_plan_of_a_real_mesh_is_carried_out_by_stand_ins(unit: str, scenario: Scenario) -> None:
    (summary,) = play(unit, [scenario]).summaries

    assert summary.passed, summary
    assert summary.staging is not None
    assert len(summary.staging.services) == summary.services_created
    if scenario is Scenario.HEALTHY:
        assert (summary.requests.failed, summary.edges[0].final_green_percent) == (0, 100.0)
