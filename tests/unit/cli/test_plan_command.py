from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crossfade.plan.document import MigrationPlan
from crossfade_cli.app import main
from tests.meshes import a_mesh, a_service, text_of, two_services


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def run(arguments: Sequence[str]) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


def write(folder: Path, name: str, resources: dict[str, dict[str, object]], **sections: object) -> str:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text_of(resources, name, **sections).text)
    return name


def test_a_plan_is_written_with_the_stacks_parameters_beside_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(folder, "t.json", two_services())

    code = run(["plan", source, "-o", "out/plan.json", "--report", "out/report.md", "--migration", "tuesday"])

    plan = MigrationPlan.from_json((folder / "out/plan.json").read_text())
    said = capsys.readouterr().out
    assert (code, plan.migration) == (0, "tuesday")
    assert set(json.loads((folder / "out/parameters.json").read_text())) >= {"EdgeArns", "ServiceArns"}
    assert (folder / "out/report.md").read_text().startswith("# tuesday")
    assert all(word in said for word in ("web", "api-sc", "api.m.local:8080", "Edge web", "out/plan.json"))


def test_an_open_blocking_gap_ends_with_2_and_the_plan_is_written_all_the_same(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(folder, "t.json", {**two_services(), **a_mesh(egress="DROP_ALL")})

    code = run(["plan", source])

    plan = MigrationPlan.from_json((folder / "plan.json").read_text())
    assert code == 2
    assert [gap.id for gap in plan.open_blocking_gaps()] == ["EGRESS_FILTER"]
    assert "EGRESS_FILTER" in capsys.readouterr().out


def test_nothing_to_migrate_is_said_and_is_no_failure(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(folder, "t.json", {**a_mesh(), **a_service("web", node="")})

    code = run(["plan", source])

    assert code == 0
    assert capsys.readouterr().out.startswith("Nothing to migrate")
    plan = MigrationPlan.from_json((folder / "plan.json").read_text())
    assert (plan.services, plan.open_blocking_gaps()) == ((), ())
    assert [(gap.id, gap.resource) for gap in plan.gaps] == [("VESTIGIAL_MESH", "mesh/m")]
    assert [(each.what, each.why) for each in plan.not_migrated] == [
        ("ecsService/web", "runs no Envoy of this mesh"),
    ]


def test_a_plan_drawn_before_does_not_outlive_its_services(folder: Path) -> None:
    source = write(folder, "t.json", two_services())
    run(["plan", source])

    code = run(["plan", source, "--background", "web=leave_out", "--background", "api=leave_out"])

    plan = MigrationPlan.from_json((folder / "plan.json").read_text())
    assert code == 0
    assert plan.services == ()
    assert plan.gaps == ()
    assert {each.why for each in plan.not_migrated} == {"left out by choice"}


def test_files_folders_and_patterns_may_be_mixed_and_are_read_once(folder: Path) -> None:
    resources = two_services()
    write(folder, "mesh/a.json", {key: value for key, value in resources.items() if key.startswith(("Mesh", "N"))})
    write(folder, "ecs/b.json", {key: value for key, value in resources.items() if not key.startswith(("Mesh", "N"))})

    code = run(["plan", "mesh", "ecs/*.json", "ecs/b.json"])

    plan = MigrationPlan.from_json((folder / "plan.json").read_text())
    assert (code, [source.path for source in plan.sources]) == (0, ["mesh/a.json", "ecs/b.json"])


def test_parameters_come_from_a_file_and_the_command_line_rules(folder: Path) -> None:
    resources = two_services()
    resources["Serviceapi"]["Properties"]["ServiceName"] = {"Ref": "Name"}
    source = write(folder, "t.json", resources, Parameters={"Name": {"Type": "String"}})
    (folder / "p.yaml").write_text("Name: from-file\n")

    run(["plan", source, "--params", "p.yaml", "-o", "file.json"])
    run(["plan", source, "--params", "p.yaml", "--param", "Name=from-line", "-o", "line.json"])

    plans = [MigrationPlan.from_json((folder / name).read_text()) for name in ("file.json", "line.json")]
    assert [plan.services[0].name for plan in plans] == ["from-file", "from-line"]


def test_the_time_of_the_drawing_can_be_fixed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795348800")
    source = write(folder, "t.json", two_services())

    run(["plan", source, "-o", "a.json"])
    run(["plan", source, "-o", "b.json"])

    assert (folder / "a.json").read_bytes() == (folder / "b.json").read_bytes()
    assert '"drawn_at": "2026-11-22T12:00:00Z"' in (folder / "a.json").read_text()


def test_the_same_sources_and_answers_give_the_same_bytes_at_any_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    source = write(folder, "t.json", {**two_services(), **a_mesh(egress="DROP_ALL")})
    (folder / "yes.yaml").write_text("accept: [{id: EGRESS_FILTER, who: ada, why: security groups}]")
    os.utime(folder / "yes.yaml", (1_795_348_800, 1_795_348_800))

    for name in ("a", "b"):
        run(["plan", source, "--accept", "yes.yaml", "-o", f"{name}/plan.json", "--report", f"{name}/report.html"])

    of_a, of_b = ({each.name: each.read_bytes() for each in (folder / name).rglob("*.*")} for name in ("a", "b"))
    assert sorted(of_a) == ["main.tf", "parameters.json", "plan.json", "report.html", "template.json"]
    assert of_a == of_b
    [accepted] = [gap.accepted for gap in MigrationPlan.from_json(of_a["plan.json"]).gaps if gap.accepted]
    assert (accepted.who, accepted.at) == ("ada", datetime(2026, 11, 22, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plan"], "Missing argument"),
        (["plan", "--nonsense"], "No such option"),
        (["plan", "missing.yaml"], "missing.yaml: there is no such file"),
        (["plan", "broken.yaml"], "broken.yaml:1: not readable as YAML"),
        (["plan", "binary.yaml"], "binary.yaml: not a text in UTF-8"),
        (["plan", "empty"], "empty: there is nothing to read in this folder"),
        (["plan", "huge.json"], "huge.json: larger than"),
        (["plan", "/dev/zero"], "/dev/zero: not a file"),
        (["plan", "terraform"], "the sources hold neither a mesh nor an ECS service"),
        (["plan", "linked"], "a link that leads out of linked"),
        (["plan", "linked/*.json"], "a link that leads out of linked"),
        (["plan", "linked/**"], "a link that leads out of linked"),
        (["plan", "k8s.yaml"], "mesh on Kubernetes has no way there"),
        (["plan", "t.json", "--param", "Oops"], "--param Oops: write NAME=VALUE"),
        (["plan", "t.json", "--param", "Oops=1"], "--param Oops: no template given"),
        (["plan", "t.json", "--params", "missing.json"], "missing.json: there is no such file"),
        (["plan", "t.json", "--mesh", "x"], "the sources hold no mesh named x"),
        (["plan", "t.json", "--migration", "9"], "cannot name a migration"),
        (["plan", "t.json", "-o", "t.json/plan.json"], "cannot be written"),
    ],
)
def test_bad_input_is_one_clear_sentence_and_ends_with_1(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    write(folder, "t.json", two_services())
    (folder / "broken.yaml").write_text("a: b: c")
    (folder / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    (folder / "k8s.yaml").write_text("apiVersion: appmesh.k8s.aws/v1beta2\nkind: Mesh\n")
    for name in ("empty", "terraform", "linked"):
        (folder / name).mkdir()
    (folder / "terraform" / "main.tf").write_text("")
    with (folder / "huge.json").open("wb") as huge:
        huge.truncate(100_000_000)
    (folder / "linked" / "t.json").symlink_to(folder / "t.json")

    code = run(arguments)

    errors = capsys.readouterr().err
    assert code == 1
    assert said in errors
    assert "Traceback" not in errors


def test_the_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("crossfade ")
