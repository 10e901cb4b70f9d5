"""The reader against recordings of real proxies, which Envoy's own events judge."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from benchmarks.proxylog.__main__ import main, measured
from benchmarks.proxylog.recordings import find
from benchmarks.proxylog.score import Ejection, score
from crossfade.judge.proxylog_replay import Confidence

RECORDINGS = Path(__file__).parents[2] / "fixtures" / "envoy"


@pytest.mark.parametrize(
    ("name", "ejections", "suppressed"),
    [("s02_one_503_retry", 2, 0), ("s03_all_500", 6, 702), ("s06_hang_timeout", 1, 0), ("s15_six_30pct_SR", 2, 0)],
)
def test_joined_logs_show_every_ejection_and_no_other(name: str, ejections: int, suppressed: int) -> None:
    [recording] = find(RECORDINGS / f"{name}.tar.xz")

    result = measured(recording, tolerance_s=1)

    assert result is not None
    assert result.confidence is Confidence.JOIN
    assert (result.score.found, result.score.invented, result.score.missed) == (ejections, 0, 0)
    assert result.suppressed == suppressed


def test_where_no_server_logs_the_first_ejection_is_a_silence() -> None:
    [recording] = find(RECORDINGS / "s08_refuse_direct.tar.xz")

    result = measured(recording, tolerance_s=1)

    assert result is not None
    assert (result.score.found, result.score.invented) == (0, 0)
    assert (result.silences.found, result.silences.invented) == (1, 0)


def test_the_benchmark_ends_with_one_line_of_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with tarfile.open(RECORDINGS / "s06_hang_timeout.tar.xz") as packed:
        packed.extractall(tmp_path, filter="data")

    assert main([str(tmp_path)]) == 0

    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(last) == ["precision", "recall", "median_error_s", "lines_per_s", "floor_lines_per_s"]
    assert (last["precision"], last["recall"]) == (1.0, 1.0)
    assert last["lines_per_s"] > 0


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")

    assert main([str(tmp_path)]) == 1


def test_a_claim_fits_one_ejection_of_its_host_and_client_within_the_tolerance() -> None:
    true = [Ejection(1_000, "a"), Ejection(1_400, "a"), Ejection(9_000, "b", by="one")]
    claimed = [Ejection(1_100, "a", "x"), Ejection(5_000, "a", "x"), Ejection(9_000, "b", "two")]

    found = score(claimed, true, tolerance_s=1)

    assert (found.found, found.invented, found.missed, found.errors) == (1, 2, 2, [0.1])
