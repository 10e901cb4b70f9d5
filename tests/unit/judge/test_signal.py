"""The table of signals is whole, and the document beside it says the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossfade.judge.signal import SIGNALS, Signal

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "signals.md").read_text(encoding="utf-8")
ROWS = {line.split("`")[1]: line for line in DOCUMENT.split("\n## ")[0].splitlines() if line.startswith("| `")}


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.name)
def test_every_signal_is_explained_and_says_what_it_cannot_see(signal: Signal) -> None:
    row = ROWS[signal.name]

    assert signal.unit in row
    assert signal.worse in row
    assert signal.blind_to
    assert signal.blind_to in row
    for metric in (signal.errors, signal.requests, *signal.further):
        if metric is not None:
            assert all(f"`{name}`" in row for name in (metric.namespace, metric.name, *metric.dimensions))


def test_the_document_explains_no_signal_that_is_gone() -> None:
    assert set(ROWS) == {signal.name for signal in SIGNALS}
