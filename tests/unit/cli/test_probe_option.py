"""`crossfade plan --probe`: what it puts into the plan, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crossfade.errors import BadInput
from crossfade.plan.document import MigrationPlan
from crossfade.plan.edges import Probe
from crossfade.plan.probes import with_probes
from crossfade_cli.probes import probes_of
from tests.meshes import two_services
from tests.traffic import a_plan
from tests.unit.cli.test_plan_command import run, write


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def test_the_plan_asks_greens_entry_where_it_is_told_to(folder: Path) -> None:
    source = write(folder, "t.json", two_services())

    code = run(
        ["plan", source, "--probe", "web=https://green.example.com/health?deep=1", "--probe-header", "web=Host: shop"]
    )

    [edge] = MigrationPlan.from_json((folder / "plan.json").read_text()).edges
    assert code == 0
    assert edge.probe == Probe(url="https://green.example.com/health?deep=1", headers={"Host": "shop"})


def test_without_it_the_plan_has_no_probe(folder: Path) -> None:
    run(["plan", write(folder, "t.json", two_services())])

    [edge] = json.loads((folder / "plan.json").read_text())["edges"]
    assert "probe" not in edge


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--probe", "web"], "--probe web: write EDGE=URL"),
        (["--probe", "=https://green"], "write EDGE=URL"),
        (["--probe", "web=green.example.com"], "write an address as http://host/path or https://host/path"),
        (["--probe", "web=https://green", "--probe", "web=https://other"], "web has one already"),
        (["--probe", "shop=https://green"], "--probe shop: no edge leads to it; the plan has edges of web"),
        (["--probe-header", "web=Host:shop"], "belongs to a --probe web=URL"),
        (["--probe", "web=https://green", "--probe-header", "web=Host"], "write EDGE=NAME:VALUE"),
        (["--probe", "web=https://green", "--probe-header", "web=X-A:1\n2"], "write EDGE=NAME:VALUE"),
        (
            ["--probe", "web=https://green", "--probe-header", "web=A:1", "--probe-header", "web=A:2"],
            "A is given twice",
        ),
        (
            ["--probe", "web=https://green", "--probe-staging", "web=https://shop"],
            "only a cloudfront edge has staging, this one is alb",
        ),
        (["--probe", "web=https://green", "--probe-staging", "web=shop"], "--probe-staging web=shop: write an address"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name_and_no_plan_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str], given: list[str], said: str
) -> None:
    source = write(folder, "t.json", two_services())

    code = run(["plan", source, *given])

    assert code == 1
    assert said in capsys.readouterr().err
    assert not (folder / "plan.json").exists()


def test_a_services_name_stands_for_all_of_its_edges_and_an_edges_own_comes_first() -> None:
    plan = a_plan()
    [web] = plan.edges
    plan = plan.model_copy(update={"edges": (web, web.model_copy(update={"name": "web-2"}))})

    probed = with_probes(plan, {web.service: Probe(url="https://all"), "web-2": Probe(url="https://second")})

    assert [edge.probe and edge.probe.url for edge in probed.edges] == ["https://all", "https://second"]


def test_an_edge_of_connections_has_no_codes_to_count() -> None:
    plan = a_plan()
    edges = tuple(edge.model_copy(update={"kind": "nlb"}) for edge in plan.edges)

    with pytest.raises(BadInput, match="an nlb edge divides connections"):
        with_probes(plan.model_copy(update={"edges": edges}), {"web": Probe(url="https://green")})


def test_a_header_may_hold_what_separates_others() -> None:
    [probe] = probes_of(["web=https://green"], ["web=Cookie: a=1; b=2:3", "web=X-Empty:"], []).values()

    assert probe.headers == {"Cookie": "a=1; b=2:3", "X-Empty": ""}
