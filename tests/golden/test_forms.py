"""One application in every form a team may hold it in: the plan is the same, but for where it was read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crossfade.mesh.export import export_document
from crossfade.mesh.sources import SourceText, read_sources
from crossfade.plan.document import MigrationPlan
from crossfade.plan.draw import DrawOptions, draw
from crossfade_cli.export import read_account
from crossfade_cli.files import read_files
from rehearsal.aws import EmbeddedAws, in_process
from rehearsal.aws.runtime import StillRuntime
from rehearsal.deploy import Deployer
from tests.meshes import NOON

ROOT = Path(__file__).resolve().parents[2]
SHOP = ROOT / "examples" / "shop"


def plan_of(*sources: SourceText, **parameters: str) -> MigrationPlan:
    return draw(read_sources(sources, parameters), DrawOptions(), NOON)


@pytest.fixture(scope="module")
def answers() -> Iterator[list[Any]]:
    """What AWS answers of the shop once it is deployed, as JSON."""
    with in_process(runtime=StillRuntime(), time_scale=200) as aws:
        deployer = Deployer(aws)
        for name in ("mesh", "services"):
            deployer.deploy(SHOP / f"{name}.yaml", f"shop-{name}")
        yield json.loads(exported(aws))["answers"]


def exported(aws: EmbeddedAws) -> str:
    found, notes = read_account(aws.client, ["shop"])
    return export_document(found, region="eu-west-1", now=datetime(2026, 11, 22, tzinfo=UTC), notes=notes)


@pytest.fixture(scope="module")
def as_templates() -> MigrationPlan:
    return plan_of(*read_files([str(SHOP)]))


def test_what_aws_answers_gives_the_plan_of_the_templates(answers: list[Any], as_templates: MigrationPlan) -> None:
    document = json.dumps({"crossfade_export": 1, "answers": answers})

    assert plan_of(SourceText("export.json", document)) == as_templates
