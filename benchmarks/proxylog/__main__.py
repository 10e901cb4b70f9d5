"""
Scores the log reader on a folder of recordings: `python -m benchmarks.proxylog DIR`.

A recording is a folder, or a packed one, of logs of the proxies of one run; Envoy's
outlier events in them are what is to be found, and are kept from the reader. Recordings
without servers' lines are read, too, and listed apart: retries hide there what only a
join shows. The last line is JSON: precision and recall over the joined recordings (over
all, where none is), ejections and seconds as units.

The floor is what reading costs in any case: unpacking the same bytes and decoding each
line's JSON, in the same run.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.proxylog.recordings import Recording, find
from benchmarks.proxylog.score import Ejection, Result, Score, score
from crossfade.judge.proxylog import AccessLine, OutlierLine, read_lines
from crossfade.judge.proxylog_attempts import clients
from crossfade.judge.proxylog_replay import Confidence, replay


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 when the folder holds no recording."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.proxylog", description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path, help="recordings: folders of logs, or .tar.xz of them")
    parser.add_argument("--tolerance", type=float, default=1.0, help="seconds a found ejection may be off (1)")
    chosen = parser.parse_args(arguments)
    results: list[Result] = []
    lines = 0
    unpacking = reading = decoding = 0.0
    recordings = find(chosen.folder)
    while True:
        began = time.process_time()
        recording = next(recordings, None)
        if recording is None:
            break
        unpacked = time.process_time()
        result = measured(recording, tolerance_s=chosen.tolerance)
        read = time.process_time()
        lines += decoded(recording)
        ended = time.process_time()
        unpacking, reading, decoding = (
            unpacking + unpacked - began,
            reading + read - unpacked,
            decoding + ended - read,
        )
        if result is not None:
            results.append(result)
            sys.stdout.write(_row(result) + "\n")
    if not results:
        sys.stderr.write(f"no recording of Envoy's access logs in {chosen.folder}\n")
        return 1
    sys.stdout.write(_summary(results, lines / (unpacking + reading), lines / (unpacking + decoding)) + "\n")
    return 0


def measured(recording: Recording, *, tolerance_s: float) -> Result | None:
    """Return how well a recording was read; None for one without access lines."""
    access: dict[str, list[AccessLine]] = {}
    events: dict[str, list[OutlierLine]] = {}
    for name, held in recording.logs.items():
        lines = read_lines(held.decode(errors="replace").splitlines())
        access[name] = [line for line in lines if isinstance(line, AccessLine)]
        events[name] = [line for line in lines if isinstance(line, OutlierLine)]
    access = {name: lines for name, lines in access.items() if lines}
    if not access:
        return None
    found: list[Ejection] = []
    silent: list[Ejection] = []
    suppressed, confidence = 0, Confidence.EGRESS
    for client in clients(access):
        replayed = replay(client)
        suppressed += len(replayed.suppressed)
        confidence = Confidence.JOIN if client.joined else confidence
        for each in replayed.ejected:
            (silent if each.confidence is Confidence.SILENCE else found).append(
                Ejection(each.at, each.host, client.stream)
            )
    true = [
        Ejection(line.at, line.host, _client_of(name, access))
        for name, lines in events.items()
        for line in set(lines)
        if line.enforced and line.action == "EJECT" and line.at is not None
    ]
    return Result(
        recording.name,
        confidence,
        score(found, true, tolerance_s=tolerance_s),
        score([*found, *silent], true, tolerance_s=tolerance_s),
        suppressed,
    )


def decoded(recording: Recording) -> int:
    """Decode every line's JSON, keep nothing, and return how many lines there were."""
    lines = 0
    for held in recording.logs.values():
        for text in held.decode(errors="replace").splitlines():
            lines += 1
            try:
                json.loads(text)
            except ValueError:
                continue
    return lines


def _client_of(name: str, access: dict[str, list[AccessLine]]) -> str:
    """Return whose events a log of events holds: its own, or those of the log with the same ending; else any one's."""
    if name in access:
        return name
    _, _, ending = name.partition(".")
    alike = [log for log in access if log.partition(".")[2] == ending]
    return alike[0] if len(alike) == 1 else ""


def _row(result: Result) -> str:
    own = result.score
    return (
        f"{result.name:32} {result.confidence:7} found {own.found:4} invented {own.invented:3} missed {own.missed:3}"
        f"   with silences {result.silences.found:4} {result.silences.invented:3} {result.silences.missed:3}"
        f"   suppressed {result.suppressed:5}"
    )


def _summary(results: Sequence[Result], lines_per_s: float, floor_lines_per_s: float) -> str:
    rows = [""]
    for confidence in (Confidence.JOIN, Confidence.EGRESS):
        of = [result for result in results if result.confidence is confidence]
        if of:
            total, silences = sum((each.score for each in of), Score()), sum((each.silences for each in of), Score())
            rows.append(
                f"{confidence:7} {len(of):3} recordings: "
                f"precision {_said(total.precision)} recall {_said(total.recall)}; "
                f"with silences {_said(silences.precision)} and {_said(silences.recall)}"
            )
    joined = [result for result in results if result.confidence is Confidence.JOIN] or results
    total = sum((each.score for each in joined), Score())
    last = {
        "precision": _rounded(total.precision),
        "recall": _rounded(total.recall),
        "median_error_s": _rounded(total.median_error_s),
        "lines_per_s": round(lines_per_s),
        "floor_lines_per_s": round(floor_lines_per_s),
    }
    return "\n".join([*rows, json.dumps(last)])


def _said(share: float | None) -> str:
    return "none to tell" if share is None else f"{share:.3f}"


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 4)


if __name__ == "__main__":
    sys.exit(main())
