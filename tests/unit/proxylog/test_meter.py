"""What the counts look like in the log that CloudWatch makes metrics of."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from crossfade.judge.meter import age_of_the_last_look
from crossfade.judge.proxylog_report import BUCKET_MS, Counts
from crossfade.judge.signal import SIGNALS
from crossfade.runtime.embedded import EmbeddedLookMeter, EmbeddedProxyMeter

NOW_MS = int(datetime.now(UTC).timestamp()) // 10 * BUCKET_MS
"""CloudWatch takes no metric of another fortnight."""


def test_every_ten_seconds_are_one_line_with_their_own_time(capsys: pytest.CaptureFixture[str]) -> None:
    EmbeddedProxyMeter().publish("shop", {NOW_MS + BUCKET_MS: Counts(0, 0, 0, 3), NOW_MS: Counts(1, 0, 2, 7, 5, 4)})

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["_aws"]["Timestamp"] for line in lines] == [NOW_MS, NOW_MS + BUCKET_MS]
    assert [line["Migration"] for line in lines] == ["shop", "shop"]
    first, metrics = lines[0], lines[0]["_aws"]["CloudWatchMetrics"][0]
    assert metrics["Namespace"] == "Crossfade"
    assert {each["Name"]: (first[each["Name"]], each["StorageResolution"]) for each in metrics["Metrics"]} == {
        "EnforcedEjections": (1, 1),
        "SuppressedEjections": (2, 1),
        "ProxyErrors": (7, 1),
        "AttemptErrors": (5, 1),
        "GrpcErrors": (4, 1),
    }


def test_the_judge_asks_for_them_by_all_the_dimensions_they_have(capsys: pytest.CaptureFixture[str]) -> None:
    EmbeddedProxyMeter().publish("shop", {NOW_MS: Counts(0, 0, 0, 0)})

    [directive] = json.loads(capsys.readouterr().out)["_aws"]["CloudWatchMetrics"]
    ours = [signal.errors for signal in SIGNALS if signal.errors and signal.errors.namespace == directive["Namespace"]]
    assert [list(metric.dimensions) for metric in ours] == directive["Dimensions"] * len(ours)
    assert {metric.name for metric in ours} < {each["Name"] for each in directive["Metrics"]}
    assert len(ours) == 4


def test_a_look_is_a_line_by_migration_and_edge(capsys: pytest.CaptureFixture[str]) -> None:
    EmbeddedLookMeter().publish("shop", "web", datetime.fromtimestamp(NOW_MS / 1000, UTC), age_of_the_last_look(7.9))

    line = json.loads(capsys.readouterr().out)
    [directive] = line["_aws"]["CloudWatchMetrics"]
    assert (line["_aws"]["Timestamp"], directive["Dimensions"]) == (NOW_MS, [["Migration", "Edge"]])
    assert (line["Migration"], line["Edge"], line["LookAge"]) == ("shop", "web", 7)
