"""What `crossfade rehearse` refuses before it starts anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from crossfade_cli.app import main
from tests.meshes import a_mesh, text_of, two_services


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.json").write_text(text_of({**two_services(), **a_mesh(egress="DROP_ALL")}, "t.json").text)
    return tmp_path


def run(arguments: Sequence[str]) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


@pytest.mark.parametrize("named", [["plan.json"], ["--source", "t.json"]])
def test_a_plan_with_an_open_blocking_gap_is_refused_with_the_answers_it_waits_for(
    folder: Path, named: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run(["plan", "t.json", "-o", str(folder / "plan.json")])
    capsys.readouterr()

    code = run(["rehearse", *named])

    said = capsys.readouterr().out
    assert code == 2
    assert "- {id: EGRESS_FILTER, resource: mesh/m, who: NAME, why: REASON}" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--source", "t.json", "--plan", "plan.json"], "--source is drawn anew"),
        (["missing.json"], "missing.json: No such file or directory"),
        (["a.json", "--plan", "b.json"], "two plans are given, a.json and b.json"),
        (["a.json", "--param", "Env=prod"], "are for --source; a plan has been drawn already"),
        (["--edge-of", "web"], "are for stand-ins: give PLAN or --source"),
        (["--example", "shop", "--plan", "a.json", "--most-tasks", "3"], "are for stand-ins"),
        (["--source", "t.json", "--accept", "yes.yaml", "--edge-of", "nobody"], "no such edge"),
        (["--source", "t.json", "--accept", "yes.yaml", "--service", "nobody"], "no service 'nobody'"),
        (["--source", "t.json", "--edge", "nlb"], "--edge nlb is a form of the example shop"),
        (["--example", "bookings", "--edge", "route53"], "reached by its own load balancer alone"),
        (["--fault", "cdn-busy"], "--fault cdn-busy: at an edge of kind alb there is one-500"),
    ],
)
def test_what_cannot_be_rehearsed_is_one_sentence_and_exit_2(
    folder: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "yes.yaml").write_text("accept:\n- {id: EGRESS_FILTER, who: me, why: known}\n")

    code = run(["rehearse", *arguments])

    assert code == 2
    assert said in capsys.readouterr().out
