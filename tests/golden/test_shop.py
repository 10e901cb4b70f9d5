"""What `crossfade plan` draws of the example, kept to the letter; `make golden` rewrites it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from crossfade.connect.gaps import TABLE, Row
from crossfade.draw.draw import draw
from crossfade.draw.options import DrawOptions
from crossfade.mesh.sources import read_sources
from crossfade.plan.document import MigrationPlan
from crossfade.plan.parameters import parameters
from crossfade.plan.report import report
from crossfade_cli.files import read_files
from tests.meshes import NOON

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).parent
REWRITE = os.environ.get("CROSSFADE_GOLDEN") == "rewrite"


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> MigrationPlan:
    monkeypatch.chdir(ROOT)
    return drawn("examples/shop")


def drawn(folder: str) -> MigrationPlan:
    texts = read_files([folder])
    found = read_sources(texts, {})
    return draw(found, DrawOptions(), NOON, sources=texts, drawn_by="crossfade golden")


def kept(name: str, text: str, folder: Path = GOLDEN) -> str:
    """What is kept under `name`; rewritten first when that is asked for."""
    path = folder / name
    if REWRITE:
        path.write_text(text, encoding="utf-8")
    return path.read_text(encoding="utf-8")


def test_the_plan_of_the_shop_is_as_kept(shop: MigrationPlan) -> None:
    assert shop.to_json() == kept("shop.plan.json", shop.to_json())


def test_the_plan_of_bookings_which_has_no_mesh_is_as_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    bookings = drawn("examples/bookings")

    assert bookings.to_json() == kept("bookings.plan.json", bookings.to_json())
    assert bookings.open_blocking_gaps() == ()


def test_the_report_of_the_shop_is_as_kept(shop: MigrationPlan) -> None:
    assert report(shop) == kept("shop.report.md", report(shop))


def test_the_stacks_parameters_for_the_shop_are_as_kept(shop: MigrationPlan) -> None:
    text = json.dumps(parameters(shop), indent=2) + "\n"

    assert text == kept("shop.parameters.json", text)


def test_the_shop_needs_no_persons_answer(shop: MigrationPlan) -> None:
    assert shop.open_blocking_gaps() == ()
    assert {gap.id for gap in shop.gaps} == {"RETRY_POLICY", "OUTLIER_DETECTION", "HEALTH_CHECK", "ACCESS_LOG"}


def test_the_parameters_are_the_stacks_own(shop: MigrationPlan) -> None:
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")

    assert all(f"\n  {name}:\n    Type: CommaDelimitedList" in template for name in parameters(shop))


_PAGE = """# Gaps

What a mesh does today that Service Connect cannot carry over by itself. `crossfade plan` names every one it finds, with
the place in the source and the consequence; words in braces are filled in from there.

- **blocking**: a request that works today would fail or reach the wrong service, or a security control would be lost.
  The stack refuses the plan until a person has answered.
- **degrading**: requests succeed, with weaker or different behaviour.
- **informational**: no change that a caller sees.

A severity is the usual one; the same gap may weigh otherwise in another mesh. A setting that equals Service Connect's
own is no gap, and a field that Crossfade does not know is one (`FIELD_NOT_READ`): nothing is lost in silence.

This page is written from `layers/core/python/crossfade/connect/gaps.py` by `make golden`.

| gap | severity | what changes, and what to do |
|---|---|---|
"""


def _row(row: Row) -> str:
    return f"| `{row.id}` | {row.severity} | {row.detail} [source]({row.source}) |\n"


def test_the_page_of_gaps_is_the_table() -> None:
    text = _PAGE + "".join(_row(row) for row in sorted(TABLE.values(), key=lambda each: each.id))

    assert text == kept("gaps.md", text, ROOT / "docs")
