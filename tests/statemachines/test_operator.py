"""One migration as its operator does it, by the stack's name alone: from `start` to `retire`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crossfade.plan.document import Retirement
from crossfade.runtime import clients
from crossfade_cli.app import app
from rehearsal.aws.clock import clock

from .world import World

SHOP = Path(__file__).parents[2] / "examples" / "shop"
PARKED_SECONDS = 20


class Operator:
    """A person with the command, a plan, their own code, and the embedded AWS for an endpoint."""

    def __init__(self, world: World, home: Path) -> None:
        self._command = app(rehearsal=False)
        self.home = home
        self.plan = home / "plan.json"
        soon = Retirement(parked_seconds=PARKED_SECONDS, quiet_seconds=3)
        self.plan.write_text(world.plan.model_copy(update={"retirement": soon}).to_json())
        self.code = [home / name for name in ("mesh.yaml", "services.yaml")]
        for file in self.code:
            file.write_text((SHOP / file.name).read_text())

    def says(self, *words: str, code: int = 0) -> str:
        answer = CliRunner().invoke(self._command, [words[0], "shop", "--stack", "crossfade", *words[1:]])
        assert answer.exit_code == code, answer.output
        return answer.output


@pytest.fixture
def operator(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Operator]:
    for name, value in world.aws.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("time.sleep", clock.sleep)  # the command waits on the clock of the world it looks at
    monkeypatch.chdir(tmp_path)
    clients._client.cache_clear()  # those of another endpoint
    yield Operator(world, tmp_path)
    clients._client.cache_clear()


def test_a_migration_is_started_watched_checked_for_drift_and_retired(world: World, operator: Operator) -> None:
    code = [file.name for file in operator.code]

    started = operator.says("start", "--plan", str(operator.plan))
    watched = operator.says("watch")
    early = operator.says("retire", "--drift-is-clean", code=1)
    status = operator.says("status").split("; ")
    drift = operator.says("drift", *code, code=1)
    undone = operator.says("retire", *[word for file in code for word in ("--code", file)], code=1)

    assert "shop is started: arn:aws:states:" in started
    assert [line.split("; ")[0].split()[-1] for line in watched.splitlines()][-1] == "watching"
    assert "BlueStillServes" in early
    assert status[0] == "shop: watching"
    assert "green holds web 100 %" in status
    assert any(part.startswith("last look ") for part in status)
    assert status[-1].strip() == "way back: ready"
    assert "gives green 0 %, and it holds 100 %" in drift
    assert "the next apply would undo" in undone
    mended = subprocess.run(
        ["git", "apply"],  # noqa: S607 — whichever git the machine has
        input=drift,
        text=True,
        cwd=operator.home,
        check=False,
        capture_output=True,
    )
    assert mended.returncode == 0, mended.stderr
    assert "clean; applying this code again would undo nothing" in operator.says("drift", *code)
    clock.sleep(PARKED_SECONDS)
    world.until(lambda: _retired(operator), "blue has been parked and quiet for long enough", looks=50)
    tasks = world.aws.client("ecs").describe_services(cluster="shop", services=["web", "orders", "payments"])
    assert [service["desiredCount"] for service in tasks["services"]] == [0, 0, 0]
    assert world.meter.green_percent() == 100
    assert "BlueIsGone" in operator.says("abort", code=1)
    assert "retiring" in operator.says("history")
    assert "looks judged again" in operator.says("replay")


def _retired(operator: Operator) -> bool:
    code = [word for file in operator.code for word in ("--code", file.name)]
    answer = CliRunner().invoke(operator._command, ["retire", "shop", "--stack", "crossfade", *code])
    assert answer.exit_code == 0 or "BlueStillServes" in answer.output, answer.output
    return answer.exit_code == 0


def test_a_stack_that_is_not_there_or_not_ours_is_refused_by_name(operator: Operator) -> None:
    other = CliRunner().invoke(operator._command, ["status", "shop", "--stack", "shop-mesh"])
    none = CliRunner().invoke(operator._command, ["status", "shop", "--stack", "nowhere"])

    assert (other.exit_code, none.exit_code) == (2, 2)
    assert "stack shop-mesh has no output MigrateArn" in " ".join(other.output.split())
    assert "stack nowhere: Stack with id nowhere does not exist" in " ".join(none.output.split())
