"""The reader against recordings of real proxies, which Envoy's own events judge."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.proxylog.__main__ import main, measured
from benchmarks.proxylog.recordings import Recording, find
from benchmarks.proxylog.score import Ejection, score
from crossfade.judge.proxylog import AccessLine, read_lines
from crossfade.judge.proxylog_attempts import clients
from crossfade.judge.proxylog_replay import Confidence

RECORDINGS = Path(__file__).parents[2] / "fixtures" / "envoy"

Lines = list[str]
FOREIGN = ["[2026-11-22 10:05:37.131][1][info][upstream] cm init", '{"a":1}', "null", "[]", '{"upstream_host":3}', "{"]


def shuffled(lines: Lines, chance: random.Random) -> Lines:
    return chance.sample(lines, len(lines))


def repeated(lines: Lines, chance: random.Random) -> Lines:
    return lines + chance.sample(lines, len(lines) // 3)


def among_others(lines: Lines, chance: random.Random) -> Lines:
    return shuffled(lines + FOREIGN * 20, chance)


def cut_off(lines: Lines, chance: random.Random) -> Lines:
    if "upstream_url" in lines[0]:  # the account that it is held against stays
        return lines
    text = "\n".join(lines)
    return text[chance.randrange(400) : len(text) - chance.randrange(400)].splitlines()


def backwards(lines: Lines, _: random.Random) -> Lines:
    return [json.dumps(dict(reversed(json.loads(line).items())), separators=(",", ":")) for line in lines]


def with_spaces(lines: Lines, _: random.Random) -> Lines:
    return [json.dumps(json.loads(line)) for line in lines]


def as_the_http_block(lines: Lines, _: random.Random) -> Lines:
    return [line.replace('"duration":', '"duration_ms":') for line in lines]


CHANGES: dict[str, Callable[[Lines, random.Random], Lines]] = {
    change.__name__: change
    for change in (shuffled, repeated, among_others, cut_off, backwards, with_spaces, as_the_http_block)
}


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


@pytest.mark.parametrize(
    ("squeeze", "ending"), [(gzip.compress, ".gz"), (lzma.compress, ".xz"), (bz2.compress, ".bz2")]
)
def test_logs_that_were_squeezed_one_by_one_are_read_as_they_were(
    tmp_path: Path, squeeze: Callable[[bytes], bytes], ending: str
) -> None:
    [packed] = find(RECORDINGS / "s06_hang_timeout.tar.xz")
    logs = {name: held[:5_000] for name, held in packed.logs.items()}
    for name, held in logs.items():
        (tmp_path / f"{name}{ending}").write_bytes(squeeze(held))

    [squeezed] = find(tmp_path)

    assert squeezed.logs == logs


@pytest.mark.parametrize("lost", ["", "ingress.24070.json", "ingress.24072.json"])
def test_a_host_without_a_log_of_its_own_is_one_whose_retried_attempts_are_nowhere(lost: str) -> None:
    [whole] = find(RECORDINGS / "s02_one_503_retry.tar.xz")
    lines = {name: read_lines(held.decode().splitlines()) for name, held in whole.logs.items() if name != lost}
    access = {name: [line for line in found if isinstance(line, AccessLine)] for name, found in lines.items()}

    [client] = clients(access)

    assert client.joined
    assert client.blind == ({f"127.0.0.1:{lost.split('.')[1]}"} if lost else set())


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_found_does_not_hang_on_how_the_log_is_written(change: str) -> None:
    [as_recorded] = find(RECORDINGS / "s15_six_30pct_SR.tar.xz")
    chance = random.Random(7)
    logs = {
        name: "\n".join(CHANGES[change](held.decode().splitlines(), chance)).encode()
        for name, held in as_recorded.logs.items()
    }

    result = measured(Recording(as_recorded.name, logs), tolerance_s=1)

    assert result is not None
    assert (result.confidence, result.score.found, result.score.invented, result.score.missed) == (
        Confidence.JOIN,
        2,
        0,
        0,
    )


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")

    assert main([str(tmp_path)]) == 1


def test_a_claim_fits_one_ejection_of_its_host_and_client_within_the_tolerance() -> None:
    true = [Ejection(1_000, "a"), Ejection(1_400, "a"), Ejection(9_000, "b", by="one")]
    claimed = [Ejection(1_100, "a", "x"), Ejection(5_000, "a", "x"), Ejection(9_000, "b", "two")]

    found = score(claimed, true, tolerance_s=1)

    assert (found.found, found.invented, found.missed, found.errors) == (1, 2, 2, [0.1])
