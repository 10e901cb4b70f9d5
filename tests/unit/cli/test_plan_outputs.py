"""What `crossfade plan` writes, and what a person may answer to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from crossfade_cli.app import app
from tests.meshes import Resources, a_mesh, a_node, a_service, text_of, two_services


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795348800")
    return tmp_path


def crossfade(*arguments: str) -> Result:
    return CliRunner().invoke(app(rehearsal=False), ["plan", *arguments])


def source(folder: Path, *resources: Resources) -> str:
    merged = {key: value for each in resources for key, value in each.items()}
    path = folder / "mesh.json"
    path.write_text(text_of(merged).text, encoding="utf-8")
    return path.name


def written(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def plan_in(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "plan.json").read_text(encoding="utf-8")))


def test_the_plan_the_stacks_parameters_and_green_as_code_are_written(folder: Path) -> None:
    answer = crossfade(source(folder, two_services()), "--report", "report.html")

    assert answer.exit_code == 0, answer.output
    assert set(written(folder)) == {
        "mesh.json",
        "plan.json",
        "parameters.json",
        "report.html",
        "green/template.json",
        "green/main.tf",
    }


def test_the_same_folder_drawn_again_gives_the_same_bytes(folder: Path) -> None:
    source(folder, two_services())
    crossfade(".", "--report", "report.html")
    first = written(folder)

    answer = crossfade(".", "--report", "report.html")

    assert answer.exit_code == 0, answer.output
    assert written(folder) == first


def test_an_accepted_gap_lets_the_plan_go_and_is_kept_when_it_is_drawn_again(folder: Path) -> None:
    name = source(folder, two_services(), a_mesh(egress="DROP_ALL"))
    accepted = [{"id": "EGRESS_FILTER", "who": "ada", "why": "a firewall does it"}]
    (folder / "answers.json").write_text(json.dumps({"accept": accepted}), encoding="utf-8")

    codes = [
        crossfade(name).exit_code,
        crossfade(name, "--accept", "answers.json").exit_code,
        crossfade(name).exit_code,
    ]

    assert codes == [2, 0, 0]
    assert plan_in(folder)["gaps"][0]["accepted"]["who"] == "ada"


def test_an_answer_to_background_work_is_kept_when_the_plan_is_drawn_again(folder: Path) -> None:
    worker = a_service("worker", environment={"SQS_QUEUE_URL": "q"})
    name = source(folder, two_services(), a_node("worker"), worker)

    codes = [crossfade(name).exit_code, crossfade(name, "--background", "worker=create_at_zero").exit_code]
    again = crossfade(name)

    assert (*codes, again.exit_code) == (2, 0, 0)
    (found,) = [each for each in plan_in(folder)["services"] if each["name"] == "worker"]
    assert (found["background"]["answer"], found["green"]["desired_count"]) == ("create_at_zero", 0)


def test_an_answer_that_met_no_gap_is_told(folder: Path) -> None:
    (folder / "answers.yaml").write_text("- {id: MTLS, who: ada, why: because}\n", encoding="utf-8")

    answer = crossfade(source(folder, two_services()), "--accept", "answers.yaml")

    assert "Accepted and not a gap of this plan: MTLS" in answer.output
