"""What the counts look like in the log that CloudWatch makes metrics of."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from crossfade.judge.proxylog_report import BUCKET_MS, Counts
from crossfade.runtime.embedded import EmbeddedProxyMeter

NOW_MS = int(datetime.now(UTC).timestamp()) // 10 * BUCKET_MS
"""CloudWatch takes no metric of another fortnight."""


def test_every_ten_seconds_are_one_line_with_their_own_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Crossfade")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "crossfade")

    EmbeddedProxyMeter().publish("shop", {NOW_MS + BUCKET_MS: Counts(0, 0, 0, 3), NOW_MS: Counts(1, 0, 2, 7)})

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["_aws"]["Timestamp"] for line in lines] == [NOW_MS, NOW_MS + BUCKET_MS]
    assert [line["migration"] for line in lines] == ["shop", "shop"]
    first, metrics = lines[0], lines[0]["_aws"]["CloudWatchMetrics"][0]
    assert metrics["Namespace"] == "Crossfade"
    assert {each["Name"]: (first[each["Name"]], each["StorageResolution"]) for each in metrics["Metrics"]} == {
        "EnforcedEjections": ([1.0], 1),
        "SuppressedEjections": ([2.0], 1),
        "ProxyErrors": ([7.0], 1),
    }
